"""`catalogs/*.yaml` and `*.csv` to catalogs of items: products, articles, videos, offers, places.

A YAML file says `items:` with one mapping each, and may say what kind they are and by which event somebody asks for
one; a CSV file has one item a line under a header. Every wrong value is a finding at its line.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from innkeeper.events.items import PROPERTIES, misfit
from innkeeper.kernel.errors import did_you_mean
from innkeeper.kernel.located import NOWHERE, Findings, Located, Place, Reader
from innkeeper.kernel.time import try_parse_instant

KINDS = ("product", "article", "video", "offer", "place", "room")
_NUMBERS = ("price", "stock")
_LISTS = ("stages", "needs")
#: What parts a list in a cell of a CSV file.
_BAR = "|"


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogDefinition:
    """One catalog.

    Attributes:
        items: By id, the properties of each.
        wished_by: The event by which somebody asks for an item, and the property that names it; None: our own events.
        stages: Names of stages that items mention, with their places.
    """

    name: str
    kind: str = "product"
    items: dict[str, dict[str, Any]] = field(default_factory=dict)
    wished_by: tuple[str, str] | None = None
    wished_place: Place = NOWHERE
    stages: tuple[tuple[str, Place], ...] = ()
    place: Place = NOWHERE


def read_catalog(node: Located, name: str, findings: Findings) -> CatalogDefinition:
    """The catalog that a YAML file declares."""
    reader = Reader(node, findings, f"the catalog '{name}'")
    reader.text("catalog")
    reader.has("description")
    kind = reader.choice("kind", KINDS, "product") or "product"
    wished, place = _wished_by(reader.get("wished_by"), findings)
    entries = [(entry, entry.place) for entry in reader.items("items")]
    reader.require("items", "items:\n  - { id: p1, name: Soap }")
    reader.close()
    items, stages = _items(entries, name, findings)
    return CatalogDefinition(
        name=name, kind=kind, items=items, wished_by=wished, wished_place=place, stages=stages, place=node.place
    )


def read_csv_catalog(text: str, path: str, name: str, findings: Findings) -> CatalogDefinition:
    """The catalog that a CSV file declares: a header, then one item a line."""
    rows = csv.reader(io.StringIO(text), strict=True)
    entries: list[tuple[Located, Place]] = []
    try:
        header = next(rows, [])
        if "id" not in header:
            findings.add(
                Place(path, 1, 1), "missing-key", f"the header of {path} has no column 'id'", "name it: id,name,price"
            )
        for row in rows:
            place = Place(path, rows.line_num, 1)
            if len(row) > len(header):
                findings.add(
                    place, "bad-row", f"the line has {len(row)} cells and the header {len(header)} columns",
                    "put a text with a comma in quotes",
                )  # fmt: skip
            elif row:
                entries.append((_row(header, row, place), place))
    except csv.Error as error:
        findings.add(Place(path, max(rows.line_num, 1), 1), "bad-csv", f"this is not CSV: {error}", "mend the quotes")
    items, stages = _items(entries, name, findings)
    return CatalogDefinition(name=name, items=items, stages=stages, place=Place(path, 1, 1))


def _row(header: list[str], row: list[str], place: Place) -> Located:
    cells: dict[str, Located] = {}
    position: dict[str, Located] = {}
    for column, cell in zip(header, row, strict=False):
        if not cell:
            continue
        if column in ("lat", "lon"):
            position[column] = Located(_number(cell), place)
        elif column in _NUMBERS:
            cells[column] = Located(_number(cell), place)
        elif column in _LISTS:
            cells[column] = Located([Located(part.strip(), place) for part in cell.split(_BAR)], place)
        else:
            cells[column] = Located(cell, place)
    if position:
        cells["position"] = Located(position, place)
    return Located(cells, place)


def _number(cell: str) -> int | float | str:
    for make in (int, float):
        try:
            return make(cell)
        except ValueError:
            continue
    return cell


def _wished_by(node: Located | None, findings: Findings) -> tuple[tuple[str, str] | None, Place]:
    if node is None:
        return None, NOWHERE
    reader = Reader(node, findings, "'wished_by'")
    event, item = reader.text("event", required=True), reader.text("item", required=True)
    reader.close()
    place = node.value["event"].place if isinstance(node.value, dict) and "event" in node.value else node.place
    return (event, item) if event and item else None, place


def _items(
    entries: Iterable[tuple[Located, Place]], catalog: str, findings: Findings
) -> tuple[dict[str, dict[str, Any]], tuple[tuple[str, Place], ...]]:
    items: dict[str, dict[str, Any]] = {}
    places: dict[str, Place] = {}
    stages: list[tuple[str, Place]] = []
    for node, place in entries:
        reader = Reader(node, findings, f"an item of '{catalog}'")
        given = reader.text("id", required=isinstance(node.value, dict))
        if given is None or not isinstance(node.value, dict):
            continue
        if given in places:
            findings.add(
                place, "two-definitions", f"the item '{given}' stands in line {places[given].line} already",
                "give it an id of its own, or remove one",
            )  # fmt: skip
            continue
        places[given] = place
        item = {name: value.plain() for name, value in node.value.items() if value.plain() is not None}
        items[given] = {**item, "id": given}
        _check(node.value, given, findings)
        mentioned = node.value.get("stages")
        if mentioned is not None and isinstance(mentioned.value, list):
            stages += [(str(each.value), each.place) for each in mentioned.value]
    return items, tuple(stages)


def _check(item: dict[str, Located], name: str, findings: Findings) -> None:
    for key in PROPERTIES:
        node = item.get(key)
        wanted = None if node is None else misfit(key, node.plain())
        if node is not None and wanted is not None:
            findings.add(
                node, "bad-item", f"'{key}' of the item '{name}' is {node.plain()!r:.60}; it must be {wanted.what}",
                f"write it like {key}: {wanted.example}",
            )  # fmt: skip
    begin, end = (_instant(item[key].value) if key in item else None for key in ("from", "until"))
    if begin is not None and end is not None and end <= begin:
        findings.add(item["until"], "bad-validity", f"the item '{name}' ends before it begins", "exchange the two")


def check_values(name: str, values: Mapping[str, Any], findings: Findings) -> None:
    """Hold values that are set one by one against what the file of a catalog may say; null takes a value back."""
    _check({key: _located(value) for key, value in values.items()}, name, findings)


def _located(value: Any) -> Located:
    if isinstance(value, dict):
        return Located({key: _located(part) for key, part in value.items()}, NOWHERE)
    return Located([_located(part) for part in value] if isinstance(value, list) else value, NOWHERE)


def _instant(value: Any) -> int | None:
    return try_parse_instant(value) if isinstance(value, str) else None


def check_stages(catalog: CatalogDefinition, known: Iterable[str], findings: Findings) -> None:
    """Add a finding for every stage that an item mentions and nobody declares."""
    names = list(known)
    for stage, place in catalog.stages:
        if stage not in names:
            findings.add(
                place, "unknown-stage", f"there is no stage '{stage}'",
                did_you_mean(stage, names) or "declare it in stages.yaml",
            )  # fmt: skip
