"""Bookings: requested, confirmed, changed, cancelled; lead times, prices and cancellations of a city hotel.

The shape of the figures (lead times, lengths of stay, seasons, cancellations growing with the lead time) follows what
is known of real city hotels; no row of any real data set is used. Next in the flow: `in_house.py`.
"""

from __future__ import annotations

from dataclasses import dataclass

from innkeeper.kernel.time import DAY, HOUR, MINUTE, SECOND, Instant, format_instant, to_datetime
from innkeeper.runtime.harbour_house.diary import Diary, Line, house_day, month_of
from innkeeper.runtime.harbour_house.people import Guest
from innkeeper.runtime.harbour_house.visits import ROOMS, give_consent

_LEAD_KEPT = (0, 1, 2, 5, 12, 24, 45, 72, 105, 150, 260)
_LEAD_CANCELLED = (3, 14, 28, 44, 65, 92, 125, 165, 215, 260, 330)
_LEAD_BUSINESS = (0, 1, 1, 2, 4, 6, 9, 13, 19, 28, 60)
# Price and demand by month, as a percentage of the year's mean.
_PRICE = (78, 80, 92, 101, 110, 111, 114, 118, 117, 108, 94, 96)
_DEMAND = (45, 70, 90, 105, 108, 112, 98, 104, 114, 122, 92, 74)
_WEEKDAY = {"business": (30, 26, 20, 14, 4, 2, 16), "": (12, 10, 13, 18, 26, 16, 9)}  # Monday first
_NIGHTS = {
    "business": ((1, 40), (2, 32), (3, 18), (4, 10)),
    "family": ((2, 22), (3, 30), (4, 26), (5, 12), (7, 10)),
    "": ((1, 14), (2, 31), (3, 30), (4, 15), (5, 6), (7, 4)),
}
_REASONS = ("change of plans", "found another place", "illness", "flight cancelled", "too expensive", "no reason given")


@dataclass(slots=True, kw_only=True)
class Booking:
    """A booking as it stands; *arrival* and *departure* are instants, the total is in euro cents (whole euros)."""

    booking_id: str
    room: str
    arrival: Instant
    nights: int
    adults: int
    children: int
    total: int
    channel: str

    @property
    def departure(self) -> Instant:
        """Eleven in the morning of the last day, in Lisbon."""
        return house_day(self.arrival + self.nights * DAY, 11)

    def properties(self) -> Line:
        """As the events of the booking carry it."""
        return {
            "booking_id": self.booking_id, "room": self.room, "arrival": format_instant(self.arrival),
            "departure": format_instant(self.departure), "nights": self.nights, "adults": self.adults,
            "children": self.children, "total": self.total // 100, "currency": "EUR", "channel": self.channel,
        }  # fmt: skip


