"""The doctor: says what is wrong and what to do, mends what can be derived, leaves a sound store alone."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from msgspec.structs import replace

from innkeeper.cli.main import cli
from innkeeper.events.types import LogRow
from innkeeper.kernel.errors import OperationFailed
from innkeeper.kernel.time import FixedClock
from innkeeper.runtime import known, sources
from innkeeper.store import manifest
from innkeeper.store.access import Access
from innkeeper.store.bulk import Bulk
from innkeeper.store.doctor import examine
from innkeeper.store.drafts import Drafts
from innkeeper.store.imports import ImportTable
from innkeeper.store.log import Log
from innkeeper.store.segments import Sizes
from innkeeper.store.work import Work

NEVER = Sizes(seal_rows=10**9)


def rows(first: int, last: int) -> list[LogRow]:
    return [
        LogRow("import", f"m{n}", "track", "Order Completed", "u", None, n, n, f'{{"total":{n}}}')
        for n in range(first, last)
    ]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    with Log.open(tmp_path, sizes=NEVER) as log:
        log.append(rows(0, 300))
        log.seal(force=True)
        log.append(rows(300, 600))
        log.seal(force=True)
        log.append(rows(600, 650))
    return tmp_path


def found(home: Path) -> dict[str, str]:
    return {finding.code: finding.state for finding in examine(home)}


def file(home: Path, pattern: str) -> Path:
    return sorted((home / "segments").glob(pattern))[0]


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-5])


def test_a_sound_store_has_no_findings(home: Path) -> None:
    assert examine(home) == []


HARMS: list[tuple[str, Callable[[Path], Any], dict[str, str]]] = [
    ("segment missing", lambda home: file(home, "*.parquet").unlink(), {"segment-damaged": "wrong"}),
    ("segment flipped", lambda home: flip(file(home, "*.parquet")), {"segment-damaged": "wrong"}),
    ("segment truncated", lambda home: truncate(file(home, "*.parquet")), {"segment-damaged": "wrong"}),
    ("index missing", lambda home: file(home, "*.hash").unlink(), {"index-rebuilt": "repaired"}),
    ("index flipped", lambda home: flip(file(home, "*.hash")), {"index-rebuilt": "repaired"}),
    ("manifest missing", lambda home: manifest.path_of(home).unlink(), {"manifest-restored": "repaired"}),
    ("manifest flipped", lambda home: flip(manifest.path_of(home)), {"manifest-restored": "repaired"}),
    ("log garbage", lambda home: (home / "log.db").write_bytes(b"garbage" * 999), {"store-damaged": "wrong"}),
    ("leftovers", lambda home: (home / "segments" / "x.parquet.tmp").write_text("half"), {}),
    ("log newer", lambda home: sqlite3.connect(home / "log.db").execute("PRAGMA user_version = 99"), {}),
]


@pytest.mark.parametrize(("harm", "expected"), [pytest.param(h, e, id=name) for name, h, e in HARMS])
def test_each_harm_is_found(home: Path, harm: Callable[[Path], Any], expected: dict[str, str]) -> None:
    harm(home)
    if not expected and not (home / "segments" / "x.parquet.tmp").exists():
        expected = {"store-newer": "wrong"}
    assert found(home) == expected
    assert all(finding.fix or finding.state == "repaired" for finding in examine(home))
    if "wrong" not in expected.values():
        assert found(home) == {}
        with Log.open(home, sizes=NEVER) as log:
            assert log.append(rows(0, 651))[:2] == (1, 650)
            assert len(log.read(0, 1000)) == 651


@pytest.mark.parametrize("store", ["sources", "access", "imports", "drafts", "work"])
def test_harm_to_the_small_databases_is_found(home: Path, store: str) -> None:
    sources.create(home, "shop", "server", FixedClock(0))
    with Drafts.open(home), Work.open(home), Access.open(home), closing(ImportTable.open(home)):
        assert found(home) == {}
    with sqlite3.connect(home / f"{store}.db") as database:
        database.execute("PRAGMA user_version = 99")
    assert found(home) == {"store-newer": "wrong"}
    (home / f"{store}.db").write_bytes(b"garbage" * 999)
    assert found(home) == {"store-damaged": "wrong"}


def test_more_names_than_are_known_are_noted_and_stay_in_the_log(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known, "MOST", known.MOST | {"names": 3, "properties": 2, "traits": 1})
    assert known.too_many_names(home) == []
    more = [
        LogRow(
            "import", f"x{n}", "track", f"E{n % 4}", "u", None, n, n, f'{{"p":1,"p{n}":1}}', f'{{"t{n % 3}":1}}'
        )
        for n in range(12)
    ]  # fmt: skip
    with Log.open(home, sizes=NEVER) as log:
        log.append(more)
    assert [(each.code, each.state) for each in known.too_many_names(home)] == [("too-many-names", "note")] * 3
    assert [each.message.split(" have")[0] for each in known.too_many_names(home)] == [
        "5 event names", "3 traits", "4 properties",
    ]  # fmt: skip
    names = known.known_names(home)
    assert names is not None
    # Most often first, then by name: the 650 events of the workspace, then three of each name.
    assert sorted(names.events) == ["E0", "E1", "Order Completed"]
    assert names.events["E0"] == {"p", "p0"}
    assert names.traits == {"t0"}
    with Log.open(home, sizes=NEVER) as log:
        assert log.count() == 662


def test_a_manifest_lost_with_its_copy_is_made_from_the_segments(home: Path) -> None:
    before = manifest.load(home)
    manifest.path_of(home).unlink()
    (home / "log.db").unlink()
    assert found(home) == {"log-missing": "wrong", "manifest-restored": "repaired"}
    assert manifest.load(home).segments == tuple(replace(segment, pure=()) for segment in before.segments)
    with Log.open(home, sizes=NEVER) as log:
        assert log.count() == 600
        assert log.append(rows(0, 650))[:2] == (50, 600)
        assert log.last_seq() > 600
    assert found(home) == {}


def test_segments_without_any_manifest_are_never_swept(home: Path) -> None:
    kept = sorted((home / "segments").glob("*.parquet"))
    manifest.path_of(home).unlink()
    (home / "log.db").unlink()
    for use in (Log.open, Bulk.open):
        with pytest.raises(OperationFailed) as caught:
            use(home)
        assert caught.value.code == "manifest-missing"
    assert sorted((home / "segments").glob("*.parquet")) == kept


def test_the_way_out_of_a_lost_segment(home: Path) -> None:
    path = file(home, "*.parquet")
    path.write_bytes(b"garbage")
    refused = CliRunner().invoke(cli, ["--home", str(home), "doctor", "--forget", file(home, "*000600*.parquet").name])
    assert refused.exception is not None
    assert "sound" in str(refused.exception)
    result = CliRunner().invoke(cli, ["--home", str(home), "--json", "doctor", "--forget", path.name])
    assert result.exit_code == 0, result.output
    assert json.loads(result.output)["ok"] is True
    with Log.open(home, sizes=NEVER) as log:
        assert log.append(rows(0, 650))[:2] == (300, 350)
        assert {event.message_id for event in log.read(0, 1000)} == {f"m{n}" for n in range(650)}


def test_the_command_ends_with_1_and_one_json_document(home: Path) -> None:
    flip(file(home, "*.parquet"))
    run = subprocess.run(
        [sys.executable, "-m", "innkeeper", "--home", str(home), "--json", "doctor"], capture_output=True, text=True
    )
    answer = json.loads(run.stdout)
    assert run.returncode == 1
    assert answer["ok"] is False
    assert [finding["code"] for finding in answer["findings"]] == ["segment-damaged"]
    assert {"code", "message", "fix"} <= set(answer["findings"][0])


def test_events_list(home: Path) -> None:
    result = CliRunner().invoke(cli, ["--home", str(home), "--json", "events", "list", "--last", "60"])
    events = json.loads(result.stdout)["events"]
    assert [event["messageId"] for event in events] == [f"m{n}" for n in range(590, 650)]
    assert events[-1] == {
        "seq": 650, "source": "import", "messageId": "m649", "type": "track", "event": "Order Completed",
        "userId": "u", "anonymousId": None, "timestamp": "1970-01-01T00:00:00.000649Z",
        "receivedAt": "1970-01-01T00:00:00.000649Z", "properties": {"total": 649}, "traits": {}, "context": {},
        "extra": {}, "retracted": False,
    }  # fmt: skip
    none = CliRunner().invoke(cli, ["--home", str(home), "--json", "events", "list", "--name", "Nothing"])
    assert json.loads(none.stdout) == {"events": []}
