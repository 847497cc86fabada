"""Audiences over objects: SQL = fold = oracle on random histories, and every flip at its exact instant."""

from __future__ import annotations

import os
import random
from itertools import pairwise
from pathlib import Path

import pytest
from oracle.audience_world import World
from oracle.identity_order import ListMemory, Remembering
from oracle.object_oracle import START, STRATEGY, Happened, bookings, date_at, random_history
from oracle.object_world import DAY, Question, event_of, members, random_question
from support.workspace import Workspace, event

from innkeeper import lifecycle
from innkeeper.audiences import Catalog, check, compile_live, parse, print_expression
from innkeeper.audiences.flips import HISTORY_SQL, History
from innkeeper.audiences.jsonform import from_json, to_json
from innkeeper.audiences.owners import Owners
from innkeeper.audiences.words import words
from innkeeper.kernel.errors import Invalid
from innkeeper.kernel.time import BEGINNING
from innkeeper.profiles.reading import ProfileReader
from innkeeper.runtime.audience import load_catalog
from innkeeper.runtime.engine import Engine, Item
from innkeeper.runtime.told import told_from
from innkeeper.store.state import State
from innkeeper.strategy.known import KnownNames
from innkeeper.strategy.load import load

SEED = int(os.environ.get("INNKEEPER_SEED", "20261125"))
DEFINITIONS = load({"strategy.yaml": STRATEGY})


def catalog() -> Catalog:
    return load_catalog(DEFINITIONS, KnownNames())


