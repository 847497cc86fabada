"""Reading journeys: every mistake is a finding with its place, all at once."""

from __future__ import annotations

import pytest

from innkeeper.journeys.definition import AudienceEntry, EventEntry, Journey, Reentry
from innkeeper.journeys.read import read_journey
from innkeeper.kernel.errors import Problem
from innkeeper.kernel.located import Findings
from innkeeper.kernel.time import DAY, HOUR
from innkeeper.strategy.yaml import read_yaml


def read(text: str) -> tuple[Journey | None, list[Problem]]:
    findings = Findings()
    node = read_yaml(text, "journeys/j.yaml", findings)
    assert node is not None
    return read_journey(node, "j", findings), findings.problems


GOOD = "enter: {event: Start}\nsteps: [{send: m}]\n"


@pytest.mark.parametrize(
    ("text", "code", "line"),
    [
        ("steps: []", "missing-key", 1),
        ("enter: {event: A}", "missing-key", 1),
        ("enter: {event: A, audience: b}\nsteps: []", "bad-entry", 1),
        ("enter: {}\nsteps: []", "bad-entry", 1),
        ("enter: Start\nsteps: []", "not-a-mapping", 1),
        ("enter: {event: A, wher: x}\nsteps: []", "unknown-key", 1),
        ("enter: {audience: a, change: entred}\nsteps: []", "not-a-choice", 1),
        ("enter: {entered: a}\nkey: id\nsteps: []", "key-without-event", 2),
        (GOOD + "key: 'a b'", "bad-key", 3),
        (GOOD + "exits: [did('A')]", "unknown-key", 3),
        (GOOD + "exit:\n  - did(", "syntax", 4),
        (GOOD + "goal: {event: A, when: did('A')}", "bad-goal", 3),
        (GOOD + "goal: {}", "bad-goal", 3),
        (GOOD + "reentry: sometimes", "bad-reentry", 3),
        (GOOD + "reentry: {after: soon}", "bad-duration", 3),
        (GOOD + "priority: high", "not-a-number", 3),
        (GOOD + "shelf_life: long", "bad-duration", 3),
        (GOOD + "late: never", "not-a-choice", 3),
        ("enter: {event: A}\nsteps:\n  - sned: m", "unknown-step", 3),
        ("enter: {event: A}\nsteps:\n  - {send: m, wait: 1 day}", "not-a-step", 3),
        ("enter: {event: A}\nsteps:\n  - send: [a]", "not-a-message", 3),
        ("enter: {event: A}\nsteps:\n  - wait: soon", "bad-duration", 3),
        ("enter: {event: A}\nsteps:\n  - wait: {for: 1 day, until: traits.x}", "bad-wait", 3),
        ("enter: {event: A}\nsteps:\n  - wait: {until: traits.x, time: '10:00'}", "bad-wait", 3),
        ("enter: {event: A}\nsteps:\n  - wait: {for: 3 days, time: '10:00'}", "bad-wait", 3),
        ("enter: {event: A}\nsteps:\n  - wait: {until: '10:00', at_most: 1 day}", "bad-wait", 3),
        ("enter: {event: A}\nsteps:\n  - wait: {until: event.a - 3 dys}", "bad-duration", 3),
        ("enter: {event: A}\nsteps:\n  - wait: {until: event.a, time: '25:00'}", "bad-time-of-day", 3),
        ("enter: {event: A}\nsteps:\n  - wait: {until: 'traits.x ='}", "syntax", 3),
        ("enter: {event: A}\nsteps:\n  - branch:\n    - else: []\n    - {if: traits.x, steps: []}", "else-not-last", 4),
        ("enter: {event: A}\nsteps:\n  - branch:\n    - {steps: []}", "missing-key", 4),
        ("enter: {event: A}\nsteps:\n  - task: {title: x}", "missing-key", 3),
        ("enter: {event: A}\nsteps:\n  - update: 5", "not-traits", 3),
    ],
)
def test_a_mistake_is_found_where_it_stands(text: str, code: str, line: int) -> None:
    _, problems = read(text)
    assert (problems[0].file, problems[0].line) == ("journeys/j.yaml", line)
    assert problems[0].code == code
    assert all(each.message for each in problems)


def test_all_mistakes_are_found_at_once() -> None:
    _, problems = read("enter: {event: A}\nexit: [did(]\npriority: x\nsteps:\n  - sned: m\n  - wait: soon\n")
    assert len(problems) >= 1
    _, problems = read("enter: {event: A}\npriority: x\nlat: y\nsteps:\n  - sned: m\n  - wait: soon\n")
    assert {each.code for each in problems} == {"not-a-number", "unknown-key", "unknown-step", "bad-duration"}
    assert "did you mean 'send'?" in {each.fix for each in problems}


def test_every_expression_and_name_is_kept_for_the_checker() -> None:
    journey, problems = read(
        "journey: named\nenter: {event: A, where: x > 1, when: traits.a}\n"
        "exit: [did('B')]\ngoal: {event: C, within: 2 days}\n"
        "purpose: service\nsteps:\n  - wait: {until: did('D'), at_most: 1 hour}\n  - branch:\n    - if: traits.b\n"
        "      steps: [{send: m}]\n    - else: [{task: {queue: q, title: '{{ profile.a }}'}}]\n"
    )
    assert problems == []
    assert journey is not None
    assert journey.name == "named"
    assert [(each.scope, each.place.line) for each in journey.clauses] == [
        ("event", 2), ("journey", 3), ("journey", 2), ("journey", 4), ("journey", 7), ("journey", 9),
    ]  # fmt: skip
    assert {(each.kind, each.name) for each in journey.mentions} == {
        ("event", "A"), ("event", "C"), ("purpose", "service"), ("message", "m"), ("template", "{{ profile.a }}"),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("enter", "expected"),
    [
        ("{entered: loyal}", AudienceEntry(audience="loyal", change="entered")),
        ("{left: loyal}", AudienceEntry(audience="loyal", change="left")),
        ("{audience: loyal}", AudienceEntry(audience="loyal", change="entered")),
        ("{audience: loyal, change: left}", AudienceEntry(audience="loyal", change="left")),
        ("{event: Order Completed}", EventEntry(event="Order Completed")),
    ],
)
def test_the_ways_to_enter(enter: str, expected: object) -> None:
    journey, problems = read(f"enter: {enter}\nsteps: []")
    assert problems == []
    assert journey is not None
    assert journey.enter == expected


def test_defaults_and_versions() -> None:
    journey, _ = read(GOOD)
    same, _ = read("enter:\n  event: Start\nsteps:\n  - send: m\n")
    other, _ = read(GOOD + "priority: 2\nreentry: {after: 2 days}\nshelf_life: 3 hours")
    assert journey is not None
    assert same is not None
    assert other is not None
    assert (journey.name, journey.shelf_life, journey.reentry, journey.late) == ("j", DAY, Reentry(), "enter")
    assert journey.version == same.version != other.version
    assert (other.priority, other.reentry, other.shelf_life) == (2, Reentry(mode="after", period=2 * DAY), 3 * HOUR)
