"""Entries by objects: when one changes, and at one of its dates, however often that date moves.

A date's entry is a `Plan` of the profile, with its timer. A move is settled a microsecond later: of two moves in
one instant the last counts, and a move there and back is none. Waits that follow a date are `following.py`; next in the
flow is `enrollment.py`, which begins the enrollment.
"""

from __future__ import annotations

from collections.abc import Iterator

from innkeeper.events.outputs import StepReplanned, StepsSkipped
from innkeeper.journeys.compiled import CompiledJourney, JourneyRules
from innkeeper.journeys.definition import ObjectEntry
from innkeeper.journeys.enrollment import enter
from innkeeper.journeys.instants import Instants, resolve_object
from innkeeper.kernel.time import FOREVER, Instant
from innkeeper.profiles.state import Copy, Plan, ProfileState, visit_key
from innkeeper.profiles.turn import Turn

#: What an entry `on:` takes as its change.
ON = {
    "created": ("created",), "role_gained": ("created",), "changed": ("changed",), "ended": ("changed", "ended"),
    "cancelled": ("changed", "ended", "cancelled"),
}  # fmt: skip


def enter_by_news(turn: Turn, rules: JourneyRules) -> None:
    """Begin the enrollments that the changes of this turn ask for, each object once."""
    done: set[tuple[str, str, str]] = set()
    for news in turn.news:
        # Known under another identifier before, it is not new for the profile.
        known = (news.kind, news.type, news.id) in turn.had
        for on in ON.get("changed" if known and news.change in ("created", "role_gained") else news.change, ()):
            for compiled in rules.by_thing.get((news.type, on), ()):
                mark = (compiled.journey.name, news.type, news.id)
                if mark not in done:
                    done.add(mark)
                    properties = {} if turn.about is None else turn.about.properties
                    enter(turn, compiled, properties, news.id, under=(news.identifier, news.said_at))


def plan_entries(turn: Turn, rules: JourneyRules) -> None:
    """Look at the dates of what has changed, and at the plans whose timer has come."""
    for compiled, type_, key in _concerned(turn, rules):
        _look(turn, compiled, type_, key)
    for name, plan in list(turn.state.plans.items()):
        if plan.due_at > turn.now:
            continue
        current = rules.current.get(plan.journey)
        if current is None or not _by_date(current):
            del turn.state.plans[name]
        else:
            _come(turn, current, plan)


def _concerned(turn: Turn, rules: JourneyRules) -> Iterator[tuple[CompiledJourney, str, str]]:
    if turn.replan:
        for type_, compiled in rules.by_date:
            plans = {plan.key for plan in turn.state.plans.values() if plan.journey == compiled.journey.name}
            for key in sorted(plans | turn.state.objects.get(type_, {}).keys()):
                yield compiled, type_, key
        return
    for type_, compiled in rules.by_date:
        for key in dict.fromkeys(news.id for news in turn.news if news.kind == "object" and news.type == type_):
            yield compiled, type_, key


def _by_date(compiled: CompiledJourney) -> bool:
    entry = compiled.journey.enter
    return isinstance(entry, ObjectEntry) and entry.at is not None


def _instants(turn: Turn, compiled: CompiledJourney, copy: Copy | None) -> Instants | None:
    """When a journey begins for an object; None: not at all."""
    entry = compiled.journey.enter
    if copy is None or copy.view["ended"] or not isinstance(entry, ObjectEntry) or entry.at is None:
        return None
    return resolve_object(entry.at, copy.view, turn.reader.zone())


def _look(turn: Turn, compiled: CompiledJourney, type_: str, key: str) -> None:
    """The object has changed: plan the entry, move it, or drop it."""
    plans, name = turn.state.plans, visit_key(compiled.journey.name, key)
    copy = turn.state.objects.get(type_, {}).get(key)
    plan, instants = plans.get(name), _instants(turn, compiled, copy)
    if instants is None:
        if plan is not None:
            _drop(turn, plan, copy)
    elif plan is None:
        plan = plans[name] = Plan(compiled.journey.name, type_, key, instants.due_at)
        _aim(turn, compiled, plan, instants)
    elif instants.due_at != plan.target:
        plan.due_at = turn.now + 1
    elif plan.reached and not plan.entered:
        _enter_late(turn, compiled, plan, instants)
    elif not plan.reached:
        plan.due_at = plan.target


