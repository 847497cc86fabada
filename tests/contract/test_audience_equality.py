"""SQL = accumulators = oracle, on random expressions over random histories."""

from __future__ import annotations

import os

import pytest
from oracle.audience_equality import compare_world

SEED = int(os.environ.get("INNKEEPER_SEED", "20261122"))
WORLDS, QUESTIONS = 25, 20


@pytest.mark.parametrize("world", range(WORLDS))
def test_three_answers_are_one(world: int) -> None:
    answered = compare_world(SEED + world, QUESTIONS)
    print(f"seed {SEED + world}: {QUESTIONS} questions, {answered} with members")
