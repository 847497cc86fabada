"""The instant of an object's date: a day, a local time, or an instant with its own zone."""

from __future__ import annotations

import re
from datetime import date, datetime, time

from innkeeper.kernel.time import INSTANT, Instant, to_datetime, try_parse_instant
from innkeeper.kernel.zones import from_local, try_zone
from innkeeper.objects.definition import DateRule

DAY_PATTERN = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
_TIME = r"[T ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,6})?)?"
#: A day, with or without a local time: what means an instant only together with a zone.
UNZONED = DAY_PATTERN + "(?:" + _TIME + ")?"
_DAY, _LOCAL, _INSTANT = re.compile(DAY_PATTERN), re.compile(DAY_PATTERN + _TIME), re.compile(INSTANT)
_MIDNIGHT = time(0)


def instant_of(value: object, zone: str, wall: time | None = None) -> Instant | None:
    """The instant that a date means; None for anything that is none.

    Args:
        value: As the event had it.
        zone: Where a day begins, and where a local time is read.
        wall: The time that a day without one means.

    >>> instant_of("2026-03-01", "UTC") == instant_of("2026-03-01T00:00:00Z", "Europe/Lisbon")
    True
    """
    if not isinstance(value, str):
        return None
    text = value
    try:
        if _DAY.fullmatch(text):
            return from_local(date.fromisoformat(text), wall or _MIDNIGHT, zone)
        if _LOCAL.fullmatch(text):
            local = datetime.fromisoformat(text)
            return from_local(local.date(), local.time(), zone)
    except (ValueError, OverflowError):
        return None
    return try_parse_instant(text) if _INSTANT.fullmatch(text) else None


def is_day(value: object) -> bool:
    """Whether a value is a day without a time."""
    return isinstance(value, str) and _DAY.fullmatch(value) is not None


def zone_of(rule: DateRule, named: object) -> str:
    """The zone of a date: the one that the object names itself, if it is one, else the declared one."""
    if isinstance(named, str) and try_zone(named) is not None:
        return named
    return rule.zone


def sortable(at: Instant) -> str:
    """An instant as a text that compares as the instant does: UTC, six places.

    >>> sortable(0)
    '1970-01-01T00:00:00.000000Z'
    """
    return to_datetime(at).strftime("%Y-%m-%dT%H:%M:%S.%f").rjust(26, "0") + "Z"
