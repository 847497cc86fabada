"""Mappings over JSON: paths, lists that fan out, several events; every mistake with its line; any JSON, no crash."""

from __future__ import annotations

import json
import random
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from innkeeper.events.limits import Refusal
from innkeeper.events.mapping_values import divided
from innkeeper.events.minimise import BY_DEFAULT
from innkeeper.events.payloads import Around, events_of, read_payload
from innkeeper.events.types import LogRow, from_row
from innkeeper.kernel.errors import Invalid
from innkeeper.kernel.time import format_instant, parse_instant
from innkeeper.runtime.webhooks import compiled

NOW = parse_instant("2026-11-25T12:00:00Z")
BASE = "event: { value: E }\nuserId: who\ntimestamp: at\n"


def rows(mapping: str, payload: Any, *, headers: dict[str, str] | None = None) -> list[LogRow | Refusal]:
    around = Around(headers or {}, {"shop": "a"}, NOW)
    found = read_payload(json.dumps(payload).encode(), "application/json")
    return events_of(found, compiled(mapping, "m.yaml"), around, source="shop", minimise=BY_DEFAULT)


def one(mapping: str, headers: dict[str, str] | None = None, **payload: Any) -> Any:
    made = rows(mapping, {"who": "c1", "at": "2026-11-25T11:00:00Z"} | payload, headers=headers)
    assert len(made) == 1
    assert isinstance(made[0], LogRow), made
    return from_row(0, made[0])


@pytest.mark.parametrize(
    ("value", "payload", "expected"),
    [
        ("a.b", {"a": {"b": [1, {"c": 2}]}}, [1, {"c": 2}]),
        ("a.1.c", {"a": [0, {"c": 2}]}, 2),
        ("a.7.c", {"a": [0, {"c": 2}]}, None),
        ("a.b.c", {"a": {"b": "text"}}, None),
        ("a.b", {"a": '{"b": 5}'}, 5),
        ("a.0", {"a": "[5"}, None),
        ("missing", {}, None),
        ("{ template: 'x{{ a.b }}' }", {"a": {"b": 5}}, "x5"),
        ("{ template: 'x{{ a.b }}' }", {"a": {}}, None),
        ("{ template: '{{ a.b | upcase }}!' }", {"a": {"b": "x"}}, "X!"),
        ("{ template: '{{ a-b.c }}' }", {"a-b": {"c": 1.0}}, "1"),
        ("{ column: a, map: { X: y }, otherwise: z }", {"a": "X"}, "y"),
        ("{ column: a, where: b.c > 3 }", {"a": 1, "b": {"c": 4}}, 1),
        ("{ column: a, where: b.c > 3 }", {"a": 1, "b": 4}, None),
        ("{ column: a, where: b is present and b.c > 3 }", {"a": 1, "b": {"c": 4}}, 1),
        ("{ column: a, epoch: seconds }", {"a": 1_795_000_000}, "2026-11-18T11:06:40Z"),
        ("{ column: a, epoch: seconds }", {"a": "1795000000.25"}, "2026-11-18T11:06:40.250000Z"),
        ("{ column: a, epoch: milliseconds }", {"a": 1_795_000_000_001}, "2026-11-18T11:06:40.001000Z"),
        ("{ column: a, epoch: seconds }", {"a": None}, None),
        ("{ column: a, divide: 100 }", {"a": 1999}, 19.99),
        ("{ column: a, divide: 100 }", {"a": 2000}, 20),
        ("{ column: a, divide: 100 }", {"a": "-1999"}, -19.99),
        ("{ column: a, divide: 3 }", {"a": 2}, 0.666667),
        ("{ column: a, divide: 100 }", {"a": None}, None),
        ("{ column: a, divide: 100, where: b != 'jpy' }", {"a": 5, "b": "jpy"}, None),
        ("{ template: '{{ a }}', divide: 100 }", {"a": 5}, 0.05),
        ("{ value: 5, divide: 1 }", {}, 5),
        ("_headers.x_topic", {}, "orders"),
        ("_query.shop", {}, "a"),
        ("_received_at", {}, "2026-11-25T12:00:00Z"),
    ],
)
def test_values(value: str, payload: dict[str, Any], expected: Any) -> None:
    event = one(f"{BASE}properties:\n  p: {value}\n", {"x-topic": "orders"}, **payload)
    assert event.properties == ({} if expected is None else {"p": expected})


