"""A bad import into both examples, retracted: all are as in a home that never had it, and what went out is listed."""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path
from typing import Any

from conftest import ROOT
from support.retraction import enrollments, process, states
from support.workspace import Workspace

from innkeeper.kernel.time import DAY, format_instant, parse_instant
from innkeeper.runtime import definitions, harbour_house
from innkeeper.runtime.imports import Order, import_file
from innkeeper.runtime.replay import replay
from innkeeper.runtime.retract import retract
from innkeeper.store.log import Log
from innkeeper.store.state import State
from innkeeper.strategy.folder import read_folder

SEED = 20261125
END = "2026-11-22T00:00:00Z"


def put_in_force(home: Path, example: str, at: str) -> None:
    with State.open(home, create=True) as state:
        definitions.apply(state, read_folder(ROOT / "examples" / example), parse_instant(at))


def customers(home: Path) -> list[str]:
    with Log.open(home, read_only=True) as log:
        return sorted({event.user_id for event in log.read(0, 1_000_000) if event.user_id is not None})


def orders(who: list[str], begin: str, days: int) -> list[Any]:
    """Large orders of customers that never made them, some of nobody whom the shop knows."""
    draw, first = random.Random(SEED), parse_instant(begin)
    made = []
    for number in range(120):
        at = format_instant(first + draw.randrange(days * DAY))
        made.append(
            {
                "type": "track", "event": "Order Completed", "messageId": f"wrong-{number}", "timestamp": at,
                "userId": draw.choice([*who[:80], "nobody-1", "nobody-2"]),
                "properties": {"invoice": f"W{number}", "total": draw.choice([15, 400, 3_000]), "items": 3},
            }
        )  # fmt: skip
    return made


def retracted(real: Workspace, never: Workspace, source: str, until: str) -> dict[str, Any]:
    """Run both, retract a whole source, and compare; what was retracted."""
    for space in (real, never):
        space.run(until, deliver="file")
    told = retract(real.home, source, begin=0, end=parse_instant(until), do=True)
    received = {one["delivery_id"] for one in told["received"]}
    with State.open(real.home, readonly=True) as store:
        sent = {id for (id,) in store.connection.execute("SELECT id FROM deliveries WHERE state = 'accepted'")}
    assert received <= sent, "what cannot be unsent is still in the ledger"
    mine, theirs = states(real), states(never)
    # A profile of a mail that went out to it stays, as it is the one that it was sent to.
    written = {subject for subject, state in mine.items() if subject not in theirs and not process(state)["stage"]}
    assert mine.keys() - written == theirs.keys()
    for subject, state in theirs.items():
        assert process(mine[subject]) == process(state), subject
    assert enrollments(real) == enrollments(never)
    assert real.cli("ledger", "balance")["difference"] == 0
    assert replay(real.home).different == 0
    return told


def test_the_real_orders_of_a_winter(online_retail: Path, tmp_path: Path) -> None:
    """Two months of the real wholesaler, with 120 orders that were another shop's."""
    real, never = Workspace(tmp_path / "real"), tmp_path / "never"
    mapping = ROOT / "examples" / "online-retail" / "mapping.yaml"
    import_file(real.home, Order(file=online_retail, mapping=mapping), progress=lambda done, total: None)
    put_in_force(real.home, "online-retail", "2010-11-01T00:00:00Z")
    shutil.copytree(real.home, never)
    real.add(*orders(customers(real.home), "2010-12-05T00:00:00Z", 45), source="other-shop")
    told = retracted(real, Workspace(never), "other-shop", "2011-02-05T00:00:00Z")
    assert told["events"] == 120
    assert len(told["entered"]) > 50
    assert len(told["received"]) >= 3
    assert len(told["missed"]) > 3


def test_the_hotel_and_the_nights_that_a_broken_system_made_up(tmp_path: Path) -> None:
    """Harbour House, with a second copy of what a third of its guests have booked, under other ids."""
    real, never = Workspace(tmp_path / "real"), tmp_path / "never"
    file = tmp_path / "guests.jsonl"
    harbour_house.write_jsonl(file, 7, 60, parse_instant(END))
    import_file(real.home, Order(file=file), progress=lambda done, total: None)
    put_in_force(real.home, "harbour-house", END)
    shutil.copytree(real.home, never)
    booked = [
        one for one in map(json.loads, file.read_text().splitlines()) if "booking_id" in one.get("properties", {})
    ]
    guests = sorted({one["userId"] for one in booked if one.get("userId")})[::3]
    made_up = [
        {**one, "messageId": f"x-{one['messageId']}",
         "properties": {**one["properties"], "booking_id": f"x-{one['properties']['booking_id']}"}}
        for one in booked
        if one.get("userId") in guests
    ]  # fmt: skip
    real.add(*made_up, source="broken")
    told = retracted(real, Workspace(never), "broken", END)
    assert told["events"] == len(made_up) > 50
    assert len(told["journeys"]) > 20
    assert len(told["received"]) > 20
