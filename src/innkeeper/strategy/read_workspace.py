"""`strategy.yaml` to its value."""

from __future__ import annotations

import re

from innkeeper.identity.read_matching import read_matching
from innkeeper.kernel.located import Findings, Located, Reader
from innkeeper.kernel.zones import try_zone
from innkeeper.objects.read import read_objects
from innkeeper.profiles.home import TRAIT as HOUSEHOLD
from innkeeper.strategy.read_accounts import read_accounts
from innkeeper.strategy.read_identity import read_identity
from innkeeper.strategy.read_sources import read_sources
from innkeeper.strategy.read_traits import read_traits
from innkeeper.strategy.types import Workspace

LOCALE = re.compile(r"[a-z]{2,3}([-_][A-Za-z0-9]{2,8})*\Z")
_CURRENCY = re.compile(r"[A-Z]{3}\Z")


def read_workspace(node: Located, findings: Findings) -> Workspace:
    """The workspace that `strategy.yaml` declares; an empty file is the default one."""
    if node.value is None:
        return Workspace()
    reader = Reader(node, findings, "strategy.yaml")
    default = Workspace()
    declared = read_traits(reader.get("traits"), findings)
    sources = read_sources(reader.get("sources"), findings)
    zone = _zone(reader, default.zone)
    workspace = Workspace(
        name=reader.text("name", default.name) or default.name,
        zone=zone,
        locale=_matching(reader, "locale", LOCALE, default.locale, "a locale such as en or pt-BR"),
        currency=_matching(reader, "currency", _CURRENCY, default.currency, "an ISO 4217 code such as EUR"),
        events=_events(reader.get("events"), findings),
        traits=frozenset(declared),
        declared=declared,
        memories=frozenset(_names(reader.items("memories"), findings, "what a memory is about")),
        sources=sources,
        identity=read_identity(reader.get("identity"), sources, findings),
        accounts=read_accounts(reader.get("accounts"), findings),
        objects=read_objects(reader.get("objects"), zone, findings),
        matching=read_matching(found, findings) if (found := reader.get("matching")) is not None else None,
    )
    _check_identifying(workspace, findings)
    reader.close()
    return workspace


def _check_identifying(workspace: Workspace, findings: Findings) -> None:
    """Traits that say who somebody is, or with whom somebody lives, have no end: people would come apart by it."""
    paths = [path for each in workspace.identity.namespaces.values() for path in each.paths]
    identifying = {HOUSEHOLD, *(path[1] for path in paths if path[0] == "traits")}
    for name in sorted(identifying & workspace.merges.kept.keys()):
        findings.add(
            workspace.declared[name].retention_place, "retention-identifies",
            f"the trait '{name}' says who somebody is or with whom somebody lives, and a retention would undo that",
            "leave out retention",
        )  # fmt: skip


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
