"""The diary: collects the events of one household in the form of the Segment spec, with ids of their own.

What happens is decided in `visits.py` and `stays.py`. Next in the flow: `year.py`.
"""

from __future__ import annotations

from datetime import time
from typing import Any

from innkeeper.kernel.time import HOUR, MINUTE, SECOND, Instant, format_instant, to_datetime
from innkeeper.kernel.zones import from_local, to_local
from innkeeper.runtime.harbour_house.dice import Dice
from innkeeper.runtime.harbour_house.people import Guest

#: The hotel stands in Lisbon; its day is Lisbon's.
HOUSE_ZONE = "Europe/Lisbon"
Line = dict[str, Any]

# Hours at which people sit down to look for a hotel, with weights.
_HOURS = tuple(
    zip(range(24), (2, 1, 1, 1, 1, 1, 2, 4, 6, 7, 7, 7, 8, 7, 6, 6, 7, 8, 10, 13, 15, 14, 9, 4), strict=True)
)


class Diary:
    """Events of one household between *start* and *end*; what lies outside has not happened yet, or is forgotten."""

    def __init__(self, dice: Dice, prefix: str, start: Instant, end: Instant) -> None:
        self.dice, self.start, self.end = dice, start, end
        self.lines: list[tuple[Instant, str, Line]] = []
        self._prefix, self._count = prefix, 0

    def track(self, guest: Guest, at: Instant, event: str, properties: Line, *, online: bool = False) -> None:
        """Something that a guest did, or that was done for them; *online*: in their browser."""
        self.add(guest, at, {"type": "track", "event": event, "properties": properties}, online=online)

    def identify(self, guest: Guest, at: Instant, traits: Line, *, online: bool = False) -> None:
        """What a guest has told about themselves; only what is new or has changed."""
        new = {name: value for name, value in traits.items() if guest.traits_told.get(name) != value}
        guest.known = True
        if at >= self.start:
            guest.traits_told.update(new)
        self.add(guest, at, {"type": "identify", "traits": new}, online=online)

    def add(self, guest: Guest, at: Instant, line: Line, *, online: bool = False, delay: int = 0) -> None:
        """One event; *delay* is how long it took to arrive (a phone without network)."""
        self._count += 1
        message_id = f"{self._prefix}-{self._count:04d}"
        who: Line = {}
        if guest.known:
            who["userId"] = guest.user_id
        if online or not guest.known:
            who["anonymousId"] = guest.anonymous_id
        full: Line = {"messageId": message_id, **line, **who, "timestamp": format_instant(at)}
        if online:
            full["context"] = {**full.get("context", {}), "locale": guest.country.locale}
        if delay:
            full["sentAt"] = format_instant(at + delay)
        if self.start <= at and at + delay < self.end:
            self.lines.append((at + delay, message_id, full))

    def moment(self, day_of: Instant, zone: str) -> Instant:
        """A moment on the local day of an instant, at an hour when people look for hotels."""
        hour = self.dice.weighted(_HOURS)
        wall = time(hour, self.dice.below(60), self.dice.below(60))
        return from_local(to_local(day_of, zone).date(), wall, zone) + self.dice.below(1000) * 1000

    def house_time(self, day_of: Instant, low: int, high: int) -> Instant:
        """A moment in the hotel, on the day of an instant, between two hours of the clock."""
        minute = self.dice.between(low * 60, high * 60 - 1)
        wall = time(minute // 60, minute % 60, self.dice.below(60))
        return from_local(to_local(day_of, HOUSE_ZONE).date(), wall, HOUSE_ZONE)

    def later(self, at: Instant, low_minutes: int, high_minutes: int) -> Instant:
        """Some minutes and odd seconds after an instant."""
        return at + self.dice.between(low_minutes, high_minutes) * MINUTE + self.dice.below(60) * SECOND


def house_day(at: Instant, hour: int) -> Instant:
    """The instant at which the hotel's clock shows an hour on the day of *at*."""
    return from_local(to_local(at, HOUSE_ZONE).date(), time(hour), HOUSE_ZONE)


def month_of(at: Instant) -> int:
    """The month, 1 to 12, in UTC."""
    return to_datetime(at).month


def hours(count: int) -> int:
    """So many hours."""
    return count * HOUR
