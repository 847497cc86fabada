"""A file sent to a served workspace by the command, through the death of whoever serves it: every event once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from scenario.test_api_up import ask
from scenario.test_up import eventually, served
from support.workspace import Workspace, event, jsonl

from innkeeper.kernel.failpoints import VARIABLE
from innkeeper.runtime.import_beside import TOGETHER
from innkeeper.store.log import Log


def test_an_import_outlives_the_server(tmp_path: Path) -> None:
    workspace, portions = Workspace(tmp_path / "home"), 6
    workspace.apply({})
    count = portions * TOGETHER
    file = jsonl(
        tmp_path / "events.jsonl",
        (event("Login", f"u{number % 9}", "2026-01-01T00:00:00Z", id=f"m{number}") for number in range(count)),
    )
    door = subprocess.Popen(
        [sys.executable, "-m", "innkeeper", "--home", str(workspace.home), "up", "--json", "--port", "0"],
        stdout=subprocess.PIPE, env={**os.environ, VARIABLE: "append.committed:3"},
    )  # fmt: skip
    assert door.stdout is not None
    with door.stdout as told:
        assert told.readline()
        cut = workspace.shell("--json", "import", str(file))
        assert (cut.returncode, json.loads(cut.stdout)["errors"][0]["code"]) == (1, "no-answer")
        assert door.wait() < 0
    with served(workspace):
        eventually(lambda: ask(workspace.home, "/imports/1")["state"] == "done")
        one = ask(workspace.home, "/imports/1")
        assert (one["accepted"], one["duplicates"], one["error"]) == (count - 3 * TOGETHER, 3 * TOGETHER, None)
        assert workspace.cli("import", str(file))["duplicates"] == count
        eventually(lambda: ask(workspace.home, "/status")["profiles"] == 9)
    with Log.open(workspace.home, read_only=True) as log:
        ids = [each.message_id for each in log.read(0, 2 * count) if each.source == "import"]
    assert sorted(ids) == sorted(f"m{number}" for number in range(count))
