"""Reading and printing expressions: what is understood, what is refused, and where the finger points."""

from __future__ import annotations

import pytest

from innkeeper.audiences import parse, print_expression
from innkeeper.audiences.nodes import And, Compare, In, Not, Now, Number, Offset, Path, Text
from innkeeper.kernel.errors import Invalid
from innkeeper.kernel.time import DAY

CANONICAL = [
    "count('Order Completed', within => '90 days', where => total >= 50) >= 3",
    "did('Login', within => '30 days') and not did('Support Ticket Opened', within => '7 days')",
    "sum('Order Completed', total) > 500 and days_since_last('Order Completed') > 45",
    "traits.plan = 'pro' and traits.address.city not in ('Porto', 'Faro')",
    "stage = 'retention' and in_audience('loyal members')",
    "first('Login') between now() - '3 days' and now() + '1 hour'",
    "did('Login', within => 'today') or did('Login', within => '3 calendar days', before => 'today')",
    "not (did('a') or did('b')) and (true or false) or traits.vip",
    "id.user_id is present and traits.\"odd key\".$x like '%it''s%'",
    "count('E', where => \"a.b\".c ilike 'x_' or not d) != -0.5",
    "distinct('Page Viewed', \"in\".between, before => '2 hours') in (1, 2, 'x', true)",
]


@pytest.mark.parametrize("text", CANONICAL)
def test_the_canonical_text_prints_as_itself(text: str) -> None:
    assert print_expression(parse(text)) == text


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("DID('x')", None),
        ("did( 'x' )AND  NOT did('y')", "did('x') and not did('y')"),
        ("not traits.a in ('x')", "traits.a not in ('x')"),
        ("not traits.a is missing", "traits.a is present"),
        ("((did('x')))", "did('x')"),
        ("traits.a <> 1.50", "traits.a != 1.5"),
        ("did('x', within => '1 day 12 hours')", "did('x', within => '36 hours')"),
        ("did('x', within => '1 calendar day')", "did('x', within => 'today')"),
        ("last('x') > now() - '1 day' - '2 days'", "last('x') > now() - '3 days'"),
        ("traits.n = 0.0000005", "traits.n = 0.000001"),
    ],
)
def test_other_spellings(text: str, canonical: str | None) -> None:
    if canonical is None:
        with pytest.raises(Invalid, match="no function"):
            parse(text)
    else:
        assert print_expression(parse(text)) == canonical


def test_the_tree() -> None:
    assert parse("traits.a.b >= 1.5 and not 'x' = traits.c") == And(
        (
            Compare(">=", Path("traits", ("a", "b")), Number(1_500_000)),
            Not(Compare("=", Text("x"), Path("traits", ("c",)))),
        )
    )
    assert parse("now() - '3 days' < '2026-01-01T00:00:00Z'") == Compare(
        "<", Offset(Now(), -3 * DAY), Text("2026-01-01T00:00:00Z")
    )
    assert parse("total in (1)", scope="event") == In(Path("property", ("total",)), (Number(1_000_000),))


@pytest.mark.parametrize(
    ("text", "code", "line", "column", "fix"),
    [
        ("", "empty-expression", 1, 1, "did("),
        ("did('x' and", "syntax", 1, 12, "expected"),
        ("did('x'\n  &", "syntax", 2, 3, ""),
        ("did(Login)", "not-a-text", 1, 5, "write 'Login'"),
        ("cuont('x') > 3", "unknown-function", 1, 1, "did you mean 'count'?"),
        ("received('welcome')", "unknown-function", 1, 1, "functions: any"),
        ("sequence('a', then => 'b')", "unknown-function", 1, 1, "functions: any"),
        ("company.seats > 3", "unknown-name", 1, 1, "traits.company"),
        ("prediction.churn > 0.7", "unknown-name", 1, 1, "names here"),
        ("trait.plan = 'pro'", "unknown-name", 1, 1, "did you mean 'traits'?"),
        ("event.total > 3", "unknown-name", 1, 1, ""),
        ('traits.plan = "pro"', "unknown-name", 1, 15, "single quotes: 'pro'"),
        ("count('x')", "not-a-condition", 1, 1, "compare"),
        ("did('x') = true", "not-a-value", 1, 1, ""),
        ("did('x') and\n traits.a = 'it", "open-quote", 2, 13, "double a quote"),
        ("did('x', within => '3 dayz')", "bad-duration", 1, 20, "90 days"),
        ("did('x', within => '0 days')", "bad-duration", 1, 20, ""),
        ("did('x', wthin => '3 days')", "unknown-argument", 1, 10, "did you mean 'within'?"),
        ("count('x', where => did('y')) > 1", "function-in-where", 1, 21, ""),
        ("sum('x') > 1", "argument-count", 1, 1, "sum('Event', property"),
        ("1 = 1", "constant-condition", 1, 5, "true or false"),
        ("traits.a = 1e30", "number-too-large", 1, 12, ""),
        ("traits.a > 1; drop table events", "syntax", 1, 13, ""),
        ("(" * 60 + "not " * 60 + "true" + ")" * 60, "too-deep", 1, 261, "audiences"),
        ("traits.a = 'x'" + " or traits.a = 'x'" * 6000, "expression-too-long", 1, 1, ""),
    ],
)
def test_what_is_refused(text: str, code: str, line: int, column: int, fix: str) -> None:
    with pytest.raises(Invalid) as caught:
        parse(text)
    (problem,) = caught.value.problems
    assert (problem.code, problem.line, problem.column) == (code, line, column)
    assert fix in problem.fix


def test_scopes() -> None:
    assert print_expression(parse("event.total > 3 and traits.a", scope="journey")) == "event.total > 3 and traits.a"
    with pytest.raises(Invalid, match="cannot stand inside where"):
        parse("total > 3 and now() > '2026-01-01T00:00:00Z'", scope="event")
    assert print_expression(parse("traits.x = 1", scope="event")) == "traits.x = 1"


def test_hostile_texts_end_in_a_finding() -> None:
    for text in [
        "(" * 50_000,
        "not " * 20_000,
        "'" * 99_999,
        "a." * 40_000,
        "\x00",
        "x" * 100_000,
        "😀",
        "((((true)",
        "did('\ud800')",
    ]:
        with pytest.raises(Invalid):
            parse(text)
