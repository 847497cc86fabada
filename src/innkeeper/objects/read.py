"""Object types from `strategy.yaml`: every key checked at its place."""

from __future__ import annotations

import re
from datetime import time
from typing import Any

from innkeeper.kernel.errors import did_you_mean
from innkeeper.kernel.located import Findings, Located, Place, Reader
from innkeeper.kernel.zones import try_zone
from innkeeper.objects.definition import EXPLICIT, OWN_NAMES, DateRule, ObjectEvent, ObjectType, Source

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_PATH = re.compile(r"[A-Za-z_$][\w$]*(?:\.[\w$]+)*\Z")
_WALL = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)\Z")
#: Words that a path of an expression begins with; a type of that name could not be read.
TAKEN = frozenset({"traits", "event", "account", "stage", "prediction", "id", "profile", "journey", "item", "key"})
_EXAMPLE = "objects: { booking: { id: booking_id, roles: { owner: user }, events: { Booking Confirmed: confirmed } } }"


def read_objects(node: Located | None, zone: str, findings: Findings) -> dict[str, ObjectType]:
    """The declared types by name; *zone* is the workspace's, in which dates are read that name no other."""
    if node is None:
        return {}
    if not isinstance(node.value, dict):
        message = "'objects' names each type with what it is made of"
        findings.add(node, "not-a-mapping", message, f"write it: {_EXAMPLE}")
        return {}
    found = {}
    for name, item in node.value.items():
        if not _NAME.match(name) or name in TAKEN:
            why = "has a meaning of its own in expressions" if name in TAKEN else "is no plain word"
            findings.add(node.keys[name], "bad-object-type", f"'{name}' {why}", "name the type by a word: booking")
            continue
        declared = _TypeReader(name, item, zone, findings).read()
        if declared is not None:
            found[name] = declared
    return found


