"""The names that expressions may use: declared, seen in the log, or always known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from innkeeper.audiences.merges import NEWEST, Merges
from innkeeper.audiences.nodes import Expression
from innkeeper.events.signals import OPT_OUT
from innkeeper.objects.definition import EXPLICIT, ObjectType

_DELIVERY = frozenset({"message", "journey", "delivery_id"})
_CONSENT = frozenset({"purpose", "channel", "topic", "proof"})
_SUPPRESSION = frozenset({"reason", "channel"})

#: Events that every workspace knows: those the engine understands, the receipts, and those without a name of their own.
BUILT_IN_EVENTS: Mapping[str, frozenset[str]] = {
    "Consent Given": _CONSENT,
    "Consent Withdrawn": _CONSENT,
    "Double Opt-In Requested": _CONSENT | {"address"},
    "Double Opt-In Confirmed": _CONSENT | {"address"},
    OPT_OUT: frozenset({"signal"}),
    "Identifier Verified": frozenset({"namespace", "value"}),
    "Memory Noted": frozenset({"about", "value", "explicit", "note", "by"}),
    "Memory Forgotten": frozenset({"about", "by"}),
    "Staff Note Added": frozenset({"note", "by"}),
    "Suppressed": _SUPPRESSION,
    "Unsuppressed": _SUPPRESSION,
    "Suppression Corrected": frozenset({"reason", "by"}),
    "Deceased Reported": frozenset({"reason"}),
    "Household Joined": frozenset({"household_id"}),
    "Household Left": frozenset({"household_id"}),
    "Bereavement Answered": frozenset({"household_id", "answer"}),
    "Page Viewed": frozenset({"name", "path", "referrer", "search", "title", "url"}),
    "Screen Viewed": frozenset({"name"}),
    "Identified": frozenset(),
    "Grouped": frozenset(),
    "Aliased": frozenset(),
    "Item Updated": frozenset({"catalog", "id", "set"}),
    "Item Requested": frozenset({"catalog", "id"}),
    "Item Request Withdrawn": frozenset({"catalog", "id"}),
    "Left Account": frozenset({"account_id"}),
    "Account Updated": frozenset({"account_id", "set", "role"}),
    **EXPLICIT,
    "Message Sent": _DELIVERY,
    "Message Refused": _DELIVERY | {"state", "reason"},
    "Message Held": _DELIVERY | {"reason", "household_id", "deceased"},
    "Message Delivered": _DELIVERY,
    "Message Opened": _DELIVERY,
    "Message Clicked": _DELIVERY,
    "Message Bounced": _DELIVERY,
    "Message Complained": _DELIVERY,
    "Unsubscribed": _DELIVERY,
}

#: Traits that every workspace knows.
BUILT_IN_TRAITS = frozenset({"email", "household", "phone", "timezone", "country", "locale", "first_name"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalog:
    """What an expression may name, besides what is always known.

    Attributes:
        events: Each event's property names (top level).
        traits: Names of traits (top level).
        trait_types: The declared types of traits.
        audiences: The declared audiences and their conditions.
        stages: The stages in order, with their rules.
        namespaces: Namespaces of identifiers, for `id.X`.
        merges: How traits are merged.
        memories: What memories are about.
        account_traits: Names of the traits of accounts (top level) and their types; None: no accounts are declared.
        account_audiences: The declared audiences of accounts (`of: account`) and their conditions.
        roles: The declared roles of members.
        objects: The declared object types.
    """

    events: Mapping[str, frozenset[str]] = field(default_factory=dict)
    traits: frozenset[str] = frozenset()
    trait_types: Mapping[str, str] = field(default_factory=dict)
    audiences: Mapping[str, Expression] = field(default_factory=dict)
    stages: tuple[tuple[str, Expression], ...] = ()
    namespaces: frozenset[str] = frozenset(("user_id", "anonymous_id"))
    merges: Merges = NEWEST
    memories: frozenset[str] = frozenset()
    account_traits: Mapping[str, str] | None = None
    account_audiences: Mapping[str, Expression] = field(default_factory=dict)
    roles: tuple[str, ...] = ()
    objects: Mapping[str, ObjectType] = field(default_factory=dict)

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
