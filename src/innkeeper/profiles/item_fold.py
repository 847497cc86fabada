"""The fold of one item: what events have set over what the catalog's file says, and what kind of change that is.

A value that an event has set stands over the file, whatever is applied later; the newest event wins, and null gives the
file its say again (docs/adr). A value that the file could not have, such as a price that is no number, is refused and
remembered. Who asked for the item hears of a change: `runtime/fanout.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import msgspec

from innkeeper.audiences.merges import newer
from innkeeper.events.items import ItemSet, WishedBy, misfit
from innkeeper.events.types import Event
from innkeeper.kernel.numbers import to_micro
from innkeeper.kernel.time import Instant
from innkeeper.profiles.state import Trait

#: The kinds of changes, in the order in which they are told.
CHANGES = ("back_in_stock", "price_drop", "changed")


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemRules:
    """The catalogs in force.

    Attributes:
        catalogs: What the files say, by catalog and id.
        wished_by: By event name, the catalogs that it asks for.
        heard: (catalog, change) pairs that some journey is entered by; nothing else is told.
        in_content: Whether messages read items as they are when they are sent.
    """

    catalogs: Mapping[str, Mapping[str, Mapping[str, Any]]] = field(default_factory=dict)
    wished_by: WishedBy = field(default_factory=dict)
    heard: frozenset[tuple[str, str]] = frozenset()
    in_content: bool = False


class WishWord(NamedTuple):
    """What somebody has said of an item: asked for it or taken that back; when a change was told that settled it."""

    identifier: str
    at: Instant
    source: str
    message_id: str
    open: bool
    settled_at: Instant | None


def wish_of(words: Iterable[WishWord]) -> WishWord | None:
    """The wish that stands of all that one person has said of an item: the newest word, if it asks and was not heard.

    >>> wish_of([WishWord("user_id:a", 1, "app", "m1", True, 3), WishWord("user_id:a", 2, "app", "m2", True, None)])
    """
    said = list(words)
    newest = max(said, key=lambda word: (word.at, word.source, word.message_id), default=None)
    if newest is None or not newest.open:
        return None
    return newest if all(word.settled_at is None or word.settled_at < newest.at for word in said) else None


class ItemState(msgspec.Struct, array_like=True, gc=False):
    """What events have set of one item; by property, the newest value that was refused."""

    values: dict[str, Trait] = {}
    refused: dict[str, Trait] = {}


_decoder = msgspec.msgpack.Decoder(ItemState)


def decode_item(body: bytes) -> ItemState:
    """The state of a stored form."""
    return _decoder.decode(body)


def encode_item(state: ItemState) -> bytes:
    """The stored form."""
    return msgspec.msgpack.encode(state)


def take_set(state: ItemState, said: ItemSet, event: Event) -> None:
    """Take what an event sets; of one property the newest counts that is of its kind."""
    for name, value in said.values.items():
        if name == "id":
            continue
        new = Trait(value, event.timestamp, event.source, event.message_id)
        kept = state.values if misfit(name, value) is None else state.refused
        old = kept.get(name)
        if old is None or newer(new, old):
            kept[name] = new


def refused_since(state: ItemState) -> dict[str, Trait]:
    """The refused values that nothing newer has made good, by property."""
    return {
        name: word
        for name, word in sorted(state.refused.items())
        if name not in state.values or newer(word, state.values[name])
    }


def item_view(state: ItemState | None, base: Mapping[str, Any] | None) -> dict[str, Any]:
    """An item as it is: the file's values, and over them what events have set; {} for one that nobody knows."""
    view = dict(base or {})
    for name, value in (state.values if state is not None else {}).items():
        if value.value is not None:
            view[name] = value.value
    return view


def changes_of(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[str, ...]:
    """What kinds of change there are between two views, in the order of `CHANGES`.

    >>> changes_of({"stock": 0, "price": 9}, {"stock": 3, "price": 8})
    ('back_in_stock', 'price_drop', 'changed')
    """
    found = []
    if in_stock(before) is False and in_stock(after):
        found.append("back_in_stock")
    old, new = to_micro(before.get("price")), to_micro(after.get("price"))
    if old is not None and new is not None and new < old:
        found.append("price_drop")
    if before != after:
        found.append("changed")
    return tuple(found)


def in_stock(view: Mapping[str, Any]) -> bool | None:
    """Whether there is some; None: nobody counts."""
    stock = to_micro(view.get("stock"))
    return None if stock is None else stock > 0
