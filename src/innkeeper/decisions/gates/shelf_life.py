"""Is it still worth sending? A candidate that was held longer than its journey's shelf life expires."""

from __future__ import annotations

from typing import ClassVar

from innkeeper.decisions.candidate import Candidate, Sight
from innkeeper.decisions.gates.contract import Answer, Gate
from innkeeper.kernel.time import format_duration, format_instant


class ShelfLife(Gate):
    """Refuses a candidate that was deferred for too long."""

    name = "shelf_life"
    reasons: ClassVar = {"expired": "it was held back longer than the journey's shelf life"}
    examples: ClassVar = (
        ("offered at 22:30, quiet until 08:00, shelf life 24 hours", "allow"),
        ("offered at 22:30, quiet until 08:00, shelf life 2 hours", "deny: expired"),
    )

    def answer(self, candidate: Candidate, sight: Sight) -> Answer:
        """Whether it is still within its shelf life."""
        if sight.now <= candidate.expires_at:
            return Answer()
        facts = {
            "offered_at": format_instant(candidate.offered_at),
            "shelf_life": format_duration(candidate.shelf_life),
        }
        return Answer(reason="expired", facts=facts)
