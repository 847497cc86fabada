"""How fast events come in over HTTP, the load generator on the same machine.

C0 is the same server that receives a body and answers 202 without looking, and the same behind a route of the web
framework, as an address that is called less often has it. Requests lie ready as bytes, so that the generator takes next
to nothing of the two cores; once more both are sent events that the generator makes and packs as it sends them, as SDKs
do. C1 is bare SQLite, group commits of the same rows as large as all connections together could fill, with the same
unique index. A single event pays for a request, which C1 does not: so it is judged against C1 behind the same server,
and C1 alone is printed beside it.
Acknowledgements at half of the measured load are timed from when each request should have gone out.

Overload: three times as many batches as were taken at the peak, on so many connections that the door's queue overflows;
what is answered with 200 is the goodput.
"""

from __future__ import annotations

import base64
import json
import re
import sqlite3
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.bench_import import BARE_INSERT, BARE_TABLE
from benchmarks.harness import Row, Scale, Table, progress, ratio, scratch
from benchmarks.load import Load, send
from benchmarks.memory import line, resident_mib, sampled
from innkeeper.events.parse import Parser
from innkeeper.events.types import LogRow

_BATCH = 100
_EVENTS = {_BATCH: 200_000, 1: 20_000}
_CONNECTIONS = {_BATCH: 8, 1: 32}
_C0 = {_BATCH: 0.12, 1: 0.25}
_C1 = 0.5
_ROUTED, _BEHIND, _DOOR = "C0 behind a route of the framework", "C1 behind the same server", "door"
_MADE, _DOOR_MADE = "C0, events made as they are sent", "door, events made as they are sent"
_TURNS = 3
_STEADY_SECONDS = 240.0
#: Connections of an overload: with a batch on each, more than the door's queue holds.
_CROWD = 320


def run(scale: Scale) -> Table:
    """Measure batches of 100 and single events, then acknowledgements at half load, and the memory of the door."""
    table = Table(title="Ingest over HTTP")
    judged = scale.factor >= 0.2
    for size in (_BATCH, 1):
        with scratch("ingest") as folder:
            _measure(table, folder, size, scale, judged)
    table.notes.append(
        f"Batches on {_CONNECTIONS[_BATCH]} connections, single events on {_CONNECTIONS[1]}; events of about "
        f"{len(json.dumps(_event())):,} bytes, as @segment/analytics-node sends them. The door without the engine "
        "beside it. An event counts when its 200 has come, and so when it is on disk."
    )
    return table


