"""Files that were sent to be imported, and what became of them: `imports.db`.

A file of its own, for the door writes it while the engine has `state.db` to itself. What the files hold lies beside it
until it is in the log (`runtime/import_jobs.py`).
"""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

from innkeeper.kernel.errors import UsageError
from innkeeper.kernel.json import dumps, loads
from innkeeper.kernel.time import Instant
from innkeeper.store import sqlite
from innkeeper.store.private import open_private

FILE: Final = "imports.db"
#: How many are remembered after their end.
KEPT: Final = 1_000

Standing = Literal["waiting", "running", "cancelling", "done", "failed", "cancelled"]
OPEN: Final = frozenset({"waiting", "running", "cancelling"})

_COLUMNS: Final = (
    "id, created_at, actor, name, source, mapping, size, state, begun, began_at, ended_at, read, events, accepted, "
    "duplicates, rejected, skipped, done, seconds, rejects, error"
)
_OPEN: Final = "state IN ('waiting', 'running', 'cancelling')"


class Counts(NamedTuple):
    """How far an import has come; *done*: bytes of its file."""

    read: int = 0
    events: int = 0
    accepted: int = 0
    duplicates: int = 0
    rejected: int = 0
    skipped: int = 0
    done: int = 0
    seconds: float = 0.0


class Import(NamedTuple):
    """One file as it is kept; what the columns mean is in `imports_0001.sql`."""

    id: int
    created_at: Instant
    actor: str
    name: str
    source: str
    mapping: str | None
    size: int
    state: Standing
    begun: int
    began_at: Instant | None
    ended_at: Instant | None
    counts: Counts
    rejects: str | None
    error: dict[str, Any] | None


class ImportTable:
    """The imports of one home; threads use it one at a time."""

    def __init__(self, path: Path, database: sqlite3.Connection) -> None:
        self.path, self._database, self._mutex = path, database, threading.RLock()

    @classmethod
    def open(cls, home: Path) -> ImportTable:
        """The file of a home; made where there is none yet, for its owner's eyes alone.

        Raises:
            OperationFailed: The store is damaged, newer, or not ours to use.
        """
        path = home / FILE
        return cls(path, open_private(path, "imports"))

    def add(self, at: Instant, actor: str, name: str, source: str, mapping: str | None, size: int) -> int:
        """Write down a file that waits; its number. Of those that have ended only the newest are kept."""
        with self._mutex, sqlite.transaction(self._database, self.path) as database:
            number = database.execute(
                "INSERT INTO imports (created_at, actor, name, source, mapping, size) VALUES (?, ?, ?, ?, ?, ?)",
                (at, actor, name, source, mapping, size),
            ).lastrowid
            assert number is not None
            database.execute(f"DELETE FROM imports WHERE id <= ? AND NOT {_OPEN}", (number - KEPT,))  # noqa: S608
        return number

    def get(self, number: int) -> Import:
        """One import.

        Raises:
            UsageError: There is none of this number.
        """
        found = self._rows("id = ?", "id", number)
        if not found:
            fix = "see GET /api/v1/imports"
            raise UsageError(f"there is no import '{number}'", code="unknown-import", fix=fix)
        return found[0]

    def newest(self, before: int, limit: int) -> list[Import]:
        """Imports before a number, the newest first."""
        return self._rows("id < ?", "id DESC LIMIT ?", before, limit)

    def open_ones(self) -> list[Import]:
        """What has not ended, in the order in which it came."""
        return self._rows(_OPEN, "id")

    def begin(self, number: int, at: Instant) -> None:
        """An import begins."""
        self._change("state = 'running', begun = begun + 1, began_at = ?", number, at)

    def put_back(self, number: int) -> None:
        """It was stopped with the door, and waits again."""
        self._change("state = 'waiting', begun = begun - 1", number)

    def cancelling(self, number: int) -> None:
        """It is to end as soon as it can."""
        self._change("state = 'cancelling'", number)

    def refusing(self, number: int, rejects: str) -> None:
        """Some line was refused, and stands in this file."""
        self._change("rejects = ?", number, rejects)

    def end(
        self, number: int, state: Standing, at: Instant, counts: Counts, error: dict[str, Any] | None = None
    ) -> None:
        """An import has ended."""
        names = ", ".join(f"{name} = ?" for name in Counts._fields)
        told = None if error is None else dumps(error)
        self._change(f"state = ?, ended_at = ?, error = ?, {names}", number, state, at, told, *counts)

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def _rows(self, where: str, order: str, *values: Any) -> list[Import]:
        sql = f"SELECT {_COLUMNS} FROM imports WHERE {where} ORDER BY {order}"  # noqa: S608
        with self._mutex, sqlite.translated(self.path):
            rows = self._database.execute(sql, values).fetchall()
        return [_import(row) for row in rows]

    def _change(self, what: str, number: int, *values: Any) -> None:
        with self._mutex, sqlite.transaction(self._database, self.path) as database:
            database.execute(f"UPDATE imports SET {what} WHERE id = ?", (*values, number))  # noqa: S608


def _import(row: tuple[Any, ...]) -> Import:
    *whole, rejects, error = row
    return Import._make([*whole[:11], Counts(*whole[11:]), rejects, None if error is None else loads(error)])
