"""Runs the steps of open enrollments until each holds, ends, or offers a message to the gates.

Next in the flow: `decisions/arbitrate.py` decides about the offers, and `settle_offers` moves the enrollments on.
"""

from __future__ import annotations

from innkeeper.decisions.arbitrate import arbitrate
from innkeeper.decisions.candidate import Candidate, Sight, purpose_of
from innkeeper.events.outputs import StepReached, StepsSkipped
from innkeeper.journeys.compiled import FINISHED, CompiledJourney, Instruction, JourneyRules
from innkeeper.journeys.enrollment import end
from innkeeper.journeys.moves import End, Goto, Hold, Next, Offer, Past
from innkeeper.journeys.running import Here, template_context
from innkeeper.kernel.time import FOREVER
from innkeeper.profiles.state import Enrollment
from innkeeper.profiles.turn import Turn


def run_steps(turn: Turn, rules: JourneyRules, offers: dict[str, str]) -> None:
    """Run what is due, was never run, or waits for something that has changed.

    *offers* collects, by enrollment, the message that each offers to the gates.
    """
    for enrollment in list(turn.state.enrollments):
        idle = enrollment.waiting and enrollment.due_at > turn.now
        if (idle and not turn.concerned) or enrollment.id in offers:
            continue
        compiled = rules.find(enrollment.journey, enrollment.version)
        if compiled is None or (idle and not _concerned(turn, enrollment, compiled)):
            continue
        _run(turn, rules, compiled, enrollment, offers)


def _concerned(turn: Turn, enrollment: Enrollment, compiled: CompiledJourney) -> bool:
    if not compiled.bit & turn.concerned:
        return False
    instruction = compiled.program.get(enrollment.step)
    if instruction is None:
        return False
    return instruction.step.follows_object or (instruction.step.own_scope and bool(instruction.conditions))


def _run(
    turn: Turn, rules: JourneyRules, compiled: CompiledJourney, enrollment: Enrollment, offers: dict[str, str]
) -> None:
    while True:
        if enrollment.step == FINISHED:
            end(turn, enrollment, "finished", "")
            return
        instruction = compiled.program.get(enrollment.step)
        if instruction is None:
            end(turn, enrollment, "left", f"the step {enrollment.step} is gone")
            return
        here = Here(turn, compiled, enrollment, instruction, rules.workspace)
        if enrollment.waiting:
            move = instruction.step.resume(here)
        else:
            _reach(turn, enrollment, instruction)
            move = instruction.step.run(here)
        match move:
            case Hold(due_at=due_at, until=until):
                enrollment.waiting, enrollment.due_at, enrollment.until = True, due_at, until
                return
            case Offer(message=message):
                enrollment.waiting = True
                offers[enrollment.id] = message
                return
            case End(outcome=outcome, reason=reason):
                end(turn, enrollment, outcome, reason)
                return
            case Goto(label=label):
                advance_to(enrollment, instruction.arms[label])
            case Past() as past:
                _skip(turn, compiled, enrollment, instruction, past)
            case Next():
                advance_to(enrollment, instruction.next)


def _skip(turn: Turn, compiled: CompiledJourney, enrollment: Enrollment, instruction: Instruction, past: Past) -> None:
    """Put an enrollment before the next wait, and say what it has passed over."""
    advance_to(enrollment, instruction.next)
    skipped: list[Instruction] = []
    while (at := compiled.program.get(enrollment.step)) is not None and at.step.kind != "wait":
        skipped.append(at)
        enrollment.step = at.next
    if skipped:
        turn.outputs.append(
            StepsSkipped(
                identifier=enrollment.identifier, journey=enrollment.journey, enrollment=enrollment.id,
                key=enrollment.key, step=instruction.path, date=past.date, until=past.until,
                skipped=[each.path for each in skipped],
                messages=sorted({name for each in skipped for name in each.step.messages()}),
            )
        )  # fmt: skip


def advance_to(enrollment: Enrollment, path: str) -> None:
    """Put an enrollment before a step."""
    enrollment.step = path
    enrollment.waiting = False
    enrollment.due_at = enrollment.until = FOREVER


def _reach(turn: Turn, enrollment: Enrollment, instruction: Instruction) -> None:
    enrollment.reached_at = turn.now
    turn.outputs.append(
        StepReached(
            identifier=enrollment.identifier, journey=enrollment.journey, enrollment=enrollment.id,
            key=enrollment.key, step=instruction.path, kind=instruction.step.kind,
        )
    )  # fmt: skip


def settle_offers(turn: Turn, rules: JourneyRules, offers: dict[str, str]) -> None:
    """Ask the gates about all offers of this instant, and move the enrollments on."""
    open_ones = {each.id: each for each in turn.state.enrollments if each.id in offers}
    candidates = [candidate_of(turn, rules, each, offers[each.id]) for each in open_ones.values()]
    offers.clear()
    sight = Sight(
        state=turn.state, now=turn.now, policies=rules.policies, workspace_zone=turn.rules.zone,
        merges=turn.rules.merges,
    )  # fmt: skip
    for verdict in arbitrate([each for each in candidates if each is not None], sight, turn.outputs):
        enrollment = open_ones.pop(verdict.candidate.enrollment)
        if verdict.answer.until is not None:
            enrollment.due_at = enrollment.until = verdict.answer.until
        else:
            _go_on(rules, enrollment)
    for enrollment in open_ones.values():
        end(turn, enrollment, "left", "the message is gone")


def _go_on(rules: JourneyRules, enrollment: Enrollment) -> None:
    compiled = rules.find(enrollment.journey, enrollment.version)
    instruction = None if compiled is None else compiled.program.get(enrollment.step)
    advance_to(enrollment, FINISHED if instruction is None else instruction.next)


def candidate_of(turn: Turn, rules: JourneyRules, enrollment: Enrollment, name: str) -> Candidate | None:
    """The candidate that an enrollment offers; None when the message or the journey is no longer defined."""
    message = rules.messages.get(name)
    compiled = rules.find(enrollment.journey, enrollment.version)
    if message is None or compiled is None:
        return None
    journey = compiled.journey
    purpose = purpose_of(rules.policies, journey.purpose or message.purpose)
    return Candidate(
        message=message, purpose=purpose, journey=journey.name, version=enrollment.version, enrollment=enrollment.id,
        identifier=enrollment.identifier, key=enrollment.key, step=enrollment.step,
        priority=purpose.priority if journey.priority is None else journey.priority,
        offered_at=enrollment.reached_at, began_at=enrollment.began_at, owned_at=enrollment.owned_at,
        shelf_life=journey.shelf_life,
        context=template_context(turn.state, turn.reader, enrollment, rules.workspace, compiled.key_path),
    )  # fmt: skip
