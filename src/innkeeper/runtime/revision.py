"""What a revision comes to for some profiles, before anything is written: both worlds, and each delivery's fate.

The world as if is played by `as_if.py`; making it real is `revise.py`, telling of it is `revision_told.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from operator import attrgetter

from innkeeper import lifecycle
from innkeeper.decisions.gates.cap import keep_reservations
from innkeeper.identity.evidence import evidence_of
from innkeeper.identity.retraction import LeftOut, Retraction
from innkeeper.kernel.time import Instant
from innkeeper.profiles.difference import Difference, differences, names_of
from innkeeper.profiles.state import ProfileState
from innkeeper.runtime.about import events_about, every_fold, every_rule, holders, keys_of
from innkeeper.runtime.about_many import Touched, rules_of_many, whom_they_tell
from innkeeper.runtime.as_if import AsIf, Plan, Recorded, play
from innkeeper.runtime.gone_past import require_past
from innkeeper.runtime.record import events_left_out
from innkeeper.store.known_past import KnownDelivery
from innkeeper.store.retractions import joined
from innkeeper.store.revision import different_enrollments
from innkeeper.store.state import State
from innkeeper.store.things import ThingKey, told_identifiers

#: About how many identifiers are played together: it bounds the memory, and each batch reads the log once.
BATCH = 1_000
#: Each batch plays all events of the accounts and items concerned, whoever sent them: so many more are played together.
_MANY = 10
_UNDONE = ("exit: ", "goal: ")
_PERMISSIONS = frozenset({"suppressed", "no_consent", "consent_withdrawn"})
#: The deliveries that the world as if took back, and how its enrollments ended.
Ends = tuple[set[str], dict[str, str | None]]
_STAYS_OUT = frozenset({"exit", "goal", "left", "stopped"})


@dataclass(slots=True, kw_only=True)
class Group:
    """Profiles that share identifiers, in both worlds.

    Attributes:
        different: By subject; empty when the worlds are the same.
        sent: Deliveries that really went out and that the world as if would not have planned.
        cancelled: Deliveries that are still open and that it would not have planned.
        due: Deliveries that it has planned, that never went out, and whose time is not over.
        missed: The same, but their time is over.
    """

    identifiers: set[str]
    before: dict[str, ProfileState]
    after: dict[str, ProfileState]
    different: dict[str, Difference]
    sent: list[KnownDelivery]
    cancelled: list[KnownDelivery]
    due: list[Plan]
    missed: list[Plan]


@dataclass(slots=True)
class Batch:
    """Some groups, with the world as if that they were played in; its scratch store is closed with the batch."""

    number: int
    groups: list[Group]
    played: AsIf
    scratch: State
    identifiers: set[str]

    def owner(self, identifier: str, at: Instant) -> str:
        """Whose what was made under an identifier at an instant is in the world as if."""
        return self.played.engine.identities.owner(identifier, at)

    def is_of(self, plan: Plan, subject: str) -> bool:
        """Whether a profile of the world as if has planned a delivery."""
        return self.owner(plan.output.identifier, plan.owned_at) == subject

    def has(self, delivery: KnownDelivery, subject: str) -> bool:
        """Whether a real delivery belongs to a profile of the world as if."""
        return self.owner(delivery.identifier, delivery.owned_at) == subject


@dataclass(frozen=True, slots=True)
class Concerned:
    """Whose past could be another: profiles in groups that share identifiers, and objects, accounts and items."""

    groups: list[set[str]]
    things: frozenset[ThingKey] = frozenset()


def concerned(recorded: Recorded, ledger: State, retraction: Retraction, left_out: LeftOut) -> Concerned:
    """Everybody whose past a retraction could change: who the events are of, and whom their things tell.

    *left_out*: what would be left out, as it decides who has a role.
    """
    identifiers: set[str] = set()
    edges: list[tuple[str, str]] = []
    things: set[ThingKey] = set()
    folds = every_fold(recorded.real)
    many = Touched(rules_of_many(recorded.real))
    rules = every_rule(recorded.real)
    for event in recorded.there(events_left_out(recorded.bulk, retraction)):
        identifiers.add(event.identifier)
        edges += [each.pair for one in rules for each in evidence_of(event, one)]
        things.update(keys_of(event, folds))
        many.take(event)
    if things:
        identifiers |= told_identifiers(ledger, things)
        found = recorded.there(events_about(recorded.bulk, folds, things))
        about = [event for event in found if not left_out.covers(event)]
        for order in (attrgetter("seq"), attrgetter("timestamp", "source", "message_id")):
            identifiers |= holders(sorted(about, key=order), folds, things)
    touched = many.things(ledger)
    identifiers |= whom_they_tell(ledger, many.rules, touched)
    return Concerned(joined(ledger.connection, identifiers, edges), frozenset(things | touched))


def require(recorded: Recorded, ledger: State, whom: Concerned) -> None:
    """Refuse to play those concerned where it cannot be right.

    Raises:
        PastIsGone: Something that they would be played from went by retention.
    """
    for part in _parts(whom):
        require_past(recorded, ledger, set().union(*part), whom.things)


def batches(recorded: Recorded, ledger: State, whom: Concerned, left_out: LeftOut, at: Instant) -> Iterator[Batch]:
    """Play the groups in batches, and compare each with what is.

    Raises:
        OperationFailed: See `require`.
    """
    require(recorded, ledger, whom)
    for number, part in enumerate(_parts(whom)):
        identifiers = set().union(*part)
        with State.in_memory() as scratch:
            played = play(recorded, ledger, scratch, identifiers, left_out, at, things=whom.things)
            before, after = _states(ledger, identifiers), _states(scratch, identifiers)
            caps = played.engine.world.journeys.policies.caps
            for state in after.values():
                played.engine.count_sent(state)
            for state in (*before.values(), *after.values()):
                state.reservations = keep_reservations(state.reservations, caps, at)
            rows = _by_name(different_enrollments(ledger.connection, scratch.connection, identifiers))
            ends = (played.cancelled(), played.ended())
            groups_ = [_group(played, names, before, after, rows, ends, at) for names in part]
            yield Batch(number, groups_, played, scratch, identifiers)


def _parts(whom: Concerned) -> Iterator[list[set[str]]]:
    most = BATCH * _MANY if any(key.kind != "object" for key in whom.things) else BATCH
    part: list[set[str]] = []
    size = 0
    for group in whom.groups:
        part.append(group)
        size += len(group)
        if size >= most:
            yield part
            part, size = [], 0
    if part:
        yield part


def _states(state: State, identifiers: set[str]) -> dict[str, ProfileState]:
    return {subject: lifecycle.decode(body) for subject, body in sorted(state.bodies(identifiers).items())}


def _by_name(rows: set[tuple[str, Instant]]) -> dict[str, set[Instant]]:
    found: dict[str, set[Instant]] = {}
    for name, at in rows:
        found.setdefault(name, set()).add(at)
    return found


def _group(
    played: AsIf,
    names: set[str],
    before: dict[str, ProfileState],
    after: dict[str, ProfileState],
    rows: dict[str, set[Instant]],
    ends: Ends,
    at: Instant,
) -> Group:
    mine = {subject: before[subject] for subject in sorted(names) if subject in before}
    theirs = {subject: after[subject] for subject in sorted(names) if subject in after}
    group = Group(
        identifiers=names, before=mine, after=theirs, different=differences(mine, theirs), sent=[], cancelled=[],
        due=[], missed=[],
    )  # fmt: skip
    _deliveries(group, played, ends, at)
    # What is over leaves no trace in a profile's state, but it did happen there, or would have.
    past = {(one.identifier, one.owned_at) for one in (*group.sent, *group.cancelled)}
    past |= {(plan.output.identifier, plan.owned_at) for plan in (*group.due, *group.missed)}
    past |= {(name, owned_at) for name in names for owned_at in rows.get(name, ())}
    owner = played.engine.identities.owner
    for subject in sorted({owner(*each) for each in past} - group.different.keys()):
        stage = theirs[subject].stage if subject in theirs else None
        group.different[subject] = Difference(before=stage, stage=stage)
    return group


def _deliveries(group: Group, played: AsIf, ends: Ends, at: Instant) -> None:
    plans = played.engine.plans
    dropped, ended = ends
    for name in sorted(group.identifiers):
        for delivery in played.past.under(name):
            if delivery.open and (delivery.id not in plans or delivery.id in dropped):
                group.cancelled.append(delivery)
            elif delivery.sent and delivery.id not in plans:
                group.sent.append(delivery)
        for plan in played.engine.planned_under(name):
            id = plan.output.delivery_id
            real = played.past.deliveries.get(id)
            if real is not None and not _undone(real, id in dropped, group):
                continue
            outcome = ended.get(plan.output.enrollment)
            late = plan.output.expires_at <= at or outcome in _STAYS_OUT or id in dropped
            (group.missed if late else group.due).append(plan)
    for found in (group.due, group.missed):
        found.sort(key=lambda plan: (plan.at, plan.output.delivery_id))


def _undone(real: KnownDelivery, dropped: bool, group: Group) -> bool:
    """Whether what really kept a delivery from being sent is not so in the world as if."""
    if real.sent or real.open:
        return False
    if real.reason == "retracted":
        return True
    if real.reason.startswith(_UNDONE):
        return not dropped
    different = [each for subject, each in group.different.items() if real.identifier in _names(group, subject)]
    return real.reason in _PERMISSIONS and any(each.words for each in different)


def _names(group: Group, subject: str) -> set[str]:
    state = group.after.get(subject)
    return {subject} if state is None else names_of(state)


__all__ = ["Batch", "Concerned", "Group", "Recorded", "batches", "concerned", "require"]
