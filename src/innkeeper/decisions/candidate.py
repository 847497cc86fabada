"""A message that could be sent, and what the gates see of its profile. Next in the flow: `gates/`, `arbitrate.py`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from innkeeper.audiences.merges import NEWEST, Merges
from innkeeper.content.types import Message
from innkeeper.decisions.policy import Policies, Purpose
from innkeeper.kernel.ids import digest
from innkeeper.kernel.time import Duration, Instant
from innkeeper.profiles.state import ProfileState
from innkeeper.profiles.zone import ZoneChoice, zone_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A message that could be sent to a profile now.

    Attributes:
        offered_at: When it first became a candidate; with `shelf_life` it says when it expires.
        began_at: When its enrollment began; the older one goes first.
        owned_at: The instant that says whose the enrollment is, under an identifier that changes hands.
        context: What its template may read.
    """

    message: Message
    purpose: Purpose
    journey: str
    version: str
    enrollment: str
    identifier: str
    key: str | None
    step: str
    priority: int
    offered_at: Instant
    began_at: Instant
    owned_at: Instant
    shelf_life: Duration
    context: dict[str, Any]
    occurrence: int = 0

    @property
    def delivery_id(self) -> str:
        """The unique key of its delivery: the same candidate, the same id."""
        return digest(self.enrollment, self.step, self.occurrence)

    @property
    def expires_at(self) -> Instant:
        """Past this instant it has no effect any more."""
        return self.offered_at + self.shelf_life

    @property
    def rank(self) -> tuple[int, Instant, str, str, str]:
        """Its place among the candidates of one instant: priority, then the older enrollment, then the name."""
        return -self.priority, self.began_at, self.journey, self.message.name, self.enrollment


def purpose_of(policies: Policies, name: str) -> Purpose:
    """The declared purpose of a name; one that nobody declared is marketing that needs consent, the strictest."""
    return policies.purposes.get(name) or Purpose(name=name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """What the gates see: the profile as it stands, the instant, the policies, how traits are merged."""

    state: ProfileState
    now: Instant
    policies: Policies
    workspace_zone: str
    merges: Merges = NEWEST

    def zone(self) -> ZoneChoice:
        """The profile's zone and where it comes from."""
        return zone_of(self.state, self.workspace_zone, self.merges)
