"""The seal in a thread of its own, so that a writer of the log does not wait for it."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Final

from innkeeper.kernel.errors import InnkeeperError
from innkeeper.store import sqlite
from innkeeper.store.segments import Sealer, Sizes

#: A writer that is so many times `seal_rows` ahead of the seal waits for it.
_AHEAD: Final = 5


class BackgroundSeal:
    """Starts a seal when the tail is long; at most one at a time.

    A seal that fails is logged and kept in `error`; nothing is lost by it, appends go on, it is tried again when the
    tail has grown by as much again.
    """

    def __init__(self, home: Path, path: Path, sizes: Sizes) -> None:
        self.home, self.path, self.sizes = home, path, sizes
        self.error: InnkeeperError | None = None
        self._mutex = threading.Lock()
        self._thread: threading.Thread | None = None
        self._tail_rows = 0
        self._start_at = sizes.seal_rows

    def tail_is(self, rows: int) -> None:
        """Tell how long the tail is."""
        with self._mutex:
            self._tail_rows = rows

    def grown(self, rows: int) -> None:
        """Tell that rows were appended; may start a seal, or wait for one that is far behind."""
        with self._mutex:
            self._tail_rows += rows
            running = self._thread is not None and self._thread.is_alive()
            if not running and self._tail_rows >= self._start_at:
                self._thread = threading.Thread(target=self._run, name="seal")
                self._thread.start()
            far_ahead = running and self._tail_rows > _AHEAD * self.sizes.seal_rows
        if far_ahead:
            self.join()

    def join(self) -> None:
        """Wait for the seal that is under way."""
        thread = self._thread
        if thread is not None:
            thread.join()

    def _behind(self, sealed: int) -> bool:
        with self._mutex:
            return self._tail_rows - sealed >= self.sizes.seal_rows // 2

    def _run(self) -> None:
        sealed = 0
        error: InnkeeperError | None = None
        try:
            database = sqlite.connect(self.path)
            try:
                sealer = Sealer(self.home, database, self.sizes)
                sealed = sealer.seal(least=self.sizes.seal_rows)
                # While a large import goes on, segments are as large as its lead; merging them would slow it down.
                if not self._behind(sealed):
                    sealer.compact()
            finally:
                database.close()
        except InnkeeperError as caught:
            error = caught
            _report(caught)
        with self._mutex:
            self.error = error
            self._tail_rows -= sealed
            self._start_at = self.sizes.seal_rows + (0 if error is None else self._tail_rows)


def _report(error: InnkeeperError) -> None:
    # Imported here: it takes longer than the rest of the store together, and a seal seldom fails.
    import structlog

    structlog.get_logger().warning(
        "the tail of the log could not be sealed; it stays", action="log.seal", code=error.code, error=str(error)
    )
