"""The fold: events per second through full ticks, against the bare work of reading and writing the same rows.

Bare reads the same events, decodes the same states, encodes and writes what the engine wrote (states, order of inputs,
outputs, projections) with the same commits, and computes nothing. What it writes is recorded in a run of the engine of
its own (`recording.py`), which is also the one that is profiled.
"""

from __future__ import annotations

import cProfile
import json
import pstats
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks import workload
from benchmarks.harness import Row, Scale, Table, progress, ratio, scratch
from benchmarks.recording import record, timed_bare
from innkeeper.kernel.ids import user
from innkeeper.kernel.json import dumps_bytes
from innkeeper.kernel.time import format_instant
from innkeeper.store.log import Log
from innkeeper.store.state import State, SubjectRow

_SIZES = (100_000, 1_000_000)
_EVENTS = 50_000
_PROTOTYPES = 2_000
_RATIO = 0.35
_WORSE = 1.2
_TRIES = 2
_RUN = (
    "import json, sys; from pathlib import Path; from benchmarks.recording import timed_run\n"
    "print(json.dumps(timed_run(Path(sys.argv[1]), int(sys.argv[2]))))\n"
)


def run(scale: Scale) -> Table:
    """Measure both sizes and how they compare."""
    table = Table(title="Fold: full ticks, 50 audiences and 20 journeys")
    with scratch("fold") as folder:
        shares = []
        for full in _SIZES:
            share, peak = _measure(folder, scale, full, table)
            shares.append(share)
            table.peak_mib = max(table.peak_mib, peak)
    worse = shares[0] / shares[-1]
    table.rows.append(
        Row(
            what=f"the ratio at {_customers(scale, _SIZES[-1]):,} profiles against that at "
            f"{_customers(scale, _SIZES[0]):,}",
            measured=f"{worse:.2f} times as bad",
            target=f"≤ {_WORSE} times",
            met=worse <= _WORSE if scale.factor == 1 else None,
        )
    )
    return table


def _customers(scale: Scale, full: int) -> int:
    return scale.of(full, least=_PROTOTYPES)


def _measure(folder: Path, scale: Scale, full: int, table: Table) -> tuple[float, int]:
    customers, events = _customers(scale, full), scale.of(_EVENTS)
    progress(f"  {customers:,} profiles, {events:,} events")
    home = folder / "home"
    _prepare(folder, home, customers, events)
    size = (home / "state.db").stat().st_size / 2**20
    until = workload.BEGINNING + workload.period(customers, events)
    profile = cProfile.Profile()
    with _copy(home) as spare:
        operations = record(spare, until, profile)
    engine_seconds, bare_seconds = [], []
    for _ in range(_TRIES):
        with _copy(home) as spare:
            answer = _in_a_new_process(spare, until)
            engine_seconds.append(answer["seconds"])
        with _copy(home) as spare:
            bare_seconds.append(timed_bare(spare, operations))
    shutil.rmtree(home)
    engine_rate, bare_rate = events / min(engine_seconds), events / min(bare_seconds)
    share = engine_rate / bare_rate
    timers, outputs = operations.woken(), operations.outputs()
    table.rows.append(
        Row(
            what=f"{events:,} events, {customers:,} profiles (state.db {size:,.0f} MiB); {timers:,} profiles woken by "
            f"timers, {outputs:,} outputs, {answer['ticks']:,} ticks",
            measured=f"{engine_rate:,.0f} events/s",
            bare=f"{bare_rate:,.0f} events/s",
            ratio=ratio(engine_rate, bare_rate),
            target=f"≥ {_RATIO}" if full == _SIZES[0] else "",
            met=share >= _RATIO if full == _SIZES[0] and scale.factor == 1 else None,
        )
    )
    table.notes.append(f"At {customers:,} profiles the time goes to: {dominating(profile)}.")
    return share, answer["peak_mib"]


@contextmanager
def _copy(home: Path) -> Iterator[Path]:
    """The same workspace once more, for one run."""
    spare = home.with_name("spare")
    shutil.copytree(home, spare)
    try:
        yield spare
    finally:
        shutil.rmtree(spare)


def _in_a_new_process(home: Path, until: int) -> dict[str, Any]:
    """A run of the engine alone, so that its memory is its own."""
    command = [sys.executable, "-c", _RUN, str(home), str(until)]
    answer: dict[str, Any] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return answer


def dominating(profile: cProfile.Profile, most: int = 8) -> str:
    """The parts of the program that took the most time of their own, with their shares."""
    times: dict[str, float] = {}
    for (file, _, name), row in pstats.Stats(profile).stats.items():  # type: ignore[attr-defined]
        part = _part(file, name)
        times[part] = times.get(part, 0.0) + row[2]
    whole = sum(times.values())
    largest = sorted(times.items(), key=lambda item: -item[1])[:most]
    return ", ".join(f"{part} {taken / whole:.0%}" for part, taken in largest)


def _part(file: str, name: str) -> str:
    if "/innkeeper/" in file:
        inside = file.rpartition("/innkeeper/")[2].split("/")
        return inside[0].removesuffix(".py")
    if file == "~":
        for word, part in (("sqlite3", "SQLite"), ("duckdb", "DuckDB"), ("msgspec", "msgspec"), ("Encoder", "msgspec")):
            if word in name:
                return part
        return "Python's built-ins"
    return Path(file).parent.name or "Python"


def _prepare(folder: Path, home: Path, customers: int, events: int) -> None:
    """A workspace whose customers all have a past, and a log with what is to be measured."""
    files = folder / "shop"
    for name, text in workload.strategy().items():
        (files / name).parent.mkdir(parents=True, exist_ok=True)
        (files / name).write_text(text)
    lines = folder / "past.jsonl"
    with lines.open("wb") as file:
        for message in workload.past(_PROTOTYPES):
            file.write(dumps_bytes(message) + b"\n")
    begin = format_instant(workload.BEGINNING)
    for command in (
        ("import", str(lines)),
        ("apply", str(files), "--yes"),
        ("run", "--from", begin, "--until", begin, "--deliver", "none"),
    ):
        whole = [sys.executable, "-m", "innkeeper", "--home", str(home), "--json", *command]
        done = subprocess.run(whole, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"{' '.join(whole)}: {done.stderr}")
    _multiply(home, customers)
    with Log.open(home) as log:
        page = []
        for row in workload.present(customers, events):
            page.append(row)
            if len(page) == 10_000:
                log.append(page)
                page = []
        log.append(page)
        log.seal(force=True)


def _multiply(home: Path, customers: int) -> None:
    """Make all customers out of the first ones, whose past the engine has taken."""
    with State.open(home) as state:
        rows = state.connection.execute("SELECT subject, next_due_at, stage, body FROM subjects").fetchall()
        prototypes = {subject: (due, stage, body) for subject, due, stage, body in rows}
        for start in range(_PROTOTYPES, customers, _PROTOTYPES):
            page = []
            for number in range(start, min(start + _PROTOTYPES, customers)):
                before, after = user(workload.user_id(number - start)), user(workload.user_id(number))
                due, stage, body = prototypes[before]
                page.append(SubjectRow(after, due, stage, body.replace(before.encode(), after.encode())))
            with state.transaction():
                state.put_subjects(page)
        state.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
