"""What the checker refuses: unknown names with the nearest known ones, types that never compare, circles."""

from __future__ import annotations

import pytest

from innkeeper.audiences import Catalog, check, find_cycle, parse
from innkeeper.audiences.check import cycle_problem
from innkeeper.audiences.expand import expand
from innkeeper.kernel.errors import Invalid

CATALOG = Catalog(
    events={"Order Completed": frozenset({"total", "products"}), "Login": frozenset()},
    traits=frozenset({"plan", "score"}),
    audiences={"loyal": parse("count('Order Completed') >= 3")},
    stages=(("new", parse("did('Login')")), ("old", parse("in_audience('loyal')"))),
)


@pytest.mark.parametrize(
    "text",
    [
        "count('Order Completed', where => total >= 50 and products is present) >= 3",
        "traits.plan.name = 'x' and traits.email like '%@%' and id.user_id is present",
        "stage = 'new' or stage in ('old') or stage is missing or stage like 'n%'",
        "in_audience('loyal') and did('Page Viewed', where => path = '/')",
        "last('Login') > '2026-01-01T00:00:00Z' and first('Login') < now() - '3 days' and now() > traits.plan",
        "days_since_last('Login') > traits.score and count('Login') > traits.score",
        "avg('Order Completed', total) > 5",
        "did('Message Opened', where => message = 'welcome-1')",
    ],
)
def test_what_passes(text: str) -> None:
    assert check(parse(text), CATALOG).errors == ()


@pytest.mark.parametrize(
    ("text", "code", "column", "fix"),
    [
        ("did('Order Complete')", "unknown-event", 1, "did you mean 'Order Completed'?"),
        ("did('Login') and sum('Order Completed', totl) > 3", "unknown-property", 18, "did you mean 'total'?"),
        ("did('Order Completed', where => totl > 3)", "unknown-property", 33, "did you mean 'total'?"),
        ("traits.pla = 'x'", "unknown-trait", 1, "did you mean 'plan'?"),
        ("in_audience('loyl')", "unknown-audience", 1, "did you mean 'loyal'?"),
        ("stage = 'nw'", "unknown-stage", 9, "did you mean 'new'?"),
        ("id.email is present", "unknown-namespace", 1, "anonymous_id"),
        ("days_since_last('Login') > 'many'", "type", 1, "a number of days"),
        ("last('Login') > 3", "type", 1, "ISO 8601"),
        ("last('Login') > 'yesterday'", "type", 1, "ISO 8601"),
        ("count('Login') = true", "type", 1, "a number"),
        ("traits.plan > true", "type", 1, "= or !="),
        ("count('Login') > now()", "type", 1, "a number"),
        ("avg('Order Completed', total) > traits.score", "type", 1, "the number itself"),
        ("count('Login') like 'x'", "type", 1, ""),
        ("stage = traits.plan", "type", 1, "the name of a stage"),
        ("count('Login') between 1 and 'x'", "type", 1, "a number"),
        ("last('Login') in (1)", "type", 1, "ISO 8601"),
    ],
)
def test_what_is_refused(text: str, code: str, column: int, fix: str) -> None:
    (problem,) = check(parse(text), CATALOG).errors
    assert (problem.code, problem.line, problem.column) == (code, 1, column)
    assert fix in problem.fix


TYPED = Catalog(
    traits=frozenset({"plan", "score", "vip", "since", "more"}),
    trait_types={"plan": "text", "score": "number", "vip": "boolean", "since": "instant", "more": "object"},
    account_traits={"seats": "number", "name": "text", "any": "any"},
    account_audiences={"busy": parse("did('Message Sent')", "account")},
    audiences={"loyal": parse("did('Message Sent')")},
)


@pytest.mark.parametrize(
    "text",
    [
        "traits.plan = 'pro' and traits.score > 3 and traits.vip = true and traits.vip and traits.since < now()",
        "traits.since > '2026-01-01T00:00:00Z' and traits.since like '2026%' and traits.plan < now()",
        "traits.plan > '2026-01-01T00:00:00Z' and traits.more.any = 3 and traits.more = 'x'",
        "account.seats between 1 and 3 and account.name like 'A%' and account.any = 5 and account.role = 'admin'",
        "any(account, seats >= 3 and role = 'admin' and id = 'acme' and in_audience('busy')) or any(account)",
        "count(account, any = 'x' or any > now() - '3 days') > 1 and sum(account, seats) > 5",
        "traits.score = account.any and traits.plan = account.name",
    ],
)
def test_declared_types_that_compare(text: str) -> None:
    assert check(parse(text), TYPED).errors == ()


