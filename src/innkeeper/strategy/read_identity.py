"""`identity:` of `strategy.yaml`: namespaces and limits. What each source is trusted with is `read_sources.py`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from innkeeper.identity.namespaces import BUILT_IN, FAN_IN, IdentityRules, Namespace, Source, folded_value
from innkeeper.kernel.errors import did_you_mean
from innkeeper.kernel.located import Findings, Located, Reader
from innkeeper.strategy.read_sources import Source as DeclaredSource

_NAME = re.compile(r"[a-z][a-z0-9_]*\Z")
_ROOTS = ("traits", "properties", "context")


def read_identity(identity: Located | None, sources: Mapping[str, DeclaredSource], findings: Findings) -> IdentityRules:
    """The rules of who is who; without the key and declared sources the built-in ones."""
    fan_in, namespaces = FAN_IN, dict(BUILT_IN)
    trusted = {
        name: Source(verifies=each.verifies, may_link=each.may_link, vouches=each.trust > 0)
        for name, each in sources.items()
    }
    if identity is not None:
        reader = Reader(identity, findings, "'identity'")
        fan_in = _positive(reader, "fan_in", findings) or FAN_IN
        node = reader.get("namespaces")
        if node is not None:
            for name in (entries := Reader(node, findings, "'namespaces'")):
                item = entries.get(name)
                if item is not None and _named(name, node, findings):
                    namespaces[name] = _namespace(name, item, trusted, findings)
        reader.close()
    return IdentityRules(fan_in=fan_in, namespaces=namespaces, sources=trusted)


def _named(name: str, node: Located, findings: Findings) -> bool:
    if _NAME.match(name):
        return True
    findings.add(
        node.keys[name], "bad-namespace", f"'{name}' cannot be the name of a namespace",
        "use lower-case letters, digits and _: loyalty_card",
    )  # fmt: skip
    return False


def _namespace(name: str, node: Located, trusted: dict[str, Source], findings: Findings) -> Namespace:
    reader = Reader(node, findings, f"the namespace '{name}'")
    base = BUILT_IN.get(name, Namespace(name=name))
    if name in BUILT_IN:
        if reader.has("owner"):
            findings.add(
                node.keys["owner"], "built-in-namespace", f"'{name}' is built in; its owner is '{base.owner}'",
                "remove 'owner'",
            )  # fmt: skip
    elif reader.choice("owner", ("person", "spans"), "person") == "spans":
        base = replace(base, owner="spans")
    if name in ("user_id", "anonymous_id") and reader.has("from"):
        findings.add(
            node.keys["from"], "built-in-namespace", f"'{name}' is an id of the event itself",
            "remove 'from'; declare a namespace of your own for other values",
        )  # fmt: skip
    paths = tuple(path for item in reader.items("from") if (path := _path(item, findings)))
    allowed = [_source_name(item, trusted, findings) for item in reader.items("sources")]
    made = replace(
        base,
        paths=paths or base.paths,
        limit=_positive(reader, "limit", findings),
        blocked=frozenset(folded_value(str(item.plain())) for item in reader.items("blocked")),
        sources=frozenset(allowed) if allowed else None,
    )
    reader.close()
    return made


def _positive(reader: Reader, key: str, findings: Findings) -> int | None:
    value = reader.integer(key)
    if value is not None and value < 1:
        node = reader.get(key)
        findings.add(
            node or reader.node, "not-positive", f"'{key}' of {reader.what} is {value}; it must be at least 1",
            f"write it like {key}: 5, or leave it out",
        )  # fmt: skip
        return None
    return value


def _path(item: Located, findings: Findings) -> tuple[str, ...]:
    parts = tuple(str(item.value).split("."))
    if len(parts) > 1 and parts[0] in _ROOTS and all(parts):
        return parts
    findings.add(
        item, "bad-path", f"'{item.plain()}' does not say where events carry the value",
        "begin with traits., properties. or context.: traits.card",
    )  # fmt: skip
    return ()


def _source_name(item: Located, trusted: dict[str, Source], findings: Findings) -> str:
    name = str(item.plain())
    if name not in trusted:
        findings.add(
            item, "unknown-source", f"there is no source '{name}' under 'sources'",
            did_you_mean(name, trusted) or f"declare it: sources: {{ {name}: {{}} }}",
        )  # fmt: skip
    return name
