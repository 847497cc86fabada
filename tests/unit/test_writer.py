"""The writer behind the door: many requests in one commit, a bounded queue, and what becomes of a commit that fails."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import pytest
from support.door import Answer, opened

from innkeeper.events.types import LogRow
from innkeeper.kernel.errors import OperationFailed
from innkeeper.runtime.writer import Full, Writer
from innkeeper.store.log import Log


class Done(NamedTuple):
    repeated: frozenset[int]


@dataclass
class SlowLog:
    """A log whose commits take until they are let go."""

    let_go: threading.Event = field(default_factory=threading.Event)
    begun: threading.Event = field(default_factory=threading.Event)
    commits: list[list[str]] = field(default_factory=list)
    fails: bool = False

    def append(self, rows: Sequence[LogRow]) -> Done:
        """Waits, then keeps the ids."""
        self.begun.set()
        assert self.let_go.wait(30)
        if self.fails:
            raise OperationFailed("no room", code="disk-full")
        known = {id for commit in self.commits for id in commit}
        self.commits.append([row.message_id for row in rows])
        return Done(frozenset(number for number, row in enumerate(rows) if row.message_id in known))


def row(id: str) -> LogRow:
    return LogRow("shop", id, "track", "Login", "u1", None, 0, 0)


async def _begun(log: SlowLog) -> None:
    while not log.begun.is_set():
        await asyncio.sleep(0.001)


def test_what_gathers_during_a_commit_goes_into_the_next() -> None:
    log = SlowLog()
    writer = Writer(log)
    writer.start()

    async def send() -> list[frozenset[int]]:
        first = asyncio.ensure_future(writer.write([row("a")]))
        await _begun(log)
        others = [asyncio.ensure_future(writer.write([row(f"b{n}"), row("a"), row(f"c{n}")])) for n in range(50)]
        await asyncio.sleep(0)
        log.let_go.set()
        return await asyncio.gather(first, *others)

    answers = asyncio.run(send())
    writer.stop()
    assert answers == [frozenset(), *[frozenset({1})] * 50], "each learns of its own rows"
    assert [len(commit) for commit in log.commits] == [1, 150]


def test_a_full_queue_refuses_and_memory_does_not_grow() -> None:
    log = SlowLog()
    writer = Writer(log, most_rows=100)
    writer.start()

    async def flood() -> tuple[int, int]:
        first = asyncio.ensure_future(writer.write([row("first")]))
        await _begun(log)
        taken = [asyncio.ensure_future(writer.write([row(f"{n}-{m}") for m in range(10)])) for n in range(1_000)]
        await asyncio.sleep(0)
        refused = [each for each in taken if each.done() and isinstance(each.exception(), Full)]
        log.let_go.set()
        await asyncio.gather(first, *taken, return_exceptions=True)
        return len(refused), sum(len(commit) for commit in log.commits)

    assert asyncio.run(flood()) == (990, 101)
    writer.stop()


def test_what_is_not_written_is_not_acknowledged() -> None:
    log = SlowLog(fails=True)
    log.let_go.set()
    writer = Writer(log)
    writer.start()
    with pytest.raises(OperationFailed, match="no room"):
        asyncio.run(writer.write([row("a")]))
    log.fails = False
    assert asyncio.run(writer.write([row("a")])) == frozenset()
    writer.stop()
    assert log.commits == [["a"]]


def test_stopping_writes_what_waits(tmp_path: Path) -> None:
    with Log.open(tmp_path) as log:
        writer = Writer(log)
        writer.start()

        async def send() -> None:
            await asyncio.gather(*(writer.write([row(str(n))]) for n in range(100)))

        asyncio.run(send())
        writer.stop()
        assert log.count() == 100


def test_over_http_a_full_queue_is_429_with_retry_after_and_a_failed_disk_503(tmp_path: Path) -> None:
    log = SlowLog()
    with opened(tmp_path, writer=Writer(log, most_rows=5)) as served:
        answers: list[Answer] = []
        event = {"type": "track", "userId": "u1", "event": "Login"}

        def send() -> None:
            answers.append(served.send("/v1/batch", {"batch": [event] * 5}))

        waiting = [threading.Thread(target=send) for _ in range(3)]
        waiting[0].start()
        assert log.begun.wait(30)
        # One is being written; of the next two one waits and the other finds no room, whichever comes first.
        for each in waiting[1:]:
            each.start()
        while not answers:
            time.sleep(0.005)
        assert [(each.status, each.json["code"]) for each in answers] == [(429, "busy")]
        assert 1 <= int(answers[0].headers["retry-after"]) <= 300
        log.let_go.set()
        for each in waiting:
            each.join()
        assert [each.status for each in answers] == [429, 200, 200]
        log.fails = True
        failed = served.send("/v1/track", event)
        assert (failed.status, failed.json["code"]) == (503, "disk-full")
        assert failed.headers["retry-after"]
        assert "u1" not in json.dumps(failed.json)
