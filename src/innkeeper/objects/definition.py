"""Object types as declared: a booking, an order. `read.py` makes them from YAML; next in the flow is `fold.py`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import time
from typing import Any, Literal

from innkeeper.kernel.located import NOWHERE, Place

#: Events that change objects of any type, whoever sends them: `object set` and `object remove` write these.
UPDATED, REMOVED = "Object Updated", "Object Removed"
#: What the explicit events carry, for the catalog.
EXPLICIT: Mapping[str, frozenset[str]] = {
    UPDATED: frozenset({"object", "id", "status", "set", "roles"}),
    REMOVED: frozenset({"object", "id"}),
}
#: Statuses that mean that a thing was called off; `enter: { object: …, on: cancelled }`.
CANCELLED = frozenset({"cancelled", "canceled"})
#: Names that a condition over objects gives a meaning of its own.
OWN_NAMES = frozenset({"id", "status", "role"})


@dataclass(frozen=True, slots=True)
class Source:
    """Where a value comes from: the event's property at *path*, or a fixed *value* (path empty)."""

    path: tuple[str, ...] = ()
    value: Any = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectEvent:
    """What an event of one name says of an object.

    Attributes:
        id: Path of the property with the object's id.
        status: The status it gives; None: it keeps the status.
        sets: Properties and dates that take another value than the event's property of the same name.
    """

    id: tuple[str, ...]
    status: Source | None = None
    sets: tuple[tuple[str, Source], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DateRule:
    """How a date is read.

    Attributes:
        zone: The zone of a date, or of a local time without one.
        zone_from: Property that holds another zone (IANA name) for an object; None: there is none.
        wall: The time that a date without one means; None: the first instant of its day.
    """

    zone: str
    zone_from: str | None = None
    wall: time | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectType:
    """One declared type of objects.

    Attributes:
        id: Path of the property with an object's id, in every event that does not say otherwise.
        events: What changes an object, by the event's name.
        dates: By name; a date is a property too.
        roles: By name, the property with the holder's id; None: the sender of the event.
        properties: What is copied from every listed event that has it; dates included.
        ended: Statuses in which nothing more is planned for an object.
        places: Where its names stand, for the checker: `id`, `event NAME`, `property NAME`, `role NAME`.
    """

    name: str
    id: tuple[str, ...]
    events: Mapping[str, ObjectEvent]
    dates: Mapping[str, DateRule] = field(default_factory=dict)
    roles: Mapping[str, tuple[str, ...] | None] = field(default_factory=dict)
    properties: frozenset[str] = frozenset()
    ended: frozenset[str] = frozenset()
    description: str = ""
    place: Place = field(default=NOWHERE, compare=False, repr=False)
    places: Mapping[str, Place] = field(default_factory=dict, compare=False, repr=False)

    @property
    def names(self) -> frozenset[str]:
        """Everything that a condition may name of an object of this type."""
        return self.properties | OWN_NAMES


def signature(types: Mapping[str, ObjectType]) -> str:
    """A text that is equal for types that fold alike."""
    said = []
    for name, each in sorted(types.items()):
        rules = [sorted(part.items(), key=lambda one: one[0]) for part in (each.roles, each.dates, each.events)]
        said.append(f"{name} {each.id} {sorted(each.properties)} {sorted(each.ended)} {rules}")
    return "\n".join(said)


Change = Literal["created", "changed", "cancelled", "ended", "removed", "role_gained", "role_lost"]
