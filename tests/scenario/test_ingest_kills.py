"""Every 200 is in the log after SIGKILL; `make torture` does it a hundred times."""

from __future__ import annotations

from pathlib import Path

from support.ingest_kill import kill_the_door

SEED = 20261125
KILLS = 10


def test_what_was_acknowledged_over_http_survives_kills(tmp_path: Path) -> None:
    told = kill_the_door(tmp_path, kills=KILLS, seed=SEED)
    print(f"kills: {told.done}, acknowledged: {told.acknowledged}, seed: {told.seed}, where: {dict(told.where)}")
    assert told.done == KILLS
    assert told.acknowledged > 0
    assert len(told.where) == 3
