"""The kill test, at the count that every change has to pass; `make torture` reaches every failpoint many times."""

from __future__ import annotations

from pathlib import Path

from support.kill import kill_again_and_again

SEED = 20261122
KILLS = 20


def test_nothing_is_lost_or_doubled_by_kills(tmp_path: Path) -> None:
    told = kill_again_and_again(tmp_path, kills=KILLS, seed=SEED)
    print(f"kills: {told.done}, lives: {told.lives}, seed: {told.seed}, where: {dict(told.where)}")
    assert told.done == KILLS
    assert len(told.where) > KILLS // 2, "they died in many different places"
