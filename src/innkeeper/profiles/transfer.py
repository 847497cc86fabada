"""Profiles that merge and come apart: what was made under an identifier goes with it. Nothing is folded again.

Facts are kept per identifier, so they are handed over as they are. What follows from the new whole (memberships, exits,
steps) is evaluated afterwards by `lifecycle.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator

from innkeeper.events.reserved import is_reserved
from innkeeper.kernel.time import Instant
from innkeeper.profiles.copies import Role, join_copies, split_copies
from innkeeper.profiles.rules import STAGES, ProfileRules
from innkeeper.profiles.state import Aside, Enrollment, ProfileState, new_state, used_owner

#: Whether what was made under an identifier at an instant goes to another profile.
Goes = Callable[[str, Instant], bool]


def join(state: ProfileState, other: ProfileState) -> list[Enrollment]:
    """Put everything of *other* into *state*; the enrollments that give way to older ones (same journey, key)."""
    _join_numbers(state, other)
    state.facts.update(other.facts)
    both = {name: each for name, each in other.memberships.items() if name in state.memberships}
    state.asides |= other.asides
    state.asides[other.subject] = Aside(both, other.stage, other.stage_by, other.stage_at)
    state.identifiers = sorted({*state.identifiers, *other.identifiers, other.subject} - {state.subject})
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


def _join_numbers(state: ProfileState, other: ProfileState) -> None:
    numbers = state.numbers | other.numbers
    if other.inputs:
        numbers[other.subject] = other.inputs
    for identifier, facts in (*state.facts.items(), *other.facts.items()):
        if facts.inputs:
            numbers[identifier], facts.inputs = max(numbers.get(identifier, 0), facts.inputs), 0
    state.inputs = max(state.inputs, numbers.pop(state.subject, 0))
    state.numbers = numbers


def _younger(mine: list[Enrollment], theirs: list[Enrollment]) -> list[Enrollment]:
    # Only pairs across the two sides give way: several at once on one side are what `reentry: always` asked for.
    gone: dict[str, Enrollment] = {}
    for a in mine:
        for b in theirs:
            if (a.journey, a.key) == (b.journey, b.key):
                younger = max(a, b, key=lambda each: (each.began_at, each.id))
                gone[younger.id] = younger
    return list(gone.values())


def contents(state: ProfileState) -> Iterator[tuple[str, Instant]]:
    """Under which identifiers, and when, a profile's facts and memberships were made."""
    for identifier, facts in state.facts.items():
        yield identifier, facts.since
    for membership in state.memberships.values():
        yield membership.identifier, membership.at


def runs(state: ProfileState) -> Iterator[tuple[str, Instant]]:
    """Under which identifiers a profile's enrollments and what came of them were made, and what says whose they are."""
    yield from ((each.identifier, each.owned_at) for each in state.enrollments)
    yield from ((each.identifier, each.owned_at) for each in state.reservations)
    yield from ((each.identifier, each.owned_at) for visits in state.visits.values() for each in visits)


def split(
    state: ProfileState, subject: str, goes: Goes, run_goes: Goes, role_goes: Callable[[Role], bool], at: Instant
) -> ProfileState:
    """Take what *goes* out of *state*, into a profile of its own that looks again at *at*.

    *run_goes*: what of `runs`; the rest is facts and memberships.

    The stage was that of both, so both keep it until they look again; a profile that had a stage of its own before
    they became one has that.
    """
    apart = new_state(subject)
    apart.last_at = state.last_at
    for identifier in [name for name, facts in state.facts.items() if goes(name, facts.since)]:
        facts = apart.facts[identifier] = state.facts.pop(identifier)
        if identifier == subject and facts.inputs:
            apart.inputs, facts.inputs = facts.inputs, 0
    apart.inputs = max(apart.inputs, state.numbers.pop(subject, 0))
    split_copies(state, apart, role_goes)
    for name in [name for name, each in state.memberships.items() if goes(each.identifier, each.at)]:
        apart.memberships[name] = state.memberships.pop(name)
    apart.stage, apart.stage_by, apart.stage_at = state.stage, min(apart.facts, default=subject), state.stage_at
    aside = state.asides.pop(subject, None)
    if aside is not None:
        apart.memberships = aside.memberships | apart.memberships
        apart.stage, apart.stage_by, apart.stage_at = aside.stage, aside.stage_by, aside.stage_at
    apart.enrollments = [each for each in state.enrollments if run_goes(each.identifier, each.owned_at)]
    state.enrollments = [each for each in state.enrollments if not run_goes(each.identifier, each.owned_at)]
    apart.reservations = [each for each in state.reservations if run_goes(each.identifier, each.owned_at)]
    state.reservations = [each for each in state.reservations if not run_goes(each.identifier, each.owned_at)]
    _split_visits(state, apart, run_goes)
    _split_counts(state, apart, at)
    return apart


def _split_visits(state: ProfileState, apart: ProfileState, goes: Goes) -> None:
    for name in list(state.visits):
        visits = state.visits[name]
        if theirs := [each for each in visits if goes(each.identifier, each.owned_at)]:
            apart.visits[name] = theirs
            state.visits[name] = [each for each in visits if each not in theirs]
        if not state.visits[name]:
            del state.visits[name]
        _enter_anew(*((apart, state) if name in state.visits else (state, apart)), name)
    _split_used(state, apart)


def _enter_anew(lacking: ProfileState, having: ProfileState, name: str) -> None:
    """Who has an object whose run is somebody else's is entered by its date as if nobody had been."""
    if name in having.visits and name not in lacking.visits and name in lacking.plans:
        lacking.plans[name].entered = False


def _split_used(state: ProfileState, apart: ProfileState) -> None:
    """Names that were used under an identifier are used wherever it stands; a browser may stand on both sides."""
    names = {apart.subject, *apart.facts}
    used = {name: number for name, number in state.used.items() if used_owner(name) in names}
    both = {state.subject, *state.facts}
    for name in used:
        if used_owner(name) not in both:
            del state.used[name]
    apart.used = used


def _split_counts(state: ProfileState, apart: ProfileState, at: Instant) -> None:
    """Enrollments go on counting what belongs to their own profile."""
    gone = apart.facts.keys() - state.facts.keys()
    for enrollment in apart.enrollments:
        enrollment.facts = {name: each for name, each in enrollment.facts.items() if name in apart.facts}
        enrollment.recheck_at = at
    for enrollment in state.enrollments:
        enrollment.facts = {name: each for name, each in enrollment.facts.items() if name not in gone}
        if enrollment.about:
            enrollment.recheck_at = min(enrollment.recheck_at, at)


def count_once(state: ProfileState, delivery: str) -> None:
    """Let a delivery count for the caps from the first instant on at which it was reserved, and no more often."""
    mine = [each for each in state.reservations if each.delivery_id == delivery]
    others = [each for each in state.reservations if each.delivery_id != delivery]
    state.reservations = sorted([*others, *mine[:1]], key=lambda each: (each.at, each.delivery_id))


def forget_undefined(state: ProfileState, rules: ProfileRules) -> None:
    """Drop the summaries, memberships and rechecks that nothing defines any more."""
    if not rules.accounts:
        state.accounts.clear()
        for facts in state.facts.values():
            facts.accounts.clear()
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
