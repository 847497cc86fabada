"""Importing files: what is counted, what is refused and where it is written; a second time finds duplicates."""

from __future__ import annotations

import errno
import gzip
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import duckdb
import pytest
from support.log_files import committed

from innkeeper.events.types import Event
from innkeeper.kernel.errors import Invalid, OperationFailed, UsageError
from innkeeper.kernel.time import FixedClock, parse_instant
from innkeeper.runtime import import_csv, import_lines, import_rejects, import_table
from innkeeper.runtime.imports import Imported, Order, import_file
from innkeeper.runtime.lock import hold
from innkeeper.store.log import Log
from innkeeper.store.occurrences import Occurrences

NOW = FixedClock(parse_instant("2026-11-22T09:30:00Z"))
MAPPING = """
event: {value: Order Completed}
messageId: {template: "o-{{ id }}"}
userId: customer
timestamp: at
zone: Europe/Lisbon
properties: {total: total, code: code}
"""
ORDERS = "group_by: order\nproperties: {total: {sum: quantity * price}}\nproducts: {sku: sku}\n"
GROUPED = "event: {value: Order Completed}\nuserId: customer\ntimestamp: at\nzone: UTC\n" + ORDERS


def event(number: int, **changes: Any) -> dict[str, Any]:
    fields = {
        "type": "track",
        "messageId": f"m{number}",
        "userId": f"u{number % 7}",
        "timestamp": f"2026-01-{number % 28 + 1:02d}T00:00:00Z",
        "event": "Order Completed",
        "properties": {"total": number},
    }
    return {key: value for key, value in (fields | changes).items() if value is not ...}


def jsonl(path: Path, lines: list[Any]) -> Path:
    path.write_text("".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines))
    return path


def run(home: Path, file: Path, mapping: str | None = None, **changes: Any) -> Imported:
    path = None
    if mapping is not None:
        path = file.with_name("mapping.yaml")
        path.write_text(mapping)
    return import_file(home, Order(file=file, mapping=path, **changes), progress=lambda done, total: None, clock=NOW)


def counts(done: Imported) -> tuple[int, int, int, int, int]:
    return done.read, done.events, done.accepted, done.duplicates, done.rejected


def events(home: Path) -> list[Event]:
    with Log.open(home, read_only=True) as log:
        return log.read(0, 1_000_000)


def rejects(done: Imported) -> list[dict[str, Any]]:
    assert done.rejects_file is not None
    return [json.loads(line) for line in done.rejects_file.read_text().splitlines()]


def left_over(home: Path) -> list[str]:
    return [path.name for path in home.iterdir() if path.name.startswith("import-")]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


def test_jsonl_is_taken_once(home: Path, tmp_path: Path) -> None:
    file = jsonl(tmp_path / "events.jsonl", [event(number) for number in range(12_000)])
    first = run(home, file)
    assert counts(first) == (12_000, 12_000, 12_000, 0, 0)
    assert first.rejects_file is None
    assert not (home / "rejects").exists()
    assert counts(run(home, file)) == (12_000, 12_000, 0, 12_000, 0)
    found = events(home)
    assert [(one.message_id, one.properties["total"]) for one in found] == [(f"m{n}", n) for n in range(12_000)]
    assert {one.source for one in found} == {"import"}
    assert {one.received_at for one in found} == {NOW.now()}
    assert left_over(home) == []


def test_bad_lines_go_to_the_rejects_file_and_the_rest_goes_on(home: Path, tmp_path: Path) -> None:
    lines = [event(1), "{broken", "", event(2, userId=...), "  ", event(3), "[1]", event(4, timestamp="x"), event(1)]
    done = run(home, jsonl(tmp_path / "events.jsonl", lines))
    assert counts(done) == (7, 3, 2, 1, 4)
    found = rejects(done)
    assert [(one["line"], one["code"]) for one in found] == [
        (2, "not-json"), (4, "no-id"), (7, "not-an-object"), (8, "bad-timestamp"),
    ]  # fmt: skip
    assert [one["text"] for one in found] == ["{broken", json.dumps(lines[3]), "[1]", json.dumps(lines[7])]
    assert all(one["reason"] for one in found)
    assert done.rejects_file is not None
    assert done.rejects_file.parent == home / "rejects"
    assert done.rejects_file.stat().st_mode & 0o077 == 0


