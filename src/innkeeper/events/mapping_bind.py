"""A mapping tied to the columns of one table: rows in, events out. Expressions and templates come in as `Tools`.

Where there is no table (a webhook's payload), every dotted path is a column, its cell whatever JSON stands there.

Everything that can be known before the first row is checked here, all findings at once: names of columns, types, zones.
What only a row can show raises `Refused`. Reading rows and grouping them is `runtime/import_table.py`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from operator import itemgetter
from typing import Any, Protocol

from innkeeper.events.limits import Refused
from innkeeper.events.mapping import AGGREGATES, Condition, TableMapping, Tree, Value
from innkeeper.events.mapping_values import (
    Column,
    Columns,
    Row,
    add_up,
    as_text,
    cell_reader,
    divided,
    epoch_text,
    plain_number,
    refuse_time,
    text_instant,
    wall_instant,
)
from innkeeper.events.parse import Made, quick_instant
from innkeeper.kernel.errors import OperationFailed, UsageError, did_you_mean
from innkeeper.kernel.located import Findings, Place
from innkeeper.kernel.time import Instant

Rows = Sequence[Row]
Get = Callable[[Rows], Any]
# The class's own `__new__` takes twice as long, and this runs once for every event.
_new_made = tuple.__new__
_PLAIN = re.compile(r"\{\{\s*([A-Za-z_][A-Za-z0-9_]*)\s*\}\}")
_PLAIN_PATH = re.compile(r"\{\{\s*([A-Za-z_][A-Za-z0-9_]*(?:-[A-Za-z0-9_]+)*(?:\.[A-Za-z0-9_-]+)*)\s*\}\}")


class Tools(Protocol):
    """Compilers of the two languages inside a mapping; the runtime brings them."""

    def condition(self, text: str) -> tuple[Sequence[tuple[str, ...]], Callable[[Mapping[str, Any]], bool]]:
        """The paths that an expression reads, and its test. Raises `UsageError` or `Invalid`."""

    def template(
        self, text: str, columns: Sequence[str] | None
    ) -> tuple[Sequence[str], Callable[[Mapping[str, Any]], str]]:
        """The columns (of these; None: any) that a template reads, its renderer. Raises `UsageError` or `Invalid`."""


class BoundMapping:
    """What a mapping makes of the rows of a table; a *table* of None: of JSON, in which every path is a column.

    Attributes:
        columns: The columns to read, in the order of a row.
        nested: Whether a column can hold objects or lists.
        keeps: Whether a row is read at all; None: every row is.
        group_by: The columns whose equal values make one event, as places in a row; empty: each row is one.
    """

    def __init__(self, mapping: TableMapping, table: Sequence[Column] | None, tools: Tools, findings: Findings) -> None:
        self._there = Columns(table, mapping.types)
        self._plain = _PLAIN if table is not None else _PLAIN_PATH
        self._tools, self._findings = tools, findings
        self._used: dict[tuple[str, bool], Column] = {}
        self._zone_name: str | None = None
        self._has_zone = mapping.zone is not None
        self._zone = self._read_zone(mapping.zone)
        self.keeps = self._condition(mapping.where)
        found = [self._column(name, place, exact=True) for name, place in mapping.group_by]
        self.group_by = [column.index for column in found if column is not None]
        fields = mapping.fields
        self._type = self._text(fields.get("type"))
        self._event = self._text(fields.get("event"))
        self._message_id = self._text(fields.get("messageId"))
        self._user_id = self._text(fields.get("userId"))
        self._anonymous_id = self._text(fields.get("anonymousId"))
        self._instant = self._time(fields.get("timestamp"))
        self._properties = self._tree(mapping.properties) if mapping.properties else None
        self._traits = self._tree(mapping.traits) if mapping.traits else None
        self._context = self._tree(mapping.context) if mapping.context else None
        self._products = None if mapping.products is None else self._tree(mapping.products)
        # Looked up once a file, not once a row.
        self._parts = (
            self._type, self._event, self._message_id, self._user_id, self._anonymous_id, self._instant,
            self._properties, self._traits, self._context, self._products,
        )  # fmt: skip
        for name, (_, place) in mapping.types.items():
            self._column(name, place)
        self.columns = tuple(self._used.values())
        self.nested = any(column.kind in ("json", "any") for column in self.columns)

    def event(self, rows: Rows) -> Made:
        """The event of one row, or of the rows of a group; raises `Refused` for what a row holds."""
        kind, name, message_id, user_id, anonymous_id, instant, properties_of, traits, context, products = self._parts
        properties = properties_of(rows) if properties_of else {}
        if products is not None:
            properties["products"] = [products((row,)) for row in rows]
        return _new_made(
            Made,
            (
                (kind(rows) if kind else None) or "track",
                name(rows) if name else None,
                message_id(rows) if message_id else None,
                user_id(rows) if user_id else None,
                anonymous_id(rows) if anonymous_id else None,
                instant(rows[0]) if len(rows) == 1 else min(map(instant, rows)),
                properties,
                traits(rows) if traits else {},
                context(rows) if context else {},
            ),
        )

    def _column(self, name: str, place: Place, *, exact: bool = False) -> Column | None:
        """A column that is read; *exact*: where it becomes a text, as the file has it, if the file has texts."""
        column = self._there.find(name)
        if column is None:
            names = self._there.names or []
            near = did_you_mean(name, names) or f"columns: {', '.join(names[:30])}"
            self._findings.add(
                place,
                "unknown-column",
                f"there is no column '{name}'",
                f"{near}; for a fixed text: {{ value: {name} }}",
            )
            return None
        exact = exact and column.written and column.kind != "text"
        known = self._used.get((name, exact))
        if known is None:
            known = replace(column, exact=exact, kind="text" if exact else column.kind, index=len(self._used))
            self._used[name, exact] = known
        return known

    def _condition(self, condition: Condition | None) -> Callable[[Row], bool] | None:
        if condition is None:
            return None
        try:
            paths, test = self._tools.condition(condition.text)
        except UsageError as error:
            self._findings.add_from(condition.place, error)
            return None
        readers: list[tuple[tuple[str, ...], Callable[[Row], Any]]] = []
        for path in dict.fromkeys(paths):
            if self._there.names is None and any(path[:length] in paths for length in range(1, len(path))):
                # What is read whole is not read in parts as well.
                continue
            # A dot goes deeper into a column that holds an object, or belongs to the name of a column.
            name = ".".join(path) if self._there.find(".".join(path)) is not None else path[0]
            column = self._column(name, condition.place)
            if column is not None:
                readers.append(((name,) if name == path[0] else path, cell_reader(column, self._zone_name)))

        def holds(row: Row) -> bool:
            cells: dict[str, Any] = {}
            for path, read in readers:
                target = cells
                for part in path[:-1]:
                    target = target.setdefault(part, {})
                target[path[-1]] = read(row)
            return test(cells)

        return holds

    def _get(self, value: Value, *, exact: bool = False) -> Get:
        """The value of a group's rows: of its first line, unless the source adds lines up."""
        get = self._source(value, exact=exact or value.table is not None)
        if value.epoch is not None:
            get = _dated(get, value.epoch)
        if value.divide != 1:
            get = _divided(get, value.divide)
        if value.table is not None:
            get = _mapped(get, value)
        holds = self._condition(value.where)
        if holds is None:
            return get
        if value.kind in AGGREGATES:
            # An aggregate takes the lines for which its own `where` holds.
            return lambda rows: get([row for row in rows if holds(row)])
        return lambda rows: get(rows) if holds(rows[0]) else None

    def _source(self, value: Value, *, exact: bool) -> Get:
        if value.kind == "value":
            literal = value.literal
            return lambda rows: literal
        if value.kind == "template":
            return self._template(value)
        if value.kind == "count":
            return len
        exact = exact and value.kind == "column"
        found = [self._column(name, value.place, exact=exact) for name in value.columns]
        columns = [column for column in found if column is not None]
        if len(columns) < len(found) or not columns:
            return lambda rows: None
        if value.kind == "sum":
            return self._sum(columns, value)
        read, index = cell_reader(columns[0], self._zone_name), columns[0].index
        if value.kind == "column" and columns[0].kind not in ("instant", "local", "json"):
            return lambda rows: rows[0][index]
        if value.kind == "column":
            return lambda rows: read(rows[0])
        choose = min if value.kind == "min" else max
        return lambda rows: _chosen(choose, map(read, rows))

    def _sum(self, columns: list[Column], value: Value) -> Get:
        for column in columns:
            if column.kind not in ("number", "any"):
                self._findings.add(
                    value.place,
                    "not-a-number",
                    f"the column '{column.name}' holds {column.kind}, which cannot be added up",
                    f"if its cells are numbers: types: {{ {column.name}: number }}",
                )
        pick = itemgetter(*(column.index for column in columns))
        if len(columns) == 1:
            return lambda rows: add_up(((pick(row),) for row in rows), 1)
        factors = len(columns)
        return lambda rows: add_up(map(pick, rows), factors)

    def _template(self, value: Value) -> Get:
        plain = self._plain.sub("", value.template)
        if not any(mark in plain for mark in ("{{", "{%", "}}", "%}")):
            return self._plain_template(value)
        try:
            names, render = self._tools.template(value.template, self._there.names)
        except UsageError as error:
            self._findings.add_from(value.place, error)
            return lambda rows: None
        found = [(name, self._column(name, value.place)) for name in names]
        readers = [(name, cell_reader(column, self._zone_name)) for name, column in found if column is not None]

        def get(rows: Rows) -> str | None:
            try:
                return render({name: plain_number(read(rows[0])) for name, read in readers}) or None
            except OperationFailed as error:
                raise Refused(error.code, f"the template fails: {error.message}", error.fix) from error

        return get

    def _plain_template(self, value: Value) -> Get:
        """Columns between texts; the same as Liquid would print, but nothing at all when a column is empty."""
        pieces = self._plain.split(value.template)
        found = [self._column(name, value.place, exact=True) for name in pieces[1::2]]
        readers = [cell_reader(column, self._zone_name) for column in found if column is not None]
        texts = pieces[0::2]
        if len(readers) == 1 and len(texts) == 2:
            before, after = texts
            read = readers[0]

            def one(rows: Rows) -> str | None:
                text = as_text(read(rows[0]))
                return None if text is None else before + text + after

            return one

        def several(rows: Rows) -> str | None:
            out = [texts[0]]
            for reader, text in zip(readers, texts[1:], strict=False):
                cell = as_text(reader(rows[0]))
                if cell is None:
                    return None
                out += (cell, text)
            return "".join(out) or None

        return several

    def _text(self, value: Value | None) -> Callable[[Rows], str | None] | None:
        if value is None:
            return None
        if value.kind == "value" and value.is_bare:
            literal = as_text(value.literal)
            return lambda rows: literal
        known = value.kind == "column" and self._there.find(value.columns[0]) is not None
        if known and value.is_bare:
            column = self._column(value.columns[0], value.place, exact=True)
            if column is not None and column.kind == "text":
                index = column.index
                return lambda rows: rows[0][index] or None
        get = self._get(value, exact=True)
        return lambda rows: as_text(get(rows))

    def _tree(self, tree: Tree) -> Callable[[Rows], dict[str, Any]]:
        """An object of the event. Empty cells are left out; a literal null stays, so that it can take a trait away."""
        simple: list[tuple[str, Get]] = []
        nulls: list[str] = []
        inner: list[tuple[str, Callable[[Rows], dict[str, Any]]]] = []
        for key, value in tree.items():
            if isinstance(value, dict):
                inner.append((key, self._tree(value)))
            elif value.kind == "value" and value.literal is None and value.where is None:
                nulls.append(key)
            else:
                simple.append((key, self._get(value)))

        if not nulls and not inner and len(simple) > 1 and all(map(self._is_plain, tree.values())):
            return self._plain_tree(tree)
        if not nulls and not inner:
            return lambda rows: {key: found for key, get in simple if (found := get(rows)) is not None}

        def build(rows: Rows) -> dict[str, Any]:
            out = {key: found for key, get in simple if (found := get(rows)) is not None}
            for key in nulls:
                out[key] = None
            for key, make in inner:
                if made := make(rows):
                    out[key] = made
            return out

        return build

    def _is_plain(self, value: Value | Tree) -> bool:
        """Whether a value is a cell as it stands."""
        return (
            isinstance(value, Value)
            and value.kind == "column"
            and value.is_bare
            and (value.columns[0], False) in self._used
            and self._used[value.columns[0], False].kind not in ("instant", "local", "json")
        )

    def _plain_tree(self, tree: Tree) -> Callable[[Rows], dict[str, Any]]:
        """An object of cells as they stand, made with fewer steps."""
        keys = list(tree)
        values = [value for value in tree.values() if isinstance(value, Value)]
        pick = itemgetter(*(self._used[value.columns[0], False].index for value in values))

        def build(rows: Rows) -> dict[str, Any]:
            cells = pick(rows[0])
            # As many keys as cells; to have zip check it would take twice as long as all the rest.
            if None in cells:
                return {key: cell for key, cell in zip(keys, cells) if cell is not None}  # noqa: B905
            return dict(zip(keys, cells))  # noqa: B905

        return build

    def _read_zone(self, value: Value | None) -> Callable[[Row], str | None]:
        if value is None:
            return lambda row: None
        if value.kind == "value":
            self._zone_name = str(value.literal)
            return lambda row: self._zone_name
        get = self._text(value)
        return lambda row: get((row,)) if get is not None else None

    def _time(self, value: Value | None) -> Callable[[Row], Instant]:
        """When the event of a row happened."""
        column = self._there.find(value.columns[0]) if value is not None and value.kind == "column" else None
        if value is not None and column is not None and value.is_bare:
            if column.kind == "instant":
                return self._instants(value)
            if column.kind == "local":
                return self._walls(value)
            if column.kind in ("number", "boolean", "json"):
                self._findings.add(
                    value.place,
                    "not-a-time",
                    f"the column '{column.name}' holds {column.kind}, not times",
                    "times are ISO 8601 texts or timestamps",
                )
        get = self._text(value)
        zone = self._zone

        def instant(row: Row) -> Instant:
            text = get((row,)) if get is not None else None
            if text is not None and text.endswith("Z") and (in_utc := quick_instant(text)) is not None:
                return in_utc
            zone_name = zone(row)
            found = text_instant(text, zone_name) if text is not None else None
            if found is None:
                raise refuse_time(text, zone_name)
            return found

        return instant

    def _instants(self, value: Value) -> Callable[[Row], Instant]:
        column = self._column(value.columns[0], value.place)
        index = column.index if column is not None else 0

        def instant(row: Row) -> Instant:
            found: Instant | None = row[index]
            if found is None:
                raise refuse_time(None, None)
            return found

        return instant

    def _walls(self, value: Value) -> Callable[[Row], Instant]:
        column = self._column(value.columns[0], value.place)
        index = column.index if column is not None else 0
        zone = self._zone
        if not self._has_zone:
            self._findings.add(
                value.place,
                "naive-time",
                f"the times of the column '{value.columns[0]}' have no zone",
                "say which: zone: Europe/Lisbon",
            )

        def instant(row: Row) -> Instant:
            zone_name = zone(row)
            wall = row[index]
            found = wall_instant(wall, zone_name) if wall is not None and zone_name is not None else None
            if found is None:
                raise refuse_time(wall, zone_name)
            return found

        return instant


def _dated(get: Get, unit: str) -> Get:
    return lambda rows: epoch_text(get(rows), unit)


def _divided(get: Get, divisor: int) -> Get:
    return lambda rows: divided(get(rows), divisor)


def _chosen(choose: Callable[..., Any], cells: Iterable[Any]) -> Any:
    try:
        return choose((cell for cell in cells if cell is not None), default=None)
    except TypeError as error:
        raise Refused(
            "mixed-values", "texts and numbers have no order among them", "declare the column under 'types'"
        ) from error


def _mapped(get: Get, value: Value) -> Get:
    """Put what stands in the table of `map` in the place of a text."""
    table = value.table or {}

    def mapped(rows: Rows) -> Any:
        found = get(rows)
        text = as_text(found)
        if text is None:
            return None
        return table.get(text, found if value.keeps else value.otherwise)

    return mapped
