"""The one writer of the log behind the door: requests wait in a bounded queue, one thread commits many at once.

What returns is on disk. While a commit runs, the next requests gather; so the longer a disk takes, the more go into one
commit. A full queue refuses at once: memory does not grow with the load.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from innkeeper.events.types import LogRow
from innkeeper.kernel.errors import InnkeeperError

#: What may wait: as much as one or two seconds of writing.
_MOST_ROWS: Final = 20_000
_MOST_BYTES: Final = 32 * 1024 * 1024
#: What goes into one commit at most.
_COMMIT_ROWS: Final = 5_000
#: What a row takes besides its texts.
_ROW_BYTES: Final = 400
_NONE: Final[frozenset[int]] = frozenset()


class Appended(Protocol):
    """What the log says about a batch."""

    @property
    def repeated(self) -> frozenset[int]:
        """Which rows were there before."""


class LogWriter(Protocol):
    """The part of the log that the door needs."""

    def append(self, rows: Sequence[LogRow]) -> Appended:
        """Put rows on disk; returns when they are there."""


class Full(Exception):
    """The queue has no room; try again later."""


@dataclass(slots=True)
class _Waiting:
    rows: Sequence[LogRow]
    size: int
    loop: asyncio.AbstractEventLoop
    done: asyncio.Future[frozenset[int]]


class Writer:
    """Writes rows that requests bring; `start` it, `stop` it when no more come."""

    def __init__(self, log: LogWriter, *, most_rows: int = _MOST_ROWS, most_bytes: int = _MOST_BYTES) -> None:
        self._log, self._most_rows, self._most_bytes = log, most_rows, most_bytes
        self._queue: deque[_Waiting] = deque()
        self._rows = self._bytes = 0
        self._wake = threading.Condition()
        self._stopping = False
        #: Commits since the start, the seconds of all of them and of the longest.
        self.commits, self.commit_seconds, self.longest_seconds = 0, 0.0, 0.0
        self._thread = threading.Thread(target=self._run, name="writer", daemon=True)

    @property
    def waiting(self) -> tuple[int, int]:
        """Rows that wait, and their bytes."""
        return self._rows, self._bytes

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def stop(self) -> None:
        """Write what waits, and end."""
        with self._wake:
            self._stopping = True
            self._wake.notify()
        if self._thread.is_alive():
            self._thread.join()

    async def write(self, rows: Sequence[LogRow]) -> frozenset[int]:
        """Put rows on disk; which of them were there before.

        Raises:
            Full: There is no room to wait in.
            InnkeeperError: They could not be written.
        """
        loop = asyncio.get_running_loop()
        size = sum(len(row.properties) + len(row.traits) + len(row.context) + len(row.extra) for row in rows)
        waiting = _Waiting(rows, size + _ROW_BYTES * len(rows), loop, loop.create_future())
        with self._wake:
            if self._stopping or (
                self._queue and (self._rows + len(rows) > self._most_rows or self._bytes + size > self._most_bytes)
            ):
                raise Full
            self._queue.append(waiting)
            self._rows += len(rows)
            self._bytes += waiting.size
            self._wake.notify()
        return await waiting.done

    def _run(self) -> None:
        while group := self._next():
            rows = [row for each in group for row in each.rows]
            begin = time.perf_counter()
            try:
                repeated = self._log.append(rows).repeated
            except InnkeeperError as error:
                _tell([(each, error) for each in group])
                continue
            finally:
                self._committed(time.perf_counter() - begin)
            answers: list[tuple[_Waiting, frozenset[int] | InnkeeperError]] = []
            first = 0
            for each in group:
                last = first + len(each.rows)
                own = (place - first for place in repeated if first <= place < last)
                answers.append((each, frozenset(own) if repeated else _NONE))
                first = last
            _tell(answers)

    def _committed(self, seconds: float) -> None:
        self.commits += 1
        self.commit_seconds += seconds
        self.longest_seconds = max(self.longest_seconds, seconds)

    def _next(self) -> list[_Waiting]:
        """What is committed next; none when all is written and no more comes."""
        with self._wake:
            while not self._queue and not self._stopping:
                self._wake.wait()
            group: list[_Waiting] = []
            rows = 0
            while self._queue and (not group or rows + len(self._queue[0].rows) <= _COMMIT_ROWS):
                group.append(self._queue.popleft())
                rows += len(group[-1].rows)
            self._rows -= rows
            self._bytes -= sum(each.size for each in group)
            return group


def _tell(answers: Sequence[tuple[_Waiting, frozenset[int] | InnkeeperError]]) -> None:
    """Answer all who waited for a commit; each loop is woken once."""
    for loop in {waiting.loop for waiting, _ in answers}:
        # A loop that is closed has nobody left who waits.
        if not loop.is_closed():
            loop.call_soon_threadsafe(_answer, [each for each in answers if each[0].loop is loop])


def _answer(answers: Sequence[tuple[_Waiting, frozenset[int] | InnkeeperError]]) -> None:
    for waiting, answer in answers:
        if waiting.done.done():
            continue
        if isinstance(answer, InnkeeperError):
            waiting.done.set_exception(answer)
        else:
            waiting.done.set_result(answer)
