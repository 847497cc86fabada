"""`up` with a million profiles: from an event over HTTP to its planned delivery in the ledger, and answers of the API.

The load generator knows when each order should have gone out; a connection of its own, which only reads, looks into the
ledger every few milliseconds and notes when the order's delivery stands there. So a wait holds everything: the door's
queue, the commit of the log, the engine's tick and its commit. The deliveries go on to be sent (to files) and their
receipts taken, as in a house that is open.

The API is asked while nothing else happens, each answer timed by its client.
"""

from __future__ import annotations

import base64
import http.client
import json
import sqlite3
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import quote, urlencode

from benchmarks import million
from benchmarks.harness import Row, Scale, Table, progress, scratch
from benchmarks.load import Load, quantile, send
from benchmarks.memory import line, sampled
from innkeeper.kernel.ids import user
from innkeeper.kernel.json import dumps_bytes
from innkeeper.kernel.time import SystemClock

_CUSTOMERS = 1_000_000
_PER_SECOND = 1_000
_BESIDE_PER_SECOND = 5_000
_BATCH = 100
#: One event in so many is an order, which the journey answers with a receipt.
_ORDER_EVERY = 10
_SECONDS = 60
_STEADY_PER_SECOND = 2_000
_STEADY_SECONDS = 240.0
_LOOK_SECONDS = 0.005
_LONGEST_SECONDS = 120.0
_P99_MS = 1_000
_ASKED = {"profile by id": 300, "a page of 100 profiles": 200, "a page of 100 deliveries": 200}
_PREVIEWS = (
    "did('Login', within => '30 days')",
    "sum('Order Completed', total) > 300",
    "traits.plan = 'pro' and did('Login')",
    "traits.country = 'PT'",
    "count('Page Viewed', within => '90 days') >= 1 and not did('Order Completed')",
)
_PREVIEW_TURNS = 8
_PREVIEW_MS = 2_000


def run(scale: Scale) -> Table:
    """Measure the way of events, without and with other events beside them, then the API."""
    customers = scale.of(_CUSTOMERS, least=2_000)
    table = Table(title=f"`up` with {customers:,} profiles")
    with scratch("up") as folder:
        home = million.prepare(folder, customers)
        key = json.loads(_innkeeper(home, "source", "create", "shop", "--kind", "server"))["write_key"]
        with _served(home) as (port, token, pid):
            _warm(home, port, key, customers)
            for beside in (0, _BESIDE_PER_SECOND):
                progress(f"  orders among {_PER_SECOND:,} events/s, {beside:,} events/s beside")
                table.rows.append(_flow(home, port, key, customers, beside, scale))
                _await_calm(home)
            table.rows += _api(port, token, customers, scale)
            table.rows += _memory(port, key, pid, customers, scale)
    return table


def _innkeeper(home: Path, *words: str) -> str:
    command = [sys.executable, "-m", "innkeeper", "--home", str(home), "--json", *words]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@contextmanager
