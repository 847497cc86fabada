"""`match`: proposes profiles that may be one person, or one home, and carries out what people decide about them.

Proposals are computed from the profiles as the engine knows them. A decision is an event in the log, of source `cli`:
an accepted pair becomes an ordinary `Link Added` that can be taken back, an accepted home a `Household Joined` of each
member, a rejected pair is not proposed again. The engine takes them with its next run.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

from innkeeper import lifecycle
from innkeeper.audiences.merges import Merges
from innkeeper.audiences.types import MISSING
from innkeeper.events.types import Event, to_row
from innkeeper.identity.homes import Found, homes
from innkeeper.identity.matching import (
    LINK_ADDED,
    LINK_REMOVED,
    MATCH_REJECTED,
    FieldKind,
    MatchRules,
    Proposal,
    ProposalState,
    decided,
    link_properties,
)  # fmt: skip
from innkeeper.kernel.errors import UsageError
from innkeeper.kernel.ids import ANONYMOUS, USER, digest
from innkeeper.kernel.json import loads
from innkeeper.kernel.time import Instant, SystemClock
from innkeeper.profiles.state import sender_of
from innkeeper.profiles.traits import trait_at
from innkeeper.runtime import definitions as applied
from innkeeper.runtime.writing import writing
from innkeeper.store import proposals
from innkeeper.store.bulk import Bulk
from innkeeper.store.homes import Homes
from innkeeper.store.log import Log
from innkeeper.store.match_model import Person, Scored, score
from innkeeper.store.state import State

SOURCE = "cli"
Kind = Literal["person", "household", "all"]

_DECISIONS = "SELECT name, properties FROM events WHERE is_input AND name IN ($added, $removed, $rejected) ORDER BY seq"
_EXAMPLE = "matching: { fields: { first_name: name, last_name: name, email: email, birth_date: date } }"


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What `match propose` found.

    Attributes:
        profiles: How many could be compared: they have a value of some field.
        compared: How many pairs were.
        proposed, new: Open proposals now, and those among them that were not there before.
        decided: Pairs that would be proposed if nobody had decided on them.
        trained_on: The fields whose agreement taught the model; empty: too few profiles, fixed shares are used.
        too_large: Addresses where too many live to be a home.
    """

    profiles: int = 0
    compared: int = 0
    proposed: int = 0
    new: int = 0
    decided: int = 0
    trained_on: tuple[str, ...] = ()
    homes: int = 0
    new_homes: int = 0
    too_large: int = 0

    def as_dict(self) -> dict[str, Any]:
        """The JSON form."""
        return {**asdict(self), "trained_on": list(self.trained_on)}


def propose(
    home: Path, *, fields: Mapping[str, FieldKind] | None = None, threshold: float | None = None, kind: Kind = "all"
) -> Report:
    """Make the open proposals anew: `search`, then `keep`.

    Raises:
        UsageError: Nothing says what is to be compared.
        OperationFailed: splink is not installed; the home is in use.
    """
    return keep(home, search(home, fields=fields, threshold=threshold, kind=kind))


@dataclass(frozen=True, slots=True, kw_only=True)
class Searched:
    """What a search found; None: it was not searched for that.

    Attributes:
        persons: Pairs that may be one person.
        homes: Addresses that may be a home.
        subjects: The profile of every name.
    """

    persons: Scored | None
    homes: Found | None
    subjects: dict[str, str]


def search(
    home: Path, *, fields: Mapping[str, FieldKind] | None = None, threshold: float | None = None, kind: Kind = "all"
) -> Searched:
    """Look for proposals; it takes long, and changes nothing.

    Args:
        home: The workspace.
        fields: Compared instead of all that `strategy.yaml` declares.
        threshold: Instead of the declared one.
        kind: Persons, homes, or whatever is declared.

    Raises:
        UsageError: Nothing says what is to be compared.
        OperationFailed: splink is not installed.
    """
    with State.open(home, readonly=True) as state:
        rules = _rules(state, fields, kind)
        people, subjects = _people(state, rules, applied.world(state).profiles.merges)
        known = {member: household for household, members in Homes(state.connection).all() for member in members}
    persons = found = None
    if kind != "household" and rules.fields:
        persons = score(home, people, rules, threshold or rules.threshold)
    if kind != "person" and rules.household is not None:
        found = homes([(person.subject, person.values) for person in people], rules.household, known)
    return Searched(persons=persons, homes=found, subjects=subjects)


