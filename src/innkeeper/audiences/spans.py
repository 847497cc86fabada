"""Lengths of windows: a duration, or a number of calendar days in the profile's zone; and the windows they make.

A window at time t is (t - within, t - before]. With calendar days, `t - N calendar days` is the last microsecond before
the local day that began N - 1 days before today's: `today` is one calendar day.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from datetime import time as local_time

from innkeeper.kernel.errors import UsageError
from innkeeper.kernel.time import DAY, FOREVER, Duration, Instant, format_duration, parse_duration
from innkeeper.kernel.zones import from_local, to_local

_CALENDAR = re.compile(r"\s*(\d{1,5})\s*calendar\s+days?\s*", re.IGNORECASE)
_MIDNIGHT = local_time(0)
_MAX_CALENDAR_DAYS = 36_600


@dataclass(frozen=True, slots=True)
class Span:
    """A length back in time: *duration* in microseconds, or *days* calendar days (then the duration is 0)."""

    duration: Duration = 0
    days: int = 0

    @property
    def calendar(self) -> bool:
        """Whether it counts local days."""
        return self.days > 0

    @property
    def horizon(self) -> Duration:
        """No shorter than the span is in any zone: what is older than this can be forgotten."""
        return (self.days + 2) * DAY if self.days else self.duration

    def __str__(self) -> str:
        if self.days == 1:
            return "today"
        return f"{self.days} calendar days" if self.days else format_duration(self.duration)


def parse_span(text: str) -> Span:
    """The span of `90 days`, `3 calendar days` or `today`.

    Raises:
        UsageError: The text is none of these, or has no length.
    """
    if text.strip().lower() == "today":
        return Span(days=1)
    match = _CALENDAR.fullmatch(text)
    if match:
        days = int(match[1])
        if not 0 < days <= _MAX_CALENDAR_DAYS:
            raise UsageError(
                f"'{text}' is not between 1 and {_MAX_CALENDAR_DAYS} calendar days",
                code="bad-duration",
                fix="write it like '3 calendar days'",
            )
        return Span(days=days)
    duration = parse_duration(text)
    if duration <= 0:
        raise UsageError(f"'{text}' has no length", code="bad-duration", fix="write it like '90 days'")
    return Span(duration=duration)


class LocalDay:
    """Remembers the last local day asked for, since questions come in the order of time."""

    __slots__ = ("day", "end", "start", "zone")

    def __init__(self) -> None:
        self.zone, self.day, self.start, self.end = "", date.min, 0, 0

    def at(self, now: Instant, zone: str) -> date:
        """The local day that *now* belongs to: the last one whose midnight has passed.

        The midnights are what counts, so that a clock set back over midnight does not make the day begin twice.
        """
        if zone != self.zone or not self.start <= now < self.end:
            day = to_local(now, zone).date()
            while from_local(day + timedelta(days=1), _MIDNIGHT, zone) <= now:
                day += timedelta(days=1)
            self.zone, self.day = zone, day
            self.start = from_local(day, _MIDNIGHT, zone)
            self.end = from_local(day + timedelta(days=1), _MIDNIGHT, zone)
        return self.day


def back_from(span: Span) -> Callable[[Instant, str], Instant]:
    """The function (t, zone) -> t - span."""
    if not span.calendar:
        duration = span.duration
        return lambda now, zone: now - duration
    local = LocalDay()
    earlier = timedelta(days=span.days - 1)
    return lambda now, zone: from_local(local.at(now, zone) - earlier, _MIDNIGHT, zone) - 1


def passed_at(span: Span) -> Callable[[Instant, str], Instant]:
    """The function (ts, zone) -> the first t at which ts <= t - span."""
    if not span.calendar:
        duration = span.duration
        return lambda timestamp, zone: timestamp + duration
    local = LocalDay()

    def passed(timestamp: Instant, zone: str) -> Instant:
        day = local.at(timestamp, zone)
        try:
            return from_local(day + timedelta(days=span.days), _MIDNIGHT, zone)
        except OverflowError:
            return FOREVER

    return passed
