"""Flips against the oracle at every instant at which anything could change, ±1 µs."""

from __future__ import annotations

import os

import pytest
from oracle.audience_flips import compare_flips

SEED = int(os.environ.get("INNKEEPER_SEED", "20261122"))


@pytest.mark.parametrize("world", range(10))
def test_flips_are_those_of_the_oracle(world: int) -> None:
    found = sum(compare_flips(SEED + 5 * world + index, 4) for index in range(5))
    print(f"seed {SEED + 5 * world}: 20 questions, {found} flips")
