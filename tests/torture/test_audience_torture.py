"""20,000 random questions in three ways, and flips: 4,000, and 4,000 about accounts. INNKEEPER_SEED repeats a run."""

from __future__ import annotations

import os

import pytest
from oracle.audience_equality import compare_world
from oracle.audience_flips import compare_account_flips, compare_flips

SEED = int(os.environ.get("INNKEEPER_SEED", "1"))
PARTS, WORLDS, QUESTIONS = 20, 50, 20


@pytest.mark.torture
@pytest.mark.parametrize("part", range(PARTS))
def test_three_answers_are_one_20_000_times(part: int) -> None:
    first = SEED + part * WORLDS
    answered = sum(compare_world(first + world, QUESTIONS) for world in range(WORLDS))
    print(f"seeds {first} to {first + WORLDS - 1}: {WORLDS * QUESTIONS} questions, {answered} with members")


@pytest.mark.torture
@pytest.mark.parametrize("part", range(PARTS))
def test_flips_are_those_of_the_oracle_4_000_times(part: int) -> None:
    first = SEED + part * WORLDS
    found = sum(compare_flips(first + world, 4) for world in range(WORLDS))
    print(f"seeds {first} to {first + WORLDS - 1}: {WORLDS * 4} questions, {found} flips")


@pytest.mark.torture
@pytest.mark.parametrize("part", range(PARTS))
def test_flips_of_accounts_are_those_of_the_oracle_4_000_times(part: int) -> None:
    first = SEED + part * WORLDS
    found = sum(compare_account_flips(first + world, 4) for world in range(WORLDS))
    print(f"seeds {first} to {first + WORLDS - 1}: {WORLDS * 4} questions, {found} flips")
