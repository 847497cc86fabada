"""Names that object types use: the events that feed them and those events' properties."""

from __future__ import annotations

from collections.abc import Mapping

from innkeeper.audiences import Catalog
from innkeeper.kernel.errors import did_you_mean
from innkeeper.kernel.located import Findings
from innkeeper.objects.definition import ObjectType


def check_objects(objects: Mapping[str, ObjectType], catalog: Catalog, findings: Findings) -> None:
    """Add a finding for every name that nobody has declared or sent."""
    for declared in objects.values():
        known: dict[str, frozenset[str]] = {}
        for event in declared.events:
            properties = catalog.properties(event)
            if properties is not None:
                known[event] = properties
                continue
            findings.add(
                declared.places.get(f"event {event}", declared.place), "unknown-event",
                f"nobody has declared or sent the event '{event}'",
                did_you_mean(event, catalog.event_names)
                or "declare it in strategy.yaml under events, or import the events first",
            )  # fmt: skip
        if len(known) == len(declared.events):
            _check_properties(declared, known, findings)


def _check_properties(declared: ObjectType, known: Mapping[str, frozenset[str]], findings: Findings) -> None:
    for event, properties in known.items():
        rule = declared.events[event]
        if rule.id[0] not in properties:
            _unknown(declared, "id", rule.id[0], f"of '{event}'", properties, findings)
        for _, source in rule.sets:
            if source.path and source.path[0] not in properties:
                _unknown(declared, f"event {event}", source.path[0], f"of '{event}'", properties, findings)
    everything = frozenset().union(*known.values())
    given = {name for rule in declared.events.values() for name, _ in rule.sets}
    for name in sorted(declared.properties - given - everything):
        _unknown(declared, f"property {name}", name, "of its events", everything, findings)
    for role, path in sorted(declared.roles.items()):
        if path is not None and path[0] not in everything:
            _unknown(declared, f"role {role}", path[0], "of its events", everything, findings)


def _unknown(declared: ObjectType, place: str, name: str, of: str, known: frozenset[str], findings: Findings) -> None:
    findings.add(
        declared.places.get(place, declared.place), "unknown-property",
        f"nobody has declared or sent the property '{name}' {of}, which the object type '{declared.name}' reads",
        did_you_mean(name, known) or "declare it in strategy.yaml under events",
    )  # fmt: skip
