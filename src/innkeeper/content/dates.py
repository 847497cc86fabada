"""The `date` filter: ISO 8601 in, any format out; never the machine's clock or zone.

An object's date knows where it is local, and is shown there unless the template says where else.

Liquid's own filter reads the clock for `'now'`, guesses at half-written dates and uses the machine's zone, so the same
message would come out differently on another day or machine.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime, time
from typing import Any

from innkeeper.kernel.time import Instant, to_datetime
from innkeeper.kernel.zones import to_local, try_zone

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}\Z", re.ASCII)
_LONGEST_FORMAT = 200
# A width such as %999999999d would make a text of that length.
_WIDTH = re.compile(r"%[-_0^#]*\d{3,}")


class ZonedText(str):
    """A date as it was said, which knows what instant it means, and the zone where it is local."""

    __slots__ = ("at", "zone")

    at: Instant
    zone: str


def with_zones(
    values: Mapping[str, Any], dates: Mapping[str, Instant | None], zones: Mapping[str, str]
) -> dict[str, Any]:
    """The values of an object, with dates that know their zone.

    Args:
        values: As they were said.
        dates: By name, the instants of its dates; None: what was said is none.
        zones: By name, where a date is local.
    """
    found = dict(values)
    for name, at in dates.items():
        if at is not None:
            found[name] = ZonedText(values[name])
            found[name].at, found[name].zone = at, zones[name]
    return found


def format_date(
    value: object, pattern: str, *, now: object = None, zone_name: object = None, shown_in: object = None
) -> str:
    """A date or time in a `strftime` pattern; what is no date comes back unchanged, as Liquid has it.

    Args:
        value: ISO 8601 text, seconds since 1970, or the word `now`.
        pattern: As strftime has it, plus `%-d` and the like.
        now: What `now` means, ISO 8601; without it `now` is a text like any other.
        zone_name: IANA zone in which instants are shown; without it in the offset they are written in.
        shown_in: Another one, which the template asks for; one that does not exist is passed over.

    >>> format_date("2026-03-01", "%-d %B %Y")
    '1 March 2026'
    >>> format_date("2026-03-01T23:30:00Z", "%d.%m. %H:%M", zone_name="Europe/Lisbon")
    '01.03. 23:30'
    """
    if len(pattern) > _LONGEST_FORMAT or _WIDTH.search(pattern):
        return str(value)
    moment = _read(now if value in ("now", "today") and now is not None else value)
    if isinstance(value, ZonedText):
        moment, zone_name = _meant(value), value.zone
    if moment is None:
        return str(value)
    if moment.tzinfo is not None:
        moment = _in_zone(moment, shown_in, zone_name)
    return moment.strftime(pattern)


def _meant(value: ZonedText) -> datetime:
    """What an object's date means: an instant, or a day that is the same everywhere."""
    local = to_local(value.at, value.zone)
    return local.replace(tzinfo=None) if _DATE.match(value) and local.time() == time(0) else local


def _read(value: object) -> datetime | None:
    if isinstance(value, bool):
        return None
    try:
        if isinstance(value, int):
            return to_datetime(value * 1_000_000)
        if not isinstance(value, str) or len(value) > 40:
            return None
        if _DATE.match(value):
            return datetime.combine(date.fromisoformat(value), datetime.min.time())
        return datetime.fromisoformat(value) if value[:4].isdigit() and len(value) > 10 else None
    except (ValueError, OverflowError):
        return None


def _in_zone(moment: datetime, *names: object) -> datetime:
    for name in names:
        found = try_zone(name) if isinstance(name, str) else None
        if found is not None:
            try:
                return moment.astimezone(found)
            except OverflowError:
                break
    return moment
