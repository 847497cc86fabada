"""Who has what when, for everybody at once: the same answer as the engine keeps, from one picture of the log.

Made once per picture, as a table `turns` in the bulk engine: the plain case (a user's browser) in SQL, what joins
persons in Python from the few events that do. As of an instant nothing has to be made again: of the turns those count
that begin by then, and of the joins those that were said by then. Next in the flow: `sql.py`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from innkeeper.events.types import ENGINE_SOURCE, LogRow, from_row
from innkeeper.identity.evidence import SPOKEN, Evidence, evidence_of
from innkeeper.identity.namespaces import BUILT_IN, IdentityRules, Namespace
from innkeeper.identity.persons import Persons, newest_words, resolve
from innkeeper.identity.spans import within_limit
from innkeeper.kernel.ids import ANONYMOUS
from innkeeper.kernel.json import dumps
from innkeeper.kernel.time import FOREVER, Instant

#: Runs a statement with named parameters.
Rows = Callable[[str, dict[str, Any]], list[tuple[Any, ...]]]

_ROWS: Final = (
    "SELECT coalesce(seq, 0), source, message_id, type, name, user_id, anonymous_id, ts, received_at, properties,"
    " traits, context, extra FROM events WHERE is_input AND source <> $engine AND "
)
_CLAIMS: Final = """
CREATE OR REPLACE TABLE claims AS
SELECT anonymous_id AS value, user_id, ts, source, message_id FROM events
WHERE anonymous_id IS NOT NULL AND user_id IS NOT NULL AND is_input AND source <> $engine
  AND ($allowed IS NULL OR list_contains($allowed, source)) AND NOT ({special})
