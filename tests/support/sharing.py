"""Random lives of people who share browsers: late logins and late words, runs by events, by bookings and their dates,
by audiences; one link is taken back, one login retracted and lifted.

The oracle knows only the events: whoever logged in last has the browser, the first one from the beginning, and what was
said under it is of whoever had it then.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from innkeeper.kernel.time import DAY, HOUR, Instant, format_instant, parse_instant
from innkeeper.profiles.state import decode
from innkeeper.runtime.replay import replay
from innkeeper.runtime.retract import lift, retract
from innkeeper.store.state import State
from support.owners import check_owners
from support.workspace import Workspace, event, message

START = parse_instant("2026-05-01T00:00:00Z")
PEOPLE = ("a", "b", "c")
BROWSERS = ("phone", "tablet")
STRATEGY = """name: test
zone: UTC
events: { Login: [], Asked: [number], Booked: [booking_id, arrival, guest_id], Left: [booking_id] }
objects:
  booking:
    id: booking_id
    dates: { arrival: }
    roles: { owner: user, guest: guest_id }
    events: { Booked: confirmed, Left: left }
    ended: [left]
"""
JOURNEYS = {
    "asked": "key: number\nenter: { event: Asked }\nreentry: always\n",
    "booked": "key: booking\nenter: { object: booking, on: created }\n",
    "before": "key: booking\nenter: { object: booking, at: arrival - 3 days }\n",
    "quiet": "enter: { audience: quiet }\nreentry: always\n",
}
#: However late an event comes, it begins a run.
COMMON = "purpose: stay\nshelf_life: 30 days\n"
STEPS = ("send: hello", "send: stay", "wait: 20 hours", "wait: 3 days", "task: { queue: desk, title: call }")
POLICIES = (
    "purposes:\n  offers: {kind: marketing, basis: legitimate_interest}\n  stay: {kind: service, basis: contract}\n"
    "caps:\n  - {at_most: 2, per: 3 days}\n"
)


class Said(NamedTuple):
    """An event: who or which browser sent it, what it is about, in which import it comes."""

    at: Instant
    name: str
    browser: str
    who: str | None
    about: str
    phase: int
    bad: bool


class Life:
    """One random strategy, and what some people do on two browsers within three imports."""

    def __init__(self, seed: int, *, size: int = 40) -> None:
        self.chance = chance = random.Random(seed)
        self.files = {
            "strategy.yaml": STRATEGY, "policies.yaml": POLICIES,
            "audiences/quiet.yaml": "name: quiet\ndescription: x\nwhen: \"not did('Login', within => '2 days')\"\n",
            "messages/hello.md": message("Hello", body="Hello"),
            "messages/stay.md": message("Stay", body="Hello", purpose="stay"),
        }  # fmt: skip
        for name, head in JOURNEYS.items():
            steps = "".join(f"  - {chance.choice(STEPS)}\n" for _ in range(chance.randint(1, 4)))
            self.files[f"journeys/{name}.yaml"] = f"journey: {name}\n{head}{COMMON}steps:\n{steps}"
        self.deliver: Any = chance.choice(["none", "file"])
        self.ends = [START + days * DAY for days in (8, 14, 20)]
        self.said = sorted(self._random() for _ in range(size))
        self.removed: set[tuple[str, str]] = set()

    def _random(self) -> Said:
        chance = self.chance
        phase, kind = chance.randrange(3), chance.random()
        late = phase and chance.random() < 0.4
        begin = START if late or not phase else self.ends[phase - 1]
        at = begin + chance.randrange((self.ends[phase] - begin) // HOUR) * HOUR
        browser = chance.choice(BROWSERS)
        if kind < 0.3:
            return Said(at, "Login", browser, chance.choice(PEOPLE), "", phase, chance.random() < 0.3)
        if kind < 0.6:
            return Said(at, "Asked", browser, None, str(chance.randrange(10**6)), phase, False)
        name = "Booked" if kind < 0.95 else "Left"
        return Said(at, name, browser, None, f"b{chance.randrange(6)}", phase, False)

    def phase(self, space: Workspace, number: int) -> None:
        """Import and run one phase."""
        for bad in (True, False):
            events = [self._message(each) for each in self.said if each.phase == number and each.bad is bad]
            if events:
                source = "bad" if bad else "shop"
                space.add(*events, source=source, received_at=format_instant(self.ends[number]))
        space.run(format_instant(self.ends[number]), deliver=self.deliver, tick_size=self.chance.choice([1, 7, 2_000]))

    def _message(self, one: Said) -> Any:
        at = format_instant(one.at)
        if one.name == "Asked":
            return event("Asked", None, at, anonymous=one.browser, number=one.about)
        if one.name == "Login":
            return event("Login", one.who, at, anonymous=one.browser)
        guest = _guest(one)
        more = {} if guest is None else {"guest_id": f"anonymous_id:{guest}"}
        given = {"arrival": format_instant(one.at + 5 * DAY), **more} if one.name == "Booked" else {}
        return event(one.name, None, at, anonymous=one.browser, booking_id=one.about, **given)

    # The oracle

    def owner(self, browser: str, at: Instant, upto: int, *, without_bad: bool = False) -> str:
        """Whose a browser is at an instant, as of an import."""
        claims = sorted(
            (one.at, "bad" if one.bad else "shop", one.who)
            for one in self.said
            if one.name == "Login" and one.browser == browser and one.phase <= upto and one.who is not None
            and not (without_bad and one.bad) and (one.who, browser) not in self.removed
        )  # fmt: skip
        if not claims:
            return f"anonymous_id:{browser}"
        return "user_id:" + ([who for when, _, who in claims if when <= at] or [claims[0][2]])[-1]

    def words(self, about: str, upto: int) -> list[tuple[Instant, str]]:
        """What was said on an object, or on a number: when, and for which browser, in every role."""
        found = [one for one in self.said if one.about == about and one.phase <= upto]
        guests = [(one.at, guest) for one in found if (guest := _guest(one)) is not None]
        return [(one.at, one.browser) for one in found] + guests


def _guest(one: Said) -> str | None:
    """For whom a booking is besides: of three, one is for whoever has the other browser, one for the same one."""
    kind = int(one.about[1:]) % 3 if one.name == "Booked" else 0
    return (None, BROWSERS[one.browser == "phone"], one.browser)[kind]


def check(life: Life, folder: Path) -> int:
    """Live it, take a link back, retract what is bad and lift that; how many runs were looked at."""
    space = Workspace(folder)
    space.apply(life.files)
    for number in range(2):
        life.phase(space, number)
        look(space, life, number)
    looked = 0
    retraction = ""
    if any(one.bad and one.phase < 2 for one in life.said):
        retraction = retract(space.home, "bad", begin=START, end=life.ends[2], do=True)["retraction"]
        look(space, life, 1, without_bad=True)
    life.phase(space, 2)
    look(space, life, 2, without_bad=bool(retraction))
    if retraction:
        lift(space.home, retraction, do=True)
        looked = look(space, life, 2)
    _take_back(space, life)
    looked += look(space, life, 2)
    found = replay(space.home)
    assert found.different == 0, found.examples
    return looked


def _take_back(space: Workspace, life: Life) -> None:
    who, browser = life.chance.choice(PEOPLE), life.chance.choice(BROWSERS)
    life.removed.add((who, browser))
    at = format_instant(life.ends[2])
    space.add(event("Link Removed", who, at, a=who, b=f"anonymous_id:{browser}"), received_at=at)
    space.run(format_instant(life.ends[2] + DAY), deliver=life.deliver)


def look(space: Workspace, life: Life, upto: int, *, without_bad: bool = False) -> int:
    """Everything is of whom the oracle says; how many runs that were."""
    check_owners(space)

    def owner(browser: str, at: Instant) -> str:
        return life.owner(browser, at, upto, without_bad=without_bad)

    with State.open(space.home, readonly=True) as state:
        rows = state.connection.execute(
            "SELECT subject, identifier, journey, key, entered_at FROM enrollments WHERE outcome IS NOT 'retracted'"
        ).fetchall()
        shelves = {
            subject: sorted(decode(body).objects.get("booking", {})) for page in state.pages() for subject, body in page
        }
    for subject, identifier, journey, key, entered_at in rows:
        _, _, name = identifier.partition(":")
        if journey == "quiet" or identifier.startswith("user_id:"):
            continue
        mine = {owner(browser, at) for at, browser in life.words(key, upto) if browser == name and at <= entered_at}
        assert subject in mine, (subject, journey, key, format_instant(entered_at), mine)
    assert {subject: held for subject, held in shelves.items() if held} == _shelves(life, owner, upto)
    return len(rows)


def _shelves(life: Life, owner: Callable[[str, Instant], str], upto: int) -> dict[str, list[str]]:
    """Who has which bookings: each role is of whoever had the browser at the last word on it."""
    found: dict[str, set[str]] = {}
    for id in sorted({one.about for one in life.said if one.name in ("Booked", "Left") and one.phase <= upto}):
        words = [one for one in life.said if one.about == id and one.phase <= upto]
        last = max(words, key=lambda one: (one.at, one.name, one.browser))
        found.setdefault(owner(last.browser, last.at), set()).add(id)
        guests = [(one.at, one.browser, guest) for one in words if (guest := _guest(one)) is not None]
        if guests:
            at, _, guest = max(guests)
            found.setdefault(owner(guest, at), set()).add(id)
    return {subject: sorted(held) for subject, held in found.items()}
