"""Random lives of which every kind of fact is part, for what a retraction has to bring along: stays with an owner and
a guest, changed by a desk that is no part of it; journeys by booking; memories; double opt-in; homes and deaths; traits
with merge rules, declared in the middle.

The oracles are those of `retraction.py`, and compare what is known as a whole: facts, copies, tables.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from innkeeper.kernel.time import DAY, HOUR, Instant, format_instant
from innkeeper.profiles.state import Facts, ProfileState
from innkeeper.store.projections import WORDS
from innkeeper.store.state import State
from support import retraction
from support.workspace import Workspace

STRATEGY = """name: test
zone: UTC
events: { Order Completed: [total], Login: [], Booking: [booking_id, total], Booking Cancelled: [booking_id],
  Stay Booked: [stay_id, guest_id, arrival, nights], Stay Changed: [stay_id, guest_id, arrival, nights],
  Stay Cancelled: [stay_id] }
objects:
  stay:
    id: stay_id
    dates: { arrival: }
    roles: { owner: user, guest: guest_id }
    properties: [nights]
    events: { Stay Booked: { status: confirmed }, Stay Cancelled: { status: cancelled } }
    ended: [cancelled]
"""
CHANGES = "    events: { Stay Booked: { status: confirmed }, Stay Changed: , Stay Cancelled: { status: cancelled } }\n"
TRAITS = "traits:\n  plan: { type: text, merge: %s }\n  points: { type: number, merge: add }\n"
ABOUT_STAYS = (
    "any(stay, status = 'confirmed')", "count(stay) >= 2", "sum(stay, nights) > 3", "any(stay, role = 'guest')",
    "memory.pillow = 'soft'", "traits.points > 3",
)  # fmt: skip
JOURNEY = """journey: before-stay
key: stay
enter: { object: stay, at: arrival - 2 days, when: stay.status = 'confirmed' }
purpose: stay
steps:
  - send: service
  - wait: { until: stay.arrival }
  - send: service