class _TypeReader:
    def __init__(self, name: str, node: Located, zone: str, findings: Findings) -> None:
        self.name, self.node, self.zone, self.findings = name, node, zone, findings
        self.what = f"the object type '{name}'"
        self.places: dict[str, Place] = {}

    def read(self) -> ObjectType | None:
        reader = Reader(self.node, self.findings, self.what)
        id_node = reader.require("id", "id: booking_id (the property of its events that holds the id)")
        id_path = None if id_node is None else self._path(id_node, "the property with the id")
        self.places["id"] = self.node.place if id_node is None else id_node.place
        names = self._properties(reader.items("properties"))
        dates = self._dates(reader.get("dates"), names)
        properties = frozenset(names) | dates.keys()
        roles = self._roles(reader.get("roles"))
        events_node = reader.require("events", "events: { Booking Confirmed: confirmed }")
        events = self._events(events_node, id_path or (), properties)
        ended = self._words(reader.items("ended"), "a status")
        description = reader.text("description", "") or ""
        reader.close()
        self._zone_properties(dates, properties)
        if id_path is None or events is None:
            return None
        return ObjectType(
            name=self.name, id=id_path, events=events, dates=dates, roles=roles, properties=properties,
            ended=frozenset(ended), description=description, place=self.node.place, places=self.places,
        )  # fmt: skip

    def _add(self, node: Located | Place, code: str, message: str, fix: str) -> None:
        self.findings.add(node, code, message, fix)

    def _path(self, node: Located, what: str) -> tuple[str, ...] | None:
        text = str(node.value).removeprefix("event.").removeprefix("properties.")
        if isinstance(node.value, str) and _PATH.match(text):
            return tuple(text.split("."))
        self._add(node, "bad-path", f"'{node.plain()}' does not name {what}", "write it like booking_id, or guest.id")
        return None

    def _words(self, nodes: list[Located], what: str) -> list[str]:
        found = []
        for node in nodes:
            if isinstance(node.value, str) and node.value:
                found.append(node.value)
            else:
                self._add(node, "not-a-text", f"{what} must be a text, not '{node.plain()}'", "put it in quotes")
        return found

    def _properties(self, nodes: list[Located]) -> list[str]:
        found = []
        for node in nodes:
            if not isinstance(node.value, str) or not node.value:
                self._add(node, "not-a-text", "a property's name must be a text", "put it in quotes")
            elif node.value in OWN_NAMES:
                message = f"'{node.value}' of an object has a meaning of its own"
                self._add(node, "taken-name", message, "the id and the status are known without being declared")
            else:
                found.append(node.value)
                self.places[f"property {node.value}"] = node.place
        return found

    def _dates(self, node: Located | None, known: list[str]) -> dict[str, DateRule]:
        if node is None:
            return {}
        if isinstance(node.value, list):
            return {name: DateRule(zone=self.zone) for name in self._properties(node.value)}
        reader = Reader(node, self.findings, f"'dates' of {self.what}")
        found = {}
        for name in reader:
            if name in OWN_NAMES:
                message = f"'{name}' of an object has a meaning of its own"
                self._add(node.keys[name], "taken-name", message, "name the date otherwise")
                continue
            item = reader.get(name)
            self.places[f"property {name}"] = node.keys[name]
            found[name] = DateRule(zone=self.zone) if item is None else self._date(item, name)
        return found

    def _date(self, node: Located, name: str) -> DateRule:
        if isinstance(node.value, str):
            return DateRule(zone=self._zone(node))
        reader = Reader(node, self.findings, f"the date '{name}' of {self.what}")
        zone, wall, other = reader.get("zone"), reader.get("time"), reader.text("zone_from")
        self.places[f"zone_from {name}"] = (reader.get("zone_from") or node).place
        reader.close()
        found = DateRule(zone=self.zone if zone is None else self._zone(zone), zone_from=other)
        if wall is None:
            return found
        matched = _WALL.match(str(wall.value))
        if matched is None:
            self._add(wall, "bad-time-of-day", f"'{wall.plain()}' is not a time of day", 'write it like "15:00"')
            return found
        return DateRule(zone=found.zone, zone_from=other, wall=time(int(matched[1]), int(matched[2])))

    def _zone(self, node: Located) -> str:
        if isinstance(node.value, str) and try_zone(node.value) is not None:
            return node.value
        self._add(node, "unknown-zone", f"there is no time zone '{node.plain()}'", "use an IANA name: Europe/Lisbon")
        return self.zone

    def _zone_properties(self, dates: dict[str, DateRule], properties: frozenset[str]) -> None:
        for name, rule in dates.items():
            if rule.zone_from is not None and rule.zone_from not in properties:
                self._unknown_property(self.places[f"zone_from {name}"], rule.zone_from, properties)

    def _unknown_property(self, node: Located | Place, name: str, properties: frozenset[str]) -> None:
        fix = did_you_mean(name, properties) or f"add it: properties: [{name}]"
        self._add(node, "unknown-property", f"{self.what} has no property '{name}'", fix)

    def _roles(self, node: Located | None) -> dict[str, tuple[str, ...] | None]:
        if node is None:
            return {}
        reader = Reader(node, self.findings, f"'roles' of {self.what}")
        found: dict[str, tuple[str, ...] | None] = {}
        for role in reader:
            item = reader.get(role)
            self.places[f"role {role}"] = node.keys[role]
            if item is None:
                self._add(node.keys[role], "bad-role", f"the role '{role}' says not who has it", f"{role}: user")
            elif item.value == "user":
                found[role] = None
            else:
                path = self._path(item, "the property with the holder's id")
                if path is not None:
                    found[role] = path
        return found

    def _events(
        self, node: Located | None, id_path: tuple[str, ...], properties: frozenset[str]
    ) -> dict[str, ObjectEvent] | None:
        if node is None:
            return None
        if isinstance(node.value, list):
            self.places.update({f"event {item.value}": item.place for item in node.value})
            return {name: ObjectEvent(id=id_path) for name in self._words(node.value, "an event's name")}
        reader = Reader(node, self.findings, f"'events' of {self.what}")
        found = {}
        for name in reader:
            if name in EXPLICIT:
                message = f"'{name}' changes objects of every type without being declared"
                self._add(node.keys[name], "explicit-event", message, "leave it out")
                continue
            self.places[f"event {name}"] = node.keys[name]
            found[name] = self._event(reader.get(name), name, id_path, properties)
        return found

    def _event(
        self, node: Located | None, name: str, id_path: tuple[str, ...], properties: frozenset[str]
    ) -> ObjectEvent:
        if node is None:
            return ObjectEvent(id=id_path)
        if not isinstance(node.value, dict):
            return ObjectEvent(id=id_path, status=self._source(node))
        reader = Reader(node, self.findings, f"the event '{name}' of {self.what}")
        own_id, status, sets = reader.get("id"), reader.get("status"), reader.get("set")
        reader.close()
        path = id_path if own_id is None else self._path(own_id, "the property with the id") or id_path
        return ObjectEvent(
            id=path, status=None if status is None else self._source(status), sets=self._sets(sets, properties)
        )

    def _sets(self, node: Located | None, properties: frozenset[str]) -> tuple[tuple[str, Source], ...]:
        if node is None:
            return ()
        reader = Reader(node, self.findings, f"'set' of {self.what}")
        found = []
        for name in reader:
            if name not in properties:
                self._unknown_property(node.keys[name], name, properties)
            item = reader.get(name)
            found.append((name, Source() if item is None else self._source(item)))
        return tuple(found)

    def _source(self, node: Located) -> Source:
        value: Any = node.plain()
        if isinstance(value, str) and value.startswith("properties."):
            return Source(path=self._path(node, "a property of the event") or ())
        if isinstance(value, str | int | float | bool):
            return Source(value=value)
        self._add(node, "bad-value", f"'{value}' is neither a value nor properties.NAME", "write: properties.price")
        return Source()
