"""The gates, once per instant: candidates in order of rank, each seeing the reservations before it.

What comes out: a `DecisionMade` for every candidate, and for an allowed one a reservation and a `DeliveryPlanned`. Next
in the flow: `journeys/runner.py` moves the enrollments on; `runtime/deliver.py` claims the delivery.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from innkeeper.decisions.candidate import Candidate, Sight
from innkeeper.decisions.gates import GATES, Answer, Gate
from innkeeper.decisions.gates.addressable import address_of
from innkeeper.decisions.gates.cap import keep_reservations
from innkeeper.decisions.gates.quiet_hours import clock
from innkeeper.events.outputs import DecisionMade, DeliveryPlanned, Output
from innkeeper.profiles.state import Reservation


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What the gates say about one candidate together."""

    candidate: Candidate
    answer: Answer
    gate: str
    refusing: int


def judge(candidate: Candidate, sight: Sight) -> Verdict:
    """Ask every gate; the first that refuses gives the reason, the bitmask names all that would."""
    answer, decider, refusing = Answer(), "", 0
    for place, gate, given in answers(candidate, sight):
        if given.reason:
            refusing |= 1 << place
            if not decider:
                answer, decider = given, gate.name
    return Verdict(candidate=candidate, answer=answer, gate=decider, refusing=refusing)


def answers(candidate: Candidate, sight: Sight) -> Iterable[tuple[int, Gate, Answer]]:
    """Every gate that the candidate's kind must pass, with its place and its answer."""
    for place, gate in enumerate(GATES):
        if candidate.purpose.kind not in gate.skipped_by:
            yield place, gate, gate.answer(candidate, sight)


def arbitrate(candidates: Iterable[Candidate], sight: Sight, outputs: list[Output]) -> list[Verdict]:
    """Decide about the candidates of one instant, best first; reserves and plans what is allowed."""
    verdicts: list[Verdict] = []
    for candidate in sorted(candidates, key=lambda each: each.rank):
        verdict = judge(candidate, sight)
        outputs.append(_record(verdict))
        if not verdict.gate:
            _reserve(candidate, sight)
            outputs.append(_plan(candidate, sight))
        verdicts.append(verdict)
    return verdicts


def _record(verdict: Verdict) -> DecisionMade:
    candidate = verdict.candidate
    return DecisionMade(
        identifier=candidate.identifier, message=candidate.message.name, channel=candidate.message.channel,
        purpose=candidate.purpose.name, journey=candidate.journey, version=candidate.version,
        enrollment=candidate.enrollment, key=candidate.key, step=candidate.step, occurrence=candidate.occurrence,
        outcome=verdict.answer.outcome, gate=verdict.gate, reason=verdict.answer.reason, facts=verdict.answer.facts,
        until=verdict.answer.until, refusing=verdict.refusing,
    )  # fmt: skip


def _reserve(candidate: Candidate, sight: Sight) -> None:
    state = sight.state
    state.reservations = keep_reservations(state.reservations, sight.policies.caps, sight.now)
    state.reservations.append(
        Reservation(
            candidate.delivery_id, candidate.identifier, sight.now, candidate.purpose.name, candidate.message.channel,
            candidate.message.name, candidate.purpose.kind, candidate.owned_at,
        )
    )  # fmt: skip


def _plan(candidate: Candidate, sight: Sight) -> DeliveryPlanned:
    message = candidate.message
    address, _ = address_of(sight.state, message.channel, sight.merges)
    return DeliveryPlanned(
        identifier=candidate.identifier, delivery_id=candidate.delivery_id, message=message.name,
        channel=message.channel, purpose=candidate.purpose.name, kind=candidate.purpose.kind, topic=message.topic,
        journey=candidate.journey, version=candidate.version, enrollment=candidate.enrollment, key=candidate.key,
        step=candidate.step, address=address or "", expires_at=candidate.expires_at,
        quiet=_quiet(candidate, sight), context=candidate.context,
    )  # fmt: skip


def _quiet(candidate: Candidate, sight: Sight) -> dict[str, str] | None:
    quiet = sight.policies.quiet_hours
    if quiet is None or quiet.start == quiet.end or candidate.purpose.kind == "transactional":
        return None
    return {"zone": sight.zone().name, "from": clock(quiet.start), "to": clock(quiet.end)}
