"""Did a better candidate win this instant? One marketing message per profile, channel and instant."""

from __future__ import annotations

from typing import ClassVar

from innkeeper.decisions.candidate import Candidate, Sight
from innkeeper.decisions.gates.contract import Answer, Gate


class Priority(Gate):
    """Refuses a second marketing message in one channel at one instant; the better one was tried first."""

    name = "priority"
    skipped_by: ClassVar = frozenset({"service", "transactional"})
    reasons: ClassVar = {"priority": "another message of the same instant and channel was more important"}
    examples: ClassVar = (
        ("two journeys send by email at once, priorities 5 and 1", "the second is denied: priority"),
        ("two journeys send at once, one by email and one by sms", "allow"),
    )

    def answer(self, candidate: Candidate, sight: Sight) -> Answer:
        """Whether no marketing message is reserved for this channel and instant."""
        for reservation in sight.state.reservations:
            if (
                reservation.at == sight.now
                and reservation.kind == "marketing"
                and reservation.channel == candidate.message.channel
            ):
                facts = {"lost_to": reservation.message, "delivery_id": reservation.delivery_id}
                return Answer(reason="priority", facts=facts | {"priority": candidate.priority})
        return Answer()
