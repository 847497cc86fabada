"""Retention dies at every failpoint and at random moments: there is the old log or the new one, and in the end all of
what was due is gone, nothing else, and it adds up to the same.
"""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from scenario.test_retention import STRATEGY, answers, history
from support.workspace import Workspace, jsonl

from innkeeper.kernel.failpoints import FAILPOINTS, VARIABLE
from innkeeper.runtime.replay import replay
from innkeeper.runtime.retention import retain
from innkeeper.store.bulk import Bulk
from innkeeper.store.doctor import examine

SEED = int(os.environ.get("INNKEEPER_SEED", "20261124"))
NAMES = sorted(name for name in FAILPOINTS if name.startswith("retain."))
AT_RANDOM = 20 - len(NAMES)


def contents(workspace: Workspace) -> list[Any]:
    """What the log holds, but for where it stands and what carried facts are called."""
    with Bulk.open(workspace.home) as bulk:
        return bulk.rows(
            "SELECT source, CASE WHEN name <> 'Facts Carried' THEN message_id END, name, identifier, ts, properties,"
            " traits FROM events ORDER BY ALL"
        )


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A workspace in which two runs of the job have work: the second merges what the first has carried."""
    folder = tmp_path_factory.mktemp("before")
    workspace = Workspace(folder / "home")
    workspace.apply(STRATEGY)
    workspace.cli("import", str(jsonl(folder / "events.jsonl", history(SEED)[:500])))
    workspace.run("2026-06-01T00:00:00Z", deliver="file")
    retain(workspace.home)
    workspace.run("2026-08-01T00:00:00Z", deliver="file")
    return workspace


@pytest.fixture(scope="module")
def calm(before: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """The same after the job has come to its end undisturbed."""
    home = tmp_path_factory.mktemp("calm") / "home"
    shutil.copytree(before.home, home)
    assert retain(home).goes > 100
    return Workspace(home)


@pytest.mark.parametrize("which", [*NAMES, *(f"random-{number}" for number in range(AT_RANDOM))])
def test_a_kill(before: Workspace, calm: Workspace, tmp_path: Path, which: str) -> None:
    draw = random.Random(f"{SEED} {which}")
    print(f"seed {SEED}, {which}")
    workspace = Workspace(tmp_path / "home")
    shutil.rmtree(workspace.home)
    shutil.copytree(before.home, workspace.home)
    expected, old, new = answers(before), contents(before), contents(calm)
    killed = _killed(workspace, which, draw)
    if which in NAMES:
        assert killed, which
    assert contents(workspace) in (old, new), f"{which}: neither the old log nor the new one"
    assert answers(workspace) == expected
    assert [finding for finding in examine(workspace.home) if finding.state == "wrong"] == []
    retain(workspace.home)
    assert contents(workspace) == new
    assert answers(workspace) == expected
    assert workspace.cli("ledger", "balance") == calm.cli("ledger", "balance")
    assert examine(workspace.home) == []
    assert replay(workspace.home).different == 0
    assert sorted(path.suffix for path in (workspace.home / "segments").iterdir()) == sorted(
        path.suffix for path in (calm.home / "segments").iterdir()
    )
    assert list((workspace.home / "tmp").iterdir()) == []
    assert not any(path.name.endswith(".tmp") for path in (workspace.home / "checkpoints").iterdir())


def _killed(workspace: Workspace, which: str, draw: random.Random) -> bool:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    if which in NAMES:
        environment[VARIABLE] = which
    process = subprocess.Popen(
        [sys.executable, "-m", "innkeeper", "--home", str(workspace.home), "retention", "--yes"],
        env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    if which not in NAMES:
        time.sleep(draw.uniform(0.3, 2.5))
        process.kill()
    _, errors = process.communicate(timeout=300)
    assert process.returncode in (0, -9), errors
    return process.returncode == -9
