"""Single values in Python and in DuckDB: patterns, instants, numbers, and the JSON form of trees."""

from __future__ import annotations

import time
from typing import Any

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracle.audience_cases import Dice
from oracle.audience_oracle import like
from sqlglot import exp

from innkeeper.audiences import parse, print_expression
from innkeeper.audiences.jsonform import from_json, to_json
from innkeeper.audiences.nodes import MAX_DEPTH
from innkeeper.audiences.sql_values import instant, micro
from innkeeper.audiences.values import as_instant, like_test
from innkeeper.kernel.errors import Invalid
from innkeeper.kernel.json import dumps, loads
from innkeeper.kernel.numbers import to_micro

ENGINE = duckdb.connect()
LETTERS = st.text("aAbB%_\\sßİiΣσς.'é\n", max_size=12)
CASES = st.integers(min_value=0, max_value=2**32).map(Dice)


def ask(sql: str, value: Any) -> Any:
    """The one value that a statement gives for one parameter."""
    return ENGINE.execute(f"SELECT {sql}", {"v": value}).fetchall()[0][0]


ODD_INSTANTS = (
    "", "2026-01-01", "2026-01-01T00:00:00", "2026-01-01T24:00:00Z", "2026-01-01T00:60:00Z", "2026-13-01T00:00:00Z",
    "2026-02-29T00:00:00Z", "2024-02-29T23:59:59.9999999+14:00", "9999-12-31T23:59:59-23:59", "0001-01-01T00:00+23:59",
    "2026-01-01T00:00:00+05:75", "2026-01-01T00:00:00 +01:00", "2026-01-01 00:00z", "２026-01-01T00:00:00Z",
    "2026-01-01T00:00:00Z\n", "0000-01-01T00:00:00Z",
)  # fmt: skip


@given(LETTERS, LETTERS, st.booleans())
def test_like_is_that_of_duckdb_and_of_the_oracle(text: str, pattern: str, ignore_case: bool) -> None:
    found = like_test(pattern, ignore_case)(text)
    assert found == like(text, pattern, ignore_case)
    operator = "ILIKE" if ignore_case else "LIKE"
    assert found == ENGINE.execute(f"SELECT $t {operator} $p", {"t": text, "p": pattern}).fetchall()[0][0]


def test_hostile_patterns_take_no_time() -> None:
    began = time.process_time()
    assert not like_test("%a" * 5_000 + "%b", False)("a" * 30_000)
    assert not like_test("%" * 10_000 + "b", True)("A" * 30_000)
    assert time.process_time() - began < 5


@given(CASES)
def test_instants_are_understood_alike(dice: Dice) -> None:
    text = dice.moment_text()
    assert ask(instant(exp.Placeholder(this="v")).sql("duckdb"), text) == as_instant(text)


@pytest.mark.parametrize("text", ODD_INSTANTS)
def test_odd_instants_are_understood_alike(text: str) -> None:
    assert ask(instant(exp.Placeholder(this="v")).sql("duckdb"), text) == as_instant(text)


@given(
    st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**63), 2**64 - 1) | st.decimals(-9, 9, places=8)
)
def test_numbers_are_read_alike(value: Any) -> None:
    plain = value if isinstance(value, int | float) else float(value)
    json = dumps(plain)
    assert ask(micro(exp.Placeholder(this="v")).sql("duckdb"), json) == to_micro(loads(json))


@given(CASES)
def test_a_tree_survives_its_text_and_its_json(dice: Dice) -> None:
    tree = dice.condition(4)
    assert parse(print_expression(tree)) == tree
    assert from_json(loads(dumps(to_json(tree)))) == tree


def nested(depth: int) -> Any:
    """A tree of that many nots."""
    tree: Any = {"node": "boolean", "value": True}
    for _ in range(depth):
        tree = {"node": "not", "item": tree}
    return tree


HOSTILE_TREES: tuple[Any, ...] = (
    None, [], "did('x')", {}, {"node": "drop"}, {"node": "not"}, {"node": "stage"}, {"node": "and", "items": 3},
    nested(MAX_DEPTH + 5), nested(900), {"node": "text", "value": 5}, {"node": "boolean", "value": "x"},
    {"node": "number", "value": "1; drop"}, {"node": "number", "value": "0 and true"},
    {"node": "compare", "op": "or", "left": {"node": "stage"}, "right": {"node": "text", "value": "x"}},
    {"node": "aggregate", "function": "exec", "event": "x"}, {"node": "aggregate", "function": "did", "event": 5},
    {"node": "aggregate", "function": "did", "event": "x", "within": "soon"},
    {"node": "path", "root": "secrets", "parts": ["x"]}, {"node": "path", "root": "traits", "parts": []},
    {"node": "path", "root": "traits", "parts": "plan"}, {"node": "boolean", "value": True, "at": [1, 1]},
    {"node": "inaudience", "name": ["x"]}, {"node": "inaudience", "name": None},
)  # fmt: skip


@pytest.mark.parametrize("tree", HOSTILE_TREES)
def test_hostile_trees_are_refused(tree: Any) -> None:
    with pytest.raises(Invalid):
        from_json(tree)
