"""The record in its order: which log events a run takes, and in which sequence.

Late events first, in log order; then events by (timestamp, source, messageId). What a tick had taken before it was cut
off is left out.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from innkeeper.events.accounts import named_account
from innkeeper.events.retention import CARRIED
from innkeeper.events.types import ENGINE_SOURCE, Event, LogRow, from_row
from innkeeper.identity.retraction import Retraction
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
_PENDING = _SELECT + " FROM every_event WHERE seq IS NOT NULL AND source <> $engine AND seq <= $last"
# A word about the log itself is taken when it is said, whatever the instant.
_NOBODY = " (user_id IS NULL AND anonymous_id IS NULL)"
_BEFORE = " (ts < $at OR (ts = $at AND (source < $source OR (source = $source AND message_id <= $message_id))))"

# The text of the account that an event names, as `named_account` reads it, or of what is no account's id.
_NAMED = (
    "CASE WHEN type = 'group' THEN json_extract_string(extra, '$.groupId')"
    " WHEN type = 'track' AND name IN ('Left Account', 'Account Updated')"
    " THEN json_extract_string(properties, '$.account_id') ELSE json_extract_string(context, '$.groupId') END"
)

# What the engine itself says is there at once; what was carried stands for what came before, whenever it was written.
_TAKEN = (
    " AND ($wanted IS NULL OR identifier IN (SELECT unnest($wanted::VARCHAR[]))) AND"
    " (((seq IS NULL OR source = $engine) AND ($upto IS NULL OR ts <= $upto OR name = $carried))"
    " OR (seq <= $last AND" + _BEFORE + ")) ORDER BY identifier, ts"
)


def not_later() -> str:
    """SQL: at or before the key $at, $source, $message_id in the order of the record."""
    return _BEFORE.strip()


def late_events(bulk: Bulk, cursor: Cursor, last: int, skip: set[int]) -> Iterator[Event]:
    """Events that came in after the clock had passed them, in log order."""
    sql = _PENDING + " AND seq > $seq AND (" + _BEFORE + " OR" + _NOBODY + ") ORDER BY seq"
    parameters = _key(cursor) | {"engine": ENGINE_SOURCE, "last": last, "seq": cursor.seq}
    yield from _events(bulk, sql, parameters, skip)


def ordered_events(bulk: Bulk, cursor: Cursor, last: int, until: Instant, skip: set[int]) -> Iterator[Event]:
    """Events after the cursor up to *until*, by timestamp, source and message id."""
    sql = _PENDING + " AND ts <= $until AND NOT" + _BEFORE + " AND NOT" + _NOBODY + " ORDER BY ts, source, message_id"
    parameters = _key(cursor) | {"engine": ENGINE_SOURCE, "last": last, "until": until}
    yield from _events(bulk, sql, parameters, skip)


def taken_events(
    bulk: Bulk,
    cursor: Cursor,
    names: list[str],
    identifiers: set[str] | None = None,
    *,
    upto: Instant | None = None,
    retracted: bool = True,
) -> Iterator[Event]:
    """Everything that has been taken of some names, receipts and carried facts too, identifier by identifier.

    *identifiers* None: all of them. *upto*: receipts that came later are left out (None: none came), as a replay of a
    past place needs it. *retracted*: also what is retracted now, for those who know what was retracted then.
    """
    sql = (
        _SELECT
        + (" FROM every_event" if retracted else " FROM events")
        + " WHERE (is_input AND list_contains($names, name) OR source = $engine AND name = $carried)"
        + _TAKEN
    )
    parameters = _taken(cursor, identifiers, upto) | {"names": names, "carried": CARRIED}
    yield from _events(bulk, sql, parameters, set())


def trait_events(
    bulk: Bulk, cursor: Cursor, identifiers: set[str] | None = None, *, upto: Instant | None = None
) -> Iterator[Event]:
    """Everything that has told a trait and been taken, journeys' updates too, identifier by identifier.

    As `taken_events`; what a journey has said and no longer counts is among it too.
    """
    sql = (
        _SELECT
        + " FROM every_event WHERE traits <> '{}' AND (is_input OR (name = 'Traits Updated' AND ts <= $clock))"
        + _TAKEN.replace(" OR name = $carried", "")
    )
    parameters = _taken(cursor, identifiers, upto) | {"clock": cursor.clock}
    yield from _events(bulk, sql, parameters, set())


def events_about(bulk: Bulk, identifiers: Sequence[str], names: Sequence[str]) -> Iterator[Event]:
    """Events of some names by some identifiers, and those that may name an account: the caller looks closer."""
    sql = (
        _SELECT + " FROM every_event WHERE seq IS NOT NULL AND source <> $engine AND list_contains($names, name)"
        " AND (list_contains($identifiers, identifier) OR type = 'group' OR contains(context, '\"groupId\"')"
        " OR name IN ('Left Account', 'Account Updated')) ORDER BY ts, source, message_id"
    )
    parameters = {"engine": ENGINE_SOURCE, "names": list(names), "identifiers": list(identifiers)}
    yield from _events(bulk, sql, parameters, set())


def _taken(cursor: Cursor, identifiers: set[str] | None, upto: Instant | None) -> dict[str, Any]:
    wanted = None if identifiers is None else sorted(identifiers)
    return _key(cursor) | {"engine": ENGINE_SOURCE, "last": cursor.seq, "upto": upto, "wanted": wanted}


def events_of(bulk: Bulk, identifiers: set[str], names: Collection[str] | None = None) -> Iterator[Event]:
    """Every input of the log under some identifiers, retracted ones too; receipts are not among them.

    *names*: only these; None: all.
    """
    sql = (
        _SELECT + " FROM every_event WHERE seq IS NOT NULL AND source <> $engine"
        " AND ($names IS NULL OR list_contains($names, name)) AND identifier IN (SELECT unnest($wanted)) ORDER BY seq"
    )
    parameters = {"engine": ENGINE_SOURCE, "wanted": sorted(identifiers), "names": names and sorted(names)}
    yield from _events(bulk, sql, parameters, set())


def events_naming(bulk: Bulk, accounts: Collection[str]) -> Iterator[Event]:
    """Every input of the log that names one of some accounts, retracted ones too."""
    sql = (
        _SELECT + " FROM every_event WHERE seq IS NOT NULL AND source <> $engine"
        f" AND {_NAMED} IN (SELECT unnest($accounts::VARCHAR[])) ORDER BY seq"
    )
    for event in _events(bulk, sql, {"engine": ENGINE_SOURCE, "accounts": sorted(accounts)}, set()):
        if named_account(event) is not None:
            yield event


def events_left_out(bulk: Bulk, retraction: Retraction, *, nobody: bool = False) -> Iterator[Event]:
    """The events that a retraction names, as far as the log has them; *nobody*: those about nobody too."""
    sql = _SELECT + " FROM every_event WHERE source = $source" + ("" if nobody else " AND NOT" + _NOBODY)
    parameters: dict[str, Any] = {"source": retraction.source}
    if retraction.messages is not None:
        sql += " AND message_id IN (SELECT unnest($ids))"
        parameters["ids"] = sorted(retraction.messages)
    else:
        sql += " AND ($begin IS NULL OR ts >= $begin) AND ($end IS NULL OR ts < $end)"
        parameters |= {"begin": retraction.from_at, "end": retraction.until_at}
    yield from _events(bulk, sql + " ORDER BY seq", parameters, set())


def said_traits(bulk: Bulk, identifiers: set[str], upto: Instant) -> Iterator[tuple[str, Instant, str, str]]:
    """What the engine has said of traits under some identifiers: identifier, instant, traits (JSON), messageId."""
    sql = (
        "SELECT identifier, ts, traits, message_id FROM every_event WHERE source = $engine AND name = 'Traits Updated'"
        " AND ts <= $upto AND identifier IN (SELECT unnest($wanted)) ORDER BY message_id DESC"
    )
    parameters = {"engine": ENGINE_SOURCE, "upto": upto, "wanted": sorted(identifiers)}
    for page in bulk.stream(sql, parameters):
        yield from page


def waiting_keys(bulk: Bulk, cursor: Cursor) -> list[tuple[Instant, str, str, int]]:
    """Keys of the events that were looked at but whose time has not come: (timestamp, source, message id, seq)."""
    sql = (
        "SELECT ts, source, message_id, seq FROM every_event"  # noqa: S608
        " WHERE seq IS NOT NULL AND source <> $engine AND seq <= $last AND NOT" + _BEFORE + " AND NOT" + _NOBODY
    )
    rows = bulk.rows(sql, _key(cursor) | {"engine": ENGINE_SOURCE, "last": cursor.seq})
    return [(int(ts), str(source), str(message_id), int(seq)) for ts, source, message_id, seq in rows]


def first_timestamp(bulk: Bulk) -> Instant | None:
    """When the first event happened; None in an empty log."""
    found: Instant | None = bulk.rows("SELECT min(ts) FROM every_event WHERE is_input", {})[0][0]
    return found


def _key(cursor: Cursor) -> dict[str, Any]:
    return {"at": cursor.timestamp, "source": cursor.source, "message_id": cursor.message_id}


def _events(bulk: Bulk, sql: str, parameters: dict[str, Any], skip: set[int]) -> Iterator[Event]:
    for page in bulk.stream(sql, parameters, size=5_000):
        for row in page:
            if row[0] not in skip:
                yield from_row(row[0] or 0, LogRow(*row[1:]))
