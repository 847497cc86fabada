"""Facts: one event into the summaries, traits, consents and suppressions of its identifier. Next: `memberships.py`.

Facts do not depend on order; nothing here reads the process part of the state, except to free a refused reservation.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from innkeeper.audiences.memories import MEMORY_EVENTS
from innkeeper.audiences.types import Accumulator
from innkeeper.events.accounts import LEFT, UPDATED, account_word
from innkeeper.events.outputs import ConsentRecorded, OptInRecorded, SuppressionRecorded
from innkeeper.events.reserved import without_reserved
from innkeeper.events.retention import CARRIED
from innkeeper.events.types import ENGINE_SOURCE, Event
from innkeeper.kernel.numbers import format_micro, to_micro
from innkeeper.kernel.time import BEGINNING, Instant
from innkeeper.profiles.consent import CONSENT_EVENTS, take_word
from innkeeper.profiles.home import HOME_EVENTS, TRAIT, take_home
from innkeeper.profiles.memories import take_memory
from innkeeper.profiles.reading import at_path
from innkeeper.profiles.rules import NO_ROUTE, Partitioned, ProfileRules
from innkeeper.profiles.state import Facts, ProfileState
from innkeeper.profiles.suppression import suppression_of, take_suppression
from innkeeper.profiles.ties import ACCOUNT_THING, take_tie
from innkeeper.profiles.traits import set_trait
from innkeeper.profiles.turn import Turn
from innkeeper.profiles.verified import VERIFYING_EVENTS, take_verification

#: States in which a delivery may have reached the customer: it goes on counting for the caps.
KEEPS_RESERVATION = frozenset({"accepted", "delivered", "bounced", "complained", "in_doubt"})
_SUPPRESSION_EVENTS = frozenset({"Suppressed", "Unsuppressed", "Message Complained", "Message Bounced"})


def fold_event(turn: Turn, event: Event) -> None:
    """Take an event into the facts of its identifier, and mark what has to be evaluated again."""
    facts = facts_of(turn, event)
    route = turn.rules.routes.get(event.name, NO_ROUTE)
    if event.traits:
        _take_traits(turn, facts, event)
    if turn.rules.accounts and (event.type == "group" or event.name in (LEFT, UPDATED)):
        _take_account(turn, facts, event)
    summaries = facts.accumulators
    for key, accumulator, nodes, watchers in route.accumulators:
        before = summaries.get(key)
        after = accumulator.add(before, event)
        if after is not before:
            summaries[key] = after
            turn.nodes |= nodes
            turn.watchers |= watchers
    for part in route.partitioned:
        add_partitioned(summaries, part, event)
    turn.watchers |= route.watchers
    if event.name in MEMORY_EVENTS:
        if (about := take_memory(facts, event)) is not None:
            turn.memory_changed(about)
    elif event.name in VERIFYING_EVENTS:
        take_verification(facts, event)
    if event.name in HOME_EVENTS or TRAIT in event.traits:
        turn.outputs += take_home(facts, event)
    if event.name in CONSENT_EVENTS:
        _take_consent(turn, facts, event)
    elif event.name in _SUPPRESSION_EVENTS:
        _take_suppression(turn, facts, event)
    elif event.name == "Message Refused" and event.source == ENGINE_SOURCE:
        _free_reservation(turn.state, event)


def _take_traits(turn: Turn, facts: Facts, event: Event) -> None:
    state, merges, alone = turn.state, turn.rules.merges, len(turn.state.facts) == 1
    for name, value in without_reserved(event.traits).items():
        if merges.has_ended(name, event.timestamp, turn.now):
            continue
        # Under several identifiers the newest word may change hands without changing here.
        changed = set_trait(facts, name, value, event.timestamp, event.source, event.message_id, merges, alone=alone)
        if changed or not alone:
            turn.trait_changed(name)
        if name in merges.kept and state.parked is None and not turn.history:
            state.next_due_at = min(state.next_due_at, event.timestamp + merges.kept[name])


def _take_account(turn: Turn, facts: Facts, event: Event) -> None:
    word = account_word(event)
    if word is not None and take_tie(facts, event, word):
        turn.nodes |= turn.rules.thing_nodes.get(ACCOUNT_THING, 0)
        turn.watchers |= turn.rules.thing_watchers.get(ACCOUNT_THING, 0)


def facts_of(turn: Turn, event: Event) -> Facts:
    """The facts of the event's identifier; a new identifier changes what `id.` reads, so everything looks again."""
    identifier = event.identifier
    facts = turn.state.facts.get(identifier)
    if facts is None:
        facts = turn.state.facts[identifier] = Facts(event.timestamp, last=event.timestamp)
        turn.nodes = turn.rules.all_nodes
        turn.watchers = -1
        turn.replan = True
    elif event.timestamp < facts.since:
        facts.since = event.timestamp
    if event.timestamp > facts.last:
        facts.last = event.timestamp
    if event.timestamp > facts.latest and event.source != ENGINE_SOURCE:
        facts.latest = event.timestamp
    return facts


def add_partitioned(summaries: dict[str, Any], part: Partitioned, event: Event) -> None:
    """Count an event under the value of its key property; "" holds those without one."""
    storage_key, accumulator, path = part
    by_value = summaries.get(storage_key)
    value = key_text(at_path(event.properties, path)) or ""
    before = by_value.get(value) if by_value is not None else None
    after = accumulator.add(before, event)
    if after is None:
        return
    if by_value is None:
        summaries[storage_key] = {value: after}
    else:
        by_value[value] = after


