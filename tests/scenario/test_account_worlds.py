"""The engine = SQL = oracle on random histories of accounts that arrive in any order, and replay makes them again."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from oracle.account_worlds import compare_account_world

SEED = int(os.environ.get("INNKEEPER_SEED", "20261125"))
WORLDS = 12


@pytest.mark.parametrize("world", range(WORLDS))
def test_the_engine_is_sql_is_the_oracle(world: int, tmp_path: Path) -> None:
    found = compare_account_world(SEED + world, tmp_path)
    print(f"seed {SEED + world}: {found} memberships")
