"""The names that expressions may use: declared, seen in the log, or always known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from innkeeper.audiences.nodes import Expression

_DELIVERY = frozenset({"message", "journey", "delivery_id"})
_CONSENT = frozenset({"purpose", "channel", "topic", "proof"})
_SUPPRESSION = frozenset({"reason", "channel"})

#: Events that every workspace knows: those the engine understands, the receipts, and those without a name of their own.
BUILT_IN_EVENTS: Mapping[str, frozenset[str]] = {
    "Consent Given": _CONSENT,
    "Consent Withdrawn": _CONSENT,
    "Suppressed": _SUPPRESSION,
    "Unsuppressed": _SUPPRESSION,
    "Page Viewed": frozenset({"name", "path", "referrer", "search", "title", "url"}),
    "Screen Viewed": frozenset({"name"}),
    "Identified": frozenset(),
    "Grouped": frozenset(),
    "Aliased": frozenset(),
    "Message Sent": _DELIVERY,
    "Message Refused": _DELIVERY | {"state", "reason"},
    "Message Delivered": _DELIVERY,
    "Message Opened": _DELIVERY,
    "Message Clicked": _DELIVERY,
    "Message Bounced": _DELIVERY,
    "Message Complained": _DELIVERY,
    "Unsubscribed": _DELIVERY,
}

#: Traits that every workspace knows.
BUILT_IN_TRAITS = frozenset({"email", "phone", "timezone", "country", "locale", "first_name"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalog:
    """What an expression may name, besides what is always known.

    Attributes:
        events: Each event's property names (top level).
        traits: Names of traits (top level).
        audiences: The declared audiences and their conditions.
        stages: The stages in order, with their rules.
        namespaces: Namespaces of identifiers, for `id.X`.
    """

    events: Mapping[str, frozenset[str]] = field(default_factory=dict)
    traits: frozenset[str] = frozenset()
    audiences: Mapping[str, Expression] = field(default_factory=dict)
    stages: tuple[tuple[str, Expression], ...] = ()
    namespaces: frozenset[str] = frozenset(("user_id", "anonymous_id"))

    def properties(self, event: str) -> frozenset[str] | None:
        """The known properties of an event; None for an unknown event."""
        declared, built_in = self.events.get(event), BUILT_IN_EVENTS.get(event)
        if declared is None:
            return built_in
        return declared if built_in is None else declared | built_in

    @property
    def event_names(self) -> frozenset[str]:
        """All known events."""
        return frozenset(self.events) | frozenset(BUILT_IN_EVENTS)

    @property
    def trait_names(self) -> frozenset[str]:
        """All known traits."""
        return self.traits | BUILT_IN_TRAITS
