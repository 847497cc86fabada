"""A load generator: keep-alive connections that send ready requests, as fast as they are answered or at a rate.

In the second way a request's time is counted from when it should have gone out, so that a server that stalls is not
spared the requests that it kept waiting.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field


@dataclass(slots=True)
class Load:
    """What came of it: when it began, seconds in all, the seconds of each answer, and how many answers were not 2xx."""

    begin: float = 0.0
    seconds: float = 0.0
    waits: list[float] = field(default_factory=list)
    refused: int = 0

    def at(self, share: float) -> float:
        """The wait in milliseconds that so many stay below."""
        return quantile(self.waits, share) * 1_000


def quantile(values: Sequence[float], share: float) -> float:
    """What so many of the values stay below."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def send(port: int, requests: Iterable[bytes], *, connections: int, per_second: float = 0.0) -> Load:
    """Send every request once; *per_second*: at this rate, else as fast as they are answered."""
    import uvloop

    return uvloop.run(_send(port, requests, connections, per_second))


async def _send(port: int, requests: Iterable[bytes], connections: int, per_second: float) -> Load:
    pending, begin = iter(enumerate(requests)), time.perf_counter()
    told = Load(begin=begin)
    await asyncio.gather(*(_connection(port, pending, per_second, begin, told) for _ in range(connections)))
    told.seconds = time.perf_counter() - begin
    return told


async def _connection(
    port: int, pending: Iterator[tuple[int, bytes]], per_second: float, begin: float, told: Load
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for number, request in pending:
        due = time.perf_counter()
        if per_second:
            due = begin + number / per_second
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        length = next((line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), b":0")
        await reader.readexactly(int(length.partition(b":")[2]))
        told.waits.append(time.perf_counter() - due)
        told.refused += not head.startswith(b"HTTP/1.1 2")
    writer.close()
