"""`explain profile ID --message NAME`: would it be sent now, by which journey, and if not, why not. Pure.

The gates' part is `decisions/explain.py`; the CLI hands in the state as of the instant that is asked about.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from innkeeper.audiences.merges import NEWEST, Merges
from innkeeper.decisions.candidate import Sight, purpose_of
from innkeeper.decisions.explain import GateAnswer, explain_gates, hypothetical, verdict
from innkeeper.journeys.compiled import CompiledJourney, JourneyRules
from innkeeper.journeys.definition import AudienceEntry, EventEntry, ItemEntry, ObjectEntry
from innkeeper.journeys.scoping import EnrollmentReader
from innkeeper.journeys.steps.wait import anchor_words
from innkeeper.kernel.time import FOREVER, Instant, format_duration, format_instant
from innkeeper.profiles.reading import ProfileReader
from innkeeper.profiles.state import Enrollment, ProfileState, Visit, visit_key


@dataclass(frozen=True, slots=True, kw_only=True)
class JourneyAnswer:
    """Where a profile stands in one journey that sends the message.

    `status`: `at_step` (it would be offered now), `on_the_way`, `passed`, `not_entered`.
    """

    journey: str
    status: str
    words: str
    key: str | None = None
    step: str | None = None
    due: str | None = None
    gates: tuple[GateAnswer, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """JSON."""
        return {
            "journey": self.journey, "status": self.status, "words": self.words, "key": self.key, "step": self.step,
            "due": self.due, "gates": [each.as_dict() for each in self.gates],
        }  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """Everything there is to say about one message and one profile at an instant.

    `allowed`: whether every gate would let it pass now. `journeys`: who would send it.
    """

    message: str
    at: Instant
    allowed: bool
    gate: str
    reason: str
    words: str
    gates: tuple[GateAnswer, ...]
    journeys: tuple[JourneyAnswer, ...]

    def as_dict(self) -> dict[str, Any]:
        """JSON."""
        return {
            "message": self.message, "at": format_instant(self.at), "allowed": self.allowed, "gate": self.gate,
            "reason": self.reason, "words": self.words, "gates": [each.as_dict() for each in self.gates],
            "journeys": [each.as_dict() for each in self.journeys],
        }  # fmt: skip


def explain_message(
    state: ProfileState, now: Instant, name: str, rules: JourneyRules, zone: str, merges: Merges = NEWEST
) -> Explanation:
    """Why a message would or would not go to a profile now.

    Args:
        state: The profile as of *now*.
        now: The instant that is asked about.
        name: A defined message.
        rules: The journeys, messages and policies in force.
        zone: The workspace's zone.
        merges: How traits are merged.
    """
    message = rules.messages[name]
    sight = Sight(state=state, now=now, policies=rules.policies, workspace_zone=zone, merges=merges)
    purpose = purpose_of(rules.policies, message.purpose)
    candidate = hypothetical(message, purpose, state.subject, now, purpose.priority)
    gates = explain_gates(candidate, sight)
    refused = verdict(gates)
    journeys = tuple(
        answer
        for _, compiled in sorted(rules.current.items())
        for answer in _journey(state, sight, name, compiled, rules)
    )
    words = "every gate would let it pass" if refused is None else refused.words
    if not any(each.status in ("at_step", "on_the_way") for each in journeys):
        link = "but" if refused is None else "and besides,"
        words += f"; {link} no journey is on the way to send it" if journeys else f"; {link} no journey sends it"
    return Explanation(
        message=name, at=now, allowed=refused is None, gate="" if refused is None else refused.gate,
        reason="" if refused is None else refused.reason, words=words, gates=gates, journeys=journeys,
    )  # fmt: skip


def _journey(
    state: ProfileState, sight: Sight, name: str, compiled: CompiledJourney, rules: JourneyRules
) -> list[JourneyAnswer]:
    places = [path for path, each in compiled.program.items() if name in each.step.messages() and not each.arms]
    if not places:
        return []
    journey = compiled.journey
    inside = [each for each in state.enrollments if each.journey == journey.name]
    if inside:
        return [_enrolled(each, sight, compiled, places, rules) for each in inside]
    visits = [visit for key, found in state.visits.items() if _is_of(key, journey.name) for visit in found]
    return [JourneyAnswer(journey=journey.name, status="not_entered", words=_outside(compiled, visits, sight))]


def _is_of(key: str, journey: str) -> bool:
    return key == visit_key(journey, None) or key.startswith(visit_key(journey, ""))


def _enrolled(
    enrollment: Enrollment, sight: Sight, compiled: CompiledJourney, places: list[str], rules: JourneyRules
) -> JourneyAnswer:
    journey = compiled.journey
    due = None if enrollment.due_at >= FOREVER else format_instant(enrollment.due_at)
    gates: tuple[GateAnswer, ...] = ()
    step = compiled.program.get(enrollment.step)
    doing = "at its end" if step is None else f"at step {enrollment.step}: {step.step.words()}"
    if enrollment.step in places:
        message = rules.messages[next(iter(compiled.program[enrollment.step].step.messages()))]
        purpose = purpose_of(rules.policies, journey.purpose or message.purpose)
        priority = purpose.priority if journey.priority is None else journey.priority
        offered_at, shelf_life = enrollment.reached_at, journey.shelf_life
        candidate = hypothetical(message, purpose, enrollment.identifier, offered_at, priority, shelf_life)
        gates, status = explain_gates(candidate, sight), "at_step"
    else:
        status = "on_the_way" if any(_follows(compiled, enrollment.step, place) for place in places) else "passed"
    words = f"in it since {format_instant(enrollment.began_at)}, {doing}" + (f", until {due}" if due else "")
    return JourneyAnswer(
        journey=journey.name, status=status, words=words, key=enrollment.key, step=enrollment.step, due=due, gates=gates
    )


def _follows(compiled: CompiledJourney, start: str, goal: str) -> bool:
    """Whether a step can still be reached from another."""
    seen: set[str] = set()
    pending = [start]
    while pending:
        instruction = compiled.program.get(pending.pop())
        if instruction is None or instruction.path in seen:
            continue
        seen.add(instruction.path)
        pending += [instruction.next, *instruction.arms.values()]
    return goal in seen


def _outside(compiled: CompiledJourney, visits: list[Visit], sight: Sight) -> str:
    journey = compiled.journey
    match journey.enter:
        case EventEntry(event=event, where=where, trust=trust):
            asks = f"begins with the event '{event}'" + ("" if where is None else " of the right properties")
            asks += {"anyone": "", "user": ", of a user or a server", "server": ", of a server"}[trust]
        case ItemEntry(catalog=catalog, change=change):
            return f"it begins when an item of '{catalog}' that was asked for is {change.replace('_', ' ')}"
        case AudienceEntry(audience=audience, change=change):
            member = audience in sight.state.memberships
            verb = "enters" if change == "entered" else "leaves"
            asks = f"begins when the profile {verb} '{audience}' (it is {'' if member else 'not '}a member now)"
        case ObjectEntry() as entry:
            asks = _by_object(entry, journey.name, sight)
    words = f"it {asks}"
    if compiled.when is not None:
        blank = Enrollment("", journey.name, journey.version, None, sight.state.subject, sight.now, {})
        profile = ProfileReader(sight.state, sight.workspace_zone, sight.merges)
        reader = EnrollmentReader(profile, blank, compiled.key_path, own=False)
        holds = compiled.when.evaluate(reader, sight.now)[0]
        words += f", while {compiled.when.canonical} (which is {'true' if holds else 'false'} now)"
    if not visits:
        return words + "; the profile has never been in it"
    last = max(visits, key=lambda each: each.began_at)
    ended = "" if last.ended_at is None else f" to {format_instant(last.ended_at)}"
    count = sum(each.count for each in visits)
    words += f"; the profile was in it {'once' if count == 1 else f'{count} times'}, last from "
    words += f"{format_instant(last.began_at)}{ended}; coming again: {_reentry(compiled)}"
    return words


def _by_object(entry: ObjectEntry, journey: str, sight: Sight) -> str:
    """How a journey begins by an object, and what is planned for the profile's objects."""
    held = sight.state.objects.get(entry.object, {})
    has = f"has a role in {', '.join(sorted(held))}" if held else f"has a role in no {entry.object}"
    if entry.at is None:
        return f"begins when a {entry.object} of the profile is {entry.on} (it {has})"
    plans = [plan for plan in sight.state.plans.values() if plan.journey == journey]
    told = [
        f"{plan.key}: {'passed' if plan.reached else 'planned for'} {format_instant(plan.target)}"
        for plan in sorted(plans, key=lambda each: each.key)
    ]
    return f"begins at {anchor_words(entry.at)} (the profile {has}{''.join(f'; {each}' for each in told)})"


def _reentry(compiled: CompiledJourney) -> str:
    reentry = compiled.journey.reentry
    if reentry.mode == "after":
        return f"{format_duration(reentry.period)} after the last exit"
    return reentry.mode.replace("_", " ")
