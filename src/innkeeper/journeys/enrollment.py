"""Enrollments: how they begin, and how exits and goals end them. Next in the flow: `runner.py` runs their steps."""

from __future__ import annotations

from typing import Any

from innkeeper.audiences.resolve import ITEM
from innkeeper.events.outputs import JourneyEntered, JourneyExited
from innkeeper.events.types import TRUST
from innkeeper.journeys.compiled import CompiledJourney, JourneyRules
from innkeeper.journeys.definition import EventEntry
from innkeeper.journeys.instants import first_instants
from innkeeper.journeys.scoping import EnrollmentReader, count_for
from innkeeper.kernel.ids import USER, digest
from innkeeper.kernel.time import FOREVER, Instant
from innkeeper.profiles.fold import key_text
from innkeeper.profiles.reading import at_path
from innkeeper.profiles.state import Copy, Enrollment, Visit, used_key, visit_key
from innkeeper.profiles.turn import Turn


def count_event(turn: Turn, rules: JourneyRules) -> None:
    """Count the event of this turn for the open enrollments that keep summaries of it."""
    event = turn.event
    if event is None or event.name not in rules.counted:
        return
    for enrollment in turn.state.enrollments:
        compiled = rules.find(enrollment.journey, enrollment.version)
        accumulators = compiled.local.get(event.name) if compiled is not None else None
        if compiled is not None and accumulators:
            count_for(enrollment, accumulators, compiled.key_path, event)


def end_enrollments(turn: Turn, rules: JourneyRules) -> None:
    """Look again at exits and goals where something has changed or an instant has come."""
    now, concerned = turn.now, turn.concerned
    for enrollment in list(turn.state.enrollments):
        if enrollment.recheck_at > now and not concerned:
            continue
        compiled = rules.find(enrollment.journey, enrollment.version)
        if compiled is None:
            end(turn, enrollment, "left", "the journey is gone")
        elif enrollment.recheck_at <= now or compiled.bit & concerned:
            look_again(turn, enrollment, compiled)


def look_again(turn: Turn, enrollment: Enrollment, compiled: CompiledJourney) -> None:
    """Evaluate the goal and the exits of one enrollment, and end it by the first that holds, or without its object."""
    if enrollment.about and copy_of(turn, compiled, enrollment.key) is None:
        end(turn, enrollment, "left", _why_gone(turn, enrollment.key))
        return
    reader = EnrollmentReader(turn.reader, enrollment, compiled.key_path, own=True)
    recheck = FOREVER
    goal = compiled.journey.goal
    if compiled.goal is not None and goal is not None:
        deadline = FOREVER if goal.within is None else enrollment.began_at + goal.within
        if turn.now <= deadline:
            holds, at = compiled.goal.evaluate(reader, turn.now)
            if holds:
                end(turn, enrollment, "goal", compiled.goal.canonical)
                return
            recheck = at if at <= deadline else FOREVER
    for condition in compiled.exits:
        holds, at = condition.evaluate(reader, turn.now)
        if holds:
            end(turn, enrollment, "exit", condition.canonical)
            return
        recheck = min(recheck, at)
    enrollment.recheck_at = recheck if recheck >= FOREVER else max(recheck, turn.now + 1)


def _why_gone(turn: Turn, key: str | None) -> str:
    return next((news.change for news in turn.news if news.id == key and not news.roles), "role_lost")


def end(turn: Turn, enrollment: Enrollment, outcome: str, reason: str) -> None:
    """End an enrollment, and remember when."""
    turn.state.enrollments.remove(enrollment)
    for visit in turn.state.visits.get(visit_key(enrollment.journey, enrollment.key), ()):
        if visit.identifier == enrollment.identifier:
            visit.ended_at = turn.now
    turn.trace.append(f"journey '{enrollment.journey}'")
    turn.outputs.append(
        JourneyExited(
            identifier=enrollment.identifier, journey=enrollment.journey, enrollment=enrollment.id,
            key=enrollment.key, outcome=outcome, reason=reason,
        )
    )  # fmt: skip


def enter_by_event(turn: Turn, rules: JourneyRules) -> None:
    """Begin the enrollments that the event of this turn asks for."""
    event = turn.event
    if event is None:
        return
    for compiled in rules.by_event.get(event.name, ()):
        if compiled.where is not None and not compiled.where(event.properties):
            continue
        entry = compiled.journey.enter
        if isinstance(entry, EventEntry) and not entry.trusts(event.extra.get(TRUST)):
            continue
        key = None
        if compiled.key_path is not None:
            key = key_text(at_path(event.properties, compiled.key_path.of(event.name)))
            if key is None:
                continue
        enter(turn, compiled, event.properties, key)


