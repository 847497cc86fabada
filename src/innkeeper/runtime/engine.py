"""The engine: takes inputs in their order, calls `advance`, and commits states, outputs and cursor together.

One `tick` is a batch of log events and every timer up to a horizon. Subjects are independent of each other, so a tick
walks the events in order and settles each subject's timers before its next input; outputs are put into their order by
the outbox. A tick in which deliveries are sent (`run --deliver file|live`) commits several times: a profile with a
planned delivery waits until its receipt is taken. Next in the flow: `lifecycle.py` inside, `outlet.py` after.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

import msgspec

from innkeeper import lifecycle
from innkeeper.events import outputs as o
from innkeeper.events.types import Event
from innkeeper.kernel.failpoints import failpoint
from innkeeper.kernel.time import Instant
from innkeeper.profiles.state import Facts, ProfileState
from innkeeper.runtime.identifying import Identification
from innkeeper.runtime.identities import Identities
from innkeeper.runtime.recall import Memory
from innkeeper.runtime.receipts import receipt_event, receipt_row, virtual_receipt
from innkeeper.store.identity import Merge
from innkeeper.store.projections import REACHED, Move, Projections, move_subject, restate, to_outbox
from innkeeper.store.state import Cursor, OutboxRow, Receipt, State, SubjectRow, TakenRow

Mode = Literal["live", "late", "history"]
#: What becomes of planned deliveries: nothing (accepted at once, virtually), waited for, left to a deliverer, or, in a
#: replay, what became of them in the recorded order.
Delivery = Literal["virtual", "wait", "later", "replay"]


@dataclass(frozen=True, slots=True)
class Item:
    """One log event to take."""

    event: Event
    taken_at: Instant
    mode: Mode = "live"


@dataclass(slots=True)
class Counts:
    """What a run did."""

    ticks: int = 0
    events: int = 0
    entered: int = 0
    left: int = 0
    enrollments: int = 0
    decisions: int = 0
    planned: int = 0
    accepted: int = 0

    def add(self, output: o.Output) -> None:
        """Count one output."""
        match output:
            case o.AudienceEntered():
                self.entered += 1
            case o.AudienceLeft():
                self.left += 1
            case o.JourneyEntered():
                self.enrollments += 1
            case o.DecisionMade():
                self.decisions += 1
            case o.DeliveryPlanned():
                self.planned += 1
            case _:
                pass


@dataclass(slots=True)
class Pending:
    """What the next commit writes."""

    dirty: set[str] = field(default_factory=set)
    gone: set[str] = field(default_factory=set)
    outbox: list[OutboxRow] = field(default_factory=list)
    taken: list[TakenRow] = field(default_factory=list)
    moves: list[Move] = field(default_factory=list)
    restated: set[str] = field(default_factory=set)
    merges: list[Merge] = field(default_factory=list)
    heard: list[str] = field(default_factory=list)
    projections: Projections = field(default_factory=Projections)


class Engine:
    """Folds inputs into the state of one workspace.

    Args:
        state: The open state; the engine is its only writer.
        world: The definitions in force.
        delivery: What becomes of planned deliveries.
        deliver: For `wait`: sends everything that is planned for the subjects, each at its planned instant.
        was_virtual: For `replay`: whether the recorded delivery was only planned.
        memory: Finds again in the log what has been taken.
    """

    def __init__(
        self,
        state: State,
        world: lifecycle.World,
        *,
        delivery: Delivery,
        deliver: Callable[[set[str]], None] | None = None,
        was_virtual: Callable[[str], bool] | None = None,
        memory: Memory | None = None,
    ) -> None:
        self.state, self.world, self.delivery, self.counts = state, world, delivery, Counts()
        #: While set, cursors keep this position: events after it were taken by a tick that was cut off.
        self.held_position: int | None = None
        self._deliver = deliver
        self._was_virtual = was_virtual
        self._position = state.last_position()
        self._cache: dict[str, ProfileState] = {}
        #: Subjects whose stored state was asked for in this tick: what is not in the cache does not exist.
        self._looked_up: set[str] = set()
        self._waiting: set[str] = set()
        self._next = Pending()
        self.memory = memory
        self.identification = Identification(self)

    def tick(self, items: Sequence[Item], horizon: Instant, cursor: Cursor, *, due: Iterable[str] = ()) -> None:
        """Take *items* in order and every timer of their subjects and of *due* up to *horizon*; commit with *cursor*.

        A horizon before the items (history) lets no timer go off.
        """
        self._forget()
        self._load(items, due)
        rest: Sequence[Item] = items
        while True:
            rest = self._pass(rest, horizon)
            if not self._waiting:
                break
            self._commit(None)
            self._wait_for_deliveries()
        self._commit(cursor)
        self.counts.ticks += 1

    def mark(self, mode: str, number: int, at: Instant, cursor: Cursor) -> None:
        """Record a turning point (new definitions, end of history) in the order of inputs, with the cursor."""
        self._position += 1
        self._next.taken.append(
            TakenRow(self._position, mode, number, at, None, None, msgspec.json.encode(cursor).decode())
        )
        self._commit(None)

    def take_receipts(self, receipts: Sequence[Receipt], clock: Instant | None, cursor: Cursor | None) -> None:
        """Tell profiles the fate of deliveries: at the planned instant (*clock* None), else when it was known."""
        self._forget()
        self._fetch({receipt.subject for receipt in receipts})
        for receipt in receipts:
            at = receipt.planned_at if clock is None else max(receipt.state_at, clock)
            self._take_receipt(receipt, at)
        self._commit(cursor)

    # Taking

    def _pass(self, items: Sequence[Item], horizon: Instant) -> list[Item]:
        """Take what no waiting profile holds back; the items that have to wait."""
        held = set(self._waiting)
        rest: list[Item] = []
        for item in items:
            subjects = self.identities.touched(item.event)
            if not held.isdisjoint(subjects):
                held.update(subjects)
                rest.append(item)
                continue
            for subject in subjects:
                if item.mode != "history":
                    self._settle(subject, item.taken_at)
            if not self._waiting.isdisjoint(subjects):
                held.update(subjects)
                rest.append(item)
                continue
            self._take(item)
            held.update(self._waiting)
        for subject in list(self._cache):
            if subject not in held:
                self._settle(subject, horizon)
        return rest

    def _take(self, item: Item) -> None:
        event = item.event
        change = self.identification.take(event, item.taken_at, announce=item.mode != "history")
        subject = self.identities.owner(event.identifier, event.timestamp)
        state = self._state(subject)
        at = max(item.taken_at, state.last_at)
        if change is not None or not state.inputs:
            lifecycle.known_as(state, self.identities.identifiers(subject), at, self.world)
        self._position += 1
        self._next.taken.append(TakenRow(self._position, item.mode, event.seq, item.taken_at))
        outputs = lifecycle.advance(state, lifecycle.EventInput(event, at, item.mode), self.world)
        self.counts.events += 1
        self._emit(state, at, outputs)
        self.identification.note_claims(event)

    def _settle(self, subject: str, until: Instant) -> None:
        state = self._cache.get(subject)
        if state is None:
            return
        while state.next_due_at <= until and subject not in self._waiting:
            at = max(state.next_due_at, state.last_at)
            self._emit(state, at, lifecycle.advance(state, lifecycle.TimerInput(at), self.world))

    def _take_receipt(self, receipt: Receipt, at: Instant) -> None:
        state = self._state(receipt.subject)
        at = max(at, state.last_at)
        self._settle(receipt.subject, at)
        self._position += 1
        row = TakenRow(
            self._position, "receipt", 0, at, receipt.delivery, receipt.state, receipt.reason, receipt.subject
        )
        self._next.taken.append(row)
        self._next.heard.append(receipt.delivery)
        if receipt.state not in REACHED:
            self._next.projections.refuse(receipt.delivery, at)
        if receipt.state == "accepted" and receipt.reason != "virtual":
            self.counts.accepted += 1
        stamped = msgspec.structs.replace(receipt, identifier=self.identification.stamp(state, receipt.identifier, at))
        self._hear(state, receipt_event(stamped, at), at)

    def _hear(self, state: ProfileState, event: Event, at: Instant) -> None:
        outputs = lifecycle.advance(state, lifecycle.EventInput(event, at, "live"), self.world)
        self._next.outbox.append(receipt_row(event, at, state.subject, state.inputs))
        self._emit(state, at, outputs)

    def _emit(self, state: ProfileState, at: Instant, outputs: Sequence[o.Output]) -> None:
        self._next.dirty.add(state.subject)
        planned: list[o.DeliveryPlanned] = []
        number = state.inputs
        for index, output in enumerate(outputs):
            stamped = self.identification.stamp(state, output.identifier, at)
            self._next.outbox.append(to_outbox(at, state.subject, number, index, output, stamped))
            virtual = isinstance(output, o.DeliveryPlanned) and self._is_virtual(output.delivery_id)
            self._next.projections.add(at, state.subject, output, virtual=virtual)
            self.counts.add(output)
            if virtual and isinstance(output, o.DeliveryPlanned):
                planned.append(output)
            elif isinstance(output, o.DeliveryPlanned) and self.delivery == "wait":
                self._waiting.add(state.subject)
        for plan in planned:
            self._hear(state, virtual_receipt(plan, at, self.identification.stamp(state, plan.identifier, at)), at)

    def _is_virtual(self, delivery_id: str) -> bool:
        if self.delivery == "replay" and self._was_virtual is not None:
            return self._was_virtual(delivery_id)
        return self.delivery == "virtual"

    def _wait_for_deliveries(self) -> None:
        if self._deliver is None:
            raise AssertionError("an engine that waits for deliveries needs a deliverer")
        waiting, self._waiting = self._waiting, set()
        self._deliver(waiting)
        for receipt in self.state.receipts(1_000_000):
            self._take_receipt(receipt, receipt.planned_at)

    # For `identifying.py`, `moving.py` and `resettle.py`

    @property
    def identities(self) -> Identities:
        """Who is who, as of everything that was taken."""
        return self.identification.identities

    @property
    def cache(self) -> dict[str, ProfileState]:
        """The profiles that this tick has read."""
        return self._cache

    @property
    def pending(self) -> Pending:
        """What the next commit writes."""
        return self._next

    def fetch(self, subjects: Iterable[str]) -> None:
        """Read profiles that have not been read yet."""
        self._fetch(set(subjects) - self._looked_up)

    def state_of(self, subject: str) -> ProfileState:
        """A profile, made when it is missing."""
        self._next.gone.discard(subject)
        return self._state(subject)

    def state_if_any(self, subject: str) -> ProfileState | None:
        """A profile that is there."""
        return self._state_if_any(subject)

    def begin(self) -> None:
        """Begin a piece of work of its own: nothing has been read yet."""
        self._forget()

    def commit(self) -> None:
        """Write what a piece of work has made; the cursor stays where it is."""
        self._commit(None)

    def emit(self, state: ProfileState, at: Instant, outputs: Sequence[o.Output]) -> None:
        """Take what a profile says."""
        self._emit(state, at, outputs)

    # Reading and writing

    def _load(self, items: Sequence[Item], due: Iterable[str]) -> None:
        self.identities.load(item.event for item in items)
        subjects = set(due)
        for item in items:
            subjects |= self.identities.touched(item.event)
        self._fetch(subjects)

    def _forget(self) -> None:
        self._cache.clear()
        self._looked_up.clear()
        self.identities.forget()

    def _fetch(self, subjects: set[str]) -> None:
        for subject, body in self.state.bodies(subjects - self._cache.keys()).items():
            self._cache[subject] = lifecycle.decode(body)
        self._looked_up |= subjects

    def _state(self, subject: str) -> ProfileState:
        state = self._state_if_any(subject)
        if state is None:
            state = self._cache[subject] = lifecycle.new_state(subject)
        return state

    def _state_if_any(self, subject: str) -> ProfileState | None:
        if subject not in self._cache and subject not in self._looked_up:
            self._fetch({subject})
        return self._cache.get(subject)

    def _commit(self, cursor: Cursor | None) -> None:
        """Write everything that the last pass made, in one transaction; with a cursor the tick is whole."""
        work, self._next = self._next, Pending()
        rows = [subject_row(self._cache[subject], self.world) for subject in sorted(work.dirty - work.gone)]
        failpoint("tick.computed")
        with self.state.transaction() as connection:
            self.state.put_subjects(rows)
            self.state.delete_subjects(sorted(work.gone))
            self.identities.write()
            self.identities.tables.add_merges(work.merges)
            self.state.add_taken(work.taken)
            self.state.add_outbox(work.outbox)
            work.projections.write(connection)
            for each in work.moves:
                move_subject(connection, each)
            for identifier in sorted(work.restated):
                restate(connection, identifier, self._holders(identifier))
            self.state.receipts_taken(work.heard)
            if cursor is not None:
                position = self._position if self.held_position is None else self.held_position
                self.state.set_cursor(msgspec.structs.replace(cursor, position=position))
            failpoint("tick.written")
        failpoint("tick.committed")

    def _holders(self, identifier: str) -> dict[str, Facts]:
        return {name: state.facts[identifier] for name, state in self._cache.items() if identifier in state.facts}


def subject_row(state: ProfileState, world: lifecycle.World) -> SubjectRow:
    """What the store keeps of a profile."""
    lane = 0 if lifecycle.next_is_service(state, world) else 1
    return SubjectRow(state.subject, state.next_due_at, state.stage, lifecycle.encode(state), lane)
