"""Sources, their keys and what became of what they sent: `sources.db`.

A file of its own: a key has to be revocable while the door and the engine hold the other two
(docs/adr/0031-sources-have-a-file-of-their-own.md). Written in short transactions. Keys are here as hashes alone. Who
makes keys and asks for them is `runtime/sources.py`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final, Literal, NamedTuple

from innkeeper.kernel.errors import UsageError, did_you_mean
from innkeeper.kernel.json import dumps, loads
from innkeeper.kernel.time import Instant
from innkeeper.store import sqlite
from innkeeper.store.private import open_private

FILE: Final = "sources.db"
#: public: its key is in pages and apps, for everybody to see. server: its key is a secret.
Kind = Literal["public", "server"]
#: write: send events. watch: see what becomes of them.
Use = Literal["write", "watch"]


class Key(NamedTuple):
    """One key of a source, without the key itself."""

    hash: bytes
    source: str
    use: Use
    hint: str
    created_at: Instant
    until_at: Instant | None


class Known(NamedTuple):
    """One source as it is kept.

    *user_tokens*: how its users' tokens are signed. *webhook*: what it does with webhooks. None: it takes none.
    """

    name: str
    kind: Kind
    created_at: Instant
    user_tokens: dict[str, str] | None
    webhook: dict[str, str] | None = None


class Count(NamedTuple):
    """How often something became of a source's events, and when last."""

    what: str
    number: int
    last_at: Instant


class Sources:
    """The sources of one home."""

    def __init__(self, path: Path, database: sqlite3.Connection) -> None:
        self.path, self._database = path, database

    @classmethod
    def open(cls, home: Path) -> Sources:
        """The sources of a home; the file is made where there is none yet, for its owner's eyes alone.

        Raises:
            OperationFailed: The store is damaged, newer, or not ours to use.
        """
        path = home / FILE
        return cls(path, open_private(path, "sources"))

    def version(self) -> int:
        """A number that changes when another connection has written."""
        with sqlite.translated(self.path):
            return int(self._database.execute("PRAGMA data_version").fetchone()[0])

    def all(self) -> list[Known]:
        """Every source, by name."""
        with sqlite.translated(self.path):
            rows = self._database.execute(
                "SELECT name, kind, created_at, user_tokens, webhook FROM sources ORDER BY name"
            )
            return [Known(*row[:3], *(None if told is None else loads(told) for told in row[3:])) for row in rows]

    def get(self, name: str) -> Known:
        """One source.

        Raises:
            UsageError: There is none of this name.
        """
        found = {each.name: each for each in self.all()}
        if name not in found:
            raise UsageError(
                f"there is no source '{name}'",
                code="unknown-source",
                fix=did_you_mean(name, found) or f"make it: innkeeper source create {name} --kind server",
            )
        return found[name]

    def keys_of(self, source: str | None = None) -> list[Key]:
        """The keys of a source or of all, oldest first."""
        sql = "SELECT hash, source, use, hint, created_at, until_at FROM keys WHERE ? IN (source, '') ORDER BY 5, 4"
        with sqlite.translated(self.path):
            return [Key(*row) for row in self._database.execute(sql, (source or "",))]

    def counts(self, source: str) -> list[Count]:
        """What became of a source's events, the most frequent first."""
        sql = "SELECT what, count, last_at FROM counts WHERE source = ? ORDER BY count DESC, what"
        with sqlite.translated(self.path):
            return [Count(*row) for row in self._database.execute(sql, (source,))]

    def create(self, source: Known, keys: Iterable[Key]) -> None:
        """Write a new source with its keys.

        Raises:
            UsageError: There is one of this name.
        """
        with sqlite.transaction(self._database, self.path) as database:
            if database.execute("SELECT 1 FROM sources WHERE name = ?", (source.name,)).fetchone() is not None:
                raise UsageError(
                    f"there is a source '{source.name}' already",
                    code="source-exists",
                    fix=f"for a new key: innkeeper source rotate {source.name}",
                )
            database.execute(
                "INSERT INTO sources (name, kind, created_at) VALUES (?, ?, ?)",
                (source.name, source.kind, source.created_at),
            )
            self._add(keys)

    def rotate(self, name: str, fresh: Iterable[Key], ends_at: Instant) -> None:
        """Give a source new keys; those it has go on until *ends_at* at the latest."""
        with sqlite.transaction(self._database, self.path) as database:
            database.execute(
                "UPDATE keys SET until_at = min(coalesce(until_at, ?1), ?1) WHERE source = ?2", (ends_at, name)
            )
            self._add(fresh)

    def revoke(self, name: str, at: Instant) -> int:
        """End every key of a source; how many were in force."""
        with sqlite.transaction(self._database, self.path) as database:
            sql = "UPDATE keys SET until_at = ?1 WHERE source = ?2 AND (until_at IS NULL OR until_at > ?1)"
            return int(database.execute(sql, (at, name)).rowcount)

    def set_user_tokens(self, name: str, rule: Mapping[str, str] | None) -> None:
        """Say how the tokens of a source's users are signed; None: it takes none."""
        with sqlite.transaction(self._database, self.path) as database:
            told = None if rule is None else dumps(dict(rule))
            database.execute("UPDATE sources SET user_tokens = ? WHERE name = ?", (told, name))

    def set_webhook(self, name: str, rule: Mapping[str, str] | None) -> None:
        """Say what a source does with webhooks; None: it takes none."""
        with sqlite.transaction(self._database, self.path) as database:
            told = None if rule is None else dumps(dict(rule))
            database.execute("UPDATE sources SET webhook = ? WHERE name = ?", (told, name))

    def was_used(self, source: str, once: bytes) -> bool:
        """Whether what must not come twice has come."""
        with sqlite.translated(self.path):
            sql = "SELECT 1 FROM used WHERE source = ? AND once = ?"
            return self._database.execute(sql, (source, once)).fetchone() is not None

    def use(self, source: str, once: bytes, at: Instant, until_at: Instant) -> None:
        """Keep what must not come again before *until_at*; what need not be known any more goes."""
        with sqlite.transaction(self._database, self.path) as database:
            database.execute("DELETE FROM used WHERE until_at < ?", (at,))
            database.execute(
                "INSERT OR IGNORE INTO used (source, once, until_at) VALUES (?, ?, ?)", (source, once, until_at)
            )

    def count(self, counted: Mapping[tuple[str, str], tuple[int, Instant]]) -> None:
        """Add to the counts: (source, what) to how many and when last."""
        with sqlite.transaction(self._database, self.path) as database:
            database.executemany(
                "INSERT INTO counts (source, what, count, last_at) VALUES (?, ?, ?, ?) ON CONFLICT (source, what)"
                " DO UPDATE SET count = count + excluded.count, last_at = max(last_at, excluded.last_at)",
                [(*key, *added) for key, added in counted.items()],
            )

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def __enter__(self) -> Sources:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _add(self, keys: Iterable[Key]) -> None:
        self._database.executemany(
            "INSERT INTO keys (hash, source, use, hint, created_at, until_at) VALUES (?, ?, ?, ?, ?, ?)", list(keys)
        )
