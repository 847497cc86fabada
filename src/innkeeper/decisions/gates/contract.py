"""The contract of a gate: one file per gate in this folder, registered in `__init__.py`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Any, ClassVar

from innkeeper.decisions.candidate import Candidate, Sight
from innkeeper.decisions.policy import Kind
from innkeeper.kernel.time import Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a gate says: allow (empty reason), defer (with *until*), or deny; and the facts it saw, JSON."""

    reason: str = ""
    until: Instant | None = None
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def outcome(self) -> str:
        """allow, defer or deny."""
        if not self.reason:
            return "allow"
        return "deny" if self.until is None else "defer"


class Gate(ABC):
    """One question that every candidate must pass.

    Attributes:
        name: How decisions name it.
        reasons: Reason code to what it means, in plain words.
        skipped_by: Kinds of purpose that need not pass it.
        examples: Situation and answer, for people and for the UI.
    """

    name: ClassVar[str]
    reasons: ClassVar[dict[str, str]]
    skipped_by: ClassVar[frozenset[Kind]] = frozenset()
    examples: ClassVar[tuple[tuple[str, str], ...]]

    @abstractmethod
    def answer(self, candidate: Candidate, sight: Sight) -> Answer:
        """Whether the candidate may pass now."""
