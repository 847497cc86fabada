"""What an event says about items of catalogs: new values, and who asks for which one; and what a value may be.

Folded by `profiles/item_fold.py`; wishes are kept by `runtime/item_desk.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from innkeeper.events.accounts import account_id as id_text
from innkeeper.events.types import Event
from innkeeper.kernel.time import try_parse_instant

#: Sets properties of the item that `catalog` and `id` name.
ITEM_UPDATED = "Item Updated"
#: Its sender wants to hear when the item changes.
ITEM_REQUESTED = "Item Requested"
#: Its sender does not want to hear any more.
ITEM_WITHDRAWN = "Item Request Withdrawn"


class Property(NamedTuple):
    """What a property that has a meaning of its own must be, in words with an example."""

    fits: Callable[[Any], bool]
    what: str
    example: str


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(part, str) and part for part in value)


def _is_position(value: Any) -> bool:
    if not isinstance(value, dict) or value.keys() != {"lat", "lon"} or not all(map(_is_number, value.values())):
        return False
    return bool(-90 <= value["lat"] <= 90 and -180 <= value["lon"] <= 180)


def _is_instant(value: Any) -> bool:
    return isinstance(value, str) and try_parse_instant(value) is not None


_TEXT = Property(lambda value: isinstance(value, str), "a text", "Soap")
_AMOUNT = Property(lambda value: _is_number(value) and value >= 0, "a number from 0 on", "12")
_NAMES = Property(_is_texts, "a list of names", "[retention]")
_INSTANT = Property(_is_instant, "an instant with a zone", "2026-06-01T00:00:00Z")
#: The properties of items that are not just any value.
PROPERTIES: Mapping[str, Property] = {
    "name": _TEXT, "url": _TEXT, "price": _AMOUNT, "stock": _AMOUNT, "stages": _NAMES, "needs": _NAMES,
    "position": Property(_is_position, "a latitude and a longitude in degrees", "{lat: 38.7, lon: -9.1}"),
    "from": _INSTANT, "until": _INSTANT,
}  # fmt: skip


def misfit(name: str, value: Any) -> Property | None:
    """What a property must be, when a value is none; None when it fits, or takes a value back."""
    known = PROPERTIES.get(name)
    return known if known is not None and value is not None and not known.fits(value) else None


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
