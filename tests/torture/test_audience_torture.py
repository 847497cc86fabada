"""20,000 random questions in three ways, and 4,000 histories of flips. INNKEEPER_SEED repeats a run."""

from __future__ import annotations

import os

import pytest
from oracle.audience_equality import compare_world
from oracle.audience_flips import compare_flips

SEED = int(os.environ.get("INNKEEPER_SEED", "1"))
WORLDS, QUESTIONS = 1_000, 20


@pytest.mark.torture
def test_three_answers_are_one_20_000_times() -> None:
    answered = sum(compare_world(SEED + world, QUESTIONS) for world in range(WORLDS))
    print(f"seed {SEED}: {WORLDS * QUESTIONS} questions, {answered} with members")


@pytest.mark.torture
def test_flips_are_those_of_the_oracle_4_000_times() -> None:
    found = sum(compare_flips(SEED + world, 4) for world in range(WORLDS))
    print(f"seed {SEED}: {WORLDS * 4} questions, {found} flips")
