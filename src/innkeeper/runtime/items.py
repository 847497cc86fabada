"""Items as they are now: for content at delivery, and for the command line."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from innkeeper.events.items import ITEM_UPDATED, PROPERTIES
from innkeeper.events.types import Event, to_row
from innkeeper.kernel.errors import UsageError, did_you_mean
from innkeeper.kernel.ids import digest
from innkeeper.kernel.json import canonical, loads
from innkeeper.kernel.located import Findings
from innkeeper.kernel.time import Clock, Instant, SystemClock, format_instant
from innkeeper.profiles.item_fold import ItemState, WishWord, decode_item, item_view, refused_since, wish_of
from innkeeper.profiles.state import Trait
from innkeeper.runtime import definitions as applied
from innkeeper.runtime.identity_reading import IdentityReader
from innkeeper.runtime.writing import writing
from innkeeper.store import items as rows
from innkeeper.store import things
from innkeeper.store.doctor import Finding
from innkeeper.store.identity import IdentityTables
from innkeeper.store.state import State
from innkeeper.store.things import ThingKey
from innkeeper.strategy.read_catalogs import check_values
from innkeeper.strategy.types import Definitions


class Catalogs(Mapping[str, "Catalog"]):
    """All catalogs as templates read them: `items.products["p1"].name`."""

    def __init__(self, state: State, definitions: Definitions) -> None:
        set_by_events: dict[str, dict[str, Any]] = {name: {} for name in definitions.catalogs}
        for page in things.pages(state, "item"):
            for row in page:
                if row.type in set_by_events:
                    set_by_events[row.type][row.id] = decode_item(row.body)
        self._catalogs = {
            name: Catalog(catalog.items, set_by_events[name]) for name, catalog in definitions.catalogs.items()
        }

    def __getitem__(self, name: str) -> Catalog:
        return self._catalogs[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._catalogs)

    def __len__(self) -> int:
        return len(self._catalogs)


class Catalog(Mapping[str, dict[str, Any]]):
    """One catalog: the file's items, and over them what events have set."""

    def __init__(self, base: Mapping[str, dict[str, Any]], set_by_events: Mapping[str, Any]) -> None:
        self._base, self._set = base, set_by_events

    def __getitem__(self, item: str) -> dict[str, Any]:
        item = str(item)
        if item not in self._base and item not in self._set:
            raise KeyError(item)
        return {**item_view(self._set.get(item), self._base.get(item)), "id": item}

    def __iter__(self) -> Iterator[str]:
        return iter(sorted({*self._base, *self._set}))

    def __len__(self) -> int:
        return len({*self._base, *self._set})


def list_items(home: Path, catalog: str | None) -> list[dict[str, Any]]:
    """The items of one catalog or of all, as they are now, with the number of open wishes."""
    with State.open(home, readonly=True) as state:
        definitions = _definitions(state)
        if catalog is not None:
            _known(catalog, definitions)
        wanted, asked = Catalogs(state, definitions), _open_wishes(state, definitions, catalog)
        return [
            {"catalog": name, **item, "wishes": asked.get((name, item["id"]), 0)}
            for name in sorted(wanted)
            if catalog in (None, name)
            for item in wanted[name].values()
        ]


def show_item(home: Path, catalog: str, item: str) -> dict[str, Any]:
    """One item: its values, and for those that an event has set when and by which.

    Raises:
        UsageError: There is no such catalog or item.
    """
    with State.open(home, readonly=True) as state:
        definitions = _definitions(state)
        _known(catalog, definitions)
        found = Catalogs(state, definitions)[catalog]
        if item not in found:
            raise UsageError(
                f"'{catalog}' has no item '{item}'", code="unknown-item",
                fix=did_you_mean(item, list(found)) or f"see: innkeeper item list {catalog}",
            )  # fmt: skip
        key = ThingKey("item", catalog, item)
        body = things.bodies(state, [key]).get(key)
        said = ItemState() if body is None else decode_item(body)
        asked = _open_wishes(state, definitions, catalog, item)
        return {
            "catalog": catalog,
            "item": found[item],
            "set_by_events": [
                {"name": name, "value": value.value, "source": value.source, "messageId": value.message_id,
                 "at": format_instant(value.at)}
                for name, value in sorted(said.values.items())
            ],
            "refused": [_refusal(name, word) for name, word in refused_since(said).items()],
            "wishes": asked.get((catalog, item), 0),
        }  # fmt: skip