"""
_PAIRS: Final = """
CREATE OR REPLACE TABLE pairs AS
WITH plain AS (
  SELECT value, user_id, min(row(ts, source, message_id)) AS first FROM claims GROUP BY value, user_id
), counting AS (
  SELECT 'anonymous_id:' || value AS identifier, 'user_id:' || user_id AS claimant, first FROM plain
  WHERE NOT list_contains($nobody, translate(trim(value, $white), $upper, $lower))
    AND NOT list_contains($no_user, translate(trim(user_id, $white), $upper, $lower))
), others AS (
  SELECT unnest($o_identifier::VARCHAR[]) AS identifier, unnest($o_claimant::VARCHAR[]) AS claimant,
    row(unnest($o_ts::BIGINT[]), unnest($o_source::VARCHAR[]), unnest($o_message::VARCHAR[])) AS first
), removed AS (
  SELECT unnest($r_identifier::VARCHAR[]) AS identifier, unnest($r_claimant::VARCHAR[]) AS claimant
)
SELECT identifier, claimant, min(first) AS first FROM (SELECT * FROM counting UNION ALL SELECT * FROM others)
ANTI JOIN removed USING (identifier, claimant)
GROUP BY identifier, claimant
QUALIFY row_number() OVER (PARTITION BY claimant ORDER BY min(first), identifier) <= $limit
"""
# The last row is nobody's. Where an outer join's right side is empty for sure (a filter over an empty table), DuckDB
# 2.0.0 answers `sum(x) > 3000` with false for everybody (tests/unit/test_owners.py shows it).
_TURNS: Final = """
CREATE OR REPLACE TABLE turns AS
WITH counted AS (
  SELECT identifier, min(claimant) AS claimant, max(claimant) AS other, min(first) AS first
  FROM pairs GROUP BY identifier
), everything AS (
  SELECT 'anonymous_id:' || value AS identifier, 'user_id:' || user_id AS claimant, ts, source, message_id FROM claims
  UNION ALL
  SELECT unnest($o_identifier::VARCHAR[]), unnest($o_claimant::VARCHAR[]), unnest($o_ts::BIGINT[]),
    unnest($o_source::VARCHAR[]), unnest($o_message::VARCHAR[])
), shared AS (
  SELECT each.*, lag(each.claimant) OVER place AS earlier
  FROM everything AS each
  SEMI JOIN (SELECT identifier FROM counted WHERE claimant <> other) AS several USING (identifier)
  SEMI JOIN pairs USING (identifier, claimant)
  WINDOW place AS (PARTITION BY identifier ORDER BY ts, source, message_id, claimant)
), handed AS (
  SELECT identifier, claimant, ts,
    CASE WHEN row_number() OVER place = 1 THEN -4611686018427387904 ELSE ts END AS since,
    coalesce(lead(ts) OVER place, 4611686018427387904) AS until
  FROM shared WHERE claimant IS DISTINCT FROM earlier
  WINDOW place AS (PARTITION BY identifier ORDER BY ts, source, message_id, claimant)
)
SELECT identifier, claimant, first[1] AS ts, -4611686018427387904 AS since, 4611686018427387904 AS until
FROM counted WHERE claimant = other
UNION ALL SELECT * FROM handed
UNION ALL SELECT '', '', -4611686018427387904, 0, 0
"""
_MARK: Final = "CREATE OR REPLACE TABLE owners_made AS SELECT $known::BIGINT AS known"
_MARKED: Final = "SELECT count(*) FROM duckdb_tables() WHERE table_name = 'owners_made'"
_JOINS: Final = """
CREATE OR REPLACE TABLE joins AS SELECT unnest($ts::BIGINT[]) AS ts, unnest($source::VARCHAR[]) AS source,
  unnest($message::VARCHAR[]) AS message_id, unnest($a::VARCHAR[]) AS a, unnest($b::VARCHAR[]) AS b,
  unnest($kind::VARCHAR[]) AS kind
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Owners:
    """What joined persons, in its order; who has which browser when is the table `turns`."""

    joins: tuple[Evidence, ...]
    rules: IdentityRules

    @staticmethod
    def of(rows: Rows, rules: IdentityRules, known: Instant = FOREVER) -> Owners:
        """Make the tables in the bulk engine, or find them made.

        Args:
            rows: The bulk engine, with the view `events`.
            rules: The rules in force.
            known: Explicit words count that were said by then; a removal counts at every instant before it too.
        """
        if rows(_MARKED, {})[0][0] and rows("SELECT known FROM owners_made", {}) == [(known,)]:
            found = rows("SELECT * FROM joins ORDER BY ts, source, message_id, a, b", {})
            return Owners(joins=tuple(Evidence(*row) for row in found), rules=rules)
        return _Making(rows, rules, known).make()

    def at(self, instant: Instant) -> Persons:
        """The persons as of an instant."""
        persons = Persons()
        for join in self.joins:
            if join.at <= instant:
                persons.take(join, self.rules)
        return persons

    def subjects(self, instant: Instant) -> dict[str, str]:
        """The subject of every identifier that does not name its profile itself, as of an instant."""
        return {name: subject for name, subject in self.at(instant).everyone().items() if name != subject}

    def timeline(self, until: Instant) -> dict[str, list[tuple[Instant, str]]]:
        """From when on which identifier is under which subject, where that is not itself; in order of time."""
        persons, found = Persons(), dict[str, list[tuple[Instant, str]]]()
        for join in self.joins:
            if join.at > until:
                break
            persons.take(join, self.rules)
            members = persons.members(join.a)
            for name in members:
                eras = found.setdefault(name, [])
                subject = persons.subject(name)
                if (eras[-1][1] if eras else name) != subject:
                    eras.append((join.at, subject))
        return found

    def in_namespace(self, rows: Rows, namespace: str, instant: Instant, known: Instant) -> dict[str, str]:
        """The smallest identifier of each profile in a namespace other than user and anonymous ids, by subject."""
        persons = self.at(instant)
        found: dict[str, str] = {}
        if self.rules.namespaces[namespace].owner == "person":
            pairs = ((persons.subject(name), name) for name in persons.everyone() if name.startswith(namespace + ":"))
        else:
            claims = _Making(rows, self.rules, known).claimed(namespace, instant)
            pairs = ((persons.subject(claim.b), claim.a) for claim in claims)
        for subject, name in pairs:
            found[subject] = min(found.get(subject, name), name)
        return found


def telling_sql(rules: IdentityRules) -> tuple[str, dict[str, Any]]:
    """SQL for every event that may say who is who, with its values."""
    making = _Making(lambda sql, values: [], rules, FOREVER)
    parts = [making.special(), "(user_id IS NOT NULL AND anonymous_id IS NOT NULL)"]
    parts += making.carrying(rules.namespaces["device"])
    return "(" + " OR ".join(parts) + ")", {name: value for name, value in making.values.items() if name != "engine"}


