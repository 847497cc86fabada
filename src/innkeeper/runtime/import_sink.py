"""Where an import's events go: collected into batches, each appended to the log in one durable transaction.

The readers (`import_lines.py`, `import_table.py`) put rows and refusals in; `imports.py` asks for the counts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from innkeeper.events.limits import Refusal
from innkeeper.events.types import LogRow
from innkeeper.runtime.import_rejects import Rejects

#: How many rows, and about how many characters of JSON, go into one transaction.
BATCH_ROWS = 5_000
BATCH_SIZE = 8 * 1024 * 1024


class Appended(Protocol):
    """What the log says about a batch."""

    @property
    def accepted(self) -> int:
        """Rows that are new."""

    @property
    def duplicates(self) -> int:
        """Rows that were there before."""


class LogWriter(Protocol):
    """The part of the log that an import needs."""

    def append(self, rows: Sequence[LogRow]) -> Appended:
        """Put rows on disk; returns when they are there."""


class Sink:
    """Takes rows and refusals.

    Attributes:
        read: Lines of the file that were read, the refused ones too.
        accepted, duplicates: Events, as the log counted them.
        skipped: Lines that the mapping's `where` left out.
        rejects: The refused lines.
        progress: Told how far the reading has come, in the reader's own unit.
    """

    def __init__(self, log: LogWriter, rejects: Rejects, progress: Callable[[int], None]) -> None:
        self.read = self.accepted = self.duplicates = self.skipped = 0
        self.rejects, self.progress = rejects, progress
        self._log = log
        self._rows: list[LogRow] = []
        self._size = 0

    def take(self, row: LogRow) -> None:
        """One event, on disk after the next `flush` at the latest."""
        self._rows.append(row)
        self._size += len(row.properties)
        if len(self._rows) >= BATCH_ROWS or self._size >= BATCH_SIZE:
            self.flush()

    def take_all(self, rows: list[LogRow]) -> None:
        """One batch of events."""
        self._rows += rows
        self._size += sum(len(row.properties) for row in rows)
        if len(self._rows) >= BATCH_ROWS or self._size >= BATCH_SIZE:
            self.flush()

    def refuse(self, line: int, refusal: Refusal, text: str) -> None:
        """One line that is not taken."""
        self.rejects.add(line, refusal, text)

    def flush(self) -> None:
        """Append what was collected."""
        rows, self._rows, self._size = self._rows, [], 0
        if rows:
            done = self._log.append(rows)
            self.accepted += done.accepted
            self.duplicates += done.duplicates
