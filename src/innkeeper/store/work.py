"""Who has which task, and how it ended: `work.db`.

A file of its own: of two colleagues who take the same task one must be refused at once, and neither waits for the
engine, which alone writes the tasks themselves (`store/tasks.py`). What may be done with a task is `runtime/tasks.py`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final, NamedTuple

from innkeeper.kernel.json import dumps
from innkeeper.kernel.time import Instant
from innkeeper.store import sqlite
from innkeeper.store.private import open_private

FILE: Final = "work.db"


class Handling(NamedTuple):
    """What people did with one task; nothing yet, where it has only its name."""

    task: str
    assignee: str | None = None
    claimed_at: Instant | None = None
    outcome: str = ""
    note: str = ""
    done_by: str | None = None
    done_at: Instant | None = None


class Work:
    """What people did with the tasks of one home, for the time of one call."""

    def __init__(self, path: Path, database: sqlite3.Connection) -> None:
        self.path, self._database = path, database

    @classmethod
    def open(cls, home: Path) -> Work:
        """That of a home; the file is made where there is none yet, for its owner's eyes alone.

        Raises:
            OperationFailed: The store is damaged, newer, or not ours to use.
        """
        return cls(home / FILE, open_private(home / FILE, "work"))

    def of(self, tasks: Iterable[str]) -> dict[str, Handling]:
        """Those of these tasks that somebody did something with."""
        with sqlite.translated(self.path):
            rows = self._database.execute(
                "SELECT task, assignee, claimed_at, outcome, note, done_by, done_at FROM work"
                " WHERE task IN (SELECT value FROM json_each(?))",
                (dumps(list(tasks)),),
            ).fetchall()
        return {row[0]: Handling(*row) for row in rows}

    def claim(self, task: str, who: str, at: Instant) -> bool:
        """Give a task to somebody; false: somebody else has it, or it is done."""
        return self._write(
            "INSERT INTO work (task, assignee, claimed_at) VALUES (?1, ?2, ?3) ON CONFLICT (task) DO UPDATE"
            " SET assignee = ?2, claimed_at = iif(assignee = ?2, claimed_at, ?3)"
            " WHERE done_at IS NULL AND (assignee IS NULL OR assignee = ?2)",
            (task, who, at),
        )

    def assign(self, task: str, who: str | None, at: Instant) -> bool:
        """Give a task to somebody, or to nobody, whoever has it; false: it is done."""
        return self._write(
            "INSERT INTO work (task, assignee, claimed_at) VALUES (?1, ?2, ?3)"
            " ON CONFLICT (task) DO UPDATE SET assignee = ?2, claimed_at = ?3 WHERE done_at IS NULL",
            (task, who, None if who is None else at),
        )

    def end(
        self, task: str, who: str, outcome: str, note: str, at: Instant, *, first: Callable[[], object] = lambda: None
    ) -> bool:
        """Write down how a task ended, after *first*, which nobody else does meanwhile; false: it is done already."""
        return self._write(
            "INSERT INTO work (task, outcome, note, done_by, done_at) VALUES (?1, ?2, ?3, ?4, ?5)"
            " ON CONFLICT (task) DO UPDATE SET outcome = ?2, note = ?3, done_by = ?4, done_at = ?5"
            " WHERE done_at IS NULL",
            (task, outcome, note, who, at),
            first,
        )

    def _write(
        self, sql: str, parameters: tuple[object, ...], before_it_holds: Callable[[], object] = lambda: None
    ) -> bool:
        with sqlite.transaction(self._database, self.path) as database:
            done = bool(database.execute(sql, parameters).rowcount)
            if done:
                before_it_holds()
        return done

    def __enter__(self) -> Work:
        return self

    def __exit__(self, *_: object) -> None:
        self._database.close()
