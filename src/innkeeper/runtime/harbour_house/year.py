"""A household's year: visits, bookings, stays, silence; strung together from the other files of this folder."""

from __future__ import annotations

from innkeeper.kernel.time import DAY, HOUR, Instant
from innkeeper.runtime.harbour_house.diary import Diary
from innkeeper.runtime.harbour_house.dice import Dice
from innkeeper.runtime.harbour_house.in_house import Stay
from innkeeper.runtime.harbour_house.people import RETURNS, Guest, device_name, make_guest
from innkeeper.runtime.harbour_house.stays import (
    Booking,
    between,
    cancel,
    change,
    confirm,
    draw_arrival,
    draw_booking,
    lead_days,
    request,
    will_cancel,
)  # fmt: skip
from innkeeper.runtime.harbour_house.visits import join_newsletter, visit, withdraw_consent

#: Bookings for a while after the end are already known at the end.
_AHEAD = 70 * DAY


def live(diary: Diary, guest: Guest) -> None:
    """Write a guest's year."""
    dice = diary.dice
    if dice.chance(16):
        _looker(diary, guest)
        return
    latest = diary.end + _AHEAD
    if guest.persona == "regular":
        latest = diary.start + 120 * DAY
    arrival = draw_arrival(diary, guest, diary.start + DAY, latest)
    trip(diary, guest, arrival, not_before=diary.start)


def _looker(diary: Diary, guest: Guest) -> None:
    """Someone who looks, reads the letters, perhaps fills in the form, and has not booked yet."""
    dice = diary.dice
    at = diary.moment(diary.start + dice.below(360) * DAY, guest.zone)
    wish = draw_arrival(diary, guest, at + 10 * DAY, at + 120 * DAY)
    joined = False
    for _ in range(dice.between(1, 5)):
        ended = visit(diary, guest, at, arrival=wish)
        if guest.email and not joined and dice.chance(55):
            join_newsletter(diary, guest, ended)
            joined = True
        elif dice.chance(22):
            request(diary, guest, ended, draw_booking(diary, guest, wish))
        at = diary.moment(at + dice.between(2, 40) * DAY, guest.zone)
    if guest.email and not joined:
        join_newsletter(diary, guest, visit(diary, guest, at))
    _lose_interest(diary, guest, at)


def _lose_interest(diary: Diary, guest: Guest, at: Instant) -> None:
    if guest.consented and diary.dice.chance(9):
        at = diary.moment(at + diary.dice.between(3, 60) * DAY, guest.zone)
        withdraw_consent(diary, guest, at, diary.dice.pick(("answered stop", "preference page", "told the desk")))


