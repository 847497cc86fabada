"""One import beside events that come live: read by a process of its own, written by the door's writer, ended at once.

Its events go into the same queue as everybody's, in small portions and one at a time: whoever sends live waits for one
of them at most, and where the queue is full it is the import that waits.
"""

from __future__ import annotations

import asyncio
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from innkeeper.events.types import LogRow
from innkeeper.kernel.errors import OperationFailed
from innkeeper.kernel.time import Clock
from innkeeper.runtime.import_intake import Intake
from innkeeper.runtime.import_process import read_elsewhere
from innkeeper.runtime.import_read import Job
from innkeeper.runtime.import_sink import Portion
from innkeeper.runtime.imports import Order, import_into, mapping_of
from innkeeper.runtime.writer import Full, Writer
from innkeeper.store.imports import Counts

#: How many rows the writer gets at once.
TOGETHER: Final = 500
_PAUSE_SECONDS: Final = 0.05


class Halted(Exception):
    """The import was told to end."""


@dataclass(frozen=True, slots=True)
class _Appended:
    """What the log said about a portion."""

    accepted: int
    duplicates: int


class Beside:
    """One import; `run` it in one thread, `halt` and `counts` from any."""

    def __init__(
        self, order: Order, writer: Writer, *, size: int, room: Callable[[], int], refusing: Callable[[str], None]
    ) -> None:
        """An import that has not begun.

        Args:
            order: What to import.
            writer: The door's.
            size: Of the file, in bytes.
            room: How many bytes more it may write to the disk.
            refusing: Told the name of the file of refused lines, as soon as there is one.
        """
        self._order, self._writer, self._size, self._room, self._refusing = order, writer, size, room, refusing
        self._rejects: str | None = None
        self._halt, self._mutex = threading.Event(), threading.Lock()
        self._reader: subprocess.Popen[bytes] | None = None
        self._intake: Intake | None = None
        self._runner: asyncio.Runner | None = None
        self._began, self._done = time.monotonic(), 0

    def run(self, home: Path, clock: Clock) -> None:
        """Put the file into the log.

        Raises:
            Halted: It was told to end before.
            InnkeeperError: As `import_into`.
        """
        try:
            with asyncio.Runner() as self._runner:
                import_into(
                    self, home, self._order, mapping_of(self._order), progress=self._come, clock=clock,
                    read=self._read, begun=self._counted_by,
                )  # fmt: skip
        except OperationFailed as error:
            if self._halt.is_set():
                raise Halted from error
            raise
        finally:
            self._look_at_rejects()
        self._done = self._size

    def halt(self) -> None:
        """End it: `run` raises."""
        with self._mutex:
            self._halt.set()
            if self._reader is not None:
                self._reader.kill()

    def counts(self) -> Counts:
        """How far it has come."""
        seconds = round(time.monotonic() - self._began, 3)
        intake = self._intake
        if intake is None:
            return Counts(seconds=seconds)
        return Counts(
            read=intake.read, events=intake.accepted + intake.duplicates, accepted=intake.accepted,
            duplicates=intake.duplicates, rejected=intake.rejects.count, skipped=intake.skipped, done=self._done,
            seconds=seconds,
        )  # fmt: skip

    def append(self, rows: Sequence[LogRow]) -> _Appended:
        """Put rows on disk, through the door's writer.

        Raises:
            Halted: The import is to end; some of them may be there.
            InnkeeperError: They could not be written.
        """
        self._allow(sum(len(row.properties) for row in rows))
        known = sum(len(self._written(rows[at : at + TOGETHER])) for at in range(0, len(rows), TOGETHER))
        return _Appended(len(rows) - known, known)

    def _written(self, rows: Sequence[LogRow]) -> frozenset[int]:
        assert self._runner is not None
        while not self._halt.is_set():
            try:
                return self._runner.run(self._writer.write(rows))
            except Full:
                self._halt.wait(_PAUSE_SECONDS)
        raise Halted

    def _read(self, job: Job, put: Callable[[Portion], None]) -> None:
        read_elsewhere(replace(job, room=self._room()), put, begun=self._read_by)

    def _read_by(self, process: subprocess.Popen[bytes]) -> None:
        with self._mutex:
            self._reader = process
            if self._halt.is_set():
                process.kill()

    def _counted_by(self, intake: Intake) -> None:
        self._intake = intake
        intake.rejects.allow = self._allow

    def _allow(self, needed: int) -> int:
        """How many bytes more may be written; what must stay free for the log is not among them."""
        room = self._room()
        if room < needed:
            raise OperationFailed(
                "the disk has no room for the rest of the import: a part of it stays free for the log",
                code="disk-full",
                fix="make room on the disk (df -h), then import it again: what was accepted counts as a duplicate",
            )
        return room

    def _come(self, done: int, of: int) -> None:
        self._done = max(self._done, self._size * min(done, of) // of)
        self._look_at_rejects()

    def _look_at_rejects(self) -> None:
        path = None if self._intake is None else self._intake.rejects.path
        if path is not None and self._rejects is None:
            self._rejects = path.name
            self._refusing(path.name)
