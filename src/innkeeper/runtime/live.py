"""The engine of `up`: a tick every 50 ms over what has arrived and what has come due, then deliveries, then receipts.

It runs in a process of its own and is the only writer of `state.db`; the door (`serve.py`) is the only writer of
`log.db`. The door moves the outbox into the log and leaves a mark; the engine trims what the mark covers.
"""

from __future__ import annotations

import gc
import heapq
import os
import signal
import time
from itertools import takewhile
from pathlib import Path

import msgspec

from innkeeper.events.types import ENGINE_SOURCE, Event
from innkeeper.identity.evidence import is_unlinking
from innkeeper.identity.retraction import is_control
from innkeeper.kernel.time import Clock, Instant, SystemClock
from innkeeper.runtime import definitions as applied
from innkeeper.runtime.adopt import adopt
from innkeeper.runtime.as_if import Recorded
from innkeeper.runtime.deliver import Deliverer
from innkeeper.runtime.engine import Engine
from innkeeper.runtime.outlet import Trimmer
from innkeeper.runtime.recall import Recall
from innkeeper.runtime.record import first_timestamp, waiting_keys
from innkeeper.runtime.resettle import is_settled
from innkeeper.runtime.revise import revise
from innkeeper.runtime.run import LAST
from innkeeper.runtime.unlink import is_word, parting, unlink
from innkeeper.runtime.work import Item
from innkeeper.store.bulk import Bulk
from innkeeper.store.log import Log
from innkeeper.store.state import Cursor, State
from innkeeper.strategy.types import Definitions

#: Rows of the log that a tick looks at, outputs among them; half as many timers. With 6,000 events/s coming in, as many
#: again go out, and a tick takes a third of a second.
TICK = 4_000
PAUSE_SECONDS = 0.05
#: How long a round of deliveries over a network may keep the engine from its next tick.
SENDING_SECONDS = 0.25
_CLOCK_WRITTEN_EVERY = 1_000_000
_GARBAGE_OBJECTS = 50_000


