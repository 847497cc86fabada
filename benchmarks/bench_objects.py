"""Objects: from a booking that moves to its timer re-planned, one change at a time, through a full engine tick each.

Every customer has a role in one booking; two journeys begin at its dates and one waits for it. The objects are made
through the engine itself.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from benchmarks.harness import Row, Scale, Table, peak_mib, progress, scratch
from innkeeper import lifecycle
from innkeeper.events.types import Event
from innkeeper.kernel.time import BEGINNING, DAY, Instant
from innkeeper.runtime.engine import Engine, Item
from innkeeper.store import things
from innkeeper.store.state import Cursor, State
from innkeeper.strategy.load import load

_OBJECTS = 200_000
_CHANGES = 2_000
_START: Instant = 1_767_225_600_000_000
_STRATEGY = {
    "strategy.yaml": """
events: { Booking Confirmed: [booking_id, arrival, room, total], Booking Changed: [booking_id, arrival] }
objects:
  booking:
    id: booking_id
    dates: { arrival: { zone: Europe/Lisbon, time: "15:00" } }
    roles: { owner: user }
    properties: [room, total]
    events: { Booking Confirmed: confirmed, Booking Changed: }
""",
    "policies.yaml": "purposes: { stay: { kind: service, basis: contract } }\n",
    "audiences/soon.yaml": "when: \"any(booking, arrival between now() and now() + '3 days')\"\n",
    "journeys/guide.yaml": 'enter: { object: booking, at: arrival - 3 days, time: "10:00", zone: object }\n'
    "steps: [ { stop: done } ]\n",
    "journeys/room.yaml": "enter: { object: booking, at: arrival - 1 day }\nsteps: [ { stop: done } ]\n",
    "journeys/wait.yaml": "enter: { object: booking, on: created }\n"
    "steps: [ { wait: { until: booking.arrival - 7 days } }, { stop: done } ]\n",
}
_CURSOR = Cursor(clock=BEGINNING, timestamp=BEGINNING)


def run(scale: Scale) -> Table:
    """Measure the changes of many bookings."""
    table = Table(title="Objects: a booking moves, its timers are re-planned")
    number = scale.of(_OBJECTS, least=500)
    with scratch("objects") as folder, State.open(folder, create=True) as state:
        engine = Engine(state, lifecycle.World.build(load(_STRATEGY)), delivery="virtual")
        progress(f"making {number:,} bookings")
        began = time.perf_counter()
        _make(engine, number)
        made = time.perf_counter() - began
        taken = sorted(_moves(engine, number, scale.of(_CHANGES, least=100)))
        size = sum(path.stat().st_size for path in Path(folder).glob("state.db*"))
        kept = things.count(state, "object")
    table.rows.append(
        Row(
            what=f"object change to due timer re-planned, {kept:,} objects, a tick and a commit each",
            measured=f"p50 {_ms(taken, 0.5)}, p99 {_ms(taken, 0.99)}, worst {taken[-1] * 1000:.1f} ms",
            target="none is set",
        )
    )
    table.rows.append(
        Row(
            what="the same objects made, ticks of 2,000",
            measured=f"{number / made:,.0f} events/s",
            target="none is set",
        )
    )
    table.notes.append(
        f"`state.db` holds {size / number:,.0f} bytes per booking with its customer, {size / 2**20:,.0f} MiB in all."
    )
    table.peak_mib = peak_mib()
    return table


def _ms(taken: list[float], share: float) -> str:
    return f"{taken[min(len(taken) - 1, int(len(taken) * share))] * 1000:.1f} ms"


def _make(engine: Engine, number: int) -> None:
    items: list[Item] = []
    for index in range(number):
        at = _START + index
        items.append(Item(_event(index, index, "Booking Confirmed", at, 60 + index % 200), at))
        if len(items) == 2_000 or index == number - 1:
            engine.tick(items, items[-1].taken_at, _CURSOR)
            items = []


def _moves(engine: Engine, number: int, changes: int) -> Iterator[float]:
    """Seconds of each change: the tick that takes it and settles it, with the commit."""
    for index in range(changes):
        at = _START + DAY + index * 1_000
        who = index * 7_919 % number
        item = Item(_event(number + index, who, "Booking Changed", at, 70 + index % 180), at)
        before = engine.state.due(_START + 400 * DAY, 1)
        began = time.perf_counter()
        engine.tick([item], at + 1, _CURSOR)
        yield time.perf_counter() - began
        assert before


def _event(number: int, who: int, name: str, at: Instant, days: int) -> Event:
    arrival = (datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=days)).date().isoformat()
    said = {"booking_id": f"b{who}", "arrival": arrival, "room": "12", "total": 300}
    return Event(
        seq=number + 1, source="bench", message_id=f"m{number}", type="track", name=name, user_id=f"c{who}",
        timestamp=at, received_at=at, properties=said,
    )  # fmt: skip
