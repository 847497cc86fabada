"""A disk without room stops a run cleanly: exit 1 with the way out, nothing half-done; it goes on when there is room.

The disk's end is the process's own limit of a file's size, which the system reports like a full disk.
"""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path

import pytest
from scenario.test_run import STRATEGY, life
from support.workspace import Workspace, jsonl

END = "2026-04-15T00:00:00Z"


def limited(workspace: Workspace, kibibytes: int, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command line where no file may grow beyond a size."""
    size = kibibytes * 1024
    return subprocess.run(
        [sys.executable, "-m", "innkeeper", "--home", str(workspace.home), *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size)),
    )


@pytest.mark.parametrize("extra", [40, 240])
def test_a_run_stops_at_a_full_disk_and_goes_on_when_there_is_room(tmp_path: Path, extra: int) -> None:
    calm, full = Workspace(tmp_path / "calm"), Workspace(tmp_path / "full")
    for workspace in (calm, full):
        workspace.apply(STRATEGY)
        workspace.add(*life(9, 40))
    calm.run(END, deliver="file")
    size = max(path.stat().st_size for path in full.home.rglob("*.db*")) // 1024
    stopped = limited(full, size + extra, "run", "--until", END)
    assert stopped.returncode == 1, (stopped.stdout, stopped.stderr)
    assert "fix:" in stopped.stderr
    assert "Traceback" not in stopped.stderr
    assert full.cli("ledger", "balance")["difference"] == 0
    full.cli("run", "--until", END)
    assert sorted(full.log_lines()) == sorted(calm.log_lines())
    assert full.shell("doctor").returncode == 0


def test_an_import_stops_at_a_full_disk_and_is_repeated_whole(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "home")
    workspace.apply(STRATEGY)
    events = life(9, 400)
    file = jsonl(tmp_path / "events.jsonl", events)
    size = max(path.stat().st_size for path in workspace.home.rglob("*.db*")) // 1024
    stopped = limited(workspace, size + 80, "import", str(file))
    assert stopped.returncode == 1, (stopped.stdout, stopped.stderr)
    assert "fix:" in stopped.stderr
    assert "Traceback" not in stopped.stderr
    done = workspace.cli("import", str(file))
    assert done["rejected"] == 0
    assert done["accepted"] + done["duplicates"] == len(events)
    assert len(workspace.cli("events", "list", "--last", "100000")["events"]) == len({e["messageId"] for e in events})
