"""Makes the world as if real: the engine takes `Events Retracted` or `Retraction Lifted` and puts everybody concerned
as they would be, in one transaction, at one place of the order taken.

What went out stays in the record of the one it was sent to, and goes on counting for the caps. What comes of both
worlds is `revision.py`; the tables are brought along by `store/revision.py`. A replay does the same at the same place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from innkeeper.events import outputs as o
from innkeeper.events.types import Event
from innkeeper.identity.retraction import RETRACTED, LeftOut, Retraction, lifted_by, retraction_of
from innkeeper.journeys.readmission import offer_again
from innkeeper.kernel.errors import OperationFailed
from innkeeper.kernel.failpoints import failpoint
from innkeeper.kernel.ids import output_id
from innkeeper.kernel.json import loads
from innkeeper.kernel.time import Instant, format_instant
from innkeeper.profiles.difference import Difference, Numbers, Said, agreeing, carry_numbers, corrections, inputs_of
from innkeeper.profiles.home import ANSWERED
from innkeeper.profiles.state import Enrollment, ProfileState
from innkeeper.runtime.as_if import Plan
from innkeeper.runtime.engine import Engine
from innkeeper.runtime.gone_past import PastIsGone
from innkeeper.runtime.record import events_left_out, said_traits
from innkeeper.runtime.revise_accounts import number_copies, put_accounts
from innkeeper.runtime.revising import Revising
from innkeeper.runtime.revision import Batch, Concerned, Group, Recorded, batches, concerned, require
from innkeeper.store import retractions
from innkeeper.store import revision as tables
from innkeeper.store.state import REFUSED, REVISION, Cursor


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What a revision is about.

    Attributes:
        name: What is retracted or lifted, as its outputs name it.
        kind: `retracted`, `lifted`, or `unlinked` (`unlink.py`).
        left_out: What is left out from then on.
        whom: Everybody and everything concerned.
        answers: The answers about homes that were retracted: household, answer, when it was given.
    """

    name: str
    kind: Literal["retracted", "lifted", "unlinked"]
    left_out: LeftOut
    whom: Concerned
    answers: tuple[tuple[str, bool, Instant], ...] = ()

    @property
    def reason(self) -> str:
        """Why enrollments end by it."""
        return f"{self.kind}: {self.name}"


def revise(
    engine: Engine,
    recorded: Recorded,
    event: Event,
    at: Instant,
    cursor: Cursor | None,
    *,
    identifiers: set[str] | None = None,
) -> int:
    """Take a word about the log; how many profiles are different.

    What cannot be done any more is passed over and remembered: nobody is there to be asked.

    Args:
        engine: Whose profiles are put; nothing of it may wait to be committed, and no timer of those concerned.
        recorded: The record up to this place.
        event: `Events Retracted` or `Retraction Lifted`.
        at: When it is taken.
        cursor: How far the engine has come with it; None in a replay.
        identifiers: In a replay of a few customers, only these.
    """
    lifted = event.name != RETRACTED
    retraction = _lifted(event, engine) if lifted else retraction_of(event)
    left_out = engine.left_out.without(retraction.id) if lifted else engine.left_out.plus(retraction)
    whom = concerned(recorded, engine.state, retraction, left_out)
    if identifiers is not None:
        whom = Concerned([group for group in whom.groups if not group.isdisjoint(identifiers)], whom.things)
    order = Order(
        name=retraction.id, kind="lifted" if lifted else "retracted", left_out=left_out, whom=whom,
        answers=() if lifted else tuple(_answers(recorded, retraction)),
    )  # fmt: skip

    def record(revising: Revising) -> None:
        if lifted:
            retractions.lift(revising.connection, retraction.id, at)
        else:
            retractions.add(revising.connection, retraction, at, revising.position)

    try:
        require(recorded, engine.state, whom)
    except PastIsGone as error:
        if cursor is None:
            raise  # it was done then; what it was made of went later
        _refuse(engine, event, None if lifted else retraction, at, cursor, error.message)
        return 0
    return make_real(engine, recorded, order, event.seq, at, cursor, record=record)


def _refuse(
    engine: Engine, event: Event, retraction: Retraction | None, at: Instant, cursor: Cursor | None, why: str
) -> None:
    """Pass over a word; a *retraction* is listed, and never stands."""
    with engine.revision(event.seq, at, REVISION, cursor, outcome=REFUSED) as revising:
        if retraction is not None:
            retractions.add(revising.connection, retraction, at, revising.position)
            retractions.lift(revising.connection, retraction.id, at)
        retractions.refuse(revising.connection, event.message_id, at, why)


