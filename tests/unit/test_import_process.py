"""A large file is read by a process of its own: the log is the same, and what goes wrong is said all the same."""

from __future__ import annotations

import gzip
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest
from support.log_files import committed

from innkeeper.events.types import Event, LogRow
from innkeeper.kernel.errors import Invalid, OperationFailed, UsageError
from innkeeper.kernel.time import FixedClock, parse_instant
from innkeeper.runtime import import_process
from innkeeper.runtime.import_process import is_worth_it
from innkeeper.runtime.import_sink import BATCH_ROWS, Portion, Sink
from innkeeper.runtime.imports import Imported, Order, import_file
from innkeeper.store.log import Log

NOW = FixedClock(parse_instant("2026-11-22T09:30:00Z"))
MAPPING = """
event: {value: Order Completed}
userId: customer
timestamp: at
zone: Europe/Lisbon
where: "customer != 'nobody'"
properties: {total: total, code: code}
"""


def jsonl(path: Path, count: int) -> Path:
    """Good and bad lines, blank ones, and some without a messageId that stand there again and again."""
    with path.open("w") as file:
        for number in range(count):
            line: dict[str, Any] = {
                "type": "track", "messageId": f"m{number}", "userId": f"u{number % 7}", "event": "Order Completed",
                "timestamp": f"2026-01-{number % 28 + 1:02d}T00:00:00Z", "properties": {"total": number, "é": "\x7f\""},
            }  # fmt: skip
            if number % 5 == 0:
                line = {**line, "messageId": None, "userId": "same", "properties": {}}
            file.write("{broken\n" if number % 11 == 0 else "\n" if number % 13 == 0 else json.dumps(line) + "\n")
    return path


def table(path: Path, count: int) -> Path:
    """As a CSV or Parquet: good rows, empty cells, equal rows, rows that `where` leaves out, times that are none."""
    with duckdb.connect() as engine:
        engine.execute(
            "CREATE TABLE t AS SELECT CASE WHEN i % 9 = 0 THEN 'nobody' ELSE 'u' || (i % 7) END AS customer, "
            "CASE WHEN i % 17 = 0 THEN 'never' ELSE '2026-03-' || (10 + i % 18) || ' 10:00' END AS at, "
            "CAST(i % 50 AS DOUBLE) / 4 AS total, CASE WHEN i % 3 > 0 THEN '0' || (i % 5) END AS code "
            "FROM range(?) r(i)",
            [count],
        ).fetchall()
        made = engine.table("t")
        if path.suffix == ".csv":
            made.write_csv(str(path))
        else:
            made.write_parquet(str(path))
    return path


def run(home: Path, file: Path, *, elsewhere: bool, monkeypatch: pytest.MonkeyPatch) -> Imported:
    mapping = None
    if file.suffix != ".jsonl":
        mapping = file.with_name("mapping.yaml")
        mapping.write_text(MAPPING)
    monkeypatch.setattr("innkeeper.runtime.imports.is_worth_it", lambda _: elsewhere)
    return import_file(home, Order(file=file, mapping=mapping), progress=lambda done, total: None, clock=NOW)


def events(home: Path) -> list[Event]:
    with Log.open(home, read_only=True) as log:
        return log.read(0, 1_000_000)


def rejects(done: Imported) -> str:
    return done.rejects_file.read_text() if done.rejects_file is not None else ""


@pytest.mark.parametrize(
    ("make", "name"), [(jsonl, "e.jsonl"), (table, "e.csv"), (table, "e.parquet")], ids=["jsonl", "csv", "parquet"]
)
def test_the_log_is_the_same_whoever_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: Callable[[Path, int], Path], name: str
) -> None:
    file = make(tmp_path / name, 13_000)
    here = run(tmp_path / "here", file, elsewhere=False, monkeypatch=monkeypatch)
    there = run(tmp_path / "there", file, elsewhere=True, monkeypatch=monkeypatch)
    assert here.accepted > 10_000
    assert here.rejected > 500
    assert events(tmp_path / "here") == events(tmp_path / "there")
    assert rejects(here) == rejects(there)
    for each in ("read", "events", "accepted", "duplicates", "rejected", "skipped"):
        assert getattr(here, each) == getattr(there, each)
    again = run(tmp_path / "there", file, elsewhere=True, monkeypatch=monkeypatch)
    assert (again.accepted, again.duplicates) == (0, there.accepted)


def test_progress_comes_in_order_and_to_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = jsonl(tmp_path / "e.jsonl", 30_000)
    monkeypatch.setattr(import_process, "WORTH_BYTES", 1)
    told: list[tuple[int, int]] = []
    import_file(tmp_path / "home", Order(file=file), progress=lambda *done: told.append(done), clock=NOW)
    size = file.stat().st_size
    assert told == sorted(told)
    assert told[-1] == (size, size)


def test_a_small_file_does_not_pay_for_a_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "e.jsonl"
    file.write_bytes(b" " * 100_000)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})
    assert not is_worth_it(file)
    file.write_bytes(b" " * import_process.WORTH_BYTES)
    assert is_worth_it(file)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0})
    assert not is_worth_it(file)


