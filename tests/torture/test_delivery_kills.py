"""The deliverer killed hundreds of times; count and seed are printed. `INNKEEPER_SEED` picks another seed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from fakes.delivery_lives import kill_often
from fakes.smtp import Server, moody

ROUNDS = 7


@pytest.mark.torture
@pytest.mark.parametrize("kind", ["file", "settling", "fake"])
def test_killed_hundreds_of_times(tmp_path: Path, kind: str) -> None:
    first = int(os.environ.get("INNKEEPER_SEED", "1"))
    kills = 0
    for number in range(ROUNDS):
        kills += kill_often(tmp_path / str(number), kind, first + number, kills=30, count=600).kills
    print(f"{kind}: {kills} kills in {ROUNDS} rounds, seed {first}")
    assert kills > ROUNDS * 5


@pytest.mark.torture
def test_killed_hundreds_of_times_with_a_mail_server(tmp_path: Path) -> None:
    first = int(os.environ.get("INNKEEPER_SEED", "1"))
    kills = 0
    for number in range(ROUNDS):
        server = Server(moody(first + number))
        try:
            home = tmp_path / str(number)
            kills += kill_often(home, "smtp", first + number, kills=30, count=300, server=server).kills
        finally:
            server.stop()
    print(f"smtp: {kills} kills in {ROUNDS} rounds, seed {first}")
    assert kills > ROUNDS * 5
