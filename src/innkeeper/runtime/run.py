"""`run`: plays the record up to a time, with every timer at its exact instant, then puts the outputs into the log."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from itertools import groupby, islice
from pathlib import Path
from typing import Any, Literal

import msgspec

from innkeeper.events.types import Event
from innkeeper.identity.evidence import is_unlinking
from innkeeper.identity.retraction import is_control
from innkeeper.kernel.errors import UsageError
from innkeeper.kernel.time import BEGINNING, HOUR, Clock, Instant, SystemClock, format_instant
from innkeeper.runtime import definitions as applied
from innkeeper.runtime.adopt import adopt, end_history
from innkeeper.runtime.as_if import Recorded
from innkeeper.runtime.checkpoints import renew
from innkeeper.runtime.deliver import Deliverer
from innkeeper.runtime.engine import Engine
from innkeeper.runtime.lock import hold
from innkeeper.runtime.outlet import FULL, drain
from innkeeper.runtime.recall import Recall
from innkeeper.runtime.record import first_timestamp, late_events, ordered_events
from innkeeper.runtime.resettle import is_settled
from innkeeper.runtime.revise import revise
from innkeeper.runtime.unlink import is_word, parting, unlink
from innkeeper.runtime.work import Counts, Item
from innkeeper.runtime.writing import writing
from innkeeper.store.bulk import Bulk
from innkeeper.store.log import Log
from innkeeper.store.state import Cursor, State
from innkeeper.strategy.types import Definitions

#: `later`: whoever runs next sends what is planned.
Deliver = Literal["none", "file", "live", "later"]
#: Sorts after every source and message id: everything up to the instant is taken.
LAST = "\U0010ffff"
TICK = 2_000


@dataclass(frozen=True, slots=True)
class Report:
    """What a run did; `as_dict` is the JSON of the command."""

    begin: Instant
    until: Instant
    counts: Counts

    def as_dict(self) -> dict[str, Any]:
        """The JSON form."""
        return {"from": format_instant(self.begin), "until": format_instant(self.until), **asdict(self.counts)}


def run(
    home: Path,
    *,
    until: Instant | None,
    history_until: Instant | None = None,
    deliver: Deliver = "file",
    clock: Clock | None = None,
    tick_size: int = TICK,
    progress: Callable[[Instant, Counts], None] | None = None,
) -> Report:
    """Advance a workspace to a time.

    Args:
        home: Folder of the workspace; made when it is missing.
        until: Where the clock stands afterwards; None: now.
        history_until: Everything up to this instant is taken as history, unannounced.
        deliver: Plan only (`none`), put into the Maildir (`file`), or send as the channels say (`live`).
        clock: Tells the time of day; only `now` and `live` need it.
        tick_size: Log events per tick; changes nothing but speed.
        progress: Called after every tick with the instant reached.

    Raises:
        UsageError: A time lies before the workspace's clock, or `live` would send mail about the past.
        OperationFailed: The home is in use, the store is damaged or the disk is full; what is committed stays.
    """
    wall = (clock or SystemClock()).now()
    goal = wall if until is None else until
    if deliver == "live" and goal < wall - HOUR:
        raise UsageError(
            f"--deliver live is refused: the clock would stand at {format_instant(goal)}, more than an hour behind",
            code="live-in-the-past", fix="run with --deliver file or none up to the present first",
        )  # fmt: skip
    with hold(home), Log.open(home) as log, State.open(home, create=True) as state:
        return _Run(home, log, state, deliver, tick_size, progress).play(goal, history_until)


def run_to_the_clock(home: Path, before: Callable[[Log, State], None]) -> Report:
    """Take what has come in late, at the workspace's clock; what it plans is left to whoever delivers next.

    Args:
        home: Folder of the workspace.
        before: Called first, under the same lock: it may append to the log.

    Raises:
        OperationFailed: The home is in use, the store is damaged or the disk is full.
    """
    with writing(home) as (log, state):
        before(log, state)
        return _Run(home, log, state, "later", TICK, None).play(state.clock() or BEGINNING, None)


def take_what_waits(home: Path, log: Log, state: State) -> None:
    """The same, while the caller holds the home; before the first run nothing is taken."""
    clock = state.clock()
    if clock is not None:
        _Run(home, log, state, "later", TICK, None).play(clock, None)


class _Run:
    def __init__(
        self,
        home: Path,
        log: Log,
        state: State,
        deliver: Deliver | Literal["later"],
        tick_size: int,
        progress: Callable[[Instant, Counts], None] | None,
    ) -> None:
        self.home, self.log, self.state = home, log, state
        self.tick_size, self.progress = tick_size, progress
        definitions = applied.applied(state) or Definitions(version="none")
        self.deliver = deliver
        silent = deliver in ("none", "later")
        self.deliverer = None if silent else Deliverer.open(home, state, definitions, live=deliver == "live")
        self.engine = Engine(
            state,
            applied.world(state),
            delivery="virtual" if deliver == "none" else "later" if deliver == "later" else "wait",
            deliver=self._send,
            memory=Recall(home, state),
        )
        self.cursor = Cursor(clock=BEGINNING, timestamp=BEGINNING)
        self._since_drain = 0

    def play(self, until: Instant, history_until: Instant | None) -> Report:
        last = self.log.last_seq()
        with Bulk.open(self.home) as bulk:
            self.cursor = self.state.cursor() or self._fresh(bulk, until)
            begin = self.cursor.clock
            self.engine.log = lambda: nullcontext(bulk)
            self._check(until, history_until)
            history = self._unfinished(history_until)
            self._recover()
            self.engine.finish_telling()
            self._adopt(bulk)
            skip = self.state.taken_seqs(self.cursor.position)
            self.engine.held_position = self.cursor.position if skip else None
            self._late(late_events(bulk, self.cursor, last, skip), last)
            if history is not None:
                self._history(ordered_events(bulk, self.cursor, last, history, skip), history)
            self._play(ordered_events(bulk, self.cursor, last, until, skip), until)
            if skip:
                self.engine.held_position = None
                self.engine.tick([], BEGINNING, self.cursor)
        drain(self.state, self.log)
        renew(self.home, self.state, self.log)
        self.log.seal()
        if self.deliverer is not None:
            self.deliverer.close()
        return Report(begin, until, self.engine.counts)

    def _send(self, subjects: set[str]) -> None:
        if self.deliverer is None:
            raise AssertionError("no deliverer in a virtual run")
        self.deliverer.deliver(subjects=subjects)

    def _fresh(self, bulk: Bulk, until: Instant) -> Cursor:
        """A fresh clock stands one microsecond before the first event."""
        first = first_timestamp(bulk)
        clock = until if first is None else first - 1
        return Cursor(clock=clock, timestamp=clock, source=LAST, message_id=LAST)

    def _check(self, until: Instant, history_until: Instant | None) -> None:
        for name, instant in (("--until", until), ("--from", history_until)):
            if instant is not None and instant < self.cursor.clock:
                raise UsageError(
                    f"{name} {format_instant(instant)} lies before the workspace's clock,"
                    f" {format_instant(self.cursor.clock)}, which never goes back",
                    code="before-the-clock",
                    fix="name a later time, or start a new home and import the events there",
                )
        if history_until is not None and history_until > until:
            raise UsageError(
                f"--from {format_instant(history_until)} lies after --until {format_instant(until)}",
                code="from-after-until", fix="--from is where history ends and the run begins",
            )  # fmt: skip

    def _unfinished(self, history_until: Instant | None) -> Instant | None:
        """Where history ends; one that was cut off is finished first."""
        unfinished = self.state.meta("history_until")
        if history_until is None:
            return int(unfinished) if unfinished else None
        with self.state.transaction():
            self.state.set_meta("history_until", str(history_until))
        return history_until

    def _recover(self) -> None:
        """Finish what an earlier run left between planning and receipt."""
        if self.deliver == "later":
            pass  # What is planned waits for whoever delivers next.
        elif self.deliverer is None:
            with self.state.transaction() as connection:
                connection.execute(
                    "UPDATE deliveries SET reason = 'virtual', state = 'planned', receipt = 'pending'"
                    " WHERE state IN ('planned', 'claimed') AND reason <> 'virtual' AND hold IS NULL"
                )
        else:
            self.deliverer.recover()
            self._deliver_rest()
        while receipts := self.state.receipts(1_000):
            self.engine.take_receipts(receipts, None, None)
            if self.deliverer is not None:
                self._deliver_rest()

    def _deliver_rest(self) -> None:
        """Send what an earlier run left planned; where homes count, it waits for its place in time."""
        if self.deliverer is not None and not self.engine.take_up():
            self.deliverer.deliver()

    def _adopt(self, bulk: Bulk) -> None:
        number = applied.number(self.state)
        adopted = str(number) == (self.state.meta("adopted") or "0")
        if adopted and is_settled(self.state, self.engine.world.identity):
            return
        adopt(self.engine, bulk, number, self.cursor)
        with self.state.transaction():
            self.state.set_meta("adopted", str(number))

    def _late(self, events: Iterator[Event], last: int) -> None:
        clock = self.cursor.clock
        while page := list(islice(events, self.tick_size)):
            for word, part in groupby(page, key=is_word):
                if word:
                    for event in part:
                        self._take_word(event)
                    continue
                items = [Item(event, clock, "late") for event in part]
                self.cursor = msgspec.structs.replace(self.cursor, seq=items[-1].event.seq)
                self._tick(items, clock, [])
        self.cursor = msgspec.structs.replace(self.cursor, seq=last)
        with self.state.transaction():
            self.state.set_cursor(self.cursor)

    def _take_word(self, event: Event) -> None:
        """Take a late event that may ask for a revision, after what is still to be told."""
        self.engine.tell_rest(self.cursor.clock)
        if is_control(event):
            self._revise(event)
            return
        self.cursor = msgspec.structs.replace(self.cursor, seq=event.seq)
        item = Item(event, self.cursor.clock, "late")
        if not self._unlink(item):
            self._tick([item], item.taken_at, [])

    def _unlink(self, item: Item) -> bool:
        """Take a link away by a revision, if that is needed; the cursor stands at the event already."""
        whom = parting(self.engine, item.event)
        if whom is None or not unlink(self.engine, self.home, item, whom, self.cursor):
            return False
        self._recover()
        return True

    def _revise(self, event: Event) -> None:
        """Take a word about the log; then whoever sends sends what it has planned."""
        self.cursor = msgspec.structs.replace(self.cursor, seq=event.seq)
        with Bulk.open(self.home) as bulk:
            recorded = Recorded(bulk, self.state, self.engine.next_position, event.seq)
            revise(self.engine, recorded, event, self.cursor.clock, self.cursor)
        self._recover()

    def _history(self, events: Iterator[Event], until: Instant) -> None:
        while page := list(islice(events, self.tick_size)):
            self._pass_event(page[-1])
            self._tick([Item(event, event.timestamp, "history") for event in page], BEGINNING, [])
        self._pass_instant(until)
        end_history(self.engine, until, self.cursor)
        with self.state.transaction():
            self.state.set_meta("history_until", "")
            self.state.set_cursor(self.cursor)

    def _play(self, events: Iterator[Event], until: Instant) -> None:
        pending: list[Event] = []
        exhausted = False
        while not (exhausted and not pending and self.cursor.clock == until):
            if not exhausted:
                pending += islice(events, self.tick_size - len(pending))
                exhausted = len(pending) < self.tick_size
            pending = self._step(pending, exhausted, until)

    def _step(self, pending: list[Event], exhausted: bool, until: Instant) -> list[Event]:
        """One tick of the ordered record, or one word that takes a link away; what is left of *pending*."""
        words = [place for place, event in enumerate(pending) if is_unlinking(event)]
        if words[:1] == [0]:
            if self._unlink_in_order(pending[0]):
                return pending[1:]
            del words[0]
        if words:
            return self._some(pending[: words[0]], False, until) + pending[words[0] :]
        return self._some(pending, exhausted, until)

    def _unlink_in_order(self, event: Event) -> bool:
        at = event.timestamp
        if parting(self.engine, event) is None:
            return False
        self._pass_instant(at - 1)
        while (due := self.state.due(at, self.tick_size)) or self.engine.has_to_tell(at):
            self._tick([], at, [subject for _, subject in due])
        before = self.cursor
        self._pass_event(event)
        if self._unlink(Item(event, at, "live")):
            return True
        self.cursor = before
        return False

    def _some(self, pending: list[Event], exhausted: bool, until: Instant) -> list[Event]:
        """One tick of the ordered record: no further than the timers of one page; what is left of *pending*."""
        horizon = until if exhausted else pending[-1].timestamp
        due = self.state.due(horizon, self.tick_size + 1)
        batch = pending
        if len(due) > self.tick_size:
            edge = due[-1][0]
            batch = [event for event in pending if event.timestamp < edge]
            if not batch and due[0][0] == edge:
                # More timers at one instant than fit: page by page, before the events of that instant.
                self._pass_instant(edge - 1)
                self._tick([], edge, [subject for _, subject in due[:-1]])
                return pending
            horizon, due = edge - 1, [entry for entry in due if entry[0] < edge]
        rest = pending[len(batch) :]
        if rest or exhausted:
            self._pass_instant(horizon)
        else:
            self._pass_event(batch[-1])
        self._tick([Item(event, event.timestamp, "live") for event in batch], horizon, [subject for _, subject in due])
        return rest

    def _tick(self, items: list[Item], horizon: Instant, due: list[str]) -> None:
        self.engine.tick(items, horizon, self.cursor, due=due)
        self._since_drain += 1
        if self._since_drain % 8 == 0 and self.state.outbox_size() > FULL:
            drain(self.state, self.log)
        if self.progress is not None:
            self.progress(self.cursor.clock, self.engine.counts)

    def _pass_instant(self, instant: Instant) -> None:
        """Everything up to an instant is taken."""
        if instant >= self.cursor.clock:
            self.cursor = msgspec.structs.replace(
                self.cursor, clock=instant, timestamp=instant, source=LAST, message_id=LAST
            )

    def _pass_event(self, event: Event) -> None:
        """Everything up to an event is taken; others of its instant may follow."""
        self.cursor = msgspec.structs.replace(
            self.cursor,
            clock=event.timestamp,
            timestamp=event.timestamp,
            source=event.source,
            message_id=event.message_id,
        )
