"""The fold of one account: its traits, and the summaries of its members' events that audiences of accounts read.

An account is a subject of its own, kept like a profile: facts that do not depend on order, announced memberships,
the instant of its next timer. Which events count for it is decided by the caller (`runtime/accounts.py`), who knows who
was a member when. What profiles may know of it is its *view*.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import msgspec

from innkeeper.audiences.check import MEMBER
from innkeeper.audiences.merges import NEWEST
from innkeeper.events.accounts import ACCOUNT, AccountWord
from innkeeper.events.outputs import Output
from innkeeper.events.types import Event
from innkeeper.kernel.time import FOREVER, Instant
from innkeeper.profiles import transfer
from innkeeper.profiles.memberships import mark_due, settle_memberships
from innkeeper.profiles.reading import ProfileReader
from innkeeper.profiles.rules import NO_ROUTE, ProfileRules
from innkeeper.profiles.state import Facts, ProfileState, new_state
from innkeeper.profiles.ties import AUDIENCES, VERSION
from innkeeper.profiles.traits import set_trait, trait_value
from innkeeper.profiles.turn import Turn


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountRules:
    """What is declared about accounts, compiled.

    Attributes:
        rules: Their audiences, and what these read.
        traits: Names of the traits that some definition about profiles reads, or some content.
        audiences: Names of the audiences of accounts that some definition about profiles reads.
    """

    rules: ProfileRules
    traits: frozenset[str]
    audiences: frozenset[str]

    @property
    def counts(self) -> bool:
        """Whether members' events are counted."""
        return bool(self.rules.accumulators)

    @property
    def names(self) -> list[str]:
        """The events that are counted."""
        return sorted({accumulator.event for accumulator, _ in self.rules.accumulators.values()})


def new_account(account: str) -> ProfileState:
    """The state of an account that nothing is known of yet."""
    return new_state(ACCOUNT + account)


def take_event(
    state: ProfileState, event: Event, word: AccountWord | None, at: Instant, rules: AccountRules, *, history: bool
) -> list[Output]:
    """Take an event that counts for the account; what is announced. *history*: facts only."""
    turn = _begin(state, at, rules)
    if state.subject not in state.facts:
        turn.nodes = rules.rules.all_nodes
    facts = _facts(state, event.timestamp)
    if word is not None:
        for name, value in word.traits.items():
            if set_trait(facts, name, value, event.timestamp, event.source, event.message_id, NEWEST):
                turn.trait_changed(name)
    route = rules.rules.routes.get(event.name, NO_ROUTE)
    if route.accumulators:
        _count(facts, as_counted(event), turn, route.accumulators)
    return turn.outputs if history else _settle(turn)


def as_counted(event: Event) -> Event:
    """The event with the property `member`: its sender."""
    return msgspec.structs.replace(event, properties={**event.properties, MEMBER: event.identifier})


def _count(facts: Facts, event: Event, turn: Turn, counted: Iterable[Any]) -> None:
    for key, accumulator, nodes, _ in counted:
        before = facts.accumulators.get(key)
        after = accumulator.add(before, event)
        if after is not before:
            facts.accumulators[key] = after
            turn.nodes |= nodes


def count_again(
    state: ProfileState, events: Iterable[Event], at: Instant, rules: AccountRules, *, history: bool
) -> list[Output]:
    """Make all summaries anew from the events that count, after a late word on who was a member."""
    turn = _begin(state, at, rules)
    recount(state, events, rules)
    turn.nodes = rules.rules.all_nodes
    return turn.outputs if history else _settle(turn)


def recount(state: ProfileState, events: Iterable[Event], rules: AccountRules) -> None:
    """Make all summaries anew; nothing is evaluated."""
    for facts in state.facts.values():
        facts.accumulators = {}
    for event in events:
        count(_facts(state, event.timestamp), event, rules)


def count(facts: Facts, event: Event, rules: AccountRules) -> None:
    """Count one event; nothing is evaluated."""
    counted = as_counted(event)
    for key, accumulator, _, _ in rules.rules.routes.get(event.name, NO_ROUTE).accumulators:
        after = accumulator.add(facts.accumulators.get(key), counted)
        if after is not None:
            facts.accumulators[key] = after


def wake(state: ProfileState, at: Instant, rules: AccountRules) -> list[Output]:
    """An instant has come at which time alone changes an audience."""
    return _settle(_begin(state, at, rules))


def record(state: ProfileState, at: Instant, rules: AccountRules) -> None:
    """Evaluate the audiences without announcing anything: after history, and under new definitions."""
    transfer.forget_undefined(state, rules.rules)
    turn = Turn(state, rules.rules, AccountReader(state, rules.rules.zone), at)
    turn.nodes = rules.rules.all_nodes
    settle_memberships(turn, announce=False)
    state.next_due_at = min(state.rechecks.values(), default=FOREVER)


def view_of(state: ProfileState, rules: AccountRules) -> dict[str, Any]:
    """What profiles may know of the account: what some definition of theirs reads."""
    view: dict[str, Any] = {}
    for name in sorted(rules.traits):
        value = trait_value(state, name, NEWEST)
        if value is not None:
            view[name] = value
    if rules.audiences:
        view[AUDIENCES] = sorted(rules.audiences & state.memberships.keys())
    view[VERSION] = state.inputs
    return view


def tells(before: dict[str, Any], after: dict[str, Any]) -> tuple[str, ...]:
    """Names of what differs between two views; empty: nobody has to be told."""
    names = (before.keys() | after.keys()) - {VERSION}
    return tuple(sorted(name for name in names if before.get(name) != after.get(name)))


def _begin(state: ProfileState, at: Instant, rules: AccountRules) -> Turn:
    state.inputs += 1
    state.last_at = max(state.last_at, at)
    return Turn(state, rules.rules, AccountReader(state, rules.rules.zone), at)


def _settle(turn: Turn) -> list[Output]:
    state = turn.state
    if state.next_due_at <= turn.now:
        mark_due(turn)
    settle_memberships(turn)
    state.next_due_at = min(state.rechecks.values(), default=FOREVER)
    return turn.outputs


def _facts(state: ProfileState, at: Instant) -> Facts:
    facts = state.facts.get(state.subject)
    if facts is None:
        facts = state.facts[state.subject] = Facts(at)
    elif at < facts.since:
        facts.since = at
    return facts


class AccountReader(ProfileReader):
    """What conditions read of an account: its own traits stand where a profile's would."""

    __slots__ = ()

    def identifier(self, namespace: str) -> str | None:
        """An account has an id and no identifiers."""
        return None

    def in_audience(self, name: str) -> bool:
        """The announced membership."""
        return name in self.state.memberships
