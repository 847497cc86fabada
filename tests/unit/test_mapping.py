"""Mapping files: every mistake is named with its place, all at once; and what a right one makes of rows."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from innkeeper.events.limits import Refused
from innkeeper.events.mapping import read_mapping
from innkeeper.events.mapping_bind import BoundMapping
from innkeeper.events.mapping_values import Column, ColumnKind, Row, add_up, as_text, text_instant
from innkeeper.events.parse import Made
from innkeeper.kernel.errors import Invalid
from innkeeper.kernel.located import Findings
from innkeeper.runtime.import_mapping import LanguageTools
from innkeeper.strategy.yaml import read_yaml

TABLE: dict[str, ColumnKind] = {
    "InvoiceNo": "number",
    "CustomerID": "number",
    "Quantity": "number",
    "UnitPrice": "number",
    "StockCode": "text",
    "InvoiceDate": "text",
    "Country": "text",
    "Paid": "boolean",
    "Born": "date",
    "At": "instant",
    "Wall": "local",
    "More": "json",
    "Guest Name": "text",
}
BASE = "event: {value: E}\nuserId: CustomerID\ntimestamp: At\n"


def bind(text: str) -> BoundMapping:
    findings = Findings()
    node = read_yaml(text, "m.yaml", findings)
    assert node is not None, findings.problems
    mapping = read_mapping(node, findings)
    table = [Column(name=name, kind=kind) for name, kind in TABLE.items()]
    bound = BoundMapping(mapping, table, LanguageTools(), findings)
    findings.raise_if_any()
    return bound


def row(bound: BoundMapping, **cells: Any) -> Row:
    defaults = {"At": 0, "CustomerID": 7.0}
    return tuple((defaults | cells).get(column.name) for column in bound.columns)


def make(text: str, *lines: dict[str, Any]) -> Made:
    bound = bind(text)
    return bound.event([row(bound, **line) for line in lines or ({},)])


WRONG = [
    ("[]", 1, "not-a-mapping"),
    ("", 1, "not-a-mapping"),
    ("userId: CustomerID\ntimestamp: At", 1, "missing-key"),
    ("event: {value: E}\ntimestamp: At", 1, "missing-key"),
    ("event: {value: E}\nuserId: CustomerID", 1, "missing-key"),
    (BASE + "evnt: x", 4, "unknown-key"),
    (BASE + "messageId: Nowhere", 4, "unknown-column"),
    ("event: Order Completed\nuserId: CustomerID\ntimestamp: At", 1, "unknown-column"),
    (BASE + "messageId: 5", 4, "not-a-column"),
    (BASE + "messageId: [a]", 4, "not-a-column"),
    (BASE + "messageId: {templat: x}", 4, "no-source"),
    (BASE + "messageId: {template: a, value: b}", 4, "one-source"),
    (BASE + "messageId: {template: 5}", 4, "not-a-text"),
    (BASE + 'messageId: {template: "{{ Nowhere }}"}', 4, "unknown-column"),
    (BASE + 'messageId: {template: "{{ Nowhere | upcase }}"}', 4, "bad-template"),
    (BASE + 'messageId: {template: "{{ StockCode | nofilter }}"}', 4, "bad-template"),
    (BASE + 'messageId: {template: "{% if %}"}', 4, "bad-template"),
    (BASE + 'messageId: {template: "{{ StockCode"}', 4, "bad-template"),
    (BASE + "messageId: {column: StockCode, whree: x}", 4, "unknown-key"),
    (BASE + "messageId: {column: StockCode, otherwise: x}", 4, "otherwise-alone"),
    (BASE + "messageId: {column: StockCode, map: 5}", 4, "not-a-mapping"),
    (BASE + "messageId: {column: StockCode, map: {a: [1]}}", 4, "not-a-scalar"),
    (BASE + "where: Quantity >", 4, None),
    (BASE + "where: Nowhere > 1", 4, "unknown-column"),
    (BASE + "where: did('X')", 4, None),
    (BASE + "where: [1]", 4, "not-an-expression"),
    (BASE + "group_by: Nowhere", 4, "unknown-column"),
    (BASE + "group_by: {a: b}", 4, "not-a-column"),
    (BASE + "properties: Quantity", 4, "not-a-mapping"),
    (BASE + "properties:\n  total: {sum: Quantity}", 5, "no-group"),
    (BASE + "group_by: InvoiceNo\nproperties:\n  total: {sum: StockCode}", 6, "not-a-number"),
    (BASE + "group_by: InvoiceNo\nproperties:\n  total: {sum: Quantity * Nowhere}", 6, "unknown-column"),
    (BASE + "group_by: InvoiceNo\nproperties:\n  n: {count: Quantity}", 6, "bad-count"),
    (BASE + "properties:\n  a: Quantity\n  a.b: Quantity", 6, "key-twice"),
    (BASE + "types: {Quantity: integer}", 4, "not-a-choice"),
    (BASE + "types: {Nowhere: text}", 4, "unknown-column"),
    (BASE + "delimiter: ab", 4, "bad-delimiter"),
    (BASE + "type: {value: alias}", 4, "bad-type"),
    (BASE + "zone: {value: Mars/Olympus}", 4, "unknown-zone"),
    (BASE + "zone: Europe/Lisbonn", 4, "unknown-column"),
    ("event: {value: E}\nuserId: CustomerID\ntimestamp: Wall", 3, "naive-time"),
    ("event: {value: E}\nuserId: CustomerID\ntimestamp: Quantity", 3, "not-a-time"),
    ("event: {value: E}\nuserId: CustomerID\ntimestamp: {min: InvoiceDate}", 3, "no-group"),
]


@pytest.mark.parametrize(("text", "line", "code"), WRONG, ids=[repr(case[0])[-40:] for case in WRONG])
def test_mistakes_are_named_with_their_place(text: str, line: int, code: str | None) -> None:
    with pytest.raises(Invalid) as raised:
        bind(text)
    problems = raised.value.problems
    assert [problem.line for problem in problems] == [line], problems
    assert all(problem.file == "m.yaml" and problem.column and problem.message for problem in problems)
    if code is not None:
        assert problems[0].code == code
        assert problems[0].fix or "must be" in problems[0].message or code == "bad-template"


def test_all_mistakes_at_once_in_the_order_of_the_file() -> None:
    with pytest.raises(Invalid) as raised:
        bind("event: Nope\nuserId: 5\nwhere: a >\nproperties:\n  x: Quantty\n  y: {tmplate: z}\nzzz: 1")
    assert [problem.line for problem in raised.value.problems] == [1, 1, 2, 3, 5, 6, 7]
    assert "did you mean 'Quantity'?" in str(raised.value)


def test_a_line_becomes_an_event() -> None:
    made = make(
        BASE
        + """
