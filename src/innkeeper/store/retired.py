"""Rows of the ledger and decision records that are due: counted, and let go with their number carried.

A delivery goes when it has ended, its fate was told to its profile, and its enrollment is over; so does a decision.
"""

from __future__ import annotations

import sqlite3
from typing import Final, NamedTuple

from innkeeper.kernel.time import Instant

_ENDED: Final = (
    "(state NOT IN ('planned', 'claimed', 'committing') OR reason = 'virtual') AND receipt <> 'pending'"
    " AND state_at <= :until"
    " AND NOT EXISTS (SELECT 1 FROM enrollments AS e WHERE e.id = deliveries.enrollment AND e.ended_at IS NULL)"
)
_DECIDED: Final = (
    "last_at <= :until"
    " AND NOT EXISTS (SELECT 1 FROM enrollments AS e WHERE e.id = decisions.enrollment AND e.ended_at IS NULL)"
)


class Rows(NamedTuple):
    """Rows of a table: old enough, those of them that go, and the oldest that stays."""

    due: int
    goes: int
    oldest_kept: Instant | None


def deliveries_due(connection: sqlite3.Connection, until: Instant | None) -> Rows:
    """The ledger up to an instant; None: nothing is due."""
    return _rows(connection, "deliveries", "state_at", "planned_at", _ENDED, until)


def decisions_due(connection: sqlite3.Connection, until: Instant | None) -> Rows:
    """The decision records up to an instant; None: nothing is due."""
    return _rows(connection, "decisions", "last_at", "first_at", _DECIDED, until)


def _rows(connection: sqlite3.Connection, table: str, last: str, first: str, goes: str, until: Instant | None) -> Rows:
    row = connection.execute(
        f"SELECT count(*) FILTER (WHERE {last} <= :until), count(*) FILTER (WHERE {goes}),"  # noqa: S608 – names of ours
        f" min({first}) FILTER (WHERE :until IS NULL OR NOT ({goes})) FROM {table}",
        {"until": until},
    ).fetchone()
    return Rows(*row)


def touched_after(connection: sqlite3.Connection, until: Instant, position: int, clock: Instant) -> bool:
    """Whether a delivery that goes was planned after an instant, or its fate told after a position of the inputs."""
    row = connection.execute(
        f"SELECT EXISTS (SELECT 1 FROM deliveries WHERE {_ENDED} AND planned_at > :clock)"  # noqa: S608
        " OR EXISTS (SELECT 1 FROM taken WHERE position > :position AND mode = 'receipt' AND delivery IN"
        f" (SELECT id FROM deliveries WHERE {_ENDED}))",
        {"until": until, "clock": clock, "position": position},
    ).fetchone()
    return bool(row[0])


def retire_deliveries(connection: sqlite3.Connection, until: Instant) -> None:
    """Let ended deliveries go and add them to the count; inside a transaction."""
    connection.execute(
        "INSERT INTO retired_deliveries (journey, message, kind, state, virtual, count)"  # noqa: S608
        " SELECT journey, message, kind, state, reason = 'virtual', count(*) FROM deliveries"
        f" WHERE {_ENDED} GROUP BY 1, 2, 3, 4, 5"
        " ON CONFLICT (journey, message, kind, state, virtual) DO UPDATE SET count = count + excluded.count",
        {"until": until},
    )
    connection.execute(f"DELETE FROM deliveries WHERE {_ENDED}", {"until": until})  # noqa: S608


def retire_decisions(connection: sqlite3.Connection, until: Instant) -> None:
    """Let decision records go; inside a transaction."""
    connection.execute(f"DELETE FROM decisions WHERE {_DECIDED}", {"until": until})  # noqa: S608