def make_real(
    engine: Engine,
    recorded: Recorded,
    order: Order,
    seq: int,
    at: Instant,
    cursor: Cursor | None,
    *,
    record: Callable[[Revising], None],
    after: Callable[[], None] = lambda: None,
) -> int:
    """Make the world as if real for everybody concerned, in one transaction; how many profiles are different.

    Args:
        engine, recorded, at, cursor: As in `revise`.
        order: What is left out, and who is concerned.
        seq: The event that asks for it.
        record: Writes down what stands from now on, before anything is played.
        after: Called when everything is put, and not yet committed.
    """
    number = 0
    with engine.revision(seq, at, REVISION, cursor) as revising:
        engine.state.set_meta("revised", "yes")
        record(revising)
        for batch in batches(recorded, engine.state, order.whom, order.left_out, at):
            failpoint("revise.played")
            if not batch.number:
                put_accounts(revising, engine.state, batch.scratch, order.whom.things, at)
            number += _Batch(engine, recorded, revising, order, batch, at).put()
        after()
    engine.left_out = order.left_out
    engine.state.revised()
    return number


def _lifted(event: Event, engine: Engine) -> Retraction:
    found = retractions.find(engine.state.connection, lifted_by(event))
    if found is None:
        raise OperationFailed(
            f"'{lifted_by(event)}' is lifted, and no such retraction was ever taken", code="no-retraction",
            where=f"event {event.seq}", fix="run: innkeeper doctor",
        )  # fmt: skip
    return found


def _answers(recorded: Recorded, retraction: Retraction) -> Iterator[tuple[str, bool, Instant]]:
    for event in recorded.there(events_left_out(recorded.bulk, retraction)):
        if event.name == ANSWERED:
            yield str(event.properties.get("household_id")), event.properties.get("answer") == "yes", event.timestamp


