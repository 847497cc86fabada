"""A kill in the middle of a fan-out tells nobody twice and forgets nobody; `make torture` kills 200 times."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.fanout_kill import kill_often


@pytest.mark.parametrize("way", ["run", "up"])
def test_nobody_is_told_twice_or_forgotten(tmp_path: Path, way: str) -> None:
    found = kill_often(tmp_path, way, kills=10, seed=20261124)
    print(f"{way}: kills {found.done}, lives {found.lives}, told {found.told}, seed {found.seed}, {dict(found.where)}")
    assert found.done >= 10
