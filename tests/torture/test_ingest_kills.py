"""A hundred kills of the door while clients send."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from support.ingest_kill import kill_the_door

KILLS = 100


@pytest.mark.torture
def test_what_was_acknowledged_over_http_survives_kills(tmp_path: Path) -> None:
    told = kill_the_door(tmp_path, kills=KILLS, seed=int(os.environ.get("INNKEEPER_SEED", "1")))
    print(f"kills: {told.done}, acknowledged: {told.acknowledged}, sent again: {told.sent_again}, seed: {told.seed}")
    assert told.done == KILLS
    assert told.acknowledged > 0
    assert len(told.where) == 3