class Live:
    """The engine's loop, one `step` at a time."""

    def __init__(self, home: Path, log: Log, state: State, clock: Clock) -> None:
        self.home, self.log, self.state, self.clock = home, log, state, clock
        definitions = applied.applied(state) or Definitions(version="none")
        self.deliverer = Deliverer.open(home, state, definitions, live=True)
        self.engine = Engine(
            state, applied.world(state), delivery="later", memory=Recall(home, state), log=lambda: Bulk.open(home)
        )
        self.trimmer = Trimmer(home)
        with Bulk.open(home) as bulk:
            self.cursor = state.cursor() or self._fresh(bulk)
            number = applied.number(state)
            adopted = str(number) == (state.meta("adopted") or "0")
            if not (adopted and is_settled(state, self.engine.world.identity)):
                self.engine.finish_telling()
                adopt(self.engine, bulk, number, self.cursor)
                with state.transaction():
                    state.set_meta("adopted", str(number))
            #: Events whose time has not come: (timestamp, source, message id, seq).
            self.waiting = waiting_keys(bulk, self.cursor)
        heapq.heapify(self.waiting)
        self.deliverer.recover()

    def step(self) -> bool:
        """One tick, one round of deliveries, their receipts; whether there was anything to do."""
        wall = max(self.clock.now(), self.cursor.clock)
        busy = self._tick(wall)
        seconds = SENDING_SECONDS if self.deliverer.is_remote else None
        busy = bool(self.deliverer.deliver(now=wall, limit=200, seconds=seconds)) or busy
        busy = self.deliverer.is_sending or busy
        receipts = self.state.receipts(500)
        if receipts:
            self.engine.take_receipts(receipts, self.cursor.clock, None)
        self.trimmer.trim(self.state)
        return busy or bool(receipts)

    def _tick(self, wall: Instant) -> bool:
        events = self.log.read(self.cursor.seq, TICK)
        first = events[0] if events else None
        if first is not None and is_word(first):
            if self._revises(first):
                return True
            if is_unlinking(first) and self.cursor.clock < first.timestamp <= wall:
                events = []  # The clock comes up to it first.
        # One that asks for no revision is an event like any other.
        events = [*events[:1], *takewhile(lambda event: not is_word(event), events[1:])]
        items = [self._item(event, wall) for event in self._matured(wall)]
        for event in events:
            if event.source == ENGINE_SOURCE:
                continue
            if event.timestamp > wall:
                heapq.heappush(self.waiting, (event.timestamp, event.source, event.message_id, event.seq))
            else:
                items.append(self._item(event, wall))
        items.sort(key=lambda item: (item.taken_at, item.event.seq))
        behind = len(events) == TICK and bool(items)
        horizon = items[-1].taken_at if behind else wall
        due = self.state.due_service_first(horizon, TICK // 2)
        telling = self.engine.has_to_tell(horizon)
        if not (items or due or events or telling) and horizon - self.cursor.clock < _CLOCK_WRITTEN_EVERY:
            return False
        self.cursor = msgspec.structs.replace(
            self.cursor,
            clock=horizon,
            seq=events[-1].seq if events else self.cursor.seq,
            timestamp=horizon,
            source=LAST,
            message_id=LAST,
        )
        self.engine.tick(items, horizon, self.cursor, due=due)
        return bool(items or due or telling)

    def _revises(self, event: Event) -> bool:
        """Take an event that asks for a revision, after all that was before it; whether it does.

        A link is taken away at its time; who says so for a time to come is taken like any other.
        """
        if is_control(event):
            self._revise(event)
            return True
        if event.timestamp > self.cursor.clock or (whom := parting(self.engine, event)) is None:
            return False
        self._come_to_rest()
        cursor = msgspec.structs.replace(self.cursor, seq=event.seq)
        if not unlink(self.engine, self.home, Item(event, cursor.clock, "live"), whom, cursor):
            return False
        self.cursor = cursor
        return True

    def _revise(self, event: Event) -> None:
        """Take a word about the log."""
        self._come_to_rest()
        self.cursor = msgspec.structs.replace(self.cursor, seq=event.seq)
        with Bulk.open(self.home) as bulk:
            recorded = Recorded(bulk, self.state, self.engine.next_position, event.seq)
            revise(self.engine, recorded, event, self.cursor.clock, self.cursor)

    def _come_to_rest(self) -> None:
        """Take every timer that a busy tick has left and every receipt that is known, and tell what is to be told."""
        while late := self.state.due(self.cursor.clock, TICK):
            self.engine.tick([], self.cursor.clock, self.cursor, due=[subject for _, subject in late])
        while receipts := self.state.receipts(500):
            self.engine.take_receipts(receipts, self.cursor.clock, None)
        self.engine.tell_rest(self.cursor.clock)

    def _matured(self, wall: Instant) -> list[Event]:
        seqs: list[int] = []
        while self.waiting and self.waiting[0][0] <= wall and len(seqs) < TICK:
            seqs.append(heapq.heappop(self.waiting)[3])
        return list(self.log.get(seqs).values()) if seqs else []

    def _item(self, event: Event, wall: Instant) -> Item:
        return Item(event, min(max(event.received_at, event.timestamp, self.cursor.clock), wall), "live")

    def _fresh(self, bulk: Bulk) -> Cursor:
        first = first_timestamp(bulk)
        clock = self.clock.now() if first is None else first - 1
        return Cursor(clock=clock, timestamp=clock, source=LAST, message_id=LAST)


def serve_engine(home: Path, parent: int) -> None:
    """Run the engine until the process *parent* ends or asks to stop; the home's lock is the parent's."""
    stopping: list[int] = []
    signal.signal(signal.SIGTERM, lambda *_: stopping.append(1))
    # Ctrl-C on a terminal reaches both processes; the door ends the engine when it has stopped serving.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with Log.open(home, read_only=True) as log, State.open(home, create=True) as state:
        live = Live(home, log, state, SystemClock())
        # A tick holds thousands of profiles, none of them garbage: looked through every 700 objects, they cost a tenth
        # of the engine's time.
        gc.set_threshold(_GARBAGE_OBJECTS)
        while not stopping and os.getppid() == parent:
            if not live.step():
                time.sleep(PAUSE_SECONDS)
        live.deliverer.close()
