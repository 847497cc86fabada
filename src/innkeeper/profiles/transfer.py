"""Profiles that merge and come apart: what was made under an identifier goes with it. Nothing is folded again.

Facts are kept per identifier, so they are handed over as they are. What follows from the new whole (memberships, exits,
steps) is evaluated afterwards by `lifecycle.py`.
"""

from __future__ import annotations

from collections.abc import Collection

from innkeeper.events.reserved import is_reserved
from innkeeper.kernel.time import Instant
from innkeeper.profiles.copies import join_copies, split_copies
from innkeeper.profiles.rules import STAGES, ProfileRules
from innkeeper.profiles.state import Enrollment, ProfileState, new_state, used_key


def join(state: ProfileState, other: ProfileState) -> list[Enrollment]:
    """Put everything of *other* into *state*; the enrollments that give way to older ones (same journey, key)."""
    if other.subject in other.facts:
        other.facts[other.subject].inputs = other.inputs
    state.facts.update(other.facts)
    join_copies(state, other)
    for name, membership in other.memberships.items():
        state.memberships.setdefault(name, membership)
    if state.stage is None:
        state.stage, state.stage_by, state.stage_at = other.stage, other.stage_by, other.stage_at
    for name, visits in other.visits.items():
        state.visits.setdefault(name, []).extend(visits)
    state.reservations = sorted(
        [*state.reservations, *other.reservations], key=lambda each: (each.at, each.delivery_id)
    )
    state.used.update(other.used)
    state.last_at = max(state.last_at, other.last_at)
    state.parked = state.parked or other.parked
    for name, at in other.rechecks.items():
        state.rechecks[name] = min(at, state.rechecks.get(name, at))
    mine = list(state.enrollments)
    state.enrollments = sorted([*mine, *other.enrollments], key=lambda each: (each.began_at, each.id))
    return _younger(mine, other.enrollments)


def _younger(mine: list[Enrollment], theirs: list[Enrollment]) -> list[Enrollment]:
    # Only pairs across the two sides give way: several at once on one side are what `reentry: always` asked for.
    gone: dict[str, Enrollment] = {}
    for a in mine:
        for b in theirs:
            if (a.journey, a.key) == (b.journey, b.key):
                younger = max(a, b, key=lambda each: (each.began_at, each.id))
                gone[younger.id] = younger
    return list(gone.values())


def split(state: ProfileState, identifier: str, at: Instant) -> ProfileState:
    """Take everything made under an identifier out of *state*, into a profile of its own that looks again at *at*.

    The stage was that of both, so both keep it until they look again.
    """
    apart = new_state(identifier)
    apart.last_at = state.last_at
    facts = state.facts.pop(identifier, None)
    if facts is not None:
        apart.facts[identifier] = facts
        apart.inputs, facts.inputs = facts.inputs, 0
    split_copies(state, apart, identifier)
    for name in [name for name, each in state.memberships.items() if each.identifier == identifier]:
        apart.memberships[name] = state.memberships.pop(name)
    if facts is not None:
        apart.stage, apart.stage_by, apart.stage_at = state.stage, identifier, state.stage_at
    apart.enrollments = [each for each in state.enrollments if each.identifier == identifier]
    state.enrollments = [each for each in state.enrollments if each.identifier != identifier]
    apart.reservations = [each for each in state.reservations if each.identifier == identifier]
    state.reservations = [each for each in state.reservations if each.identifier != identifier]
    for name in list(state.visits):
        visits = state.visits[name]
        if theirs := [each for each in visits if each.identifier == identifier]:
            apart.visits[name] = theirs
            state.visits[name] = [each for each in visits if each.identifier != identifier]
        if not state.visits[name]:
            del state.visits[name]
    prefix = used_key(identifier, "")
    apart.used = {name: state.used.pop(name) for name in list(state.used) if name.startswith(prefix)}
    for enrollment in apart.enrollments:
        enrollment.facts = {name: each for name, each in enrollment.facts.items() if name == identifier}
        enrollment.recheck_at = at
    for enrollment in state.enrollments:
        enrollment.facts.pop(identifier, None)
    return apart


def count_once(state: ProfileState, delivery: str) -> None:
    """Let a delivery count for the caps from the first instant on at which it was reserved, and no more often."""
    mine = [each for each in state.reservations if each.delivery_id == delivery]
    others = [each for each in state.reservations if each.delivery_id != delivery]
    state.reservations = sorted([*others, *mine[:1]], key=lambda each: (each.at, each.delivery_id))


def forget_undefined(state: ProfileState, rules: ProfileRules) -> None:
    """Drop the summaries, memberships and rechecks that nothing defines any more."""
    for facts in state.facts.values():
        for key in facts.accumulators.keys() - rules.accumulators.keys():
            del facts.accumulators[key]
        for name in [name for name in facts.traits if is_reserved(name)]:
            del facts.traits[name]
    for name in state.memberships.keys() - rules.positions.keys():
        del state.memberships[name]
    for name in state.rechecks.keys() - rules.positions.keys():
        del state.rechecks[name]
    if STAGES not in rules.positions:
        state.stage = None


def nodes_of(rules: ProfileRules, audiences: Collection[str] | None) -> int:
    """The bitmask of some audiences (the empty name: the stages); None: all."""
    if audiences is None:
        return rules.all_nodes
    return sum(1 << rules.positions[name] for name in set(audiences) if name in rules.positions)
