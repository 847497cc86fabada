"""The event debugger: the last events of each source with what became of them, and whoever watches as they come.

In memory of the door alone, so it is empty after a start; what was taken is in the log, what was refused is counted in
`sources.db`. Texts are cut: what is kept does not grow with what is sent.
"""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress
from typing import Any, Final, Literal

import msgspec

from innkeeper.events.limits import Refusal
from innkeeper.events.lookalikes import CODE, Alike
from innkeeper.events.types import LogRow
from innkeeper.kernel.json import dumps
from innkeeper.kernel.time import Instant, format_instant

KEPT: Final = 1_000
#: Who may watch one source at a time; what waits for one that reads slowly.
MOST_WATCHERS: Final = 5
_BACKLOG: Final = 2_000
_LONGEST: Final = 200

Became = Literal["accepted", "duplicate", "refused", "ignored"]


class Seen(msgspec.Struct, frozen=True, gc=False):
    """One event as the debugger keeps it."""

    at: Instant
    became: Became
    type: str = ""
    event: str = ""
    message_id: str = ""
    user_id: str = ""
    anonymous_id: str = ""
    timestamp: Instant = 0
    code: str = ""
    reason: str = ""
    fix: str = ""
    sent: str = ""

    def as_dict(self) -> dict[str, Any]:
        """The JSON form, without what is empty."""
        told = {
            "receivedAt": format_instant(self.at), "became": self.became, "type": self.type, "event": self.event,
            "messageId": self.message_id, "userId": self.user_id, "anonymousId": self.anonymous_id,
            "timestamp": format_instant(self.timestamp) if self.type else "",
            "code": self.code, "reason": self.reason, "fix": self.fix, "sent": self.sent,
        }  # fmt: skip
        return {key: value for key, value in told.items() if value}


def taken(at: Instant, row: LogRow, became: Became, alike: Alike | None = None) -> Seen:
    """An event that is in the log; *alike*: where its name looks like another."""
    note = {} if alike is None else {"code": CODE, "reason": _cut(alike.told), "fix": _cut(alike.fix)}
    return Seen(
        at, became, row.type, _cut(row.name), _cut(row.message_id), _cut(row.user_id or ""),
        _cut(row.anonymous_id or ""), row.timestamp, **note,
    )  # fmt: skip


def refused(at: Instant, line: bytes, refusal: Refusal) -> Seen:
    """An event that is not; its beginning shows which it was."""
    sent = _cut(line[:_LONGEST].decode("utf-8", "replace"))
    return Seen(at, "refused", code=refusal.code, reason=_cut(refusal.reason), fix=_cut(refusal.fix), sent=sent)


def ignored(at: Instant, body: bytes) -> Seen:
    """A webhook of which its mapping makes no event."""
    return Seen(at, "ignored", sent=_cut(body[:_LONGEST].decode("utf-8", "replace")))


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


class TooManyWatchers(Exception):
    """As many as may watch a source do."""


class Debugger:
    """What the door has seen; used from its event loop alone."""

    def __init__(self) -> None:
        self._seen: dict[str, deque[Seen]] = {}
        self._watchers: dict[str, set[asyncio.Queue[Seen]]] = {}

    def see(self, source: str, seen: list[Seen]) -> None:
        """Keep events, and show them to who watches; one that does not keep up misses the newest."""
        self._seen.setdefault(source, deque(maxlen=KEPT)).extend(seen[-KEPT:])
        for watcher in self._watchers.get(source, ()):
            for each in seen:
                with suppress(asyncio.QueueFull):
                    watcher.put_nowait(each)

    def last(self, source: str) -> list[Seen]:
        """The last events of a source, oldest first."""
        return list(self._seen.get(source, ()))

    def watch(self, source: str) -> Watch:
        """Watch a source from now on; `close` it.

        Raises:
            TooManyWatchers: There is no room for one more.
        """
        watchers = self._watchers.setdefault(source, set())
        if len(watchers) >= MOST_WATCHERS:
            raise TooManyWatchers
        queue: asyncio.Queue[Seen] = asyncio.Queue(_BACKLOG)
        for each in self.last(source):
            queue.put_nowait(each)
        watchers.add(queue)
        return Watch(queue, watchers)


class Watch:
    """What one watcher sees: the last events, then those that come."""

    def __init__(self, queue: asyncio.Queue[Seen], watchers: set[asyncio.Queue[Seen]]) -> None:
        self._queue, self._watchers = queue, watchers

    async def next(self, patience_seconds: float) -> str | None:
        """The next event as JSON; None when none came for so long."""
        try:
            return dumps((await asyncio.wait_for(self._queue.get(), patience_seconds)).as_dict())
        except TimeoutError:
            return None

    def close(self) -> None:
        """Watch no more."""
        self._watchers.discard(self._queue)
