"""The comparison of SQL, accumulators and oracle on random worlds; the test and the torture run share it."""

from __future__ import annotations

import random

from innkeeper.audiences import Catalog, Expression, parse, print_expression
from oracle import audience_oracle
from oracle.audience_cases import Dice
from oracle.audience_world import World
from oracle.identity_cases import WORLDS

CATALOG_TEXTS = {
    "known": "traits.plan is present or did('Login', within => '7 days')",
    "nested": "in_audience('known') and count('Order Completed') >= 1",
}


def catalog() -> Catalog:
    """Two audiences and three stages."""
    return Catalog(
        audiences={name: parse(text) for name, text in CATALOG_TEXTS.items()},
        stages=(
            ("one", parse("did('Order Completed', within => '7 days')")),
            ("two", parse("in_audience('nested') or traits.vip")),
            ("three", parse("count('Page Viewed') >= 1")),
        ),
    )


def compare_world(seed: int, expressions: int) -> int:
    """Ask one random world *expressions* random questions in three ways; how many answers were not empty."""
    dice = Dice(seed)
    zone = dice.random.choice(("UTC", "Europe/Lisbon", "America/New_York"))
    history, kind = dice.history(people=6, events=dice.random.randrange(80)), dice.random.choice(WORLDS)
    world, known, answered = World(history, zone, kind), catalog(), 0
    for number in range(expressions):
        expression, at = dice.condition(3), dice.instant() + dice.random.choice((0, 0, 5, 30)) * 86_400_000_000
        expected = audience_oracle.members(expression, world.events, at, known, zone, world.plain_rules)
        answered += bool(expected)
        text = print_expression(expression)
        place = f"seed {seed}, question {number}, at {at}: {text}"
        assert same_tree(expression), f"{place}: does not print and parse back"
        assert world.by_sql(expression, known, at) == expected, f"SQL: {place}"
        assert world.by_accumulators(expression, known, at, random.Random(seed)) == expected, f"accumulators: {place}"
    return answered


def same_tree(expression: Expression) -> bool:
    """parse(print(x)) == x."""
    return parse(print_expression(expression)) == expression
