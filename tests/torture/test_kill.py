"""The kill test at length."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from support.kill import ELSEWHERE, kill_again_and_again

from innkeeper.kernel.failpoints import FAILPOINTS

pytestmark = pytest.mark.torture


def test_two_hundred_kills(tmp_path: Path) -> None:
    seed = int(os.environ.get("INNKEEPER_SEED", "1"))
    told = kill_again_and_again(tmp_path, kills=200, seed=seed)
    print(f"kills: {told.done}, lives: {told.lives}, seed: {told.seed}, where: {dict(told.where)}")
    assert told.done == 200
    assert set(told.where) >= set(FAILPOINTS) - ELSEWHERE
