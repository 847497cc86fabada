"""Drafts of the strategy: `drafts.db`, a file of its own, so that drafting never waits for the engine or the door.

What a draft means is `runtime/drafts.py`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, NamedTuple

from innkeeper.kernel.json import dumps, loads
from innkeeper.kernel.time import Instant
from innkeeper.store import sqlite
from innkeeper.store.private import open_private

FILE: Final = "drafts.db"
#: How many are remembered after they were published.
KEPT: Final = 200
_COLUMNS: Final = (
    "id, title, author, created_at, version, changed_by, changed_at, base, files, number, published_by, published_at"
)


class Published(NamedTuple):
    """What became of a draft: the number of the strategy, by whom and when."""

    number: int
    by: str
    at: Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class Heading:
    """What is known of a draft besides its files.

    Attributes:
        id: Its name.
        title: What it is about, for people.
        author, created_at: Who made it, and when.
        version: Rises with every change.
        changed_by, changed_at: Who changed it last, and when.
        base: The number of the strategy that it was made over.
        published: What became of it; None: it is open.
    """

    id: str
    title: str
    author: str
    created_at: Instant
    version: int
    changed_by: str
    changed_at: Instant
    base: int
    published: Published | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft(Heading):
    """One draft.

    Attributes:
        files: The paths that differ from the strategy below it, with their whole texts; None: the file goes.
    """

    files: Mapping[str, str | None]


class Drafts:
    """The drafts of one home, for the time of one call."""

    def __init__(self, path: Path, database: sqlite3.Connection) -> None:
        self.path, self._database = path, database

    @classmethod
    def open(cls, home: Path) -> Drafts:
        """The drafts of a home; the file is made where there is none yet, for its owner's eyes alone.

        Raises:
            OperationFailed: The store is damaged, newer, or not ours to use.
        """
        return cls(home / FILE, open_private(home / FILE, "drafts"))

    def all(self) -> list[tuple[Heading, list[str]]]:
        """Every draft, oldest first, with the paths of its files; their texts, which may be large, are not read."""
        with sqlite.translated(self.path):
            rows = self._database.execute(
                "SELECT id, title, author, created_at, version, changed_by, changed_at, base, number, published_by,"
                " published_at, (SELECT json_group_array(key) FROM json_each(files)) FROM drafts"
                " ORDER BY created_at, id"
            ).fetchall()
        return [(_heading(row[:-1]), loads(row[-1])) for row in rows]

    def ids(self) -> list[str]:
        """The name of every draft."""
        with sqlite.translated(self.path):
            return [id for (id,) in self._database.execute("SELECT id FROM drafts ORDER BY created_at, id")]

    def find(self, id: str) -> Draft | None:
        """One draft; None: there is none of this id."""
        with sqlite.translated(self.path):
            row = self._database.execute(f"SELECT {_COLUMNS} FROM drafts WHERE id = ?", (id,)).fetchone()  # noqa: S608
        return None if row is None else _draft(row)

    def count_open(self) -> int:
        """How many are open."""
        with sqlite.translated(self.path):
            return int(self._database.execute("SELECT count(*) FROM drafts WHERE number IS NULL").fetchone()[0])

    def add(self, draft: Draft) -> None:
        """Write a new draft."""
        with sqlite.transaction(self._database, self.path) as database:
            marks = ", ".join("?" * len(_values(draft)))
            database.execute(f"INSERT INTO drafts ({_COLUMNS}) VALUES ({marks})", _values(draft))  # noqa: S608

    def put(self, draft: Draft) -> Draft | None:
        """Write a changed draft over the version that it was read in; None: that is not its version any more.

        Of those that were published only the newest are kept.
        """
        changed = replace(draft, version=draft.version + 1)
        with sqlite.transaction(self._database, self.path) as database:
            done = database.execute(
                "UPDATE drafts SET version = ?, title = ?, changed_by = ?, changed_at = ?, base = ?, files = ?,"
                " number = ?, published_by = ?, published_at = ? WHERE id = ? AND version = ?",
                (
                    changed.version, draft.title, draft.changed_by, draft.changed_at, draft.base,
                    dumps(dict(draft.files)), *(draft.published or (None, None, None)), draft.id, draft.version,
                ),
            )  # fmt: skip
            if done.rowcount and draft.published is not None:
                database.execute(
                    "DELETE FROM drafts WHERE id IN (SELECT id FROM drafts WHERE number IS NOT NULL AND id <> ?"
                    " ORDER BY number DESC, published_at DESC LIMIT -1 OFFSET ?)",
                    (draft.id, KEPT - 1),
                )
        return changed if done.rowcount else None

    def drop(self, draft: Draft) -> bool:
        """Throw a draft away; false: it was changed since it was read."""
        with sqlite.transaction(self._database, self.path) as database:
            sql = "DELETE FROM drafts WHERE id = ? AND version = ?"
            return bool(database.execute(sql, (draft.id, draft.version)).rowcount)

    def __enter__(self) -> Drafts:
        return self

    def __exit__(self, *_: object) -> None:
        self._database.close()


def _values(draft: Draft) -> tuple[Any, ...]:
    return (
        draft.id, draft.title, draft.author, draft.created_at, draft.version, draft.changed_by, draft.changed_at,
        draft.base, dumps(dict(draft.files)), *(draft.published or (None, None, None)),
    )  # fmt: skip


def _heading(row: Any) -> Heading:
    id, title, author, created_at, version, changed_by, changed_at, base, number, by, at = row
    return Heading(
        id=id, title=title, author=author, created_at=created_at, version=version, changed_by=changed_by,
        changed_at=changed_at, base=base, published=None if number is None else Published(number, by, at),
    )  # fmt: skip


def _draft(row: Any) -> Draft:
    id, title, author, created_at, version, changed_by, changed_at, base, files, number, by, at = row
    return Draft(
        id=id, title=title, author=author, created_at=created_at, version=version, changed_by=changed_by,
        changed_at=changed_at, base=base, files=loads(files),
        published=None if number is None else Published(number, by, at),
    )  # fmt: skip
