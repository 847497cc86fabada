"""`strategy.yaml` to its value."""

from __future__ import annotations

import re

from innkeeper.kernel.located import Findings, Located, Reader
from innkeeper.kernel.zones import try_zone
from innkeeper.strategy.read_identity import read_identity
from innkeeper.strategy.types import Workspace

LOCALE = re.compile(r"[a-z]{2,3}([-_][A-Za-z0-9]{2,8})*\Z")
_CURRENCY = re.compile(r"[A-Z]{3}\Z")
_LATER_KEYS = ("objects", "accounts", "namespaces")


def read_workspace(node: Located, findings: Findings) -> Workspace:
    """The workspace that `strategy.yaml` declares; an empty file is the default one."""
    if node.value is None:
        return Workspace()
    reader = Reader(node, findings, "strategy.yaml")
    default = Workspace()
    workspace = Workspace(
        name=reader.text("name", default.name) or default.name,
        zone=_zone(reader, default.zone),
        locale=_matching(reader, "locale", LOCALE, default.locale, "a locale such as en or pt-BR"),
        currency=_matching(reader, "currency", _CURRENCY, default.currency, "an ISO 4217 code such as EUR"),
        events=_events(reader.get("events"), findings),
        traits=frozenset(_names(reader.items("traits"), findings, "a trait's name")),
        identity=read_identity(reader.get("identity"), reader.get("sources"), findings),
    )
    for key in _LATER_KEYS:
        if reader.has(key):
            findings.add(node.keys[key], "later", f"'{key}' comes with a later version", "remove it until then")
    reader.close()
    return workspace


def _zone(reader: Reader, default: str) -> str:
    node = reader.get("zone")
    if node is None:
        return default
    if isinstance(node.value, str) and try_zone(node.value) is not None:
        return node.value
    reader.findings.add(
        node, "unknown-zone", f"there is no time zone '{node.plain()}'", "use an IANA name: Europe/Lisbon, UTC"
    )
    return default


def _matching(reader: Reader, key: str, pattern: re.Pattern[str], default: str, what: str) -> str:
    text = reader.text(key, default) or default
    if not pattern.match(text):
        reader.findings.add(reader.get(key) or reader.node, f"bad-{key}", f"'{text}' is not a {key}", f"write {what}")
        return default
    return text


def _events(node: Located | None, findings: Findings) -> dict[str, frozenset[str]]:
    """`{Order Completed: [total, products], Login:}`; a list declares names without properties."""
    if node is None:
        return {}
    if isinstance(node.value, list):
        return {name: frozenset() for name in _names(node.value, findings, "an event's name")}
    if not isinstance(node.value, dict):
        findings.add(
            node, "not-a-mapping", "'events' names each event with its properties",
            "write it like {Order Completed: [total, products]}",
        )  # fmt: skip
        return {}
    events = {}
    for name, item in node.value.items():
        properties = item.value if isinstance(item.value, list) else [] if item.value is None else [item]
        events[name] = frozenset(_names(properties, findings, f"a property's name of '{name}'"))
    return events


def _names(nodes: list[Located], findings: Findings, what: str) -> list[str]:
    names = []
    for node in nodes:
        if isinstance(node.value, str) and node.value.strip():
            names.append(node.value)
        else:
            findings.add(node, "not-a-text", f"{what} must be a text, not '{node.plain()}'", "put it in quotes")
    return names
