"""`init`, `check`, `plan` and `apply` as people and scripts call them."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from innkeeper.runtime.lock import hold
from innkeeper.strategy.starting import example_names, starter_files


class Workspace:
    """A folder to call commands in."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def call(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command without a terminal."""
        return subprocess.run(
            [sys.executable, "-m", "innkeeper", *arguments],
            cwd=self.folder, env={**os.environ}, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
        )  # fmt: skip

    def json(self, *arguments: str, code: int = 0) -> Any:
        """The JSON that a command answers with."""
        done = self.call("--json", *arguments)
        assert done.returncode == code, done.stderr
        return json.loads(done.stdout)


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path)


def test_from_nothing_to_an_applied_strategy(workspace: Workspace) -> None:
    assert workspace.json("init", "mine") == {"files": sorted(starter_files())}
    assert workspace.json("check", "mine")["errors"] == []
    added = workspace.json("plan", "mine")["added"]
    assert {"audiences/loyal", "journeys/welcome", "messages/welcome-1", "policies", "stages"} <= set(added)
    assert not (workspace.folder / ".innkeeper").exists()
    assert workspace.json("apply", "mine", "--yes") == {"added": added, "changed": [], "removed": []}
    nothing: dict[str, Any] = {"added": [], "changed": [], "removed": []}
    assert workspace.json("plan", "mine") == {**nothing, "diffs": {}}
    assert workspace.json("apply", "mine", "--yes") == nothing
    status = workspace.json("status")
    assert (status["events"], status["profiles"], status["clock"]) == (0, 0, None)

    loyal = workspace.folder / "mine" / "audiences" / "loyal.yaml"
    loyal.write_text(loyal.read_text().replace(">= 3", ">= 4"))
    planned = workspace.call("plan", "mine")
    assert planned.returncode == 0
    assert "~ audiences/loyal" in planned.stdout
    assert "+when: count('Order Completed', within => '365 days') >= 4" in planned.stdout
    assert workspace.json("apply", "mine", "--yes")["changed"] == ["audiences/loyal"]


def test_apply_asks_and_without_a_terminal_refuses(workspace: Workspace) -> None:
    workspace.call("init", "mine")
    done = workspace.call("apply", "mine")
    assert done.returncode == 2
    assert "--yes" in done.stderr
    assert not (workspace.folder / ".innkeeper").exists()


def answer_on_a_terminal(workspace: Workspace, answer: str, *arguments: str) -> tuple[int, str]:
    """Run a command with a terminal for its input; its exit code and what it said on it."""
    main, side = pty.openpty()
    os.write(main, f"{answer}\n".encode())
    done = subprocess.run(
        [sys.executable, "-m", "innkeeper", *arguments],
        cwd=workspace.folder, stdin=side, capture_output=True, text=True, check=False,
    )  # fmt: skip
    os.close(main)
    os.close(side)
    return done.returncode, done.stderr


def test_apply_shows_and_asks_on_a_terminal(workspace: Workspace) -> None:
    workspace.call("init", "mine")
    code, said = answer_on_a_terminal(workspace, "n", "apply", "mine")
    assert (code, "+ journeys/welcome" in said, "nothing was applied" in said) == (1, True, True)
    assert not (workspace.folder / ".innkeeper").exists()
    code, said = answer_on_a_terminal(workspace, "y", "apply", "mine")
    assert code == 0, said
    assert workspace.json("plan", "mine")["added"] == []


def test_apply_waits_for_nobody_who_holds_the_home(workspace: Workspace) -> None:
    workspace.call("init", "mine")
    with hold(workspace.folder / ".innkeeper"):
        done = workspace.call("apply", "mine", "--yes")
    assert done.returncode == 1
    assert str(os.getpid()) in done.stderr


def test_names_that_the_log_has_seen_need_no_declaration(workspace: Workspace) -> None:
    workspace.call("init", "mine")
    new = workspace.folder / "mine" / "audiences" / "new.yaml"
    new.write_text("when: did('Room Viewed', where => rate > 100) and traits.tier = 'gold'\n")
    assert len(workspace.json("check", "mine", code=2)["errors"]) == 2
    event = {
        "type": "track", "event": "Room Viewed", "userId": "u1", "messageId": "m1", "properties": {"rate": 120},
        "timestamp": "2026-01-01T00:00:00Z", "context": {"traits": {"tier": "gold"}},
    }  # fmt: skip
    (workspace.folder / "events.jsonl").write_text(json.dumps(event) + "\n")
    assert workspace.json("import", "events.jsonl")["accepted"] == 1
    assert workspace.json("check", "mine")["errors"] == []
    new.write_text("when: did('Room Viewed', where => rat > 100)\n")
    (error,) = workspace.json("check", "mine", code=2)["errors"]
    assert (error["code"], error["fix"]) == ("unknown-property", "did you mean 'rate'?")


