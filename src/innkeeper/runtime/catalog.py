"""The catalog of what arrives: which events, properties and traits, how often, from whom, of which types.

Asked of the log in bulk; what comes back is one row per name and type. What looks sensitive: `events/sensitive.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from innkeeper.audiences.catalog import BUILT_IN_EVENTS, BUILT_IN_TRAITS
from innkeeper.audiences.merges import TraitType
from innkeeper.events.reserved import is_reserved
from innkeeper.events.sensitive import CANDIDATE, masked, sensitive_name, sensitive_values
from innkeeper.kernel.errors import Problem, UsageError, did_you_mean
from innkeeper.kernel.time import Instant, format_instant
from innkeeper.runtime.gaps import Gaps
from innkeeper.store.bulk import Bulk
from innkeeper.strategy.types import Workspace

#: At most so many names are answered with, those that came most often.
MOST_NAMES: Final = 2_000
#: So many of the newest events are looked at for values that look sensitive, where a strategy is checked.
NEWEST: Final = 100_000
_TYPES: Final = {
    "VARCHAR": "text", "BOOLEAN": "boolean", "OBJECT": "object", "ARRAY": "list", "NULL": "null", "UBIGINT": "number",
    "BIGINT": "number", "DOUBLE": "number", "HUGEINT": "number",
}  # fmt: skip
_ISO = r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}.*([Zz]|[+-][0-9]{2}(:?[0-9]{2})?)"
_EVENTS = """
SELECT name, count(*), min(ts), max(ts), list(DISTINCT source)[:20] FROM events WHERE is_input
GROUP BY name ORDER BY count(*) DESC, name LIMIT $most
"""
# One row per name and JSON type; every aggregate keeps a bounded amount, so that memory does not grow with the log.
_SAID = """
WITH documents AS ({documents}),
keyed AS (SELECT owner, document, unnest(json_keys(document)) AS key, source, ts, message_id FROM documents),
said AS (
  SELECT owner, key, source, ts, message_id,
    json_extract(document, '/' || replace(replace(key, '~', '~0'), '/', '~1')) AS value FROM keyed
), told AS (
  SELECT owner, key, source, ts, message_id, json_type(value) AS type,
    left(CASE WHEN json_type(value) = 'VARCHAR' THEN json_extract_string(value, '$') ELSE value::VARCHAR END, 200)
      AS text
  FROM said
)
SELECT owner, key, type, count(*), min(ts), max(ts), list(DISTINCT source)[:20],
  arg_max(text, row(ts, source, message_id)), min(text), max(text),
  count(*) FILTER (type = 'VARCHAR' AND regexp_full_match(text, $iso)),
  max(text, 20) FILTER (type NOT IN ('OBJECT', 'ARRAY', 'BOOLEAN', 'NULL') AND regexp_full_match(text, $candidate))
