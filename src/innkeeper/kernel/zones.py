"""Time zones from the pinned `tzdata` package, never from the system.

A local time that a clock change skips goes forward by the length of the gap; one that occurs twice means the first.
"""

from __future__ import annotations

import zoneinfo
from datetime import date, datetime, timedelta
from datetime import time as local_time
from functools import lru_cache
from importlib import resources
from zoneinfo import ZoneInfo

from innkeeper.kernel.errors import UsageError
from innkeeper.kernel.time import Instant, to_datetime, to_instant

# Which zone stands for a country that has several: that of its capital or largest city.
_CHIEF_ZONE = {
    "AR": "America/Argentina/Buenos_Aires", "AU": "Australia/Sydney", "BR": "America/Sao_Paulo",
    "CA": "America/Toronto", "CD": "Africa/Kinshasa", "CL": "America/Santiago", "CN": "Asia/Shanghai",
    "CY": "Asia/Nicosia", "DE": "Europe/Berlin", "EC": "America/Guayaquil", "ES": "Europe/Madrid",
    "FM": "Pacific/Pohnpei", "GL": "America/Nuuk", "ID": "Asia/Jakarta", "KI": "Pacific/Tarawa",
    "KZ": "Asia/Almaty", "MH": "Pacific/Majuro", "MN": "Asia/Ulaanbaatar", "MX": "America/Mexico_City",
    "MY": "Asia/Kuala_Lumpur", "NZ": "Pacific/Auckland", "PF": "Pacific/Tahiti", "PG": "Pacific/Port_Moresby",
    "PS": "Asia/Hebron", "PT": "Europe/Lisbon", "RU": "Europe/Moscow", "UA": "Europe/Kyiv",
    "US": "America/New_York", "UZ": "Asia/Tashkent", "VN": "Asia/Ho_Chi_Minh",
}  # fmt: skip


@lru_cache(maxsize=1024)
def zone(name: str) -> ZoneInfo:
    """The zone with an IANA name, from the pinned package.

    Raises:
        UsageError: There is no such zone.
    """
    found = try_zone(name)
    if found is None:
        raise UsageError(f"there is no time zone '{name}'", code="unknown-zone", fix="use an IANA name: Europe/Lisbon")
    return found


@lru_cache(maxsize=1024)
def try_zone(name: str) -> ZoneInfo | None:
    """As `zone`, but None where there is no such zone."""
    parts = name.split("/")
    if not name or not all(
        part and part.replace("_", "").replace("-", "").replace("+", "").isalnum() for part in parts
    ):
        return None
    node = resources.files("tzdata").joinpath("zoneinfo", *parts)
    try:
        with node.open("rb") as file:
            return ZoneInfo.from_file(file, key=name)
    except (OSError, ValueError, zoneinfo.ZoneInfoNotFoundError):
        return None


@lru_cache(maxsize=1)
def _country_zones() -> dict[str, str]:
    table: dict[str, str] = {}
    text = resources.files("tzdata").joinpath("zoneinfo", "zone.tab").read_text(encoding="utf-8")
    for line in text.splitlines():
        if line and not line.startswith("#"):
            country, _, name = line.split("\t")[:3]
            table.setdefault(country, name)
    return table | _CHIEF_ZONE


def country_zone(country: str) -> str | None:
    """The zone that stands for an ISO 3166 country code; None for an unknown code."""
    return _country_zones().get(country.upper())


def to_local(instant: Instant, zone_name: str) -> datetime:
    """The wall-clock time in a zone at an instant, aware."""
    return to_datetime(instant).astimezone(zone(zone_name))


def from_local(day: date, wall: local_time, zone_name: str) -> Instant:
    """The instant at which a zone's clock shows a time on a day.

    A time inside a gap goes forward by the gap (02:30 becomes 03:30); of a time that occurs twice, the first.
    """
    tz = zone(zone_name)
    naive = datetime.combine(day, wall)
    aware = naive.replace(tzinfo=tz, fold=0)
    # fold=0 inside a gap uses the offset before the change, which is the time moved forward by the gap.
    return to_instant(aware)


def next_local(after: Instant, wall: local_time, zone_name: str) -> Instant:
    """The first instant at or after *after* at which the zone's clock shows *wall*."""
    day = to_local(after, zone_name).date() - timedelta(days=1)
    while True:
        instant = from_local(day, wall, zone_name)
        if instant >= after:
            return instant
        day += timedelta(days=1)


def start_of_day(instant: Instant, zone_name: str) -> Instant:
    """The first instant of the local day that holds *instant*."""
    return from_local(to_local(instant, zone_name).date(), local_time(0), zone_name)
