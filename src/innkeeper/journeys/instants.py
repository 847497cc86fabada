"""Instants that a date names, of the entry event or of the object: an arrival, moved by an offset, at a local time."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from innkeeper.audiences.types import MISSING
from innkeeper.kernel.time import DAY, Duration, Instant, try_parse_instant
from innkeeper.kernel.zones import from_local, to_local
from innkeeper.objects.dates import is_day
from innkeeper.profiles.reading import at_path
from innkeeper.profiles.zone import zone_of

if TYPE_CHECKING:
    from innkeeper.journeys.compiled import CompiledJourney
    from innkeeper.profiles.state import Enrollment
    from innkeeper.profiles.turn import Turn

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}\Z", re.ASCII)
_LOCAL = re.compile(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d{1,6})?)?\Z", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Anchor:
    """A property of the entry event that holds an instant or a date, an offset, and a local time of day.

    Attributes:
        object: The type whose date it is; None: the entry event's.
        local: Whether *wall* is in the zone of the object's date, else in the profile's.
    """

    path: tuple[str, ...]
    offset: Duration = 0
    wall: time | None = None
    object: str | None = None
    local: bool = False

    @property
    def name(self) -> str:
        """As expressions write it."""
        return ".".join((self.object or "event", *self.path))


class Instants(NamedTuple):
    """The instant waited for, and the one that the property itself names; of a date, its end."""

    due_at: Instant
    anchor_at: Instant


def resolve(anchor: Anchor, properties: dict[str, Any], zone: str) -> Instants | None:
    """The instants of an anchor; None when the property is missing or names no instant or date.

    A date means its first instant in *zone*, and whole days are then days of the calendar; a local time without a zone
    is read in *zone*.
    """
    value = at_path(properties, anchor.path)
    if value is MISSING or not isinstance(value, str):
        return None
    text = value.strip()
    try:
        if _DATE.match(text):
            return _of_date(anchor, date.fromisoformat(text), zone)
        if _LOCAL.match(text):
            local = datetime.fromisoformat(text)
            at: Instant | None = from_local(local.date(), local.time(), zone)
        else:
            at = try_parse_instant(text)
        if at is None:
            return None
        moved = at + anchor.offset
        if anchor.wall is not None:
            moved = from_local(to_local(moved, zone).date(), anchor.wall, zone)
    except (ValueError, OverflowError):
        return None
    return Instants(moved, at)


def _of_date(anchor: Anchor, day: date, zone: str) -> Instants:
    at = from_local(day + timedelta(days=1), time(0), zone)
    days, rest = divmod(anchor.offset, DAY)
    moved_day = day + timedelta(days=days)
    if anchor.wall is not None:
        return Instants(from_local(moved_day, anchor.wall, zone), at)
    return Instants(from_local(moved_day, time(0), zone) + rest, at)


def resolve_object(anchor: Anchor, view: Mapping[str, Any], zone: str) -> Instants | None:
    """The instants of an object's date; None when the object has no such date.

    Whole days of the offset are days of the calendar where the date is local; the time of day is in *zone* (the
    profile's) unless the anchor says that of the object. Of a day without a time the end is what is still ahead.
    """
    name = anchor.path[0]
    at, own = view["dates"].get(name), view["zones"].get(name)
    if at is None or own is None:
        return None
    try:
        local = to_local(at, own)
        days, rest = divmod(anchor.offset, DAY)
        day = local.date() + timedelta(days=days)
        due = (from_local(day, local.time(), own) if days else at) + rest
        if anchor.wall is not None:
            due = from_local(to_local(due, own).date(), anchor.wall, own if anchor.local else zone)
        whole = is_day(view["properties"].get(name)) and local.time() == time(0)
        return Instants(due, from_local(local.date() + timedelta(days=1), time(0), own) if whole else at)
    except OverflowError:
        return None


def instants_of(anchor: Anchor, turn: Turn, enrollment: Enrollment) -> Instants | None:
    """The instants of an anchor for an enrollment: of its entry event, or of the object that it is about."""
    if anchor.object is None:
        return resolve(anchor, enrollment.event, zone_of(turn.state, turn.rules.zone).name)
    copy = turn.state.objects.get(anchor.object, {}).get(enrollment.key or "")
    return None if copy is None else resolve_object(anchor, copy.view, turn.reader.zone())


def first_instants(turn: Turn, compiled: CompiledJourney, enrollment: Enrollment) -> Instants | None:
    """The instants of a journey that begins with a wait for a date; None for any other."""
    step = compiled.journey.steps[0] if compiled.journey.steps else None
    anchor = getattr(step, "anchor", None)
    return instants_of(anchor, turn, enrollment) if isinstance(anchor, Anchor) else None
