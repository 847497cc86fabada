"""The items of a tick, and who asked for them: folded when an event is about them, written with the tick.

Every word is kept, because whose a browser was when it was said may be learned later; of each person the newest counts
(`profiles/item_fold.py`). A wish is settled when it has been told of a change that a journey is entered by; who wants
to hear again asks again.
"""

from __future__ import annotations

from typing import Any

from innkeeper.events.items import Wish, item_set, wishes
from innkeeper.events.types import Event
from innkeeper.kernel.time import FOREVER, Instant
from innkeeper.profiles.item_fold import (
    ItemRules,
    ItemState,
    WishWord,
    changes_of,
    decode_item,
    encode_item,
    item_view,
    take_set,
)
from innkeeper.profiles.others import News
from innkeeper.store import items as rows
from innkeeper.store import things
from innkeeper.store.items import WishKey, WishRow
from innkeeper.store.state import State
from innkeeper.store.things import ThingKey, ThingRow


class ItemDesk:
    """The items of one tick."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._cache: dict[ThingKey, ItemState | None] = {}
        self._dirty: set[ThingKey] = set()
        self._wishes: list[WishRow] = []
        self._settled: list[tuple[WishKey, Instant]] = []

    def forget(self) -> None:
        """Begin a tick; everything is written."""
        self._cache.clear()

    def concerns(self, event: Event) -> bool:
        """Whether an event may have to be told to many."""
        return item_set(event) is not None

    def take(self, event: Event, rules: ItemRules) -> list[tuple[str, str, str]]:
        """Fold an event into the item that it is about, keep its wishes; what is to be told: (catalog, id, change)."""
        for wish in wishes(event, rules.wished_by):
            self._wishes.append(wish_row(event, wish))
        said = item_set(event)
        if said is None or said.catalog not in rules.catalogs:
            return []
        key = ThingKey("item", said.catalog, said.id)
        state = self._read(key)
        before = self._view(key, state, rules)
        state = self._cache[key] = state or ItemState({})
        take_set(state, said, event)
        self._dirty.add(key)
        found = changes_of(before, self._view(key, state, rules))
        return [(said.catalog, said.id, change) for change in found if (said.catalog, change) in rules.heard]

    def view(self, catalog: str, item: str, rules: ItemRules) -> dict[str, Any]:
        """An item as it is now."""
        key = ThingKey("item", catalog, item)
        return self._view(key, self._read(key), rules)

    def _view(self, key: ThingKey, state: ItemState | None, rules: ItemRules) -> dict[str, Any]:
        view = item_view(state, rules.catalogs.get(key.type, {}).get(key.id))
        return {**view, "id": key.id} if view else {}

    def settle(self, catalog: str, item: str, wish: WishWord, at: Instant) -> None:
        """A wish has been heard."""
        self._settled.append(((catalog, item, *wish[:4]), at))

    def _read(self, key: ThingKey) -> ItemState | None:
        if key not in self._cache:
            body = things.bodies(self._state, [key]).get(key)
            self._cache[key] = None if body is None else decode_item(body)
        return self._cache[key]

    def write(self) -> None:
        """Write what has changed since the last commit; part of the tick's transaction."""
        if self._dirty:
            found = [(key, self._cache[key]) for key in sorted(self._dirty)]
            things.put(
                self._state, [ThingRow(*key, FOREVER, encode_item(one)) for key, one in found if one is not None]
            )
            self._dirty = set()
        if self._wishes:
            rows.put_wishes(self._state, self._wishes)
            self._wishes = []
        if self._settled:
            rows.settle_wishes(self._state, self._settled)
            self._settled = []


def wish_row(event: Event, wish: Wish) -> WishRow:
    """What is kept of a wish that an event states."""
    return WishRow(wish.catalog, wish.id, event.identifier, event.timestamp, event.source, event.message_id, wish.open)


def item_news(catalog: str, item: str, view: dict[str, Any], identifier: str, change: str, said_at: Instant) -> News:
    """What somebody hears of an item that was asked for; what it begins is of whose the identifier was at *said_at*."""
    return News("item", catalog, item, view, ("wisher",), identifier, change, said_at=said_at)