def keep(home: Path, searched: Searched) -> Report:
    """Make what was found the open proposals; what people have decided stays decided.

    Raises:
        OperationFailed: The home is in use.
    """
    report = Report()
    with writing(home) as (_, state):
        if searched.persons is not None:
            report = _keep_persons(home, state, searched.persons, searched.subjects)
        if searched.homes is not None:
            report = _keep_homes(home, state, searched.homes, report)
    return report


def _decisions(home: Path) -> list[tuple[str, dict[str, Any]]]:
    """What people have decided so far, oldest first: name and properties of the events."""
    with Bulk.open(home) as bulk:
        rows = bulk.rows(_DECISIONS, {"added": LINK_ADDED, "removed": LINK_REMOVED, "rejected": MATCH_REJECTED})
    return [(name, loads(properties)) for name, properties in rows]


def _rules(state: State, fields: Mapping[str, FieldKind] | None, kind: Kind) -> MatchRules:
    definitions = applied.applied(state)
    declared = None if definitions is None else definitions.workspace.matching
    if fields:
        declared = declared or MatchRules()
        swapped = declared.swapped if declared.swapped and set(declared.swapped) <= fields.keys() else None
        blocks = tuple(block for block in declared.block_on if set(block) <= fields.keys())
        return replace(declared, fields=fields, swapped=swapped, block_on=blocks)
    if (
        declared is None
        or (kind == "person" and not declared.fields)
        or (kind == "household" and not declared.household)
    ):
        what = "how homes are found ('household')" if kind == "household" else "what is compared ('fields')"
        raise UsageError(
            f"strategy.yaml does not say {what} under 'matching'", code="no-matching",
            fix="add 'household: { address: [street, postcode] }' there and apply it" if kind == "household"
            else f"add it and apply it: {_EXAMPLE}; or name them: --fields first_name:name,email:email",
        )  # fmt: skip
    return declared


def _people(state: State, rules: MatchRules, merges: Merges) -> tuple[list[Person], dict[str, str]]:
    """Every profile with the traits that are looked at, and the subject of every identifier."""
    household = rules.household
    traits = {*rules.fields, *(household.address if household else ())} | (
        {household.surname or ""} if household else set()
    )
    paths = {trait: tuple(trait.split(".")) for trait in traits if trait}
    people: list[Person] = []
    subjects: dict[str, str] = {}
    for page in state.pages():
        for subject, body in page:
            profile = lifecycle.decode(body)
            subjects[subject] = subject
            subjects.update(dict.fromkeys([*profile.facts, *profile.identifiers], subject))
            values = {trait: trait_at(profile, path, merges) for trait, path in paths.items()}
            people.append(
                Person(subject=sender_of(profile), values={k: v for k, v in values.items() if v is not MISSING})
            )
    return people, subjects


def _keep_persons(home: Path, state: State, scored: Scored, subjects: dict[str, str]) -> Report:
    # A pair was decided on under the names that its profiles had then.
    said: dict[frozenset[str], ProposalState] = {
        frozenset(subjects.get(name, name) for name in pair): word for pair, word in decided(_decisions(home)).items()
    }
    found: list[tuple[Proposal, ProposalState]] = [
        # Two browsers that nobody has logged in on are no persons: no link joins them.
        (one, said.get(frozenset(one.members), "open"))
        for one in scored.proposals
        if not all(member.startswith(ANONYMOUS) for member in one.members)
    ]
    at = _now(state)
    with state.transaction() as connection:
        new = proposals.replace_open(connection, "person", found, at)
        proposals.decide(connection, [one.id for one, word in found if word == "rejected"], "rejected", at)
    opened = sum(word == "open" for _, word in found)
    return Report(
        profiles=scored.people, compared=scored.compared, proposed=opened, new=new, decided=len(found) - opened,
        trained_on=tuple(scored.trained_on),
    )  # fmt: skip