def by_fold(question: Question, history: list[Happened], at: int, dice: random.Random) -> list[str]:
    """The members, from profiles folded in random order with duplicates."""
    happened = [event for event in history if event.at <= at]
    order = [*happened, *dice.sample(happened, len(happened) // 3)]
    dice.shuffle(order)
    condition = compile_live(parse(question.text))
    found = []
    with State.in_memory() as store:
        memory = ListMemory(store)
        engine = Engine(store, lifecycle.World.build(DEFINITIONS), delivery="virtual", memory=memory)
        items = [Item(event_of(one, seq), one.at, "history") for seq, one in enumerate(order)]
        Remembering(engine, memory).tick(items, BEGINNING)
        for page in store.pages():
            for subject, body in page:
                state = lifecycle.decode(body)
                if not state.facts:
                    continue
                holds, recheck = condition.evaluate(ProfileReader(state, "UTC"), at)
                assert recheck > at
                if holds:
                    found.append(subject)
    return sorted(found)


def check_world(seed: int, questions: int) -> int:
    dice = random.Random(seed)
    history, answered = random_history(dice), 0
    world = World([event_of(one, seq) for seq, one in enumerate(history, 1)])
    for number in range(questions):
        question = random_question(dice)
        at = START + dice.randrange(-1, 45) * DAY + dice.choice((0, 0, 1))
        place = f"seed {seed}, question {number}, at {at}: {question.text}"
        expression = parse(question.text)
        assert parse(print_expression(expression)) == expression, place
        assert from_json(to_json(expression)) == expression, place
        assert words(expression)
        assert not check(expression, catalog()).errors, place
        expected = members(question, history, at)
        answered += bool(expected)
        assert world.by_sql(expression, catalog(), at) == expected, f"SQL: {place}"
        assert by_fold(question, history, at, dice) == expected, f"fold: {place}"
    return answered


@pytest.mark.parametrize("block", range(10))
def test_three_answers_are_one(block: int) -> None:
    answered = sum(check_world(SEED + block * 30 + number, 1) for number in range(30))
    print(f"seeds from {SEED + block * 30}: {answered} of 30 questions with members")
    assert answered > 5


def check_flips(seed: int) -> int:
    dice = random.Random(seed)
    history, question = random_history(dice), random_question(dice)
    begin, until = START + 2 * DAY, START + 50 * DAY
    dates = {
        at for upto in {event.at for event in history} for known in bookings(history, upto).values()
        for name in ("arrival", "departure") if (at := date_at(known, name)) is not None
    }  # fmt: skip
    fixed = {START + half * DAY // 2 for half in range(40)} if "'20" in question.text else set()
    points = {event.at for event in history} | {at - shift for at in dates | fixed for shift in question.shifts}
    instants = sorted({begin, until, *(p + s for p in points for s in (-1, 0, 1) if begin < p + s <= until)})
    answers = [set(members(question, history, at)) for at in instants]
    expected = [
        (at, subject, subject in after)
        for (before, after), at in zip(pairwise(answers), instants[1:], strict=True)
        for subject in sorted(before ^ after)
    ]
    events = [event_of(one, seq) for seq, one in enumerate(history, 1)]
    told = told_from(events, DEFINITIONS.workspace.objects)
    world = World(events)
    world.view(frozenset())
    asked = History(parse(question.text), begin=begin, until=until, owners=Owners.of(world.run, world.rules), told=told)
    made = [(flip.at, flip.subject, flip.member) for flip in asked.flips(world.run(HISTORY_SQL, asked.parameters))]
    assert made == sorted(expected), f"seed {seed}: {question.text}"
    return len(made)


@pytest.mark.parametrize("block", range(10))
def test_flips_are_exact(block: int) -> None:
    found = sum(check_flips(SEED + block * 30 + number) for number in range(30))
    print(f"seeds from {SEED + block * 30}: {found} flips")
    assert found > 5


@pytest.mark.torture
def test_three_answers_are_one_many_times() -> None:
    for seed in range(SEED + 10_000, SEED + 12_000):
        check_world(seed, 3)
        check_flips(seed)


WRONG = [
    ("any(bookin)", "unknown-object", "'booking'"),
    ("any(booking, romm = '12')", "unknown-property", "'room'"),
    ("sum(booking, totl) > 1", "unknown-property", "'total'"),
    ("any(booking, arrival = 'soon')", "type", "an instant in ISO 8601"),
    ("any(booking, arrival > 5)", "type", ""),
]


@pytest.mark.parametrize(("text", "code", "fix"), WRONG)
def test_what_the_check_refuses(text: str, code: str, fix: str) -> None:
    [problem] = check(parse(text), catalog()).errors
    assert problem.code == code
    assert fix in problem.fix
    assert problem.line == 1


BAD = [
    ("any('booking')", "not-a-name"), ("sum(booking) > 1", "argument-count"),
    ("any(booking, did('Login'))", "function-in-where"), ("count(booking, within => '3 days') > 1", "unknown-argument"),
    ("any(booking, status = 'a', room = '1')", "argument-count"), ("booking.status = 'confirmed'", "unknown-name"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "code"), BAD)
def test_what_the_parser_refuses(text: str, code: str) -> None:
    with pytest.raises(Invalid) as caught:
        parse(text)
    assert caught.value.problems[0].code == code


def test_commands_answer_about_objects(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "home")
    workspace.apply({"strategy.yaml": STRATEGY, "audiences/soon.yaml": SOON})
    workspace.add(
        event("Booking Confirmed", "ann", "2026-01-01T09:00:00Z", booking_id="b1", arrival="2026-01-10"),
        event("Booking Confirmed", "bob", "2026-01-02T09:00:00Z", booking_id="b2", arrival="2026-02-10"),
    )
    workspace.run("2026-01-09T00:00:00Z")
    assert workspace.cli("audience", "list", "in_audience('soon')")["ids"] == ["ann"]
    [entered] = workspace.outputs("Audience Entered")
    # Three days before three in the afternoon in Lisbon, to the microsecond.
    assert entered[0] == "2026-01-07T15:00:00Z"
    flips = workspace.cli(
        "audience", "flips", "in_audience('soon')", "--from", "2026-01-01T00:00:00Z", "--until", "2026-03-01T00:00:00Z"
    )["flips"]
    assert flips == [
        {"id": "ann", "at": "2026-01-07T15:00:00Z", "member": True},
        {"id": "ann", "at": "2026-01-10T15:00:00.000001Z", "member": False},
        {"id": "bob", "at": "2026-02-07T15:00:00Z", "member": True},
        {"id": "bob", "at": "2026-02-10T15:00:00.000001Z", "member": False},
    ]
    told = workspace.cli("audience", "explain", "count(booking, status = 'confirmed') >= 1")
    assert told["words"] == "the number of 'booking' objects where status is 'confirmed' is at least 1"


SOON = "when: \"any(booking, arrival between now() and now() + '3 days' and status = 'confirmed')\"\n"
