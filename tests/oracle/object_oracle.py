"""What an object is, in plain Python over the set of its events: sorted, and read from the end. Written apart from the
fold of `objects/`: nothing of it is imported here.
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

UTC = ZoneInfo("UTC")
PROPERTIES = ("room", "nights", "total", "arrival", "departure", "tz")
STATUS_OF = {"Booking Confirmed": "confirmed", "Booking Cancelled": "cancelled", "Booking Paid": None}
ZONE = "Europe/Lisbon"
#: The strategy that the oracle speaks of.
STRATEGY = """
name: test
zone: UTC
events:
  Booking Confirmed: [booking_id, room, nights, total, arrival, departure, tz, payer_id]
  Booking Changed: [booking_id, room, nights, total, arrival, departure, tz, payer_id]
  Booking Cancelled: [booking_id]
  Booking Paid: [booking_id, price, payer_id]
  Login: []
objects:
  booking:
    id: booking_id
    dates: { arrival: { zone: Europe/Lisbon, zone_from: tz, time: "15:00" }, departure: Europe/Lisbon }
    roles: { owner: user, payer: payer_id }
    properties: [room, nights, total, tz]
    events:
      Booking Confirmed: confirmed
      Booking Changed:
      Booking Cancelled: cancelled
      Booking Paid: { set: { total: properties.price } }
    ended: [cancelled, checked_out]
"""


@dataclass(frozen=True)
class Happened:
    """One event about bookings."""

    at: int
    source: str
    message_id: str
    name: str
    sender: str
    properties: dict[str, Any]
    anonymous: str | None = None

    @property
    def key(self) -> tuple[int, str, str]:
        """Its place in the order of events."""
        return self.at, self.source, self.message_id


@dataclass
class Known:
    """What a booking is."""

    id: str
    status: str | None = None
    values: dict[str, Any] = field(default_factory=dict)
    #: By role the identifier that has it, and when that was said.
    roles: dict[str, tuple[str, int]] = field(default_factory=dict)


def booking_of(event: Happened) -> str | None:
    """The booking that an event is about."""
    if event.name in ("Object Updated", "Object Removed"):
        return event.properties.get("id") if event.properties.get("object") == "booking" else None
    known = event.name in STATUS_OF or event.name == "Booking Changed"
    return event.properties.get("booking_id") if known else None


def bookings(events: Iterable[Happened], until: int | None = None) -> dict[str, Known]:
    """Every booking that exists after the events up to an instant."""
    found: dict[str, Known] = {}
    for event in sorted(events, key=lambda each: each.key):
        name = booking_of(event)
        if name is None or (until is not None and event.at > until):
            continue
        if event.name == "Object Removed":
            found.pop(name, None)
            continue
        _say(found.setdefault(name, Known(name)), event)
    return found


def _say(known: Known, event: Happened) -> None:
    given = event.properties
    if event.name == "Object Updated":
        values, roles = given.get("set", {}), {k: v and holder(v) for k, v in given.get("roles", {}).items()}
        if "status" in given:
            known.status = given["status"]
    else:
        values = {name: given[name] for name in PROPERTIES if name in given}
        roles = {"owner": event.sender}
        if "payer_id" in given:
            roles["payer"] = given["payer_id"] and holder(given["payer_id"])
        if event.name == "Booking Paid":
            values["total"] = given.get("price")
        elif event.name in STATUS_OF:
            known.status = STATUS_OF[event.name]
    for name, value in values.items():
        _put(known.values, name, value)
    for name, value in roles.items():
        _put(known.roles, name, value and (value, event.at))


def _put(kept: dict[str, Any], name: str, value: Any) -> None:
    if value is None:
        kept.pop(name, None)
    else:
        kept[name] = value


def claims(events: Iterable[Happened], until: int | None = None) -> dict[str, list[tuple[int, str, str, str]]]:
    """By anonymous identifier, in their order, the events on which a user had it: the user is the last of the four."""
    seen: dict[str, list[tuple[int, str, str, str]]] = {}
    for event in events:
        if event.anonymous is not None and event.sender.startswith("user_id:") and (until is None or event.at <= until):
            seen.setdefault(f"anonymous_id:{event.anonymous}", []).append((*event.key, event.sender))
    return {anonymous: sorted(own) for anonymous, own in seen.items()}


def owner(claimed: dict[str, list[tuple[int, str, str, str]]], identifier: str, at: int) -> str:
    """Whose an identifier is at an instant: of a browser whoever of *claims* had it last by then, or else first."""
    own = claimed.get(identifier)
    return identifier if own is None else [own[0], *(each for each in own if each[0] <= at)][-1][3]


def speakers(events: Iterable[Happened], until: int | None = None) -> set[str]:
    """Everybody who has said something: on a browser whoever had it then, or first."""
    known = [event for event in events if until is None or event.at <= until]
    claimed, found = claims(known), set()
    for event in known:
        found.add(owner(claimed, event.sender, event.at))
    return found


def holder(text: str) -> str:
    """The identifier of a role's value."""
    return text if text.startswith("anonymous_id:") else f"user_id:{text}"


