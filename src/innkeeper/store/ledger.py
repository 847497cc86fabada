"""The ledger over the table `deliveries`: claims, commitments and results in groups, and the balance.

Every change names the state it expects and the fence (`attempts`): a worker whose lease is over changes nothing.
The rules between states are `delivery_states.py`, what a claim reads is `permissions.py`. Rows are planned by
`projections.py`; who sends is `runtime/deliver.py`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any, NamedTuple

from innkeeper.kernel.ids import display_id
from innkeeper.kernel.json import dumps
from innkeeper.kernel.time import FOREVER, Instant, format_instant
from innkeeper.store.delivery_states import ENDS, OPEN, after_doubt, check, honest_end
from innkeeper.store.home_rules import HomeRules, Letter
from innkeeper.store.homes import Homes
from innkeeper.store.permissions import Permissions, quiet_until
from innkeeper.store.state import State

# `state IN (...) AND reason <> 'virtual'` stands in the partial indexes too; SQLite uses those only where it sees the
# same words.
_DUE = """
SELECT id, subject, identifier, message, channel, purpose, kind, topic, journey, enrollment, key, step, address,
  planned_at, not_before, expires_at, quiet, context, state, state_at, attempts, doubts, released_at
FROM deliveries
WHERE state IN ('planned', 'claimed', 'committing') AND reason <> 'virtual' AND state = 'planned' AND not_before <= :now
  AND hold IS NULL
ORDER BY not_before, id LIMIT :limit
"""
_DUE_OF = """
SELECT id, subject, identifier, message, channel, purpose, kind, topic, journey, enrollment, key, step, address,
  planned_at, not_before, expires_at, quiet, context, state, state_at, attempts, doubts, released_at
FROM deliveries INDEXED BY deliveries_waiting
WHERE state IN ('planned', 'claimed', 'committing') AND reason <> 'virtual' AND state = 'planned' AND not_before <= :now
  AND hold IS NULL AND subject IN (SELECT value FROM json_each(:subjects))
ORDER BY not_before, id LIMIT :limit
"""
_STRANDED = """
SELECT id, subject, identifier, message, channel, purpose, kind, topic, journey, enrollment, key, step, address,
  planned_at, not_before, expires_at, quiet, context, state, state_at, attempts, doubts, released_at
FROM deliveries
WHERE state IN ('planned', 'claimed', 'committing') AND reason <> 'virtual' AND state IN ('claimed', 'committing')
  AND lease_until < :now
ORDER BY not_before, id
"""


_HELD = """
SELECT id, subject, identifier, message, channel, purpose, kind, topic, journey, enrollment, key, step, address,
  planned_at, not_before, expires_at, quiet, context, state, state_at, attempts, doubts, released_at
