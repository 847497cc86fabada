"""The fold of one object: per property, status and role the newest word wins, null removes, in any order of arrival.

What an object is follows from the set of its events alone. `view_of` is what profiles may read of it; who has to be
told is `profiles/objects.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from innkeeper.events.types import Event
from innkeeper.kernel.ids import parse_id
from innkeeper.kernel.numbers import format_micro, to_micro
from innkeeper.kernel.time import Instant
from innkeeper.objects.dates import instant_of, sortable, zone_of
from innkeeper.objects.definition import REMOVED, UPDATED, ObjectType, Source

#: How many of the newest events of an object are kept as its history.
HISTORY = 100
#: timestamp, source, message_id of an event: what decides which of two words is the newer.
Stamp = tuple[Instant, str, str]
_BEFORE_ALL: Stamp = (-(2**62), "", "")


class Word(msgspec.Struct, array_like=True, gc=False):
    """The newest word on one field; None: removed."""

    value: Any
    at: Instant
    source: str
    message_id: str

    @property
    def stamp(self) -> Stamp:
        """What it is compared by."""
        return self.at, self.source, self.message_id


class Entry(msgspec.Struct, array_like=True, gc=False):
    """One event of the history: what it said, by field."""

    at: Instant
    source: str
    message_id: str
    event: str
    said: dict[str, Any]

    @property
    def stamp(self) -> Stamp:
        """Its place in the history."""
        return self.at, self.source, self.message_id


class ObjectState(msgspec.Struct, array_like=True):
    """Everything that is kept of one object.

    Attributes:
        words: By field: a property's name, `@status`, or `@role.NAME`.
        history: The newest events, oldest first.
        removed: Stamp of the newest removal: what was said before it is forgotten.
        seen: Stamp of the newest event that was no removal.
    """

    words: dict[str, Word] = {}
    history: list[Entry] = []
    removed: tuple[Instant, str, str] = _BEFORE_ALL
    seen: tuple[Instant, str, str] = _BEFORE_ALL

    @property
    def exists(self) -> bool:
        """Whether anything was said of it after it was last removed."""
        return self.seen > self.removed

    def value(self, field: str) -> Any:
        """What holds for a field; None: nothing."""
        word = self.words.get(field)
        return None if word is None or word.stamp <= self.removed else word.value


STATUS = "@status"
ROLE = "@role."
_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(ObjectState)


def decode(body: bytes | None) -> ObjectState:
    """The state of a stored body; an empty one where there is none."""
    return ObjectState({}, []) if body is None else _decoder.decode(body)


def encode(state: ObjectState) -> bytes:
    """The stored form."""
    return _encoder.encode(state)


def ids_of(event: Event, types: Mapping[str, ObjectType]) -> tuple[tuple[str, str], ...]:
    """The objects that an event says something of: (type, id), each once."""
    if event.name in (UPDATED, REMOVED):
        of, id_ = event.properties.get("object"), id_text(event.properties.get("id"))
        return ((of, id_),) if isinstance(of, str) and of in types and id_ is not None else ()
    found = []
    for name, declared in types.items():
        rule = declared.events.get(event.name)
        id_ = None if rule is None else id_text(at_path(event.properties, rule.id))
        if id_ is not None:
            found.append((name, id_))
    return tuple(found)


def id_text(value: object) -> str | None:
    """The text of an id: texts as they are, numbers in their shortest form; None for anything else.

    >>> id_text("b-1"), id_text(12.0), id_text("")
    ('b-1', '12', None)
    """
    if isinstance(value, str):
        return value or None
    micro = to_micro(value)
    return None if micro is None else format_micro(micro)


def at_path(properties: Mapping[str, Any], path: tuple[str, ...]) -> Any:
    """The value at a path; None where there is none."""
    value: Any = properties
    for part in path:
        if not isinstance(value, dict):
            return None
        value = value.get(part)
    return value


def said_by(event: Event, declared: ObjectType) -> dict[str, Any]:
    """What an event says of an object, by field; None removes."""
    if event.name == UPDATED:
        return _said_explicitly(event.properties, declared)
    rule = declared.events[event.name]
    said = {name: event.properties[name] for name in sorted(declared.properties & event.properties.keys())}
    for name, source in rule.sets:
        said[name] = _sourced(source, event)
    if rule.status is not None:
        status = _sourced(rule.status, event)
        said[STATUS] = status if isinstance(status, str) and status else None
    for role, path in declared.roles.items():
        if path is None:
            said[ROLE + role] = event.identifier
        elif _has(event.properties, path):
            said[ROLE + role] = holder_of(at_path(event.properties, path))
    return said


def _said_explicitly(properties: Mapping[str, Any], declared: ObjectType) -> dict[str, Any]:
    sets, roles = properties.get("set"), properties.get("roles")
    said: dict[str, Any] = {}
    if isinstance(sets, dict):
        said.update({name: sets[name] for name in sorted(declared.properties & sets.keys())})
    if "status" in properties:
        status = properties["status"]
        said[STATUS] = status if isinstance(status, str) and status else None
    if isinstance(roles, dict):
        said.update({ROLE + role: holder_of(roles[role]) for role in sorted(declared.roles.keys() & roles.keys())})
    return said


def holder_of(value: object) -> str | None:
    """The identifier that a role's value names: a user id, or namespace:value."""
    text = id_text(value)
    return None if text is None else parse_id(text)