def date_at(known: Known, name: str) -> int | None:
    """The instant of a booking's date in microseconds; days begin at 15:00 for arrivals, at 00:00 for departures."""
    text = known.values.get(name)
    zone = known.values.get("tz", ZONE) if name == "arrival" else ZONE
    if zone not in ("Europe/Lisbon", "America/New_York", "Asia/Tokyo"):
        zone = ZONE
    if not isinstance(text, str):
        return None
    if len(text) == 10:
        text += "T15:00" if name == "arrival" else "T00:00"
    try:
        local = datetime.fromisoformat(text)
    except ValueError:
        return None
    aware = local if local.tzinfo else local.replace(tzinfo=ZoneInfo(zone))
    delta = aware.astimezone(UTC) - datetime(1970, 1, 1, tzinfo=UTC)
    return delta // timedelta(microseconds=1)


START = 1_772_000_000_000_000  # 25 February 2026: clocks change within the histories
_HOUR = 3_600_000_000
_DATES = (
    "2026-03-01",
    "2026-03-28",
    "2026-03-29",
    "2026-03-29T01:30",
    "2026-03-20T12:00:00Z",
    "2026-04-02",
    "soon",
    None,
)


_NAMES = (
    "Booking Confirmed", "Booking Changed", "Booking Changed", "Booking Cancelled", "Booking Paid", "Object Updated",
    "Object Removed", "Login",
)  # fmt: skip


def random_history(dice: random.Random, *, people: int = 3, things: int = 3, events: int = 14) -> list[Happened]:
    """Events about a few bookings of a few people, many at one instant, some on two browsers that they share."""
    shared = dice.choice((0.25, 0.75))
    return [_random_event(dice, number, people, things, shared) for number in range(dice.randrange(1, events + 1))]


def _random_event(dice: random.Random, number: int, people: int, things: int, shared: float) -> Happened:
    at = START + dice.randrange(12) * 60 * _HOUR + dice.choice((0, 0, 1))
    sender, anonymous = f"user_id:u{dice.randrange(people)}", None
    if dice.random() < shared:
        anonymous = f"a{dice.randrange(2)}"
        if dice.random() < 0.6:
            sender = f"anonymous_id:{anonymous}"
    about = f"b{dice.randrange(things)}"
    name = dice.choice(_NAMES)
    message_id, source = f"m{number}", dice.choice(("a", "b"))
    return Happened(at, source, message_id, name, sender, _properties(dice, name, about, people), anonymous)


def _properties(dice: random.Random, name: str, about: str, people: int) -> dict[str, Any]:
    some: dict[str, Any] = {
        "room": dice.choice(("12", "14", None)), "nights": dice.choice((1, 2, 2.5, "2", None)),
        "total": dice.choice((100, 250.5, None)), "arrival": dice.choice(_DATES), "departure": dice.choice(_DATES),
        "tz": dice.choice(("America/New_York", "Asia/Tokyo", "Nowhere/Land", None)),
    }  # fmt: skip
    chosen = {key: some[key] for key in some if dice.random() < 0.4}
    who = dice.choice((f"u{dice.randrange(people)}", f"u{dice.randrange(people)}", "anonymous_id:a0", None))
    if name == "Login":
        return {}
    if name == "Object Removed":
        return {"object": "booking", "id": about}
    if name == "Object Updated":
        given: dict[str, Any] = {"object": "booking", "id": about, "set": chosen}
        if dice.random() < 0.5:
            given["status"] = dice.choice(("confirmed", "checked_out", None))
        if dice.random() < 0.5:
            given["roles"] = {dice.choice(("owner", "payer")): who}
        return given
    payer = {"payer_id": who} if dice.random() < 0.4 else {}
    if name == "Booking Cancelled":
        return {"booking_id": about}
    if name == "Booking Paid":
        return {"booking_id": about, "price": dice.choice((99, 300, None)), **payer}
    return {"booking_id": about, **chosen, **payer}
