"""Evidence: what an event says about which identifiers belong together. Pure; next: `persons.py`, `spans.py`.

A *claim* says that a person has a span-owned identifier (a browser, a device) from an instant on. A *bond* says that
two identifiers are one person: `seen` on one event, `alias`, or `added` by an explicit `Link Added`. A *word* is
explicit and timeless: of those on one pair the newest counts, and `removed` takes all evidence of the pair away.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, Literal, NamedTuple

from innkeeper.events.types import ENGINE_SOURCE, PUBLIC_WORD, TRUST, USER_WORD, Event
from innkeeper.identity.namespaces import BUILT_IN, IdentityRules, Namespace
from innkeeper.identity.normal import exact
from innkeeper.kernel.ids import USER, anonymous, parse_id, user
from innkeeper.kernel.time import Instant

Kind = Literal["claim", "seen", "alias", "added", "removed"]
LINK_ADDED: Final = "Link Added"
LINK_REMOVED: Final = "Link Removed"
VERIFIED: Final = "Identifier Verified"
CONFIRMED: Final = "Double Opt-In Confirmed"
#: Track events that say something about identity in their properties.
SPOKEN: Final = frozenset({LINK_ADDED, LINK_REMOVED, VERIFIED, CONFIRMED})
_CHANNELS = {"email": "email", "sms": "phone", "phone": "phone", "whatsapp": "phone"}


class Evidence(NamedTuple):
    """One piece of evidence, in the order in which it counts: time, source, message, pair.

    Attributes:
        a, b: For a claim the claimed identifier and who claims it; for an alias the previous id and the new one.
        reason: Why it counts for nothing, whatever else is known; empty when it may count.
    """

    at: Instant
    source: str
    message_id: str
    a: str
    b: str
    kind: Kind
    seq: int = 0
    reason: str = ""

    @property
    def pair(self) -> tuple[str, str]:
        """The two identifiers, in one order."""
        return (self.a, self.b) if self.a < self.b else (self.b, self.a)

    @property
    def key(self) -> tuple[Instant, str, str]:
        """When it was said, exactly."""
        return self[:3]


def pair_of(a: str, b: str) -> tuple[str, str]:
    """Two identifiers, in one order."""
    return (a, b) if a < b else (b, a)


def evidence_of(event: Event, rules: IdentityRules) -> tuple[Evidence, ...]:
    """All evidence of an event, that which counts for nothing too."""
    if event.source == ENGINE_SOURCE:
        return ()
    if (trust := event.extra.get(TRUST)) in (PUBLIC_WORD, USER_WORD):
        # A public key joins nobody; with a user's token, that user and their browser.
        if trust == PUBLIC_WORD or event.user_id is None or event.anonymous_id is None:
            return ()
        return tuple(_Reading(event, rules).claims([], [anonymous(event.anonymous_id)]))
    context = event.context
    if (
        event.type == "alias"
        or event.name in SPOKEN
        or len(rules.namespaces) > len(BUILT_IN)
        or "device" in context
        or "email" in event.traits
        or "phone" in event.traits
    ):
        return tuple(_Reading(event, rules).all())
    # Nearly every event: one id, or a user's browser.
    if event.user_id is None or event.anonymous_id is None:
        return ()
    return tuple(_Reading(event, rules).claims([], [anonymous(event.anonymous_id)]))


class _Reading:
    """One event, read under the rules."""

    def __init__(self, event: Event, rules: IdentityRules) -> None:
        self.event, self.rules = event, rules
        self.trusted = rules.source(event.source)

    def all(self) -> Iterator[Evidence]:
        """Everything that the event says."""
        event = self.event
        if event.type == "track" and event.name in (LINK_ADDED, LINK_REMOVED):
            yield from self._word()
        people, spans = self._found()
        yield from self.claims(people, spans)
        if event.type == "alias":
            yield from self._alias()

    def claims(self, people: list[tuple[str, str]], spans: list[str]) -> Iterator[Evidence]:
        """What one event with these identifiers says: they are one person, who has these browsers and devices."""
        event = self.event
        own = user(event.user_id) if event.user_id is not None else None
        good = [each for each, reason in people if not reason]
        principal = own if own is not None else min(good, default=None)
        for each, reason in sorted(people):
            if each == principal:
                continue
            other = str(event.identifier) if principal is None else principal
            yield self._made(*pair_of(other, each), "seen", reason or self._blocked(other) or self._may_link())
        if principal is not None:
            for span in spans:
                yield self._made(span, principal, "claim", self._refusal(span) or self._blocked(principal))

    def _made(self, a: str, b: str, kind: Kind, reason: str = "") -> Evidence:
        event = self.event
        return Evidence(event.timestamp, event.source, event.message_id, a, b, kind, event.seq, reason)

    def _refusal(self, identifier: str) -> str:
        """Why nothing may be joined by an identifier that this event carries; empty: it may."""
        allowed = self.rules.namespace(identifier).sources
        if allowed is not None and self.event.source not in allowed:
            return "source"
        return self._blocked(identifier)

    def _blocked(self, identifier: str) -> str:
        namespace, _, value = identifier.partition(":")
        return "blocked" if self.rules.namespaces[namespace].blocks(value) else ""

    def _may_link(self) -> str:
        return "" if self.trusted.may_link else "may_not_link"

    def _found(self) -> tuple[list[tuple[str, str]], list[str]]:
        """The person identifiers beside the user id with their refusals, and the span-owned ones."""
        event = self.event
        people: dict[str, str] = {}
        spans = [] if event.anonymous_id is None else [str(anonymous(event.anonymous_id))]
        for namespace, raw in self._values():
            value = exact(namespace.name, raw)
            if value is None:
                continue
            identifier = f"{namespace.name}:{value}"
            if namespace.owner == "spans":
                if identifier not in spans:
                    spans.append(identifier)
            elif not identifier.startswith(USER):
                people[identifier] = self._refusal(identifier) or self._unverified(namespace, identifier)
        return list(people.items()), spans

    def _values(self) -> Iterator[tuple[Namespace, Any]]:
        event, namespaces = self.event, self.rules.namespaces
        for namespace in namespaces.values():
            for path in namespace.paths:
                yield namespace, _at(event, path)
        external = event.context.get("externalIds") if len(namespaces) > len(BUILT_IN) else None
        for item in external if isinstance(external, list) else ():
            if isinstance(item, dict) and (name := str(item.get("type"))) in namespaces and name not in BUILT_IN:
                yield namespaces[name], item.get("id")
        if event.name in (VERIFIED, CONFIRMED) and (said := self._said()) is not None:
            yield said

    def _said(self) -> tuple[Namespace, Any] | None:
        """The namespace and value that an event declares to be verified."""
        properties = self.event.properties
        if self.event.name == VERIFIED:
            name, value = str(properties.get("namespace")), properties.get("value")
        else:
            name, value = _CHANNELS.get(str(properties.get("channel")), ""), properties.get("address")
        found = self.rules.namespaces.get(name)
        return None if found is None else (found, value)

    def _unverified(self, namespace: Namespace, identifier: str) -> str:
        if not namespace.verified:
            return ""
        if not self.trusted.vouches:
            return "not_verified"
        if namespace.name in self.trusted.verifies:
            return ""
        said = self._said() if self.event.name in (VERIFIED, CONFIRMED) else None
        if said is None or said[0] is not namespace:
            return "not_verified"
        same = f"{namespace.name}:{exact(namespace.name, said[1])}" == identifier
        return self._may_link() if same else "not_verified"

    def _alias(self) -> Iterator[Evidence]:
        event, previous = self.event, self.event.extra.get("previousId")
        if event.user_id is None or not isinstance(previous, str) or not previous or previous == event.user_id:
            return
        new = str(user(event.user_id))
        if previous != event.anonymous_id:
            span = str(anonymous(previous))
            yield self._made(span, new, "claim", self._refusal(span) or self._blocked(new))
            old = str(user(previous))
            reason = self._blocked(old) or self._blocked(new) or self._may_link()
            yield self._made(old, new, "alias", reason)

    def _word(self) -> Iterator[Evidence]:
        properties, kind = self.event.properties, "added" if self.event.name == LINK_ADDED else "removed"
        a, b = (identifier_of(properties.get(name), self.rules) for name in ("a", "b"))
        if a is None or b is None or a == b:
            return
        spans = [each for each in (a, b) if self.rules.namespace(each).owner == "spans"]
        reason = self._blocked(a) or self._blocked(b) or self._may_link()
        if len(spans) == 2:
            reason = "two_spans"
        claimed, by = (b, a) if spans == [b] else (a, b)
        if not spans:
            claimed, by = pair_of(a, b)
        yield self._made(claimed, by, "added" if kind == "added" else "removed", reason)


def is_unlinking(event: Event) -> bool:
    """Whether an event is an explicit word that takes a link away."""
    return event.name == LINK_REMOVED and event.type == "track" and event.source != ENGINE_SOURCE


def identifier_of(text: object, rules: IdentityRules) -> str | None:
    """The identifier that a person or a program wrote, in its exact form; None when it has none."""
    if not isinstance(text, str):
        return None
    namespace, _, value = parse_id(text, rules.namespaces).partition(":")
    found = exact(namespace, value)
    return None if found is None else f"{namespace}:{found}"


def _at(event: Event, path: tuple[str, ...]) -> Any:
    value: Any = {"traits": event.traits, "properties": event.properties, "context": event.context}.get(path[0])
    for part in path[1:]:
        if not isinstance(value, dict):
            return None
        value = value.get(part)
    return value
