"""The rows of wishes: who asked for which item, written in the tick's transaction. Items' states are `things.py`."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple

from innkeeper.kernel.json import dumps
from innkeeper.kernel.time import Instant
from innkeeper.store.state import State

_OPEN = "open AND (settled_at IS NULL OR settled_at < at)"


class WishRow(NamedTuple):
    """An identifier's newest word on an item."""

    catalog: str
    item: str
    identifier: str
    at: Instant
    source: str
    message_id: str
    open: bool


def put_wishes(state: State, rows: Sequence[WishRow]) -> None:
    """Record words; one that is older than what is there changes nothing."""
    state.connection.executemany(
        "INSERT INTO wishes (catalog, item, identifier, at, source, message_id, open) VALUES (?, ?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (catalog, item, identifier) DO UPDATE SET at = excluded.at, source = excluded.source,"
        " message_id = excluded.message_id, open = excluded.open"
        " WHERE (excluded.at, excluded.source, excluded.message_id) > (at, source, message_id)",
        rows,
    )


def settle_wishes(state: State, rows: Sequence[tuple[Instant, str, str, str]]) -> None:
    """They have been heard at an instant: (instant, catalog, item, identifier)."""
    state.connection.executemany(
        "UPDATE wishes SET settled_at = ? WHERE catalog = ? AND item = ? AND identifier = ?", rows
    )


def wish_page(
    state: State, catalog: str, item: str, at: Instant, after: str, upto: str | None, size: int
) -> dict[str, Instant]:
    """Who asked up to an instant and has not been told, and when they did.

    Identifiers after one, in their order, up to one or as many as a page holds.
    """
    rows = state.connection.execute(
        "SELECT identifier, at FROM wishes WHERE catalog = ? AND item = ? AND at <= ? AND identifier > ?"  # noqa: S608
        " AND (? IS NULL OR identifier <= ?) AND " + _OPEN + " ORDER BY identifier LIMIT ?",
        (catalog, item, at, after, upto, upto, size),
    )
    return dict(rows.fetchall())


def wishes_of(state: State, catalog: str, item: str, identifiers: Collection[str]) -> dict[str, Instant]:
    """Which of the identifiers have said something of an item, and when, in order."""
    rows = state.connection.execute(
        "SELECT identifier, at FROM wishes WHERE catalog = ? AND item = ?"
        " AND identifier IN (SELECT value FROM json_each(?)) ORDER BY identifier",
        (catalog, item, dumps(sorted(identifiers))),
    )
    return dict(rows.fetchall())


def ever_wished(state: State, catalog: str, item: str) -> list[str]:
    """Every identifier that has ever said a word on an item."""
    rows = state.connection.execute("SELECT identifier FROM wishes WHERE catalog = ? AND item = ?", (catalog, item))
    return [identifier for (identifier,) in rows]


def open_wishes(state: State, catalog: str | None = None, item: str | None = None) -> dict[tuple[str, str], int]:
    """How many open wishes there are by catalog and item."""
    rows = state.connection.execute(
        "SELECT catalog, item, count(*) FROM wishes WHERE (? IS NULL OR catalog = ?) AND (? IS NULL OR item = ?)"  # noqa: S608
        " AND " + _OPEN + " GROUP BY catalog, item",
        (catalog, catalog, item, item),
    )
    return {(name, one): number for name, one, number in rows}


def settled(state: State) -> dict[tuple[str, str, str], Instant]:
    """When wishes were heard, before all of them are made anew from the log."""
    rows = state.connection.execute(
        "SELECT catalog, item, identifier, settled_at FROM wishes WHERE settled_at IS NOT NULL"
    )
    return {(catalog, item, identifier): at for catalog, item, identifier, at in rows}


def forget_wishes(state: State) -> None:
    """Drop all wishes, before they are made anew from the log."""
    state.connection.execute("DELETE FROM wishes")
