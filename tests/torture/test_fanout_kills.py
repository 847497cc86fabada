"""The kill test of fan-outs, and random worlds of accounts, at length."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from oracle.account_worlds import compare_account_world
from support.fanout_kill import kill_often

pytestmark = pytest.mark.torture
SEED = int(os.environ.get("INNKEEPER_SEED", "1"))


@pytest.mark.parametrize("way", ["run", "up"])
def test_two_hundred_kills(tmp_path: Path, way: str) -> None:
    found = kill_often(tmp_path, way, kills=100, seed=SEED)
    print(f"{way}: kills {found.done}, lives {found.lives}, told {found.told}, seed {found.seed}, {dict(found.where)}")
    assert found.done >= 100


@pytest.mark.parametrize("part", range(20))
def test_a_thousand_worlds(tmp_path: Path, part: int) -> None:
    first = SEED + part * 50
    found = sum(compare_account_world(first + world, tmp_path) for world in range(50))
    print(f"seeds {first} to {first + 49}: {found} memberships")
