"""One object as JSON, as `object show` and `object list` tell it."""

from __future__ import annotations

from typing import Any

from innkeeper.kernel.ids import display_id
from innkeeper.kernel.time import Instant, format_instant
from innkeeper.kernel.zones import to_local
from innkeeper.objects.definition import REMOVED, ObjectType
from innkeeper.objects.fold import ROLE, STATUS, Entry, ObjectState, View, view_of


def portrait(state: ObjectState, id_: str, declared: ObjectType) -> dict[str, Any]:
    """What is known of an object, where each value comes from, and what has changed it."""
    view = view_of(state, id_, declared)
    roles = sorted(declared.roles)
    return {
        "type": declared.name,
        "id": id_,
        "exists": view is not None,
        "status": None if view is None else view.fields["status"],
        "properties": [_valued(state, name, name) for name in sorted(declared.properties) if _stands(state, name)],
        "roles": [_held(state, role) for role in roles if _stands(state, ROLE + role)],
        "dates": [] if view is None else _dates(view),
        "history": _history(state),
    }


def summary(view: View, id_: str, declared: ObjectType) -> dict[str, Any]:
    """One line of a list."""
    return {
        "type": declared.name,
        "id": id_,
        "status": view.fields["status"],
        "roles": {role: display_id(holder) for role, holder in view.roles.items()},
        "dates": {name: format_instant(at) for name, at in view.fields["dates"].items() if at is not None},
        "properties": view.fields["properties"],
    }


def _stands(state: ObjectState, field: str) -> bool:
    return state.exists and state.value(field) is not None


def _valued(state: ObjectState, field: str, name: str) -> dict[str, Any]:
    word = state.words[field]
    return {
        "name": name, "value": word.value, "source": word.source, "messageId": word.message_id,
        "at": format_instant(word.at),
    }  # fmt: skip


def _held(state: ObjectState, role: str) -> dict[str, Any]:
    told = _valued(state, ROLE + role, role)
    return {"role": told.pop("name"), "holder": display_id(told.pop("value")), **told}


def _dates(view: View) -> list[dict[str, Any]]:
    dates, zones = view.fields["dates"], view.fields["zones"]
    return [
        {"name": name, "at": format_instant(at), "local": _local(at, zones[name]), "zone": zones[name]}
        for name, at in dates.items()
        if at is not None
    ]


def _local(at: Instant, zone: str) -> str:
    return to_local(at, zone).strftime("%Y-%m-%d %H:%M")


def _history(state: ObjectState) -> list[dict[str, Any]]:
    """What each event changed, oldest first: an event that said nothing new is left out."""
    known: dict[str, Any] = {}
    told = []
    for entry in state.history:
        changes = _changes(known, entry)
        if changes or entry.event == REMOVED:
            told.append(
                {
                    "at": format_instant(entry.at), "event": entry.event, "source": entry.source,
                    "messageId": entry.message_id, "changes": changes,
                }
            )  # fmt: skip
    return told


def _changes(known: dict[str, Any], entry: Entry) -> list[dict[str, Any]]:
    said = dict.fromkeys(known) if entry.event == REMOVED else entry.said
    changes = []
    for field, value in said.items():
        old = known.get(field)
        if old != value or type(old) is not type(value):
            changes.append({"field": _name(field), "from": _shown(field, old), "to": _shown(field, value)})
        known[field] = value
    return changes


def _name(field: str) -> str:
    if field == STATUS:
        return "status"
    return f"role {field.removeprefix(ROLE)}" if field.startswith(ROLE) else field


def _shown(field: str, value: Any) -> Any:
    return display_id(value) if field.startswith(ROLE) and isinstance(value, str) else value