messageId: {template: "o-{{ InvoiceNo }}"}
anonymousId: StockCode
properties:
  total: Quantity
  paid: Paid
  address.city: Country
  address: {zip: StockCode}
  fixed: {value: [1, {a: b}]}
traits: {plan: {value: pro}, gone: {value: null}, gone2: ~}
context: {traits: {born: Born}, more: More}
""",
        {"InvoiceNo": 12, "Quantity": 2.5, "Paid": False, "Country": "PT", "StockCode": "0042", "Born": "1990-01-31"}
        | {"More": '{"a":[1]}', "At": 5},
    )
    assert made == Made(
        type="track",
        name="E",
        message_id="o-12",
        user_id="7",
        anonymous_id="0042",
        timestamp=5,
        properties={
            "total": 2.5,
            "paid": False,
            "fixed": [1, {"a": "b"}],
            "address": {"city": "PT", "zip": "0042"},
        },
        traits={"plan": "pro", "gone": None, "gone2": None},
        context={"more": {"a": [1]}, "traits": {"born": "1990-01-31"}},
    )


def test_empty_cells_are_left_out() -> None:
    made = make(BASE + "messageId: StockCode\nproperties: {a: Quantity, b.c: Country}", {"StockCode": ""})
    assert (made.properties, made.message_id) == ({}, None)


@pytest.mark.parametrize(
    ("cell", "text"),
    [(12345.0, "12345"), (-3.0, "-3"), (0, "0"), (1.5, "1.5"), (True, "true"), ("", None), (None, None), ("007", "007"),
     (1e21, "1000000000000000000000"), (False, "false"), (" a ", " a ")],
)  # fmt: skip
def test_cells_as_texts(cell: Any, text: str | None) -> None:
    assert as_text(cell) == text


@pytest.mark.parametrize(
    ("template", "cells", "text"),
    [
        ("c{{ CustomerID }}@example.com", {"CustomerID": 12345.0}, "c12345@example.com"),
        ("{{CustomerID}}", {"CustomerID": None}, None),
        ("{{ StockCode }}-{{ InvoiceNo }}", {"StockCode": "A", "InvoiceNo": 5}, "A-5"),
        ("{{ StockCode }}-{{ InvoiceNo }}", {"StockCode": "A", "InvoiceNo": None}, None),
        ("{{ StockCode | downcase }}", {"StockCode": "ABC"}, "abc"),
        ("{{ StockCode | downcase }}", {"StockCode": None}, None),
        ("{{ StockCode | default: 'none' }}", {"StockCode": None}, "none"),
        ("n{{ CustomerID | plus: 1 }}", {"CustomerID": 4.0}, "n5"),
        ("{% if Paid %}yes{% else %}no{% endif %}", {"Paid": True}, "yes"),
        ("fixed", {}, "fixed"),
        ("{ {{ StockCode }} }", {"StockCode": "A"}, "{ A }"),
        ("{{ StockCode }}", {"StockCode": "{{ InvoiceNo }}"}, "{{ InvoiceNo }}"),
    ],
)
def test_templates(template: str, cells: dict[str, Any], text: str | None) -> None:
    text_of_yaml = template.replace("'", "''")
    assert make(BASE + f"messageId: {{ template: '{text_of_yaml}' }}", cells).message_id == text


# Liquid writes every line end as \n; an id keeps its characters as they are.
@given(cell=st.none() | st.text(st.characters(exclude_characters="\x00\r"), max_size=6) | st.integers() | st.booleans())
def test_the_quick_way_of_a_template_prints_what_liquid_prints(cell: Any) -> None:
    quick = bind(BASE + 'messageId: { template: "<{{ StockCode }}>" }')
    found = quick.event([row(quick, StockCode=cell)]).message_id
    _, render = LanguageTools().template("<{{ StockCode }}>", ["StockCode"])
    assert found == (None if cell in (None, "") else render({"StockCode": cell}))


@pytest.mark.parametrize(
    ("where", "cells", "kept"),
    [
        ("Quantity > 0", {"Quantity": 1}, True),
        ("Quantity > 0", {"Quantity": 0}, False),
        ("Quantity > 0", {"Quantity": None}, False),
        ("Country in ('PT', 'ES') and not Paid", {"Country": "PT", "Paid": False}, True),
        ("More.a.b = 1", {"More": '{"a":{"b":1}}'}, True),
        ("Wall >= '2011-06-01T00:00:00Z'", {"Wall": 1306882800000000}, False),
        ("At < '1970-01-02T00:00:00Z'", {}, True),
        ("true", {}, True),
    ],
)
def test_where(where: str, cells: dict[str, Any], kept: bool) -> None:
    bound = bind(BASE + f'zone: Europe/London\nwhere: "{where}"')
    assert bound.keeps is not None
    assert bound.keeps(row(bound, **cells)) is kept


def test_a_value_with_a_condition_of_its_own() -> None:
    text = """
