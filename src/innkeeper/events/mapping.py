"""A mapping file: how the columns of a table become events. Here: what may be declared, and reading it from YAML.

    event: { value: Order Completed }
    userId: { template: "{{ CustomerID }}", where: CustomerID > 0 }
    anonymousId: { template: "invoice-{{ InvoiceNo }}", where: CustomerID = 0 }
    timestamp: InvoiceDate
    zone: Europe/London
    group_by: InvoiceNo
    properties: { total: { sum: Quantity * UnitPrice }, country: Country }
    products: { sku: StockCode, quantity: Quantity, price: UnitPrice }

A value is the name of a column, or a mapping with one source (`column`, `value`, `template`, `sum`, `count`, `min`,
`max`) and modifiers (`where`, `map`, `otherwise`, `epoch`, `divide`). Any other mapping is an object of such values; a
dot in a key goes deeper. Next in the flow: `mapping_bind.py` ties it to a table's columns, or to the paths of a JSON
payload (`payload_mapping.py`: what a webhook's mapping has besides).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Literal

from innkeeper.kernel.errors import did_you_mean
from innkeeper.kernel.located import NOWHERE, Findings, Located, Place, Reader, Scalar
from innkeeper.kernel.time import SECOND
from innkeeper.kernel.zones import try_zone

Kind = Literal["column", "value", "template", "sum", "count", "min", "max"]
KINDS: tuple[Kind, ...] = ("column", "value", "template", "sum", "count", "min", "max")
#: Sources that read every line of a group.
AGGREGATES = frozenset({"sum", "count", "min", "max"})
#: Types that a table can hold; group and alias have ids of their own and come as JSONL.
TYPES = ("track", "identify", "page", "screen")
_MODIFIERS = frozenset({"where", "map", "otherwise", "epoch", "divide"})
#: The largest number that a value may be divided by.
_MOST_DIVISOR = 1_000_000
#: What a time that is a number counts since 1970, and how many microseconds one is.
EPOCHS = {"seconds": SECOND, "milliseconds": SECOND // 1000}
#: Types that a column can be declared to have.
COLUMN_TYPES = ("text", "number", "boolean")
_PRODUCT = re.compile(r"(?<!\s)\s+\*\s+")
_SPLIT_TEMPLATE = "a template must be a text in quotes"


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """The text of an expression over columns, and where it stands."""

    text: str
    place: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """Where one value of an event comes from.

    Attributes:
        kind: The source.
        columns: For column, min, max: the column; for sum: the columns that are multiplied.
        literal: For value: any JSON.
        template: For template: Liquid over the columns.
        where: Only when this holds for the line; otherwise there is no value.
        table: For `map`: what stands for which text.
        otherwise: What stands for texts that `table` does not name; None with `keeps` true: the text itself.
        keeps: Whether a text that `table` does not name stays.
        epoch: For a time that is a number: `seconds` or `milliseconds` since 1970.
        divide: For a number in small units: how many of them are one, 100 of cents; 1 leaves it as it is.
        place: Where it stands in the file.
    """

    kind: Kind
    columns: tuple[str, ...] = ()
    literal: object = None
    template: str = ""
    where: Condition | None = None
    table: dict[str, Scalar] | None = None
    otherwise: Scalar = None
    keeps: bool = True
    epoch: str | None = None
    divide: int = 1
    place: Place = NOWHERE

    @property
    def is_bare(self) -> bool:
        """Whether it is its source's value as it stands."""
        return self.where is None and self.table is None and self.epoch is None and self.divide == 1


