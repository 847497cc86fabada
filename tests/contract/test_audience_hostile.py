"""Hostile texts in every place of an expression: a value stays a value, a name is quoted, a function is refused."""

from __future__ import annotations

import random
from typing import Any

import pytest
from oracle import audience_oracle
from oracle.audience_cases import START
from oracle.audience_world import World

from innkeeper.audiences import Catalog, compile_live, parse, print_expression
from innkeeper.audiences import nodes as n
from innkeeper.audiences.ask import Question
from innkeeper.audiences.jsonform import from_json
from innkeeper.events.types import Event
from innkeeper.kernel.errors import Invalid

INJECTIONS = (
    "'; DROP TABLE events; --", "' OR '1'='1", "x' UNION SELECT version() --", '"; DROP TABLE links; --', "$p0", "$1",
    "?", ":p0", "%(p0)s", "{p0}", "\\'; --", "\\", "/*", "*/", "--", "''", '""', "$.x[*]", "$..*", "a[0]", "@.x",
    "#>>'{a}'", "a -> b", "1); DELETE FROM events; --", "0x41", "NULL", "null", "true", "$$x$$", "E'\\x41'", "e.name",
    "events.ts", "*", "script::java.lang.Runtime.getRuntime().exec('id')", "${jndi:ldap://x/y}", "#{7*7}", "{{7*7}}",
    "{% raw %}", "T(java.lang.Runtime)", "__import__('os').system('id')", "%{(#a=@b@c)}", "<script>alert(1)</script>",
    "\u202e", "\x00", "\n", "\t", "é́", "😀", "a" * 300, "~", "~0", "~1", "/", "a/b", "n:total", "traits", "subject",
    "ts", "p0",
)  # fmt: skip

CALLS = (
    "read_csv('/etc/passwd')", "read_parquet('x')", "read_json_auto('x')", "read_text('/etc/passwd')", "glob('*')",
    "getenv('HOME')", "pg_read_file('x')", "lo_import('x')", "query('select 1')", "query_table('events')",
    "sniff_csv('x')", "parquet_scan('x')", "sqlite_scan('x', 'y')", "eval('1')", "exec('1')", "sleep('9')",
    "pg_sleep('9')", "version()", "current_setting('x')", "system('id')", "shell('id')", "load_extension('x')",
    "regexp_matches('x', 'y')", "json_extract('x', 'y')",
)  # fmt: skip

STATEMENTS = (
    "COPY events TO 'x'", "ATTACH 'x'", "INSTALL httpfs", "LOAD httpfs", "SELECT 1", "did('x'); SELECT 1",
    "did('x') UNION SELECT 1", "did('x') -- x", "did('x') /* x */", "PRAGMA x", "SET x = 1", "traits.x = (SELECT 1)",
    "traits.x = ANY ('x')", "1 = 1", "traits.x::int = 1", "CAST(traits.x AS int) = 1", "traits.x = $p0",
    "traits.x = ?", "traits.x || 'y' = 'z'", "CASE WHEN true", "exists (did('x'))", "traits.x[0] = 1",
    "did('x') limit 1", "did('x') order by 1", "'a' 'b'", "traits.x = 'a' escape 'b'",
)  # fmt: skip


def world(text: str) -> World:
    """Two people: one has the text everywhere, one has nothing of it."""
    plain: dict[str, Any] = {"source": "t", "type": "track", "received_at": 0}
    return World(
        [
            Event(
                message_id="1", name=text, user_id="u1", timestamp=START, properties={text: text, "a": {text: 1}},
                traits={text: text, "t": {text: True}}, **plain,
            ),
            Event(message_id="2", name="Login", user_id="u2", timestamp=START, properties={"x": "y"}, **plain),
        ]
    )  # fmt: skip