"""


class FullCase(retraction.Case):
    """A case with everything in it."""

    def __init__(self, seed: int, *, families: int = 4) -> None:
        super().__init__(seed, families=families)
        self.audiences["things"] = self.chance.choice(ABOUT_STAYS[:4])
        self.audiences["words"] = self.chance.choice(ABOUT_STAYS[4:])
        for name in ("things", "words"):
            self.files[f"audiences/{name}.yaml"] = f'name: {name}\ndescription: x\nwhen: "{self.audiences[name]}"\n'
        strategy = STRATEGY.replace(
            STRATEGY[STRATEGY.index("    events: { Stay") : STRATEGY.index("    ended")], CHANGES
        )
        self.files["strategy.yaml"] = strategy + TRAITS % "oldest"
        self.files["journeys/before-stay.yaml"] = JOURNEY
        self.files["policies.yaml"] = retraction.POLICIES.replace(
            "basis: consent}", "basis: consent, double_opt_in: true}"
        )
        #: Object types and merge rules as they are at first, where they change in the middle.
        self.first = dict(self.files)
        if self.chance.random() < 0.5:
            self.first["strategy.yaml"] = STRATEGY + TRAITS % "newest"
        self.opened: set[Path] = set()

    def workspace(self, home: Path) -> Workspace:
        """A home with the first strategy in force."""
        made = Workspace(home)
        made.apply(self.first)
        return made

    def phase(self, space: Workspace, number: int, *, without: bool, tick_size: int = 2_000) -> None:
        """As for others; before the second phase the second strategy comes into force."""
        if number == 1 and space.home not in self.opened:
            self.opened.add(space.home)
            space.apply(self.files, at=format_instant(self.ends[0]))
        super().phase(space, number, without=without, tick_size=tick_size)

    def _random(self, family: int, at: Instant, id: str) -> Any:
        chance = self.chance
        if chance.random() < 0.35:
            return super()._random(family, at, id)
        who, other = (f"{family}{chance.choice(retraction.USERS)}" for _ in range(2))
        kind = chance.random()
        if kind < 0.45:
            arrival = format_instant(at + chance.randrange(1, 8) * DAY // HOUR * HOUR)
            properties: dict[str, Any] = {"stay_id": f"{family}-{chance.randrange(4)}"}
            name = chance.choice(["Stay Booked", "Stay Booked", "Stay Changed", "Stay Changed", "Stay Cancelled"])
            if name != "Stay Cancelled":
                properties |= {"arrival": arrival, "nights": chance.randrange(1, 5)}
                properties |= {"guest_id": other} if chance.random() < 0.6 else {}
            sender = "desk" if name != "Stay Booked" and chance.random() < 0.4 else who
            return self._message("track", at, sender, None, event=name, id=id, properties=properties)
        if kind < 0.6:
            name = chance.choice(["Memory Noted", "Memory Noted", "Memory Forgotten"])
            properties = {"about": "pillow", "value": chance.choice(["soft", "hard"])}
            properties |= {"explicit": chance.random() < 0.5}
        elif kind < 0.75:
            name = chance.choice(
                ["Double Opt-In Requested", "Double Opt-In Confirmed", "Consent Given", "Consent Withdrawn"]
            )
            properties = {"purpose": "news", "channel": "email", "address": f"{who}@x.example"}
        elif kind < 0.85:
            name = chance.choice(["Household Joined", "Household Joined", "Household Left"])
            properties = {"household_id": f"home-{family}"}
        elif kind < 0.9:
            name = chance.choice(["Deceased Reported", "Suppression Corrected"])
            properties = {"reason": "deceased", "by": "desk"} if name == "Suppression Corrected" else {}
        else:
            traits = {"points": chance.randrange(1, 4), "plan": chance.choice(["pro", "free", None])}
            return self._message("identify", at, who, None, traits=traits, id=id)
        return self._message("track", at, who, None, event=name, id=id, properties=properties)


def compare(real: Workspace, oracle: Workspace, case: retraction.Case) -> None:
    """As for others, and: everything that is known of customers and things is the same, also in the tables."""
    retraction.compare(real, oracle, case)
    mine, theirs = retraction.states(real), retraction.states(oracle)
    for subject in sorted(mine.keys() & theirs.keys()):
        assert _known(mine[subject]) == _known(theirs[subject]), subject
    assert _things(real) == _things(oracle)
    for table in WORDS:
        a, b = (_rows(space, table) for space in (real, oracle))
        assert a == b, (table, a ^ b)


def _known(state: ProfileState) -> Any:
    known = {name: _facts(facts) for name, facts in sorted(state.facts.items())}
    shelves = {type_: shelf for type_, shelf in state.objects.items() if shelf}
    plans = {name: (plan.target, plan.reached, plan.entered) for name, plan in state.plans.items()}
    return msgspec.to_builtins((known, shelves, plans))


def _facts(facts: Facts) -> Any:
    # How journeys' own words are named does not count.
    def plain(trait: Any) -> Any:
        return trait.value, trait.at, trait.source

    return {
        "since": facts.since,
        "traits": {name: plain(each) for name, each in facts.traits.items()},
        "others": {name: [plain(each) for each in words] for name, words in facts.others.items() if words},
        "firsts": {name: plain(each) for name, each in facts.firsts.items()},
        "rest": (facts.memories, facts.verified, facts.households, facts.death, facts.consents, facts.suppressions),
    }


def _things(space: Workspace) -> set[Any]:
    with State.open(space.home, readonly=True) as state:
        return set(state.connection.execute("SELECT kind, type, id, next_due_at, body FROM things"))


def _rows(space: Workspace, table: str) -> set[Any]:
    with State.open(space.home, readonly=True) as state:
        return set(state.connection.execute("SELECT * FROM " + table))
