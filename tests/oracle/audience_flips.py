"""Flips against the oracle at every instant at which anything could change, and a microsecond before and after."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from itertools import pairwise
from typing import Any

from innkeeper.audiences import Catalog, Expression, print_expression
from innkeeper.audiences.check import Subject
from innkeeper.audiences.expand import expand
from innkeeper.audiences.flips import HISTORY_SQL, Flip, History
from innkeeper.audiences.merges import Merges
from innkeeper.audiences.nodes import Aggregate, Number, Offset, walk
from innkeeper.audiences.owners import Owners
from innkeeper.audiences.values import literal_instant
from innkeeper.events.types import Event
from innkeeper.kernel.time import DAY
from innkeeper.kernel.zones import start_of_day
from innkeeper.runtime.told_accounts import account_flips, past_of
from oracle import audience_oracle
from oracle.account_cases import AccountDice, account_catalog
from oracle.account_oracle import account_members, profile_members
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
        for value in _told(event):
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


def _told(event: Event) -> Iterator[Any]:
    """The values of traits that an event tells, of its sender or of an account."""
    for said in (event.traits, event.extra.get("traits"), event.properties.get("set")):
        yield from said.values() if isinstance(said, dict) else ()


def expected_flips(
    expression: Expression, world: World, begin: int, until: int, known: Catalog, members: Members, of: Subject
) -> list[Flip]:
    """The flips, from the oracle's answers at all candidates."""
    full = expand(expression, known, of)
    found = []
    states = [(at, set(members(expression, at))) for at in candidates(full, world, begin, until, known.merges)]
    for (_, before), (at, after) in pairwise(states):
        found += [Flip(at, subject, True) for subject in after - before]
        found += [Flip(at, subject, False) for subject in before - after]
    return sorted(found)


#: The members of an expression at an instant, by the oracle.
Members = Callable[[Expression, int], list[str]]


def compare_account_flips(seed: int, questions: int) -> int:
    """Ask one small random world of accounts for flips, of accounts and of their members; how many there were."""
    dice, total = AccountDice(seed), 0
    zone, known = dice.random.choice(("UTC", "America/New_York")), account_catalog()
    world = World(dice.history(people=3, events=dice.random.randrange(5, 18)), zone)
    for number in range(questions):
        of: Subject = dice.random.choice(("account", "profile", "profile"))
        expression = dice.of_account(2) if of == "account" else dice.of_member(2)
        begin = dice.instant()
        until = begin + dice.random.choice((DAY, 8 * DAY, 20 * DAY))
        world.view(frozenset())
        full = expand(expression, known, of)
        if of == "account":
            found = account_flips(world, full, begin, until, zone)  # type: ignore[arg-type]
        else:
            history = History(
                full, begin=begin, until=until, owners=Owners.of(world.run, world.rules), zone=zone,
                accounts=past_of(world, full, until, zone),  # type: ignore[arg-type]
            )  # fmt: skip
            found = history.flips(world.run(HISTORY_SQL, history.parameters))
        oracle = account_members if of == "account" else profile_members
        members: Members = partial(_by_oracle, oracle, world, known)
        expected = expected_flips(expression, world, begin, until, known, members, of)
        text = print_expression(expression)
        assert found == expected, f"seed {seed}, question {number}, of {of}, ({begin}, {until}]: {text}"
        total += len(found)
    return total


def _by_oracle(oracle: Any, world: World, known: Catalog, expression: Expression, at: int) -> list[str]:
    found: list[str] = oracle(expression, world.events, at, known, world.zone)
    return found


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
        members: Members = partial(_of_people, world, known)
        expected = expected_flips(expression, world, begin, until, known, members, "profile")
        text = print_expression(expression)
        assert found == expected, f"seed {seed}, question {number}, ({begin}, {until}]: {text}"
        total += len(found)
    return total


def _of_people(world: World, known: Catalog, expression: Expression, at: int) -> list[str]:
    return audience_oracle.members(expression, world.events, at, known, world.zone, world.plain_rules)