def _sourced(source: Source, event: Event) -> Any:
    return at_path(event.properties, source.path) if source.path else source.value


def _has(properties: Mapping[str, Any], path: tuple[str, ...]) -> bool:
    value: Any = properties
    for part in path:
        if not isinstance(value, dict) or part not in value:
            return False
        value = value[part]
    return True


def take(state: ObjectState, event: Event, declared: ObjectType) -> bool:
    """Fold an event; whether anything that is kept has changed."""
    stamp: Stamp = (event.timestamp, event.source, event.message_id)
    said = {} if event.name == REMOVED else said_by(event, declared)
    changed = _remember(state, Entry(*stamp, event.name, said))
    if event.name == REMOVED:
        if stamp > state.removed:
            state.removed = stamp
            changed = True
        return changed
    if stamp > state.seen:
        state.seen = stamp
        changed = True
    for field, value in said.items():
        old = state.words.get(field)
        if old is None or stamp > old.stamp:
            state.words[field] = Word(value, *stamp)
            changed = True
    return changed


def _remember(state: ObjectState, entry: Entry) -> bool:
    history = state.history
    place = len(history)
    while place and history[place - 1].stamp > entry.stamp:
        place -= 1
    if place and history[place - 1].stamp == entry.stamp:
        return False
    if place == 0 and len(history) >= HISTORY:
        return False
    history.insert(place, entry)
    if len(history) > HISTORY:
        del history[0]
    return True


class View(NamedTuple):
    """What an object is: *fields* for profiles; by role who has it, and when that was said."""

    fields: dict[str, Any]
    roles: dict[str, str]
    said: dict[str, Instant]


def view_of(state: ObjectState, id_: str, declared: ObjectType) -> View | None:
    """What an object is; None when there is none (any more).

    `properties` has what was said; `dates` the instants of the dates (None: none), `zones` where they are local.
    """
    if not state.exists:
        return None
    properties = {name: value for name in sorted(declared.properties) if (value := state.value(name)) is not None}
    dates, zones = dates_of(declared, properties)
    status = state.value(STATUS)
    ended = status in declared.ended
    fields = {
        "id": id_, "status": status, "ended": ended, "properties": properties, "dates": dates, "zones": zones,
    }  # fmt: skip
    roles = {role: holder for role in sorted(declared.roles) if (holder := state.value(ROLE + role)) is not None}
    return View(fields, roles, {role: role_said_at(state, role) for role in roles})


def dates_of(declared: ObjectType, properties: Mapping[str, Any]) -> tuple[dict[str, Instant | None], dict[str, str]]:
    """The instants of an object's dates (None: none), and where each is local."""
    dates: dict[str, Instant | None] = {}
    zones: dict[str, str] = {}
    for name, rule in sorted(declared.dates.items()):
        zones[name] = zone_of(rule, properties.get(rule.zone_from) if rule.zone_from else None)
        dates[name] = instant_of(properties.get(name), zones[name], rule.wall)
    return dates, zones


def role_said_at(state: ObjectState, role: str) -> Instant:
    """When the word was said that gives a role: whose the role is follows from who had its identifier then."""
    return state.words[ROLE + role].at


def readable(fields: Mapping[str, Any]) -> dict[str, Any]:
    """What conditions read of a view: properties, with dates as texts that compare as instants, `id` and `status`."""
    dates = {name: None if at is None else sortable(at) for name, at in fields["dates"].items()}
    return {**fields["properties"], **dates, "id": fields["id"], "status": fields["status"]}
