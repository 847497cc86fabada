"""Homes as the claim sees them: who lives with whom, who has died, what was answered, what went to the home.

A delivery at an instant sees the words that were taken *before* it. That makes the answer the same for ticks of any
size, and it is why words are kept with the instant at which they were taken. Who asks is `home_rules.py`.
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Iterator
from typing import Any, NamedTuple

from innkeeper.kernel.time import FOREVER, Instant
from innkeeper.profiles.home import home_of
from innkeeper.profiles.state import HouseholdWord

# States in which a delivery may have reached somebody, or is about to. A virtual row counts as sent.
_COUNTS = (
    "(state IN ('claimed', 'committing', 'accepted', 'delivered', 'bounced', 'complained', 'in_doubt')"
    " OR (state = 'planned' AND reason = 'virtual'))"
)


class Death(NamedTuple):
    """Who has died, and when it was said to have happened."""

    at: Instant
    subject: str


class Homes:
    """Reads homes through one connection; inside a transaction it sees what the transaction has written."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def of(self, subject: str, before: Instant = FOREVER) -> str | None:
        """The household of a profile, by the words taken before an instant."""
        rows = self._connection.execute(
            "SELECT household, joined, at FROM household_words WHERE subject = ? AND taken_at < ?", (subject, before)
        )
        return home_of(HouseholdWord(household, bool(joined), at) for household, joined, at in rows)

    def members(self, household: str, before: Instant = FOREVER) -> list[str]:
        """Who lives there, sorted."""
        rows = self._connection.execute(
            "SELECT DISTINCT subject FROM household_words WHERE household = ? AND joined AND taken_at < ?"
            " ORDER BY subject",
            (household, before),
        )
        return [subject for (subject,) in rows.fetchall() if self.of(subject, before) == household]

    def all(self) -> Iterator[tuple[str, list[str]]]:
        """Every household that somebody lives in, with its members."""
        rows = self._connection.execute(
            "SELECT DISTINCT household FROM household_words WHERE joined ORDER BY household"
        )
        for (household,) in rows.fetchall():
            members = self.members(household)
            if members:
                yield household, members

    def deaths(self, subjects: list[str], before: Instant = FOREVER) -> list[Death]:
        """Who of them has died, the latest death first."""
        words: defaultdict[tuple[str, str], list[tuple[Instant, bool]]] = defaultdict(list)
        for subject in subjects:
            for identifier, dead, at in self._connection.execute(
                "SELECT identifier, dead, at FROM deaths WHERE subject = ? AND taken_at < ?", (subject, before)
            ):
                words[subject, identifier].append((at, bool(dead)))
        found: dict[str, Instant] = {}
        for (subject, _), said in words.items():
            at, dead = max(said)
            if dead:
                found[subject] = min(at, found.get(subject, at))
        return sorted((Death(at, subject) for subject, at in found.items()), reverse=True)

    def any_death(self) -> bool:
        """Whether anybody has died at all; most workspaces need to look no further."""
        return bool(self._connection.execute("SELECT EXISTS (SELECT 1 FROM deaths)").fetchone()[0])

    def answer(self, household: str, since: Instant, before: Instant = FOREVER) -> bool | None:
        """What was answered about a home since a death; None: nothing yet. Of two answers of one instant, no counts."""
        row = self._connection.execute(
            "SELECT allowed FROM bereavement_answers WHERE household = ? AND at >= ? AND taken_at < ?"
            " ORDER BY at DESC, allowed LIMIT 1",
            (household, since, before),
        ).fetchone()
        return None if row is None else bool(row[0])

    def ask(self, household: str, deceased: str, at: Instant) -> bool:
        """Note that the question about a home is asked; whether it is for the first time."""
        return (
            self._connection.execute(
                "INSERT INTO bereavement_questions (household, deceased, asked_at) VALUES (?, ?, ?)"
                " ON CONFLICT DO NOTHING",
                (household, deceased, at),
            ).rowcount
            == 1
        )

    def questions(self) -> list[dict[str, Any]]:
        """The questions that were asked, oldest first."""
        rows = self._connection.execute(
            "SELECT household, deceased, asked_at FROM bereavement_questions ORDER BY asked_at, household, deceased"
        )
        return [{"household": household, "deceased": deceased, "asked_at": at} for household, deceased, at in rows]

    def sent(
        self, members: list[str], after: Instant, until: Instant, purpose: str | None, channel: str | None
    ) -> list[tuple[str, str]]:
        """What went to members in (after, until]: (subject, message), oldest first; without a purpose, marketing."""
        rows = []
        for member in members:
            rows += self._connection.execute(
                "SELECT not_before, id, subject, message FROM deliveries WHERE subject = :member"  # noqa: S608
                " AND not_before > :after"
                " AND not_before <= :until AND " + _COUNTS + " AND (:channel IS NULL OR channel = :channel)"
                " AND CASE WHEN :purpose IS NULL THEN kind = 'marketing' ELSE purpose = :purpose END",
                {"member": member, "after": after, "until": until, "purpose": purpose, "channel": channel},
            ).fetchall()
        return [(subject, message) for _, _, subject, message in sorted(rows)]

    def has_letter(self, members: list[str], message: str, at: Instant) -> str | None:
        """Who of them has had a message, or is about to have it, that is still within its shelf life at an instant."""
        for member in members:
            row = self._connection.execute(
                "SELECT subject FROM deliveries WHERE subject = ? AND message = ? AND not_before <= ?"  # noqa: S608
                " AND expires_at >= ? AND " + _COUNTS + " LIMIT 1",
                (member, message, at, at),
            ).fetchone()
            if row is not None:
                return str(row[0])
        return None
