"""The tables of who is who in `state.db`: turns, bonds, words, persons, and the log of merges.

Read in sets, one indexed look-up each; written in the tick's transaction. What they mean is `identity/`; who keeps them
up to date is `runtime/identities.py`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from innkeeper.identity.evidence import Evidence
from innkeeper.identity.spans import Turn
from innkeeper.kernel.time import Instant

_PAGE = 500
Pair = tuple[str, str]


class Merge(NamedTuple):
    """Two profiles became one, or one came apart."""

    at: Instant
    what: str
    subject: str
    other: str
    kind: str
    a: str
    b: str
    event_at: Instant
    source: str
    message_id: str


class IdentityTables:
    """Who is who, as it is stored."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection

    def any(self, table: str) -> bool:
        """Whether a table has rows."""
        sql = "SELECT 1 FROM " + table + " LIMIT 1"  # noqa: S608 – names of ours
        return self.connection.execute(sql).fetchone() is not None

    def turns(self, identifiers: Iterable[str]) -> dict[str, list[Turn]]:
        """The turns of each identifier that has any, in their order."""
        found: dict[str, list[Turn]] = {}
        sql = "SELECT identifier, at, source, message_id, claimant, seq, reason FROM turns WHERE identifier IN"
        for identifier, *turn in self._in(sql, identifiers):
            found.setdefault(identifier, []).append(Turn(*turn))
        for turns in found.values():
            turns.sort()
        return found

    def count_claimed(self, claimant: str, namespace: str) -> int:
        """How many identifiers of a namespace one claims, as far as they count."""
        row = self.connection.execute(
            "SELECT count(DISTINCT identifier) FROM turns WHERE claimant = ? AND reason = ''"
            " AND identifier >= ? AND identifier < ?",
            (claimant, namespace + ":", namespace + ";"),
        ).fetchone()
        return int(row[0])

    def claimed(self, claimant: str, *, counting: bool = False) -> Iterator[tuple[str, Turn]]:
        """The turns of a claimant by identifier; *counting*: only those that count."""
        sql = "SELECT identifier, at, source, message_id, claimant, seq, reason FROM turns WHERE claimant = ?"
        for identifier, *turn in self.connection.execute(sql + (" AND reason = ''" if counting else ""), (claimant,)):
            yield identifier, Turn(*turn)

    def bonds(self, pairs: Iterable[Pair]) -> list[Evidence]:
        """The bonds between the identifiers of each pair, in this order of the two."""
        found: list[Evidence] = []
        for page in _pages(pairs, _PAGE // 2):
            marks = ",".join(["(?, ?)"] * len(page))
            rows = self.connection.execute(
                "WITH wanted (x, y) AS (VALUES " + marks + ")"  # noqa: S608 – placeholders
                " SELECT at, source, message_id, a, b, kind, seq, reason FROM wanted CROSS JOIN bonds"
                " ON a = x AND b = y",
                [each for pair in page for each in pair],
            )
            found += [Evidence(*row) for row in rows]
        return found

    def bonds_of(self, identifiers: Iterable[str]) -> list[Evidence]:
        """All bonds that touch some identifiers."""
        wanted, found = list(identifiers), set[Evidence]()
        for column in ("a", "b"):
            sql = "SELECT at, source, message_id, a, b, kind, seq, reason FROM bonds WHERE " + column + " IN"  # noqa: S608
            found.update(Evidence(*row) for row in self._in(sql, wanted))
        return sorted(found)

    def aliases(self, identifiers: Iterable[str]) -> list[Evidence]:
        """The aliases that replace some identifiers, as far as they count."""
        sql = (
            "SELECT at, source, message_id, a, b, kind, seq, reason FROM bonds WHERE kind = 'alias' AND reason = ''"
            " AND a IN"
        )
        return [Evidence(*row) for row in self._in(sql, identifiers)]

    def newest_bond(self, identifier: str) -> Instant | None:
        """When the newest bond that touches an identifier was said."""
        found: list[Instant] = [
            at
            for column in ("a", "b")
            for (at,) in self.connection.execute("SELECT max(at) FROM bonds WHERE " + column + " = ?", (identifier,))  # noqa: S608
            if at is not None
        ]
        return max(found, default=None)

    def word(self, pair: Pair) -> Evidence | None:
        """The newest word on a pair."""
        row = self.connection.execute(
            "SELECT at, source, message_id, a, b, iif(counts, 'added', 'removed'), seq FROM words"
            " WHERE a = ? AND b = ?",
            pair,
        ).fetchone()
        return None if row is None else Evidence(*row)

    def words(self, identifiers: Iterable[str]) -> dict[Pair, Evidence]:
        """The newest words on the pairs that touch some identifiers."""
        wanted, found = list(identifiers), {}
        for column in ("a", "b"):
            sql = "SELECT at, source, message_id, a, b, counts, seq FROM words WHERE " + column + " IN"  # noqa: S608
            for at, source, message_id, a, b, counts, seq in self._in(sql, wanted):
                found[a, b] = Evidence(at, source, message_id, a, b, "added" if counts else "removed", seq)
        return found

    def persons(self, identifiers: Iterable[str]) -> dict[str, str]:
        """The subjects of the identifiers that are joined to another."""
        return dict(self._in("SELECT identifier, subject FROM persons WHERE identifier IN", identifiers))

    def members(self, subjects: Iterable[str]) -> dict[str, list[str]]:
        """The identifiers that are joined under each subject."""
        found: dict[str, list[str]] = {}
        for subject, identifier in self._in("SELECT subject, identifier FROM persons WHERE subject IN", subjects):
            found.setdefault(subject, []).append(identifier)
        return found

    def merges(self, identifiers: Iterable[str]) -> list[Merge]:
        """What became one and came apart of some profiles, in its order."""
        wanted, found = list(identifiers), dict[int, Merge]()
        columns = "rowid, at, what, subject, other, kind, a, b, event_at, source, message_id"
        for column in ("subject", "other"):
            sql = "SELECT " + columns + " FROM merges WHERE " + column + " IN"  # noqa: S608 – names of ours
            found |= {place: Merge(*row) for place, *row in self._in(sql, wanted)}
        return [merge for _, merge in sorted(found.items())]

    def refused(self) -> dict[str, int]:
        """How many pairs a limit or the fan-in cap has refused, by reason; those are the alerts."""
        sql = (
            "SELECT reason, count(*) FROM (SELECT DISTINCT identifier, claimant, reason FROM turns"
            " WHERE reason IN ('limit', 'fan_in')) GROUP BY 1 UNION ALL"
            " SELECT reason, count(*) FROM bonds WHERE reason IN ('limit', 'fan_in') GROUP BY 1"
        )
        found: dict[str, int] = {}
        for reason, count in self.connection.execute(sql):
            found[reason] = found.get(reason, 0) + count
        return found

    # Writing

    def clear(self) -> None:
        """Forget everything but the log of merges."""
        for table in ("turns", "bonds", "words", "persons"):
            self.connection.execute("DELETE FROM " + table)  # noqa: S608 – names of ours

    def replace_turns(self, identifier: str, old: Sequence[Turn], new: Sequence[Turn]) -> None:
        """Bring the turns of an identifier from *old* to *new*."""
        gone, fresh = set(old) - set(new), set(new) - set(old)
        self.connection.executemany(
            "DELETE FROM turns WHERE identifier = ? AND at = ? AND source = ? AND message_id = ? AND claimant = ?",
            [(identifier, *turn.key) for turn in sorted(gone)],
        )
        self.connection.executemany(
            "INSERT INTO turns (identifier, at, source, message_id, claimant, seq, reason)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            [(identifier, *turn) for turn in sorted(fresh)],
        )

    def put_bonds(self, bonds: Iterable[Evidence]) -> None:
        """Write bonds over those of the same pair and kind."""
        self.connection.executemany(
            "INSERT OR REPLACE INTO bonds (at, source, message_id, a, b, kind, seq, reason)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            bonds,
        )

    def put_words(self, words: Iterable[tuple[Pair, Evidence]]) -> None:
        """Write the newest words on some pairs."""
        self.connection.executemany(
            "INSERT OR REPLACE INTO words (a, b, counts, at, source, message_id, seq) VALUES (?, ?, ?, ?, ?, ?, ?)",
            [(*pair, int(word.kind == "added"), *word.key, word.seq) for pair, word in words],
        )

    def put_persons(self, subjects: Iterable[tuple[str, str | None]]) -> None:
        """Write the subjects of identifiers; None for one that is joined to no other."""
        rows = list(subjects)
        self.connection.executemany(
            "INSERT OR REPLACE INTO persons (identifier, subject) VALUES (?, ?)",
            [row for row in rows if row[1] is not None],
        )
        self.connection.executemany(
            "DELETE FROM persons WHERE identifier = ?", [(row[0],) for row in rows if row[1] is None]
        )

    def add_merges(self, merges: Iterable[Merge]) -> None:
        """Append to the log of merges."""
        self.connection.executemany("INSERT INTO merges VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", merges)

    def _in(self, sql: str, values: Iterable[str]) -> Iterator[Any]:
        for page in _pages(values, _PAGE):
            yield from self.connection.execute(sql + " (" + ",".join("?" * len(page)) + ")", page)


def _pages(values: Iterable[Any], size: int) -> Iterator[list[Any]]:
    wanted = list(values)
    for start in range(0, len(wanted), size):
        yield wanted[start : start + size]
