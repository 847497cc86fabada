"""What an event says about items of catalogs: new values, and who asks for which one.

Folded by `profiles/item_fold.py`; wishes are kept by `runtime/item_desk.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from innkeeper.events.accounts import account_id as id_text
from innkeeper.events.types import Event

#: Sets properties of the item that `catalog` and `id` name.
ITEM_UPDATED = "Item Updated"
#: Its sender wants to hear when the item changes.
ITEM_REQUESTED = "Item Requested"
#: Its sender does not want to hear any more.
ITEM_WITHDRAWN = "Item Request Withdrawn"


class ItemSet(NamedTuple):
    """New values of an item; None: what the files say counts again."""

    catalog: str
    id: str
    values: dict[str, Any]


class Wish(NamedTuple):
    """Somebody asks for an item, or takes the wish back."""

    catalog: str
    id: str
    open: bool


#: By event name, the catalog that it asks for and the property that names the item.
WishedBy = Mapping[str, tuple[tuple[str, str], ...]]


def item_set(event: Event) -> ItemSet | None:
    """What an event sets; None when it is about no item."""
    if event.name != ITEM_UPDATED or event.type != "track":
        return None
    named, values = _named(event), event.properties.get("set")
    return ItemSet(*named, values) if named is not None and isinstance(values, dict) else None


def wishes(event: Event, wished_by: WishedBy) -> tuple[Wish, ...]:
    """The wishes that an event states, by our own events or by those that catalogs declare."""
    found: list[Wish] = []
    if event.name in (ITEM_REQUESTED, ITEM_WITHDRAWN) and event.type == "track":
        named = _named(event)
        if named is not None:
            found.append(Wish(*named, event.name == ITEM_REQUESTED))
    for catalog, path in wished_by.get(event.name, ()):
        item: Any = event.properties
        for part in path.split("."):
            item = item.get(part) if isinstance(item, dict) else None
        text = id_text(item)
        if text is not None:
            found.append(Wish(catalog, text, True))
    return tuple(found)


def _named(event: Event) -> tuple[str, str] | None:
    catalog, item = event.properties.get("catalog"), id_text(event.properties.get("id"))
    return (catalog, item) if isinstance(catalog, str) and catalog and item is not None else None
