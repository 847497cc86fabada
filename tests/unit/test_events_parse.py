"""Parsing one event: what is taken, as what, and why the rest is refused."""

from __future__ import annotations

import json
import math
from collections import Counter
from datetime import datetime
from typing import Any

import pytest
from hostile.events import GOOD, cases, line
from hypothesis import given, settings
from hypothesis import strategies as st

from innkeeper.events.limits import GROUPED_LIMITS, Limits, Refusal, check_source
from innkeeper.events.parse import NAMES, Made, Parser
from innkeeper.events.types import LogRow, from_row, to_row
from innkeeper.kernel.errors import UsageError

CASES = list(cases())


def parser(**changes: Any) -> Parser:
    return Parser(source="shop", received_at=7, **changes)


def taken(**changes: Any) -> LogRow:
    row = parser().parse(line(**changes))
    assert isinstance(row, LogRow), row
    return row


def test_the_corpus_is_large_and_its_names_tell_cases_apart() -> None:
    assert len(CASES) >= 250
    assert max(Counter(name for name, _, _ in CASES).values()) == 1


@pytest.mark.parametrize(("text", "code"), [case[1:] for case in CASES], ids=[case[0][:40] for case in CASES])
def test_hostile_and_careless_lines(text: bytes, code: str | None) -> None:
    answer = parser().parse(text)
    if code is None:
        assert isinstance(answer, LogRow), answer
        assert to_row(from_row(1, answer)) == answer
    else:
        assert isinstance(answer, Refusal), answer
        assert answer.code == code, answer
        assert answer.reason
        assert len(answer.reason) < 400
    assert parser().parse(text) == answer
    assert parser().parse_any(text) == answer


def test_a_track_event_becomes_a_row() -> None:
    assert taken(anonymousId="a1", context={"ip": "203.0.113.1"}, channel="server") == LogRow(
        source="shop",
        message_id="m1",
        type="track",
        name="Order Completed",
        user_id="u1",
        anonymous_id="a1",
        timestamp=1795339800000000,
        received_at=7,
        properties='{"total":9.5}',
        traits="{}",
        context='{"ip":"203.0.113.0"}',
        extra='{"channel":"server"}',
    )


@pytest.mark.parametrize("kind", NAMES)
def test_types_without_an_event_name_get_theirs(kind: str) -> None:
    row = taken(type=kind, event=..., groupId="g1", previousId="p1")
    assert (row.type, row.name) == (kind, NAMES[kind])
    assert json.loads(row.extra) == {"groupId": "g1", "previousId": "p1"}


def test_a_page_view_keeps_its_name_and_category_as_properties() -> None:
    row = taken(type="page", event=..., name="Rooms", category="Site", properties={"url": "/rooms"})
    assert json.loads(row.properties) == {"url": "/rooms", "name": "Rooms", "category": "Site"}
    assert row.extra == "{}"


def test_a_page_name_that_contradicts_the_property_stays_beside_it() -> None:
    row = taken(type="screen", event=..., name="Rooms", properties={"name": "Suites"})
    assert json.loads(row.properties) == {"name": "Suites"}
    assert json.loads(row.extra) == {"name": "Rooms"}


def test_traits_of_identify_stand_over_those_of_the_context() -> None:
    row = taken(
        type="identify",
        event=...,
        traits={"plan": "pro", "city": None},
        context={"traits": {"plan": "free", "city": "Porto", "locale": "pt"}},
    )
    assert json.loads(row.traits) == {"plan": "pro", "city": None, "locale": "pt"}
    assert json.loads(row.context) == {"traits": {"plan": "free", "city": "Porto", "locale": "pt"}}


def test_context_traits_of_any_type_are_traits_but_top_level_traits_only_of_identify() -> None:
    row = taken(context={"traits": {"email": "a@b.c"}}, traits={"plan": "pro"})
    assert json.loads(row.traits) == {"email": "a@b.c"}
    assert json.loads(row.extra) == {"traits": {"plan": "pro"}}


def test_a_write_key_is_not_kept() -> None:
    assert "SECRET" not in "".join(str(part) for part in taken(writeKey="SECRET"))


