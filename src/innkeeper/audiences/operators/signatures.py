"""Names and arguments of all functions, for the parser: no behaviour here, that is in the family files beside."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Signature:
    """How a function over events is called and what it answers.

    Attributes:
        takes_path: Whether its second argument is a property.
        result: `condition`, `number` or `instant`.
        usage: The call as the documentation writes it.
    """

    takes_path: bool
    result: Literal["condition", "number", "instant"]
    usage: str


#: Named arguments that every function over events takes.
NAMED_ARGUMENTS = ("within", "before", "where")

_NAMED = "within => '90 days', before => '7 days', where => …"


def _of_event(name: str, result: Literal["condition", "number", "instant"]) -> Signature:
    return Signature(False, result, f"{name}('Event', {_NAMED})")


def _of_property(name: str) -> Signature:
    return Signature(True, "number", f"{name}('Event', property, {_NAMED})")


FUNCTIONS: dict[str, Signature] = {
    "did": _of_event("did", "condition"),
    "count": _of_event("count", "number"),
    "sum": _of_property("sum"),
    "avg": _of_property("avg"),
    "min": _of_property("min"),
    "max": _of_property("max"),
    "distinct": _of_property("distinct"),
    "first": _of_event("first", "instant"),
    "last": _of_event("last", "instant"),
    "days_since_first": _of_event("days_since_first", "number"),
    "days_since_last": _of_event("days_since_last", "number"),
}

#: Functions over the profile's objects of a declared type.
OBJECT_FUNCTIONS: dict[str, Signature] = {
    "any": Signature(False, "condition", "any(booking, status = 'confirmed' and arrival > now())"),
    "count": Signature(False, "number", "count(booking, status = 'confirmed')"),
    "sum": Signature(True, "number", "sum(booking, total, status = 'confirmed')"),
}

#: Functions that are no question about events.
OTHER_FUNCTIONS = {"in_audience": "in_audience('name')", "now": "now()"}
