"""How often a content was seen before in one import, for events without a messageId; bounded memory.

The first million different contents are counted in memory; beyond that the counts move to a scratch database.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

from innkeeper.store.sqlite import translated

#: How many different contents are counted in memory.
IN_MEMORY = 1_000_000


class Occurrences:
    """Counts contents by their digest; *path* is where the counts go when they are too many."""

    def __init__(self, path: Path, *, in_memory: int = IN_MEMORY) -> None:
        self._path, self._in_memory = path, in_memory
        self._counts: dict[bytes, int] = {}
        self._database: sqlite3.Connection | None = None

    def __enter__(self) -> Occurrences:
        return self

    def __exit__(self, *_: object) -> None:
        if self._database is not None:
            self._database.close()

    def next(self, digest: bytes) -> int:
        """How often the content came before: 0 the first time."""
        if self._database is None:
            before = self._counts.get(digest, 0)
            self._counts[digest] = before + 1
            if len(self._counts) > self._in_memory:
                self._spill()
            return before
        with translated(self._path):
            row = self._database.execute(
                "INSERT INTO seen VALUES (?, 1) ON CONFLICT (digest) DO UPDATE SET n = n + 1 RETURNING n", (digest,)
            ).fetchone()
        return int(row[0]) - 1

    def _spill(self) -> None:
        # Scratch: nothing in it outlives the import, so nothing is synced, and one transaction stays open for all.
        with translated(self._path):
            self._database = sqlite3.connect(self._path, isolation_level=None)
            for pragma in ("journal_mode = OFF", "synchronous = OFF", "cache_size = -65536"):
                self._database.execute(f"PRAGMA {pragma}").fetchall()
            self._database.execute("CREATE TABLE seen (digest BLOB PRIMARY KEY, n INTEGER NOT NULL) WITHOUT ROWID")
            self._database.execute("BEGIN")
            self._database.executemany("INSERT INTO seen VALUES (?, ?)", self._counts.items())
        self._counts = {}