def test_what_is_wrong_with_file_or_mapping_is_said_as_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    csv = table(tmp_path / "e.csv", 100)
    csv.write_text(csv.read_text().replace("customer", "custmer", 1))
    with pytest.raises(Invalid, match="did you mean 'custmer'"):
        run(tmp_path / "home", csv, elsewhere=True, monkeypatch=monkeypatch)
    broken = tmp_path / "e.parquet"
    broken.write_bytes(b"PAR1 nonsense PAR1")
    with pytest.raises(UsageError, match="cannot be read") as raised:
        run(tmp_path / "home", broken, elsewhere=True, monkeypatch=monkeypatch)
    assert raised.value.code == "unreadable-file"


def test_a_file_that_breaks_off_is_good_until_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = jsonl(tmp_path / "e.jsonl", 40_000)
    packed = tmp_path / "cut.jsonl"
    packed.write_bytes(gzip.compress(file.read_bytes())[:-20_000])
    with pytest.raises(UsageError, match="damaged"):
        run(tmp_path / "home", packed, elsewhere=True, monkeypatch=monkeypatch)
    assert len(events(tmp_path / "home")) > 10_000


def test_a_reader_that_dies_is_said_and_nothing_accepted_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = jsonl(tmp_path / "e.jsonl", 100_000)
    started: list[subprocess.Popen[bytes]] = []
    start = subprocess.Popen

    def remembered(*arguments: Any, **options: Any) -> subprocess.Popen[bytes]:
        started.append(start(*arguments, **options))
        return started[-1]

    def killed(done: int, total: int) -> None:
        started[0].kill()

    monkeypatch.setattr("innkeeper.runtime.import_process.subprocess.Popen", remembered)
    monkeypatch.setattr(import_process, "WORTH_BYTES", 1)
    with pytest.raises(OperationFailed, match=r"e\.jsonl was killed by signal 9") as raised:
        import_file(tmp_path / "home", Order(file=file), progress=killed, clock=NOW)
    assert raised.value.code == "reader-died"
    monkeypatch.setattr("innkeeper.runtime.import_process.subprocess.Popen", start)
    kept = len(events(tmp_path / "home"))
    assert 0 < kept < 70_000
    again = import_file(tmp_path / "home", Order(file=file), progress=lambda *_: None, clock=NOW)
    assert again.duplicates == kept
    calm = import_file(tmp_path / "calm", Order(file=file), progress=lambda *_: None, clock=NOW)
    assert kept + again.accepted == calm.accepted


def interrupted(home: Path, file: Path, how: signal.Signals) -> tuple[int, bytes, list[str]]:
    """An import that gets a signal when the first events are on disk: its exit code, its errors, its readers, ended."""
    command = [sys.executable, "-m", "innkeeper", "--home", str(home), "--json", "import", str(file)]
    # Who starts the tests in the background of a shell hands them an ignored SIGINT, and children inherit that.
    heard = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    finally:
        signal.signal(signal.SIGINT, heard)
    until = time.monotonic() + 120
    while committed(home) == 0:
        assert running.poll() is None
        assert time.monotonic() < until
        time.sleep(0.005)
    readers = Path(f"/proc/{running.pid}/task/{running.pid}/children").read_text().split()
    running.send_signal(how)
    # Ends when the reader has closed its files as well: it has the same standard error.
    _, said = running.communicate(timeout=60)
    while not all(map(has_ended, readers)):
        assert time.monotonic() < until
        time.sleep(0.005)
    return running.returncode, said, readers


def has_ended(pid: str) -> bool:
    """Whether a process is gone, or at least dead: an orphan waits for the system to take note of its end."""
    stat = Path(f"/proc/{pid}/stat")
    try:
        return stat.read_text().rpartition(")")[2].split()[0] in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return True


@pytest.mark.parametrize(("how", "status"), [(signal.SIGINT, 130), (signal.SIGKILL, -signal.SIGKILL)])
def test_who_ends_the_import_ends_its_reader(tmp_path: Path, how: signal.Signals, status: int) -> None:
    home, file = tmp_path / "home", jsonl(tmp_path / "e.jsonl", 200_000)
    returned, said, readers = interrupted(home, file, how)
    assert (returned, len(readers)) == (status, 1)
    assert b"Traceback" not in said
    kept = len(events(home))
    assert 0 < kept < 170_000
    again = import_file(home, Order(file=file), progress=lambda *_: None)
    assert again.duplicates == kept
    assert [path.name for path in home.iterdir() if path.name.startswith("import-")] == []


def test_portions_are_as_large_as_a_transaction(tmp_path: Path) -> None:
    taken: list[Portion] = []
    sink = Sink(taken.append)
    rows = [LogRow("s", f"m{n}", "track", "E", "u", None, n, n) for n in range(2 * BATCH_ROWS + 3)]
    for at in range(0, len(rows), 4_096):
        sink.take_all(rows[at : at + 4_096])
    sink.flush()
    assert [len(portion.rows) for portion in taken] == [BATCH_ROWS, BATCH_ROWS, 3]
    assert [row for portion in taken for row in portion.rows] == rows
