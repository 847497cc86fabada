"""Homes that are found by their address. Pure; the rest of the flow is that of `matching.py`.

An address is one when every part of it is there: half an address is shared by a whole town.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from innkeeper.identity.matching import Evidence, HomeRules, Proposal, comparable
from innkeeper.kernel.ids import digest


class Found(NamedTuple):
    """Homes to propose, and how many places were left out because too many live there."""

    proposals: list[Proposal]
    too_large: int


def homes(people: Iterable[tuple[str, Mapping[str, object]]], rules: HomeRules, known: Mapping[str, str]) -> Found:
    """Groups of profiles at one address.

    Args:
        people: Subject and the values of the traits.
        rules: What makes an address.
        known: The household of each subject that has one already; a group that is one household is not proposed.
    """
    traits = (*rules.address, *([rules.surname] if rules.surname else []))
    groups: defaultdict[tuple[str, ...], list[str]] = defaultdict(list)
    for subject, values in people:
        parts = [comparable("name", values.get(trait)) for trait in traits]
        if None not in parts:
            groups[tuple(part for part in parts if part is not None)].append(subject)
    found, too_large = [], 0
    for key, members in sorted(groups.items()):
        if len(members) > rules.at_most:
            too_large += 1
        elif len(members) > 1 and not _is_one(members, known):
            found.append(_proposal(key, sorted(members), traits, known))
    return Found(found, too_large)


def _is_one(members: list[str], known: Mapping[str, str]) -> bool:
    return all(member in known for member in members) and len({known[member] for member in members}) == 1


def _proposal(key: tuple[str, ...], members: list[str], traits: tuple[str, ...], known: Mapping[str, str]) -> Proposal:
    named = sorted({known[member] for member in members if member in known})
    return Proposal(
        kind="household",
        members=tuple(members),
        evidence=tuple(
            Evidence(field=trait, found=value, weight=0.0) for trait, value in zip(traits, key, strict=True)
        ),
        # Who lives there already has given the home its name; else it has one made of the address.
        household_id=named[0] if named else "home-" + digest("home", *key, size=5),
    )
