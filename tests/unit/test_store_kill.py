"""The log under SIGKILL, a full disk: what was acknowledged is there once, what was not does no harm.

The writer is a process of its own that keeps a synced record of what the log acknowledged; the test judges by that.
"""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import pytest

from innkeeper.kernel.failpoints import FAILPOINTS, arm, failpoint
from innkeeper.store import manifest
from innkeeper.store.bulk import Bulk
from innkeeper.store.doctor import examine
from innkeeper.store.log import Log
from innkeeper.store.segments import Sizes

SIZES = Sizes(seal_rows=100, segment_rows=2_000, fan_in=3)
MINE = sorted(name for name in FAILPOINTS if name.split(".")[0] in ("append", "seal", "compact"))

WRITER = """
import os, sys, time
from pathlib import Path
from innkeeper.events.types import LogRow
from innkeeper.store.log import Log
from innkeeper.store.segments import Sizes

home, first, batches, limit = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
if limit:
    import resource
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
acknowledged = os.open(home.parent / "acknowledged", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
with Log.open(home, sizes=Sizes(seal_rows=100, segment_rows=2_000, fan_in=3)) as log:
    for batch in range(first, first + batches):
        text = '{"x":"' + "y" * 200 + '"}'
        log.append([LogRow("s", f"{batch}-{n}", "track", "E", f"u{n}", None, n, n, text) for n in range(40)])
        os.write(acknowledged, f"{batch}\\n".encode())
        os.fsync(acknowledged)
        log.seal()
"""


def write(
    home: Path, first: int, batches: int, *, limit: int = 0, failpoint: str = ""
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", WRITER, str(home), str(first), str(batches), str(limit)],
        capture_output=True,
        text=True,
        env={"INNKEEPER_FAILPOINT": failpoint, "PYTHONPATH": ":".join(sys.path)},
    )


def judge(home: Path, *, upto: int) -> None:
    """Acknowledged batches are whole and once; a batch that was not acknowledged is whole or absent."""
    record = home.parent / "acknowledged"
    acknowledged = {int(line) for line in record.read_text().split()} if record.exists() else set()
    with Bulk.open(home) as bulk:
        asked = bulk.rows("SELECT message_id FROM events")
    with Log.open(home, sizes=SIZES) as log:
        events = log.read(0, 100_000)
        assert log.count() == len(events)
    names = [event.message_id for event in events]
    assert sorted(names) == sorted(name for (name,) in asked)
    assert len(set(names)) == len(names)
    assert [event.seq for event in events] == sorted({event.seq for event in events})
    batches = {int(name.split("-")[0]) for name in names}
    assert set(names) == {f"{batch}-{n}" for batch in batches for n in range(40)}
    assert acknowledged <= batches <= acknowledged | {upto}


@pytest.mark.parametrize("name", MINE)
def test_a_kill_at_every_failpoint(tmp_path: Path, name: str) -> None:
    home = tmp_path / "home"
    home.mkdir()
    passes = random.Random(name).randint(1, {"append": 6, "seal": 2, "compact": 1}[name.split(".")[0]])
    killed = write(home, 0, 12, failpoint=f"{name}:{passes}")
    assert killed.returncode == -9, killed.stderr
    last = len((tmp_path / "acknowledged").read_text().split())
    judge(home, upto=last)
    # The client repeats what was not acknowledged, and goes on.
    again = write(home, last, 4)
    assert again.returncode == 0, again.stderr
    judge(home, upto=last + 3)
    listed = {part for segment in manifest.load(home).segments for part in (segment.file, segment.index)}
    kept = {path.name for path in (home / "segments").iterdir() if path.suffix in (".parquet", ".hash", ".tmp")}
    assert kept == listed
    assert list((home / "tmp").glob("*.ndjson")) == []
    assert examine(home) == []


@pytest.mark.parametrize("limit", [150_000, 60_000])
def test_a_full_disk_is_a_clear_error_and_no_damage(tmp_path: Path, limit: int) -> None:
    home = tmp_path / "home"
    home.mkdir()
    assert write(home, 0, 4).returncode == 0
    full = write(home, 4, 40, limit=limit)
    assert full.returncode != 0
    assert "[disk-full]" in full.stderr or "[disk-error]" in full.stderr, full.stderr
    last = len((tmp_path / "acknowledged").read_text().split())
    judge(home, upto=last)
    assert write(home, last, 10).returncode == 0
    judge(home, upto=last + 9)
    assert examine(home) == []


def test_a_failpoint_costs_nothing_unset_and_a_wrong_name_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    failpoint("not registered, and not looked at")
    with pytest.raises(Exception, match="names no failpoint"):
        arm("seal.rename")
    arm("seal.renamed:2")
    killed: list[int] = []
    monkeypatch.setattr("os.kill", lambda *_: killed.append(1))
    for _ in range(3):
        failpoint("seal.renamed")
        failpoint("seal.listed")
    arm("")
    assert killed == [1]
