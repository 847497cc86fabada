"""What an object tells the profiles that have a role in it. The fold itself is `objects/fold.py`.

Next in the flow: `copies.py` keeps what was told, `journeys/by_object.py` reacts to it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from operator import itemgetter
from typing import Any

from innkeeper.events.types import Event
from innkeeper.kernel.time import BEGINNING, Instant
from innkeeper.objects.definition import CANCELLED, EXPLICIT, Change, ObjectType
from innkeeper.objects.fold import View, decode, encode, ids_of, take, view_of
from innkeeper.profiles.others import Folded, Kind, News, Whom


class ObjectFold:
    """Folds objects of the declared types."""

    kind: Kind = "object"

    def __init__(self, types: Mapping[str, ObjectType]) -> None:
        self.types = types
        self.event_names = frozenset(name for each in types.values() for name in each.events) | EXPLICIT.keys()

    def concerns(self, event: Event) -> tuple[tuple[str, str], ...]:
        """The objects that an event says something of."""
        return ids_of(event, self.types)

    def take(self, type_: str, id_: str, body: bytes | None, event: Event, at: Instant) -> Folded | None:
        """The object after an event, and what its holders hear."""
        declared, state = self.types[type_], decode(body)
        before = view_of(state, id_, declared)
        if not take(state, event, declared):
            return None
        return _folded(encode(state), declared, id_, before, view_of(state, id_, declared))

    def present(self, type_: str, id_: str, body: bytes) -> Folded:
        """An object as its holders have to know it when its type has become known."""
        declared = self.types[type_]
        return _folded(body, declared, id_, None, view_of(decode(body), id_, declared))


def _folded(body: bytes, declared: ObjectType, id_: str, before: View | None, after: View | None) -> Folded:
    holders = frozenset(identifier for view in (before, after) if view for identifier in view.roles.values())
    return Folded(body, holders, partial(_tell, declared, id_, before, after))


def _tell(
    declared: ObjectType, id_: str, before: View | None, after: View | None, owner: Callable[[str, Instant], Whom]
) -> Iterator[tuple[Whom, News]]:
    old, new = _by_holder(before, owner), _by_holder(after, owner)
    changed = _changed(before, after)
    for whom, identifier in sorted(old.keys() | new.keys(), key=itemgetter(1, 0)):
        had, has = old.get((whom, identifier), ()), new.get((whom, identifier), ())
        if has == had and not changed:
            continue
        fields = after.fields if after and has else {}
        change = _change(before, after, had, has)
        said_at = max((after.said[role] for role in has), default=BEGINNING) if after else BEGINNING
        yield whom, News("object", declared.name, id_, fields, has, identifier, change, changed, said_at)


def _by_holder(view: View | None, owner: Callable[[str, Instant], Whom]) -> dict[tuple[Whom, str], tuple[str, ...]]:
    """The roles by whose they are and under which identifier, sorted."""
    found: dict[tuple[Whom, str], tuple[str, ...]] = {}
    if view is None:
        return found
    for role, identifier in sorted(view.roles.items()):
        holder = (owner(identifier, view.said[role]), identifier)
        found[holder] = (*found.get(holder, ()), role)
    return found


def _change(before: View | None, after: View | None, had: tuple[str, ...], has: tuple[str, ...]) -> Change:
    if after is None:
        return "removed"
    if not has:
        return "role_lost"
    if before is None:
        return "created"
    if not had:
        return "role_gained"
    old, new = before.fields["status"], after.fields["status"]
    if new != old and new in CANCELLED:
        return "cancelled"
    if after.fields["ended"] and not before.fields["ended"]:
        return "ended"
    return "changed"


def _changed(before: View | None, after: View | None) -> tuple[str, ...]:
    """Names of the properties that differ, dates also when only their instant does; `status` and `role` besides."""
    old, new = _flat(before), _flat(after)
    return tuple(sorted(name for name in old.keys() | new.keys() if old.get(name) != new.get(name)))


def _flat(view: View | None) -> dict[str, Any]:
    if view is None:
        return {}
    fields = view.fields
    found: dict[str, Any] = {name: (None, value) for name, value in fields["properties"].items()}
    for name, at in fields["dates"].items():
        if at is not None:
            found[name] = (at, fields["zones"][name], found[name])
    return found | {"status": fields["status"], "role": view.roles}
