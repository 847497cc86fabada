"""Minutes of far more than the door can take: what it takes is on disk, the rest is sent away, its memory is flat."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import pytest
from support.door import basic
from support.workspace import Workspace

from innkeeper.store.bulk import Bulk

SECONDS = int(os.environ.get("INNKEEPER_SECONDS", "240"))
#: With a batch on each, more than the door's queue holds.
CONNECTIONS = 320
#: How much more than in the first quarter of the time the door may hold in the others.
MORE_MIB = 64
_PRODUCTS = ",".join(f'{{"id":"p{number}","name":"A pair of linen curtains","price":43.17}}' for number in range(6))
_EVENT = (
    '{"type":"track","event":"Order Completed","userId":"u%d","messageId":"m%d","context":{"locale":"pt-PT","page":'
    '{"url":"https://shop.example/checkout","title":"Checkout"}},"properties":{"total":129.5,"products":['
    + _PRODUCTS
    + "]}}"
)


@dataclass
class Flood:
    """What came of it; memory without the pages of files, which the system takes back when it needs them."""

    answers: Counter[int] = field(default_factory=Counter)
    accepted: int = 0
    memory: list[int] = field(default_factory=list)


@pytest.mark.torture
def test_overload_for_minutes_leaves_memory_flat_and_loses_nothing(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "home")
    key = workspace.cli("source", "create", "shop", "--kind", "server")["write_key"]
    process = subprocess.Popen(
        [sys.executable, "-m", "innkeeper", "--home", str(workspace.home), "up", "--json", "--port", "0"],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        port = int(json.loads(process.stdout.readline())["url"].rpartition(":")[2])
        told = asyncio.run(_flood(port, key, process.pid))
    finally:
        process.terminate()
        assert process.wait(120) == 0
    with Bulk.open(workspace.home) as bulk:
        ((kept, different),) = bulk.rows(
            "SELECT count(*), count(DISTINCT message_id) FROM events WHERE source = 'shop'", ()
        )
    size = len(told.memory) // 4
    quarters = [max(told.memory[at * size : (at + 1) * size]) for at in range(4)]
    print(
        f"seed none: {SECONDS} s, {told.accepted} events acknowledged, {told.answers[200]} requests taken,"
        f" {told.answers[429]} sent away, memory of the door by quarters {quarters} MiB"
    )
    assert 200 in told.answers
    assert set(told.answers) <= {200, 429}
    assert kept == different == told.accepted, "I1: everything acknowledged is there, and nothing else"
    assert max(quarters[1:]) <= quarters[0] + MORE_MIB


async def _flood(port: int, key: str, pid: int) -> Flood:
    """Every connection sends a batch as soon as the one before is answered."""
    told, numbers, end = Flood(), count(), time.monotonic() + SECONDS

    async def one() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        head = f"POST /v1/batch HTTP/1.1\r\nHost: x\r\nAuthorization: {basic(key)}\r\nContent-Length: "
        while time.monotonic() < end:
            batch = (_EVENT % (number % 50_000, number) for number in (next(numbers) for _ in range(100)))
            body = f'{{"batch":[{",".join(batch)}]}}'
            writer.write(f"{head}{len(body)}\r\n\r\n{body}".encode())
            answer = await reader.readuntil(b"\r\n\r\n")
            length = next(line for line in answer.lower().split(b"\r\n") if line.startswith(b"content-length:"))
            said = json.loads(await reader.readexactly(int(length.partition(b":")[2])))
            told.answers[int(answer.split()[1])] += 1
            told.accepted += said.get("accepted", 0)
        writer.close()

    async def sample() -> None:
        while time.monotonic() < end:
            status = Path(f"/proc/{pid}/status").read_text()
            told.memory.append(int(status.partition("RssAnon:")[2].split()[0]) // 1024)
            await asyncio.sleep(0.25)

    await asyncio.gather(sample(), *(one() for _ in range(CONNECTIONS)))
    return told
