"""Why, and why not: what every gate would say about a message to a profile now. Asks the same gates, reserves nothing.

Which journeys would offer the message, and where the profile stands in them, is `journeys/explain.py`.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from innkeeper.content.types import Message
from innkeeper.decisions.arbitrate import answers
from innkeeper.decisions.candidate import Candidate, Sight
from innkeeper.decisions.gates import GATES, REASONS
from innkeeper.decisions.policy import Purpose
from innkeeper.kernel.time import DAY, Duration, Instant, format_instant


@dataclass(frozen=True, slots=True, kw_only=True)
class GateAnswer:
    """What one gate says: allow, defer, deny, or skipped by the kind of the purpose."""

    gate: str
    outcome: str
    reason: str
    words: str
    facts: dict[str, Any]
    until: str | None

    def as_dict(self) -> dict[str, Any]:
        """JSON."""
        return asdict(self)


def explain_gates(candidate: Candidate, sight: Sight) -> tuple[GateAnswer, ...]:
    """The answer of every gate, in their order; those that the purpose passes say `skipped`."""
    given = {place: answer for place, _, answer in answers(candidate, sight)}
    found: list[GateAnswer] = []
    for place, gate in enumerate(GATES):
        answer = given.get(place)
        if answer is None:
            words = f"{candidate.purpose.kind} messages pass this gate"
            found.append(GateAnswer(gate=gate.name, outcome="skipped", reason="", words=words, facts={}, until=None))
            continue
        until = None if answer.until is None else format_instant(answer.until)
        words = REASONS.get(answer.reason, "allowed")
        outcome, reason, facts = answer.outcome, answer.reason, answer.facts
        found.append(GateAnswer(gate=gate.name, outcome=outcome, reason=reason, words=words, facts=facts, until=until))
    return tuple(found)


def verdict(found: tuple[GateAnswer, ...]) -> GateAnswer | None:
    """The first answer that refuses; None when the message would be planned."""
    return next((each for each in found if each.outcome in ("deny", "defer")), None)


def hypothetical(
    message: Message, purpose: Purpose, identifier: str, offered_at: Instant, priority: int, shelf_life: Duration = DAY
) -> Candidate:
    """A candidate to ask the gates about; nothing is planned from it."""
    return Candidate(
        message=message,
        purpose=purpose,
        journey="",
        version="",
        enrollment="",
        identifier=identifier,
        key=None,
        step="",
        priority=priority,
        offered_at=offered_at,
        began_at=offered_at,
        owned_at=offered_at,
        shelf_life=shelf_life,
        context={},
    )