def draw_arrival(diary: Diary, guest: Guest, earliest: Instant, latest: Instant) -> Instant:
    """Three in the afternoon, in Lisbon, of a day of arrival: by season and weekday."""
    dice = diary.dice
    weekdays = _WEEKDAY.get(guest.persona, _WEEKDAY[""])
    days = max(1, (latest - earliest) // DAY)
    while True:
        day = earliest + dice.below(days) * DAY
        if dice.below(122) < _DEMAND[month_of(day) - 1] and dice.below(30) < weekdays[to_datetime(day).weekday()]:
            return house_day(day, 15)


def draw_booking(diary: Diary, guest: Guest, arrival: Instant) -> Booking:
    """What a guest would like to book for a day of arrival."""
    dice = diary.dice
    family = guest.persona == "family"
    room = dice.weighted(tuple((name, weight) for name, (_, weight, beds) in ROOMS.items() if beds > 2 or not family))
    nights = dice.weighted(_NIGHTS.get(guest.persona, _NIGHTS[""]))
    guest.bookings += 1
    return Booking(
        booking_id=f"HH-{guest.number:05d}-{guest.bookings}",
        room=room,
        arrival=arrival,
        nights=nights,
        adults=2 if family else 1 if guest.persona in ("solo", "business") else dice.weighted(((2, 92), (3, 8))),
        children=dice.weighted(((1, 48), (2, 42), (3, 10))) if family else 0,
        total=price(room, arrival, nights, dice.between(92, 108)),
        channel="desk" if guest.email is None else dice.weighted((("web", 78), ("phone", 14), ("app", 8))),
    )


def price(room: str, arrival: Instant, nights: int, mood: int) -> int:
    """Euro cents for a stay; *mood* is the day's pricing, per cent."""
    return ROOMS[room][0] * nights * _PRICE[month_of(arrival) - 1] * mood // 1_000_000 * 100


def lead_days(diary: Diary, guest: Guest, *, cancelled: bool) -> int:
    """How many days before arrival a booking is made."""
    if guest.persona == "business":
        return diary.dice.decile(_LEAD_BUSINESS)
    return diary.dice.decile(_LEAD_CANCELLED if cancelled else _LEAD_KEPT)


def will_cancel(diary: Diary, guest: Guest) -> bool:
    """Whether this booking will be cancelled; those who come again and again seldom do."""
    return diary.dice.chance({"regular": 8, "business": 18}.get(guest.persona, 30))


def request(diary: Diary, guest: Guest, at: Instant, booking: Booking) -> None:
    """The form is filled in: a request, not a booking yet."""
    diary.track(guest, at, "Booking Requested", booking.properties(), online=booking.channel in ("web", "app"))


def confirm(diary: Diary, guest: Guest, at: Instant, booking: Booking) -> None:
    """The booking stands; the guest has said who they are."""
    online = booking.channel in ("web", "app")
    traits: Line = {
        "first_name": guest.first_name, "last_name": guest.last_name, "country": guest.country.code,
        "locale": guest.country.locale, "traveller": guest.persona,
    }  # fmt: skip
    if guest.email:
        traits["email"] = guest.email
    if guest.phone:
        traits["phone"] = guest.phone
    diary.identify(guest, at, traits, online=online)
    diary.track(guest, at + 2 * SECOND, "Booking Confirmed", booking.properties(), online=online)
    if guest.company and guest.bookings == 1:
        name = guest.company.replace("-", " ").title()
        diary.add(guest, at + 3 * SECOND, {"type": "group", "groupId": guest.company, "traits": {"name": name}})
    if guest.email and not guest.consented and diary.dice.chance(34):
        give_consent(diary, guest, at + 5 * SECOND, "tick box in the booking form")


def change(diary: Diary, guest: Guest, at: Instant, booking: Booking) -> None:
    """The guest moves the date, stays longer, or takes another room: the same booking with new values."""
    dice = diary.dice
    changed = dice.weighted((("arrival", 58), ("nights", 28), ("room", 14)))
    if changed == "arrival":
        moved = house_day(booking.arrival + dice.pick((-3, -2, -1, 1, 2, 3, 5, 7, 14)) * DAY, 15)
        booking.arrival = max(moved, house_day(at + 2 * DAY, 15))
    elif changed == "nights":
        booking.nights = max(1, booking.nights + dice.pick((-1, 1, 1, 2)))
    else:
        booking.room = "river suite"
    booking.total = price(booking.room, booking.arrival, booking.nights, 100)
    diary.track(guest, at, "Booking Changed", {**booking.properties(), "changed": changed})


def cancel(diary: Diary, guest: Guest, at: Instant, booking: Booking) -> None:
    """The booking is gone."""
    reason = diary.dice.pick(_REASONS)
    refund = booking.total // 100 if booking.arrival - at > 2 * DAY else 0
    properties: Line = {"booking_id": booking.booking_id, "reason": reason, "refund": refund}
    diary.track(guest, at, "Booking Cancelled", {**booking.properties(), **properties})


def between(diary: Diary, first: Instant, last: Instant) -> Instant:
    """A moment between two instants, at least an hour after the first."""
    minutes = max(2, (last - first - HOUR) // MINUTE)
    return first + HOUR + diary.dice.below(minutes) * MINUTE
