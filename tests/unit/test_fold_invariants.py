"""Random strategies over random lives: what must hold whatever is declared and whatever happens.

Caps and quiet hours hold (I7), a timer fires once and never early (I9), the same inputs give the same outputs (I5),
every enrollment begins and ends once, and nothing is sent for an enrollment that has ended.
"""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import pytest
from scenario.engine_loop import MARKETING, NEWS, SERVICE, TRANSACTIONAL, Loop, at, message, quiet, strategy

from innkeeper.decisions.gates.cap import period_start
from innkeeper.decisions.gates.quiet_hours import quiet_until
from innkeeper.decisions.policy import Cap
from innkeeper.events.outputs import (
    AudienceEntered,
    AudienceLeft,
    DecisionMade,
    DeliveryPlanned,
    JourneyEntered,
    JourneyExited,
    StepReached,
)
from innkeeper.kernel.time import DAY, HOUR, Instant
from innkeeper.lifecycle import World, encode
from innkeeper.profiles.zone import zone_of
from innkeeper.strategy.types import Definitions

START = at("2026-03-20T00:00:00Z")
EVENTS = ["Login", "Buy", "Cancel", "Message Sent"]
CONDITIONS = [
    "did('Buy')", "did('Cancel', within => '2 days')", "count('Login', within => '3 days') >= 2", "traits.plan = 'pro'",
    "sum('Buy', total) > 60", "days_since_last('Login') > 1.5", "not did('Login', within => '1 day')",
    "in_audience('aa')", "stage = 'late'", "true", "count('Message Sent', within => '5 days') >= 2",
]  # fmt: skip
QUIET = quiet("21:00", "07:30")
CAPS = (Cap(at_most=2, per=3 * DAY), Cap(at_most=1, per=DAY, calendar="day"))
ZONES = ["Europe/Amsterdam", "America/New_York", "Pacific/Kiritimati", None]


def steps(chance: random.Random, depth: int = 0) -> list[str]:
    """A few steps in YAML flow style."""
    made = []
    for _ in range(chance.randint(1, 4)):
        condition = chance.choice(CONDITIONS)
        made.append(
            chance.choice(
                [
                    f"{{send: m{chance.randint(1, 4)}}}", f"{{wait: {chance.randint(1, 60)} hours}}",
                    '{wait: {until: "10:00"}}', f'{{wait: {{until: "{condition}", at_most: 30 hours}}}}',
                    '{wait: {until: event.day - 1 day, time: "09:00"}}', "{update: {plan: pro}}",
                    "{update: {plan: free}}", '{task: {queue: q, title: "{{ profile.plan }}"}}', "{stop: enough}",
                ]
            )
        )  # fmt: skip
        if depth < 2 and chance.random() < 0.25:
            inner, other = ", ".join(steps(chance, depth + 1)), ", ".join(steps(chance, depth + 1))
            made.append(f'{{branch: [{{if: "{condition}", steps: [{inner}]}}, {{else: [{other}]}}]}}')
    return made


def journeys(chance: random.Random) -> dict[str, str]:
    made = {}
    for number in range(chance.randint(1, 5)):
        by_event = chance.random() < 0.6
        enter = (
            f"{{event: {chance.choice(EVENTS[:3])}}}" if by_event else f"{{{chance.choice(['entered', 'left'])}: ab}}"
        )
        lines = [f"enter: {enter}", f"steps: [{', '.join(steps(chance))}]"]
        if by_event and chance.random() < 0.5:
            lines.append("key: id")
        if chance.random() < 0.6:
            lines.append(f'exit: ["{chance.choice(CONDITIONS)}"]')
        if chance.random() < 0.4:
            lines.append(f'goal: {{when: "{chance.choice(CONDITIONS)}", within: 3 days}}')
        lines.append(f"reentry: {chance.choice(['never', 'after_exit', 'always', '{after: 1 day}'])}")
        lines.append(f"priority: {chance.randint(0, 3)}\nshelf_life: {chance.choice(['5 hours', '24 hours'])}")
        made[f"j{number}"] = "\n".join(lines)
    return made