@pytest.mark.parametrize("bad", ["x", True, {}, [], 1e300, "1,999", "١٢"])
def test_an_amount_that_is_none_is_refused(bad: Any) -> None:
    (made,) = rows(
        f"{BASE}properties: {{ p: {{ column: a, divide: 100 }} }}\n",
        {"who": "a", "at": "2026-11-25T11:00:00Z", "a": bad},
    )
    assert isinstance(made, Refusal)
    assert made.code == "not-a-number"


def test_an_amount_is_divided_as_in_decimals() -> None:
    chance = random.Random(8)
    for _ in range(300):
        amount, divisor = chance.randint(-(10**9), 10**9), chance.choice((1, 2, 3, 7, 100, 1_000, 999_999, 1_000_000))
        exact = (Decimal(amount) / divisor).quantize(Decimal("0.000001"), ROUND_HALF_UP)
        assert divided(amount, divisor) == float(exact), (amount, divisor)
    print("seed 8: 300 amounts")


@pytest.mark.parametrize("bad", ["x", True, 10**20, -(10**14), {}, [], 1e300, "١٢"])
def test_a_time_that_is_none_is_refused(bad: Any) -> None:
    (made,) = rows("event: {value: E}\nuserId: who\ntimestamp: {column: at, epoch: seconds}\n", {"who": "a", "at": bad})
    assert isinstance(made, Refusal)
    assert made.code == "bad-timestamp"


def test_declared_types() -> None:
    typed = BASE + "types: { n: number, b: boolean, t: text }\nproperties: { n: n, b: b, t: t }\n"
    assert one(typed, n="64.90", b="true", t=1.0).properties == {"n": 64.9, "b": True, "t": "1"}
    assert one(typed, n="", b="", t="").properties == {}
    wrong: dict[str, Any]
    for wrong in ({"n": "1,5"}, {"n": "true"}, {"n": []}, {"b": "yes"}, {"b": 1.5}, {"n": "0x1"}):
        (made,) = rows(typed, {"who": "a", "at": "2026-11-25T11:00:00Z"} | wrong)
        assert isinstance(made, Refusal)
        assert made.code == "bad-cell"


LINES: dict[str, Any] = {
    "order": {
        "lines": [{"sku": "a", "n": 2, "p": "1.5"}, {"sku": "b", "n": 1, "p": "2"}, {"sku": "", "n": 0, "p": "9"}]
    }
}


def test_a_list_makes_several_events_or_one() -> None:
    each = BASE + "each: order.lines\nwhere: order.lines.n > 0\ntypes: { order.lines.p: number }\n"
    payload = {"who": "c", "at": "2026-11-25T11:00:00Z"} | LINES
    several = rows(each + "properties: { sku: order.lines.sku, price: order.lines.p }\n", payload)
    assert [from_row(0, row).properties for row in several if isinstance(row, LogRow)] == [
        {"sku": "a", "price": 1.5}, {"sku": "b", "price": 2},
    ]  # fmt: skip
    grouped = each + (
        "group_by: who\nproperties: { total: { sum: order.lines.n * order.lines.p }, dearest: { max: order.lines.p },"
        " lines: { count: lines } }\nproducts: { sku: order.lines.sku }\n"
    )
    assert one(grouped, **LINES).properties == {
        "total": 5, "dearest": 2, "lines": 2, "products": [{"sku": "a"}, {"sku": "b"}],
    }  # fmt: skip
    nothing: dict[str, Any]
    for nothing in ({}, {"order": None}, {"order": {"lines": []}}, {"order": {"lines": "text"}}, {"order": 5}):
        assert rows(each, {"who": "c", "at": "2026-11-25T11:00:00Z"} | nothing) == []


def test_a_list_inside_a_list_by_its_place() -> None:
    mapping = BASE + "each: entry.0.changes\nproperties: { v: entry.0.changes.v }\n"
    made = rows(mapping, {"who": "c", "at": "2026-11-25T11:00:00Z", "entry": [{"changes": [{"v": 1}, {"v": 2}]}]})
    assert [from_row(0, row).properties for row in made if isinstance(row, LogRow)] == [{"v": 1}, {"v": 2}]


