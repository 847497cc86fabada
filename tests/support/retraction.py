"""Random lives, families of three users and three devices, with a bad import in them: what has to hold when it is
retracted and when that is lifted.

The oracle is another workspace: the same strategy, the same imports and runs, without the bad events. What was really
sent is the one thing that may be different.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from innkeeper import lifecycle
from innkeeper.events.types import ENGINE_SOURCE
from innkeeper.kernel.ids import display_id
from innkeeper.kernel.time import DAY, HOUR, Instant, SystemClock, format_instant, parse_instant
from innkeeper.profiles.state import ProfileState
from innkeeper.profiles.traits import all_traits
from innkeeper.runtime.audience import Audiences
from innkeeper.runtime.replay import replay
from innkeeper.runtime.retract import lift, retract
from innkeeper.store.bulk import Bulk
from innkeeper.store.state import State
from support.workspace import BASE, Workspace, message

START = parse_instant("2026-01-05T00:00:00Z")
USERS = ("u0", "u1", "u2")
DEVICES = ("d0", "d1", "d2")
NAMES = ("Login", "Order Completed", "Booking", "Booking Cancelled")
CONDITIONS = (
    "sum('Order Completed', total) > 60", "count('Login', within => '3 days') >= 2", "did('Order Completed')",
    "traits.plan = 'pro'", "did('Booking Cancelled', within => '2 days')", "not did('Login', within => '1 day')",
    "days_since_last('Login') > 1.5", "distinct('Booking', booking_id) >= 2",
)  # fmt: skip
STEPS = (
    "send: hello", "send: service", "wait: 20 hours", "wait: 2 days", "update: { plan: pro }", "update: { plan: null }",
    "task: { queue: desk, title: call }", "wait: { until: \"did('Login')\", at_most: 30 hours }",
)  # fmt: skip
POLICIES = (
    "purposes:\n  offers: {kind: marketing, basis: legitimate_interest}\n  stay: {kind: service, basis: contract}\n"
    "  news: {kind: marketing, basis: consent}\n"
    "caps:\n  - {at_most: 2, per: 3 days}\n"
)


#: Compares a workspace with its oracle.
Compare = Callable[[Workspace, Workspace, "Case"], None]


class Case:
    """One random strategy and life, in three phases: an import and a run each."""

    def __init__(self, seed: int, *, families: int = 10) -> None:
        self.chance = chance = random.Random(seed)
        self.families = families
        self.fresh = chance.random() < 0.7
        self.files = {
            "stages.yaml": f'- stage: late\n  when: "{chance.choice(CONDITIONS)}"\n- stage: early\n  when: "true"\n',
            "messages/hello.md": message("Hello", body="Hello", purpose=chance.choice(["offers", "news"])),
            "messages/service.md": message("Service", body="Hello", purpose="stay"),
            "policies.yaml": POLICIES,
        }
        if seed % 2:
            self.files["strategy.yaml"] = BASE["strategy.yaml"].replace("[plan]", "{plan: {retention: 4 days}}")
        self.audiences = {name: chance.choice(CONDITIONS) for name in ("aa", "ab")}
        for name, condition in self.audiences.items():
            self.files[f"audiences/{name}.yaml"] = f'name: {name}\ndescription: x\nwhen: "{condition}"\n'
        for number in range(chance.randint(1, 3)):
            self.files[f"journeys/j{number}.yaml"] = self._journey(f"j{number}")
        self.deliver: Any = chance.choice(["none", "file"])
        self.ends = [START + 6 * DAY, START + 12 * DAY, START + 16 * DAY]
        self.period = (START + chance.randrange(4 * DAY), START + 8 * DAY + chance.randrange(6 * DAY))
        self.by_list = chance.random() < 0.3
        self.phases: list[list[tuple[str, Any]]] = [self._events(phase) for phase in range(3)]
        self.listed = {
            one["messageId"] for phase in self.phases[:2] for source, one in phase if self._is_bad(source, one)
        }

    def _journey(self, name: str) -> str:
        chance = self.chance
        keyed = chance.random() < 0.4
        enter = "{event: Booking}" if keyed else chance.choice(["{event: Login}", "{audience: aa}", "{audience: ab}"])
        lines = [f"journey: {name}", f"enter: {enter}"]
        lines += ["key: booking_id"] if keyed else []
        if chance.random() < 0.5:
            lines.append(f'exit: ["{chance.choice(CONDITIONS)}"]')
        lines.append(f"reentry: {chance.choice(['never', 'after_exit', 'always'])}")
        lines.append("purpose: stay" if chance.random() < 0.3 else "shelf_life: 30 hours")
        return (
            "\n".join([*lines, "steps:", *(f"  - {chance.choice(STEPS)}" for _ in range(chance.randint(2, 5)))]) + "\n"
        )

    def _events(self, phase: int) -> list[tuple[str, Any]]:
        chance = self.chance
        begin = START if phase == 0 else self.ends[phase - 1]
        made: list[tuple[str, Any]] = []
        for family in range(self.families):
            if phase == 0:
                for who in (f"{family}{name}" for name in USERS):
                    traits = {"email": f"{who}@x.example"}
                    first = self._message("identify", START + 1, who, None, traits=traits, id=f"first-{who}")
                    made.append(("shop", first))
            for number in range(chance.randint(6, 16)):
                late = phase > 0 and chance.random() < 0.2
                at = (START if late else begin) + chance.randrange(6 * DAY) // HOUR * HOUR + chance.randrange(2)
                source = chance.choice(["shop", "shop", "bad"])
                made.append((source, self._random(family, at, f"{phase}-{family}-{number}")))
        return made

    def _random(self, family: int, at: Instant, id: str) -> Any:
        chance = self.chance
        who = f"{family}{chance.choice(USERS)}" if chance.random() < 0.75 else None
        device = f"{family}{chance.choice(DEVICES)}" if who is None or chance.random() < 0.2 else None
        kind = chance.random()
        if kind < 0.12:
            return self._message(
                "identify", at, who, device, traits={"plan": chance.choice(["pro", "free", None])}, id=id
            )
        if kind < 0.2:
            name = chance.choice(["Consent Given", "Consent Withdrawn", "Suppressed", "Unsuppressed"])
            return self._message("track", at, who, device, event=name, id=id, properties={"purpose": "news"})
        properties = {"total": chance.choice([10, 30, 70]), "booking_id": chance.choice(["b1", "b2", "b3"])}
        return self._message("track", at, who, device, event=chance.choice(NAMES), id=id, properties=properties)

    def _message(self, kind: str, at: Instant, who: str | None, device: str | None, *, id: str, **more: Any) -> Any:
        return {
            "type": kind, "userId": who, "anonymousId": device, "timestamp": format_instant(at), "messageId": id, **more
        }  # fmt: skip

    def _is_bad(self, source: str, one: Any) -> bool:
        return source == "bad" and (self.by_list or self.period[0] <= parse_instant(one["timestamp"]) < self.period[1])

    def is_bad(self, source: str, one: Any) -> bool:
        """Whether the retraction of this case is about an event."""
        return one["messageId"] in self.listed if self.by_list else self._is_bad(source, one)

    def workspace(self, home: Path) -> Workspace:
        """A home with the strategy in force."""
        made = Workspace(home)
        made.apply(self.files)
        return made

    def phase(self, space: Workspace, number: int, *, without: bool, tick_size: int = 2_000) -> None:
        """Import and run one phase, with or without the bad events."""
        for source in ("bad", "shop"):
            events = [one for name, one in self.phases[number] if name == source]
            if source == "bad" and without:
                events = [one for one in events if not self.is_bad("bad", one)]
            if events:
                # What arrived long ago is sealed at the end of the run.
                arrived = SystemClock().now() if self.fresh else self.ends[number]
                space.add(*events, source=source, received_at=format_instant(arrived))
        space.run(format_instant(self.ends[number]), deliver=self.deliver, tick_size=tick_size)

    def retract(self, space: Workspace) -> dict[str, Any]:
        """Retract the bad events."""
        return retract(space.home, "bad", do=True, **self.which())

    def which(self) -> dict[str, Any]:
        """Which events those are."""
        return {"messages": self.listed} if self.by_list else {"begin": self.period[0], "end": self.period[1]}


def check(case: Case, folder: Path, *, compare: Compare | None = None) -> dict[str, Any]:
    """Play a case: retract after two phases, go on, lift; compare with the oracles at each; what was retracted."""
    compare = compare or _compare
    real, without, whole = (case.workspace(folder / name) for name in ("real", "without", "whole"))
    tick_size = case.chance.choice([1, 7, 2_000])
    for number in range(2):
        case.phase(real, number, without=False, tick_size=tick_size)
        case.phase(without, number, without=True)
        case.phase(whole, number, without=False)
    if not case.listed:
        return {}
    told = case.retract(real)
    compare(real, without, case)
    case.phase(real, 2, without=False, tick_size=tick_size)
    case.phase(without, 2, without=True)
    case.phase(whole, 2, without=False)
    compare(real, without, case)
    lift(real.home, told["retraction"], do=True)
    compare(real, whole, case)
    found = replay(real.home)
    assert found.different == 0, found.examples
    return told


def compare(real: Workspace, oracle: Workspace, case: Case) -> None:
    """Everything but what was sent is as in the oracle; and bulk answers are what the engine has announced."""
    mine, theirs = states(real), states(oracle)
    reached = _reached(real)
    for subject in mine.keys() | theirs.keys():
        a, b = mine.get(subject), theirs.get(subject)
        if a is None or b is None:
            # A profile that is only there because it was written to, here or there.
            left = a or b
            assert left is not None
            names = set(left.facts) | {subject}
            assert not names.isdisjoint(reached | _reached(oracle)), f"{subject} is only in {'real' if a else 'oracle'}"
            continue
        assert process(a) == process(b), f"{subject}\n{process(a)}\n{process(b)}"
        assert facts(a, b.facts.keys()) == facts(b, a.facts.keys()), (
            f"{subject}\n{facts(a, b.facts.keys())}\n{facts(b, a.facts.keys())}"
        )
    told, expected = enrollments(real), enrollments(oracle)
    assert told == expected, f"only here {set(told) - set(expected)}\nmissing {set(expected) - set(told)}"
    assert open_tasks(real) <= open_tasks(oracle), open_tasks(real) - open_tasks(oracle)
    bulk = Audiences(real.home)
    for name, condition in case.audiences.items():
        announced = {display_id(subject) for subject, state in mine.items() if name in state.memberships}
        assert set(bulk.ids(bulk.understand(condition, allow_unknown=True), None)) == announced, (name, condition)


_compare = compare


def states(space: Workspace) -> dict[str, ProfileState]:
    """All profiles."""
    with State.open(space.home, readonly=True) as state:
        return {subject: lifecycle.decode(body) for page in state.pages() for subject, body in page}


def process(state: ProfileState) -> Any:
    """What is announced, and where its journeys stand."""
    return {
        "memberships": sorted(state.memberships),
        "stage": state.stage,
        "enrollments": sorted(
            (one.journey, one.key or "", one.step, one.began_at, one.waiting, one.due_at, one.until, one.identifier)
            for one in state.enrollments
        ),
        "visits": {
            key: sorted((one.identifier, one.began_at, one.ended_at or 0) for one in visits)
            for key, visits in state.visits.items()
        },
    }


def facts(state: ProfileState, names: Sequence[str] | Any) -> Any:
    """What is known under the identifiers that both have."""
    return {
        "traits": all_traits(state),
        "words": {
            name: (each.consents, each.suppressions, each.accumulators)
            for name, each in sorted(state.facts.items())
            if name in names
        },
    }


def enrollments(space: Workspace) -> list[Any]:
    """The table of enrollments, without those that a retraction has taken away."""
    with State.open(space.home, readonly=True) as state:
        return state.connection.execute(
            "SELECT subject, identifier, journey, key, step, entered_at, ended_at, outcome FROM enrollments"
            " WHERE outcome IS NOT 'retracted' ORDER BY identifier, journey, key, entered_at, step, ended_at"
        ).fetchall()


def open_tasks(space: Workspace) -> set[Any]:
    """The open tasks, by who they are about and what made them."""
    with State.open(space.home, readonly=True) as state:
        return set(state.connection.execute("SELECT identifier, journey, key FROM tasks WHERE state = 'open'"))


def _reached(space: Workspace) -> set[str]:
    with Bulk.open(space.home) as bulk:
        rows = bulk.rows("SELECT DISTINCT identifier FROM events WHERE source = $s AND is_input", {"s": ENGINE_SOURCE})
    return {identifier for (identifier,) in rows}