def test_each_import_has_a_rejects_file_of_its_own(home: Path, tmp_path: Path) -> None:
    file = jsonl(tmp_path / "..events; rm -rf.jsonl", ["x"])
    files = {run(home, file).rejects_file for _ in range(3)}
    assert len(files) == 3
    assert all(path is not None and path.parent == home / "rejects" and ";" not in path.name for path in files)


def test_lines_of_any_length_and_ending(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(import_lines, "_BLOCK", 4_096)
    good = [json.dumps(event(number)).encode() for number in range(50)]
    lines = [b"\xef\xbb\xbf" + good[0], *good[1:20], b'"' + b"x" * 50_000, *good[20:30], b"{" * 4_096, *good[30:]]
    file = tmp_path / "events.ndjson"
    file.write_bytes(b"\r\n".join(lines))
    done = run(home, file)
    assert counts(done) == (52, 50, 50, 0, 2)
    assert [one["line"] for one in rejects(done)] == [21, 32]
    assert len({one.message_id for one in events(home)}) == 50


def test_a_gzipped_file_is_unpacked_and_a_damaged_one_said(home: Path, tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl.gz"
    text = "".join(json.dumps(event(number)) + "\n" for number in range(40_000)).encode()
    file.write_bytes(gzip.compress(text))
    assert counts(run(home, file)) == (40_000, 40_000, 40_000, 0, 0)
    file.write_bytes(gzip.compress(text)[:-20_000])
    with pytest.raises(UsageError, match="damaged"):
        run(tmp_path / "other", file)
    assert left_over(tmp_path / "other") == []
    found = [one.message_id for one in events(tmp_path / "other")]
    assert found == [f"m{number}" for number in range(len(found))]
    assert len(found) > 10_000


def test_without_a_message_id_equal_lines_are_told_apart_by_their_number(home: Path, tmp_path: Path) -> None:
    lines = [event(1, messageId=...), event(1, messageId=...), event(2, messageId=...), event(1, messageId=...)]
    file = jsonl(tmp_path / "events.jsonl", lines)
    assert counts(run(home, file)) == (4, 4, 4, 0, 0)
    assert counts(run(home, file)) == (4, 4, 0, 4, 0)
    longer = jsonl(tmp_path / "longer.jsonl", [*lines, event(1, messageId=...)])
    assert counts(run(home, longer)) == (5, 5, 1, 4, 0)


def test_occurrences_count_the_same_in_memory_and_beyond(tmp_path: Path) -> None:
    digests = [bytes([number * number % 23, number % 3]) for number in range(500)]
    with Occurrences(tmp_path / "a") as small, Occurrences(tmp_path / "b", in_memory=10) as large:
        assert [small.next(digest) for digest in digests] == [large.next(digest) for digest in digests]
    assert not (tmp_path / "a").exists()
    assert (tmp_path / "b").exists()


def test_the_source_keeps_ids_apart_and_the_engines_own_is_refused(home: Path, tmp_path: Path) -> None:
    file = jsonl(tmp_path / "events.jsonl", [event(1)])
    assert counts(run(home, file, source="till")) == (1, 1, 1, 0, 0)
    assert counts(run(home, file, source="web")) == (1, 1, 1, 0, 0)
    with pytest.raises(UsageError, match="reserved"):
        run(home, file, source="innkeeper")


def test_a_home_that_is_held_is_refused_with_the_pid(home: Path, tmp_path: Path) -> None:
    file = jsonl(tmp_path / "events.jsonl", [event(1)])
    with hold(home), pytest.raises(OperationFailed, match=str(os.getpid())):
        run(home, file)


@pytest.mark.parametrize("name", ["none.jsonl", "folder.jsonl", "none.parquet", "none.csv"])
def test_files_that_cannot_be_read(home: Path, tmp_path: Path, name: str) -> None:
    (tmp_path / "folder.jsonl").mkdir()
    with pytest.raises(UsageError, match="cannot be read"):
        run(home, tmp_path / name)


def test_what_a_file_is_and_whether_it_needs_a_mapping(home: Path, tmp_path: Path) -> None:
    table = tmp_path / "orders.csv"
    table.write_text("a,b\n1,2\n")
    with pytest.raises(UsageError, match="needs no mapping"):
        run(home, jsonl(tmp_path / "events.jsonl", [event(1)]), MAPPING)
    with pytest.raises(UsageError, match="a mapping must say"):
        run(home, table)
    (tmp_path / "orders.txt").write_text("a b c")
    with pytest.raises(UsageError, match="no known kind"):
        run(home, tmp_path / "orders.txt")
    with pytest.raises(UsageError, match="cannot be read"):
        import_file(home, Order(file=table, mapping=tmp_path / "no.yaml"), progress=lambda done, total: None)
    jsonl(tmp_path / "export", [event(1)])
    assert counts(run(home, tmp_path / "export")) == (1, 1, 1, 0, 0)
    assert not (home / "rejects").exists()


def test_a_file_that_is_no_parquet(home: Path, tmp_path: Path) -> None:
    file = tmp_path / "orders.parquet"
    for content in (b"", b"PAR1 nonsense PAR1", b"hello"):
        file.write_bytes(content)
        with pytest.raises(UsageError, match="cannot be read"):
            run(home, file, MAPPING)


def test_all_mistakes_of_a_mapping_at_once(home: Path, tmp_path: Path) -> None:
    file = tmp_path / "orders.csv"
    file.write_text("id,customer,at,total,code\n")
    with pytest.raises(Invalid) as raised:
        run(home, file, MAPPING.replace("customer", "custmer") + "where: nowhere = 1\nzzz: 1")
    assert [problem.line for problem in raised.value.problems] == [4, 8, 9]
    assert all(problem.file.endswith("mapping.yaml") for problem in raised.value.problems)


def test_csv_keeps_leading_zeros_and_reads_numbers(home: Path, tmp_path: Path) -> None:
    file = tmp_path / "orders.csv"
    file.write_text("id,customer,at,total,code\n1,007,2026-07-01 10:00,12.50,01\n2,8,2026-12-01 10:00,-3,22\n")
    assert counts(run(home, file, MAPPING)) == (2, 2, 2, 0, 0)
    first, second = events(home)
    assert (first.user_id, first.message_id, first.properties) == ("007", "o-1", {"total": 12.5, "code": "01"})
    assert (second.user_id, second.properties) == ("8", {"total": -3, "code": "22"})
    assert first.timestamp == parse_instant("2026-07-01T09:00:00Z")
    assert second.timestamp == parse_instant("2026-12-01T10:00:00Z")


def test_ids_and_groups_of_a_csv_are_what_is_written(home: Path, tmp_path: Path) -> None:
    rows = ["1.10,1.10,2026-01-01,1,1.50,1e3", "1.1,1.1,2026-01-01,1,2,x", "1.1,1.1,2026-01-01,1,,x"]
    file = grouped(tmp_path / "orders.csv", rows)
    mapping = GROUPED + 'messageId: {template: "o{{ order }}"}\ncontext: {a: order, b: {column: order, map: {x: y}}}'
    assert counts(run(home, file, mapping)) == (3, 2, 2, 0, 0)
    found = {one.message_id: (one.user_id, one.properties["total"], one.context) for one in events(home)}
    assert found == {"o1.10": ("1.10", 1.5, {"a": 1.1, "b": "1.10"}), "o1.1": ("1.1", 2, {"a": 1.1, "b": "1.1"})}


def test_a_template_that_fails_costs_its_line(home: Path, tmp_path: Path) -> None:
    file = tmp_path / "orders.csv"
    file.write_text(f"id,customer,at,total,code\n1,u,2026-01-01,1,{'x' * 90_000}\n2,u,2026-01-01,1,y\n")
    loop = "{% for i in (1..1000) %}{% for j in (1..total) %}{{ code }}{% endfor %}{% endfor %}"
    done = run(home, file, MAPPING.replace("total: total", f'total: {{template: "{loop}"}}'))
    assert counts(done) == (2, 1, 1, 0, 1)
    assert rejects(done)[0]["line"] == 2
    assert "template" in rejects(done)[0]["reason"]


def test_columns_of_a_csv_may_be_declared(home: Path, tmp_path: Path) -> None:
    file = tmp_path / "orders.csv"
    file.write_text("id,customer,at,total,code\n1,7,2026-07-01,12,5\n2,8,2026-07-01,lots,6\n3,9,2026-07-01,,7\n")
    done = run(home, file, MAPPING + "types: {total: number, code: text}")
    assert counts(done) == (3, 2, 2, 0, 1)
    assert [one.properties for one in events(home)] == [{"total": 12.0, "code": "5"}, {"code": "7"}]
    (refused,) = rejects(done)
    assert (refused["line"], refused["code"]) == (3, "bad-cell")
    assert "total" in refused["reason"]


def test_a_column_that_where_compares_with_numbers_is_one_of_numbers(home: Path, tmp_path: Path) -> None:
    file = tmp_path / "orders.csv"
    file.write_text("id,customer,at,total,code\n1,7,2026-07-01,12,5\n2,8,2026-07-01,lots,6\n3,9,2026-07-01,-1,7\n")
    done = run(home, file, MAPPING + 'where: "customer is present and total > 0"')
    assert counts(done) == (3, 1, 1, 0, 1)
    assert done.skipped == 1
    assert [one.properties for one in events(home)] == [{"total": 12.0, "code": 5}]
    (refused,) = rejects(done)
    assert (refused["line"], refused["code"]) == (3, "bad-cell")


def test_a_mended_table_has_the_same_events_again(home: Path, tmp_path: Path) -> None:
    mapping = MAPPING.replace('messageId: {template: "o-{{ id }}"}\n', "") + 'where: "total > 0"'
    file = tmp_path / "orders.csv"
    file.write_text("id,customer,at,total,code\n1,7,2026-07-01,12,5\n2,8,2026-07-01,lots,6\n")
    assert counts(run(home, file, mapping)) == (2, 1, 1, 0, 1)
    for mended in ("3", "2.5"):
        file.write_text(f"id,customer,at,total,code\n1,7,2026-07-01,12,5\n2,8,2026-07-01,{mended},6\n")
        assert counts(run(home, file, mapping)) == (2, 2, 1, 1, 0)


BROKEN = """id,customer,at,total,code
1,u1,2026-01-01,1,a
2,u2,2026-01-01,1
3,u3,2026-01-01,1,a,b
4,u4,2026-01-01,1,"two
lines"
5,u5,2026-01-01,1,"never closed
6,u6,2026-01-01,1,a
7,u7,2026-01-01,1,"bad" quote

8,u8,2026-01-01,1,"a ""quoted"" word"
9,u9,2026-01-01,1,5" pipe
10,u10,2026-01-01,1,@
11,u11,not a time,1,a
12,,2026-01-01,1,a
13,u13,2026-01-01,1,
"""


def test_a_damaged_csv_costs_its_damaged_lines_only(home: Path, tmp_path: Path) -> None:
    file = tmp_path / "orders.csv"
    file.write_bytes(BROKEN.encode().replace(b"@", b"\xff"))
    done = run(home, file, MAPPING)
    assert {one.message_id: one.properties.get("code") for one in events(home)} == {
        "o-1": "a", "o-4": "two\nlines", "o-6": "a", "o-8": 'a "quoted" word', "o-9": '5" pipe', "o-13": None,
    }  # fmt: skip
    assert [(one["line"], one["code"]) for one in sorted(rejects(done), key=lambda one: int(one["line"]))] == [
        (3, "wrong-width"), (4, "wrong-width"), (7, "bad-csv"), (9, "bad-csv"), (13, "not-utf-8"),
        (14, "bad-timestamp"), (15, "no-id"),
    ]  # fmt: skip
    assert counts(done) == (13, 6, 6, 0, 7)


def test_a_quote_that_is_never_closed_does_not_swallow_the_file(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(import_csv, "MAX_RECORD_LINES", 50)
    rows = [f"{number},u,2026-01-01,1,a" for number in range(200)]
    rows[20] = '20,u,2026-01-01,1,"open'
    rows[199] = '199,u,2026-01-01,1,"open'
    file = tmp_path / "orders.csv"
    file.write_text("id,customer,at,total,code\n" + "\n".join(rows))
    done = run(home, file, MAPPING)
    assert counts(done) == (200, 198, 198, 0, 2)
    assert [(one["line"], one["code"]) for one in rejects(done)] == [(22, "unclosed-quote"), (201, "unclosed-quote")]


@pytest.mark.parametrize(
    ("header", "said"),
    [("", "no header"), ("a,,b", "without a name"), ("a,A", "twice"), ("__line,a", "taken"), ('"a', "not CSV")],
)
def test_headers_that_are_none(home: Path, tmp_path: Path, header: str, said: str) -> None:
    file = tmp_path / "orders.csv"
    file.write_text(header + "\n")
    with pytest.raises(UsageError, match=said):
        run(home, file, MAPPING)


@pytest.mark.parametrize(("name", "between"), [("o.csv", ";"), ("o.tsv", "\t"), ("o.csv", "|"), ("o.csv.gz", ",")])
def test_delimiters_and_packing(home: Path, tmp_path: Path, name: str, between: str) -> None:
    file = tmp_path / name
    text = "\ufeffid,customer,at,total,code\r\n1,u,2026-01-01,1,'a\r\n".replace(",", between).encode()
    file.write_bytes(gzip.compress(text) if name.endswith(".gz") else text)
    assert counts(run(home, file, MAPPING)) == (1, 1, 1, 0, 0)
    assert events(home)[0].properties == {"total": 1, "code": "'a"}


def grouped(path: Path, rows: list[str]) -> Path:
    path.write_text("\n".join(["order,customer,at,quantity,price,sku", *rows]) + "\n")
    return path


def test_lines_of_an_order_become_one_event_wherever_they_stand(home: Path, tmp_path: Path) -> None:
    rows = ["1,u1,2026-01-02,1,0.10,a", "2,u2,2026-01-01,3,1.5,b", "1,u1,2026-01-01,2,0.10,c", "2,u2,2026-01-03,1,,d"]
    file = grouped(tmp_path / "orders.csv", rows)
    assert counts(run(home, file, GROUPED)) == (4, 2, 2, 0, 0)
    assert counts(run(home, file, GROUPED)) == (4, 2, 0, 2, 0)
    one, two = events(home)
    assert (one.user_id, one.properties) == ("u1", {"total": 0.3, "products": [{"sku": "a"}, {"sku": "c"}]})
    assert (two.user_id, two.properties) == ("u2", {"total": 4.5, "products": [{"sku": "b"}, {"sku": "d"}]})
    assert one.timestamp == two.timestamp == parse_instant("2026-01-01T00:00:00Z")


def test_a_group_is_taken_whole_or_not_at_all(home: Path, tmp_path: Path) -> None:
    rows = ["1,u1,2026-01-01,1,1,a", "1,u1,yesterday,1,1,b", "2,u2,2026-01-01,1,1,c", ",u3,2026-01-01,1,1,d"]
    done = run(home, grouped(tmp_path / "orders.csv", rows), GROUPED)
    assert counts(done) == (4, 1, 1, 0, 3)
    found = {one["line"]: one for one in rejects(done)}
    assert {line: one["code"] for line, one in found.items()} == {2: "bad-timestamp", 3: "bad-timestamp", 5: "no-group"}
    assert "line 3 of the same group" in found[2]["reason"]
    assert "yesterday" in found[3]["reason"]


def test_lines_that_where_leaves_out_are_counted(home: Path, tmp_path: Path) -> None:
    rows = ["1,u1,2026-01-01,1,1,a", "1,u1,2026-01-01,-1,1,b", "2,u2,2026-01-01,0,1,c"]
    done = run(home, grouped(tmp_path / "orders.csv", rows), GROUPED + "where: quantity > 0")
    assert counts(done) == (3, 1, 1, 0, 0)
    assert done.skipped == 2


def test_a_group_beyond_all_measure_is_refused(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(import_table, "MAX_GROUP_LINES", 10)
    rows = [f"1,u1,2026-01-01,1,1,{number}" for number in range(40)] + ["2,u2,2026-01-01,1,1,a"]
    done = run(home, grouped(tmp_path / "orders.csv", rows), GROUPED)
    assert counts(done) == (41, 1, 1, 0, 40)
    assert {one["code"] for one in rejects(done)} == {"group-too-large"}


def test_an_order_of_more_than_a_batch_is_refused_whole(home: Path, tmp_path: Path) -> None:
    rows = [f"1,u1,2026-01-01,1,1,{'x' * 600}" for _ in range(1_000)]
    done = run(home, grouped(tmp_path / "orders.csv", rows), GROUPED)
    assert counts(done) == (1_000, 0, 0, 0, 1_000)
    assert {one["code"] for one in rejects(done)} == {"too-large"}


def test_parquet_of_many_types(home: Path, tmp_path: Path) -> None:
    file = tmp_path / "orders [1].parquet"
    connection = duckdb.connect()
    connection.execute(
        "COPY (SELECT * FROM (VALUES "
        "(1, 12345.0::DOUBLE, TIMESTAMP '2026-07-01 10:00:00', 1.10::DECIMAL(9,2), 0.1::FLOAT, [1, 2], {'a': 'b'}, "
        "DATE '2026-01-31', TIMESTAMPTZ '2026-07-01 10:00:00+00', 'NaN'::DOUBLE, 170::UTINYINT, true, NULL), "
        "(2, 2.5, 'infinity', 2, 1, NULL, NULL, NULL, NULL, 1e300, 0, false, 'x')) "
        't(id, customer, "at", total, single, list, struct, day, moment, big, tiny, flag, text)) '
        f"TO '{tmp_path}/x.parquet' (FORMAT parquet)"
    ).fetchall()
    connection.close()
    (tmp_path / "x.parquet").rename(file)
    fields = "total, single, list, struct, day, moment, big, tiny, flag, text"
    mapping = MAPPING.replace("{total: total, code: code}", f"{{{', '.join(f'{f}: {f}' for f in fields.split(', '))}}}")
    done = run(home, file, mapping)
    assert counts(done) == (2, 1, 1, 0, 1)
    assert [(one["line"], one["code"]) for one in rejects(done)] == [(2, "no-timestamp")]
    (one,) = events(home)
    assert (one.message_id, one.user_id, one.timestamp) == ("o-1", "12345", parse_instant("2026-07-01T09:00:00Z"))
    assert one.properties == {
        "total": 1.1, "single": 0.1, "list": [1, 2], "struct": {"a": "b"}, "day": "2026-01-31",
        "moment": "2026-07-01T10:00:00Z", "tiny": 170, "flag": True,
    }  # fmt: skip


def test_an_interrupted_import_leaves_a_store_that_opens(tmp_path: Path) -> None:
    file = jsonl(tmp_path / "events.jsonl", [event(number) for number in range(200_000)])
    home = tmp_path / "home"
    command = [sys.executable, "-m", "innkeeper", "--home", str(home), "--json", "import", str(file)]
    # Who starts the tests in the background of a shell hands them an ignored SIGINT, and children inherit that.
    heard = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    finally:
        signal.signal(signal.SIGINT, heard)
    until = time.monotonic() + 60
    while running.poll() is None and time.monotonic() < until:
        if committed(home) > 0:
            running.send_signal(signal.SIGINT)
            break
        time.sleep(0.005)
    _, said = running.communicate(timeout=60)
    assert running.returncode == 130, said
    assert b"Traceback" not in said
    with Log.open(home) as log:
        there = log.count()
    assert 0 < there < 200_000
    again = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    assert (again["accepted"], again["duplicates"]) == (200_000 - there, there)
    assert left_over(home) == []


def test_a_full_disk_is_said_and_nothing_accepted_is_lost(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    file = jsonl(tmp_path / "events.jsonl", [*(event(number) for number in range(20_000)), "bad", event(20_000)])
    with monkeypatch.context() as patch:
        patch.setattr(import_rejects.Rejects, "_make", full)
        with pytest.raises(OperationFailed, match="No space left") as raised:
            run(home, file)
    assert (raised.value.code, raised.value.exit_code) == ("disk-full", 1)
    there = len(events(home))
    assert 0 < there < 20_001
    assert counts(run(home, file)) == (20_002, 20_001, 20_001 - there, there, 1)
    table = tmp_path / "orders.csv"
    table.write_text("id,customer,at,total,code\n1,u,2026-01-01,1,a\n")
    with monkeypatch.context() as patch:
        patch.setattr(import_csv, "_records", full)
        with pytest.raises(OperationFailed, match="No space left"):
            run(home, table, MAPPING)


def test_what_a_killed_import_left_is_swept_away(home: Path, tmp_path: Path) -> None:
    (home / "import-abc").mkdir(parents=True)
    (home / "import-abc" / "clean.csv").write_text("x")
    run(home, jsonl(tmp_path / "events.jsonl", [event(1)]))
    assert left_over(home) == []


def test_the_command_answers_with_one_document(home: Path, tmp_path: Path) -> None:
    file = jsonl(tmp_path / "events.jsonl", [event(1), "x"])
    command = [sys.executable, "-m", "innkeeper", "--home", str(home), "--json", "import", str(file)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    result = json.loads(done.stdout)
    assert done.stderr == ""
    assert {"read": 2, "events": 1, "accepted": 1, "duplicates": 0, "rejected": 1}.items() <= result.items()
    assert Path(result["rejects_file"]).is_file()
    assert isinstance(result["seconds"], float)
    for wrong in ([str(tmp_path / "none.jsonl")], [str(file), "--source", "innkeeper"], [str(file), "--mapping", "m"]):
        assert subprocess.run([*command[:-1], *wrong], capture_output=True).returncode == 2
