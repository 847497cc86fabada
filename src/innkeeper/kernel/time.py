"""Instants and durations: integers of UTC microseconds inside, ISO 8601 at the edges.

An `Instant` is microseconds since 1970-01-01T00:00:00Z; a `Duration` is a number of microseconds. A day is 24 hours
here; calendar days live in `zones.py`.
"""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime, timedelta
from typing import Protocol

from innkeeper.kernel.errors import UsageError

Instant = int
Duration = int

MICROSECOND = 1
SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
WEEK = 7 * DAY

#: Later than any instant that can be written; "never" for timers.
FOREVER: Instant = 2**62
#: Earlier than any instant that can be written.
BEGINNING: Instant = -(2**62)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_UNITS = {
    "microsecond": MICROSECOND, "millisecond": 1000, "second": SECOND, "minute": MINUTE, "hour": HOUR, "day": DAY,
    "week": WEEK,
}  # fmt: skip
_DURATION = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([a-z]+)\s*", re.IGNORECASE)
_ISO = re.compile(
    r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(?::\d{2}(?:[.,]\d{1,9})?)?\s?(?:Z|z|[+-]\d{2}(?::?\d{2})?)\Z", re.ASCII
)
#: What compares as an instant; the bulk engine uses the same pattern, so that both understand the same texts.
INSTANT = (
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ](?:[01][0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9](?:[.,][0-9]{1,9})?)?"
    r"(?: ?[Zz]|[+-](?:[01][0-9]|2[0-3])(?::?[0-5][0-9])?)"
)


class Clock(Protocol):
    """Tells the time; the only way to the system's clock."""

    def now(self) -> Instant:
        """The current instant."""


class SystemClock:
    """The machine's clock."""

    def now(self) -> Instant:
        """The current instant, from the machine."""
        return time.time_ns() // 1000


class FixedClock:
    """A clock that stands still until it is told to move; for tests and rehearsals."""

    def __init__(self, instant: Instant) -> None:
        self.instant = instant

    def now(self) -> Instant:
        """The instant it was set to."""
        return self.instant


def to_instant(value: datetime) -> Instant:
    """The instant of an aware datetime.

    Raises:
        UsageError: The datetime has no zone.
    """
    if value.tzinfo is None:
        raise UsageError(f"the time {value.isoformat()} has no zone", code="naive-time", fix="add Z or an offset")
    return (value - _EPOCH) // timedelta(microseconds=1)


def to_datetime(instant: Instant) -> datetime:
    """The aware UTC datetime of an instant."""
    return _EPOCH + timedelta(microseconds=instant)


def parse_instant(text: str) -> Instant:
    """The instant that an ISO 8601 text with a zone names, cut to the microsecond.

    Raises:
        UsageError: The text is not ISO 8601, has no zone, or names no real date.

    >>> parse_instant("1970-01-01T00:00:01Z")
    1000000
    """
    instant = try_parse_instant(text)
    if instant is None:
        raise UsageError(
            f"'{text}' is not a time: ISO 8601 with a zone is needed",
            code="bad-time",
            fix="write it like 2026-11-22T09:30:00Z or 2026-11-22T10:30:00+01:00",
        )
    return instant


def try_parse_instant(text: str) -> Instant | None:
    """As `parse_instant`, but None for a text that is no ISO 8601 time with a zone."""
    if len(text) > 40 or not _ISO.match(text):
        return None
    try:
        return to_instant(datetime.fromisoformat(_trim_fraction(text)))
    except (ValueError, OverflowError):
        return None


def _trim_fraction(text: str) -> str:
    text = text.replace(",", ".").replace("z", "Z").replace(" Z", "Z")
    head, dot, tail = text.partition(".")
    if not dot:
        return text
    digits = re.match(r"\d+", tail)
    length = digits.end() if digits else 0
    return f"{head}.{tail[:length][:6].ljust(6, '0')}{tail[length:].strip()}"


def format_instant(instant: Instant) -> str:
    """ISO 8601 in UTC, with a fraction only where there is one.

    >>> format_instant(1_500_000)
    '1970-01-01T00:00:01.500000Z'
    """
    return to_datetime(instant).isoformat().replace("+00:00", "Z")


def parse_duration(text: str) -> Duration:
    """Microseconds of a text such as `90 days`, `1 hour`, `1 day 6 hours`.

    Raises:
        UsageError: The text is no duration.

    >>> parse_duration("1 hour 30 minutes") // MINUTE
    90
    """
    position, total = 0, 0
    while match := _DURATION.match(text, position):
        unit = match[2].lower()
        size = _UNITS.get(unit) or _UNITS.get(unit.removesuffix("s"))
        if size is None:
            break
        total += round(float(match[1]) * size) if "." in match[1] else int(match[1]) * size
        position = match.end()
    if position == 0 or position != len(text) or total > 200_000 * DAY:
        raise UsageError(
            f"'{text}' is not a duration", code="bad-duration", fix="write it like '90 days', '1 hour' or '30 minutes'"
        )
    return total


def format_duration(duration: Duration) -> str:
    """The shortest exact text of a duration, in one unit; `parse_duration` reads it back.

    >>> format_duration(90 * DAY), format_duration(36 * HOUR)
    ('90 days', '36 hours')
    """
    for unit, size in reversed(_UNITS.items()):
        if unit != "week" and duration and duration % size == 0:
            count = duration // size
            return f"{count} {unit}{'' if count == 1 else 's'}"
    return "0 seconds"