#: An object of an event: values and further objects by key.
Tree = dict[str, "Value | Tree"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TableMapping:
    """Everything a mapping file declares.

    Attributes:
        fields: `event`, `type`, `messageId`, `userId`, `anonymousId`, `timestamp`, as far as declared.
        zone: The zone of times that have none: a name or a column.
        where: Which lines are read at all.
        group_by: Columns; lines with equal values become one event.
        properties, traits, context: Objects of the event.
        products: Fields that each line adds to `properties.products`; None when not declared.
        types: Columns whose type is declared rather than found.
        delimiter: Of a CSV; None when it is found from the header.
        place: Where the mapping begins.
    """

    fields: dict[str, Value] = field(default_factory=dict)
    zone: Value | None = None
    where: Condition | None = None
    group_by: tuple[tuple[str, Place], ...] = ()
    properties: Tree = field(default_factory=dict)
    traits: Tree = field(default_factory=dict)
    context: Tree = field(default_factory=dict)
    products: Tree | None = None
    types: dict[str, tuple[str, Place]] = field(default_factory=dict)
    delimiter: str | None = None
    place: Place = NOWHERE


def read_mapping(node: Located, findings: Findings) -> TableMapping:
    """The mapping that a YAML value declares; what is wrong goes to *findings*."""
    reader = Reader(node, findings, "a mapping")
    fields: dict[str, Value] = {}
    for name in ("event", "messageId", "userId", "anonymousId", "timestamp"):
        value = _value(reader.get(name), findings)
        if value is not None:
            fields[name] = value
    kind = _type(reader.get("type"), findings)
    if kind is not None:
        fields["type"] = kind
    grouped = reader.has("group_by")
    mapping = TableMapping(
        fields=fields,
        zone=_zone(reader.get("zone"), findings),
        where=_condition(reader.get("where"), findings),
        group_by=_names(reader, findings),
        properties=_tree(reader.get("properties"), findings, grouped=grouped),
        traits=_tree(reader.get("traits"), findings, grouped=grouped),
        context=_tree(reader.get("context"), findings, grouped=grouped),
        products=_tree(reader.get("products"), findings, grouped=False) if reader.has("products") else None,
        types=_types(reader.get("types"), findings),
        delimiter=_delimiter(reader, findings),
        place=node.place,
    )
    reader.close()
    _check_whole(mapping, node, findings)
    return mapping


def _check_whole(mapping: TableMapping, node: Located, findings: Findings) -> None:
    if not isinstance(node.value, dict):
        return
    fields = mapping.fields
    for value in fields.values():
        if value.kind in AGGREGATES and not mapping.group_by:
            findings.add(value.place, "no-group", f"'{value.kind}' needs lines that are grouped", "group_by: InvoiceNo")
    if "timestamp" not in node.value:
        findings.add(node, "missing-key", "a mapping needs 'timestamp'", "name the column: timestamp: created_at")
    if "userId" not in node.value and "anonymousId" not in node.value:
        findings.add(
            node, "missing-key", "a mapping needs 'userId' or 'anonymousId'", "name the column: userId: customer_id"
        )
    kind = fields.get("type")
    track = kind is None or (kind.kind == "value" and kind.literal == "track")
    if track and "event" not in node.value:
        findings.add(
            node, "missing-key", "a mapping of track events needs 'event'", "event: { value: Order Completed }"
        )


def _value(node: Located | None, findings: Findings) -> Value | None:
    """A single value: a column's name or a mapping with a source."""
    if node is None:
        return None
    if isinstance(node.value, str):
        return Value(kind="column", columns=(node.value,), place=node.place)
    if isinstance(node.value, dict):
        if set(node.value) & set(KINDS):
            return _spelled(node, findings)
        findings.add(
            node,
            "no-source",
            f"a value needs one of: {', '.join(KINDS)}; here stands: {', '.join(node.value) or 'nothing'}",
            " ".join(filter(None, (did_you_mean(key, KINDS) for key in node.value)))
            or '{ template: "c{{ CustomerID }}" }',
        )
        return None
    findings.add(
        node,
        "not-a-column",
        f"{node.plain()!r} is no column's name",
        f"for a fixed value write {{ value: {node.plain()} }}",
    )
    return None


def _spelled(node: Located, findings: Findings) -> Value | None:
    reader = Reader(node, findings, "a value")
    sources = [kind for kind in KINDS if reader.has(kind) or (kind == "value" and kind in reader)]
    if len(sources) != 1:
        said = " and ".join(sources) or "none"
        findings.add(node, "one-source", f"a value has one source, not {said}", f"keep one of: {', '.join(KINDS)}")
        return None
    kind = sources[0]
    where = _condition(reader.get("where"), findings)
    table = _table(reader.get("map"), findings)
    keeps = "otherwise" not in reader
    otherwise = reader.get("otherwise")
    epoch = reader.choice("epoch", tuple(EPOCHS))
    divide = _divisor(reader, findings)
    if epoch is not None and divide != 1:
        findings.add(node, "divided-time", "a time that is a number is not divided", "keep one of 'epoch' and 'divide'")
    columns, literal, template = _source(kind, reader, findings)
    reader.close(also=(*KINDS, *_MODIFIERS))
    if otherwise is not None and isinstance(otherwise.value, dict | list):
        findings.add(otherwise, "not-a-scalar", "'otherwise' must be a text, a number, true, false or null")
        return None
    if not keeps and table is None:
        findings.add(node, "otherwise-alone", "'otherwise' needs a 'map' beside it", "map: { United Kingdom: GB }")
    return Value(
        kind=kind,
        columns=columns,
        literal=literal,
        template=template,
        where=where,
        table=table,
        otherwise=otherwise.value if otherwise is not None else None,  # type: ignore[arg-type]
        keeps=keeps,
        epoch=epoch,
        divide=divide,
        place=node.place,
    )


def _divisor(reader: Reader, findings: Findings) -> int:
    divisor, node = reader.integer("divide", 1), reader.get("divide")
    if node is None or divisor is None or 1 <= divisor <= _MOST_DIVISOR:
        return divisor or 1
    findings.add(node, "bad-divisor", f"'divide' is {divisor}; it must be 1 to {_MOST_DIVISOR:,}", "divide: 100")
    return 1


def _source(kind: Kind, reader: Reader, findings: Findings) -> tuple[tuple[str, ...], object, str]:
    node = reader.get(kind)
    if kind == "value":
        return (), node.plain() if node is not None else None, ""
    if node is None:
        return (), None, ""
    if kind == "count":
        if node.plain() not in (True, "lines"):
            findings.add(node, "bad-count", f"'count' counts lines; {node.plain()!r} is not known", "count: lines")
        return (), None, ""
    if not isinstance(node.value, str):
        what = _SPLIT_TEMPLATE if kind == "template" else f"'{kind}' must name a column"
        findings.add(node, "not-a-text", f"{what}, not {node.plain()!r}", 'quote it: template: "c{{ CustomerID }}"')
        return (), None, ""
    if kind == "template":
        return (), None, node.value
    return tuple(_PRODUCT.split(node.value.strip())) if kind == "sum" else (node.value,), None, ""


def _condition(node: Located | None, findings: Findings) -> Condition | None:
    if node is None:
        return None
    if isinstance(node.value, str):
        return Condition(text=node.value, place=node.place)
    if isinstance(node.value, bool):
        return Condition(text=str(node.value).lower(), place=node.place)
    findings.add(node, "not-an-expression", "'where' must be an expression over columns", 'where: "Quantity > 0"')
    return None


def _table(node: Located | None, findings: Findings) -> dict[str, Scalar] | None:
    if node is None:
        return None
    if not isinstance(node.value, dict):
        findings.add(node, "not-a-mapping", "'map' must say what stands for what", "map: { United Kingdom: GB }")
        return None
    table: dict[str, Scalar] = {}
    for key, item in node.value.items():
        if isinstance(item.value, dict | list):
            findings.add(item, "not-a-scalar", f"what '{key}' stands for must be a text, a number, true, false or null")
        else:
            table[key] = item.value
    return table


def _type(node: Located | None, findings: Findings) -> Value | None:
    """The type of the events; one of the words may stand bare."""
    if node is None:
        return None
    if isinstance(node.value, str) and node.value in TYPES:
        return Value(kind="value", literal=node.value, place=node.place)
    value = _value(node, findings)
    if value is not None and value.kind == "value" and value.literal not in TYPES:
        findings.add(
            node,
            "bad-type",
            f"'type' is {value.literal!r}; it must be one of: {', '.join(TYPES)}",
            did_you_mean(str(value.literal), TYPES),
        )
    return value


def _zone(node: Located | None, findings: Findings) -> Value | None:
    """The zone of times without one; an IANA name may stand bare."""
    if node is None:
        return None
    if isinstance(node.value, str) and try_zone(node.value) is not None:
        return Value(kind="value", literal=node.value, place=node.place)
    value = _value(node, findings)
    if value is not None and value.kind == "value" and try_zone(str(value.literal)) is None:
        findings.add(
            node, "unknown-zone", f"there is no time zone {value.literal!r}", "use an IANA name: Europe/Lisbon"
        )
    return value


def _names(reader: Reader, findings: Findings) -> tuple[tuple[str, Place], ...]:
    names: list[tuple[str, Place]] = []
    for item in reader.items("group_by"):
        if isinstance(item.value, str):
            names.append((item.value, item.place))
        else:
            findings.add(item, "not-a-column", f"{item.plain()!r} is no column's name", "group_by: InvoiceNo")
    return tuple(names)


def _tree(node: Located | None, findings: Findings, *, grouped: bool) -> Tree:
    """An object of values; keys with dots become objects in objects."""
    tree: Tree = {}
    if node is None:
        return tree
    if not isinstance(node.value, dict):
        findings.add(node, "not-a-mapping", "here a mapping of keys to columns is needed", "total: Amount")
        return tree
    for key, item in node.value.items():
        found: Value | Tree | None
        if isinstance(item.value, dict) and not _is_value(item.value):
            found = _tree(item, findings, grouped=grouped)
        else:
            found = _value(item, findings) if item.value is not None else Value(kind="value", place=item.place)
        if isinstance(found, Value) and found.kind in AGGREGATES and not grouped:
            findings.add(item, "no-group", f"'{found.kind}' needs lines that are grouped", "group_by: InvoiceNo")
        if found is not None and not _put(tree, key.split("."), found):
            findings.add(item, "key-twice", f"the key '{key}' stands for a value and for an object", "rename one")
    return tree


def _is_value(items: dict[str, Located]) -> bool:
    return bool(set(items) & set(KINDS)) and set(items) <= set(KINDS) | _MODIFIERS


def _put(tree: Tree, path: list[str], value: Value | Tree) -> bool:
    for part in path[:-1]:
        inner = tree.setdefault(part, {})
        if isinstance(inner, Value):
            return False
        tree = inner
    there = tree.get(path[-1])
    if isinstance(there, dict) and isinstance(value, dict):
        return all(_put(there, [key], item) for key, item in value.items())
    if there is not None:
        return False
    tree[path[-1]] = value
    return True


def _types(node: Located | None, findings: Findings) -> dict[str, tuple[str, Place]]:
    types: dict[str, tuple[str, Place]] = {}
    if node is None:
        return types
    reader = Reader(node, findings, "'types'")
    for column in reader:
        choice = reader.choice(column, COLUMN_TYPES)
        if choice is not None:
            types[column] = (choice, node.keys[column])
    return types


def _delimiter(reader: Reader, findings: Findings) -> str | None:
    text = reader.text("delimiter")
    text = "\t" if text in ("tab", "\\t") else text
    if text is not None and (len(text) != 1 or text in '"\r\n'):
        node = reader.get("delimiter")
        findings.add(node or NOWHERE, "bad-delimiter", "'delimiter' must be one character", 'delimiter: ";"')
        return None
    return text
