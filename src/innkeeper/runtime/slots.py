"""The threads that send: so many at a time, where one that waits long for its answer makes room for another.

They go on while the engine does something else; what they write is the caller's matter (`deliver.py`).
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

from innkeeper.store.ledger import Row

#: Rows under way at most, those that wait long included. More than that wait for their turn.
MOST_UNDER_WAY: Final = 64
#: How often it is asked who waits long and who is to be given up.
_LOOK_SECONDS: Final = 0.05


class _UnderWay(NamedTuple):
    row: Row
    since: float


class Slots:
    """Sends rows.

    Args:
        send: Sends one row, in whichever thread it is called.
        most: At a time, besides those that wait long.
        slow_seconds: Who takes longer than this waits long.
        lease_seconds: Who takes longer than this is given up; its thread may be stuck for ever.
    """

    def __init__(
        self, send: Callable[[Row], None], most: int, *, slow_seconds: float, lease_seconds: float
    ) -> None:  # fmt: skip
        self._send, self._most = send, most
        self._slow_seconds, self._lease_seconds = slow_seconds, lease_seconds
        self._waiting: deque[Row] = deque()
        self._under_way: dict[tuple[str, int], _UnderWay] = {}
        self._error: BaseException | None = None
        self._changed = threading.Condition()

    @property
    def waiting(self) -> int:
        """Rows that have not begun."""
        return len(self._waiting)

    @property
    def under_way(self) -> int:
        """Rows that have begun."""
        return len(self._under_way)

    @property
    def is_busy(self) -> bool:
        """Whether somebody is under way who has not waited long, or could be."""
        with self._changed:
            now = time.monotonic()
            return self._busy(now) > 0 or (bool(self._waiting) and self._has_room(now))

    def add(self, rows: Iterable[Row]) -> None:
        """Rows to send."""
        self._waiting.extend(rows)

    def take_back(self) -> list[Row]:
        """The rows that have not begun; they no longer will."""
        with self._changed:
            rows = list(self._waiting)
            self._waiting.clear()
        return rows

    def take_error(self) -> BaseException | None:
        """What `send` raised since the last call; after it no row begins until it is taken."""
        error, self._error = self._error, None
        return error

    def work(self, seconds: float | None, *, wait_for_slow: bool = False) -> list[Row]:
        """Send until nobody waits and nobody is under way but those that wait long; the rows that were given up.

        Args:
            seconds: No longer than this; None: as long as it takes.
            wait_for_slow: Also until one of those that wait long has ended.
        """
        if seconds is None and len(self._waiting) == 1 and not self._under_way:
            self._run(self._begin())  # Mostly there is one, and no thread is needed.
            return []
        given_up: list[Row] = []
        begun = time.monotonic()
        with self._changed:
            while True:
                now = time.monotonic()
                given_up += self._give_up(now)
                while self._waiting and self._has_room(now):
                    threading.Thread(target=self._run, args=(self._begin(),), name="slot", daemon=True).start()
                idle = not self._busy(now) and (not self._waiting or self._error is not None or not self._has_room(now))
                if idle and not (wait_for_slow and self._under_way and not given_up):
                    return given_up
                if seconds is not None and now - begun >= seconds:
                    return given_up
                before = len(self._under_way)
                self._changed.wait(_LOOK_SECONDS)
                wait_for_slow = wait_for_slow and len(self._under_way) >= before

    def _begin(self) -> Row:
        row = self._waiting.popleft()
        self._under_way[row.id, row.attempts] = _UnderWay(row, time.monotonic())
        return row

    def _run(self, row: Row | None) -> None:
        """One slot: row after row, until there are none or others have taken its place."""
        while row is not None:
            try:
                self._send(row)
            except BaseException as error:  # noqa: BLE001 - handed to the thread that waits, which raises it
                self._error = self._error or error
            with self._changed:
                known = self._under_way.pop((row.id, row.attempts), None)
                row = self._begin() if known and self._waiting and self._has_room(time.monotonic()) else None
                if row is None:
                    self._changed.notify_all()

    def _busy(self, now: float) -> int:
        return sum(now - each.since < self._slow_seconds for each in self._under_way.values())

    def _has_room(self, now: float) -> bool:
        return self._error is None and self._busy(now) < self._most and len(self._under_way) < MOST_UNDER_WAY

    def _give_up(self, now: float) -> list[Row]:
        late = [key for key, each in self._under_way.items() if now - each.since >= self._lease_seconds]
        return [self._under_way.pop(key).row for key in late]
