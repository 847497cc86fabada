"""A travel agency and its people: they join, leave, and hold rooms for parties; a house account as the B2B side has it.

Beside it, two who wait for the river suite: the one room of its kind, taken over New Year until somebody gives it back.
Independent of all guests: more of them change nothing here. Next in the flow: `year.py` for the guests.
"""

from __future__ import annotations

from typing import Any

from innkeeper.kernel.time import DAY, HOUR, MINUTE, Instant, format_instant
from innkeeper.runtime.harbour_house.diary import house_day
from innkeeper.runtime.harbour_house.dice import Dice

AGENCY = "tejo-travel"
Line = tuple[Instant, str, dict[str, Any]]
# user id, first name, role, day of joining, day of leaving (0: stays)
_PEOPLE = (
    ("agent-1", "Filipa", "director", 12, 0), ("agent-2", "Vasco", "agent", 13, 0),
    ("agent-3", "Aurora", "agent", 40, 210), ("agent-4", "Simão", "agent", 205, 0),
)  # fmt: skip
_WAITING = (("waiting-1", "Noor"), ("waiting-2", "Edith"))


def agency_year(seed: int, start: Instant, end: Instant) -> list[Line]:
    """The year of the agency, and of those who wait for the river suite."""
    pages = _Pages(seed, start, end)
    for user, name, role, joined, left in _PEOPLE:
        at = house_day(start + joined * DAY, 9)
        pages.add(user, at, type="identify", traits={"first_name": name, "email": f"{user}@tejo-travel.example"})
        traits = {"name": "Tejo Travel", "contract": "standard", "role": role} if joined == 12 else {"role": role}
        pages.add(user, at + MINUTE, type="group", groupId=AGENCY, traits=traits)
        if left:
            pages.track(user, house_day(start + left * DAY, 18), "Left Account", account_id=AGENCY)
    _parties(pages, seed)
    contract = {"account_id": AGENCY, "set": {"contract": "preferred"}}
    pages.track("agent-1", house_day(start + 150 * DAY, 11), "Account Updated", **contract)
    _waiting(pages)
    return pages.lines


def _parties(pages: _Pages, seed: int) -> None:
    """Rooms held for parties, by whoever is there; busier in spring and autumn."""
    dice, day = Dice(seed, "agency parties"), 20
    while day < 360:
        there = [user for user, _, _, joined, left in _PEOPLE if joined < day and (not left or day < left)]
        rooms, nights = dice.between(3, 9), dice.between(2, 4)
        at = house_day(pages.start + day * DAY, 10) + dice.below(420) * MINUTE
        pages.track(
            dice.pick(there), at, "Party Booked", party_id=f"tejo-{day:03d}", rooms=rooms, nights=nights,
            arrival=format_instant(house_day(at + dice.between(20, 70) * DAY, 15)), total=rooms * nights * 148,
        )  # fmt: skip
        day += dice.between(9, 38)


def _waiting(pages: _Pages) -> None:
    sold = house_day(pages.start + 5 * DAY, 12)
    pages.item(sold, stock=0)
    for place, (user, name) in enumerate(_WAITING):
        at = sold + (place + 1) * DAY + 3 * HOUR
        pages.add(user, at, type="identify", traits={"first_name": name, "email": f"{user}@example.com"})
        pages.track(user, at + MINUTE, "Item Requested", catalog="rooms", id="river-suite")
    pages.item(sold + 9 * DAY, stock=1)


class _Pages:
    def __init__(self, seed: int, start: Instant, end: Instant) -> None:
        self.start, self.end = start, end
        self.lines: list[Line] = []
        self._prefix = f"hh{seed}-agency"

    def add(self, user: str, at: Instant, **line: Any) -> None:
        """One event, if it lies within the year."""
        message_id = f"{self._prefix}-{len(self.lines):04d}"
        if self.start <= at < self.end:
            full = {"messageId": message_id, **line, "userId": user, "timestamp": format_instant(at)}
            self.lines.append((at, message_id, full))

    def track(self, user: str, at: Instant, event: str, /, **properties: Any) -> None:
        """Something that somebody did."""
        self.add(user, at, type="track", event=event, properties=properties)

    def item(self, at: Instant, **values: Any) -> None:
        """The house says how many river suites are free."""
        self.track("house", at, "Item Updated", catalog="rooms", id="river-suite", set=values)