FROM deliveries WHERE hold IS NOT NULL AND state = 'planned' AND expires_at < :now ORDER BY expires_at, id
"""


class Row(NamedTuple):
    """An open row of the ledger, as it was read."""

    id: str
    subject: str
    identifier: str
    message: str
    channel: str
    purpose: str
    kind: str
    topic: str | None
    journey: str
    enrollment: str
    key: str | None
    step: str
    address: str
    planned_at: Instant
    not_before: Instant
    expires_at: Instant
    quiet: str | None
    context: str
    state: str
    state_at: Instant
    attempts: int
    doubts: int
    released_at: Instant | None = None


class Change(NamedTuple):
    """One step of one row.

    *at* is when; *not_before* when it is tried again; *doubts* the new count; None leaves what is there. *hold*: the
    household whose answer it waits for; *home*: what was seen of it.
    """

    row: Row
    before: str
    after: str
    at: Instant
    reason: str = ""
    not_before: Instant | None = None
    provider_id: str | None = None
    doubts: int | None = None
    hold: str | None = None
    home: dict[str, Any] | None = None


class Claim(NamedTuple):
    """What a claim did: rows to send (with their new fence), ids that ended, how many went back to a later time or wait
    for a person."""

    rows: list[Row]
    ended: list[str]
    put_back: int


class Needs(NamedTuple):
    """What purposes need before they may write: a word of consent, and that it was confirmed."""

    consent: Callable[[str], bool]
    confirmation: Callable[[str], bool]


class Ledger:
    """The ledger of a workspace, for one worker."""

    def __init__(self, state: State, worker: str, homes: HomeRules | None = None) -> None:
        self.state, self.worker, self.home_rules = state, worker, homes or HomeRules()

    # Claiming

    def claim(
        self,
        *,
        now: Instant | None,
        subjects: Collection[str] | None = None,
        limit: int = 200,
        lease_until: Instant,
        needs_consent: Callable[[str], bool],
        needs_confirmation: Callable[[str], bool] = lambda purpose: False,
        due_by: Instant | None = None,
    ) -> Claim:
        """Claim what is due, in one transaction that reads again whether each may go.

        Args:
            now: The instant; None: each row at its own time, as in a run over the past.
            subjects: Only these profiles; None: all.
            limit: At most so many rows are looked at.
            lease_until: When the claim is over, by the machine's clock.
            needs_consent: Whether a purpose needs a word of consent.
            needs_confirmation: Whether that word must have been confirmed (double opt-in).
            due_by: With *now* None: only what is due by then; None: everything.
        """
        due_by = due_by if now is None else now
        # A look without the write lock first: mostly nothing is due.
        if not self._due(self.state.connection, due_by, subjects, 1):
            return Claim([], [], 0)
        with self.state.transaction() as connection:
            due = self._due(connection, due_by, subjects, limit)
            permissions = Permissions(connection, sorted({row.subject for row in due}))
            homes = self._homes(connection)
            needs = Needs(needs_consent, needs_confirmation)
            changes = []
            for row in due:
                change = self._verdict(row, now, permissions, needs)
                if homes is not None and change.after == "claimed":
                    change = self._at_home(change, homes)
                # At once: the next member of the home is counted against this one.
                self._apply(connection, [change])
                changes.append(change)
            connection.executemany(
                "UPDATE deliveries SET worker = ?, lease_until = ?, attempts = attempts + 1 WHERE id = ?",
                [(self.worker, lease_until, change.row.id) for change in changes if change.after == "claimed"],
            )
        return Claim(
            rows=[
                change.row._replace(state="claimed", state_at=change.at, attempts=change.row.attempts + 1)
                for change in changes
                if change.after == "claimed"
            ],
            ended=[change.row.id for change in changes if change.after in ENDS],
            put_back=sum(change.after == "planned" for change in changes),
        )

    def _due(
        self, connection: sqlite3.Connection, by: Instant | None, subjects: Collection[str] | None, limit: int
    ) -> list[Row]:
        bound = {"now": FOREVER if by is None else by, "limit": limit}
        if subjects is None:
            return [Row(*row) for row in connection.execute(_DUE, bound)]
        rows = connection.execute(_DUE_OF, {**bound, "subjects": dumps(list(subjects))})
        return [Row(*row) for row in rows]

    def _verdict(self, row: Row, now: Instant | None, permissions: Permissions, needs: Needs) -> Change:
        at = max(row.planned_at, row.not_before) if now is None else now
        if at > row.expires_at:
            return _end(row, "expired", at, "expired")
        if permissions.suppressed(row.subject, row.channel):
            return _end(row, "suppressed", at, "suppressed")
        if row.kind != "transactional":
            refused = _refused(row, permissions, needs)
            if refused:
                return _end(row, "suppressed", at, refused)
            until = quiet_until(at, row.quiet)
            if until is not None:
                return Change(row, "planned", "planned", at, "quiet_hours", not_before=until)
        return Change(row, "planned", "claimed", at)

    def withdrawn(
        self,
        rows: Sequence[Row],
        now: Instant | None,
        needs_consent: Callable[[str], bool],
        needs_confirmation: Callable[[str], bool],
    ) -> list[Change]:
        """Which claimed rows may not go any more, as changes that put them back: the next claim says why."""
        if not rows:
            return []
        permissions = Permissions(self.state.connection, sorted({row.subject for row in rows}))
        needs = Needs(needs_consent, needs_confirmation)
        verdicts = [(row, self._verdict(row, now, permissions, needs)) for row in rows]
        return [Change(row, "claimed", "planned", each.at) for row, each in verdicts if each.after != "claimed"]

    def _homes(self, connection: sqlite3.Connection) -> Homes | None:
        """Homes, if any rule could look at them."""
        homes = Homes(connection)
        return homes if self.home_rules.count or homes.any_death() else None

    def _at_home(self, change: Change, homes: Homes) -> Change:
        row, at = change.row, change.at
        letter = Letter(row.subject, row.message, row.channel, row.purpose, row.kind, row.released_at is not None)
        refusal = self.home_rules.refusal(letter, at, homes)
        if refusal is None:
            return change
        if refusal.state == "held":
            hold = refusal.facts["household"]
            return Change(row, "planned", "planned", at, refusal.reason, hold=hold, home=refusal.facts)
        return _end(row, refusal.state, at, refusal.reason)._replace(home=refusal.facts)

    def expire_held(self, now: Instant) -> list[str]:
        """End what waited for an answer longer than its shelf life; the ids."""
        held = "SELECT count(*) FROM deliveries WHERE hold IS NOT NULL AND state = 'planned' AND expires_at < ?"
        if not self.state.connection.execute(held, (now,)).fetchone()[0]:
            return []
        with self.state.transaction() as connection:
            rows = [Row(*row) for row in connection.execute(_HELD, {"now": now})]
            self._apply(connection, [_end(row, "expired", now, "expired") for row in rows])
        return [row.id for row in rows]

    # Writing what happened

    def write(self, results: Sequence[Change], committing: Sequence[Row], at: Callable[[Row], Instant]) -> set[str]:
        """Write results and new commitments in one transaction; the ids of rows that another worker has taken over.

        A result of a row that was taken over is dropped, unless it settles a doubt.
        """
        if not results and not committing:
            return set()
        commitments = [Change(row, "claimed", "committing", at(row)) for row in committing]
        with self.state.transaction() as connection:
            return self._apply(connection, [*results, *commitments])

    def _apply(self, connection: sqlite3.Connection, changes: Sequence[Change]) -> set[str]:
        lost: set[str] = set()
        for change in changes:
            check(change.before, change.after)
            if connection.execute(_CHANGE, _bound(change)).rowcount == 0 and not _settles(connection, change):
                lost.add(change.row.id)
        return lost

    # Recovery

    def stranded(self, now: Instant | None) -> list[Row]:
        """Rows that a worker left in claimed or committing.

        Args:
            now: Those whose lease is over by then; None: all, because nobody else can hold one.
        """
        rows = self.state.connection.execute(_STRANDED, {"now": FOREVER if now is None else now})
        return [Row(*row) for row in rows]


def resolve_doubt(row: Row, reason: str, at: Instant) -> Change:
    """What becomes of a row whose provider may have it, by its kind."""
    state, again = after_doubt(row.kind, row.doubts, at)
    return Change(row, "committing", state, at, reason, not_before=again, doubts=row.doubts + 1)


def balance(connection: sqlite3.Connection) -> dict[str, Any]:
    """Planned against all ends and what is still open; the difference is zero, always.

    Rows that went by retention count with the state in which they ended.
    """
    planned = connection.execute(
        "SELECT (SELECT count(*) FROM deliveries) + (SELECT coalesce(sum(count), 0) FROM retired_deliveries)"
    ).fetchone()[0]
    counts: dict[str, int] = dict(
        connection.execute(
            "SELECT state, sum(number) FROM (SELECT state, count(*) AS number FROM deliveries GROUP BY state"
            " UNION ALL SELECT state, sum(count) FROM retired_deliveries GROUP BY state) GROUP BY state ORDER BY state"
        ).fetchall()
    )
    ends = {state: counts[state] for state in ENDS if state in counts}
    still_open = {state: counts[state] for state in OPEN if state in counts}
    return {
        "planned": planned,
        "ends": ends,
        "open": still_open,
        "difference": planned - sum(ends.values()) - sum(still_open.values()),
    }


def listing(
    connection: sqlite3.Connection,
    message: str | None = None,
    *,
    after: tuple[Instant, str] | None = None,
    limit: int = -1,
) -> Iterator[dict[str, Any]]:
    """The deliveries, oldest first, as `ledger list` prints them; those *after* a time and an id, so many of them."""
    sql = (
        "SELECT id, subject, message, journey, key, channel, planned_at, state, reason FROM deliveries"
        " WHERE (:message IS NULL OR message = :message) AND (planned_at, id) > (:planned_at, :id)"
        " ORDER BY planned_at, id LIMIT :limit"
    )
    planned_at, id = after or (-(2**63), "")
    rows = connection.execute(sql, {"message": message, "planned_at": planned_at, "id": id, "limit": limit})
    for delivery, subject, name, journey, key, channel, planned_at, state, reason in rows:
        yield {
            "id": delivery, "user_id": display_id(subject), "message": name, "journey": journey, "key": key,
            "channel": channel, "planned_at": format_instant(planned_at), "state": state, "reason": reason,
        }  # fmt: skip


_CHANGE = (
    "UPDATE deliveries SET state = :after, reason = :reason, state_at = :at,"
    " not_before = coalesce(:not_before, not_before), provider_id = coalesce(:provider_id, provider_id),"
    " doubts = coalesce(:doubts, doubts), worker = CASE WHEN :after = 'committing' THEN worker END,"
    " lease_until = CASE WHEN :after = 'committing' THEN lease_until END,"
    " receipt = CASE WHEN :ended OR :hold IS NOT NULL THEN 'pending' ELSE receipt END,"
    " hold = :hold, home = coalesce(:home, home)"
    " WHERE id = :id AND state = :before AND attempts = :fence AND reason <> 'virtual'"
)

# A row in doubt, or one that waits to be sent again because of a doubt, and was not claimed since.
_SETTLE = (
    "UPDATE deliveries SET state = :after, reason = :reason, state_at = :at, provider_id = :provider_id,"
    " receipt = 'pending'"
    " WHERE id = :id AND (state = 'in_doubt' OR (state = 'planned' AND doubts > 0 AND :after = 'accepted'))"
    " AND attempts = :fence"
)


def _bound(change: Change) -> dict[str, object]:
    return {
        "id": change.row.id, "before": change.before, "after": change.after, "at": change.at, "reason": change.reason,
        "not_before": change.not_before, "provider_id": change.provider_id, "doubts": change.doubts,
        "fence": change.row.attempts, "ended": change.after in ENDS, "hold": change.hold,
        "home": None if change.home is None else dumps(change.home),
    }  # fmt: skip


def _settles(connection: sqlite3.Connection, change: Change) -> bool:
    """A provider's answer that came after its row was called in doubt: the truth, late."""
    if change.before != "committing" or change.after not in ("accepted", "rejected"):
        return False
    return connection.execute(_SETTLE, _bound(change)).rowcount == 1


def _refused(row: Row, permissions: Permissions, needs: Needs) -> str:
    """Why consent does not let a row go; empty when it does."""
    scope = row.subject, row.purpose, row.channel, row.topic
    consent = permissions.consent(*scope)
    if consent is False:
        return "consent_withdrawn"
    if needs.confirmation(row.purpose) and not permissions.confirmed(*scope):
        return "not_confirmed" if consent else "no_consent"
    return "no_consent" if consent is None and needs.consent(row.purpose) else ""


def _end(row: Row, state: str, at: Instant, reason: str) -> Change:
    return Change(row, "planned", honest_end(state, row.doubts), at, reason)
