"""Objects from outside: what is known of one, which there are, and the events that change one by hand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from innkeeper.events.parse import Parser
from innkeeper.events.types import LogRow
from innkeeper.kernel.errors import UsageError, did_you_mean
from innkeeper.kernel.ids import ANONYMOUS, USER, digest
from innkeeper.kernel.json import canonical, dumps
from innkeeper.kernel.time import Clock, Instant, SystemClock, format_instant
from innkeeper.objects.definition import REMOVED, UPDATED, ObjectType
from innkeeper.objects.fold import decode, holder_of, view_of
from innkeeper.objects.portrait import portrait, summary
from innkeeper.runtime import definitions as applied
from innkeeper.runtime.writing import writing
from innkeeper.store import things
from innkeeper.store.state import State
from innkeeper.store.things import ThingKey

#: The source of what is written by hand.
SOURCE = "cli"


def types_of(state: State) -> dict[str, ObjectType]:
    """The object types in force."""
    definitions = applied.applied(state)
    return {} if definitions is None else dict(definitions.workspace.objects)


def declared(state: State, name: str) -> ObjectType:
    """A type in force.

    Raises:
        UsageError: There is none of that name.
    """
    types = types_of(state)
    if name not in types:
        raise UsageError(
            f"there is no object type '{name}'", code="unknown-object-type",
            fix=did_you_mean(name, types) or "declare it in strategy.yaml under objects, then: innkeeper apply",
        )  # fmt: skip
    return types[name]


def list_types(home: Path) -> list[dict[str, Any]]:
    """The types in force, with their roles and dates."""
    with State.open(home, readonly=True) as state:
        types = types_of(state)
    return [{"type": name, "roles": sorted(of.roles), "dates": sorted(of.dates)} for name, of in sorted(types.items())]


def show(home: Path, name: str, id_: str) -> dict[str, Any]:
    """What is known of one object, with where each value comes from and its history.

    Raises:
        UsageError: There is none.
    """
    with State.open(home, readonly=True) as state:
        of = declared(state, name)
        key = ThingKey("object", name, id_)
        body = things.bodies(state, [key]).get(key)
    if body is None:
        raise UsageError(
            f"no {name} has the id '{id_}'", code="unknown-object", fix=f"see: innkeeper object list {name}"
        )
    return portrait(decode(body), id_, of)


def list_of(home: Path, name: str) -> Iterator[dict[str, Any]]:
    """Every object of a type that there is, in the order of the ids.

    Raises:
        UsageError: There is no such type.
    """
    with State.open(home, readonly=True) as state:
        of = declared(state, name)
        for page in things.pages(state, "object", name):
            for row in page:
                view = view_of(decode(row.body), row.id, of)
                if view is not None:
                    yield summary(view, row.id, of)


def change(
    home: Path,
    name: str,
    id_: str,
    *,
    status: str | None = None,
    sets: Mapping[str, Any] | None = None,
    roles: Mapping[str, str | None] | None = None,
    remove: bool = False,
    at: Instant | None = None,
    clock: Clock | None = None,
) -> dict[str, Any]:
    """Write the event that changes an object, or removes it; the engine takes it when it comes to that time.

    The event is stored under somebody who has a role in the object: the first that *roles* names, else one who has one.

    Raises:
        UsageError: A name is not declared, or nobody has a role in the object.
    """
    moment = (clock or SystemClock()).now() if at is None else at
    with writing(home) as (log, state):
        of = declared(state, name)
        _check_names(of, sets or {}, of.properties, "property")
        _check_names(of, roles or {}, of.roles, "role")
        properties: dict[str, Any] = {"object": name, "id": id_}
        if not remove:
            properties |= {"status": status} if status is not None else {}
            properties |= {"set": dict(sets)} if sets else {}
            properties |= {"roles": dict(roles)} if roles else {}
        message = _message(REMOVED if remove else UPDATED, properties, _sender(state, of, id_, roles or {}), moment)
        parsed = Parser(source=SOURCE, received_at=moment).parse(dumps(message).encode())
        if not isinstance(parsed, LogRow):
            raise UsageError(f"the change is not a valid event: {parsed}", code="bad-event")
        appended = log.append([parsed])
    return {
        "type": name, "id": id_, "event": message["event"], "messageId": message["messageId"],
        "timestamp": message["timestamp"], "accepted": appended.accepted, "duplicates": appended.duplicates,
    }  # fmt: skip


def _check_names(of: ObjectType, given: Mapping[str, Any], known: Any, what: str) -> None:
    for each in given:
        if each not in known:
            raise UsageError(
                f"the object type '{of.name}' has no {what} '{each}'", code=f"unknown-{what}",
                fix=did_you_mean(each, known) or f"known: {', '.join(sorted(known))}",
            )  # fmt: skip


def _sender(state: State, of: ObjectType, id_: str, roles: Mapping[str, str | None]) -> str:
    named = [holder for value in roles.values() if (holder := holder_of(value)) is not None]
    key = ThingKey("object", of.name, id_)
    body = things.bodies(state, [key]).get(key)
    view = None if body is None else view_of(decode(body), id_, of)
    held = [] if view is None else [view.roles[role] for role in of.roles if role in view.roles]
    for identifier in [*named, *held]:
        if identifier.startswith((USER, ANONYMOUS)):
            return identifier
    raise UsageError(
        f"nobody has a role in the {of.name} '{id_}'", code="nobody's",
        fix="say whose it is: --role owner=c123" if "owner" in of.roles else "name somebody with --role ROLE=ID",
    )  # fmt: skip


def _message(event: str, properties: dict[str, Any], sender: str, at: Instant) -> dict[str, Any]:
    who = {"userId": sender.removeprefix(USER)} if sender.startswith(USER) else {}
    if not who:
        who = {"anonymousId": sender.removeprefix(ANONYMOUS)}
    timestamp = format_instant(at)
    return {
        "type": "track", "event": event, "messageId": digest(event, timestamp, canonical(properties)), **who,
        "timestamp": timestamp, "properties": properties,
    }  # fmt: skip


__all__ = ["change", "declared", "list_of", "show", "types_of"]