FROM told GROUP BY owner, key, type
"""
# Only the column of timestamps is read for it; the rest of what is older is never touched.
_SINCE = "SELECT min(ts) FROM (SELECT ts FROM events WHERE is_input ORDER BY ts DESC LIMIT $newest)"
_PROPERTIES = """
SELECT name AS owner, properties AS document, source, ts, message_id FROM events
WHERE is_input AND properties <> '{}' AND ts >= $since AND ($name IS NULL OR name = $name)
"""
_TRAITS = """
SELECT '' AS owner, traits AS document, source, ts, message_id FROM events
WHERE traits <> '{}' AND ts >= $since AND (is_input OR name = 'Traits Updated')
"""
_ACCOUNT_TRAITS = """
SELECT '' AS owner, told AS document, source, ts, message_id FROM (
  SELECT CASE WHEN type = 'group' THEN json_extract(extra, '$.traits')
    WHEN name = 'Account Updated' THEN json_extract(properties, '$.set') END AS told, source, ts, message_id
  FROM events WHERE is_input AND ts >= $since AND (type = 'group' OR name = 'Account Updated')
) WHERE json_type(told) = 'OBJECT'
"""


@dataclass(slots=True)
class Said:
    """What is known of one property or trait."""

    owner: str
    name: str
    count: int = 0
    first_at: Instant = 2**62
    last_at: Instant = -(2**62)
    sources: set[str] = field(default_factory=set)
    types: dict[str, int] = field(default_factory=dict)
    instants: int = 0
    examples: list[str] = field(default_factory=list)
    candidates: list[str] = field(default_factory=list)

    def add(self, row: tuple[Any, ...]) -> None:
        """One row of the question."""
        _, _, kind, count, first, last, sources, newest, least, most, instants, candidates = row
        type_ = _TYPES.get(kind, "null")
        self.types[type_] = self.types.get(type_, 0) + count
        self.count += count
        self.first_at, self.last_at = min(self.first_at, first), max(self.last_at, last)
        self.sources.update(sources)
        self.instants += instants
        if type_ not in ("null", "object", "list"):
            self.examples += [each for each in (newest, least, most) if each not in self.examples]
        self.candidates += candidates or []

    @property
    def sensitive(self) -> str | None:
        """The category of what it seems to hold, by its name, else by its values."""
        return sensitive_name(self.name) or sensitive_values(self.candidates)

    def conflicts(self, declared: TraitType) -> int:
        """How many values have another type than the declared one."""
        told = {name: count for name, count in self.types.items() if name != "null"}
        if declared == "any":
            return 0
        fitting = self.instants if declared == "instant" else told.get(declared, 0)
        return sum(told.values()) - fitting

    def as_dict(self) -> dict[str, Any]:
        """JSON; examples of what looks sensitive are left out."""
        flag = self.sensitive
        shown = [] if flag is not None else list(dict.fromkeys(map(masked, self.examples)))[:3]
        return {
            "name": self.name, "count": self.count, "first_at": format_instant(self.first_at),
            "last_at": format_instant(self.last_at), "sources": sorted(self.sources),
            "types": dict(sorted(self.types.items())), "examples": shown, "sensitive": flag,
        }  # fmt: skip


def event_names(bulk: Bulk, workspace: Workspace) -> list[dict[str, Any]]:
    """Every event that arrived, the most frequent first."""
    return [
        {
            "name": name, "count": count, "first_at": format_instant(first), "last_at": format_instant(last),
            "sources": sorted(sources), "declared": name in workspace.events or name in BUILT_IN_EVENTS,
        }
        for name, count, first, last, sources in bulk.rows(_EVENTS, {"most": MOST_NAMES})
    ]  # fmt: skip


def event_properties(bulk: Bulk, workspace: Workspace, name: str) -> dict[str, Any]:
    """One event with all its properties.

    Raises:
        UsageError: No such event arrived.
    """
    events = event_names(bulk, workspace)
    found = next((each for each in events if each["name"] == name), None)
    if found is None:
        names = [each["name"] for each in events]
        raise UsageError(
            f"no event '{name}' has arrived", code="unknown-event",
            fix=did_you_mean(name, names) or "see: innkeeper catalog events",
        )  # fmt: skip
    declared = workspace.events.get(name, frozenset()) | BUILT_IN_EVENTS.get(name, frozenset())
    properties = [
        each.as_dict() | {"declared": each.name in declared, "mixed": _mixed(each)}
        for each in _said(bulk, _PROPERTIES, {"name": name})
    ]
    return found | {"properties": properties}


def traits(bulk: Bulk, workspace: Workspace) -> list[dict[str, Any]]:
    """Every trait that arrived, the most frequent first; then those that are declared and never came, or have gone."""
    found = []
    seen = set()
    gone = Gaps(bulk.home).traits
    for each in _said(bulk, _TRAITS, {}):
        seen.add(each.name)
        found.append(each.as_dict() | _declaration(each.name, each, workspace) | _gone(gone.get(each.name)))
    never: dict[str, Any] = {
        "count": 0,
        "first_at": None,
        "last_at": None,
        "sources": [],
        "types": {},
        "examples": [],
        "sensitive": None,
    }
    for name in sorted((workspace.declared.keys() | gone.keys()) - seen):
        declared = _declaration(name, Said("", name), workspace)
        found.append({"name": name} | never | declared | _gone(gone.get(name)))
    return found


def _gone(at: Instant | None) -> dict[str, Any]:
    """When words on a trait went by its retention last."""
    return {"gone_at": None if at is None else format_instant(at)}


def account_traits(bulk: Bulk, workspace: Workspace) -> list[dict[str, Any]]:
    """Every trait of accounts that arrived, the most frequent first; a member's role, told beside them, is none."""
    types = workspace.accounts.traits if workspace.accounts is not None else {}
    found = []
    for each in _said(bulk, _ACCOUNT_TRAITS, {}):
        kind: Any = types.get(each.name)
        if each.name != "role":
            told = {"declared": kind is not None, "reserved": is_reserved(each.name), "mixed": _mixed(each)}
            found.append(each.as_dict() | told | {"type": kind, "conflicts": each.conflicts(kind or "any")})
    return found


