"""Random histories whose older part has gone: SQL, accumulators and flips answer like the oracle that saw all."""

from __future__ import annotations

import os
import random
from typing import Any

import pytest
from oracle import audience_oracle
from oracle.audience_carried import carried_of, split, without_short_windows
from oracle.audience_cases import Dice
from oracle.audience_equality import catalog
from oracle.audience_world import World

from innkeeper.audiences import Expression, compile_live, print_expression
from innkeeper.audiences.ask import Question
from innkeeper.audiences.expand import expand
from innkeeper.audiences.flips import HISTORY_SQL, Flip, History
from innkeeper.audiences.owners import Owners
from innkeeper.events.types import Event
from innkeeper.kernel.time import DAY

SEED = int(os.environ.get("INNKEEPER_SEED", "20261124"))
LENGTH = 12 * DAY
CARRIED_VIEW = """
CREATE VIEW carried AS
SELECT identifier, ts, properties FROM fixed WHERE source = 'innkeeper' AND name = 'Facts Carried'
"""


@pytest.mark.parametrize("number", range(25))
def test_nothing_changes_when_the_older_part_has_gone(number: int) -> None:
    seed = SEED + number
    dice, draw = Dice(seed), random.Random(seed)
    zone = draw.choice(("UTC", "America/New_York"))
    events, known = dice.history(people=6, events=draw.randrange(20, 80)), catalog()
    questions: list[Expression] = []
    while len(questions) < 15:
        expression = dice.condition(3)
        if without_short_windows(expand(expression, known), LENGTH):
            questions.append(expand(expression, known))
    # Two runs of the job, the second over what the first has left.
    left, until = events, 0
    carried: list[Event] = []
    for run in range(2):
        until = max(until, dice.instant())
        gone, left = split(left, until, draw)
        carried += carried_of(gone, questions, run, left)
    world = World([*left, *carried], zone)
    world.run(CARRIED_VIEW)
    whole = World(events, zone)
    whole.view(frozenset())
    for each in questions:
        at = until + LENGTH + draw.choice((0, 1, DAY, 40 * DAY))
        place = f"seed {seed}, until {until}, at {at}: {print_expression(each)}"
        expected = audience_oracle.members(each, events, at, known, zone)
        question = Question(each, known, at=at, zone=zone, carried=True)
        world.view(question.properties)
        assert question.members(world.run) == expected, f"SQL: {place}"
        found = [_flips(each, one, at, zone) for one in (world, whole)]
        assert found[0] == found[1], f"flips: {place}"
        for summary in compile_live(each).accumulators:
            _folds(summary, events, [*left, *carried], at, place)


def _flips(expression: Expression, world: World, at: int, zone: str) -> list[Flip]:
    owners = Owners.of(world.run, world.rules)
    history = History(expression, begin=at - 1, until=at, owners=owners, zone=zone)
    return history.flips(world.run(HISTORY_SQL, history.parameters))


def _folds(summary: Any, before: list[Event], after: list[Event], at: int, place: str) -> None:
    """Merged from carried totals and what is left, a summary answers as over the whole history."""
    for identifier in {event.identifier for event in before}:
        states: list[Any] = []
        for events in (before, after):
            state: Any = None
            for event in events:
                if event.identifier == identifier and event.timestamp <= at:
                    if event.name == "Facts Carried":
                        state = summary.merge(state, summary.resume(event.properties["accumulators"].get(summary.key)))
                    elif event.is_input and event.name == summary.event:
                        state = summary.add(state, event)
            states.append(summary.read(_Reader(state), at)[0])
        assert states[0] == states[1], f"fold of {identifier}: {place}"


class _Reader:
    def __init__(self, state: object) -> None:
        self.state = state

    def accumulated(self, accumulator: object) -> object:
        return self.state

    def zone(self) -> str:
        return "UTC"
