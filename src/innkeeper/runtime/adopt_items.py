"""Items and wishes made anew from the log, under new definitions. Wishes that were heard stay settled."""

from __future__ import annotations

from typing import TYPE_CHECKING

from innkeeper.events.items import ITEM_REQUESTED, ITEM_UPDATED, ITEM_WITHDRAWN, item_set, wishes
from innkeeper.kernel.time import FOREVER
from innkeeper.profiles.item_fold import ItemState, encode_item, take_set
from innkeeper.runtime.item_desk import wish_row
from innkeeper.runtime.record import taken_events
from innkeeper.store import items as rows
from innkeeper.store import things
from innkeeper.store.items import WishRow
from innkeeper.store.state import Cursor
from innkeeper.store.things import ThingRow

if TYPE_CHECKING:
    from innkeeper.runtime.engine import Engine
    from innkeeper.store.bulk import Bulk


def remake_items(engine: Engine, bulk: Bulk, cursor: Cursor) -> None:
    """Make everything that is kept of items anew; without catalogs there is nothing left."""
    state, rules = engine.state, engine.world.items
    if not rules.catalogs and not things.count(state, "item"):
        return
    states: dict[tuple[str, str], ItemState] = {}
    wished: list[WishRow] = []
    names = sorted({ITEM_UPDATED, ITEM_REQUESTED, ITEM_WITHDRAWN, *rules.wished_by})
    for event in engine.counted(taken_events(bulk, cursor, names)) if rules.catalogs else ():
        said = item_set(event)
        if said is not None and said.catalog in rules.catalogs:
            take_set(states.setdefault((said.catalog, said.id), ItemState({})), said, event)
        for wish in wishes(event, rules.wished_by):
            if wish.catalog in rules.catalogs:
                wished.append(wish_row(event, wish))
    before = rows.settled(state)
    with state.transaction():
        things.drop_all(state, "item")
        things.put(state, [ThingRow("item", *key, FOREVER, encode_item(one)) for key, one in states.items()])
        rows.forget_wishes(state)
        rows.put_wishes(state, wished)
        rows.settle_wishes(state, before)
