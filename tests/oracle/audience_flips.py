"""Flips against the oracle at every instant at which anything could change, and a microsecond before and after."""

from __future__ import annotations

from itertools import pairwise

from innkeeper.audiences import Catalog, Expression, print_expression
from innkeeper.audiences.expand import expand
from innkeeper.audiences.flips import HISTORY_SQL, Flip, History
from innkeeper.audiences.merges import Merges
from innkeeper.audiences.nodes import Aggregate, Number, Offset, walk
from innkeeper.audiences.owners import Owners
from innkeeper.audiences.values import literal_instant
from innkeeper.kernel.time import DAY
from innkeeper.kernel.zones import start_of_day
from oracle import audience_oracle
from oracle.audience_cases import ZONES, Dice
from oracle.audience_equality import catalog
from oracle.audience_world import World
from oracle.identity_cases import WORLDS


def candidates(expression: Expression, world: World, begin: int, until: int, merges: Merges) -> list[int]:
    """Instants at which the answer could change: events, links, and both moved by every length that is declared."""
    shifts, fixed, calendar = {0, *merges.kept.values()}, set(), False
    for node in walk(expression):
        if isinstance(node, Aggregate):
            for span in (node.within, node.before):
                if span is not None:
                    calendar = calendar or span.calendar
                    shifts.add(span.duration)
        if isinstance(node, Number):
            shifts.add(node.micro * DAY // 1_000_000)
        if isinstance(node, Offset):
            shifts |= {s + sign * node.duration for s in set(shifts) for sign in (1, -1)}
        if (moment := literal_instant(node)) is not None:
            fixed.add(moment)
    instants = {event.timestamp for event in world.events} | fixed
    for event in world.events:
        for value in event.traits.values():
            found = audience_oracle.instant_of(value)
            if isinstance(found, tuple):
                instants.add(found[0])
            elif isinstance(value, int) and abs(value) < 1000:
                shifts.add(value * DAY)
    points = {instant + shift for instant in instants for shift in shifts}
    if calendar:
        for zone in {"UTC", *ZONES} - {"Nowhere/Land"}:
            day = begin - DAY
            while day <= until + DAY:
                points.add(start_of_day(day, zone))
                day += DAY
    near = {point + step for point in points for step in (-1, 0, 1)}
    return sorted({begin, until, *(point for point in near if begin < point <= until)})


def expected_flips(expression: Expression, world: World, begin: int, until: int, known: Catalog) -> list[Flip]:
    """The flips, from the oracle's answers at all candidates."""
    full = expand(expression, known)
    found = []
    states = [
        (at, set(audience_oracle.members(expression, world.events, at, known, world.zone, world.plain_rules)))
        for at in candidates(full, world, begin, until, known.merges)
    ]
    for (_, before), (at, after) in pairwise(states):
        found += [Flip(at, subject, True) for subject in after - before]
        found += [Flip(at, subject, False) for subject in before - after]
    return sorted(found)


def compare_flips(seed: int, questions: int) -> int:
    """Ask one small random world for flips; how many there were."""
    dice = Dice(seed)
    zone = dice.random.choice(("UTC", "Europe/Lisbon", "America/New_York"))
    history, kind = dice.history(people=3, events=dice.random.randrange(14)), dice.random.choice(WORLDS)
    world, total = World(history, zone, kind), 0
    known = catalog(dice.merges())
    for number in range(questions):
        expression = dice.condition(2)
        begin = dice.instant()
        until = begin + dice.random.choice((DAY, 8 * DAY, 20 * DAY))
        world.view(frozenset())
        owners = Owners.of(world.run, world.rules)
        asked = History(
            expand(expression, known), begin=begin, until=until, owners=owners, zone=zone, merges=known.merges
        )
        found = asked.flips(world.run(HISTORY_SQL, asked.parameters))
        expected = expected_flips(expression, world, begin, until, known)
        text = print_expression(expression)
        assert found == expected, f"seed {seed}, question {number}, ({begin}, {until}]: {text}"
        total += len(found)
    return total
