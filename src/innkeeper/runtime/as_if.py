"""The world as if: the recorded inputs of some identifiers played again, without the events that are left out.

What really happened to deliveries is not played but known (`store/known_past.py`): receipts come at their recorded
place, what was sent counts for the caps from the instant at which it was, and what is planned here but was never sent
counts for nothing. An enrollment that really began at the same instant keeps its id, so its deliveries are the same
ones. What comes of the comparison with the real world is `revise.py`.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from itertools import count
from operator import attrgetter

import msgspec

from innkeeper import lifecycle
from innkeeper.decisions.gates.cap import counted_since
from innkeeper.events import outputs as o
from innkeeper.events.accounts import named_account
from innkeeper.events.types import ENGINE_SOURCE, Event
from innkeeper.identity.evidence import Evidence
from innkeeper.identity.retraction import LeftOut
from innkeeper.identity.spans import ALWAYS
from innkeeper.journeys.enrollment import enrollment_id
from innkeeper.kernel.ids import ANONYMOUS, USER
from innkeeper.kernel.json import loads
from innkeeper.kernel.time import FOREVER, Instant
from innkeeper.profiles.difference import Said, names_of
from innkeeper.profiles.state import Enrollment, ProfileState, Reservation
from innkeeper.runtime import definitions as applied
from innkeeper.runtime.about import events_about, every_fold, keys_of
from innkeeper.runtime.about_many import events_about_many, many_of, rules_of_many
from innkeeper.runtime.as_if_telling import TellingAsIf, ToldPages
from innkeeper.runtime.fanout import Page
from innkeeper.runtime.recall import Fresh, counts, spoken
from innkeeper.runtime.receipts import receipt_event
from innkeeper.runtime.record import events_of
from innkeeper.runtime.replay import Again
from innkeeper.runtime.resettle import is_settled
from innkeeper.store.bulk import Bulk
from innkeeper.store.identity import IdentityTables
from innkeeper.store.known_past import KnownDelivery, KnownEntry, KnownPast
from innkeeper.store.projections import REACHED
from innkeeper.store.state import Cursor, Receipt, State, TakenRow
from innkeeper.store.things import ThingKey
from innkeeper.store.things import told_of as things_told

_at = attrgetter("at")


@dataclass(frozen=True, slots=True)
class Recorded:
    """Where the record is read.

    Attributes:
        bulk: For bulk questions.
        real: Has the order taken.
        position: The place in it before which it counts.
        seq: The row of the log before which it counts: a replay must not see what came later.
    """

    bulk: Bulk
    real: State
    position: int
    seq: int = FOREVER

    def there(self, events: Iterable[Event]) -> Iterator[Event]:
        """The events that had come by then."""
        return (event for event in events if event.seq < self.seq)


@dataclass(frozen=True, slots=True)
class Plan:
    """A delivery that the world as if has planned, when; when its enrollment began, and what says whose that is."""

    output: o.DeliveryPlanned
    at: Instant
    began_at: Instant
    owned_at: Instant


class AsIf(Again):
    """The recorded inputs of some identifiers, played without what is left out.

    Args:
        recorded: The record.
        past: What really happened to the enrollments and deliveries of these identifiers.
        scratch: Where the states go.
        identifiers: Whose inputs are played; closed under links.
        left_out: Which events are as if they had never come.
        told_of: The things that one of them has ever had to do with; all events about them are played, whoever sent
            them, as those about their accounts and about items that they asked for. Who is none of the identifiers is
            played in part, and nobody looks at what comes of it.
        removed: The links that were taken away: here they have never held.
    """

    engine: AsIfEngine
    identifiers: set[str]

    def __init__(
        self,
        recorded: Recorded,
        past: KnownPast,
        scratch: State,
        identifiers: set[str],
        left_out: LeftOut,
        told_of: Collection[ThingKey],
        removed: Collection[Evidence],
    ) -> None:
        self.recorded, self.past, self.left_out, self._removed = recorded, past, left_out, removed
        self._known = {event.seq: event for event in events_of(recorded.bulk, identifiers)}
        rules = rules_of_many(recorded.real)
        self._many = many_of(self._known.values(), rules) | {key for key in told_of if key.kind != "object"}
        # A late word on a thing may never have told its sender anything; played alone it would give them the thing.
        folds = every_fold(recorded.real)
        things = {key for event in self._known.values() for key in keys_of(event, folds)}.union(told_of)
        self._known |= {event.seq: event for event in events_about(recorded.bulk, folds, things)}
        self._known |= {event.seq: event for event in events_about_many(recorded.bulk, rules, self._many)}
        # The log is not asked: every event of these identifiers is in memory.
        super().__init__(recorded.bulk.home, None, recorded.real, scratch, identifiers=identifiers)

    def play_until(self, until: Instant) -> None:
        """Play everything, then let what is due up to an instant happen."""
        self.play(until=until)
        self.engine.finish(until)
        self._settle(until)

    def said(self) -> dict[str, Said]:
        """What this world says of traits, by messageId."""
        rows = self.scratch.connection.execute(
            "SELECT message_id, user_id, anonymous_id, taken_at, traits FROM outbox WHERE name = 'Traits Updated'"
        )
        return {
            id: Said(USER + name if name is not None else ANONYMOUS + anonymous, at, traits)
            for id, name, anonymous, at, traits in rows
            if (USER + name if name is not None else ANONYMOUS + anonymous) in self.identifiers
        }

    def cancelled(self) -> set[str]:
        """The deliveries that an exit or a goal of this world would have taken back, had they been waiting."""
        return {id for (id,) in self.scratch.connection.execute("SELECT id FROM deliveries WHERE state = 'cancelled'")}

    def ended(self) -> dict[str, str | None]:
        """How each enrollment of this world ended (None: it is open)."""
        return dict(self.scratch.connection.execute("SELECT id, outcome FROM enrollments").fetchall())

    def _make_engine(self) -> AsIfEngine:
        with self.scratch.transaction() as connection:
            IdentityTables(connection).put_words((word.pair, word) for word in self._removed)
        known = Known(self.scratch, self._known.values())
        engine = AsIfEngine(self.scratch, self.past, self.left_out, known, self.identifiers, self._pages_told())
        engine.log = self._asked
        is_settled(self.scratch, engine.world.identity)
        return engine

    def _pages(self) -> Iterator[list[TakenRow]]:
        seqs, deliveries = self._known.keys(), self.past.deliveries.keys()
        return self.real.taken_of(seqs, deliveries, self.recorded.position, things=self._many)

    def _pages_told(self) -> ToldPages:
        found: ToldPages = {}
        for rows in self.real.taken_of((), (), self.recorded.position, things=self._many):
            for row in rows:
                if row.mode == "fanout":
                    page = msgspec.json.decode(row.reason or "", type=Page)
                    found.setdefault(page.thing, []).append((page, row.taken_at))
        return found

    def _settle(self, until: Instant) -> None:
        # What accounts tell comes first: everybody who hears it lets their own timers come up to then.
        self.engine.wake_all(until)
        super()._settle(until)

    def _events(self, seqs: list[int]) -> dict[int, Event]:
        return {seq: self._known[seq] for seq in seqs if seq in self._known}

    def _asked(self) -> AbstractContextManager[Bulk]:
        return nullcontext(self.recorded.bulk)

    def _receipt(self, row: TakenRow) -> Receipt:
        known = self.past.deliveries[row.delivery or ""]
        return known.receipt(row.outcome or "", row.reason or "", row.taken_at)

    def _world(self, number: int) -> lifecycle.World:
        return self.engine.naming(applied.world(self.real, number))

    def _revise(self, row: TakenRow) -> None:
        """Nothing: what an earlier revision left out is left out here, or came back."""


class Known:
    """The memory of the world as if: its events and what it has said, all at hand."""

    def __init__(self, scratch: State, events: Collection[Event]) -> None:
        self.scratch, self.events = scratch, events

    def under(self, identifiers: Iterable[str], fresh: Fresh) -> list[Event]:
        """Everything that was taken under some identifiers, and what the engine said under them, in order of time."""
        wanted = set(identifiers)
        found = [event for event in self.taken(fresh) if event.identifier in wanted]
        said = map(spoken, (*self.scratch.outbox(10**9), *fresh[1]))
        found += [event for event in said if event.identifier in wanted and counts(event)]
        return sorted(found, key=lambda event: (event.timestamp, event.source, event.message_id))

    def naming(self, identifier: str, fresh: Fresh) -> list[Event]:
        """Every event that was taken: the caller looks what it says."""
        return self.taken(fresh)

    def taken(self, fresh: Fresh) -> list[Event]:
        """Every event that was taken."""
        taken = fresh[0] | self.scratch.which_taken([event.seq for event in self.events])
        return [event for event in self.events if event.seq in taken]


class AsIfEngine(TellingAsIf):
    """An engine that knows what really became of deliveries and enrollments; the rest as for `TellingAsIf`."""

    def __init__(
        self,
        scratch: State,
        past: KnownPast,
        left_out: LeftOut,
        memory: Known,
        identifiers: Collection[str],
        pages: ToldPages,
    ) -> None:
        self.past = past
        #: When the enrollments of this world began, and the instants that say whose they are.
        self._began: dict[str, tuple[Instant, Instant]] = {}
        #: What this world has planned, by delivery.
        self.plans: dict[str, Plan] = {}
        self._planned: dict[str, dict[str, Plan]] = {}
        #: What was really sent and has been planned here, in order of time, by identifier.
        self._sent_later: dict[str, list[Reservation]] = {}
        self._unheard = {name: {each.id: each for each in part} for name, part in past.virtual().items()}
        self._refused: set[str] = set()
        self._given: set[str] = set()
        self._known = memory
        super().__init__(scratch, left_out, memory, identifiers, pages)

    def planned_under(self, identifier: str) -> list[Plan]:
        """What this world has planned under an identifier."""
        return list(self._planned.get(identifier, {}).values())

    def told_traits(self, events: Iterable[Event]) -> Iterable[Event]:
        """What journeys have said counts as this world has said it."""
        heard = [event for event in self.counted(events) if event.source != ENGINE_SOURCE]
        return sorted([*heard, *self._words()], key=lambda event: event.identifier)

    def as_recalled(self, events: Iterable[Event]) -> list[Event]:
        """What this world's own memory has found again: it knows what was said here."""
        return list(self.counted(events))

    def _words(self) -> Iterator[Event]:
        rows = self.state.connection.execute(
            "SELECT message_id, user_id, anonymous_id, taken_at, traits FROM outbox WHERE name = 'Traits Updated'"
        )
        for message_id, user_id, anonymous_id, at, traits in rows:
            yield Event(
                source=ENGINE_SOURCE, message_id=message_id, type="track", name="Traits Updated", user_id=user_id,
                anonymous_id=anonymous_id, timestamp=at, received_at=at, traits=loads(traits),
            )  # fmt: skip

    def _taken_events(self, identifiers: Sequence[str], account: str, names: Sequence[str]) -> Iterable[Event]:
        """Every event of theirs is at hand, and every one that names the account."""
        found = self._known.taken(({row.seq for row in self._next.taken}, ()))
        return [
            event
            for event in self.counted(found)
            if event.name in names and (event.identifier in identifiers or named_account(event) == account)
        ]

    def finish(self, until: Instant) -> None:
        """Hear what was only planned in truth, and that this world has not planned, up to an instant."""
        self._forget()
        subjects = {self._subject_of(each) for part in self._unheard.values() for each in part.values()}
        self._fetch(subjects)
        for subject in sorted(subjects):
            state = self._state(subject)
            while (known := self._next_unheard(state, until + 1)) is not None:
                super()._settle(subject, known.planned_at)
                self._hear_known(state, known)
        self._commit(None)

    def count_sent(self, state: ProfileState) -> None:
        """Let a profile count everything that was really sent to it."""
        self._count(state, ALWAYS, FOREVER)

    def take_receipts(self, receipts: Sequence[Receipt], clock: Instant | None, cursor: Cursor | None) -> None:
        """Tell each to the profile that its identifier belongs to in this world."""
        self.identities.forget()
        owned = [
            msgspec.structs.replace(one, subject=self._subject_of(self.past.deliveries[one.delivery]))
            for one in receipts
        ]
        self._refused.update(one.delivery for one in owned if one.state not in REACHED and one.state != "held")
        super().take_receipts(owned, clock, cursor)

    def naming(self, world: lifecycle.World) -> lifecycle.World:
        """Let enrollments that really began have their real ids."""
        for compiled in world.journeys.versions.values():
            once = compiled.journey.reentry.mode == "never"
            compiled.named = self._name_once if once else self._name
        return world

    # Ids

    def _name(self, enrollment: Enrollment, number: int) -> str:
        began_at = enrollment.began_at
        found = [one.id for one in self._own_entries(enrollment) if one.began_at == began_at]
        usual = enrollment_id(enrollment, number)
        # A name made of the instant is none that a number makes.
        chosen = usual if usual in found else min(found, default="")
        tries = count()
        while not chosen:
            made = enrollment_id(enrollment, f"{began_at}.{next(tries)}")
            chosen = "" if made in self._given else made
        self._given.add(chosen)
        return chosen

    def _name_once(self, enrollment: Enrollment, number: int) -> str:
        # Whoever may enter once is in the same enrollment, whenever it began: nothing is sent to them twice.
        found = self._own_entries(enrollment)
        if not found:
            return self._name(enrollment, number)
        self._given.add(found[0].id)
        return found[0].id

    def _own_entries(self, enrollment: Enrollment) -> list[KnownEntry]:
        """What really began and has no place here yet; under a shared browser somebody else may have entered."""
        owner, name = self.identities.owner, enrollment.identifier
        mine = owner(name, enrollment.owned_at)
        known = [one for one in self.past.entries(enrollment) if one.id not in self._given]
        return [one for one in known if owner(name, one.owned_at) == mine]

    # What really happened to deliveries

    def _prepare(self, state: ProfileState, at: Instant) -> None:
        """What was really sent counts from then on, and no more than once."""
        self._count(state, counted_since(self.world.journeys.policies.caps, at), at)

    def _count(self, state: ProfileState, since: Instant, at: Instant) -> None:
        names = {name for name in names_of(state) if name in self.past.sent}
        if not names:
            return
        counted: list[Reservation] = []
        for name in names:
            sent, planned = self.past.sent[name], self._sent_later.get(name, [])
            counted += sent[bisect_right(sent, since, key=_at) : bisect_left(sent, at, key=_at)]
            # What goes out at this very instant is planned first.
            counted += planned[bisect_left(planned, at, key=_at) :]
        counted = [one for one in counted if self._is_of(state, one.identifier, one.owned_at)]
        mine = [one for one in state.reservations if not self._was_sent(state, one.delivery_id, names)]
        state.reservations = sorted([*counted, *mine], key=lambda each: (each.at, each.delivery_id))

    def _was_sent(self, state: ProfileState, delivery_id: str, names: set[str]) -> bool:
        known = self.past.deliveries.get(delivery_id)
        return (
            known is not None
            and known.sent
            and known.identifier in names
            and self._is_of(state, known.identifier, known.owned_at)
        )

    def _settle(self, subject: str, until: Instant) -> None:
        state = self._cache.get(subject)
        if state is None:
            return
        while (known := self._next_unheard(state, until)) is not None:
            super()._settle(subject, known.planned_at)
            self._hear_known(state, known)
        super()._settle(subject, until)

    def _emit(self, state: ProfileState, at: Instant, outputs: Sequence[o.Output]) -> None:
        super()._emit(state, at, outputs)
        entered = (output for output in outputs if isinstance(output, o.JourneyEntered))
        self._began.update((output.enrollment, (at, output.owned_at)) for output in entered)
        planned = [output for output in outputs if isinstance(output, o.DeliveryPlanned)]
        for output in planned:
            plan = self.plans[output.delivery_id] = Plan(output, at, *self._began[output.enrollment])
            self._planned.setdefault(output.identifier, {})[output.delivery_id] = plan
            known = self.past.deliveries.get(output.delivery_id)
            if known is not None and known.sent:
                insort(self._sent_later.setdefault(known.identifier, []), known.reservation(), key=_at)
            if known is None or output.delivery_id in self._refused:
                state.reservations = [one for one in state.reservations if one.delivery_id != output.delivery_id]
        for output in planned:
            known = self.past.deliveries.get(output.delivery_id)
            if known is not None and known.virtual and known.planned_at == at:
                self._hear_known(state, known)

    def _next_unheard(self, state: ProfileState, before: Instant) -> KnownDelivery | None:
        found: KnownDelivery | None = None
        for identifier in names_of(state):
            for known in self._unheard.get(identifier, {}).values():
                if known.planned_at >= before:
                    break
                if self._is_of(state, identifier, known.owned_at):
                    found = known if found is None or known.order < found.order else found
                    break
        return found

    def _is_of(self, state: ProfileState, identifier: str, at: Instant) -> bool:
        return self.identities.owner(identifier, at) == state.subject

    def _subject_of(self, known: KnownDelivery) -> str:
        return self.identities.owner(known.identifier, known.owned_at)

    def _hear_known(self, state: ProfileState, known: KnownDelivery) -> None:
        if self._unheard.get(known.identifier, {}).pop(known.id, None) is None:
            return
        at = max(known.planned_at, state.last_at)
        heard = msgspec.structs.replace(
            known.receipt("accepted", "virtual", at), identifier=self.identification.stamp(state, known.identifier, at)
        )
        self._hear(state, receipt_event(heard, at), at)


def play(
    recorded: Recorded,
    ledger: State,
    scratch: State,
    identifiers: Collection[str],
    left_out: LeftOut,
    at: Instant,
    *,
    things: Collection[ThingKey] = (),
) -> AsIf:
    """Play the world as if up to *at* into *scratch*; *ledger* says what really happened to deliveries.

    *things*: what these identifiers have to do with besides what they were told of.
    """
    past = KnownPast.read(ledger, recorded.real, set(identifiers), recorded.position)
    told_of = things_told(ledger, identifiers) | set(things)
    words = IdentityTables(ledger.connection).words(identifiers).values()
    removed = [word for word in words if word.kind == "removed" and not left_out.covers_word(word)]
    played = AsIf(recorded, past, scratch, set(identifiers), left_out, told_of, removed)
    played.play_until(at)
    return played


__all__ = ["AsIf", "Plan", "Recorded", "play"]
