"""`sources:` of `strategy.yaml`: how far the word of each source goes.

Who reads it: the order of trust among values of a trait (`profiles/traits.py`, `audiences/sql.py`), which sources may
link identifiers (`identity/`). A source that is not declared has the defaults.
"""

from __future__ import annotations

from dataclasses import dataclass

from innkeeper.kernel.errors import did_you_mean
from innkeeper.kernel.located import Findings, Located, Reader
from innkeeper.strategy.names import check_name

#: The source of what the engine itself says; its word is not for a strategy to weigh.
ENGINE = "innkeeper"
#: What a source can vouch for: that the address it tells is the person's own.
VERIFIABLE = ("email", "phone")
_MOST_TRUST = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One declared source.

    Attributes:
        name: As events name it.
        trust: Rank among sources: where a trait's merge is `trusted`, the highest wins.
        verifies: Namespaces whose values count as verified when this source tells them.
        may_link: Whether its events may link identifiers.
    """

    name: str
    trust: int = 1
    verifies: frozenset[str] = frozenset()
    may_link: bool = True


def read_sources(node: Located | None, findings: Findings) -> dict[str, Source]:
    """The declared sources by name."""
    if node is None:
        return {}
    if not isinstance(node.value, dict):
        findings.add(
            node, "not-a-mapping", "'sources' names each source with what its word counts for",
            "write it like {crm: {trust: 3, verifies: [email]}}",
        )  # fmt: skip
        return {}
    sources = {}
    for name, item in node.value.items():
        place = node.keys[name]
        check_name(name, place, findings)
        if name == ENGINE:
            findings.add(
                place, "reserved-name", f"'{ENGINE}' is the engine's own source", "leave it out; its trust is fixed"
            )
            continue
        body = Located({}, item.place, {}) if item.value is None else item
        sources[name] = _source(name, Reader(body, findings, f"the source '{name}'"))
    return sources


def _source(name: str, reader: Reader) -> Source:
    trust = reader.integer("trust", 1)
    if trust is not None and not 0 <= trust <= _MOST_TRUST:
        reader.findings.add(
            reader.get("trust") or reader.node, "bad-trust", f"trust is a number from 0 to {_MOST_TRUST}, not {trust}",
            "write 0 for a source that is not trusted, 1 for an ordinary one",
        )  # fmt: skip
        trust = 1
    verifies = frozenset(_verified(item, name, reader.findings) for item in reader.items("verifies")) - {""}
    may_link = reader.get("may_link")
    if may_link is not None and not isinstance(may_link.value, bool):
        reader.findings.add(
            may_link, "not-a-boolean", f"'may_link' of the source '{name}' is true or false, not '{may_link.plain()}'",
            "write may_link: false",
        )  # fmt: skip
        may_link = None
    reader.close()
    return Source(
        name=name, trust=1 if trust is None else trust, verifies=verifies,
        may_link=may_link is None or may_link.value is True,
    )  # fmt: skip


def _verified(item: Located, name: str, findings: Findings) -> str:
    if isinstance(item.value, str) and item.value in VERIFIABLE:
        return item.value
    findings.add(
        item, "not-a-choice", f"the source '{name}' cannot verify '{item.plain()}'; only {' and '.join(VERIFIABLE)}",
        did_you_mean(str(item.plain()), VERIFIABLE) or f"write one of: {', '.join(VERIFIABLE)}",
    )  # fmt: skip
    return ""