def _measure(table: Table, folder: Path, size: int, scale: Scale, judged: bool) -> None:
    events, what = scale.of(_EVENTS[size], least=1_000), "batches of 100" if size > 1 else "single events"
    turns = []
    for number in range(_TURNS):
        progress(f"  {what}: {events:,} events, turn {number + 1} of {_TURNS}")
        turns.append(_turn(folder / f"turn{number}", events, size))
    told = median(events / turn[_DOOR] for turn in turns)
    targets = {"C0": _C0[size], _MADE: _C0[size], "C1" if size > 1 else _BEHIND: _C1}
    for other in (name for name in turns[0] if name not in (_DOOR, _DOOR_MADE)):
        door = _DOOR_MADE if other == _MADE else _DOOR
        ratios, target = sorted(turn[other] / turn[door] for turn in turns), targets.get(other)
        share = ratios[_TURNS // 2]
        table.rows.append(
            Row(
                what=f"{what}, {events:,} events, against {other}",
                measured=f"{median(events / turn[door] for turn in turns):,.0f} events/s",
                bare=f"{median(events / turn[other] for turn in turns):,.0f} events/s",
                ratio=f"{share:.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})",
                target="" if target is None else f"at least {target}",
                met=share >= target if judged and target is not None else None,
            )
        )  # fmt: skip
    table.rows += _steady(folder, events, size, told, scale, judged)


def _turn(folder: Path, events: int, size: int) -> dict[str, float]:
    """The seconds of each, one after the other, so that all of a turn meet about the same other work."""
    folder.mkdir()
    modes = {"C0": "unread", _ROUTED: "routed", _DOOR: "door"} | ({_BEHIND: "bare"} if size == 1 else {})
    found: dict[str, float] = {}
    for name, mode in (modes | {_MADE: "unread", _DOOR_MADE: "door"}).items():
        with _server(mode, folder / name) as (port, key, _):
            made = _as_made(key, events, size)
            load = send(port, made if name in (_MADE, _DOOR_MADE) else list(made), connections=_CONNECTIONS[size])
        if load.refused:
            raise AssertionError(f"{load.refused} requests were refused by {name}")
        found[name] = load.seconds
    found["C1"] = _bare(folder / "bare.db", _rows(events), size * _CONNECTIONS[size])
    return found


def _steady(folder: Path, events: int, size: int, told: float, scale: Scale, judged: bool) -> list[Row]:
    """Acknowledgements and memory at half load, then what becomes of an overload."""
    what, rate = "batches of 100" if size > 1 else "single events", told / size / 2
    seconds = max(90.0, _STEADY_SECONDS * min(1.0, scale.factor))
    progress(f"  {what}: half load for {seconds:.0f} s")
    with _server("door", folder / "steady") as (port, key, pid):
        with sampled({"door": pid}) as resident:
            calm = send(port, _alike(key, int(rate * seconds), size), connections=_CONNECTIONS[size], per_second=rate)
        if calm.refused:
            raise AssertionError(f"{calm.refused} requests were refused at half load")
        rows = [
            Row(what=f"{what} at half load: p50, p95, p99 of the acknowledgement", measured=_waits(calm)),
            Row(
                what=f"memory of the door, {calm.seconds:.0f} s at half load ({len(calm.waits) * size:,} events)",
                measured=line(resident["door"]).told(),
            ),
        ]
        if size > 1:
            flood = send(port, _requests(key, events, size), connections=_CROWD, per_second=6 * rate)
            rows.append(_overload(flood, events, told, round(resident_mib(pid)), judged))
    return rows


def _overload(flood: Load, events: int, peak: float, flooded: int, judged: bool) -> Row:
    good = events * (1 - flood.refused / len(flood.waits)) / flood.seconds
    return Row(
        what=f"three times the peak offered: taken, against the peak ({flood.refused:,} of {len(flood.waits):,} "
        f"requests answered 429, memory {flooded} MiB)",
        measured=f"{good:,.0f} events/s", bare=f"{peak:,.0f} events/s", ratio=ratio(good, peak),
        target="at least 0.9", met=good / peak >= 0.9 if judged else None,
    )  # fmt: skip


def _waits(load: Load) -> str:
    return ", ".join(f"{load.at(share):.1f} ms" for share in (0.5, 0.95, 0.99))


@contextmanager
def _server(mode: str, home: Path) -> Iterator[tuple[int, str, int]]:
    home.mkdir()
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.ingest_server", mode, str(home)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        port, _, key = process.stdout.readline().partition(" ")
        yield int(port), key.strip(), process.pid
    finally:
        process.terminate()
        process.communicate(timeout=60)


def _event() -> dict[str, Any]:
    return {
        "timestamp": "2026-11-21T19:20:44.228Z", "integrations": {}, "event": "Order Completed", "type": "track",
        "properties": {
            "order_id": uuid.uuid4().hex, "total": 129.5, "currency": "EUR", "coupon": None,
            "products": [
                {"product_id": f"p{number}", "name": "A pair of linen curtains", "price": 43.17, "quantity": 1}
                for number in range(3)
            ],
        },
        "context": {
            "ip": "203.0.113.1", "library": {"name": "@segment/analytics-node", "version": "3.1.0"}, "locale": "pt-PT",
            "page": {"path": "/checkout", "url": "https://shop.example/checkout", "title": "Checkout"},
        },
        "userId": f"u{uuid.uuid4().int % 50_000}", "messageId": f"node-next-1795288844228-{uuid.uuid4()}",
        "_metadata": {"nodeVersion": "v20.20.2", "jsRuntime": "node"},
    }  # fmt: skip


def _requests(key: str, events: int, size: int) -> list[bytes]:
    return list(_as_made(key, events, size))


def _as_made(key: str, events: int, size: int) -> Iterator[bytes]:
    auth = base64.b64encode(f"{key}:".encode()).decode()
    for _ in range(events // size):
        batch = [_event() for _ in range(size)]
        body = json.dumps({"batch": batch} if size > 1 else batch[0], separators=(",", ":")).encode()
        head = (
            f"POST /v1/{'batch' if size > 1 else 'track'} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            f"Authorization: Basic {auth}\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        yield head.encode() + body


def _alike(key: str, requests: int, size: int) -> Iterator[bytes]:
    """So many requests, made when they are sent, that differ in their message ids alone: minutes fill memory."""
    (request,) = _requests(key, size, size)
    parts = re.split(rb"[0-9a-f]{8}-[0-9a-f-]{27}", request)
    for _ in range(requests):
        yield b"".join(chain.from_iterable((part, str(uuid.uuid4()).encode()) for part in parts[:-1])) + parts[-1]


def _rows(events: int) -> list[LogRow]:
    parser = Parser(source="bench", received_at=0)
    rows = [parser.parse(json.dumps(_event()).encode()) for _ in range(events)]
    return [row for row in rows if isinstance(row, LogRow)]


def _bare(path: Path, rows: list[LogRow], commit: int) -> float:
    with sqlite3.connect(path, isolation_level=None) as database:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = FULL")
        database.execute(BARE_TABLE)
        database.execute("CREATE UNIQUE INDEX tail_message ON tail (message_id, source)")
        begin = time.perf_counter()
        for first in range(0, len(rows), commit):
            database.execute("BEGIN IMMEDIATE")
            database.executemany(BARE_INSERT + " ON CONFLICT DO NOTHING", rows[first : first + commit])
            database.execute("COMMIT")
        taken = time.perf_counter() - begin
    database.close()
    return taken
