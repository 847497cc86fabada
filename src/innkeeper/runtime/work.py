"""What the engine works with: an event to take, what a commit writes, what a run counts. Next: `engine.py`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from innkeeper.events import outputs as o
from innkeeper.events.types import Event
from innkeeper.kernel.time import Instant
from innkeeper.store.accounts import FanOutRow
from innkeeper.store.identity import Merge
from innkeeper.store.projections import Move, Projections
from innkeeper.store.state import OutboxRow, TakenRow

Mode = Literal["live", "late", "history"]
#: What becomes of planned deliveries: nothing (accepted at once, virtually), waited for, left to a deliverer, or, in a
#: replay, what became of them in the recorded order.
Delivery = Literal["virtual", "wait", "later", "replay"]


@dataclass(frozen=True, slots=True)
class Item:
    """One log event to take."""

    event: Event
    taken_at: Instant
    mode: Mode = "live"


@dataclass(slots=True)
class Counts:
    """What a run did."""

    ticks: int = 0
    events: int = 0
    entered: int = 0
    left: int = 0
    enrollments: int = 0
    decisions: int = 0
    planned: int = 0
    accepted: int = 0

    def add(self, output: o.Output) -> None:
        """Count one output."""
        match output:
            case o.AudienceEntered():
                self.entered += 1
            case o.AudienceLeft():
                self.left += 1
            case o.JourneyEntered():
                self.enrollments += 1
            case o.DecisionMade():
                self.decisions += 1
            case o.DeliveryPlanned():
                self.planned += 1
            case _:
                pass


@dataclass(slots=True)
class Pending:
    """What the next commit writes."""

    dirty: set[str] = field(default_factory=set)
    gone: set[str] = field(default_factory=set)
    outbox: list[OutboxRow] = field(default_factory=list)
    taken: list[TakenRow] = field(default_factory=list)
    moves: list[Move] = field(default_factory=list)
    restated: dict[str, Instant] = field(default_factory=dict)
    merges: list[Merge] = field(default_factory=list)
    heard: list[str] = field(default_factory=list)
    fanouts: dict[tuple[str, str, str, str], FanOutRow | None] = field(default_factory=dict)
    told: dict[tuple[str, str, str, str], FanOutRow] = field(default_factory=dict)
    projections: Projections = field(default_factory=Projections)
