"""Homes at length: random lives, cut into ticks of three sizes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from unit.test_households import the_same_in_ticks_of_any_size

pytestmark = pytest.mark.torture


def test_the_size_of_ticks_changes_nothing_at_home(tmp_path: Path) -> None:
    seed = int(os.environ.get("INNKEEPER_SEED", "1"))
    deliveries = sum(
        the_same_in_ticks_of_any_size(tmp_path / str(number), seed * 1_000 + number) for number in range(40)
    )
    print(f"40 lives, {deliveries} deliveries, seed {seed}")