def trip(diary: Diary, guest: Guest, arrival: Instant, *, not_before: Instant) -> None:
    """From the first look to the last word about one stay, and to the next one."""
    while arrival < diary.end + _AHEAD:
        cancelled = will_cancel(diary, guest)
        booked = diary.moment(arrival - lead_days(diary, guest, cancelled=cancelled) * DAY, guest.zone)
        latest = max(not_before + DAY, arrival - 3 * HOUR)
        if guest.bookings == 0:
            latest = min(latest, diary.end)
        if not not_before < booked < latest:
            booked = between(diary, not_before, latest)
        booking = _book(diary, guest, booked, arrival)
        booked = _maybe_change(diary, guest, booked, booking)
        if cancelled and booking.arrival - booked > 6 * HOUR:
            at = between(diary, booked, booking.arrival)
            cancel(diary, guest, at, booking)
            _lose_interest(diary, guest, at)
            again, left = diary.dice.chance(22), at
        else:
            left, mood = _stay(diary, guest, booking)
            again = diary.dice.chance(RETURNS[guest.persona] * max(0, mood - 20) // 60)
        if not again:
            _silence(diary, guest, left)
            return
        gap = diary.dice.decile((7, 14, 22, 32, 45, 60, 76, 95, 120, 160, 230))
        not_before = left + DAY
        arrival = draw_arrival(diary, guest, left + gap * DAY, left + (gap + 25) * DAY)


def _book(diary: Diary, guest: Guest, booked: Instant, arrival: Instant) -> Booking:
    """Looks around, perhaps gives up once half-way, then books."""
    dice = diary.dice
    at = booked
    for days in sorted(
        (dice.between(1, 24) for _ in range(dice.between(1, 6) if guest.bookings == 0 else dice.between(0, 3))),
        reverse=True,
    ):
        at = diary.moment(booked - days * DAY, guest.zone)
        if at < diary.start:
            # Nobody has written it down; what was said there has to be said again.
            continue
        ended = visit(diary, guest, at, arrival=arrival)
        if guest.email and not guest.known and dice.chance(14):
            join_newsletter(diary, guest, ended)
        elif dice.chance(7):
            request(diary, guest, ended, draw_booking(diary, guest, arrival))
    booking = draw_booking(diary, guest, arrival)
    if booking.channel in ("web", "app"):
        booked = visit(diary, guest, booked, arrival=arrival)
        request(diary, guest, booked, booking)
    confirm(diary, guest, diary.later(booked, 2, 20), booking)
    return booking


def _maybe_change(diary: Diary, guest: Guest, booked: Instant, booking: Booking) -> Instant:
    while booking.arrival - booked > 3 * DAY and diary.dice.chance(12):
        booked = between(diary, booked, booking.arrival - 2 * DAY)
        change(diary, guest, booked, booking)
    return booked


def _stay(diary: Diary, guest: Guest, booking: Booking) -> tuple[Instant, int]:
    """The stay, or the empty bed; answers when it was over and how it felt."""
    if diary.dice.chance(2):
        at = booking.arrival + 15 * HOUR
        diary.track(guest, at, "No Show Recorded", {"booking_id": booking.booking_id, "room": booking.room})
        return at, 40
    stay = Stay(diary, guest, booking)
    stay.before_arrival()
    arrived = stay.check_in()
    stay.days(arrived)
    left = stay.check_out()
    stay.afterwards(left)
    return left, stay.mood


def _silence(diary: Diary, guest: Guest, left: Instant) -> None:
    """After the last stay: a look at the site now and then, a letter too many, or nothing at all."""
    dice = diary.dice
    at = left
    while dice.chance(55):
        at = diary.moment(at + dice.between(12, 80) * DAY, guest.zone)
        visit(diary, guest, at)
    _lose_interest(diary, guest, left)
    if dice.chance(1):
        reason = dice.pick(("deceased", "asked by post", "hard bounce"))
        diary.track(guest, left + dice.between(20, 200) * DAY, "Suppressed", {"reason": reason, "channel": "email"})


def household(seed: int, number: int, first_guest: int, start: Instant, end: Instant) -> tuple[Diary, int]:
    """A household's diary and how many people it has; now and then two share a device."""
    dice = Dice(seed, f"household {number}")
    diary = Diary(dice, f"hh{seed}-{number:05d}", start, end)
    device = device_name(dice)
    people = 2 if dice.chance(4) else 1
    for place in range(people):
        live(diary, make_guest(dice, first_guest + place, device))
    return diary, people


def passer_by(seed: int, number: int, start: Instant, end: Instant) -> Diary:
    """Someone who looks at the site a few times and never says who they are."""
    dice = Dice(seed, f"passer-by {number}")
    diary = Diary(dice, f"hh{seed}-p{number:05d}", start, end)
    guest = make_guest(dice, 0, device_name(dice))
    at = diary.moment(start + dice.below(365) * DAY, guest.zone)
    wish = draw_arrival(diary, guest, at + 5 * DAY, at + 90 * DAY) if dice.chance(60) else None
    for _ in range(dice.weighted(((1, 62), (2, 24), (3, 14)))):
        visit(diary, guest, at, arrival=wish)
        at = diary.moment(at + dice.between(1, 20) * DAY, guest.zone)
    return diary
