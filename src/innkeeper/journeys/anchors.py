"""Reads what names an instant: `event.arrival - 3 days`, `booking.arrival - 1 day`, with `time` and `zone` beside it.

`journeys/steps/wait.py` and the entry of `read.py` use it; `instants.py` has what the instants are.
"""

from __future__ import annotations

import re
from datetime import time

from innkeeper.journeys.instants import Anchor
from innkeeper.journeys.script import Script
from innkeeper.kernel.errors import UsageError
from innkeeper.kernel.located import Located
from innkeeper.kernel.time import parse_duration
from innkeeper.objects.read import TAKEN

WALL = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)\Z")
_OFFSET = r"(?:\s*(?P<sign>[+-])\s*(?P<quote>'?)(?P<length>[^']+)(?P=quote))?\s*\Z"
_EVENT = re.compile(r"event\.(?P<path>[A-Za-z_$][\w$.-]*?)" + _OFFSET)
_OBJECT = re.compile(r"(?P<object>[A-Za-z_]\w*)\.(?P<path>[A-Za-z_]\w*)" + _OFFSET)
_BARE = re.compile(r"(?P<path>[A-Za-z_]\w*)" + _OFFSET)


def is_anchor(text: str) -> bool:
    """Whether a text names an instant of the entry event or of an object, and is no condition."""
    if _EVENT.match(text):
        return True
    found = _OBJECT.match(text)
    return found is not None and found["object"] not in TAKEN


def read_anchor(node: Located, wall: Located | None, zone: Located | None, script: Script) -> Anchor | None:
    """The anchor of a text that `is_anchor`; None with a finding when a part of it is wrong."""
    text = str(node.value)
    event = _EVENT.match(text)
    found = event or _OBJECT.match(text)
    if found is None:
        return None
    of = None if event else found["object"]
    if of is None and zone is not None:
        script.findings.add(
            zone, "bad-zone", "'zone' goes with a date of an object", "leave it out: the time is the profile's"
        )
        return None
    return _anchor(found, of, node, wall, zone, script)


def read_entry_anchor(
    node: Located, of: str, wall: Located | None, zone: Located | None, script: Script
) -> Anchor | None:
    """The anchor of `enter: { object: …, at: arrival - 3 days }`, where the date stands without its type."""
    text = str(node.value).removeprefix(f"{of}.")
    found = _BARE.match(text)
    if found is None:
        message = f"'{node.plain()}' does not name a date of the object"
        script.findings.add(node, "bad-date", message, "at: arrival - 3 days")
        return None
    return _anchor(found, of, node, wall, zone, script)


def _anchor(
    found: re.Match[str], of: str | None, node: Located, wall: Located | None, zone: Located | None, script: Script
) -> Anchor | None:
    offset = 0
    if found["sign"]:
        try:
            offset = parse_duration(found["length"]) * (1 if found["sign"] == "+" else -1)
        except UsageError as error:
            script.findings.add_from(node, error)
            return None
    at = None if wall is None else read_wall(wall, script)
    if wall is not None and at is None:
        return None
    local = False
    if zone is not None:
        if zone.value not in ("object", "profile") or wall is None:
            why = "goes with 'time'" if wall is None else "is 'object' or 'profile'"
            script.findings.add(zone, "bad-zone", f"'zone' {why}", 'write: time: "10:00", zone: object')
            return None
        local = zone.value == "object"
    return Anchor(path=tuple(found["path"].split(".")), offset=offset, wall=at, object=of, local=local)


def read_wall(node: Located, script: Script) -> time | None:
    """A time of day; None with a finding when it is none."""
    text = str(node.value)
    if not WALL.match(text):
        script.findings.add(node, "bad-time-of-day", f"'{node.plain()}' is not a time of day", 'write it like "10:00"')
        return None
    hour, minute = text.split(":")
    return time(int(hour), int(minute))