def _come(turn: Turn, compiled: CompiledJourney, plan: Plan) -> None:
    """The plan's timer: its instant has come, or the instant in which it was moved is over."""
    copy = turn.state.objects.get(plan.type, {}).get(plan.key)
    instants = _instants(turn, compiled, copy)
    if instants is None:
        _drop(turn, plan, copy)
    elif instants.due_at != plan.target:
        if not _inside(turn.state, plan):
            _say(turn, plan, instants.due_at, "moved")
        plan.target, plan.reached = instants.due_at, False
        _aim(turn, compiled, plan, instants)
        if plan.reached and not plan.entered and not _may_enter_late(turn, compiled, instants):
            _say_skipped(turn, compiled, plan, copy)
    elif not plan.reached:
        _aim(turn, compiled, plan, instants)
    else:
        plan.due_at = FOREVER


def _aim(turn: Turn, compiled: CompiledJourney, plan: Plan, instants: Instants) -> None:
    """Wait for the target, or enter when it has come."""
    if plan.target > turn.now:
        plan.due_at = plan.target
        return
    plan.due_at, plan.reached = FOREVER, True
    if plan.target == turn.now:
        _enter(turn, compiled, plan)
    elif not plan.entered:
        _enter_late(turn, compiled, plan, instants)


def _enter_late(turn: Turn, compiled: CompiledJourney, plan: Plan, instants: Instants) -> None:
    if _may_enter_late(turn, compiled, instants):
        _enter(turn, compiled, plan)


def _may_enter_late(turn: Turn, compiled: CompiledJourney, instants: Instants) -> bool:
    return compiled.journey.late == "enter" and instants.anchor_at > turn.now


def _enter(turn: Turn, compiled: CompiledJourney, plan: Plan) -> None:
    copy = turn.state.objects[plan.type][plan.key]
    identifier = min(copy.holders)
    if enter(turn, compiled, {}, plan.key, under=(identifier, copy.said.get(identifier, turn.now))):
        plan.entered = True


def _drop(turn: Turn, plan: Plan, copy: Copy | None) -> None:
    """The object has ended, is gone, or has no such date any more."""
    del turn.state.plans[visit_key(plan.journey, plan.key)]
    if plan.reached or _inside(turn.state, plan):
        return
    reason = "no date"
    if copy is None:
        reason = next((news.change for news in turn.news if (news.type, news.id) == (plan.type, plan.key)), "role_lost")
    elif copy.view["ended"]:
        reason = f"ended: {copy.view['status']}"
    _say(turn, plan, None, reason)


def _inside(state: ProfileState, plan: Plan) -> bool:
    return any((each.journey, each.key) == (plan.journey, plan.key) for each in state.enrollments)


def _say(turn: Turn, plan: Plan, moved_to: Instant | None, reason: str) -> None:
    copy = turn.state.objects.get(plan.type, {}).get(plan.key)
    turn.trace.append(f"journey '{plan.journey}'")
    turn.outputs.append(
        StepReplanned(
            identifier=turn.identifier if copy is None else min(copy.holders), journey=plan.journey, enrollment=None,
            key=plan.key, step="enter", planned_for=plan.target, moved_to=moved_to, reason=reason,
        )
    )  # fmt: skip


def _say_skipped(turn: Turn, compiled: CompiledJourney, plan: Plan, copy: Copy | None) -> None:
    entry = compiled.journey.enter
    assert isinstance(entry, ObjectEntry)
    assert entry.at is not None
    assert copy is not None
    turn.outputs.append(
        StepsSkipped(
            identifier=min(copy.holders), journey=plan.journey, enrollment=None, key=plan.key, step="enter",
            date=entry.at.name, until=plan.target, skipped=[], messages=[],
        )
    )  # fmt: skip


def record_plans(turn: Turn, rules: JourneyRules, *, past: bool) -> None:
    """Plan the entries of all objects as they are, without entering anybody now.

    *past*: an entry whose instant is already past counts as made (the end of a history); else it is looked at in the
    next microsecond, as for an object that was told then (`apply`).
    """
    state = turn.state
    known = {(compiled.journey.name, type_) for type_, compiled in rules.by_date}
    state.plans = {name: plan for name, plan in state.plans.items() if (plan.journey, plan.type) in known}
    for type_, compiled in rules.by_date:
        for key, copy in sorted(state.objects.get(type_, {}).items()):
            name, instants = visit_key(compiled.journey.name, key), _instants(turn, compiled, copy)
            if instants is None:
                state.plans.pop(name, None)
                continue
            plan = state.plans.setdefault(name, Plan(compiled.journey.name, type_, key, instants.due_at))
            gone_by = plan.target == instants.due_at <= turn.now
            if past and (gone_by or plan.target != instants.due_at):
                plan.target, plan.reached = instants.due_at, instants.due_at <= turn.now
                plan.entered = plan.entered or plan.reached
            if plan.target != instants.due_at or not plan.reached:
                plan.due_at = max(plan.target, turn.now + 1) if plan.target == instants.due_at else turn.now + 1
            else:
                plan.due_at = FOREVER
