"""The event: one record for everything that happens, after parsing and before folding."""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec

from innkeeper.kernel.ids import Identifier, anonymous, user
from innkeeper.kernel.json import dumps, loads
from innkeeper.kernel.time import Instant

#: The source under which the engine's own outputs and the receipts of deliveries stand in the log.
ENGINE_SOURCE = "innkeeper"

#: Events of the engine's own source that are inputs of the fold: the fates of deliveries.
RECEIPTS = frozenset(
    {
        "Message Sent", "Message Refused", "Message Held", "Message Delivered", "Message Opened", "Message Clicked",
        "Message Bounced", "Message Complained", "Unsubscribed",
    }
)  # fmt: skip

#: Where an event of a public key says how far its word goes: nobody in particular, a user with a token.
#: An event without it has the trust of its source.
TRUST, PUBLIC_WORD, USER_WORD = "trust", "public", "user"


class Event(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One event of the log.

    Attributes:
        seq: Place in the log, from 1, rising; 0 before the log has given it one.
        source: Who sent it (`import`, a source's name, or `innkeeper` for the engine's own outputs).
        message_id: Unique within the source.
        type: track, identify, page, screen, group or alias.
        name: What expressions call it: a track's `event`; `Page Viewed`, `Screen Viewed`; `Identified`, `Grouped`,
            `Aliased` for the types that have no event name of their own.
        user_id, anonymous_id: As sent; at least one is set.
        timestamp: When it happened.
        received_at: When it arrived.
        properties, traits, context: As sent; `traits` holds `traits` of identify merged over `context.traits`.
            For a group event the group's traits stay in `extra`.
        extra: Everything else that was sent (groupId, previousId, unknown fields).
    """

    seq: int = 0
    source: str
    message_id: str
    type: str
    name: str
    user_id: str | None = None
    anonymous_id: str | None = None
    timestamp: Instant
    received_at: Instant
    properties: dict[str, Any] = {}
    traits: dict[str, Any] = {}
    context: dict[str, Any] = {}
    extra: dict[str, Any] = {}

    @property
    def identifier(self) -> Identifier:
        """What the event is stored and folded under: its user id, else its anonymous id."""
        return user(self.user_id) if self.user_id is not None else anonymous(self.anonymous_id or "")

    @property
    def is_input(self) -> bool:
        """Whether the fold of a profile takes it: everything about somebody but the engine's own outputs (receipts are
        inputs)."""
        return (self.source != ENGINE_SOURCE or self.name in RECEIPTS) and not self.is_about_nobody

    @property
    def is_about_nobody(self) -> bool:
        """Whether it has no id: a word about the log itself, which no sender can say."""
        return self.user_id is None and self.anonymous_id is None


class LogRow(NamedTuple):
    """An event on its way into the log: JSON parts as texts, so that nothing is decoded and encoded again."""

    source: str
    message_id: str
    type: str
    name: str
    user_id: str | None
    anonymous_id: str | None
    timestamp: Instant
    received_at: Instant
    properties: str = "{}"
    traits: str = "{}"
    context: str = "{}"
    extra: str = "{}"


def to_row(event: Event) -> LogRow:
    """The row of an event."""
    return LogRow(
        event.source, event.message_id, event.type, event.name, event.user_id, event.anonymous_id, event.timestamp,
        event.received_at, dumps(event.properties), dumps(event.traits), dumps(event.context), dumps(event.extra),
    )  # fmt: skip


def from_row(seq: int, row: LogRow) -> Event:
    """The event of a row, with its parts decoded."""
    return Event(
        seq=seq, source=row.source, message_id=row.message_id, type=row.type, name=row.name, user_id=row.user_id,
        anonymous_id=row.anonymous_id, timestamp=row.timestamp, received_at=row.received_at,
        properties=_part(row.properties), traits=_part(row.traits), context=_part(row.context),
        extra=_part(row.extra),
    )  # fmt: skip


def _part(text: str) -> dict[str, Any]:
    return {} if text == "{}" else loads(text)
