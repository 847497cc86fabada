"""`ledger` and `task` on the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from click.testing import CliRunner
from fakes.ledger import NOON, open_state, plan, planned, suppression

from innkeeper.cli.main import cli
from innkeeper.events.outputs import TaskCreated
from innkeeper.store.ledger import Ledger


def call(home: Path, *arguments: str) -> str:
    result = CliRunner().invoke(cli, ["--home", str(home), *arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def ask(home: Path, *arguments: str) -> Any:
    return json.loads(call(home, "--json", *arguments))


def workspace(home: Path) -> None:
    with open_state(home) as state:
        task = TaskCreated(
            identifier="user_id:u1", task_id="t1", queue="desk", title="Call Ana",
            body="She is\nunhappy", journey="care",
            enrollment="e", key="b7", context={"score": 2},
        )  # fmt: skip
        plan(state, planned(1, key="b7"), planned(2, message="other"), planned(3), suppression(3, True), task)
        plan(state, planned("anon", identifier="anonymous_id:x"), at=NOON + 1)
        Ledger(state, "w").claim(now=NOON, lease_until=NOON, needs_consent=lambda _: False)


def test_balance(tmp_path: Path) -> None:
    workspace(tmp_path)
    assert ask(tmp_path, "ledger", "balance") == {
        "planned": 4, "ends": {"suppressed": 1}, "open": {"planned": 1, "claimed": 2}, "difference": 0,
    }  # fmt: skip
    assert call(tmp_path, "ledger", "balance").split() == [
        "4", "planned", "-1", "suppressed", "-1", "planned", "-2", "claimed", "0", "difference",
    ]  # fmt: skip


def test_list(tmp_path: Path) -> None:
    workspace(tmp_path)
    rows = ask(tmp_path, "ledger", "list")["deliveries"]
    assert [(row["user_id"], row["state"], row["reason"]) for row in rows] == [
        ("u1", "claimed", ""), ("u2", "claimed", ""), ("u3", "suppressed", "suppressed"),
        ("anonymous_id:x", "planned", ""),
    ]  # fmt: skip
    assert [row["id"] for row in ask(tmp_path, "ledger", "list", "--message", "other")["deliveries"]] == ["d-2"]
    assert "u1  welcome by hello [b7]: claimed" in call(tmp_path, "ledger", "list")
    assert "no deliveries of the message 'x'" in call(tmp_path, "ledger", "list", "--message", "x")


def test_tasks(tmp_path: Path) -> None:
    workspace(tmp_path)
    assert ask(tmp_path, "task", "list") == {
        "tasks": [
            {"id": "t1", "user_id": "u1", "queue": "desk", "title": "Call Ana", "body": "She is\nunhappy",
             "journey": "care", "key": "b7", "state": "open", "created_at": "2026-03-02T12:00:00Z",
             "context": {"score": 2}, "assignee": None, "outcome": "", "note": "", "done_by": None, "done_at": None}
        ]
    }  # fmt: skip
    assert ask(tmp_path, "task", "list", "--queue", "other") == {"tasks": []}
    assert "[desk] Call Ana" in call(tmp_path, "task", "list")