def enter_by_item(turn: Turn, rules: JourneyRules) -> None:
    """Begin the enrollments that a change of an item asks for; the item stands in their entry event as `item`."""
    for news in turn.news:
        if news.kind == "item":
            for compiled in rules.by_item.get((news.type, news.change), ()):
                entry = {ITEM: news.view, "catalog": news.type, "change": news.change}
                enter(turn, compiled, entry, news.id, under=(news.identifier, news.said_at))


def enter_by_change(turn: Turn, rules: JourneyRules) -> None:
    """Begin the enrollments that changes of audience ask for."""
    changed, turn.changed = turn.changed, []
    for audience, entered in changed:
        for compiled in rules.by_change.get((audience, entered), ()):
            enter(turn, compiled, {}, None)


def enter(
    turn: Turn, compiled: CompiledJourney, properties: dict[str, Any], key: str | None, *,
    under: tuple[str, Instant] | None = None,
) -> bool:  # fmt: skip
    """Begin one enrollment, unless its trigger is too old, it may not come again, or its condition is false.

    *under*: the identifier that it is made under, and the instant that says whose it is; None: those of the input.
    Answers whether it has begun.
    """
    journey, (identifier, said_at) = compiled.journey, under or (turn.identifier, turn.said_at)
    if turn.now - turn.happened_at > journey.shelf_life or not _may_enter(turn, compiled, key):
        return False
    candidate = Enrollment(
        "", journey.name, journey.version, key, identifier, turn.now, properties, said_at=said_at
    )  # fmt: skip
    copy = copy_of(turn, compiled, key)
    if copy is not None:
        candidate.about, candidate.ended = True, copy.view["ended"]
    if compiled.when is not None:
        reader = EnrollmentReader(turn.reader, candidate, compiled.key_path, own=False)
        if not compiled.when.evaluate(reader, turn.now)[0]:
            return False
    if not _in_time(turn, compiled, candidate):
        return False
    number = _count_visit(turn, candidate)
    candidate.id = (compiled.named and compiled.named(candidate, number)) or enrollment_id(candidate, number)
    turn.state.enrollments.append(candidate)
    turn.trace.append(f"journey '{journey.name}'")
    turn.outputs.append(
        JourneyEntered(
            identifier=identifier, journey=journey.name, version=journey.version, enrollment=candidate.id, key=key,
            owned_at=said_at,
        )
    )  # fmt: skip
    candidate.step = compiled.first
    look_again(turn, candidate, compiled)
    return True


def copy_of(turn: Turn, compiled: CompiledJourney, key: str | None) -> Copy | None:
    """The object that an enrollment of a journey with a key is about; None: the profile has no role in one."""
    about = None if compiled.key_path is None else compiled.key_path.about
    return None if about is None else turn.state.objects.get(about, {}).get(key or "")


def enrollment_id(enrollment: Enrollment, number: object) -> str:
    """The id of an identifier's enrollment of that number in its journey and key.

    Each owner of a shared browser counts for itself, so the number alone is not enough: the instant tells them apart,
    and of two that began late at one instant the words that they began by.
    """
    key = enrollment.key if enrollment.key is not None else ""
    parts = [enrollment.identifier, enrollment.journey, key, number, enrollment.began_at]
    if enrollment.owned_at != enrollment.began_at and not enrollment.identifier.startswith(USER):
        parts.append(enrollment.owned_at)
    return digest(*parts)


def _may_enter(turn: Turn, compiled: CompiledJourney, key: str | None) -> bool:
    reentry, name = compiled.journey.reentry, compiled.journey.name
    if reentry.mode == "always":
        return True
    if any(each.journey == name and each.key == key for each in turn.state.enrollments):
        return False
    visits = turn.state.visits.get(visit_key(name, key), ())
    match reentry.mode:
        case "never":
            return not visits
        case "after":
            return all(each.ended_at is None or turn.now - each.ended_at >= reentry.period for each in visits)
    return True


def _in_time(turn: Turn, compiled: CompiledJourney, enrollment: Enrollment) -> bool:
    """Whether the instant that a journey begins with is not past; or, if the journey allows it, its date is ahead."""
    instants = first_instants(turn, compiled, enrollment)
    if instants is None or instants.due_at >= turn.now:
        return True
    return compiled.journey.late == "enter" and instants.anchor_at > turn.now


def _count_visit(turn: Turn, enrollment: Enrollment) -> int:
    name = visit_key(enrollment.journey, enrollment.key)
    visits = turn.state.visits.setdefault(name, [])
    for visit in visits:
        if visit.identifier == enrollment.identifier:
            visit.count += 1
            visit.began_at, visit.said_at = turn.now, enrollment.said_at
            return visit.count
    number = turn.state.used.get(used_key(enrollment.identifier, name), 0) + 1
    visits.append(Visit(enrollment.identifier, number, turn.now, None, enrollment.said_at))
    return number