def test_a_whole_number_is_an_id_by_its_digits() -> None:
    row = taken(userId=42, messageId=7, anonymousId=0)
    assert (row.user_id, row.message_id, row.anonymous_id) == ("42", "7", "0")


def test_the_original_timestamp_counts_only_without_a_timestamp() -> None:
    both = taken(originalTimestamp="2020-01-01T00:00:00Z")
    assert both.timestamp == 1795339800000000
    assert json.loads(both.extra) == {"originalTimestamp": "2020-01-01T00:00:00Z"}
    assert taken(timestamp=..., originalTimestamp="1970-01-01T00:00:01Z").timestamp == 1_000_000


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1970-01-01T01:00:00+01:00", 0),
        ("1970-01-01T00:00:00.001Z", 1_000),
        ("1970-01-01T00:00:00.000001Z", 1),
        ("1970-01-01T00:00:00.0000019Z", 1),
        ("1969-12-31T23:59:59.999Z", -1_000),
        ("1000-01-01T00:00:00Z", -30_610_224_000_000_000),
    ],
)
def test_instants(text: str, instant: int) -> None:
    assert taken(timestamp=text).timestamp == instant


def test_without_a_message_id_content_and_occurrence_make_one() -> None:
    seen: Counter[bytes] = Counter()

    def occurrence(digest: bytes) -> int:
        seen[digest] += 1
        return seen[digest] - 1

    one = parser(occurrence=occurrence)
    lines = [line(messageId=...), line(messageId=None), line(messageId="", userId="u2"), line(messageId=...)]
    ids = [row.message_id for row in map(one.parse, lines) if isinstance(row, LogRow)]
    assert len(set(ids)) == 4
    seen.clear()
    again = [row.message_id for row in map(one.parse, lines) if isinstance(row, LogRow)]
    assert ids == again
    reordered = json.dumps(dict(reversed(json.loads(lines[0]).items()))).encode()
    seen.clear()
    row = one.parse(reordered)
    assert isinstance(row, LogRow)
    assert row.message_id == ids[0], "the order of keys is not content"


def test_a_refused_line_takes_no_occurrence_number() -> None:
    def never(digest: bytes) -> int:
        raise AssertionError("asked for a refused line")

    assert isinstance(parser(occurrence=never).parse(line(messageId=..., timestamp="x")), Refusal)


def test_grouped_events_may_be_larger() -> None:
    products = [{"sku": f"{n:06d}", "price": 1.25} for n in range(5_000)]
    event = Made("track", "Order Completed", "m1", "u1", None, 0, {"products": products}, {}, {})
    refused = parser().made(event)
    assert isinstance(refused, Refusal)
    assert refused.code == "too-large"
    assert isinstance(parser(limits=GROUPED_LIMITS).made(event), LogRow)


def test_limits_can_be_set() -> None:
    assert isinstance(parser(limits=Limits(size=100)).parse(line()), Refusal)


@pytest.mark.parametrize("name", ["innkeeper", "Innkeeper", " innkeeper ", "", "  ", "x" * 101, "a\nb", "a\x00"])
def test_sources_that_are_refused(name: str) -> None:
    with pytest.raises(UsageError):
        check_source(name)


@pytest.mark.parametrize("name", ["import", "shop", "Online Retail 2011", "café", "x" * 100])
def test_sources_that_are_taken(name: str) -> None:
    assert check_source(name) == name


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)
FIELDS = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(["track", *NAMES]) | JSON,
        "messageId": st.text(max_size=5) | JSON,
        "userId": st.text(max_size=5) | JSON,
        "anonymousId": JSON,
        "timestamp": st.datetimes(
            min_value=datetime.fromisoformat("1000-01-01"), max_value=datetime.fromisoformat("8999-01-01")
        ).map(lambda value: value.isoformat() + "Z")
        | JSON,
        "originalTimestamp": JSON,
        "event": st.text(max_size=5) | JSON,
        "properties": st.dictionaries(st.text(max_size=5), JSON, max_size=3) | JSON,
        "traits": st.dictionaries(st.text(max_size=5), JSON, max_size=3) | JSON,
        "context": st.fixed_dictionaries({}, optional={"traits": JSON, "x": JSON}) | JSON,
        "groupId": JSON,
        "previousId": JSON,
        "other": JSON,
    },
)


