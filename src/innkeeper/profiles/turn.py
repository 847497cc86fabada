"""One call of `advance`: its input, and what it has brought about so far. Next in the flow: `fold.py`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec

from innkeeper.events.outputs import Output
from innkeeper.events.types import Event
from innkeeper.kernel.ids import output_id
from innkeeper.kernel.time import Instant
from innkeeper.profiles.state import ProfileState, sender_of

if TYPE_CHECKING:
    from innkeeper.profiles.reading import ProfileReader
    from innkeeper.profiles.rules import ProfileRules

#: The traits that a profile's zone comes from.
ZONE_TRAITS = frozenset({"timezone", "country"})
Mode = Literal["live", "late", "history"]


class EventInput(msgspec.Struct, frozen=True, gc=False):
    """An event that is taken at an instant.

    `live`: at its own instant. `late`: at the clock, after its own instant. `history`: facts only; nothing is
    announced, entered or sent.
    """

    event: Event
    taken_at: Instant
    mode: Mode = "live"


class TimerInput(msgspec.Struct, frozen=True, gc=False):
    """An instant that has come: everything of the profile that is due at or before it."""

    at: Instant


Input = EventInput | TimerInput


class Turn:
    """The working memory of one call.

    Attributes:
        now: The instant of the input, by `taken_at`.
        event: The event that is taken; None for a timer.
        identifier: Under which the outputs are made that no older entry names.
        happened_at: When what is reacted to happened: the event's timestamp, or the timer's instant.
        nodes: Bitmask of audiences and stages to evaluate again.
        watchers: Bitmask of journeys whose open enrollments must look again, from the next round on.
        concerned: The same for this round.
        changed: Audiences entered or left and not yet reacted to.
        trace: Names of what has reacted, for the message of a loop.
    """

    __slots__ = (
        "changed", "concerned", "event", "happened_at", "history", "identifier", "nodes", "now", "outputs", "reader",
        "rules", "state", "trace", "watchers",
    )  # fmt: skip

    def __init__(self, state: ProfileState, rules: ProfileRules, reader: ProfileReader, now: Instant) -> None:
        self.state, self.rules, self.reader, self.now = state, rules, reader, now
        self.event: Event | None = None
        self.history = False
        self.identifier = sender_of(state)
        self.happened_at = now
        self.nodes = 0
        self.watchers = 0
        self.concerned = 0
        self.changed: list[tuple[str, bool]] = []
        self.outputs: list[Output] = []
        self.trace: list[str] = []

    def next_message_id(self) -> str:
        """The messageId that the log gives to the next output: subject, number of the input, index."""
        return output_id(self.state.subject, self.state.inputs, len(self.outputs))

    def trait_changed(self, name: str) -> None:
        """Mark everything that reads a trait."""
        if name in ZONE_TRAITS:
            self.reader.forget_zone()
        self.nodes |= self.rules.trait_nodes.get(name, 0)
        self.watchers |= self.rules.trait_watchers.get(name, 0)
