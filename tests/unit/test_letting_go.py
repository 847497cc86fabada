"""Rows that leave the sealed log: in one step, for good, and without disturbing who reads."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from innkeeper.events.types import LogRow
from innkeeper.kernel.errors import OperationFailed
from innkeeper.store import manifest
from innkeeper.store.bulk import Bulk
from innkeeper.store.doctor import examine
from innkeeper.store.due import Due, DueRule
from innkeeper.store.letting_go import Leaving
from innkeeper.store.log import Log
from innkeeper.store.manifest import LetGo
from innkeeper.store.segments import Sizes

SIZES = Sizes(seal_rows=10, segment_rows=40, fan_in=100)


def row(number: int, *, user: str | None = "u", anonymous: str | None = None, **parts: Any) -> LogRow:
    return LogRow("s", f"m{number}", "track", parts.get("name", "E"), user, anonymous, number, number,
                  json.dumps({"n": number}), json.dumps(parts.get("traits", {})))  # fmt: skip


def home_of(tmp_path: Path, rows: list[LogRow]) -> Path:
    home = tmp_path / "home"
    with Log.open(home, sizes=SIZES) as log:
        for at in range(0, len(rows), 40):
            log.append(rows[at : at + 40])
            log.seal(force=True)
    return home


def leave(home: Path, until: int, *, name: str = "E", carried: str = "") -> None:
    with Log.open(home, sizes=SIZES) as log:
        with Bulk.open(home) as bulk:
            due = Due(bulk, [DueRule(False, name, until)], [], 10**9)
            due.export(home / "tmp" / "going.parquet")
        (home / "tmp" / "carried.ndjson").write_text(carried)
        (home / "tmp" / "thinned.ndjson").write_text("")
        rows = Leaving(
            rows=home / "tmp" / "going.parquet", carried=home / "tmp" / "carried.ndjson",
            thinned=home / "tmp" / "thinned.ndjson",
            let_go=(LetGo(name=name, until=until),),
        )  # fmt: skip
        log.let_go(rows)


def ids(home: Path) -> list[str]:
    with Bulk.open(home) as bulk:
        return [name for (name,) in bulk.rows("SELECT message_id FROM events ORDER BY ts, message_id")]


def test_rows_leave_and_do_not_come_back(tmp_path: Path) -> None:
    rows = [row(number) for number in range(200)]
    home = home_of(tmp_path, rows)
    leave(home, 99)
    assert ids(home) == [f"m{number}" for number in range(100, 200)]
    listed = manifest.load(home)
    assert [each.rows for each in listed.segments] == [20, 40, 40]
    assert sum(each.rows for each in listed.gone) == 100
    with Log.open(home, sizes=SIZES) as log:
        assert log.count() == 100
        assert log.append(rows).accepted == 0
        assert log.append([row(200)]).accepted == 1
        assert [event.message_id for event in log.read(0, 1_000)][:2] == ["m100", "m101"]
        assert log.get([5, 150]).keys() == {150}
        log.seal(force=True)
    assert examine(home) == []
    leave(home, 149)
    assert ids(home) == [f"m{number}" for number in range(150, 201)]
    with Log.open(home, sizes=SIZES) as log:
        assert log.append(rows).accepted == 0
    assert not any(b'"n": 17}' in path.read_bytes() for path in home.rglob("*") if path.is_file())


def test_the_newest_row_stays(tmp_path: Path) -> None:
    home = home_of(tmp_path, [row(number) for number in range(50)])
    leave(home, 1_000)
    assert ids(home) == ["m49"]
    with Log.open(home, sizes=SIZES) as log:
        assert log.append([row(51)]).last_seq == 51


def test_a_reader_keeps_its_picture_and_the_old_files_go_when_it_ends(tmp_path: Path) -> None:
    home = home_of(tmp_path, [row(number) for number in range(80)])
    old = {segment.file for segment in manifest.load(home).segments}
    with Bulk.open(home) as bulk:
        leave(home, 59)
        assert bulk.rows("SELECT count(*) FROM events") == [(80,)]
        assert len(ids(home)) == 20
        assert all((home / "segments" / name).exists() for name in old)
    Log.open(home).close()
    assert not any((home / "segments" / name).exists() for name in old)


def test_what_is_not_sealed_is_sealed_first(tmp_path: Path) -> None:
    home = home_of(tmp_path, [row(number) for number in range(40)])
    with Log.open(home, sizes=Sizes()) as log:
        log.append([row(99)])
    leave(home, 10)
    assert ids(home) == [f"m{number}" for number in (*range(11, 40), 99)]
    assert manifest.load(home).events == 30


def test_what_says_more_than_that_it_happened_stays(tmp_path: Path) -> None:
    rows = [
        row(1, anonymous="a"),  # the first link
        row(2, anonymous="a"),
        row(3, anonymous="a", user="v"),  # another user
        row(4, anonymous="a"),  # and back
        row(5, anonymous="a"),
        row(6, traits={"plan": "old"}),
        row(7, traits={"plan": "new", "email": "x@example.com"}),
        row(8, traits={"email": "y@example.com"}),
        row(9, traits={"email": "x@example.com"}),
        row(10, user=None, anonymous="a", traits={"plan": "a"}),
        row(11, name="Other"),
        row(12),
        row(50),
    ]
    home = home_of(tmp_path, rows)
    with Bulk.open(home) as bulk:
        due = Due(bulk, [DueRule(False, "E", 20)], [("Nothing", "x")], 10**9)
        assert {(count.reason, count.events) for count in due.counts()} == {
            (None, 4), ("it links identifiers", 4), ("a trait still stands", 3),
        }  # fmt: skip
        going = {went.message_id for went in due.folded(["E"])}
        spans = {went.message_id: went.span for went in due.folded(["E"])}
    assert going == {"m2", "m5", "m6", "m12"}
    assert set(spans.values()) == {0}


def test_what_was_not_taken_yet_stays(tmp_path: Path) -> None:
    home = home_of(tmp_path, [row(number) for number in range(50)])
    with Bulk.open(home) as bulk:
        due = Due(bulk, [DueRule(False, "E", 1_000)], [], 30)
        assert [count.events for count in due.counts()] == [30]


def test_a_lost_manifest_is_made_again_with_what_went(tmp_path: Path) -> None:
    home = home_of(tmp_path, [row(number) for number in range(80)])
    carried = {
        "seq": 0, "source": "innkeeper", "message_id": "carried:1", "type": "track", "name": "Facts Carried",
        "user_id": "u", "anonymous_id": None, "timestamp": 59, "received_at": 99, "traits": "{}", "context": "{}",
        "extra": "{}", "properties": json.dumps({"events": {"E": 60}, "accumulators": {"k": 60}}),
    }  # fmt: skip
    leave(home, 59, carried=json.dumps(carried) + "\n")
    before = ids(home)
    with Bulk.open(home) as bulk:
        found = bulk.rows("SELECT identifier, ts, properties FROM carried")
    assert found == [("user_id:u", 59, carried["properties"])]
    manifest.path_of(home).unlink()
    (home / "log.db").unlink()
    assert "manifest-restored" in {finding.code for finding in examine(home)}
    listed = manifest.load(home)
    assert [(each.name, each.until, each.keys) for each in listed.let_go] == [("E", 59, {})]
    assert sum(each.rows for each in listed.gone) == 60
    assert ids(home) == before


def test_damaged_hashes_of_what_went_are_found(tmp_path: Path) -> None:
    home = home_of(tmp_path, [row(number) for number in range(80)])
    leave(home, 59)
    path = home / "segments" / manifest.load(home).gone[0].file
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    assert [finding.code for finding in examine(home)] == ["gone-damaged"]
    with Log.open(home) as log, pytest.raises(OperationFailed, match="checksum"):
        log.append([row(5)])