def _same(value: Any, other: Any) -> bool:
    if isinstance(value, float) and isinstance(other, float):
        return math.isclose(value, other, rel_tol=0, abs_tol=0)
    return bool(value == other)


@given(FIELDS)
@settings(max_examples=400, deadline=None)
def test_any_fields_are_taken_whole_or_refused_with_a_reason(fields: dict[str, Any]) -> None:
    text = json.dumps(fields).encode()
    answer = parser().parse(text)
    assert parser().parse_any(text) == answer
    if isinstance(answer, Refusal):
        assert answer.code
        assert answer.reason
        return
    event = from_row(1, answer)
    assert to_row(event) == answer
    assert event.user_id or event.anonymous_id
    assert _same(event.context, fields.get("context") or {})
    assert (fields.get("properties") or {}).items() <= event.properties.items() or event.type in ("page", "screen")
    if "other" in fields:
        assert _same(event.extra["other"], fields["other"])


@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass")))
@settings(max_examples=300, deadline=None)
def test_any_bytes_are_refused_with_a_reason(text: bytes) -> None:
    answer = parser().parse(text)
    assert isinstance(answer, Refusal)
    assert answer.reason


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_one_changed_byte_never_breaks_the_parser(data: st.DataObject) -> None:
    text = bytearray(line(context={"traits": {"a": [1, {"b": "é"}]}}))
    text[data.draw(st.integers(0, len(text) - 1))] = data.draw(st.integers(0, 255))
    answer = parser().parse(bytes(text))
    assert isinstance(answer, LogRow) or answer.reason
    assert parser().parse_any(bytes(text)) == answer


@given(
    st.fixed_dictionaries(
        {"messageId": st.text(":a\\ ", max_size=3), "userId": st.none() | st.text(":a", max_size=3)},
        optional={
            "anonymousId": st.none() | st.text(":b", max_size=3),
            "event": st.text(": x", max_size=3),
            "properties": st.none() | st.dictionaries(st.text(':"p', max_size=3), st.text(":{", max_size=3) | JSON),
            "context": st.none() | st.dictionaries(st.sampled_from(["ip", "traits", "x:"]), JSON),
            "timestamp": st.sampled_from(["2026-11-22T09:30Z", "2026-11-22T09:30:00+01:00", "x", "999", ""]),
            "integrations": st.none() | st.dictionaries(st.sampled_from(["ip", "_metadata", "x:"]), JSON),
            "_metadata": st.dictionaries(st.sampled_from(["ip", "integrations", "x:"]), JSON),
        },
    ),
    st.sampled_from(
        [
            "",
            '"userId":null',
            '"integrations":{}',
            '"_metadata":{"ip":"203.0.113.7"}',
            '"x":1',
            '"properties":{"a":1}',
            '"context":{}',
            '"messageId":"m"',
        ]
    ),
)
@settings(max_examples=500)
def test_the_quick_way_of_a_track_event_ends_where_the_general_way_ends(fields: dict[str, Any], more: str) -> None:
    text = json.dumps(GOOD | fields, ensure_ascii=False)
    text = f"{text[:-1]}, {more}}}" if more else text
    assert parser().parse(text.encode("utf-8", "surrogatepass")) == parser().parse_any(
        text.encode("utf-8", "surrogatepass")
    )


@given(FIELDS.filter(bool), st.data())
@settings(max_examples=300)
def test_a_key_that_stands_twice_is_always_found(fields: dict[str, Any], data: st.DataObject) -> None:
    sound = GOOD | {key: value for key, value in fields.items() if key in ("properties", "context", "traits", "other")}
    key = data.draw(st.sampled_from(sorted(sound)))
    kind = data.draw(st.sampled_from(["track", *NAMES]))
    text = json.dumps(sound | {"type": kind, "groupId": "g", "previousId": "p", "name": "a:b"})
    again = json.dumps({key: kind if key == "type" else sound[key]})[1:-1]
    one, two = parser().parse(text.encode()), parser().parse(f"{text[:-1]}, {again}}}".encode())
    assert isinstance(two, Refusal)
    assert isinstance(one, Refusal) or two.code == "duplicate-key"
