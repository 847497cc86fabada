"""SQL = oracle on random conditions on accounts and members; with the engine: tests/scenario/test_account_worlds.py."""

from __future__ import annotations

import os

import pytest
from oracle.account_cases import AccountDice, account_catalog
from oracle.account_oracle import account_members, profile_members
from oracle.audience_flips import compare_account_flips
from oracle.audience_world import World

from innkeeper.audiences import print_expression

SEED = int(os.environ.get("INNKEEPER_SEED", "20261124"))
WORLDS, QUESTIONS = 10, 8


@pytest.mark.parametrize("world", range(WORLDS))
def test_sql_is_the_oracle(world: int) -> None:
    dice = AccountDice(SEED + world)
    zone, known, answered = dice.random.choice(("UTC", "America/New_York")), account_catalog(), 0
    history = World(dice.history(people=5, events=dice.random.randrange(90)), zone)
    for number in range(QUESTIONS):
        at = dice.instant() + dice.random.choice((0, 0, 5)) * 86_400_000_000
        of_account, of_member = dice.of_account(3), dice.of_member(3)
        where = f"seed {SEED + world}, question {number}, at {at}"
        expected = account_members(of_account, history.events, at, known, zone)
        found = history.by_sql(of_account, known, at, "account")
        assert found == expected, f"account: {where}: {print_expression(of_account)}"
        people = profile_members(of_member, history.events, at, known, zone)
        assert history.by_sql(of_member, known, at) == people, f"member: {where}: {print_expression(of_member)}"
        answered += bool(expected) + bool(people)
    print(f"seed {SEED + world}: {2 * QUESTIONS} questions, {answered} with members")


@pytest.mark.parametrize("world", range(6))
def test_flips_are_those_of_the_oracle(world: int) -> None:
    found = sum(compare_account_flips(SEED + 4 * world + index, 3) for index in range(4))
    print(f"seed {SEED + 4 * world}: 12 questions, {found} flips")
