"""`traits:` of `strategy.yaml`: names alone, or what each trait is, why and how long it is kept, and how it is merged.

How a value comes about: `audiences/merges.py`. Which values arrive, and whether they fit: `innkeeper catalog traits`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, get_args

from innkeeper.audiences.merges import MERGES, TRAIT_TYPES, TraitRule
from innkeeper.events.reserved import is_reserved
from innkeeper.kernel.located import NOWHERE, Findings, Located, Place, Reader
from innkeeper.kernel.time import Duration

Sensitivity = Literal["normal", "personal", "sensitive"]
#: What each rule can compare; the types it is no use for are refused.
_COMPARES = {"add": ("number",), "max": ("number", "instant"), "min": ("number", "instant")}


@dataclass(frozen=True, slots=True, kw_only=True)
class TraitDefinition:
    """One declared trait.

    Attributes:
        rule: Its type, and how the words of several identifiers and sources become one value.
        purpose: The declared purpose that it is kept for.
        retention: How long a value is kept after it was told; None: as long as the profile.
        sensitivity: `normal`, `personal` (says who someone is) or `sensitive` (health, faith and the like).
    """

    name: str
    rule: TraitRule = field(default_factory=TraitRule)
    purpose: str | None = None
    purpose_place: Place = NOWHERE
    retention: Duration | None = None
    retention_place: Place = NOWHERE
    sensitivity: Sensitivity = "normal"
    description: str = ""


def read_traits(node: Located | None, findings: Findings) -> dict[str, TraitDefinition]:
    """The declared traits by name: from a list of names, or a mapping."""
    if node is None:
        return {}
    if isinstance(node.value, dict):
        found = {}
        for name, item in node.value.items():
            if _may_be_told(name, node.keys[name], findings):
                found[name] = _trait(name, item, findings)
        return found
    names = node.value if isinstance(node.value, list) else [node]
    return {name: TraitDefinition(name=name) for item in names if (name := _name(item, findings))}


def _name(node: Located, findings: Findings) -> str:
    if isinstance(node.value, str) and node.value.strip():
        return node.value if _may_be_told(node.value, node.place, findings) else ""
    findings.add(node, "not-a-text", f"a trait's name must be a text, not '{node.plain()}'", "put it in quotes")
    return ""


def _may_be_told(name: str, place: Place, findings: Findings) -> bool:
    if not is_reserved(name):
        return True
    findings.add(
        place,
        "reserved-name",
        f"'{name}' is not for senders to say, so it never becomes a trait",
        "choose another name",
    )
    return False


def _trait(name: str, node: Located, findings: Findings) -> TraitDefinition:
    if isinstance(node.value, str):
        # `plan: text` is short for `plan: { type: text }`.
        node = Located({"type": node}, node.place, {"type": node.place})
    elif node.value is None:
        node = Located({}, node.place, {})
    reader = Reader(node, findings, f"the trait '{name}'")
    declared = reader.choice("type", TRAIT_TYPES, "any") or "any"
    merge = reader.choice("merge", MERGES, "newest") or "newest"
    compares = _COMPARES.get(merge)
    if compares is not None and declared not in (*compares, "any"):
        findings.add(
            reader.get("merge") or node, "merge-type",
            f"'{merge}' is for {' and '.join(f'{each}s' for each in compares)}; the trait '{name}' is a {declared}",
            f"declare it as type: {' or '.join(compares)}, or write merge: newest",
        )  # fmt: skip
        merge = "newest"
    purpose, retention = reader.get("purpose"), reader.get("retention")
    definition = TraitDefinition(
        name=name,
        rule=TraitRule(merge=merge, type=declared),  # type: ignore[arg-type]
        purpose=reader.text("purpose"),
        purpose_place=NOWHERE if purpose is None else purpose.place,
        retention=_retention(reader, findings, name, merge),
        retention_place=NOWHERE if retention is None else retention.place,
        sensitivity=reader.choice("sensitivity", get_args(Sensitivity), "normal"),  # type: ignore[arg-type]
        description=reader.text("description", "") or "",
    )
    reader.close()
    return definition


def _retention(reader: Reader, findings: Findings, name: str, merge: str) -> Duration | None:
    found = reader.duration("retention")
    if found is not None and merge == "oldest":
        findings.add(
            reader.get("retention") or reader.node, "retention-of-oldest",
            f"the first word on '{name}' counts, and with a retention it would go before the others",
            "leave out retention, or write merge: newest",
        )  # fmt: skip
        return None
    if found is not None and found <= 0:
        findings.add(
            reader.get("retention") or reader.node, "bad-duration", "a retention must be longer than nothing",
            "write it like retention: 400 days",
        )  # fmt: skip
        return None
    return found
