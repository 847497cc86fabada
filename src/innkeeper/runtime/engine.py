"""The engine: takes inputs in their order, calls `advance`, and commits states, outputs and cursor together.

One `tick` is a batch of log events and every timer up to a horizon. Subjects are independent of each other, so a tick
walks the events in order and settles each subject's timers before its next input; outputs are put into their order by
the outbox. A tick in which deliveries are sent (`run --deliver file|live`) commits several times: a profile with a
planned delivery waits until its receipt is taken. Next in the flow: `lifecycle.py` inside, `outlet.py` after.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING

import msgspec

from innkeeper import lifecycle
from innkeeper.events import outputs as o
from innkeeper.events.types import Event
from innkeeper.identity.retraction import LeftOut
from innkeeper.kernel.errors import InternalError
from innkeeper.kernel.failpoints import failpoint
from innkeeper.kernel.time import Instant
from innkeeper.profiles import transfer
from innkeeper.profiles.others import News
from innkeeper.profiles.state import Facts, ProfileState
from innkeeper.runtime.account_desk import AccountDesk
from innkeeper.runtime.fanout import Telling
from innkeeper.runtime.home_order import HomeOrder
from innkeeper.runtime.identifying import Identification
from innkeeper.runtime.identities import Identities
from innkeeper.runtime.item_desk import ItemDesk
from innkeeper.runtime.recall import Memory
from innkeeper.runtime.receipts import receipt_event, receipt_row, virtual_receipt
from innkeeper.runtime.record import events_about
from innkeeper.runtime.revising import Revising
from innkeeper.runtime.telling import Plan, Things
from innkeeper.runtime.work import Counts, Delivery, Item, Mode, Pending
from innkeeper.store import accounts as fanouts
from innkeeper.store import retractions
from innkeeper.store.projections import REACHED, move_subject, restate, to_outbox
from innkeeper.store.state import NOBODY, Connection, Cursor, Receipt, State, SubjectRow, TakenRow

if TYPE_CHECKING:
    from innkeeper.store.bulk import Bulk


__all__ = ["Counts", "Delivery", "Engine", "Item", "Mode", "subject_row"]


class Engine(Telling):
    """Folds inputs into the state of one workspace.

    Args:
        state: The open state; the engine is its only writer.
        world: The definitions in force.
        delivery: What becomes of planned deliveries.
        deliver: For `wait`: sends everything that is planned for the subjects, each at its planned instant.
        was_virtual: For `replay`: whether the recorded delivery was only planned.
        log: Opens the log for questions about the past; accounts need it when a word on a member comes late.
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
        log: Callable[[], AbstractContextManager[Bulk]] | None = None,
        memory: Memory | None = None,
    ) -> None:
        self.state, self.world, self.delivery, self.counts = state, world, delivery, Counts()
        #: While set, cursors keep this position: events after it were taken by a tick that was cut off.
        self.held_position: int | None = None
        #: Events that are as if they had never come: they keep their place in the order, and that is all.
        self.left_out: LeftOut = retractions.standing(state.connection)
        self._deliver = deliver
        self._was_virtual = was_virtual
        self._position = state.last_position()
        self._cache: dict[str, ProfileState] = {}
        self._things = Things(state)
        self.log = log
        self._desk = AccountDesk(state, self._taken_events)
        self._items = ItemDesk(state)
        #: Subjects whose stored state was asked for in this tick: what is not in the cache does not exist.
        self._looked_up: set[str] = set()
        #: Profiles that wait for the end of a planned delivery, and its instant.
        self._waiting: dict[str, Instant] = {}
        messages = (message.one_per_home for message in world.journeys.messages.values())
        self._homes = HomeOrder(state, world.journeys.policies, messages, lambda subject: self._cache.get(subject))
        self._next = Pending()
        self.memory = memory
        self.identification = Identification(self)

    @property
    def next_position(self) -> int:
        """The place of the next input in the order taken."""
        return self._position + 1

    def tick(self, items: Sequence[Item], horizon: Instant, cursor: Cursor, *, due: Iterable[str] = ()) -> None:
        """Take *items* in order and every timer of their subjects and of *due* up to *horizon*; commit with *cursor*.

        A horizon before the items (history) lets no timer go off.
        """
        self._forget()
        self._load(items, due, horizon)
        self._fetch(set(self._waiting))
        rest: Sequence[Item] = items
        while True:
            before, rest = rest, self._pass(rest, horizon)
            ready = self._homes.ready(self._waiting, None if rest else horizon)
            if not (ready or rest):
                break
            if self._waiting and not ready and len(rest) == len(before):
                raise InternalError("inputs and deliveries wait for one another", code="tick-stuck")
            self._commit(None)
            if ready:
                self._wait_for_deliveries(ready)
        self._commit(cursor)
        if self.delivery == "later" and self.tell_some(horizon):
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

    def counted(self, events: Iterable[Event]) -> Iterator[Event]:
        """The events that are not left out."""
        return (event for event in events if not self.left_out.covers(event))

    def told_traits(self, events: Iterable[Event]) -> Iterable[Event]:
        """Of events that told traits those that count: no retracted ones, and nothing that was said because of them."""
        unsaid = retractions.unsaid(self.state.connection)
        return (event for event in self.counted(events) if event.message_id not in unsaid)

    def as_recalled(self, events: Iterable[Event]) -> list[Event]:
        """What the memory has found again, as it counts now and in the order of time."""
        return sorted(self.told_traits(events), key=lambda event: (event.timestamp, event.source, event.message_id))

    def take_up(self) -> bool:
        """Wait again for what an earlier run left planned; false where its order is free, and it may go out at once."""
        if self._homes.active:
            for subject, at in self.state.planned():
                self._waiting.setdefault(subject, at)
        return self._homes.active

    # Taking

    def _pass(self, items: Sequence[Item], horizon: Instant) -> list[Item]:
        """Take what no waiting profile holds back; the items that have to wait."""
        held = set(self._waiting)
        self._homes.begin(self._waiting)
        rest: list[Item] = []
        for number, item in enumerate(items):
            if self._must_hold(item, held):
                return [*rest, *items[number:]]
            if self.left_out.covers(item.event):
                self._pass_over(item)
                continue
            if item.mode != "history":
                self._wake_accounts(item.taken_at)
            plan = self._things.plan(item.event, item.taken_at, self.world.others)
            subjects = self._subjects_of(item.event, plan)
            touched = subjects | plan.marks
            if held.isdisjoint(touched) and not self._homes.holds_back(subjects, item.event, item.taken_at):
                for subject in subjects:
                    if item.mode != "history":
                        self._settle(subject, item.taken_at)
                if self._waiting.keys().isdisjoint(subjects):
                    self._take(item, plan)
                    held.update(self._waiting)
                    continue
            held.update(touched)
            self._homes.hold(subjects, item.event, item.taken_at)
            rest.append(item)
        if self._waiting and self._desk.next_due(horizon) is not None:
            return rest
        if not (self._waiting or rest):
            held.clear()  # those who had waited have had their receipts meanwhile
        self._wake_accounts(horizon)
        for subject in list(self._cache):
            limit = self._homes.limit(subject)
            if limit is not None:
                self._settle(subject, min(limit, horizon))
            elif subject not in held:
                self._settle(subject, horizon)
        return rest

    def _pass_over(self, item: Item) -> None:
        self._position += 1
        self._next.taken.append(TakenRow(self._position, item.mode, item.event.seq, item.taken_at))

    def _take(self, item: Item, plan: Plan) -> None:
        event = item.event
        change = self.identification.take(event, item.taken_at, announce=item.mode != "history")
        subject = self.identities.owner(event.identifier, event.timestamp)
        news = plan.by_subject(self.identities.owner)
        state = self._state(subject)
        at = max(item.taken_at, state.last_at)
        if change is not None or not state.inputs:
            lifecycle.known_as(state, self.identities.identifiers(subject), at, self.world)
        self._pass_over(item)
        if event.traits:
            self._next.projections.count_reserved(event, item.taken_at)
        awaiting = self._awaiting(event)
        if event.identifier not in state.facts:
            self._remember_numbers(state, event.identifier)
        heard, changes = self._fold_accounts(item, state, at)
        given = lifecycle.EventInput(event, at, item.mode, (*news.pop(subject, ()), *heard))
        outputs = self._advance(state, given, at)
        self.counts.events += 1
        self._emit(state, at, outputs)
        self.identification.note_claims(event)
        for other in sorted(news):
            self._tell_role(other, news[other], item)
        self._things.keep(plan)
        for each in awaiting:
            self._waiting.setdefault(each, at)
            self._homes.wait(each, at)
        self._take_items(item)
        if self.world.accounts is not None:
            self._desk.settle_member(event, state.facts.get(event.identifier))
            self._tell_changes(changes)

    def _tell_role(self, subject: str, news: tuple[News, ...], item: Item) -> None:
        """Let a profile hear what an event that it did not send has changed."""
        state = self._state(subject)
        at = max(item.taken_at, state.last_at)
        if not state.inputs:
            lifecycle.known_as(state, self.identities.identifiers(subject), at, self.world)
        self._emit(state, at, self._advance(state, lifecycle.ToldInput(news, item.event, at, item.mode), at))

    def _subjects_of(self, event: Event, plan: Plan) -> set[str]:
        """Every profile that taking the event may change."""
        subjects = {*self.identities.touched(event), *plan.by_subject(self.identities.owner)}
        self._fetch(subjects - self._looked_up)
        return subjects | {*self._awaiting(event), *self._homes.answered(event, self._cache)}

    def _awaiting(self, event: Event) -> list[str]:
        """The profiles whose deliveries wait for the answer that the event gives."""
        found = self._homes.awaiting(event) if self.delivery == "wait" else []
        self._fetch(set(found))
        return found

    def _settle(self, subject: str, until: Instant) -> None:
        state = self._cache.get(subject)
        if state is None:
            return
        while state.next_due_at <= until and subject not in self._waiting:
            at = max(state.next_due_at, state.last_at)
            self._emit(state, at, self._advance(state, lifecycle.TimerInput(at), at))

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
        if receipt.state not in REACHED:  # also one that is held: put off until somebody answers
            self._next.projections.refuse(receipt.delivery, at)
        if receipt.state == "accepted" and receipt.reason != "virtual":
            self.counts.accepted += 1
        stamped = msgspec.structs.replace(receipt, identifier=self.identification.stamp(state, receipt.identifier, at))
        self._hear(state, receipt_event(stamped, at), at)

    def _hear(self, state: ProfileState, event: Event, at: Instant) -> None:
        outputs = self._advance(state, lifecycle.EventInput(event, at, "live"), at)
        self._next.outbox.append(receipt_row(event, at, state.subject, state.inputs))
        self._emit(state, at, outputs)

    def _advance(self, state: ProfileState, given: lifecycle.Input, at: Instant) -> list[o.Output]:
        self._prepare(state, at)
        return lifecycle.advance(state, given, self.world)

    def _prepare(self, state: ProfileState, at: Instant) -> None:
        """What a profile has to know before it is asked; the world as if knows more (`as_if.py`)."""

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
            if isinstance(output, o.DeliveryPlanned) and self.state.was_planned(output.delivery_id):
                # Before a revision put the enrollment back, this very message went out: it is not sent twice.
                transfer.count_once(state, output.delivery_id)
            elif virtual and isinstance(output, o.DeliveryPlanned):
                planned.append(output)
            elif self.delivery == "wait":
                self._wait(state.subject, at, output)
        for plan in planned:
            self._hear(state, virtual_receipt(plan, at, self.identification.stamp(state, plan.identifier, at)), at)

    def _wait(self, subject: str, at: Instant, output: o.Output) -> None:
        """What holds a profile back: a planned delivery, or the end of one that a person was asked about."""
        self._homes.heed(output)
        if isinstance(output, o.DeliveryPlanned) or self._homes.settles_held(output):
            self._waiting.setdefault(subject, at)
            self._homes.wait(subject, at)

    def _is_virtual(self, delivery_id: str) -> bool:
        if self.delivery == "replay" and self._was_virtual is not None:
            return self._was_virtual(delivery_id)
        return self.delivery == "virtual"

    def _wait_for_deliveries(self, ready: set[str]) -> None:
        if self._deliver is None:
            raise AssertionError("an engine that waits for deliveries needs a deliverer")
        for subject in ready:
            del self._waiting[subject]
        self._deliver(ready)
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
    def things(self) -> Things:
        """The things as this tick knows them."""
        return self._things

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

    def prepare(self, state: ProfileState, at: Instant) -> None:
        """Before a profile takes an input: what really happened to it is known."""
        self._prepare(state, at)

    def emit(self, state: ProfileState, at: Instant, outputs: Sequence[o.Output]) -> None:
        """Take what a profile says."""
        self._emit(state, at, outputs)

    def _taken_events(self, identifiers: Sequence[str], account: str, names: Sequence[str]) -> Iterable[Event]:
        """Events of some names that were taken, of the identifiers or naming the account."""
        if self.log is None:
            raise AssertionError("an engine that folds accounts needs the log")
        fresh = {row.seq for row in self._next.taken}
        with self.log() as bulk:
            found = list(events_about(bulk, identifiers, names))
        known = fresh | fanouts.taken_among(self.state, [event.seq for event in found])
        return [event for event in self.counted(found) if event.seq in known]

    # Reading and writing

    def _load(self, items: Sequence[Item], due: Iterable[str], horizon: Instant) -> None:
        self.identities.load(item.event for item in items)
        subjects = set(due)
        for item in items:
            subjects |= self.identities.touched(item.event)
        self._fetch(subjects)
        self._things.load((item.event for item in items), self.world.others)
        until = self._accounts_until(items, horizon)
        self._desk.load((item.event for item in items), self.world.accounts, until)

    def _accounts_until(self, items: Sequence[Item], horizon: Instant) -> Instant | None:
        """Up to when accounts' timers come by themselves; None: not at all."""
        return None if self._told_by_record else horizon

    def _forget(self) -> None:
        self._cache.clear()
        self._looked_up.clear()
        self._desk.forget()
        self._items.forget()
        self.identities.forget()

    def _fetch(self, subjects: set[str]) -> None:
        # Not `subjects - self._cache.keys()`, which walks through the whole cache, for every event.
        unread = [subject for subject in subjects if subject not in self._cache]
        if unread:
            self._cache.update((subject, lifecycle.decode(body)) for subject, body in self.state.bodies(unread).items())
        self._looked_up |= subjects

    def _state(self, subject: str) -> ProfileState:
        state = self._state_if_any(subject)
        if state is None:
            state = self._cache[subject] = self.new_state(subject)
            self._next.gone.discard(subject)
        return state

    def _state_if_any(self, subject: str) -> ProfileState | None:
        if subject not in self._cache and subject not in self._looked_up:
            self._fetch({subject})
        return self._cache.get(subject)

    def new_state(self, subject: str) -> ProfileState:
        """A profile that has no row; names that it used before a revision took the row away are not used again."""
        state = lifecycle.new_state(subject)
        self.remember_numbers(state)
        return state

    def remember_numbers(self, state: ProfileState) -> None:
        """Let a profile that is made now go on counting where one of its name ended."""
        number = self.state.numbered(state.subject)
        if number is not None:
            state.inputs = max(state.inputs, number[0])
            state.used.update(number[1])

    def _remember_numbers(self, state: ProfileState, identifier: str) -> None:
        """The same for an identifier that comes to stand in another's profile."""
        number = self.state.numbered(identifier)
        if number is not None:
            state.used.update(number[1])
            if identifier != state.subject:
                state.numbers[identifier] = max(state.numbers.get(identifier, 0), number[0])

    def _commit(self, cursor: Cursor | None) -> None:
        """Write everything that the last pass made, in one transaction; with a cursor the tick is whole."""
        failpoint("tick.computed")
        with self.state.transaction() as connection:
            self._write(connection, cursor)
            failpoint("tick.written")
        failpoint("tick.committed")

    def _write(self, connection: Connection, cursor: Cursor | None) -> None:
        """Write everything that was made since the last time, into an open transaction."""
        work, self._next = self._next, Pending()
        changed = sorted(work.dirty - work.gone)
        self.state.put_subjects([subject_row(self._cache[subject], self.world) for subject in changed])
        self.state.delete_subjects(sorted(work.gone))
        self.identities.write()
        self.identities.tables.add_merges(work.merges)
        self.state.add_taken(work.taken)
        self.state.add_outbox(work.outbox)
        self._things.write()
        self._desk.write()
        self._items.write()
        for place, row in work.fanouts.items():
            if row is not None:
                fanouts.put_fanout(self.state, row)
            else:
                fanouts.drop_fanout(self.state, work.told[place])
        # First: what was heard as held may end in the same commit, and then waits to be heard again.
        self.state.receipts_taken(work.heard)
        work.projections.write(connection)
        for each in work.moves:
            move_subject(connection, each)
        for identifier, at in sorted(work.restated.items()):
            restate(connection, identifier, self._holders(identifier), self.identities.stretches(identifier), at)
        if cursor is not None:
            position = self._position if self.held_position is None else self.held_position
            self.state.set_cursor(msgspec.structs.replace(cursor, position=position))

    # Revisions

    @contextmanager
    def revision(
        self, seq: int, at: Instant, mode: str, cursor: Cursor | None, *, outcome: str | None = None
    ) -> Iterator[Revising]:
        """One transaction in which profiles are put as another world has them; an event asks for it, taken at *at*."""
        self._forget()
        delivery = self.delivery
        # What is planned now is sent by whoever sends next, not in the middle of this.
        self.delivery = "later" if delivery == "wait" else delivery
        try:
            with self.state.transaction() as connection:
                self._position += 1
                self._next.taken.append(TakenRow(self._position, mode, seq, at, outcome=outcome))
                yield Revising(self, connection, self._position)
                failpoint("revise.written")
                self._write(connection, cursor)
            failpoint("revise.committed")
        finally:
            self.delivery = delivery
        self._homes.look_again()

    def _holders(self, identifier: str) -> dict[str, Facts]:
        return {name: state.facts[identifier] for name, state in self._cache.items() if identifier in state.facts}


def subject_row(state: ProfileState, world: lifecycle.World) -> SubjectRow:
    """What the store keeps of a profile; who has only been told of is nobody yet, and counted nowhere."""
    lane = 0 if lifecycle.next_is_service(state, world) else 1
    stage = state.stage if state.facts else NOBODY
    return SubjectRow(state.subject, state.next_due_at, stage, lifecycle.encode(state), lane)
