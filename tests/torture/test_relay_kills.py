"""A hundred kills of the relay; every output reaches its receiver."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from support.relay_kill import PLACES, kill_the_relay

KILLS = 100


@pytest.mark.torture
def test_a_hundred_kills_of_the_relay(tmp_path: Path) -> None:
    told = kill_the_relay(tmp_path, kills=KILLS, seed=int(os.environ.get("INNKEEPER_SEED", "1")))
    print(f"kills: {told.done}, outputs: {told.made}, twice: {told.told_twice}, seed: {told.seed}, {dict(told.where)}")
    assert told.done == KILLS
    assert len(told.where) == len(PLACES)
