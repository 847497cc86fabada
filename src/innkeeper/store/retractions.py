"""The retractions of a workspace, as `state.db` keeps them: what stands, what was lifted, and the SQL for it.

Written by the engine when it takes the event that says so (`runtime/revise.py`).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from innkeeper.events.types import ENGINE_SOURCE
from innkeeper.identity.retraction import LeftOut, Retraction
from innkeeper.kernel.json import dumps
from innkeeper.kernel.time import Instant, format_instant
from innkeeper.store import duck, sqlite
from innkeeper.store.identity import IdentityTables

if TYPE_CHECKING:
    import duckdb

_LISTED: Final = "left_out"


def is_kept(connection: sqlite3.Connection) -> bool:
    """Whether a `state.db` can hold any: one that an earlier version made cannot."""
    return bool(connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'retractions'").fetchone())


def standing(connection: sqlite3.Connection) -> LeftOut:
    """The retractions that stand."""
    return LeftOut(_retraction(connection, row) for row in connection.execute(_STANDING))


def unsaid(connection: sqlite3.Connection) -> set[str]:
    """What the engine has said of traits and what holds no more, by messageId."""
    return {message_id for (message_id,) in connection.execute("SELECT message_id FROM unsaid")}


def find(connection: sqlite3.Connection, retraction: str) -> Retraction | None:
    """A retraction by its id, standing or lifted."""
    row = connection.execute(
        "SELECT id, source, from_at, until_at, listed FROM retractions WHERE id = ?", (retraction,)
    ).fetchone()
    return None if row is None else _retraction(connection, row)


def add(connection: sqlite3.Connection, retraction: Retraction, at: Instant, position: int) -> None:
    """Let a retraction stand from now on."""
    listed = retraction.messages is not None
    connection.execute(
        "INSERT INTO retractions (id, source, from_at, until_at, listed, at, position) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (retraction.id, retraction.source, retraction.from_at, retraction.until_at, int(listed), at, position),
    )
    connection.executemany(
        "INSERT INTO retracted_messages (retraction, message_id) VALUES (?, ?)",
        [(retraction.id, message_id) for message_id in sorted(retraction.messages or ())],
    )


def lift(connection: sqlite3.Connection, retraction: str, at: Instant) -> None:
    """Let a retraction stand no longer."""
    connection.execute("UPDATE retractions SET lifted_at = ? WHERE id = ?", (at, retraction))


def refuse(connection: sqlite3.Connection, word: str, at: Instant, reason: str) -> None:
    """Remember that a word about the log could not be done when its turn came."""
    connection.execute("INSERT INTO refused (word, at, reason) VALUES (?, ?, ?)", (word, at, reason))


def refusal(connection: sqlite3.Connection, word: str) -> str | None:
    """Why a word about the log was passed over; None: it was not."""
    row = connection.execute("SELECT reason FROM refused WHERE word = ?", (word,)).fetchone()
    return None if row is None else str(row[0])


def listing(connection: sqlite3.Connection) -> list[dict[str, Any]]:
    """Every retraction, oldest first, as `retract list` prints them."""
    rows = connection.execute(
        "SELECT id, source, from_at, until_at, retractions.at, lifted_at,"
        " (SELECT count(*) FROM retracted_messages WHERE retraction = id), listed, reason"
        " FROM retractions LEFT JOIN refused ON word = id ORDER BY position"
    )
    return [
        {
            "id": row[0], "source": row[1], "from": _time(row[2]), "until": _time(row[3]), "at": _time(row[4]),
            "lifted_at": None if row[8] else _time(row[5]), "messages": row[6] if row[7] else None, "refused": row[8],
        }
        for row in rows
    ]  # fmt: skip


def joined(
    connection: sqlite3.Connection, identifiers: Iterable[str], edges: Iterable[tuple[str, str]] = ()
) -> list[set[str]]:
    """Identifiers in groups, each with everybody whom evidence has ever connected with one of its own, over any number
    of steps, whether it counts or not.

    This is what has to be looked at together: facts and process move between them and nowhere else. *edges*: evidence
    that the tables do not have.
    """
    former, tables = is_kept(connection), IdentityTables(connection)
    more: dict[str, set[str]] = {}
    for one, other in edges:
        more.setdefault(one, set()).add(other)
        more.setdefault(other, set()).add(one)
    groups: list[set[str]] = []
    left = {*identifiers, *more}
    while left:
        found: set[str] = set()
        fresh = {left.pop()}
        while fresh:
            found |= fresh
            near = _near(tables, fresh).union(*(more.get(one, ()) for one in fresh))
            if former:
                near |= _formerly_near(connection, fresh)
            fresh = near - found
        left -= found
        groups.append(found)
    return sorted(groups, key=min)


def _near(tables: IdentityTables, names: set[str]) -> set[str]:
    near = {each for bond in tables.bonds_of(names) for each in (bond.a, bond.b)}
    near.update(each for pair in tables.words(names) for each in pair)
    near.update(turn.claimant for turns in tables.turns(names).values() for turn in turns)
    for each in names:
        near.update(name for name, _ in tables.claimed(each))
    return near


def _formerly_near(connection: sqlite3.Connection, names: set[str]) -> set[str]:
    rows = connection.execute(_FORMER, {"names": dumps(sorted(names))})
    return {value for (value,) in rows}


def leave_out(home: Path, engine: duckdb.DuckDBPyConnection) -> str:
    """The condition of the events that count, for the view `events`; empty when nothing is retracted.

    Lists of message ids become a table of that DuckDB.
    """
    path = home / "state.db"
    if not path.is_file():
        return ""
    database = sqlite.connect(path, read_only=True)
    try:
        with sqlite.translated(path):
            if not is_kept(database):
                return ""
            found = standing(database).standing
            silent = unsaid(database)
    finally:
        database.close()
    pairs = [(ENGINE_SOURCE, message_id) for message_id in silent]
    return _condition(engine, found, pairs)


def refusals(connection: sqlite3.Connection) -> list[tuple[str, str]]:
    """The words about the log that were passed over, oldest first: messageId and why."""
    if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'refused'").fetchone():
        return []
    return connection.execute("SELECT word, reason FROM refused ORDER BY at, word").fetchall()


def count_left_out(home: Path) -> tuple[int, int]:
    """How many retractions stand, and how many events of the log they leave out."""
    from innkeeper.store.bulk import Bulk

    path = home / "state.db"
    if not path.is_file():
        return 0, 0
    database = sqlite.connect(path, read_only=True)
    try:
        with sqlite.translated(path):
            if not is_kept(database):
                return 0, 0
            number = database.execute("SELECT count(*) FROM retractions WHERE lifted_at IS NULL").fetchone()[0]
    finally:
        database.close()
    if number == 0:
        return 0, 0
    with Bulk.open(home) as bulk:
        sql = "SELECT (SELECT count(*) FROM every_event WHERE is_input) - (SELECT count(*) FROM events WHERE is_input)"
        return number, bulk.rows(sql, {})[0][0]


def _condition(engine: duckdb.DuckDBPyConnection, found: tuple[Retraction, ...], pairs: list[tuple[str, str]]) -> str:
    from innkeeper.store.columns import text_sql

    bounds = []
    for each in found:
        if each.messages is not None:
            pairs += [(each.source, message_id) for message_id in each.messages]
            continue
        parts = [f"source = {text_sql(each.source)}"]
        parts += [f"ts >= {each.from_at:d}"] if each.from_at is not None else []
        parts += [f"ts < {each.until_at:d}"] if each.until_at is not None else []
        bounds.append(f"NOT ({' AND '.join(parts)})")
    if pairs:
        duck.run(
            engine,
            f"CREATE TABLE {_LISTED} AS SELECT unnest($sources) AS source, unnest($ids) AS message_id",
            {"sources": [source for source, _ in pairs], "ids": [message_id for _, message_id in pairs]},
        )
        bounds.append(f"(source, message_id) NOT IN (SELECT (source, message_id) FROM {_LISTED})")  # noqa: S608
    return " AND ".join(bounds)


def _retraction(connection: sqlite3.Connection, row: tuple[Any, ...]) -> Retraction:
    id, source, from_at, until_at, listed = row
    messages = None
    if listed:
        found = connection.execute("SELECT message_id FROM retracted_messages WHERE retraction = ?", (id,))
        messages = frozenset(message_id for (message_id,) in found)
    return Retraction(id=id, source=source, from_at=from_at, until_at=until_at, messages=messages)


def _time(at: Instant | None) -> str | None:
    return None if at is None else format_instant(at)


_STANDING = "SELECT id, source, from_at, until_at, listed FROM retractions WHERE lifted_at IS NULL ORDER BY position"
_FORMER = (
    "SELECT b FROM former_links WHERE a IN (SELECT value FROM json_each(:names)) UNION"
    " SELECT a FROM former_links WHERE b IN (SELECT value FROM json_each(:names))"
)