class _Making:
    def __init__(self, rows: Rows, rules: IdentityRules, known: Instant) -> None:
        self.rows, self.rules, self.known = rows, rules, known
        self.values: dict[str, Any] = {"engine": ENGINE_SOURCE}

    def make(self) -> Owners:
        """Everything at once."""
        special = self.special()
        evidence = [each for each in self._evidence(special) if not each.reason]
        words = self._words(evidence)
        spans = [each for each in evidence if self._in_spans(each)]
        persons = resolve(
            (each for each in evidence if not self._in_spans(each) and each.kind != "removed"), words, self.rules
        )
        self._tables(special, [each for each in spans if each.a.startswith(ANONYMOUS)], words)
        columns = list(zip(*persons.joins, strict=True)) or [()] * 6
        names = ("ts", "source", "message", "a", "b", "kind")
        self.rows(_JOINS, {name: list(columns[place]) for place, name in enumerate(names)})
        self.rows(_MARK, {"known": self.known})
        return Owners(joins=tuple(persons.joins), rules=self.rules)

    def claimed(self, namespace: str, instant: Instant) -> Iterator[Evidence]:
        """The claims in a namespace of spans that count as of an instant."""
        own = self.rules.namespaces[namespace]
        where = " OR ".join(["name IN ('Link Added', 'Link Removed')", *self.carrying(own)])
        evidence = [each for each in self._evidence(f"({where})") if not each.reason]
        words = self._words(evidence)
        claims = sorted(
            each
            for each in evidence
            if each.a.startswith(namespace + ":") and each.kind != "removed" and words.get(each.pair) is not False
        )
        firsts: dict[str, dict[str, Any]] = {}
        for each in claims:
            firsts.setdefault(each.b, {}).setdefault(each.a, (*each.key, each.b))
        limit = self.rules.limit(namespace)
        too_many = {
            (name, claimant)
            for claimant, all_of_them in firsts.items()
            for name in within_limit(((key, name) for name, key in all_of_them.items()), limit)
        }
        return (each for each in claims if each.at <= instant and (each.a, each.b) not in too_many)

    def _in_spans(self, each: Evidence) -> bool:
        return self.rules.namespace(each.a).owner == "spans"

    def _words(self, evidence: Iterable[Evidence]) -> dict[tuple[str, str], bool]:
        said = newest_words(each for each in evidence if each.at <= self.known)
        return {pair: word.kind == "added" for pair, word in said.items()}

    def special(self) -> str:
        """SQL: the events that say more than that a user has a browser."""
        parts = ["type = 'alias'", "name IN (" + ", ".join(f"'{name}'" for name in sorted(SPOKEN)) + ")"]
        for namespace in self.rules.namespaces.values():
            if namespace.verified or namespace.name not in BUILT_IN:
                parts += self.carrying(namespace)
        return "(" + " OR ".join(parts) + ")"

    def carrying(self, namespace: Namespace) -> list[str]:
        """SQL conditions, one of which holds for every event that carries a value of a namespace that may count."""
        verifying = sorted(name for name, source in self.rules.sources.items() if namespace.name in source.verifies)
        if namespace.verified and not verifying:
            return []
        parts = [f"contains({path[0]}, {self._bind(dumps(path[-1]))})" for path in namespace.paths]
        if namespace.name not in BUILT_IN:
            parts.append("contains(context, '\"externalIds\"')")
        if namespace.verified:
            listed = ", ".join(self._bind(name) for name in verifying)
            return [f"(source IN ({listed}) AND {part})" for part in parts]
        return parts

    def _bind(self, value: str) -> str:
        name = f"v{len(self.values)}"
        self.values[name] = value
        return f"${name}"

    def _evidence(self, where: str) -> Iterator[Evidence]:
        sql = _ROWS + where
        for row in self.rows(sql, _exactly(sql, self.values)):
            yield from evidence_of(from_row(row[0], LogRow(*row[1:])), self.rules)

    def _tables(self, special: str, claims: Sequence[Evidence], words: Mapping[tuple[str, str], bool]) -> None:
        anonymous, user = self.rules.namespaces["anonymous_id"], self.rules.namespaces["user_id"]
        sql = _CLAIMS.format(special=special)
        allowed = None if anonymous.sources is None else sorted(anonymous.sources)
        self.rows(sql, _exactly(sql, self.values | {"allowed": allowed}))
        said = [each for each in claims if each.kind != "removed"]
        gone = [pair for pair, counts in words.items() if not counts and pair[0].startswith(ANONYMOUS)]
        values = {
            "nobody": sorted(anonymous.nobody), "no_user": sorted(user.nobody), "white": " \t\r\n",
            "upper": "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "lower": "abcdefghijklmnopqrstuvwxyz",
            "limit": self.rules.limit("anonymous_id"),
            "o_identifier": [each.a for each in said], "o_claimant": [each.b for each in said],
            "o_ts": [each.at for each in said], "o_source": [each.source for each in said],
            "o_message": [each.message_id for each in said],
            "r_identifier": [pair[0] for pair in gone], "r_claimant": [pair[1] for pair in gone],
        }  # fmt: skip
        self.rows(_PAIRS, _exactly(_PAIRS, values))
        self.rows(_TURNS, _exactly(_TURNS, values))


def _exactly(sql: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """The values that a statement names; DuckDB refuses others."""
    return {name: values[name] for name in set(re.findall(r"\$([a-z_][a-z0-9_]*)", sql)) if name in values}