def places(text: str) -> list[n.Expression]:
    """Expressions with the text in every place where a user's text can stand."""
    prop, trait = n.Path("property", (text,)), n.Path("traits", (text,))
    return [
        n.Aggregate("did", text),
        n.Compare("=", trait, n.Text(text)),
        n.Compare("!=", trait, n.Text(text + "x")),
        n.In(trait, (n.Text(text), n.Text("other"))),
        n.Like(trait, text),
        n.Like(trait, "%" + text + "%", True),
        n.Path("traits", ("t", text)),
        n.Aggregate("did", text, where=n.Compare("=", prop, n.Text(text))),
        n.Compare(">=", n.Aggregate("sum", text, ("a", text)), n.Number(1_000_000)),
        n.Compare("=", n.Aggregate("distinct", text, (text,), where=n.Not(n.Missing(prop))), n.Number(1_000_000)),
        n.Not(n.Compare("=", n.Path("id", ("user_id",)), n.Text(text))),
    ]


@pytest.mark.parametrize("text", INJECTIONS, ids=repr)
def test_a_text_is_only_ever_a_text(text: str) -> None:
    people, known = world(text), Catalog()
    for tree in places(text):
        expected = audience_oracle.members(tree, people.events, START, known)
        printed = print_expression(tree)
        assert parse(printed) == tree
        assert people.by_sql(tree, known, START) == expected, printed
        assert people.by_accumulators(tree, known, START, random.Random(1)) == expected, printed
    assert people.run("SELECT count(*) FROM fixed") == [(2,)]


@pytest.mark.parametrize("text", INJECTIONS, ids=repr)
def test_sql_holds_a_text_only_as_a_quoted_column(text: str) -> None:
    marked = f"MARK{text}MARK"
    for tree in places(marked):
        question = Question(tree, Catalog(), at=START)
        cleaned = question.sql.sql
        for kind in "ns":
            for path in (marked, f"a.{marked}"):
                quoted = f"{kind}:{path}".replace('"', '""')
                cleaned = cleaned.replace(f'"{quoted}"', "")
        assert "MARK" not in cleaned


@pytest.mark.parametrize("call", CALLS)
def test_no_other_function_can_be_called(call: str) -> None:
    for text in (
        call,
        f"{call} = 'x'",
        f"did('x', where => {call})",
        f"traits.x = {call}",
        f"count('x', within => {call}) > 1",
    ):
        with pytest.raises(Invalid):
            parse(text)


@pytest.mark.parametrize("statement", STATEMENTS)
def test_no_other_sql_is_understood(statement: str) -> None:
    with pytest.raises(Invalid):
        parse(statement)


def test_trees_with_other_operators_and_functions_are_refused() -> None:
    path = {"node": "path", "root": "traits", "parts": ["x"]}
    for text in set(INJECTIONS) - {"traits"}:
        with pytest.raises(Invalid):
            from_json({"node": "compare", "op": text, "left": path, "right": {"node": "text", "value": "y"}})
        with pytest.raises(Invalid):
            from_json({"node": "aggregate", "function": text, "event": "y"})
        with pytest.raises(Invalid):
            from_json({"node": "path", "root": text, "parts": ["x"]})


def test_numbers_beyond_all_columns_are_summed_all_the_same() -> None:
    huge = [
        Event(
            source="t", type="track", message_id=str(index), name="Order Completed", user_id="u", timestamp=START,
            received_at=0, properties={"total": 9.9e29},
        )
        for index in range(400)
    ]  # fmt: skip
    people, known = World(huge), Catalog()
    for text in (
        "sum('Order Completed', total) > 100", "avg('Order Completed', total) >= 500000",
        "sum('Order Completed', total) < 100", "sum('Order Completed', total) > max('Order Completed', total)",
    ):  # fmt: skip
        tree = parse(text)
        expected = audience_oracle.members(tree, huge, START, known)
        assert people.by_accumulators(tree, known, START, random.Random(1)) == expected
        assert people.by_sql(tree, known, START) == expected, text


def test_long_expressions_neither_hang_nor_overflow() -> None:
    text = " or ".join(f"traits.a = 'x{index}'" for index in range(2_000))
    listed = f"traits.a in ({', '.join(repr(f'x{index}') for index in range(4_000))})"
    people = world("x")
    for each in (text, listed):
        tree = parse(each)
        assert compile_live(tree).canonical == each
        assert people.by_sql(tree, Catalog(), START) == []