class _Batch:
    """One batch on its way into the store."""

    def __init__(
        self, engine: Engine, recorded: Recorded, revising: Revising, order: Order, batch: Batch, at: Instant
    ) -> None:
        self.engine, self.recorded, self.revising, self.order = engine, recorded, revising, order
        self.batch, self.at = batch, at
        self.connection, self.scratch = revising.connection, batch.scratch.connection
        self.number = 0
        self.agreed: dict[str, str] = {}
        self.closed: dict[str, list[str]] = {}

    def put(self) -> int:
        """Put every group; how many profiles are different."""
        tables.put_identity(self.connection, self.scratch, self.batch.identifiers)
        self.agreed = self._say_again()
        self.closed = tables.tasks_to_close(self.connection, self.scratch, self.batch.identifiers, self.batch.owner)
        touched = [group for group in self.batch.groups if group.different]
        left: Numbers = {}
        number_copies(self.engine.state, (state for group in touched for state in group.after.values()))
        for group in touched:
            left |= self._group(group)
        # The projections of what was said come first: the tables say the last word.
        self.revising.write()
        self._tables(touched, left)
        return self.number

    def _group(self, group: Group) -> Numbers:
        gone = {name: ProfileState(name) for name in group.different if name not in group.after}
        floors = tables.numbers_of(self.connection, group.identifiers)
        left = carry_numbers(group.before, {**group.after, **gone}, floors)
        tables.cancel_deliveries(self.connection, [one.id for one in group.cancelled], self.at)
        for subject in group.different:
            state = group.after.get(subject) or gone[subject]
            at = max(self.at, state.last_at, group.before.get(subject, state).last_at)
            state.last_at = at
            state.inputs += 1
            # Who has only been told of things, and still is, is nobody: nothing is said of them.
            known = state.facts or (subject in group.before and group.before[subject].facts)
            outputs = self._outputs(group, state, at) if known else []
            said = self._said(state, len(outputs))
            self.revising.put(state, at, outputs, said=said, gone=subject in gone)
            if subject in gone:
                left[subject] = (state.inputs, state.used)
            self.number += 1
        for subject in group.before.keys() - group.after.keys() - gone.keys():
            self.revising.drop(subject)
        return left

    def _tables(self, groups: list[Group], left: Numbers) -> None:
        names = set[str]().union(*(group.identifiers for group in groups))
        tables.put_enrollments(self.connection, self.scratch, names, self.at, self.order.reason)
        tables.put_owners(self.connection, names, self.batch.owner)
        tables.put_tasks(self.connection, self.scratch, names)
        # A word that another has overtaken leaves no trace in a profile, but the claim has it.
        states = [state for group in self.batch.groups for state in group.after.values()]
        tables.put_words(self.connection, self.scratch, self.batch.identifiers, states, self.at)
        tables.put_answers(self.connection, self.scratch, self.order.answers)
        alone = [key for key in self.order.whom.things if key.kind != "account"]
        tables.put_things(self.engine.state, self.batch.scratch, alone)
        tables.put_many(self.engine.state, self.batch.scratch, self.batch.identifiers)
        tables.put_numbers(self.connection, names, left)

    # What is said

    def _say_again(self) -> dict[str, str]:
        """Take back what the engine has said of traits and the other world does not say; keep what both say."""
        identifiers = self.batch.identifiers
        floors = tables.numbers_of(self.connection, identifiers)
        states = {subject: state for group in self.batch.groups for subject, state in group.before.items()}
        inputs = inputs_of(states, floors)
        said: dict[str, Said] = {}
        for identifier, at, traits, message_id in said_traits(self.recorded.bulk, identifiers, self.at):
            subject, number, _ = message_id.rsplit(":", 2)
            # In a replay the log has what was said later too.
            if int(number) <= inputs.get(subject, 0):
                said[message_id] = Said(identifier, at, traits)
        group_of = {name: place for place, group in enumerate(self.batch.groups) for name in group.identifiers}
        agreed = agreeing(self.batch.played.said(), said, group_of)
        kept = set(agreed.values())
        tables.put_said(self.connection, said.keys() - kept, kept)
        return agreed

    def _outputs(self, group: Group, state: ProfileState, at: Instant) -> list[o.Output]:
        different = group.different[state.subject]
        outputs: list[o.Output] = [*_memberships(state, different), *self._enrollments(different)]
        batch, subject = self.batch, state.subject
        due = [plan for plan in group.due if batch.is_of(plan, subject)]
        offered = offer_again(
            state, [(plan.output, plan.began_at, plan.owned_at) for plan in due], at, self.engine.world.journeys,
            self.engine.world.profiles.zone,
        )  # fmt: skip
        planned = [one.delivery_id for one in offered if isinstance(one, o.DeliveryPlanned)]
        tables.forget_ends(self.connection, planned, self.revising.position)
        missed = [plan for plan in group.missed if batch.is_of(plan, subject)]
        missed += [plan for plan in due if plan.output.delivery_id not in planned]
        outputs.append(
            o.Retracted(
                identifier=state.subject, retraction=self.order.name, kind=self.order.kind,
                entered=different.entered, left=different.left, before=different.before, stage=different.stage,
                began=[one.id for one in different.began], ended=[one.id for one in different.ended],
                sent=[one.id for one in group.sent if batch.has(one, subject)],
                cancelled=[one.id for one in group.cancelled if batch.has(one, subject)], planned=planned,
                missed=[_missed(plan) for plan in missed],
                tasks=self.closed.get(subject, []),
            )
        )  # fmt: skip
        return outputs + offered

    def _said(self, state: ProfileState, first: int) -> list[tuple[Instant, o.TraitsUpdated]]:
        """The traits that journeys of this world have set and that nobody knows of, each with its own instant."""
        found: list[tuple[Instant, o.TraitsUpdated]] = []
        for said, traits in corrections(state, self.agreed):
            for trait in traits:
                trait.message_id = output_id(state.subject, state.inputs, first + len(found))
            output = o.TraitsUpdated(identifier=said.identifier, journey="", enrollment="", traits=loads(said.traits))
            found.append((said.at, output))
        return found

    def _enrollments(self, different: Difference) -> Iterator[o.Output]:
        for one in different.ended:
            yield o.JourneyExited(
                identifier=one.identifier, journey=one.journey, enrollment=one.id, key=one.key, outcome="retracted",
                reason=self.order.reason,
            )  # fmt: skip
        for one in different.began:
            yield o.JourneyEntered(
                identifier=one.identifier, journey=one.journey, version=one.version, enrollment=one.id, key=one.key,
                owned_at=one.owned_at,
            )  # fmt: skip
        for one in (*different.began, *different.moved):
            yield from self._step(one)

    def _step(self, one: Enrollment) -> Iterator[o.Output]:
        compiled = self.engine.world.journeys.find(one.journey, one.version)
        instruction = None if compiled is None else compiled.program.get(one.step)
        if instruction is not None and one.waiting:
            yield o.StepReached(
                identifier=one.identifier, journey=one.journey, enrollment=one.id, key=one.key, step=one.step,
                kind=instruction.step.kind,
            )  # fmt: skip


def _memberships(state: ProfileState, different: Difference) -> Iterator[o.Output]:
    for name in different.entered:
        yield o.AudienceEntered(identifier=state.memberships[name].identifier, audience=name)
    for name in different.left:
        yield o.AudienceLeft(identifier=state.subject, audience=name)
    if different.before != different.stage:
        yield o.StageChanged(identifier=state.stage_by or state.subject, before=different.before, stage=different.stage)


def _missed(plan: Plan) -> dict[str, Any]:
    output = plan.output
    return {
        "message": output.message, "journey": output.journey, "key": output.key, "at": format_instant(plan.at),
        "delivery_id": output.delivery_id,
    }  # fmt: skip
