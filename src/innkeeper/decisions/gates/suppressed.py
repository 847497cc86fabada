"""Is the channel closed for good? `Suppressed` closes it, whatever the consent says, until `Unsuppressed`."""

from __future__ import annotations

from typing import ClassVar

from innkeeper.decisions.candidate import Candidate, Sight
from innkeeper.decisions.gates.contract import Answer, Gate
from innkeeper.kernel.time import format_instant
from innkeeper.profiles.suppression import suppressed


class Suppression(Gate):
    """Refuses a suppressed channel; no purpose passes it."""

    name = "suppressed"
    reasons: ClassVar = {"suppressed": "this channel is suppressed: a hard bounce, a complaint, or someone's word"}
    examples: ClassVar = (
        ("Suppressed {channel: email}, a message by email", "deny: suppressed"),
        ("Suppressed {channel: sms}, a message by email", "allow"),
    )

    def answer(self, candidate: Candidate, sight: Sight) -> Answer:
        """Whether the channel is free."""
        word = suppressed(sight.state, candidate.message.channel)
        if word is None:
            return Answer()
        facts = {"channel": word.channel, "why": word.reason, "since": format_instant(word.at)}
        return Answer(reason="suppressed", facts=facts)