def test_texts_and_numbers_have_no_order() -> None:
    mapping = BASE + "each: l\ngroup_by: who\nproperties: { most: { max: l } }\n"
    (made,) = rows(mapping, {"who": "c", "at": "2026-11-25T11:00:00Z", "l": [1, "x"]})
    assert isinstance(made, Refusal)
    assert made.code == "mixed-values"


def test_nothing_is_later_than_its_arrival_and_what_was_said_stays() -> None:
    event = one(BASE, at="2027-01-01T00:00:00Z")
    assert (event.timestamp, event.extra) == (NOW, {"originalTimestamp": "2027-01-01T00:00:00Z"})


def test_an_id_of_the_content_does_not_depend_on_when_it_comes() -> None:
    found = read_payload(b'{"who":"a","at":"2027-01-01T00:00:00Z"}', "")
    bounds = compiled(BASE, "m.yaml")
    ids = [
        row.message_id
        for at in (NOW, NOW + 1_000_000)
        for row in events_of(found, bounds, Around({}, {}, at), source="shop", minimise=BY_DEFAULT)
        if isinstance(row, LogRow)
    ]
    assert len(ids) == 2
    assert len(set(ids)) == 1


@pytest.mark.parametrize(
    ("text", "line", "code"),
    [
        (BASE + "evnt: x", 4, "unknown-key"),
        (BASE + "delimiter: ';'", 4, "unknown-key"),
        (BASE + "each: [a]", 4, "not-a-path"),
        (BASE + "each: a..b", 4, "not-a-path"),
        (BASE + "where: 'a >'", 4, "syntax"),
        (BASE + "messageId: _headers.x_id", 4, "unsigned-id"),
        (BASE + "messageId: { template: 'a{{ _received_at }}' }", 4, "unsigned-id"),
        (BASE + "properties: { p: { template: '{{ a | nonsense }}' } }", 4, "bad-template"),
        (BASE + "properties: { p: { column: a, epoch: hours } }", 4, "not-a-choice"),
        (BASE + "properties: { p: { column: a, divide: 0 } }", 4, "bad-divisor"),
        (BASE + "properties: { p: { column: a, divide: 1000001 } }", 4, "bad-divisor"),
        (BASE + "properties: { p: { column: a, divide: x } }", 4, "not-a-number"),
        (BASE + "properties: { p: { column: a, divide: 100, epoch: seconds } }", 4, "divided-time"),
        ("event: { value: E }\nuserId: who", 1, "missing-key"),
        ("timestamp: at\nevents: []", 1, "missing-key"),
        ("timestamp: at\nevents:\n  - x", 3, "not-a-mapping"),
        ("timestamp: at\nuserId: u\nevents:\n  - { event: { value: A } }\n  - { evnt: x }", 5, "missing-key"),
    ],
)
def test_mistakes_have_their_line(text: str, line: int, code: str) -> None:
    with pytest.raises(Invalid) as refused:
        compiled(text, "m.yaml")
    assert ("m.yaml", line, code) in [(each.file, each.line, each.code) for each in refused.value.problems]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b", "who", "at"]), inner, max_size=3)
    ),
    max_leaves=8,
)
ANY = (
    "userId: who\nmessageId: a\ntimestamp: { column: at, epoch: seconds, where: at > 5 }\ntypes: { b.b: number }\n"
    "events:\n"
    "  - { event: a.a, each: a, where: 'a.b != 3 or b is missing', properties: { x: b, y: a.0.b } }\n"
    "  - { type: identify, each: b.a, group_by: [a.b, who], traits: { s: { sum: a * b.b }, m: { min: b } } }\n"
    "  - { event: { template: '{{ a.b | size }}{{ b }}' }, timestamp: at, context: { c: a } }\n"
)
BOUND = compiled(ANY, "m.yaml")


@given(payload=st.dictionaries(st.sampled_from(["a", "b", "who", "at"]), JSON, max_size=4))
def test_any_json_makes_events_or_says_why(payload: dict[str, Any]) -> None:
    """Never another exception; and every event can be read again."""
    made = events_of([payload], BOUND, Around({}, {}, NOW), source="shop", minimise=BY_DEFAULT)
    for row in made:
        assert isinstance(row, Refusal) or format_instant(from_row(0, row).timestamp)
