"""Who is who, as slowly and plainly as docs/identity.md says it. Written apart from what it judges."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from innkeeper.events.types import Event

NOBODY = {"", "null", "undefined", "unknown", "0", "-1", "none", "anonymous", "guest", "test"}
NOBODY_AS_USER = {"", "null", "undefined", "nan", "nil", "(null)"}
#: What is handed over from claim to claim; `kiosk` is a declared namespace from `context.kiosk`.
SPANS = ("anonymous_id:", "device:", "kiosk:")


@dataclass(frozen=True)
class Rules:
    """The declared rules that the random histories use.

    `card` is a declared person namespace from `traits.card`; email counts from the sources in *verifying*.
    """

    fan_in: int = 100
    limits: dict[str, int] = field(default_factory=dict)
    verifying: frozenset[str] = frozenset()
    not_linking: frozenset[str] = frozenset()
    card: bool = False

    def limit(self, namespace: str) -> int:
        """The most of one namespace."""
        return min(self.limits.get(namespace, self.fan_in), self.fan_in)


def blocked(identifier: str) -> bool:
    """Whether a value stands for nobody in particular."""
    namespace, _, value = identifier.partition(":")
    return value.strip().lower() in (NOBODY_AS_USER if namespace == "user_id" else NOBODY)


class Who:
    """Who is who as of an instant, over words up to *known* (None: all)."""

    def __init__(self, events: Iterable[Event], rules: Rules, at: int | None = None, known: int | None = None) -> None:
        self.rules = rules
        # (timestamp, source, message id, smaller, larger, kind); for an alias the old id, then the new one
        self.bonds: list[tuple[int, str, str, str, str, str]] = []
        # (timestamp, source, message id, claimed, claimant)
        self.claims: list[tuple[int, str, str, str, str]] = []
        self.words: dict[frozenset[str], tuple[tuple[int, str, str], bool]] = {}
        for event in events:
            if event.source != "innkeeper":
                self.read(event, at, known)
        self.groups: list[set[str]] = []
        self.renamed: dict[str, str] = {}
        self.join()
        self.claims = [claim for claim in self.claims if not self.removed(claim[3], claim[4])]
        self.allow()

    def read(self, event: Event, at: int | None, known: int | None) -> None:
        """Note what one event says."""
        stamp = (event.timestamp, event.source, event.message_id)
        counts = at is None or event.timestamp <= at
        user = None if event.user_id is None else "user_id:" + event.user_id
        linking = event.source not in self.rules.not_linking
        if event.type == "track" and event.name in ("Link Added", "Link Removed") and linking:
            self.read_word(event, stamp, counts, known)
        if not counts:
            return
        others = self.others(event)
        principal = user or min(others, default=None)
        if principal is None:
            return
        for other in others:
            if other != principal and linking and not blocked(other) and not blocked(principal):
                self.bonds.append((*stamp, *sorted((principal, other)), "seen"))  # type: ignore[arg-type]
        spans = set()
        if event.anonymous_id is not None:
            spans.add("anonymous_id:" + event.anonymous_id)
        device = event.context.get("device")
        if isinstance(device, dict) and isinstance(device.get("id"), str):
            spans.add("device:" + device["id"])
        kiosk = event.context.get("kiosk")
        if isinstance(kiosk, str):
            spans.add("kiosk:" + kiosk)
        previous = event.extra.get("previousId") if event.type == "alias" else None
        if user and isinstance(previous, str) and previous not in ("", event.user_id, event.anonymous_id):
            spans.add("anonymous_id:" + previous)
            old = "user_id:" + previous
            if linking and not blocked(old) and not blocked(user):
                self.bonds.append((*stamp, old, user, "alias"))
        if not blocked(principal):
            self.claims += [(*stamp, span, principal) for span in sorted(spans) if not blocked(span)]

    def others(self, event: Event) -> list[str]:
        """The person identifiers beside the user id that count."""
        found = set()
        email, card = event.traits.get("email"), event.traits.get("card")
        linking = event.source not in self.rules.not_linking
        said: Any = None
        if event.name == "Identifier Verified" and event.properties.get("namespace") == "email" and linking:
            said = event.properties.get("value")
        if event.name == "Double Opt-In Confirmed" and event.properties.get("channel") == "email" and linking:
            said = event.properties.get("address")
        if isinstance(said, str):
            found.add("email:" + lower_domain(said))
        if isinstance(email, str) and event.source in self.rules.verifying:
            found.add("email:" + lower_domain(email))
        if isinstance(card, str) and card and self.rules.card:
            found.add("card:" + card)
        return sorted(each for each in found if not blocked(each))

    def read_word(self, event: Event, stamp: tuple[int, str, str], counts: bool, known: int | None) -> None:
        """Note an explicit word on two identifiers."""
        a, b = str(event.properties.get("a")), str(event.properties.get("b"))
        a, b = (each if ":" in each else "user_id:" + each for each in (a, b))
        spans = [each for each in (a, b) if each.startswith(SPANS)]
        if a == b or len(spans) == 2 or blocked(a) or blocked(b):
            return
        pair, added = frozenset((a, b)), event.name == "Link Added"
        if (known is None or event.timestamp <= known) and (pair not in self.words or self.words[pair][0] < stamp):
            self.words[pair] = (stamp, added)
        if added and counts:
            if spans:
                self.claims.append((*stamp, spans[0], b if spans[0] == a else a))
            else:
                self.bonds.append((*stamp, *sorted((a, b)), "added"))  # type: ignore[arg-type]

    def removed(self, a: str, b: str) -> bool:
        """Whether the newest word on a pair takes it away."""
        word = self.words.get(frozenset((a, b)))
        return word is not None and not word[1]

    def group(self, identifier: str) -> set[str]:
        """The identifiers of one person."""
        return next((group for group in self.groups if identifier in group), {identifier})

    def join(self) -> None:
        """Take the bonds in their order."""
        for bond in sorted(self.bonds):
            a, b, kind = bond[3:]
            if self.removed(a, b) or (kind == "alias" and self.renamed.get(a, b) != b):
                continue
            mine, theirs = self.group(a), self.group(b)
            if mine is not theirs and mine != theirs:
                both = mine | theirs
                users = [any(each.startswith("user_id:") for each in side) for side in (mine, theirs)]
                names = {each.partition(":")[0] for each in both}
                too_many = len(both) > self.rules.fan_in or any(
                    sum(each.startswith(name + ":") for each in both) > self.rules.limit(name) for name in names
                )
                if too_many or (kind == "seen" and all(users)):
                    continue
                self.groups = [group for group in self.groups if group is not mine and group is not theirs] + [both]
            if kind == "alias":
                self.renamed[a] = b

    def allow(self) -> None:
        """Each claims only as many of a namespace as it may: those that it claimed first."""
        firsts: dict[tuple[str, str], dict[str, tuple[int, str, str]]] = {}
        for *stamp, span, claimant in sorted(self.claims):
            firsts.setdefault((claimant, span.partition(":")[0]), {}).setdefault(span, tuple(stamp))  # type: ignore[arg-type]
        allowed = set()
        for (claimant, namespace), own in firsts.items():
            ordered = sorted(own, key=lambda span: (own[span], span))
            allowed |= {(span, claimant) for span in ordered[: self.rules.limit(namespace)]}
        self.claims = sorted(claim for claim in self.claims if (claim[3], claim[4]) in allowed)

    def name(self, identifier: str) -> str:
        """What a person's profile is called."""
        group = self.group(identifier)
        users = [each for each in group if each.startswith("user_id:")]
        return min([each for each in users if each not in self.renamed] or users or group)

    def owner(self, identifier: str, at: int) -> str:
        """Whose an identifier is at an instant."""
        if not identifier.startswith(SPANS):
            return self.name(identifier)
        claims = [claim for claim in self.claims if claim[3] == identifier]
        earlier = [claim for claim in claims if claim[0] <= at]
        if not claims:
            return identifier
        return self.name(earlier[-1][4] if earlier else claims[0][4])

    def subject(self, event: Event) -> str:
        """The profile that an event belongs to."""
        return self.owner(event.identifier, event.timestamp)

    def claimed(self, subject: str, namespace: str) -> list[str]:
        """Everything of a namespace that a profile claims, or is."""
        own = {claim[3] for claim in self.claims if self.name(claim[4]) == subject}
        own |= {subject} if not subject.startswith("user_id:") else set()
        return sorted(each for each in own if each.startswith(namespace + ":"))


def lower_domain(address: str) -> str:
    """An address with its domain in lower case."""
    local, _, domain = address.rpartition("@")
    return f"{local}@{domain.lower()}"
