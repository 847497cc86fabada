"""The process that the kill test kills: appends batches, seals, runs with delivery; goes on where its history says.

Usage: `python kill_child.py HOME HISTORY SEED`. HISTORY is the client's own record: one line per acknowledged batch,
on disk before the next batch is begun.
"""

from __future__ import annotations

import json
import os
import random
import sys
from pathlib import Path
from typing import Any

from innkeeper.events.parse import Parser
from innkeeper.events.types import LogRow
from innkeeper.kernel.time import parse_instant
from innkeeper.runtime.run import run
from innkeeper.store.log import Log
from innkeeper.store.segments import Sizes

BATCHES = 10
PEOPLE = 40
#: Small, so that a short life seals and merges many times.
SIZES = Sizes(seal_rows=60, segment_rows=2_000, fan_in=3)
END = "2026-04-15T00:00:00Z"


def batches(seed: int) -> list[list[Any]]:
    """The events of a month in the order in which they are sent: mostly by time, some late."""
    from scenario.test_run import life

    draw = random.Random(seed)
    events = sorted(life(seed, PEOPLE), key=lambda one: (one["timestamp"], one["messageId"]))
    sent: list[list[Any]] = [[] for _ in range(BATCHES)]
    for number, event in enumerate(events):
        batch = number * BATCHES // len(events)
        sent[min(BATCHES - 1, batch + (draw.random() < 0.1))].append(event)
    return sent


def until(number: int) -> str:
    """Where the clock stands after a batch."""
    return END if number == BATCHES - 1 else f"2026-03-{3 * number + 3:02d}T00:00:00Z"


def live(home: Path, history: Path, seed: int) -> None:
    """Send what is not acknowledged yet, running after every batch."""
    done = len(history.read_text().splitlines()) if history.exists() else 0
    parser = Parser(source="import", received_at=parse_instant("2026-01-01T00:00:00Z"))
    with history.open("a") as record:
        for number, batch in enumerate(batches(seed)):
            if number < done - 1:
                continue
            if number >= done:
                with Log.open(home, sizes=SIZES) as log:
                    rows = [parser.parse(json.dumps(one).encode()) for one in batch]
                    log.append([row for row in rows if isinstance(row, LogRow)])
                    record.write(json.dumps([one["messageId"] for one in batch]) + "\n")
                    record.flush()
                    os.fsync(record.fileno())
                    log.seal()
            run(home, until=parse_instant(until(number)), deliver="file", tick_size=50)


if __name__ == "__main__":
    live(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