def key_text(value: object) -> str | None:
    """The text of a key property: strings as they are, numbers in their shortest form; None for anything else.

    >>> key_text("b-1"), key_text(12.0), key_text(""), key_text(None)
    ('b-1', '12', None, None)
    """
    if isinstance(value, str):
        return value or None
    micro = to_micro(value)
    return None if micro is None else format_micro(micro)


def facts_from(events: Iterable[Event], rules: ProfileRules) -> Facts | None:
    """The facts of one identifier, made anew from events of it; None from no events."""
    facts: Facts | None = None
    for event in events:
        if facts is None:
            facts = Facts(event.timestamp, last=event.timestamp)
        facts.since, facts.last = min(facts.since, event.timestamp), max(facts.last, event.timestamp)
        if event.source != ENGINE_SOURCE:
            facts.latest = max(facts.latest, event.timestamp)
        for name, value in without_reserved(event.traits).items():
            set_trait(facts, name, value, event.timestamp, event.source, event.message_id, rules.merges)
        if event.is_input:
            _fold_again(facts, event, rules)
        elif event.name == CARRIED:
            _take_carried(facts, event, rules.accumulators)
    return facts


def _fold_again(facts: Facts, event: Event, rules: ProfileRules) -> None:
    """What `fold_event` keeps of an input besides its traits; nobody is told."""
    route = rules.routes.get(event.name, NO_ROUTE)
    for key, accumulator, _, _ in route.accumulators:
        after = accumulator.add(facts.accumulators.get(key), event)
        if after is not None:
            facts.accumulators[key] = after
    for part in route.partitioned:
        add_partitioned(facts.accumulators, part, event)
    if event.name in MEMORY_EVENTS:
        take_memory(facts, event)
    elif event.name in VERIFYING_EVENTS:
        take_verification(facts, event)
    if event.name in HOME_EVENTS or TRAIT in event.traits:
        take_home(facts, event)
    if event.name in CONSENT_EVENTS:
        take_word(facts, event)
    elif event.name in _SUPPRESSION_EVENTS and (word := suppression_of(event)) is not None:
        take_suppression(facts, word)


def refold(
    facts: Facts, events: Iterable[Event], summaries: dict[str, tuple[Accumulator, tuple[str, ...] | None]]
) -> None:
    """Make some summaries of one identifier anew from all its events; *summaries* by storage key."""
    for key in summaries:
        facts.accumulators.pop(key, None)
    by_event: dict[str, list[tuple[str, Accumulator, tuple[str, ...] | None]]] = {}
    for key, (accumulator, path) in summaries.items():
        by_event.setdefault(accumulator.event, []).append((key, accumulator, path))
    for event in events:
        if event.name == CARRIED and event.source == ENGINE_SOURCE:
            _take_carried(facts, event, summaries)
            continue
        for key, accumulator, path in by_event.get(event.name, ()):
            if path is not None:
                add_partitioned(facts.accumulators, (key, accumulator, path), event)
                continue
            state = accumulator.add(facts.accumulators.get(key), event)
            if state is not None:
                facts.accumulators[key] = state


def _take_carried(
    facts: Facts, event: Event, summaries: Mapping[str, tuple[Accumulator, tuple[str, ...] | None]]
) -> None:
    """Merge what raw events that are gone had added up to."""
    for key, total in event.properties["accumulators"].items():
        accumulator, path = summaries.get(key, (None, None))
        if accumulator is not None and path is None:
            merged = accumulator.merge(facts.accumulators.get(key), accumulator.resume(total))
            if merged is not None:
                facts.accumulators[key] = merged


def _take_consent(turn: Turn, facts: Facts, event: Event) -> None:
    first = all(each.confirmed_at == BEGINNING for each in facts.consents)
    word, newer, marked = take_word(facts, event)
    if newer:
        turn.outputs.append(
            ConsentRecorded(
                identifier=event.identifier, purpose=word.purpose, channel=word.channel, topic=word.topic,
                given=word.given is True, at=word.at,
            )
        )  # fmt: skip
    if not marked or all(each.confirmed_at == BEGINNING for each in facts.consents):
        return
    # From the first confirmation on, the claim has to know every withdrawal that stands against it.
    for each in facts.consents if first else [word]:
        if each.confirmed_at > BEGINNING or each.withdrawn_at > BEGINNING:
            turn.outputs.append(
                OptInRecorded(
                    identifier=event.identifier, purpose=each.purpose, channel=each.channel, topic=each.topic,
                    confirmed_at=_known(each.confirmed_at), withdrawn_at=_known(each.withdrawn_at),
                )
            )  # fmt: skip


def _known(at: Instant) -> Instant | None:
    return None if at == BEGINNING else at


def _take_suppression(turn: Turn, facts: Facts, event: Event) -> None:
    word = suppression_of(event)
    if word is not None and take_suppression(facts, word):
        turn.outputs.append(
            SuppressionRecorded(
                identifier=event.identifier, channel=word.channel, suppressed=word.suppressed, reason=word.reason,
                at=word.at,
            )
        )  # fmt: skip


def _free_reservation(state: ProfileState, event: Event) -> None:
    if event.properties.get("state") in KEEPS_RESERVATION:
        return
    delivery = event.properties.get("delivery_id")
    state.reservations = [each for each in state.reservations if each.delivery_id != delivery]