@pytest.mark.parametrize(
    ("text", "code", "column", "fix"),
    [
        ("traits.plan = 5", "type", 1, "a text"),
        ("traits.score in (1, 'two')", "type", 1, "a number"),
        ("traits.since > 5", "type", 1, "ISO 8601"),
        ("traits.since = 'soon'", "type", 1, "ISO 8601"),
        ("traits.vip = 'yes'", "type", 1, "true or false"),
        ("traits.score like '5%'", "type", 1, ""),
        ("account.seats = 'many'", "type", 1, "a number"),
        ("account.role = 5", "type", 1, "a text"),
        ("traits.score = traits.plan", "type", 1, "a number"),
        ("traits.score > account.name", "type", 1, "a number"),
        ("any(account, seats = 'many')", "type", 14, "a number"),
        ("any(account, id = 5)", "type", 14, "a text"),
        ("any(account, seatz > 5)", "unknown-account-trait", 14, "did you mean 'seats'?"),
        ("sum(account, seatz) > 5", "unknown-account-trait", 1, "did you mean 'seats'?"),
        ("any(account, in_audience('loyal'))", "wrong-audience", 14, "of: account"),
    ],
)
def test_declared_types_that_never_compare_are_refused(text: str, code: str, column: int, fix: str) -> None:
    (problem,) = check(parse(text), TYPED).errors
    assert (problem.code, problem.column) == (code, column)
    assert fix in problem.fix


def test_accounts_have_to_be_declared() -> None:
    for text in ("any(account)", "any(account, seats > 3)", "count(account) > 1"):
        assert [each.code for each in check(parse(text), CATALOG).errors] == ["no-accounts"]
    for text, of in (("any(account)", "account"), ("any(account, did('Login'))", "profile")):
        with pytest.raises(Invalid) as refused:
            parse(text, of)  # type: ignore[arg-type]
        assert refused.value.problems[0].code in ("objects-of-account", "function-in-where")


def test_unknown_names_can_be_allowed_but_not_audiences() -> None:
    text = "did('X', where => y = 1) and traits.z and stage = 'w' and in_audience('v')"
    checked = check(parse(text), CATALOG, allow_unknown=True)
    assert [problem.code for problem in checked.warnings] == ["unknown-event", "unknown-trait", "unknown-stage"]
    assert [problem.code for problem in checked.errors] == ["unknown-audience"]
    with pytest.raises(Invalid):
        checked.raise_if_any()


def test_where_of_an_entry_is_checked_against_its_event() -> None:
    where = parse("totl > 3", scope="event")
    (problem,) = check(where, CATALOG, event="Order Completed").errors
    assert problem.code == "unknown-property"


def test_circles_are_named() -> None:
    circle = Catalog(
        audiences={"a": parse("in_audience('b')"), "b": parse("stage = 'x'"), "c": parse("did('Login')")},
        stages=(("x", parse("not in_audience('a')")),),
    )
    cycle = find_cycle(circle)
    assert cycle == ("audience 'a'", "audience 'b'", "the stages", "audience 'a'")
    assert "audience 'a' -> audience 'b'" in cycle_problem(cycle).message
    assert find_cycle(circle, parse("in_audience('c')")) is None
    with pytest.raises(Invalid, match="circle"):
        expand(parse("in_audience('a')"), circle)
    assert find_cycle(Catalog(audiences={"a": parse("in_audience('a')")})) == ("audience 'a'", "audience 'a'")


def test_definitions_that_double_each_time_are_refused() -> None:
    audiences = {"a0": parse("did('Login')")}
    for index in range(1, 40):
        audiences[f"a{index}"] = parse(f"in_audience('a{index - 1}') or not in_audience('a{index - 1}')")
    with pytest.raises(Invalid, match="more than 20000 parts"):
        expand(parse("in_audience('a39')"), Catalog(audiences=audiences))
