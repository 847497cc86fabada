"""The record in its order: which log events a run takes, and in which sequence.

Late events first, in log order; then events by (timestamp, source, messageId). What a tick had taken before it was cut
off is left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from innkeeper.events.types import ENGINE_SOURCE, Event, LogRow, from_row
from innkeeper.kernel.time import Instant
from innkeeper.store.state import Cursor

if TYPE_CHECKING:
    from innkeeper.store.bulk import Bulk

#: The columns of an event, seq first; the rest as `LogRow` has them.
COLUMNS = (
    "seq, source, message_id, type, name, user_id, anonymous_id, ts, received_at, properties, traits, context, extra"
)
# Only constants are put together here; every value is bound.
_SELECT = "SELECT " + COLUMNS
_PENDING = _SELECT + " FROM events WHERE seq IS NOT NULL AND source <> $engine AND seq <= $last"
_BEFORE = " (ts < $at OR (ts = $at AND (source < $source OR (source = $source AND message_id <= $message_id))))"


def not_later() -> str:
    """SQL: at or before the key $at, $source, $message_id in the order of the record."""
    return _BEFORE.strip()


def late_events(bulk: Bulk, cursor: Cursor, last: int, skip: set[int]) -> Iterator[Event]:
    """Events that came in after the clock had passed them, in log order."""
    sql = _PENDING + " AND seq > $seq AND" + _BEFORE + " ORDER BY seq"
    parameters = _key(cursor) | {"engine": ENGINE_SOURCE, "last": last, "seq": cursor.seq}
    yield from _events(bulk, sql, parameters, skip)


def ordered_events(bulk: Bulk, cursor: Cursor, last: int, until: Instant, skip: set[int]) -> Iterator[Event]:
    """Events after the cursor up to *until*, by timestamp, source and message id."""
    sql = _PENDING + " AND ts <= $until AND NOT" + _BEFORE + " ORDER BY ts, source, message_id"
    parameters = _key(cursor) | {"engine": ENGINE_SOURCE, "last": last, "until": until}
    yield from _events(bulk, sql, parameters, skip)


def taken_events(bulk: Bulk, cursor: Cursor, names: list[str], identifiers: set[str] | None = None) -> Iterator[Event]:
    """Everything that has been taken of some names, receipts too, identifier by identifier (None: all of them)."""
    sql = (
        _SELECT + " FROM events WHERE is_input AND list_contains($names, name)"
        " AND ($wanted IS NULL OR list_contains($wanted, identifier)) AND"
        " (seq IS NULL OR source = $engine OR (seq <= $last AND" + _BEFORE + ")) ORDER BY identifier, ts"
    )
    parameters = _key(cursor) | {"engine": ENGINE_SOURCE, "last": cursor.seq, "names": names}
    parameters["wanted"] = None if identifiers is None else sorted(identifiers)
    yield from _events(bulk, sql, parameters, set())


def waiting_keys(bulk: Bulk, cursor: Cursor) -> list[tuple[Instant, str, str, int]]:
    """Keys of the events that were looked at but whose time has not come: (timestamp, source, message id, seq)."""
    sql = (
        "SELECT ts, source, message_id, seq FROM events WHERE seq IS NOT NULL AND source <> $engine AND seq <= $last"  # noqa: S608
        " AND NOT" + _BEFORE
    )
    rows = bulk.rows(sql, _key(cursor) | {"engine": ENGINE_SOURCE, "last": cursor.seq})
    return [(int(ts), str(source), str(message_id), int(seq)) for ts, source, message_id, seq in rows]


def first_timestamp(bulk: Bulk) -> Instant | None:
    """When the first event happened; None in an empty log."""
    found: Instant | None = bulk.rows("SELECT min(ts) FROM events WHERE is_input", {})[0][0]
    return found


def _key(cursor: Cursor) -> dict[str, Any]:
    return {"at": cursor.timestamp, "source": cursor.source, "message_id": cursor.message_id}


def _events(bulk: Bulk, sql: str, parameters: dict[str, Any], skip: set[int]) -> Iterator[Event]:
    for page in bulk.stream(sql, parameters, size=5_000):
        for row in page:
            if row[0] not in skip:
                yield from_row(row[0] or 0, LogRow(*row[1:]))
