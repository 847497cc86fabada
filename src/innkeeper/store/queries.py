"""Read-only questions about `state.db` for the CLI and the API: decisions, enrollments, stages, one profile's rows."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import Any

from innkeeper.kernel.ids import display_id
from innkeeper.kernel.json import loads
from innkeeper.kernel.time import Instant, format_instant


def decisions(
    connection: sqlite3.Connection,
    *,
    subject: str | None = None,
    message: str | None = None,
    at: Instant | None = None,
    limit: int = 1_000,
) -> list[dict[str, Any]]:
    """Decision records, newest first; with *at* those that had been made by then."""
    sql = (
        "SELECT first_at, last_at, count, subject, message, channel, purpose, journey, version, key, enrollment, step,"
        " outcome, gate, reason, facts, until FROM decisions WHERE (:subject IS NULL OR subject = :subject)"
        " AND (:message IS NULL OR message = :message) AND (:at IS NULL OR first_at <= :at)"
        " ORDER BY min(last_at, coalesce(:at, last_at)) DESC, first_at DESC, gate = 'delivery' DESC,"
        " enrollment, step, gate LIMIT :limit"
    )
    found = connection.execute(sql, {"subject": subject, "message": message, "at": at, "limit": limit})
    return [_decision(row) for row in _dicts(found)]


#: What tells decisions apart, in the order in which they were first made.
DecisionKey = tuple[Instant, str, str, int, str, str]


def decisions_made(
    connection: sqlite3.Connection,
    *,
    subject: str | None,
    message: str | None,
    after: DecisionKey | None,
    limit: int,
) -> list[tuple[DecisionKey, dict[str, Any]]]:
    """Decision records in the order in which they were first made, those after a key: renewing one does not move it."""
    sql = (
        "SELECT first_at, last_at, count, subject, message, channel, purpose, journey, version, key, enrollment, step,"
        " occurrence, outcome, gate, reason, facts, until FROM decisions"
        " WHERE (:subject IS NULL OR subject = :subject) AND (:message IS NULL OR message = :message)"
        " AND (first_at, enrollment, step, occurrence, gate, reason)"
        " > (:first_at, :enrollment, :step, :occurrence, :gate, :reason)"
        " ORDER BY first_at, enrollment, step, occurrence, gate, reason LIMIT :limit"
    )
    names = ("first_at", "enrollment", "step", "occurrence", "gate", "reason")
    place = dict(zip(names, after or (-(2**63), "", "", 0, "", ""), strict=True))
    rows = _dicts(connection.execute(sql, {"subject": subject, "message": message, "limit": limit, **place}))
    return [(tuple(row[name] for name in names), _decision(row)) for row in rows]


def _decision(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "at": format_instant(row["last_at"]),
        "first_at": format_instant(row["first_at"]),
        "count": row["count"],
        "user_id": display_id(row["subject"]),
        **{name: row[name] for name in ("message", "channel", "purpose", "journey", "version", "key", "enrollment")},
        "step": row["step"],
        "outcome": row["outcome"],
        "gate": row["gate"],
        "reason": row["reason"],
        "facts": loads(row["facts"]),
        "until": None if row["until"] is None else format_instant(row["until"]),
    }


def stage_counts(connection: sqlite3.Connection) -> dict[str, int]:
    """Profiles per stage as the engine knows them now; `none` for those in no stage."""
    rows = connection.execute(
        "SELECT coalesce(stage, 'none'), count(*) FROM subjects WHERE stage IS NOT '' GROUP BY 1 ORDER BY 1"
    )
    return dict(rows.fetchall())


def journey_counts(connection: sqlite3.Connection) -> dict[str, dict[str, Any]]:
    """Per journey: entered, active, ends by outcome, and how many wait at each step."""
    told: dict[str, dict[str, Any]] = {}
    for journey, outcome, number in connection.execute(
        "SELECT journey, coalesce(outcome, 'active'), count(*) FROM enrollments GROUP BY 1, 2"
    ):
        entry = told.setdefault(journey, {"entered": 0, "active": 0, "outcomes": {}, "steps": {}})
        entry["entered"] += number
        if outcome == "active":
            entry["active"] = number
        else:
            entry["outcomes"][outcome] = number
    for journey, step, number in connection.execute(
        "SELECT journey, coalesce(step, ''), count(*) FROM enrollments WHERE ended_at IS NULL GROUP BY 1, 2"
    ):
        told[journey]["steps"][step] = number
    return told


def reserved_counts(connection: sqlite3.Connection) -> list[dict[str, Any]]:
    """How often each source told names that are reserved and were left out."""
    if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'reserved'").fetchone():
        return []  # a state of an earlier version that nothing has written to since
    rows = connection.execute("SELECT source, name, count, last_at FROM reserved ORDER BY source, name")
    return [_instants(row, "last_at") for row in _dicts(rows)]


def profile_rows(connection: sqlite3.Connection, subject: str, *, at: Instant | None = None) -> dict[str, list[Any]]:
    """What the store knows of one profile besides its state: enrollments, deliveries, tasks.

    With *at* as of then: what ended later is still open. The step of an open enrollment is the profile's state.
    """
    parameters = {"subject": subject, "at": at}
    return {
        "enrollments": [
            _instants(row, "entered_at", "ended_at")
            for row in _dicts(
                connection.execute(
                    "SELECT id, journey, version, key, step, entered_at,"
                    " iif(ended_at > :at, NULL, ended_at) AS ended_at, iif(ended_at > :at, NULL, outcome) AS outcome,"
                    " iif(ended_at > :at, NULL, reason) AS reason FROM enrollments"
                    " WHERE subject = :subject AND (:at IS NULL OR entered_at <= :at) ORDER BY entered_at, id",
                    parameters,
                )
            )
        ],
        "deliveries": [
            _instants(row, "planned_at", "state_at")
            for row in _dicts(
                connection.execute(
                    "SELECT id, message, channel, journey, key, planned_at,"
                    " iif(state_at > :at, 'planned', state) AS state, iif(state_at > :at, '', reason) AS reason,"
                    " iif(state_at > :at, planned_at, state_at) AS state_at FROM deliveries"
                    " WHERE subject = :subject AND (:at IS NULL OR planned_at <= :at) ORDER BY planned_at, id",
                    parameters,
                )
            )
        ],
        "tasks": [
            _instants(row, "created_at")
            for row in _dicts(
                connection.execute(
                    "SELECT id, queue, title, journey, key, state, created_at FROM tasks"
                    " WHERE subject = :subject AND (:at IS NULL OR created_at <= :at) ORDER BY created_at, id",
                    parameters,
                )
            )
        ],
    }


def delivery(connection: sqlite3.Connection, delivery_id: str) -> dict[str, Any] | None:
    """One row of the ledger with the decisions of its candidate; None when there is no such row."""
    found = list(
        _dicts(
            connection.execute(
                "SELECT id, subject, message, channel, purpose, kind, topic, journey, version, enrollment, key, step,"
                " address, planned_at, not_before, expires_at, state, reason, state_at, attempts FROM deliveries"
                " WHERE id = ?",
                (delivery_id,),
            )
        )
    )
    if not found:
        return None
    row = found[0]
    sql = (
        "SELECT first_at, last_at, count, subject, message, channel, purpose, journey, version, key, enrollment, step,"
        " outcome, gate, reason, facts, until FROM decisions WHERE enrollment = ? AND step = ? ORDER BY first_at"
    )
    made = [_decision(one) for one in _dicts(connection.execute(sql, (row["enrollment"], row["step"])))]
    told = _instants(row, "planned_at", "not_before", "expires_at", "state_at")
    return {**told, "user_id": display_id(row["subject"]), "decisions": made}


def _dicts(found: sqlite3.Cursor) -> Iterator[dict[str, Any]]:
    names = [column[0] for column in found.description]
    for row in found:
        yield dict(zip(names, row, strict=True))


def _instants(row: dict[str, Any], *names: str) -> dict[str, Any]:
    return {
        name: format_instant(value) if name in names and value is not None else value for name, value in row.items()
    }