def _served(home: Path) -> Iterator[tuple[int, str, int]]:
    command = [sys.executable, "-m", "innkeeper", "--home", str(home), "--json", "up", "--port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        url = json.loads(process.stdout.readline())["url"]
        token = json.loads((home / "door.json").read_bytes())["token"]
        yield int(url.rpartition(":")[2]), token, process.pid
    finally:
        process.terminate()
        process.communicate(timeout=120)


# From an event to its delivery


class _Ledger(threading.Thread):
    """Notes when whose first delivery stands in the ledger."""

    def __init__(self, home: Path) -> None:
        super().__init__(daemon=True)
        self.seen: dict[str, float] = {}
        self.closing = threading.Event()
        self._database = sqlite3.connect(f"file:{home}/state.db?mode=ro", uri=True, check_same_thread=False)
        self._last = self._database.execute("SELECT coalesce(max(rowid), 0) FROM deliveries").fetchone()[0]

    def run(self) -> None:
        """Look until it is closed."""
        sql = "SELECT rowid, subject FROM deliveries WHERE rowid > ? ORDER BY rowid"
        while not self.closing.wait(_LOOK_SECONDS):
            rows = self._database.execute(sql, (self._last,)).fetchall()
            now = time.perf_counter()
            for self._last, subject in rows:
                self.seen.setdefault(subject, now)
        self._database.close()


def _flow(home: Path, port: int, key: str, customers: int, beside: int, scale: Scale) -> Row:
    seconds = max(5.0, _SECONDS * min(1.0, scale.factor))
    random = Random(beside)
    events = int(_PER_SECOND * seconds)
    buyers = iter(random.sample(range(customers), customers // 2))
    orders: dict[str, int] = {}
    requests = []
    for number in range(events):
        if number % _ORDER_EVERY:
            name, who = random.choice(("Page Viewed", "Product Viewed", "Login")), random.randrange(customers)
        else:
            name, who = "Order Completed", next(buyers)
            orders[user(million.user_id(who))] = number
        requests.append(_request(key, [_event(random, name, who)]))
    batches = [
        _request(key, [_event(random, "Page Viewed", random.randrange(customers)) for _ in range(_BATCH)])
        for _ in range(int(beside * seconds / _BATCH))
    ]
    ledger = _Ledger(home)
    ledger.start()
    told: list[Load] = []
    other = threading.Thread(target=lambda: told.append(send(port, batches, connections=8, per_second=beside / _BATCH)))
    other.start()
    load = send(port, requests, connections=32, per_second=_PER_SECOND)
    other.join()
    deadline = time.perf_counter() + _LONGEST_SECONDS
    while any(each not in ledger.seen for each in orders) and time.perf_counter() < deadline:
        time.sleep(0.1)
    ledger.closing.set()
    ledger.join()
    refused = load.refused + sum(each.refused for each in told)
    waits = [
        ledger.seen[who] - load.begin - number / _PER_SECOND for who, number in orders.items() if who in ledger.seen
    ]
    missing = len(orders) - len(waits)
    if missing or refused:
        raise AssertionError(f"{missing} of {len(orders)} orders had no delivery, {refused} requests were refused")
    p50, p99 = (quantile(waits, share) * 1_000 for share in (0.5, 0.99))
    more = f", ingest of {beside:,} events/s in batches beside it" if beside else ""
    return Row(
        what=f"event to planned delivery, {_PER_SECOND:,} events/s over {seconds:.0f} s, {len(orders):,} orders{more}",
        measured=f"p50 {p50:.0f} ms, p99 {p99:.0f} ms, worst {max(waits) * 1_000:.0f} ms",
        target=f"p99 < {_P99_MS:,} ms", met=p99 < _P99_MS if scale.factor == 1 else None,
    )  # fmt: skip


def _warm(home: Path, port: int, key: str, customers: int) -> None:
    """Wait until the engine takes events."""
    requests = [_request(key, [_event(Random(1), "Login", number % customers)]) for number in range(100)]
    send(port, requests, connections=4)
    _await_calm(home)


def _await_calm(home: Path) -> None:
    """Wait until the engine has taken the whole log and every timer that is due."""
    log = sqlite3.connect(f"file:{home}/log.db?mode=ro", uri=True)
    state = sqlite3.connect(f"file:{home}/state.db?mode=ro", uri=True)
    deadline = time.perf_counter() + _LONGEST_SECONDS
    while True:
        newest = log.execute("SELECT max(seq) FROM tail WHERE source = 'shop'").fetchone()[0]
        taken = state.execute("SELECT max(seq) FROM taken").fetchone()[0]
        waiting = state.execute("SELECT count(*) FROM outbox").fetchone()[0]
        # The past ends weeks ago: what came due since is taken first.
        due = state.execute("SELECT count(*) FROM subjects WHERE next_due_at < ?", (SystemClock().now(),)).fetchone()[0]
        if (taken or 0) >= (newest or 0) and not waiting and not due:
            break
        if time.perf_counter() > deadline:
            raise AssertionError("the engine does not come to rest")
        time.sleep(0.2)
    log.close()
    state.close()


def _event(random: Random, name: str, number: int) -> dict[str, Any]:
    return {
        "type": "track", "messageId": str(uuid.uuid4()), "userId": million.user_id(number), "event": name,
        "properties": million.properties(random, name),
        "context": {"library": {"name": "@segment/analytics-node", "version": "3.1.0"}},
    }  # fmt: skip


def _request(key: str, events: list[dict[str, Any]]) -> bytes:
    body = dumps_bytes({"batch": events} if len(events) > 1 else events[0])
    auth = base64.b64encode(f"{key}:".encode()).decode()
    head = (
        f"POST /v1/{'batch' if len(events) > 1 else 'track'} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        f"Authorization: Basic {auth}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


# Memory


def _memory(port: int, key: str, door: int, customers: int, scale: Scale) -> list[Row]:
    """What both processes hold over minutes at about half of what the engine can take."""
    seconds = max(90.0, _STEADY_SECONDS * min(1.0, scale.factor))
    progress(f"  {_STEADY_PER_SECOND:,} events/s for {seconds:.0f} s")
    children = [path.read_text().split() for path in Path(f"/proc/{door}/task").glob("*/children")]
    (engine,) = (int(pid) for each in children for pid in each)
    random = Random(3)

    def batches() -> Iterator[bytes]:
        for _ in range(int(_STEADY_PER_SECOND * seconds / _BATCH)):
            names = random.choices(("Page Viewed", "Product Viewed", "Login"), k=_BATCH)
            yield _request(key, [_event(random, name, random.randrange(customers)) for name in names])

    with sampled({"door": door, "engine": engine}) as resident:
        send(port, batches(), connections=8, per_second=_STEADY_PER_SECOND / _BATCH)
    return [
        Row(
            what=f"memory of the {name}, {seconds:.0f} s at {_STEADY_PER_SECOND:,} events/s",
            measured=line(samples).told(),
        )
        for name, samples in resident.items()
    ]  # fmt: skip


# The API


def _api(port: int, token: str, customers: int, scale: Scale) -> list[Row]:
    client = _Client(port, token)
    random = Random(2)
    asks: dict[str, Callable[[], object]] = {
        "profile by id": lambda: client.get(f"/profiles/{million.user_id(random.randrange(customers))}"),
        "a page of 100 profiles": _pages(client, "/profiles"),
        "a page of 100 deliveries": _pages(client, "/deliveries"),
    }
    rows = []
    for what, ask in asks.items():
        progress(f"  {what}")
        rows.append(_asked(what, [_timed(ask) for _ in range(_ASKED[what])], None, scale))
    progress("  audience previews")
    asked = _PREVIEWS * _PREVIEW_TURNS
    waits = [_timed(partial(client.get, "/audiences/count", expression=each)) for each in asked]
    rows.append(_asked(f"audience preview, {len(_PREVIEWS)} expressions over everyone", waits, _PREVIEW_MS, scale))
    return rows


def _asked(what: str, waits: list[float], target: int | None, scale: Scale) -> Row:
    p50, p95 = (quantile(waits, share) * 1_000 for share in (0.5, 0.95))
    return Row(
        what=f"API: {what}, {len(waits)} times", measured=f"p50 {p50:.0f} ms, p95 {p95:.0f} ms",
        target="" if target is None else f"p95 < {target:,} ms",
        met=p95 < target if target is not None and scale.factor == 1 else None,
    )  # fmt: skip


class _Client:
    """Asks the API over one connection."""

    def __init__(self, port: int, token: str) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port)
        self._headers = {"Authorization": f"Bearer {token}"}

    def get(self, path: str, **query: str) -> Any:
        """The answer to a question."""
        address = f"/api/v1{quote(path)}" + (f"?{urlencode(query)}" if query else "")
        self._connection.request("GET", address, headers=self._headers)
        answer = self._connection.getresponse()
        body = answer.read()
        if answer.status != 200:
            raise AssertionError(f"{address}: {answer.status} {body[:200]!r}")
        return json.loads(body)


def _pages(client: _Client, path: str) -> Callable[[], object]:
    """Asks for one page after the other."""
    cursor: list[str | None] = [None]

    def ask() -> None:
        told = client.get(path, **({} if cursor[0] is None else {"cursor": cursor[0]}))
        cursor[0] = told["next"]

    return ask


def _timed(ask: Callable[[], object]) -> float:
    begin = time.perf_counter()
    ask()
    return time.perf_counter() - begin
