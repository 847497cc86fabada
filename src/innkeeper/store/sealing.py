"""The seal beside the appends, in a thread or a process of its own: a writer of the log does not wait for it."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path
from typing import Final

from innkeeper.kernel.errors import InnkeeperError
from innkeeper.store.seal_process import seal, seal_apart
from innkeeper.store.segments import Sizes

#: A writer that is so many seals ahead waits for the one that is under way.
_AHEAD: Final = 5
_RETRY_SECONDS: Final = 60.0


class BackgroundSeal:
    """Starts a seal when the tail is long; at most one at a time.

    A seal that fails is logged and kept in `error`; nothing is lost by it and appends go on. It is tried again after a
    minute, or when the tail has grown by as much again.

    Attributes:
        error: Why the last seal failed; None when it did not.
        begin_at: How long the tail is when a seal begins beside the appends.
    """

    def __init__(self, home: Path, sizes: Sizes, *, apart: bool = False) -> None:
        """*apart*: what begins beside the appends is done by a process of its own, whose memory ends with it."""
        self.home, self.sizes = home, sizes
        self._beside = seal_apart if apart else seal
        self.error: InnkeeperError | None = None
        self.begin_at = sizes.seal_rows
        self._mutex = threading.Lock()
        self._thread: threading.Thread | None = None
        self._tail_rows = 0
        self._retry_rows = 0
        self._retry_at = 0.0

    def tail_is(self, rows: int) -> None:
        """Tell how long the tail is."""
        with self._mutex:
            self._tail_rows = rows

    def is_due(self, *, old: bool = False) -> bool:
        """Whether the tail is long (or *old*), and no seal of it has just failed."""
        with self._mutex:
            return self._is_due(old)

    def _is_due(self, old: bool) -> bool:
        if not old and self._tail_rows < self.begin_at:
            return False
        return self.error is None or self._tail_rows >= self._retry_rows or time.monotonic() >= self._retry_at

    def start(self, least: int) -> bool:
        """Start a seal of a tail of at least *least* rows, unless one is under way; whether one was."""
        with self._mutex:
            running = self._thread is not None and self._thread.is_alive()
            if not running:
                self._thread = threading.Thread(target=self._run, args=(least,), name="seal")
                self._thread.start()
            return running

    def grown(self, rows: int) -> None:
        """Tell that rows were appended; may start a seal, or wait for one that is far behind."""
        with self._mutex:
            self._tail_rows += rows
            due, far_ahead = self._is_due(old=False), self._tail_rows > _AHEAD * self.begin_at
        if due and self.start(self.begin_at) and far_ahead:
            self.join()

    def join(self) -> None:
        """Wait for the seal that is under way."""
        thread = self._thread
        if thread is not None:
            thread.join()

    def seal_now(self, least: int) -> int:
        """Seal in this thread while the tail holds at least *least* rows, and merge; rows sealed."""
        self.join()
        sealed = seal(self.home, self.sizes, least=least, merge=True, threads=None)
        self._ended(sealed, None)
        return sealed

    def _run(self, least: int) -> None:
        # One core is for whoever appends.
        beside = max(1, len(os.sched_getaffinity(0)) - 1)
        try:
            # While a large import goes on, segments are as large as its lead; merging them would slow it down.
            sealed = self._beside(self.home, self.sizes, least=least, merge=False, threads=beside)
            with self._mutex:
                behind = self._tail_rows - sealed >= self.sizes.seal_rows // 2
            if not behind:
                self._beside(self.home, self.sizes, least=self.sizes.seal_rows, merge=True, threads=beside)
            self._ended(sealed, None)
        except InnkeeperError as error:
            _report(error)
            self._ended(0, error)

    def _ended(self, sealed: int, error: InnkeeperError | None) -> None:
        with self._mutex:
            self.error = error
            self._tail_rows -= sealed
            self._retry_rows = self._tail_rows + self.sizes.seal_rows
            self._retry_at = time.monotonic() + _RETRY_SECONDS


def _report(error: InnkeeperError) -> None:
    # Imported here: it takes longer than the rest of the store together, and a seal seldom fails.
    import structlog

    # The code and the place; the message may quote what an event holds.
    structlog.get_logger().warning(
        "the tail of the log could not be sealed; it stays", action="log.seal", reason=error.code, where=error.where
    )
