"""Persons: which identifiers are one, from the bonds between them, as a function of the set of bonds.

Bonds are taken in the order of time, as Kruskal's algorithm takes edges; one that would break a limit is refused. What
holds at an instant therefore follows from the bonds up to it. Two user ids are joined by an alias or an explicit word
alone. Next in the flow: `spans.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from innkeeper.identity.evidence import Evidence, pair_of
from innkeeper.identity.namespaces import IdentityRules
from innkeeper.kernel.ids import USER

#: The newest word on each pair: True for added, False for removed.
Words = Mapping[tuple[str, str], bool]


@dataclass(slots=True)
class Persons:
    """What came of the bonds.

    Attributes:
        joins: The bonds that joined two persons, or renamed one, in their order.
        refused: Those that count for nothing, with the reason.
    """

    joins: list[Evidence] = field(default_factory=list)
    refused: list[tuple[Evidence, str]] = field(default_factory=list)
    _parent: dict[str, str] = field(default_factory=dict)
    _members: dict[str, list[str]] = field(default_factory=dict)
    _renamed: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, groups: Iterable[list[str]], renamed: Mapping[str, str]) -> Persons:
        """Persons that are known already, with what each replaced user id was replaced by."""
        made = cls(_renamed=dict(renamed))
        for group in groups:
            made._members[group[0]] = list(group)
            made._parent |= dict.fromkeys(group, group[0])
        return made

    def members(self, identifier: str) -> list[str]:
        """The identifiers of the same person, itself among them, sorted."""
        return sorted(self._members.get(self.root(identifier), [identifier]))

    def root(self, identifier: str) -> str:
        """What stands for the person inside this object."""
        parent = self._parent
        while (above := parent.get(identifier, identifier)) != identifier:
            parent[identifier] = parent.get(above, above)
            identifier = above
        return identifier

    def subject(self, identifier: str) -> str:
        """The name of the person's profile."""
        return name_of(self.members(identifier), self._renamed)

    def everyone(self) -> dict[str, str]:
        """The subject of every identifier that is joined to another."""
        found: dict[str, str] = {}
        for members in self._members.values():
            if len(members) > 1:
                found |= dict.fromkeys(members, name_of(members, self._renamed))
        return found

    def take(self, bond: Evidence, rules: IdentityRules) -> str:
        """Take the next bond in the order; the reason if it is refused."""
        if bond.kind == "alias" and self._renamed.get(bond.a, bond.b) != bond.b:
            return "renamed"
        a, b = self.root(bond.a), self.root(bond.b)
        if a != b:
            mine, theirs = self._members.get(a, [a]), self._members.get(b, [b])
            reason = refusal(mine, theirs, bond, rules)
            if reason:
                return reason
            self._parent[b] = a
            self._members[a] = [*mine, *theirs]
            self._members.pop(b, None)
        if bond.kind == "alias":
            if a == b and bond.a in self._renamed:
                return ""
            self._renamed[bond.a] = bond.b
        elif a == b:
            return ""
        self.joins.append(bond)
        return ""


def name_of(members: Iterable[str], renamed: Mapping[str, str]) -> str:
    """The identifier that names a person: the smallest user id that no alias has replaced; else the smallest of all."""
    everyone = list(members)
    users = [each for each in everyone if each.startswith(USER)]
    return min([each for each in users if each not in renamed] or users or everyone)


def refusal(mine: list[str], theirs: list[str], bond: Evidence, rules: IdentityRules) -> str:
    """Why two groups of identifiers may not become one by a bond; empty: they may."""
    if bond.kind == "seen" and all(any(each.startswith(USER) for each in side) for side in (mine, theirs)):
        return "two_users"
    if len(mine) + len(theirs) > rules.fan_in:
        return "fan_in"
    counts: dict[str, int] = {}
    for each in (*mine, *theirs):
        namespace = each.partition(":")[0]
        counts[namespace] = counts.get(namespace, 0) + 1
    return "limit" if any(count > rules.limit(name) for name, count in counts.items()) else ""


def resolve(bonds: Iterable[Evidence], words: Words, rules: IdentityRules) -> Persons:
    """The persons that a set of bonds makes."""
    persons = Persons()
    for bond in sorted(bonds):
        reason = bond.reason or ("removed" if words.get(bond.pair) is False else "") or persons.take(bond, rules)
        if reason:
            persons.refused.append((bond, reason))
    return persons


def newest_words(evidence: Iterable[Evidence]) -> dict[tuple[str, str], Evidence]:
    """Of the explicit words on each pair the newest."""
    found: dict[tuple[str, str], Evidence] = {}
    for each in evidence:
        if each.kind in ("added", "removed") and not each.reason:
            pair = pair_of(each.a, each.b)
            if pair not in found or found[pair].key < each.key:
                found[pair] = each
    return found