event: {value: E}
timestamp: At
userId: {column: CustomerID, where: CustomerID > 0}
anonymousId: {template: "guest-{{ InvoiceNo }}", where: CustomerID = 0}
"""
    known = make(text, {"CustomerID": 3.0, "InvoiceNo": 9})
    guest = make(text, {"CustomerID": 0.0, "InvoiceNo": 9})
    assert (known.user_id, known.anonymous_id) == ("3", None)
    assert (guest.user_id, guest.anonymous_id) == (None, "guest-9")


def test_a_table_of_what_stands_for_what() -> None:
    text = BASE + "traits: {a: {column: Country, map: {United Kingdom: GB, None: null}}, b: {column: Country, "
    text += "map: {United Kingdom: GB}, otherwise: null}, c: {column: Quantity, map: {'2': two}, otherwise: many}}"
    assert make(text, {"Country": "United Kingdom", "Quantity": 2.0}).traits == {"a": "GB", "b": "GB", "c": "two"}
    assert make(text, {"Country": "Elsewhere", "Quantity": 3}).traits == {"a": "Elsewhere", "c": "many"}
    assert make(text, {}).traits == {}


def test_a_group_takes_the_earliest_time_the_first_line_and_adds_up() -> None:
    text = (
        BASE
        + """
group_by: InvoiceNo
properties:
  country: Country
  total: { sum: Quantity * UnitPrice }
  items: { sum: Quantity }
  lines: { count: lines }
  cheap: { count: lines, where: UnitPrice < 1 }
  dearest: { max: UnitPrice }
  cheapest: { min: UnitPrice }