def _refusal(name: str, word: Trait) -> dict[str, Any]:
    return {
        "name": name, "value": word.value, "must_be": PROPERTIES[name].what, "source": word.source,
        "messageId": word.message_id, "at": format_instant(word.at),
    }  # fmt: skip


def refused_values(home: Path) -> list[Finding]:
    """The values of items that were refused because of their kind, as findings of `doctor`: what was there stays."""
    if not State.exists(home):
        return []
    with State.open(home, readonly=True) as state:
        catalogs = _definitions(state).catalogs
        found = [(row, decode_item(row.body)) for page in things.pages(state, "item") for row in page]
        return [
            Finding(
                code="item-value-refused", state="note", where=str(state.path),
                message=f"'{name}' of the item '{row.id}' in '{row.type}' is not set to {word.value!r:.60}, as"
                f" {word.source} said at {format_instant(word.at)}: it must be {PROPERTIES[name].what}",
                fix=f"mend it at the source, or: innkeeper item set {row.type} {row.id} {name}=VALUE",
            )
            for row, item in found
            if row.type in catalogs
            for name, word in refused_since(item).items()
        ]  # fmt: skip


def set_item(
    home: Path, catalog: str, item: str, values: Mapping[str, Any], *, by: str, at: Instant | None,
    new: bool = False, clock: Clock | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Write the event that sets values of an item into the log; the next run takes it.

    Args:
        values: By name.
        by: The user id under which it is said.
        at: When it happened; None: now.
        new: Whether it may be an item that nobody has heard of.

    Raises:
        UsageError: There is no such catalog, or no such item.
        Invalid: A value is none that the file of a catalog could have.
        OperationFailed: The home is in use.
    """
    with writing(home, readonly_state=True) as (log, state):
        definitions = _definitions(state)
        _known(catalog, definitions)
        if not new:
            _expect(catalog, item, Catalogs(state, definitions)[catalog])
        now = (clock or SystemClock()).now()
        said = dict(values)
        findings = Findings()
        check_values(item, said, findings)
        findings.raise_if_any()
        properties = {"catalog": catalog, "id": item, "set": said}
        happened = now if at is None else at
        event = Event(
            source="cli", message_id=digest("item", catalog, item, happened, canonical(said)), type="track",
            name=ITEM_UPDATED, user_id=by, timestamp=happened, received_at=now, properties=properties,
        )  # fmt: skip
        log.append([to_row(event)])
        return {"catalog": catalog, "id": item, "set": said, "at": format_instant(happened)}


def _expect(catalog: str, item: str, known: Catalog) -> None:
    if item not in known:
        near = did_you_mean(item, list(known))
        raise UsageError(
            f"'{catalog}' has no item '{item}' yet", code="unknown-item",
            fix=f"{near + ' To' if near else 'to'} make a new one add --new (in the API \"new\": true)",
        )  # fmt: skip


def value_of(text: str) -> Any:
    """What a text says: JSON where it is JSON (`3`, `true`, `null`), else the text itself."""
    try:
        return loads(text)
    except ValueError:
        return text


def _open_wishes(
    state: State, definitions: Definitions, catalog: str | None, item: str | None = None
) -> Counter[tuple[str, str]]:
    """How many people ask for each item, by catalog and item."""
    who = IdentityReader(IdentityTables(state.connection), definitions.workspace.identity)
    found: Counter[tuple[str, str]] = Counter()
    for thing, words in rows.every_wish(state, catalog, item).items():
        who.know({word.identifier for word in words})
        said: dict[str, list[WishWord]] = {}
        for word in words:
            said.setdefault(who.owner(word.identifier, word.at), []).append(word)
        found[thing] = sum(wish_of(each) is not None for each in said.values())
    return found


def _definitions(state: State) -> Definitions:
    return applied.applied(state) or Definitions(version="none")


def _known(catalog: str, definitions: Definitions) -> None:
    if catalog not in definitions.catalogs:
        raise UsageError(
            f"there is no catalog '{catalog}'", code="unknown-catalog",
            fix=did_you_mean(catalog, definitions.catalogs) or "write catalogs/NAME.yaml and apply it",
        )  # fmt: skip
