"""The rows of other subjects than profiles: objects, accounts, items. Written in the tick's transaction by the engine.

Their bodies are opaque here; the slice that folds a kind knows what is in them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from innkeeper.kernel.time import Instant
from innkeeper.store.state import State

_PAGE = 300


class ThingKey(NamedTuple):
    """What names a thing: `object`, `account` or `item`, its declared type, its id within the type."""

    kind: str
    type: str
    id: str


class ThingRow(NamedTuple):
    """One thing as it is stored."""

    kind: str
    type: str
    id: str
    next_due_at: Instant
    body: bytes

    @property
    def key(self) -> ThingKey:
        """What names it."""
        return ThingKey(self.kind, self.type, self.id)


def bodies(state: State, keys: Iterable[ThingKey]) -> dict[ThingKey, bytes]:
    """The stored states of the things that have one."""
    wanted = list(keys)
    found: dict[ThingKey, bytes] = {}
    for start in range(0, len(wanted), _PAGE):
        page = wanted[start : start + _PAGE]
        marks = ",".join(["(?,?,?)"] * len(page))
        rows = state.connection.execute(
            "SELECT kind, type, id, body FROM things WHERE (kind, type, id) IN (VALUES " + marks + ")",  # noqa: S608
            [value for key in page for value in key],
        )
        found.update({ThingKey(kind, of, name): body for kind, of, name, body in rows})
    return found


def put(state: State, rows: Sequence[ThingRow]) -> None:
    """Write things."""
    state.connection.executemany(
        "INSERT INTO things (kind, type, id, next_due_at, body) VALUES (?, ?, ?, ?, ?) ON CONFLICT (kind, type, id)"
        " DO UPDATE SET next_due_at = excluded.next_due_at, body = excluded.body",
        rows,
    )


def drop(state: State, keys: Iterable[ThingKey]) -> None:
    """Drop some things."""
    state.connection.executemany("DELETE FROM things WHERE kind = ? AND type = ? AND id = ?", sorted(keys))


def drop_all(state: State, kind: str) -> None:
    """Drop every thing of a kind, before all of them are folded anew."""
    state.connection.execute("DELETE FROM things WHERE kind = ?", (kind,))


def add_told(state: State, rows: Sequence[tuple[str, str, str, str]]) -> None:
    """Remember who was told of what: (identifier, kind, type, id)."""
    state.connection.executemany(
        "INSERT INTO told (identifier, kind, type, id) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING", rows
    )


def told_of(state: State, identifiers: Iterable[str]) -> set[ThingKey]:
    """The things that any of the identifiers was ever told of."""
    return {
        ThingKey(*row)
        for identifier in identifiers
        for row in state.connection.execute("SELECT kind, type, id FROM told WHERE identifier = ?", (identifier,))
    }


def told_identifiers(state: State, keys: Iterable[ThingKey]) -> set[str]:
    """The identifiers that were ever told of any of the things."""
    return {
        str(identifier)
        for key in keys
        for (identifier,) in state.connection.execute(
            "SELECT identifier FROM told WHERE kind = ? AND type = ? AND id = ?", key
        )
    }


def pages(state: State, kind: str, of: str | None = None, size: int = 1_000) -> Iterator[list[ThingRow]]:
    """All things of a kind (and a type) in the order of type and id, page by page."""
    after = (kind, of or "", "")
    while True:
        page = [
            ThingRow(*row)
            for row in state.connection.execute(
                "SELECT kind, type, id, next_due_at, body FROM things WHERE kind = ? AND (? IS NULL OR type = ?)"
                " AND (type, id) > (?, ?) ORDER BY type, id LIMIT ?",
                (kind, of, of, after[1], after[2], size),
            )
        ]
        if not page:
            return
        yield page
        after = page[-1].key


def count(state: State, kind: str) -> int:
    """How many things of a kind there are."""
    return int(state.connection.execute("SELECT count(*) FROM things WHERE kind = ?", (kind,)).fetchone()[0])


def due(state: State, kind: str, until: Instant) -> list[str]:
    """The ids of the things of a kind whose next timer is at or before *until*."""
    rows = state.connection.execute("SELECT id FROM things WHERE next_due_at <= ? AND kind = ?", (until, kind))
    return [name for (name,) in rows]