products: { sku: StockCode, price: UnitPrice, more.paid: Paid }
"""
    )
    made = make(
        text,
        {"At": 9, "Quantity": 3, "UnitPrice": 0.1, "StockCode": "a", "Country": "PT"},
        {"At": 5, "Quantity": 1, "UnitPrice": 1.13, "StockCode": "b", "Country": "ES", "Paid": True},
        {"At": 7, "Quantity": 2, "UnitPrice": None, "StockCode": "c"},
    )
    assert made.timestamp == 5
    assert made.properties == {
        "country": "PT",
        "total": 1.43,
        "items": 6,
        "lines": 3,
        "cheap": 1,
        "dearest": 1.13,
        "cheapest": 0.1,
        "products": [
            {"sku": "a", "price": 0.1},
            {"sku": "b", "price": 1.13, "more": {"paid": True}},
            {"sku": "c"},
        ],
    }


@given(st.lists(st.tuples(st.integers(-10_000, 10_000), st.integers(-(10**9), 10**9)), max_size=30))
def test_sums_are_exact_and_do_not_depend_on_order(lines: list[tuple[int, int]]) -> None:
    cells = [(quantity, pence / 100) for quantity, pence in lines]
    exact = sum(quantity * pence for quantity, pence in lines)
    assert add_up(cells, 2) == add_up(reversed(cells), 2) == pytest.approx(exact / 100, rel=1e-15)
    if abs(exact) < 2**52:
        assert add_up(cells, 2) == exact / 100


@pytest.mark.parametrize(
    ("cells", "total"), [([(0.0000005,)], 0.000001), ([(-0.0000005,)], -0.000001), ([(None,), (2,)], 2), ([], 0)]
)
def test_sums_round_half_away_from_zero(cells: list[tuple[Any, ...]], total: float) -> None:
    assert add_up(cells, 1) == total


def test_a_number_that_cannot_be_added_refuses_the_line() -> None:
    with pytest.raises(Refused):
        add_up([(1e30,)], 1)


@pytest.mark.parametrize(
    ("text", "zone", "instant"),
    [
        ("2011-06-01 12:00:00", "Europe/London", "2011-06-01T11:00:00Z"),
        ("2011-12-01 12:00", "Europe/London", "2011-12-01T12:00:00Z"),
        ("2011-12-01", "America/New_York", "2011-12-01T05:00:00Z"),
        ("2011-12-01T12:00:00.123456789", "UTC", "2011-12-01T12:00:00.123456Z"),
        # The gap of a clock change goes forward, of the hour that comes twice the first counts.
        ("2011-03-27 01:30:00", "Europe/London", "2011-03-27T01:30:00Z"),
        ("2011-10-30 01:30:00", "Europe/London", "2011-10-30T00:30:00Z"),
        # A zone of its own wins.
        ("2011-06-01T12:00:00Z", "Asia/Tokyo", "2011-06-01T12:00:00Z"),
        ("2011-06-01 12:00:00+02:00", None, "2011-06-01T10:00:00Z"),
        ("2011-06-01 12:00:00", None, None),
        ("2011-06-01 12:00:00", "Nowhere/At_All", None),
        ("2011-02-30", "UTC", None),
        ("01/06/2011 12:00", "UTC", None),
        ("", "UTC", None),
    ],
)
def test_times(text: str, zone: str | None, instant: str | None) -> None:
    assert text_instant(text, zone) == (None if instant is None else text_instant(instant, None))


@pytest.mark.parametrize(
    ("head", "cells", "code"),
    [
        ("timestamp: InvoiceDate", {"InvoiceDate": "2011-06-01 12:00"}, "naive-time"),
        ("timestamp: InvoiceDate\nzone: UTC", {"InvoiceDate": "tomorrow"}, "bad-timestamp"),
        ("timestamp: InvoiceDate\nzone: UTC", {"InvoiceDate": None}, "no-timestamp"),
        ("timestamp: InvoiceDate\nzone: Country", {"InvoiceDate": "2011-06-01", "Country": "Mars"}, "unknown-zone"),
        ("timestamp: Wall\nzone: Country", {"Wall": 5, "Country": "Mars"}, "unknown-zone"),
        ("timestamp: Wall\nzone: UTC", {"Wall": None}, "no-timestamp"),
        ("timestamp: At", {"At": None}, "no-timestamp"),
    ],
)
def test_lines_without_a_time_are_refused(head: str, cells: dict[str, Any], code: str) -> None:
    with pytest.raises(Refused) as raised:
        make(f"event: {{value: E}}\nuserId: CustomerID\n{head}", cells)
    assert raised.value.refusal.code == code
    assert raised.value.refusal.fix


def test_the_zone_may_stand_in_a_column() -> None:
    text = "event: {value: E}\nuserId: CustomerID\ntimestamp: Wall\nzone: Country"
    assert make(text, {"Wall": 0, "Country": "Asia/Tokyo"}).timestamp == -9 * 3_600_000_000


def test_times_as_properties_are_instants_where_the_zone_is_known() -> None:
    properties = "properties: {at: At, wall: Wall}\n"
    cells = {"At": 0, "Wall": 1306929600000000}
    assert make(BASE + properties, cells).properties == {"at": "1970-01-01T00:00:00Z", "wall": "2011-06-01 12:00:00"}
    assert make(BASE + properties + "zone: Europe/London", cells).properties["wall"] == "2011-06-01T11:00:00Z"


@pytest.mark.parametrize("kind", ["identify", "page", "screen", "track"])
def test_types_may_stand_bare(kind: str) -> None:
    assert make(BASE + f"type: {kind}").type == kind


def test_only_columns_that_are_used_are_read() -> None:
    names = {column.name for column in bind(BASE + "where: Quantity > 1\nproperties: {a: Country}").columns}
    assert names == {"CustomerID", "At", "Quantity", "Country"}