def definitions(chance: random.Random) -> Definitions:
    plain = [each for each in CONDITIONS if "in_audience" not in each and "stage" not in each]
    both = chance.choice([*plain, "in_audience('aa') and traits.plan = 'pro'"])
    return strategy(
        audiences={"aa": chance.choice(plain), "ab": both},
        stages=[("late", chance.choice(plain)), ("early", "true")], journeys=journeys(chance), quiet_hours=QUIET,
        caps=CAPS, zone="Europe/Lisbon", purposes=[MARKETING, SERVICE, TRANSACTIONAL, NEWS],
        messages=["m1", "m2", message("m3", purpose="service"), message("m4", purpose="transactional")],
    )  # fmt: skip


def life(chance: random.Random) -> list[tuple[Instant, Instant, str, dict[str, Any]]]:
    """Instant, when it is taken, name and properties; in the order of taking."""
    made, clock = [], START
    zone = chance.choice(ZONES)
    for number in range(chance.randint(3, 30)):
        clock += chance.choice([0, 1, HOUR, 7 * HOUR, 30 * HOUR, chance.randrange(3 * DAY)])
        more: dict[str, Any] = {"id": chance.choice([None, "a", "b"]), "total": chance.choice([10, 50, "x"])}
        more["day"] = f"2026-0{chance.randint(3, 6)}-1{chance.randint(0, 9)}"
        more["traits"] = {"plan": chance.choice(["pro", "free", None])} if chance.random() < 0.3 else {}
        if number == 0:
            more["traits"] = {"email": "a@b.example"} | ({} if zone is None else {"timezone": zone})
        late = chance.random() < 0.1
        made.append((clock - (chance.randrange(3 * DAY) if late else 0), clock, chance.choice(EVENTS), more))
    return made


def lived(world: World, happened: list[tuple[Instant, Instant, str, dict[str, Any]]]) -> Loop:
    loop = Loop(world)
    for timestamp, taken, name, more in happened:
        loop.event(timestamp, name, taken=taken, **dict(more))
    loop.until(happened[-1][1] + 60 * DAY)
    return loop


def check_sends(loop: Loop) -> None:
    planned = loop.of(DeliveryPlanned)
    assert len({each.delivery_id for _, each in planned}) == len(planned)
    zone = zone_of(loop.state, "Europe/Lisbon").name
    marketing = [when for when, each in planned if each.kind == "marketing"]
    for when, each in planned:
        if each.kind != "transactional":
            assert quiet_until(when, QUIET, zone) is None
        assert each.expires_at >= when
    for when in marketing:
        assert sum(when - 3 * DAY < other <= when for other in marketing) <= 2
        assert sum(period_start(when, "day", zone) <= other <= when for other in marketing) <= 1
    assert len(set(marketing)) == len(marketing)


def check_enrollments(loop: Loop) -> None:
    open_ones: set[str] = set()
    for each in loop.said:
        match each.output:
            case JourneyEntered(enrollment=enrollment):
                assert enrollment not in open_ones
                open_ones.add(enrollment)
            case JourneyExited(enrollment=enrollment):
                open_ones.remove(enrollment)
            case DeliveryPlanned(enrollment=enrollment) | DecisionMade(enrollment=enrollment):
                assert enrollment in open_ones
            case StepReached(enrollment=enrollment):
                assert enrollment in open_ones
    assert open_ones == {each.id for each in loop.state.enrollments}
    reached = Counter((each.enrollment, each.step) for _, each in loop.of(StepReached))
    assert set(reached.values()) <= {1}


def check_memberships(loop: Loop) -> None:
    members: set[str] = set()
    for each in loop.said:
        match each.output:
            case AudienceEntered(audience=name):
                assert name not in members
                members.add(name)
            case AudienceLeft(audience=name):
                members.remove(name)
    assert members == set(loop.state.memberships)


def run(seed: int) -> int:
    chance = random.Random(seed)
    declared, happened = definitions(chance), life(chance)
    loop = lived(World.build(declared), happened)
    if loop.state.parked is None:
        check_sends(loop)
        check_enrollments(loop)
        check_memberships(loop)
    again = lived(World.build(declared), happened)
    assert [each.output for each in again.said] == [each.output for each in loop.said]
    assert encode(again.state) == encode(loop.state)
    return len(loop.sent())


def test_what_must_always_hold() -> None:
    sends = sum(run(seed) for seed in range(150))
    assert sends > 100, "the strategies that were made up send next to nothing"


@pytest.mark.torture
def test_what_must_always_hold_thousands_of_times() -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}, 3,000 cases")
    for number in range(3_000):
        try:
            run(seed + number)
        except Exception as error:
            raise AssertionError(f"run({seed + number}) fails") from error
