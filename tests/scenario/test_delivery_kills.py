"""The deliverer killed at every failpoint and at random times: every row ends once, at most one mail each (I3, I4)."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
from fakes.delivery_lives import FAILPOINTS, SLOTS, kill_often, lives
from fakes.smtp import Server, moody


@pytest.mark.parametrize("kind", ["file", "settling", "fake"])
def test_killed_often(tmp_path: Path, kind: str) -> None:
    seed = 20261122
    found = kill_often(tmp_path, kind, seed, kills=9, count=70)
    print(f"{kind}: {found.kills} kills, seed {seed}")
    assert found.kills >= 5


def test_killed_often_with_a_mail_server(tmp_path: Path) -> None:
    seed = 20261125
    server = Server(moody(seed))
    try:
        found = kill_often(tmp_path, "smtp", seed, kills=7, count=40, server=server)
    finally:
        server.stop()
    print(f"smtp: {found.kills} kills, seed {seed}, {len(server.accepted)} mails")
    assert found.kills >= 4


@pytest.mark.parametrize("name", FAILPOINTS)
def test_killed_at_each_failpoint(tmp_path: Path, name: str) -> None:
    with lives(tmp_path, "file", 1, 12) as found:
        assert found.end(name + ":1") == -signal.SIGKILL
        found.end_well()
        assert found.violations() == []


def test_a_provider_that_cannot_settle_leaves_one_doubt_per_slot(tmp_path: Path) -> None:
    with lives(tmp_path, "fake", 2, 60) as found:
        assert found.end("deliver.sent:20") == -signal.SIGKILL
        found.end_well()
        assert found.violations() == []
        assert found.kills * SLOTS >= 4
