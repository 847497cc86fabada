"""Kills the relay while a receiver listens, again and again; then asks the receiver for every output that was made.

The receiver lives through all of it and keeps its own record: what it has answered with 2xx, in its order.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from innkeeper.events.types import ENGINE_SOURCE, LogRow
from innkeeper.kernel.failpoints import VARIABLE
from innkeeper.kernel.json import dumps
from innkeeper.kernel.time import SystemClock
from innkeeper.runtime import subscriptions
from innkeeper.runtime.outward import Selection, notice_id
from innkeeper.store.log import Log
from innkeeper.store.state import State
from support.receiver import Receiver, receiving

#: What a kill can fall into; "" is a moment that the receiver's count decides.
PLACES = ("relay.queued", "relay.told", "relay.settled", "")
CUSTOMERS = 9


@dataclass
class Killed:
    """What happened."""

    seed: int
    done: int = 0
    made: int = 0
    told_twice: int = 0
    where: Counter[str] = field(default_factory=Counter)


class _House:
    """A home whose log grows by outputs."""

    def __init__(self, home: Path, log: Log, draw: random.Random) -> None:
        self.home, self.log, self.draw = home, log, draw
        self.made: defaultdict[str, list[int]] = defaultdict(list)
        self.number = 0

    def say(self) -> None:
        """A few outputs, about a few customers."""
        rows, now = [], SystemClock().now()
        for _ in range(self.draw.randrange(1, 12)):
            self.number += 1
            user = f"c{self.draw.randrange(CUSTOMERS)}"
            self.made[user].append(self.number)
            told = dumps({"stage": self.number})
            rows.append(LogRow(ENGINE_SOURCE, f"m{self.number}", "track", "Stage Changed", user, None, now, now, told))
        self.log.append(rows)


def kill_the_relay(home: Path, *, kills: int, seed: int) -> Killed:
    """Make outputs, kill the relay, *kills* times; then every output has reached the receiver, under one id each.

    A kill comes at a failpoint's n-th pass, or after so many notices: how fast the machine is does not matter.
    """
    draw, told = random.Random(seed), Killed(seed)
    State.open(home, create=True).close()
    with Log.open(home) as log, receiving() as receiver:
        asked = Selection.read(events=["Stage Changed"])
        subscriptions.create(home, "crm", receiver.url, asked, SystemClock(), private=True, since=None)
        house = _House(home, log, draw)
        for _ in range(kills):
            place = PLACES[told.done % len(PLACES)]
            _one_life(house, receiver, place)
            told.done += 1
            told.where[place or "at random"] += 1
        _last_life(house, receiver)
        told.made = house.number
        told.told_twice = len(receiver.taken) - check(house, receiver)
    return told


def _start(home: Path, place: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "innkeeper.runtime.relay_process", str(home), str(os.getpid()), "json"]
    return subprocess.Popen(command, env={**os.environ, VARIABLE: place})


def _one_life(house: _House, receiver: Receiver, place: str) -> None:
    process = _start(house.home, f"{place}:{house.draw.randrange(1, 8)}" if place else "")
    enough = len(receiver.asked) + house.draw.randrange(1, 60)
    while process.poll() is None:
        # Not without end: it only has to have something to do.
        if house.number - len(set(receiver.ids())) < 40:
            house.say()
        if not place and len(receiver.asked) >= enough:
            process.kill()
        time.sleep(0.005)
    assert process.returncode == -signal.SIGKILL


def _last_life(house: _House, receiver: Receiver) -> None:
    """Nobody kills it; it ends when it is asked to, after everything has been told."""
    process = _start(house.home, "")
    while len(set(receiver.ids())) < house.number or subscriptions.show(house.home, "crm")["waiting"]:
        assert process.poll() is None
        time.sleep(0.02)
    process.terminate()
    assert process.wait(timeout=60) == 0


def check(house: _House, receiver: Receiver) -> int:
    """Every output at least once, each under one id of its own, each customer's in their order; how many there are."""
    first: dict[str, tuple[str, int]] = {}
    for notice in receiver.taken:
        about = (notice["data"]["userId"], notice["data"]["properties"]["stage"])
        assert first.setdefault(notice["id"], about) == about, "an id is of one output"
    assert len(set(first.values())) == len(first), "an output has one id"
    came: defaultdict[str, list[int]] = defaultdict(list)
    for user, number in first.values():
        came[user].append(number)
    assert came == house.made, "each customer's, in their order, none missing and none that was not made"
    with Log.open(house.home, read_only=True) as log:
        assert set(first) == {notice_id(event) for event in log.read(0, house.number + 1)}
    return len(first)