def _keep_homes(home: Path, state: State, found: Found, report: Report) -> Report:
    rejected = {properties.get("proposal") for name, properties in _decisions(home) if name == MATCH_REJECTED}
    told: list[tuple[Proposal, ProposalState]] = [
        (one, "rejected" if one.id in rejected else "open") for one in found.proposals
    ]
    with state.transaction() as connection:
        new = proposals.replace_open(connection, "household", told, _now(state))
        opened = len(proposals.listing(connection, state="open", kind="household"))
    return replace(report, homes=opened, new_homes=new, too_large=found.too_large)


# Deciding


def accept(home: Path, ids: Sequence[str], *, above: float | None = None, homes: bool = False) -> list[dict[str, Any]]:
    """Accept proposals by id, every open pair at or above a probability, or every open home; what was accepted.

    Raises:
        UsageError: An id is unknown.
    """
    with _deciding(home) as (state, log, at):
        chosen = {each: proposals.one(state.connection, each) for each in ids}
        if above is not None:
            chosen |= {
                one["id"]: one for one in proposals.listing(state.connection, state="open", kind="person", above=above)
            }
        if homes:
            chosen |= {one["id"]: one for one in proposals.listing(state.connection, state="open", kind="household")}
        fresh = [one for one in chosen.values() if one["state"] != "accepted"]
        _decide(state, log, fresh, [event for one in fresh for event in _accepted(one, at)], "accepted", at)
    return fresh


def reject(home: Path, ids: Sequence[str]) -> list[dict[str, Any]]:
    """Reject proposals: they are not made again; what was rejected.

    Raises:
        UsageError: An id is unknown, or was accepted: then there is a link to take back.
    """
    with _deciding(home) as (state, log, at):
        chosen = [proposals.one(state.connection, each) for each in ids]
        for one in chosen:
            if one["state"] == "accepted":
                raise UsageError(
                    f"the proposal {one['id']} was accepted: {' and '.join(one['members'])} are joined by a link",
                    code="already-accepted", fix="take the link back: innkeeper link remove",
                )  # fmt: skip
        fresh = [one for one in chosen if one["state"] != "rejected"]
        events = [_event(MATCH_REJECTED, one, one["members"][0], at, _rejected(one)) for one in fresh]
        _decide(state, log, fresh, events, "rejected", at)
    return fresh


@contextmanager
def _deciding(home: Path) -> Iterator[tuple[State, Log, Instant]]:
    with writing(home) as (log, state):
        yield state, log, _now(state)


def _decide(
    state: State,
    log: Log,
    fresh: Sequence[Mapping[str, Any]],
    events: Sequence[Event],
    word: ProposalState,
    at: Instant,
) -> None:
    """Write down decisions: in the log first, which is what counts; the table follows it."""
    if events:
        log.append([to_row(event) for event in events])
        with state.transaction() as connection:
            proposals.decide(connection, [one["id"] for one in fresh], word, at)


def _now(state: State) -> Instant:
    """The workspace's time; where it has none yet, the machine's."""
    clock = state.clock()
    return SystemClock().now() if clock is None else clock


def _accepted(one: Mapping[str, Any], at: Instant) -> Iterator[Event]:
    if one["kind"] == "person":
        yield _event(LINK_ADDED, one, one["members"][0], at, link_properties(one))
        return
    for member in one["members"]:
        properties = {"household_id": one["household_id"], "by": "match", "proposal": one["id"]}
        yield _event("Household Joined", one, member, at, properties)


def _rejected(one: Mapping[str, Any]) -> dict[str, Any]:
    if one["kind"] == "household":
        return {"proposal": one["id"], "members": one["members"]}
    a, b = one["members"]
    return {"proposal": one["id"], "a": a, "b": b, "probability": one["probability"]}


def _event(name: str, one: Mapping[str, Any], identifier: str, at: Instant, properties: dict[str, Any]) -> Event:
    """An event of a person at the command line; said twice at one instant of the workspace it is one."""
    return Event(
        source=SOURCE,
        message_id="match:" + digest(name, one["id"], identifier, at),
        type="track",
        name=name,
        user_id=identifier[len(USER) :] if identifier.startswith(USER) else None,
        anonymous_id=identifier[len(ANONYMOUS) :] if identifier.startswith(ANONYMOUS) else None,
        timestamp=at,
        received_at=SystemClock().now(),
        properties=properties,
    )