def _declaration(name: str, said: Said, workspace: Workspace) -> dict[str, Any]:
    definition = workspace.declared.get(name)
    told: dict[str, Any] = {
        "declared": definition is not None or name in BUILT_IN_TRAITS, "reserved": is_reserved(name),
        "mixed": _mixed(said),
    }  # fmt: skip
    if definition is None:
        return told | {"type": None, "conflicts": 0}
    days = None if definition.retention is None else definition.retention / 86_400_000_000
    return told | {
        "type": definition.rule.type, "conflicts": said.conflicts(definition.rule.type),
        "merge": definition.rule.merge, "purpose": definition.purpose, "sensitivity": definition.sensitivity,
        "retention_days": days, "description": definition.description,
    }  # fmt: skip


def _mixed(said: Said) -> bool:
    return len(said.types.keys() - {"null"}) > 1


def _said(bulk: Bulk, documents: str, parameters: Mapping[str, Any], since: Instant = -(2**62)) -> list[Said]:
    """What is known of each name, the most frequent first."""
    sql = _SAID.format(documents=documents)
    found: dict[tuple[str, str], Said] = {}
    bound = {"iso": _ISO, "candidate": CANDIDATE, "since": since, **parameters}
    for piece in bulk.stream(sql, bound):
        for row in piece:
            found.setdefault((row[0], row[1]), Said(row[0], row[1])).add(row)
    ordered = sorted(found.values(), key=lambda each: (-each.count, each.owner, each.name))
    return ordered[:MOST_NAMES]


def sensitive_warnings(home: Path, workspace: Workspace) -> list[Problem]:
    """What arrives undeclared and looks sensitive, one warning for each; nothing where there is no log.

    The newest 100,000 events are looked at.
    """
    if not (home / "log.db").exists():
        return []
    with Bulk.open(home) as bulk:
        since: Instant | None = bulk.rows(_SINCE, {"newest": NEWEST})[0][0]
        if since is None:
            return []
        properties, told = _said(bulk, _PROPERTIES, {"name": None}, since), _said(bulk, _TRAITS, {}, since)
    known = {name: BUILT_IN_EVENTS.get(name, frozenset()) | names for name, names in workspace.events.items()}
    fresh = [each for each in properties if each.name not in known.get(each.owner, BUILT_IN_EVENTS.get(each.owner, ()))]
    fresh += [each for each in told if each.name not in workspace.traits and not is_reserved(each.name)]
    return list(_warnings(fresh))


def _warnings(found: Iterable[Said]) -> Iterable[Problem]:
    for each in sorted(found, key=lambda one: (one.owner, one.name)):
        if (category := each.sensitive) is None:
            continue
        what = f"the property '{each.name}' of '{each.owner}'" if each.owner else f"the trait '{each.name}'"
        where = "events" if each.owner else "traits"
        yield Problem(
            code="looks-sensitive", message=f"{what} looks like {WORDS[category]}, and nobody has declared it",
            fix=f"declare it in strategy.yaml under {where} if it is meant to be kept, else stop sending it "
            f"({', '.join(sorted(each.sources))})",
        )  # fmt: skip


#: Categories in words.
WORDS: Final = {
    "health": "something about health", "religion": "a religion", "union": "membership of a union",
    "sexuality": "something about sexuality", "ethnicity": "an ethnic origin", "politics": "a political opinion",
    "genetics": "genetic data", "biometrics": "biometric data", "criminal": "a criminal record",
    "national_id": "the number of an identity document", "card": "the number of a payment card",
    "bank_account": "the number of a bank account", "secret": "a password or another secret",
}  # fmt: skip
