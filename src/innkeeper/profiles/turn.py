"""One call of `advance`: its input, and what it has brought about so far. Next in the flow: `fold.py`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec

from innkeeper.events.outputs import Output
from innkeeper.events.types import Event
from innkeeper.kernel.ids import output_id
from innkeeper.kernel.time import Instant
from innkeeper.profiles.others import News
from innkeeper.profiles.rules import ZONE_TRAITS
from innkeeper.profiles.state import ProfileState, sender_of

if TYPE_CHECKING:
    from innkeeper.profiles.reading import ProfileReader
    from innkeeper.profiles.rules import ProfileRules

Mode = Literal["live", "late", "history"]


class EventInput(msgspec.Struct, frozen=True, gc=False):
    """An event that is taken at an instant.

    `live`: at its own instant. `late`: at the clock, after its own instant. `history`: facts only; nothing is
    announced, entered or sent.

    Attributes:
        news: What the event has changed in things that its sender has a role in; the sender sees them after the event.
    """

    event: Event
    taken_at: Instant
    mode: Mode = "live"
    news: tuple[News, ...] = ()


class ToldInput(msgspec.Struct, frozen=True, gc=False):
    """News for a profile that did not send the event itself; *taken_at* and *mode* are those of the event."""

    news: tuple[News, ...]
    event: Event
    taken_at: Instant
    mode: Mode = "live"


class TimerInput(msgspec.Struct, frozen=True, gc=False):
    """An instant that has come: everything of the profile that is due at or before it."""

    at: Instant


Input = EventInput | ToldInput | TimerInput


class Turn:
    """The working memory of one call.

    Attributes:
        now: The instant of the input, by `taken_at`.
        event: The event that is taken; None for a timer, and for news of an event that somebody else sent.
        news: What other subjects have told with this input.
        had: What the profile had a role in before the news: (kind, type, id).
        about: The event that the news are of, whoever sent it.
        replan: Whether every date has to be looked at again: a zone has changed, or objects have come with a merge.
        identifier: Under which the outputs are made that no older entry names.
        said_at: The instant that says whose what is made under it is, if it changes hands: of its owner at the event,
            or when that was said which the profile is told for.
        happened_at: When what is reacted to happened: the event's timestamp, or the timer's instant.
        nodes: Bitmask of audiences and stages to evaluate again.
        watchers: Bitmask of journeys whose open enrollments must look again, from the next round on.
        concerned: The same for this round.
        changed: Audiences entered or left and not yet reacted to.
        trace: Names of what has reacted, for the message of a loop.
    """

    __slots__ = (
        "about", "changed", "concerned", "event", "had", "happened_at", "history", "identifier", "news", "nodes", "now",
        "outputs", "reader", "replan", "rules", "said_at", "state", "trace", "watchers",
    )  # fmt: skip

    def __init__(self, state: ProfileState, rules: ProfileRules, reader: ProfileReader, now: Instant) -> None:
        self.state, self.rules, self.reader, self.now = state, rules, reader, now
        self.event: Event | None = None
        self.news: tuple[News, ...] = ()
        self.about: Event | None = None
        self.replan = False
        self.had: set[tuple[str, str, str]] = set()
        self.history = False
        self.identifier = sender_of(state)
        self.happened_at = now
        facts = state.facts.get(self.identifier)
        # What comes of time alone goes with what is known.
        self.said_at = now if facts is None else min(facts.latest, now)
        self.nodes = 0
        self.watchers = 0
        self.concerned = 0
        self.changed: list[tuple[str, bool]] = []
        self.outputs: list[Output] = []
        self.trace: list[str] = []

    def next_message_id(self) -> str:
        """The messageId that the log gives to the next output: subject, number of the input, index."""
        return output_id(self.state.subject, self.state.inputs, len(self.outputs))

    def memory_changed(self, about: str) -> None:
        """Mark everything that reads a memory."""
        self.nodes |= self.rules.memory_nodes.get(about, 0)
        self.watchers |= self.rules.memory_watchers.get(about, 0)

    def trait_changed(self, name: str) -> None:
        """Mark everything that reads a trait."""
        if name in ZONE_TRAITS:
            self.reader.forget_zone()
            self.replan = True
        self.nodes |= self.rules.trait_nodes.get(name, 0)
        self.watchers |= self.rules.trait_watchers.get(name, 0)

    def thing_changed(self, news: News) -> None:
        """Mark everything that reads things of a type."""
        mark = (news.kind, news.type)
        self.nodes |= self.rules.thing_nodes.get(mark, 0)
        self.watchers |= self.rules.thing_watchers.get(mark, 0)
