"""How fast the relay tells a receiver on this machine what happened, and what the same calls cost without a queue.

The log holds the events before the relay begins, of customers who each have several, so that the order of each
customer's events is kept while the lane is full. Bare posts as many bodies through the same client, as many at a time,
and keeps nothing. The receiver counts, and looks whether each customer's events came in their order.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.harness import Row, Scale, Table, progress, ratio, scratch
from innkeeper.events.types import ENGINE_SOURCE, LogRow
from innkeeper.kernel.json import dumps
from innkeeper.kernel.time import SystemClock, parse_instant
from innkeeper.runtime import subscriptions
from innkeeper.runtime.outward import Selection
from innkeeper.runtime.relay import LANE
from innkeeper.store.log import Log
from innkeeper.store.state import State

_NOTICES = 20_000
_CUSTOMERS = 4_000
_TARGET = 500
_TURNS = 3
_AT = parse_instant("2026-03-01T00:00:00Z")
_LONGEST_SECONDS = 600
_BARE = "import sys; from benchmarks.bench_subscriptions import post_bare; post_bare(sys.argv[1], int(sys.argv[2]))"


class Receiver(threading.Thread):
    """Answers 204, and notes when which event of whom came."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.ready, self.port = threading.Event(), 0
        self.begin = self.end = 0.0
        self.came: dict[str, list[int]] = {}
        self.count = 0

    def run(self) -> None:
        """Listen until the process ends."""
        import uvloop

        uvloop.run(self._listen())

    async def _listen(self) -> None:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        self.ready.set()
        await server.serve_forever()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            try:
                head = await reader.readuntil(b"\r\n\r\n")
            except (asyncio.IncompleteReadError, ConnectionError):
                writer.close()
                return
            fields = head.lower().split(b"\r\n")
            length = next(field for field in fields if field.startswith(b"content-length:"))
            data = json.loads(await reader.readexactly(int(length.partition(b":")[2])))["data"]
            self.begin = self.begin or time.perf_counter()
            self.end = time.perf_counter()
            self.came.setdefault(data["userId"], []).append(data["properties"]["number"])
            self.count += 1
            writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")

    def told(self) -> float:
        """Notices per second between the first and the last."""
        return (self.count - 1) / (self.end - self.begin)


def run(scale: Scale) -> Table:
    """Measure the relay and the bare client, in turns."""
    table = Table(title="Subscriptions: notices out")
    notices = scale.of(_NOTICES, least=1_000)
    relayed, bare = [], []
    for turn in range(_TURNS):
        progress(f"  {notices:,} notices, turn {turn + 1} of {_TURNS}")
        with scratch("subscriptions") as folder:
            relayed.append(_relayed(folder, notices))
        bare.append(_bare(notices))
    measured, other = sorted(relayed)[_TURNS // 2], sorted(bare)[_TURNS // 2]
    table.rows.append(
        Row(
            what=f"{notices:,} notices of {_CUSTOMERS:,} customers to one receiver, each customer's in their order, "
            f"median of {_TURNS}",
            measured=f"{measured:,.0f} notices/s ({min(relayed):,.0f} to {max(relayed):,.0f})",
            bare=f"{other:,.0f} calls/s", ratio=ratio(measured, other), target=f"at least {_TARGET}/s",
            met=measured >= _TARGET if scale.factor == 1 else None,
        )
    )  # fmt: skip
    return table


def _relayed(home: Path, notices: int) -> float:
    State.open(home, create=True).close()
    Log.open(home).close()
    with _receiving() as (receiver, url):
        asked = Selection.read(events=["Stage Changed"])
        subscriptions.create(home, "crm", url, asked, SystemClock(), private=True, since=None)
        with Log.open(home) as log:
            for first in range(0, notices, 5_000):
                log.append([_row(number) for number in range(first, min(first + 5_000, notices))])
        command = [sys.executable, "-m", "innkeeper.runtime.relay_process", str(home), str(os.getpid())]
        process = subprocess.Popen(command)
        try:
            _await(receiver, notices, lambda: subscriptions.show(home, "crm")["delivered"] == notices)
        finally:
            process.terminate()
            process.wait()
        if any(numbers != sorted(set(numbers)) for numbers in receiver.came.values()):
            raise AssertionError("a customer's events came twice, or out of their order")
        return receiver.told()


def _row(number: int) -> LogRow:
    told = dumps({"stage": "loyal", "number": number})
    at = _AT + number
    return LogRow(ENGINE_SOURCE, f"m{number}", "track", "Stage Changed", f"c{number % _CUSTOMERS}", None, at, at, told)


def _bare(notices: int) -> float:
    with _receiving() as (receiver, url):
        subprocess.run([sys.executable, "-c", _BARE, url, str(notices)], check=True)
        return receiver.told()


def post_bare(url: str, notices: int) -> None:
    """Post so many notices, as many at a time as the relay, and keep nothing of them."""
    from innkeeper.channels.http_out import HttpOut
    from innkeeper.channels.targets import read_target
    from innkeeper.channels.webhook import new_secret, post

    pending, target, keys = iter(range(notices)), read_target(url), [new_secret()]

    async def lane(client: HttpOut) -> None:
        for number in pending:
            told = {"userId": f"c{number}", "properties": {"stage": "loyal", "number": number}}
            result = await post(client, target, keys, f"evt_{number}", _AT, dumps({"data": told}).encode())
            if result.outcome != "told":
                raise AssertionError(result.reason)

    async def lanes() -> None:
        client = HttpOut(private=True)
        await asyncio.gather(*(lane(client) for _ in range(LANE)))
        await client.close()

    asyncio.run(lanes())


@contextmanager
def _receiving() -> Iterator[tuple[Receiver, str]]:
    receiver = Receiver()
    receiver.start()
    receiver.ready.wait()
    yield receiver, f"http://127.0.0.1:{receiver.port}/hooks"


def _await(receiver: Receiver, notices: int, holds: Callable[[], bool]) -> None:
    deadline = time.perf_counter() + _LONGEST_SECONDS
    while receiver.count < notices or not holds():
        if time.perf_counter() > deadline:
            raise AssertionError(f"{receiver.count:,} of {notices:,} notices came in {_LONGEST_SECONDS} s")
        time.sleep(0.05)
