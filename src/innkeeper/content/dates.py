"""The `date` filter: ISO 8601 in, any format out; never the machine's clock or zone.

Liquid's own filter reads the clock for `'now'`, guesses at half-written dates and uses the machine's zone, so the same
message would come out differently on another day or machine.
"""

from __future__ import annotations

import re
from datetime import date, datetime

from innkeeper.kernel.errors import UsageError
from innkeeper.kernel.time import to_datetime
from innkeeper.kernel.zones import zone

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}\Z", re.ASCII)
_LONGEST_FORMAT = 200
# A width such as %999999999d would make a text of that length.
_WIDTH = re.compile(r"%[-_0^#]*\d{3,}")


def format_date(value: object, pattern: str, *, now: object = None, zone_name: object = None) -> str:
    """A date or time in a `strftime` pattern; what is no date comes back unchanged, as Liquid has it.

    Args:
        value: ISO 8601 text, seconds since 1970, or the word `now`.
        pattern: As strftime has it, plus `%-d` and the like.
        now: What `now` means, ISO 8601; without it `now` is a text like any other.
        zone_name: IANA zone in which instants are shown; without it in the offset they are written in.

    >>> format_date("2026-03-01", "%-d %B %Y")
    '1 March 2026'
    >>> format_date("2026-03-01T23:30:00Z", "%d.%m. %H:%M", zone_name="Europe/Lisbon")
    '01.03. 23:30'
    """
    if len(pattern) > _LONGEST_FORMAT or _WIDTH.search(pattern):
        return str(value)
    moment = _read(now if value in ("now", "today") and now is not None else value)
    if moment is None:
        return str(value)
    if moment.tzinfo is not None and isinstance(zone_name, str):
        moment = _in_zone(moment, zone_name)
    return moment.strftime(pattern)


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


def _in_zone(moment: datetime, zone_name: str) -> datetime:
    try:
        return moment.astimezone(zone(zone_name))
    except (UsageError, OverflowError):
        return moment
