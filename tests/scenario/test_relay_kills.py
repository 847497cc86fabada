"""Every output reaches its receiver over SIGKILL; `make torture` does it a hundred times."""

from __future__ import annotations

from pathlib import Path

from support.relay_kill import PLACES, kill_the_relay

SEED = 20261125
KILLS = 10


def test_every_output_reaches_its_receiver_over_kills(tmp_path: Path) -> None:
    told = kill_the_relay(tmp_path, kills=KILLS, seed=SEED)
    print(f"kills: {told.done}, outputs: {told.made}, twice: {told.told_twice}, seed: {told.seed}, {dict(told.where)}")
    assert told.done == KILLS
    assert told.made > KILLS
    assert len(told.where) == len(PLACES)
    assert told.told_twice > 0, "a kill between answer and record tells again"
