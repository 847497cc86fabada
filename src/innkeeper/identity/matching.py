"""Matching: which traits are compared to find one person behind two profiles, and what a proposal says. Pure.

A proposal joins nobody. A person, or a threshold that a person names, accepts it; what is then written is an ordinary
link event that can be taken back. Values are folded here for comparison alone (`comparable`): two profiles are never
one because their folded values agree. Who scores pairs is `store/match_model.py`, who keeps proposals is
`store/proposals.py`; how the rules are declared is `read_matching.py`; homes are `homes.py`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from innkeeper.kernel.ids import digest

#: How a trait is compared. `exact` still sees one wrong character: a number that was mistyped.
FieldKind = Literal["name", "date", "email", "phone", "exact"]
FIELD_KINDS: tuple[FieldKind, ...] = get_args(FieldKind)

ProposalKind = Literal["person", "household"]
ProposalState = Literal["open", "accepted", "rejected"]

LINK_ADDED = "Link Added"
LINK_REMOVED = "Link Removed"
MATCH_REJECTED = "Match Rejected"
#: Who made a link that began as a proposal.
BY_MATCH = "match"

#: From which probability on a pair is worth a person's look, unless the strategy says otherwise.
DEFAULT_THRESHOLD = 0.95
#: The first names of the two traits that people put into each other's place.
DEFAULT_SWAPPED = ("first_name", "last_name")
#: A place where more people live is a hotel, an office or a house with many doors.
LARGEST_HOME = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class MatchRules:
    """`matching` of `strategy.yaml`: what is compared, and how much must agree.

    Attributes:
        fields: Trait (dots go deeper) to how it is compared.
        swapped: Two `name` traits that are compared together, each also in the other's place.
        block_on: Only pairs that agree on all traits of one of these are compared; empty: chosen from the data.
        threshold: From which probability on a pair is proposed.
        household: How homes are found; None: they are not.
    """

    fields: Mapping[str, FieldKind] = field(default_factory=dict)
    swapped: tuple[str, str] | None = None
    block_on: tuple[tuple[str, ...], ...] = ()
    threshold: float = DEFAULT_THRESHOLD
    household: HomeRules | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HomeRules:
    """How homes are found: profiles whose address traits are all there and equal, and the surname if one is named.

    Where more than *at_most* live, nothing is proposed.
    """

    address: tuple[str, ...]
    surname: str | None = None
    at_most: int = LARGEST_HOME


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What one comparison found, and what it adds to the weight (in bits; below zero it speaks against)."""

    field: str
    found: str
    weight: float

    def as_dict(self) -> dict[str, Any]:
        """The JSON form."""
        return {"field": self.field, "found": self.found, "weight": self.weight}


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """Profiles that may be one person, or live in one home.

    Attributes:
        members: Their subjects, sorted; two for a person.
        probability: That they are one person; None for a home, where nobody has computed one.
        weight: The evidence in bits, with what was expected before looking.
        household_id: The home that they would join.
    """

    kind: ProposalKind
    members: tuple[str, ...]
    evidence: tuple[Evidence, ...]
    probability: float | None = None
    weight: float | None = None
    household_id: str | None = None

    @property
    def id(self) -> str:
        """The same for the same members, so that it can be named again after the next `match propose`."""
        return proposal_id(self.kind, self.members)


def proposal_id(kind: str, members: Sequence[str]) -> str:
    """The id of a proposal.

    >>> proposal_id("person", ["user_id:a", "user_id:b"]) == proposal_id("person", ["user_id:b", "user_id:a"])
    True
    """
    return digest("proposal", kind, *sorted(members), size=5)


def comparable(kind: FieldKind, value: object) -> str | None:
    """A trait's value as it is compared; None when it says nothing.

    >>> comparable("name", "  Ana-MARIA "), comparable("date", "1956-04-09"), comparable("date", "19560409")
    ('ana maria', '19560409', '19560409')
    >>> comparable("phone", "+351 (21) 555-0101"), comparable("phone", "00351215550101"), comparable("exact", " 02119 ")
    ('351215550101', '351215550101', '02119')
    >>> comparable("email", " Ana@Example.com "), comparable("name", "  "), comparable("name", 7.5)
    ('ana@example.com', None, '7.5')
    """
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    text = unicodedata.normalize("NFKC", str(value)).casefold().strip()
    match kind:
        case "name":
            text = " ".join(re.sub(r"[\W_]+", " ", text).split()) if isinstance(value, str) else text
        case "date":
            text = re.sub(r"\D", "", text.partition("t")[0])
        case "phone":
            text = re.sub(r"\D", "", text).lstrip("0")
        case "exact" | "email":
            text = " ".join(text.split())
    return text or None


def decided(events: Sequence[tuple[str, Mapping[str, Any]]]) -> dict[frozenset[str], ProposalState]:
    """What people have decided about pairs, by the identifiers named: the latest of the events counts.

    Args:
        events: Name and properties of `Link Added`, `Link Removed` and `Match Rejected`, oldest first.
    """
    states: dict[frozenset[str], ProposalState] = {}
    for name, properties in events:
        a, b = properties.get("a"), properties.get("b")
        if isinstance(a, str) and isinstance(b, str):
            states[frozenset((a, b))] = "accepted" if name == LINK_ADDED else "rejected"
    return states


def link_properties(proposal: Mapping[str, Any]) -> dict[str, Any]:
    """The properties of the `Link Added` that an accepted proposal becomes."""
    a, b = proposal["members"]
    return {
        "a": a, "b": b, "by": BY_MATCH, "proposal": proposal["id"], "probability": proposal["probability"],
        "evidence": proposal["evidence"],
    }  # fmt: skip
