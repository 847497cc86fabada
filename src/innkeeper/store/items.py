"""The rows of wishes: every word on who asked for which item, written in the tick's transaction.

Whose a word is, and which of a person's words counts, is not known here: `profiles/item_fold.py`. Items' states are
`things.py`.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple

from innkeeper.kernel.json import dumps
from innkeeper.kernel.time import Instant
from innkeeper.profiles.item_fold import WishWord
from innkeeper.store.state import State

#: Words that may stand: nothing newer was said under the identifier before somebody else may have come to have it.
_OPEN = (
    "open AND (settled_at IS NULL OR settled_at < at) AND NOT EXISTS (SELECT 1 FROM wishes AS later"
    " WHERE later.catalog = wishes.catalog AND later.item = wishes.item AND later.identifier = wishes.identifier"
    " AND (later.at, later.source, later.message_id) > (wishes.at, wishes.source, wishes.message_id)"
    " AND NOT EXISTS (SELECT 1 FROM turns WHERE turns.identifier = wishes.identifier AND turns.at > wishes.at"
    " AND turns.at <= later.at))"
)


class WishRow(NamedTuple):
    """A word on an item."""

    catalog: str
    item: str
    identifier: str
    at: Instant
    source: str
    message_id: str
    open: bool


#: What names a word: catalog, item, identifier, instant, source, messageId.
WishKey = tuple[str, str, str, Instant, str, str]


def put_wishes(state: State, rows: Sequence[WishRow]) -> None:
    """Record words."""
    state.connection.executemany(
        "INSERT INTO wishes (catalog, item, identifier, at, source, message_id, open) VALUES (?, ?, ?, ?, ?, ?, ?)"
        " ON CONFLICT DO NOTHING",
        rows,
    )


def settle_wishes(state: State, rows: Sequence[tuple[WishKey, Instant]]) -> None:
    """They have been heard, each at an instant."""
    state.connection.executemany(
        "UPDATE wishes SET settled_at = ? WHERE catalog = ? AND item = ? AND identifier = ? AND at = ?"
        " AND source = ? AND message_id = ?",
        [(at, *key) for key, at in rows],
    )


def wish_page(
    state: State, catalog: str, item: str, at: Instant, after: str, upto: str | None, size: int
) -> dict[str, list[Instant]]:
    """Under which identifiers somebody asked up to an instant and may not have been told, and when each did.

    Identifiers after one, in their order, up to one or as many as a page holds.
    """
    asked = "catalog = :catalog AND item = :item AND at <= :at AND " + _OPEN
    rows = state.connection.execute(
        "SELECT identifier, at FROM wishes WHERE identifier IN (SELECT DISTINCT identifier FROM wishes"  # noqa: S608
        " WHERE identifier > :after AND (:upto IS NULL OR identifier <= :upto) AND " + asked + " ORDER BY 1"
        " LIMIT :size) AND " + asked + " ORDER BY identifier, at",
        {"catalog": catalog, "item": item, "at": at, "after": after, "upto": upto, "size": size},
    )
    found: dict[str, list[Instant]] = {}
    for identifier, said in rows:
        found.setdefault(identifier, []).append(said)
    return found


def wishes_of(state: State, catalog: str, item: str, identifiers: Collection[str]) -> list[WishWord]:
    """Every word on an item that was said under some identifiers."""
    rows = state.connection.execute(
        "SELECT identifier, at, source, message_id, open, settled_at FROM wishes WHERE catalog = ? AND item = ?"
        " AND identifier IN (SELECT value FROM json_each(?))",
        (catalog, item, dumps(sorted(identifiers))),
    )
    return [WishWord(*row) for row in rows]


def every_wish(
    state: State, catalog: str | None = None, item: str | None = None
) -> dict[tuple[str, str], list[WishWord]]:
    """Every word by catalog and item."""
    rows = state.connection.execute(
        "SELECT catalog, item, identifier, at, source, message_id, open, settled_at FROM wishes"
        " WHERE (? IS NULL OR catalog = ?) AND (? IS NULL OR item = ?)",
        (catalog, catalog, item, item),
    )
    found: dict[tuple[str, str], list[WishWord]] = {}
    for name, one, *word in rows:
        found.setdefault((name, one), []).append(WishWord(*word))
    return found


def ever_wished(state: State, catalog: str, item: str) -> list[str]:
    """Every identifier that has ever said a word on an item."""
    rows = state.connection.execute(
        "SELECT DISTINCT identifier FROM wishes WHERE catalog = ? AND item = ?", (catalog, item)
    )
    return [identifier for (identifier,) in rows]


def settled(state: State) -> list[tuple[WishKey, Instant]]:
    """When words were heard, before all of them are made anew from the log."""
    rows = state.connection.execute(
        "SELECT catalog, item, identifier, at, source, message_id, settled_at FROM wishes WHERE settled_at IS NOT NULL"
    )
    return [(tuple(key), at) for *key, at in rows]


def forget_wishes(state: State) -> None:
    """Drop all wishes, before they are made anew from the log."""
    state.connection.execute("DELETE FROM wishes")
