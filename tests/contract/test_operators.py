"""Every function's examples are its truth table: SQL, accumulator and oracle give the answer that the row says.

And the laws of accumulators, for every function and shape of window.
"""

from __future__ import annotations

import random
from typing import Any

import pytest
from oracle import audience_oracle
from oracle.audience_cases import START, Dice
from oracle.audience_world import World

from innkeeper.audiences import MISSING, Catalog, parse, print_expression, words
from innkeeper.audiences.accumulators import make_summary
from innkeeper.audiences.nodes import Aggregate, walk
from innkeeper.audiences.operators import OPERATORS
from innkeeper.audiences.operators.base import Example
from innkeeper.audiences.operators.signatures import FUNCTIONS
from innkeeper.events.types import Event
from innkeeper.kernel.json import dumps, loads
from innkeeper.kernel.time import DAY, format_instant

EXAMPLES = [
    pytest.param(example, id=f"{name}: {example.says}") for name, each in OPERATORS.items() for example in each.examples
]

WINDOWS = (
    "", ", within => '7 days'", ", before => '3 days'", ", within => '9 days', before => '2 days'",
    ", within => 'today'", ", before => '2 calendar days'", ", within => '3 calendar days', before => 'today'",
)  # fmt: skip


def history(example: Example) -> list[Event]:
    """The events of an example, and a first event so that the profile exists."""
    facts: list[tuple[float, str, dict[str, Any]]] = [(1000, "Arrived", {}), *example.events]
    return [
        Event(
            source="test", message_id=str(index), type="track", name=name, user_id="u",
            timestamp=START - round(days * DAY), received_at=START, properties=properties,
            traits=example.traits or {} if index == 0 else {},
        )
        for index, (days, name, properties) in enumerate(facts)
    ]  # fmt: skip


@pytest.mark.parametrize("example", EXAMPLES)
def test_the_truth_table(example: Example) -> None:
    expression, events = parse(example.expression), history(example)
    expected = ["user_id:u"] if example.holds else []
    world = World(events)
    assert audience_oracle.members(expression, events, START, Catalog()) == expected
    assert world.by_sql(expression, Catalog(), START) == expected
    assert world.by_accumulators(expression, Catalog(), START, random.Random(1)) == expected
    assert print_expression(expression) == example.expression
    assert words(expression)


def test_every_function_is_in_the_table_and_has_examples() -> None:
    assert set(OPERATORS) == set(FUNCTIONS)
    for name, operator in OPERATORS.items():
        assert operator.name == name
        assert {example.holds for example in operator.examples}, name
        assert all(
            any(isinstance(node, Aggregate) and node.function == name for node in walk(parse(example.expression)))
            for example in operator.examples
        )


@pytest.mark.parametrize("function", sorted(FUNCTIONS))
@pytest.mark.parametrize("window", WINDOWS)
def test_accumulators_do_not_depend_on_order_or_parts(function: str, window: str) -> None:
    property_ = ", total" if FUNCTIONS[function].takes_path else ""
    call = f"{function}('Login'{property_}{window}, where => n is missing or n != 3)"
    condition = parse(call if function == "did" else f"{call} is present")
    node = next(node for node in walk(condition) if isinstance(node, Aggregate))
    summary = make_summary(node)
    for seed in range(12):
        dice = Dice(seed)
        events = [event for event in dice.history(people=1, events=60) if event.name == "Login"]
        whole = fold(summary, sorted(events, key=lambda event: event.timestamp))
        for _ in range(4):
            shuffled = dice.random.sample(events, len(events))
            assert fold(summary, shuffled) == whole
            cut = dice.random.randrange(len(events) + 1)
            a, b = fold(summary, shuffled[:cut]), fold(summary, shuffled[cut:])
            before = dumps([a, b])
            assert summary.merge(a, b) == whole == summary.merge(b, a)
            assert summary.merge(whole, None) == whole == summary.merge(None, whole)
            assert dumps([a, b]) == before, "merge changed what it was given"


def fold(summary: Any, events: list[Event]) -> Any:
    """The state of events taken one by one, stored and read back in between."""
    state: Any = None
    for event in events:
        state = summary.add(None if state is None else loads(dumps(state)), event)
    return state


def test_windowed_states_stay_small() -> None:
    node = next(node for node in walk(parse("count('Login', within => '7 days') > 1")) if isinstance(node, Aggregate))
    summary = make_summary(node)
    state: Any = None
    for day in range(1000):
        event = Event(
            source="t", message_id=str(day), type="track", name="Login", user_id="u", timestamp=START + day * DAY,
            received_at=0,
        )  # fmt: skip
        state = summary.add(state, event)
    assert len(state) == 7


def test_an_event_that_does_not_count_leaves_the_very_state() -> None:
    for text in ("count('L', where => a = 1) > 1", "sum('L', x) > 1", "distinct('L', x, within => '7 days') > 1"):
        node = next(node for node in walk(parse(text)) if isinstance(node, Aggregate))
        summary, state = make_summary(node), [["kept"]]
        event = Event(source="t", message_id="1", type="track", name="L", user_id="u", timestamp=START, received_at=0)
        assert summary.add(state, event) is state


def test_missing_is_false_and_shows_itself() -> None:
    assert not MISSING
    assert repr(MISSING) == "MISSING"
    assert format_instant(START).endswith("Z")
