"""The writing half of an import: portions into the log, refusals into the rejects file, and the counts of both.

A portion counts when the log has it on disk. The reading half is `import_read.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from innkeeper.events.types import LogRow
from innkeeper.runtime.import_rejects import Rejects
from innkeeper.runtime.import_sink import Portion

#: Told how much of how much is done.
Progress = Callable[[int, int], None]


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


class Intake:
    """Takes the portions of one file.

    Attributes:
        read, skipped: As in the portions, added up.
        accepted, duplicates: Events, as the log counted them.
        rejects: Takes the refused lines, and counts them.
    """

    def __init__(self, log: LogWriter, rejects: Rejects, progress: Progress) -> None:
        self.read = self.skipped = self.accepted = self.duplicates = 0
        self.rejects, self._log, self._progress = rejects, log, progress

    def take(self, portion: Portion) -> None:
        """One portion; its events are on disk when it returns."""
        if portion.rows:
            done = self._log.append(portion.rows)
            self.accepted += done.accepted
            self.duplicates += done.duplicates
        self.read += portion.read
        self.skipped += portion.skipped
        for line, refusal, text in portion.refused:
            self.rejects.add(line, refusal, text)
        if portion.of:
            self._progress(portion.done, portion.of)
