"""Decisions as they stood at a past instant: what had been decided by then, how often, and with which facts.

`state.db` keeps one record per candidate, gate and reason, with the newest facts. Where such a record was renewed after
the instant, what it said before is read from the log, which has every answer.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from innkeeper.kernel.json import loads
from innkeeper.kernel.time import Instant, format_instant, parse_instant
from innkeeper.store.bulk import Bulk
from innkeeper.store.queries import decisions
from innkeeper.store.state import State

_MADE = """
SELECT json_extract_string(properties, '$.enrollment') AS enrollment, json_extract_string(properties, '$.step') AS step,
  json_extract_string(properties, '$.gate') AS gate, json_extract_string(properties, '$.reason') AS reason, count(*),
  max(ts), arg_max(properties, row(ts, message_id))
FROM events WHERE name = 'Decision Made' AND source = 'innkeeper' AND ts <= $at AND list_contains($enrollments,
  json_extract_string(properties, '$.enrollment'))
GROUP BY ALL
"""


def decisions_then(
    home: Path, state: State, *, subject: str | None, message: str | None, at: Instant | None, limit: int = 1_000
) -> list[dict[str, Any]]:
    """Decision records, newest first; with *at* as the engine knew them at that instant."""
    found = decisions(state.connection, subject=subject, message=message, at=at, limit=limit)
    if at is None:
        return found
    renewed = [one for one in found if parse_instant(one["at"]) > at]
    if not renewed:
        return found
    earlier = _earlier(home, {one["enrollment"] for one in renewed}, at)
    for one in renewed:
        _set_back(one, earlier.get((one["enrollment"], one["step"], one["gate"], one["reason"])))
    return sorted(found, key=lambda one: parse_instant(one["at"]), reverse=True)


def _earlier(home: Path, enrollments: set[str], at: Instant) -> dict[tuple[str, ...], tuple[int, Instant, str]]:
    with Bulk.open(home) as bulk:
        rows = bulk.rows(_MADE, {"at": at, "enrollments": sorted(enrollments)})
    return {tuple(row[:4]): (row[4], row[5], row[6]) for row in rows}


def _set_back(one: dict[str, Any], made: tuple[int, Instant, str] | None) -> None:
    """Let a record say what it said then; a refusal of the ledger, which is no answer of the gates, was made once."""
    if made is None:
        one["at"], one["count"] = one["first_at"], 1
        return
    times, last, text = made
    properties = loads(text)
    one["at"], one["count"] = format_instant(last), times
    one["facts"], one["until"] = properties["facts"], properties["until"]
