"""The log: what is appended is there once, in order, wherever it lies."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from innkeeper.events.types import Event, LogRow, from_row
from innkeeper.kernel.errors import OperationFailed
from innkeeper.kernel.failpoints import VARIABLE
from innkeeper.kernel.json import dumps
from innkeeper.kernel.time import SystemClock
from innkeeper.store import manifest
from innkeeper.store.log import Log
from innkeeper.store.seal_process import seal_apart
from innkeeper.store.segments import Sealer, Sizes

SMALL = Sizes(seal_rows=100, segment_rows=2_000, fan_in=3)
NEVER = Sizes(seal_rows=10**9)


def row(number: int, *, source: str = "import", user: str | None = None, name: str = "Order Completed") -> LogRow:
    return LogRow(
        source, f"m{number}", "track", name, user or f"u{number % 7}", None, 1_000_000 * (number % 50) - number, number,
        dumps({"total": number / 4, "status": "paid" if number % 2 else "open"}), "{}", '{"ip":"1.2.3.4"}', "{}",
    )  # fmt: skip


def rows(first: int, last: int) -> list[LogRow]:
    return [row(number) for number in range(first, last)]


def test_an_empty_log(tmp_path: Path) -> None:
    with Log.open(tmp_path) as log:
        assert (log.last_seq(), log.count(), log.read(0, 10)) == (0, 0, [])
        assert log.get([1, 2]) == {}
        assert log.seal(force=True) == 0


def test_duplicates_in_the_batch_the_tail_and_the_segments(tmp_path: Path) -> None:
    with Log.open(tmp_path, sizes=NEVER) as log:
        assert log.append(rows(0, 50) + rows(0, 10))[:2] == (50, 10)
        assert log.append(rows(40, 60))[:2] == (10, 10)
        assert log.seal(force=True) == 60
        assert log.append(rows(50, 70))[:2] == (10, 10)
        # The same message_id of another source is another message.
        assert log.append([row(3, source="other")])[:2] == (1, 0)
    with Log.open(tmp_path, sizes=NEVER) as log:
        assert log.append([*rows(0, 70), row(3, source="other")])[:2] == (0, 71)
        assert log.count() == 71
        assert len({(event.source, event.message_id) for event in log.read(0, 1000)}) == 71


def test_places_rise_and_are_never_used_again(tmp_path: Path) -> None:
    with Log.open(tmp_path, sizes=NEVER) as log:
        log.append(rows(0, 10))
        log.seal(force=True)
        last = log.last_seq()
        assert last == 10
        log.append(rows(5, 15))
        places = [event.seq for event in log.read(0, 100)]
        assert places == sorted(set(places))
        assert len(places) == 15
        assert min(event.seq for event in log.read(last, 100)) > last


@pytest.mark.parametrize("limit", [1, 7, 64, 5_000])
def test_reading_in_order_across_segments_and_tail(tmp_path: Path, limit: int) -> None:
    with Log.open(tmp_path, sizes=SMALL) as log:
        for first in range(0, 650, 50):
            log.append(rows(first, first + 50))
        log._background.join()
        assert manifest.load(tmp_path).events >= 100
        found: list[Event] = []
        while part := log.read(found[-1].seq if found else 0, limit):
            found += part
            assert len(part) == min(limit, 650 - len(found) + len(part))
        assert found == [from_row(seq, row(number)) for seq, number in zip(range(1, 651), range(650), strict=True)]
        wanted = random.Random(1).sample(range(1, 660), 200)
        assert log.get(wanted) == {event.seq: event for event in found if event.seq in wanted}


def test_a_reader_follows_a_seal_in_another_connection(tmp_path: Path) -> None:
    with Log.open(tmp_path, sizes=NEVER) as log, Log.open(tmp_path, read_only=True) as reader:
        log.append(rows(0, 30))
        assert len(reader.read(0, 100)) == 30
        log.seal(force=True)
        assert len(reader.read(0, 100)) == 30
        assert [event.seq for event in reader.read(10, 5)] == [11, 12, 13, 14, 15]
        log.append(rows(30, 40))
        assert reader.count() == len(reader.read(0, 100)) == 40


def test_all_texts_come_back_as_they_were(tmp_path: Path) -> None:
    odd = ["", " ", "a\nb", 'q"q', "back\\slash", "é😀", "nul\0byte", "\u2028", "null", "\\N", "\x1f\x1e"]
    given = [
        LogRow("s", text, "track", text or "x", text, text, 5, 6, dumps({text: text, "n": [1, {"x": None}]}))
        for text in odd
    ]
    given.append(LogRow("s", "anonymous", "page", "Page Viewed", None, "a", 5, 6))
    with Log.open(tmp_path, sizes=NEVER) as log:
        log.append(given)
        before = log.read(0, 100)
        log.seal(force=True)
        assert log.read(0, 100) == before == [from_row(seq, item) for seq, item in enumerate(given, 1)]
        assert log.append(given)[:2] == (0, len(given))


def test_small_segments_are_merged(tmp_path: Path) -> None:
    sizes = Sizes(seal_rows=10, segment_rows=1_000, fan_in=3)
    with Log.open(tmp_path, sizes=sizes) as log:
        for first in range(0, 270, 10):
            log.append(rows(first, first + 10))
            log.seal(force=True)
        listed = manifest.load(tmp_path)
        assert len(listed.segments) < 9
        assert listed.events == 270
        assert {path.name for path in (tmp_path / "segments").glob("*.parquet")} == {
            segment.file for segment in listed.segments
        }
        assert [event.message_id for event in log.read(0, 1_000)] == [f"m{number}" for number in range(270)]
        assert log.append(rows(0, 271))[:2] == (1, 270)


def test_a_lost_hash_index_is_made_again(tmp_path: Path) -> None:
    with Log.open(tmp_path, sizes=NEVER) as log:
        log.append(rows(0, 30))
        log.seal(force=True)
    index = next((tmp_path / "segments").glob("*.hash"))
    for content in (None, b"", b"garbage" * 100, index.read_bytes()[:-1] + b"\xff"):
        index.unlink() if content is None else index.write_bytes(content)
        with Log.open(tmp_path, sizes=NEVER) as log:
            assert log.append(rows(0, 30))[:2] == (0, 30)


def test_a_false_hit_of_the_hash_index_is_no_duplicate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Log.open(tmp_path, sizes=NEVER) as log:
        log.append(rows(0, 30))
        log.seal(force=True)
        genuine = log._known.places
        monkeypatch.setattr(log._known, "places", lambda hashes: [*genuine(hashes), 1, 2, 3])
        assert log.append(rows(25, 35))[:2] == (5, 5)


def test_a_lost_segment_is_named_and_appends_go_on(tmp_path: Path) -> None:
    with Log.open(tmp_path, sizes=NEVER) as log:
        log.append(rows(0, 30))
        log.seal(force=True)
    segment = next((tmp_path / "segments").glob("*.parquet"))
    segment.write_bytes(b"garbage")
    with Log.open(tmp_path, sizes=NEVER) as log:
        with pytest.raises(OperationFailed) as caught:
            log.read(0, 10)
        assert caught.value.code == "segment-damaged"
        assert segment.name in str(caught.value)
        assert "innkeeper doctor" in caught.value.fix
        assert log.append(rows(30, 40))[:2] == (10, 0)
        assert len(log.read(30, 100)) == 10
        with pytest.raises(OperationFailed) as caught:
            log.append(rows(0, 1))
        assert caught.value.code == "segment-damaged"


def test_a_lost_manifest_comes_back_from_its_copy(tmp_path: Path) -> None:
    with Log.open(tmp_path, sizes=NEVER) as log:
        log.append(rows(0, 30))
        log.seal(force=True)
    path = manifest.path_of(tmp_path)
    whole = path.read_bytes()
    for content in (None, b"", whole[:-10], whole.replace(b'"rows": 30', b'"rows": 31')):
        path.unlink() if content is None else path.write_bytes(content)
        with Log.open(tmp_path, sizes=NEVER) as log:
            assert log.count() == len(log.read(0, 100)) == 30
        assert path.read_bytes() == whole


def test_a_seal_that_fails_in_the_background_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    genuine = Sealer.seal
    tried: list[int] = []

    def fail_once(sealer: Sealer, *, least: int) -> int:
        tried.append(least)
        if len(tried) == 1:
            raise OperationFailed("no room", code="disk-full")
        return genuine(sealer, least=least)

    monkeypatch.setattr(Sealer, "seal", fail_once)
    with Log.open(tmp_path, sizes=SMALL) as log:
        log.append(rows(0, 120))
        log._background.join()
        assert log.seal_error is not None
        assert log.count() == len(log.read(0, 1_000)) == 120
        log.append(rows(120, 150))
        assert tried == [100]
        log.append(rows(150, 300))
        log._background.join()
        assert log.seal_error is None
        assert manifest.load(tmp_path).events == log.count() == 300


def test_a_seal_in_a_process_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Log.open(tmp_path, sizes=SMALL, seals_apart=True) as log:
        monkeypatch.setenv(VARIABLE, "seal.renamed")
        log.append(rows(0, 120))
        log._background.join()
        assert log.seal_error is not None
        assert log.seal_error.code == "seal-ended"
        assert log.count() == len(log.read(0, 1_000)) == 120
        monkeypatch.delenv(VARIABLE)
        log.append(rows(120, 300))
        log._background.join()
        assert log.seal_error is None
        assert manifest.load(tmp_path).events == log.count() == len(log.read(0, 1_000)) == 300
        assert log.append(rows(0, 300)).duplicates == 300


def test_a_seal_in_a_process_of_its_own_that_fails_says_why(tmp_path: Path) -> None:
    with Log.open(tmp_path, sizes=SMALL, seals_apart=True) as log:
        log.append(rows(0, 90))
        manifest.path_of(tmp_path).parent.mkdir(exist_ok=True)
        manifest.path_of(tmp_path).write_text('{"version": 99}')
        log.append(rows(90, 120))
        log._background.join()
        assert log.seal_error is not None
        assert (type(log.seal_error), log.seal_error.code) == (OperationFailed, "manifest-damaged")


def test_after_a_failed_sync_nothing_is_acknowledged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    failed = OperationFailed("disk I/O error", code="disk-sync-failed")
    with Log.open(tmp_path, sizes=NEVER) as log:
        log.append(rows(0, 10))

        def fail(*_: object) -> None:
            raise failed

        with monkeypatch.context() as patch:
            patch.setattr(log, "_follow", fail)
            with pytest.raises(OperationFailed):
                log.append(rows(10, 20))
        with pytest.raises(OperationFailed) as caught:
            log.append(rows(10, 20))
        assert caught.value is failed
    with Log.open(tmp_path, sizes=NEVER) as log:
        assert log.append(rows(0, 20))[:2] == (10, 10)


def test_an_old_tail_is_sealed_when_it_is_tended(tmp_path: Path) -> None:
    now = SystemClock().now()
    with Log.open(tmp_path) as log:
        log.append([row(number)._replace(received_at=now) for number in range(5)])
        log.tend()
        log._background.join()
        assert (log.seal(), manifest.load(tmp_path).events) == (0, 0)
    with Log.open(tmp_path, sizes=Sizes(seal_age=0)) as log:
        log.tend()
        log._background.join()
        assert (manifest.load(tmp_path).events, log.count(), log.seal_error) == (5, 5, None)


def test_a_damaged_segment_is_not_merged_and_stops_no_seal(tmp_path: Path) -> None:
    sizes = Sizes(seal_rows=10, segment_rows=1_000, fan_in=3)
    with Log.open(tmp_path, sizes=NEVER) as log:
        for first in range(0, 50, 10):
            log.append(rows(first, first + 10))
            Sealer(tmp_path, log._database, NEVER).seal(least=1)
    damaged = sorted((tmp_path / "segments").glob("*.parquet"))[1]
    damaged.write_bytes(b"garbage")
    with Log.open(tmp_path, sizes=sizes) as log:
        log.append(rows(50, 60))
        log.seal(force=True)
        assert log.seal_error is None
    listed = manifest.load(tmp_path)
    assert listed.events == 60
    assert [segment.rows for segment in listed.segments] == [10, 10, 30, 10]
    assert damaged.exists()


def test_a_process_for_the_seal_that_says_nothing_is_an_error_of_the_seal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("innkeeper.store.seal_process.sys.executable", "/bin/false")
    with pytest.raises(OperationFailed, match="ended with 1") as raised:
        seal_apart(tmp_path, SMALL, least=1, merge=False, threads=1)
    assert raised.value.code == "seal-ended"