def test_check_says_every_error_with_the_path_as_typed(workspace: Workspace) -> None:
    workspace.call("init", "mine")
    (workspace.folder / "mine" / "audiences" / "bad.yaml").write_text("when: did('Signd Up')\n")
    (workspace.folder / "mine" / "stages.yaml").write_text("- stage: a\n")
    errors = workspace.json("check", "mine", code=2)["errors"]
    assert [(e["file"], e["line"], e["column"], e["code"]) for e in errors] == [
        ("mine/audiences/bad.yaml", 1, 7, "unknown-event"), ("mine/stages.yaml", 1, 3, "missing-key"),
    ]  # fmt: skip
    assert all(error["message"] and error["fix"] for error in errors)
    told = workspace.call("check", "mine")
    assert told.returncode == 2
    assert "mine/audiences/bad.yaml:1:7" in told.stderr
    for command in (["plan", "mine"], ["apply", "mine", "--yes"]):
        refused = workspace.call(*command)
        assert refused.returncode == 2
        assert "mine/stages.yaml:1:3" in refused.stderr
    assert not (workspace.folder / ".innkeeper").exists()


def test_unknown_names_can_be_allowed(workspace: Workspace) -> None:
    workspace.call("init", "mine")
    (workspace.folder / "mine" / "audiences" / "new.yaml").write_text("when: did('Not Yet Sent')\n")
    answer = workspace.json("check", "mine", "--allow-unknown")
    assert answer["errors"] == []
    assert [warning["code"] for warning in answer["warnings"]] == ["unknown-event"]


def test_init_leaves_a_folder_that_is_in_use_alone(workspace: Workspace) -> None:
    (workspace.folder / "mine").mkdir()
    (workspace.folder / "mine" / "note.txt").write_text("keep me")
    done = workspace.call("init", "mine")
    assert done.returncode == 2
    assert "not empty" in done.stderr
    assert [path.name for path in (workspace.folder / "mine").iterdir()] == ["note.txt"]
    assert workspace.call("init", "other", "--example", "harbor-house").returncode == 2
    assert not (workspace.folder / "other").exists()


@pytest.mark.parametrize("name", example_names())
def test_every_example_comes_out_valid(workspace: Workspace, name: str) -> None:
    assert workspace.json("init", "mine", "--example", name)["files"]
    assert workspace.json("check", "mine") == {"errors": [], "warnings": []}


def test_check_of_nothing(workspace: Workspace) -> None:
    done = workspace.call("check", "nowhere")
    assert done.returncode == 2
    assert "innkeeper init nowhere" in done.stderr
    (workspace.folder / "empty").mkdir()
    assert [e["code"] for e in workspace.json("check", "empty", code=2)["errors"]] == ["no-strategy"]


def test_status_answers_before_anything_is_applied_or_imported(workspace: Workspace) -> None:
    assert workspace.call("status").returncode == 2
    (workspace.folder / ".innkeeper").mkdir()
    assert workspace.json("status")["events"] == 0
    event = {"type": "track", "event": "Login", "messageId": "m", "userId": "u", "timestamp": "2026-01-01T00:00:00Z"}
    (workspace.folder / "e.jsonl").write_text(json.dumps(event))
    workspace.json("import", "e.jsonl")
    status = workspace.json("status")
    assert (status["events"], status["profiles"], status["stages"]) == (1, 0, {})


@pytest.mark.parametrize(
    ("arguments", "code", "slug"),
    [
        (["status"], 2, "no-home"), (["check", "nowhere"], 2, "no-folder"), (["run"], 2, "bad-call"),
        (["run", "--until", "tomorrow"], 2, "bad-time"), (["nope"], 2, "bad-call"),
    ],
)  # fmt: skip
def test_with_json_a_failure_is_one_document_too(
    workspace: Workspace, arguments: list[str], code: int, slug: str
) -> None:
    done = workspace.call("--json", *arguments)
    assert done.returncode == code
    (problem,) = json.loads(done.stdout)["errors"]
    assert problem["code"] == slug
    assert problem["message"] in done.stderr
    assert workspace.call(*arguments).stdout == ""
