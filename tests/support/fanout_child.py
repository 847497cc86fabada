"""The process that the kill test of fan-outs kills: accounts whose traits change, told to members page by page, and
items that those hear of who asked for them, two under one browser.

Usage: `python fanout_child.py HOME WAY SEED`; WAY is `run` (all pages at the instant of the change) or `up` (a page a
tick). Pages are small, so that a short life has many.
"""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path
from typing import Any

from innkeeper.events.parse import Parser
from innkeeper.events.types import LogRow
from innkeeper.kernel.time import FixedClock, parse_instant
from innkeeper.runtime import fanout
from innkeeper.runtime.live import Live
from innkeeper.runtime.outlet import drain
from innkeeper.runtime.run import run
from innkeeper.store.accounts import open_fanouts
from innkeeper.store.log import Log
from innkeeper.store.state import State

MEMBERS, ACCOUNTS = 24, ("acme", "bolt")
END = "2026-03-01T00:00:00Z"
fanout.PAGE = 4

STRATEGY = {
    "strategy.yaml": "name: b2b\nevents: {Login: []}\ntraits: [email, first_name]\n"
    "accounts: {traits: {seats: number, tier: text}}\n",
    "audiences/large.yaml": "when: account.seats >= 10\n",
    "audiences/busy.yaml": "of: account\nwhen: distinct('Login', member, within => '3 days') >= 5\n",
    "audiences/of-busy.yaml": "when: in_audience('busy')\n",
    "messages/grown.md": "---\nchannel: email\npurpose: offers\nsubject: Grown\n---\n{{ account.tier }}\n",
    "channels.yaml": "email: {provider: file, from: a@example.com}\n",
    "journeys/grown.yaml": "enter: { audience: large, change: entered }\nreentry: always\nsteps:\n  - send: grown\n",
    "journeys/busy.yaml": "enter: { audience: of-busy, change: entered }\nreentry: always\nsteps:\n"
    '  - wait: { for: 1 hour }\n  - task: { queue: sales, title: "{{ account.tier }}" }\n',
    "catalogs/products.yaml": "kind: product\nitems: [{ id: soap, stock: 0 }]\n",
    "journeys/back.yaml": "enter: { item: products, change: back_in_stock }\nreentry: always\nsteps:\n"
    '  - task: { queue: shop, title: "{{ item.stock }}" }\n',
}


def events(seed: int) -> list[Any]:
    """A month: everybody joins, the accounts grow and shrink, people log in."""
    draw = random.Random(seed)
    made: list[Any] = []
    for number in range(MEMBERS):
        who, account = f"m{number:02d}", ACCOUNTS[number % 2]
        made.append({"type": "identify", "userId": who, "timestamp": "2026-02-01T00:00:00Z",
                     "traits": {"email": f"{who}@example.com", "first_name": who}})  # fmt: skip
        made.append({"type": "group", "userId": who, "groupId": account, "traits": {"tier": "gold"},
                     "timestamp": f"2026-02-01T0{number % 10}:00:00Z"})  # fmt: skip
        for _ in range(3):
            made.append({"type": "track", "event": "Login", "userId": who,
                         "timestamp": f"2026-02-{draw.randrange(2, 27):02d}T1{number % 10}:00:00Z"})  # fmt: skip
    for day in range(3, 27, 4):
        account = ACCOUNTS[day % 3 % 2]
        said = {"account_id": account, "set": {"seats": 20 if day % 8 == 3 else 5}}
        made.append({"type": "track", "event": "Account Updated", "userId": "m00", "properties": said,
                     "timestamp": f"2026-02-{day:02d}T12:30:00Z"})  # fmt: skip
    for number in range(MEMBERS):
        # Everybody asks on the phone that they share with the next one, and neither is logged in when asking.
        who, phone, hour = f"m{number:02d}", f"phone{number // 2:02d}", 12 + 4 * (number % 2)
        made.append({"type": "track", "event": "Login", "userId": who, "anonymousId": phone,
                     "timestamp": f"2026-02-01T{hour}:00:00Z"})  # fmt: skip
        made.append({"type": "track", "event": "Item Requested", "anonymousId": phone,
                     "properties": {"catalog": "products", "id": "soap"},
                     "timestamp": f"2026-02-01T{hour + draw.randrange(1, 4)}:00:00Z"})  # fmt: skip
    for day, stock in ((9, 3), (10, 0), (11, 7)):
        said = {"catalog": "products", "id": "soap", "set": {"stock": stock}}
        made.append({"type": "track", "event": "Item Updated", "userId": "staff", "properties": said,
                     "timestamp": f"2026-02-{day:02d}T10:15:00Z"})  # fmt: skip
    for number, each in enumerate(made):
        each["messageId"] = f"e{number:04d}"
    return sorted(made, key=lambda each: (each["timestamp"], each["messageId"]))


def fill(home: Path, seed: int) -> None:
    """Put the events into the log; those that are there already are duplicates."""
    parser = Parser(source="import", received_at=parse_instant("2026-01-01T00:00:00Z"))
    rows = [parser.parse(json.dumps(one).encode()) for one in events(seed)]
    with Log.open(home) as log:
        log.append([row for row in rows if isinstance(row, LogRow)])


def live(home: Path, way: str, seed: int) -> None:
    """Live to the end."""
    fill(home, seed)
    if way == "run":
        run(home, until=parse_instant(END), deliver="file", tick_size=50)
        return
    clock = FixedClock(parse_instant("2026-02-01T00:00:00Z"))
    with Log.open(home) as log, State.open(home, create=True) as state:
        clock = FixedClock(max(clock.now(), state.clock() or 0))
        engine = Live(home, log, state, clock)
        while clock.now() < parse_instant(END) or open_fanouts(state):
            engine.step()
            if not open_fanouts(state):
                # A change within the telling of another may reach the rest as one, as the kills happen to fall.
                engine.clock = clock = FixedClock(clock.now() + 3_600_000_000)
        engine.step()
        engine.deliverer.close()
        drain(state, log)


if __name__ == "__main__":
    live(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
