"""The event stream: what happens, as it comes into the log, to whoever watches; resumed from any place of it.

A watcher has no queue: it reads the log from its own place, a page at a time, and the next page when the last one was
taken. One that reads slowly costs nothing but its connection. What is told is `outward.py`; the address is
`web/stream.py`.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final, NamedTuple

from innkeeper.events.types import Event
from innkeeper.runtime.debugger import TooManyWatchers
from innkeeper.runtime.outward import Selection, notice
from innkeeper.store.log import Log

#: Who may watch at a time: altogether, and one user.
MOST_WATCHERS: Final = 20
MOST_OF_ONE: Final = 5
_PAGE: Final = 500
_LOOK_SECONDS: Final = 0.25


class Told(NamedTuple):
    """One event of the stream: its place, its name, and its notice."""

    seq: int
    name: str
    notice: dict[str, Any]


class EventStream:
    """What the watchers of one door share; used from its event loop alone."""

    def __init__(self, home: Path) -> None:
        self._log = Log.open(home, read_only=True)
        self._watching: Counter[str] = Counter()

    def watch(self, who: str, selection: Selection, after: int | None) -> Watching:
        """Watch from behind a place, or from now on; `close` it.

        Args:
            who: The user whose token opened it.
            selection: What is wanted.
            after: The last place that is known; None: what comes from now on.

        Raises:
            TooManyWatchers: There is no room for one more.
        """
        if self._watching.total() >= MOST_WATCHERS or self._watching[who] >= MOST_OF_ONE:
            raise TooManyWatchers
        watching = Watching(self, who, selection, self._log.last_seq() if after is None else after)
        self._watching[who] += 1
        return watching

    async def page(self, after: int) -> list[Event]:
        """The next events of the log; none at its end."""
        return await asyncio.to_thread(self._read, after)

    def _read(self, after: int) -> list[Event]:
        return self._log.read(after, _PAGE) if after < self._log.last_seq() else []

    def leave(self, who: str) -> None:
        """One watches no more."""
        self._watching[who] -= 1

    def close(self) -> None:
        """Close the log."""
        self._log.close()


class Watching:
    """One watcher's place in the log."""

    def __init__(self, stream: EventStream, who: str, selection: Selection, after: int) -> None:
        self._stream, self._who, self._after = stream, who, after
        self._include, self._wanted = selection.include, selection.matcher()
        self._open = True

    async def events(self, patience_seconds: float) -> AsyncIterator[Told | None]:
        """What is wanted, in the order of the log; None when nothing came for so long."""
        loop = asyncio.get_running_loop()
        quiet_since = loop.time()
        while True:
            page = await self._stream.page(self._after)
            for event in page:
                self._after = event.seq
                if self._wanted(event):
                    yield Told(event.seq, event.name, notice(event, self._include))
                    quiet_since = loop.time()
            if loop.time() - quiet_since > patience_seconds:
                yield None
                quiet_since = loop.time()
            if not page:
                await asyncio.sleep(_LOOK_SECONDS)

    def close(self) -> None:
        """Watch no more."""
        if self._open:
            self._open = False
            self._stream.leave(self._who)

    def __del__(self) -> None:
        """A watcher that left before its answer began is dropped without a `close`."""
        self.close()
