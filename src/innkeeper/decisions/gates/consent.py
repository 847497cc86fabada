"""May we write for this purpose? A purpose with the basis `consent` needs a word; the others hold until withdrawn.

With `double_opt_in` the word must have been confirmed.
"""

from __future__ import annotations

from typing import Any, ClassVar

from innkeeper.decisions.candidate import Candidate, Sight
from innkeeper.decisions.gates.contract import Answer, Gate
from innkeeper.kernel.time import format_instant
from innkeeper.profiles.consent import standing


class Consent(Gate):
    """Refuses what the customer has not agreed to, for purpose, channel and topic."""

    name = "consent"
    skipped_by: ClassVar = frozenset({"transactional"})
    reasons: ClassVar = {
        "no_consent": "the purpose needs consent, and none was given",
        "not_confirmed": "the customer was asked to confirm (double opt-in), and has not",
        "consent_withdrawn": "the customer said no to this purpose, channel or topic",
    }
    examples: ClassVar = (
        ("basis consent, no word", "deny: no_consent"),
        ("basis legitimate_interest, no word", "allow"),
        ("double_opt_in, Consent Given {}", "deny: not_confirmed"),
        ("double_opt_in, Double Opt-In Confirmed {}", "allow"),
        ("basis contract, Consent Withdrawn {}", "deny: consent_withdrawn"),
    )

    def answer(self, candidate: Candidate, sight: Sight) -> Answer:
        """Whether the latest word, or the basis without one, allows it."""
        purpose, message = candidate.purpose, candidate.message
        said = standing(sight.state, purpose.name, message.channel, message.topic)
        facts: dict[str, Any] = {
            "purpose": purpose.name, "channel": message.channel, "topic": message.topic, "basis": purpose.basis,
            "given": said.given, "at": None if said.at is None else format_instant(said.at),
            "identifier": said.identifier,
        }  # fmt: skip
        if purpose.double_opt_in:
            facts["confirmed"] = said.confirmed
        if said.given is False:
            return Answer(reason="consent_withdrawn", facts=facts)
        if purpose.double_opt_in and not said.confirmed and (said.given or said.requested):
            return Answer(reason="not_confirmed", facts=facts)
        if said.given is None and purpose.basis == "consent":
            return Answer(reason="no_consent", facts=facts)
        return Answer(facts=facts)
