"""`did` and `count`: whether and how often an event happened."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from innkeeper.audiences.operators.base import Carried, Example, Kind, Operator, SqlEvent, added, in_json


def _did_sql(event: SqlEvent) -> Any:
    from sqlglot import exp

    return exp.GT(this=event.aggregate(exp.Count(this=exp.Star())), expression=exp.Literal.number(0))


def _count_sql(event: SqlEvent) -> Any:
    from sqlglot import exp

    return event.aggregate(exp.Count(this=exp.Star()))


def _did_before(state: Any) -> Any:
    from sqlglot import exp

    return exp.GT(this=exp.Count(this=state.copy()), expression=exp.Literal.number(0))


def _either(a: Sequence[Any], b: Sequence[Any]) -> Any:
    from sqlglot import exp

    sides = [exp.Coalesce(this=side[0].copy(), expressions=[exp.false()]) for side in (a, b)]
    return exp.paren(exp.or_(*sides))


def _counted_before(state: Any) -> Any:
    from sqlglot import exp

    return exp.Sum(this=in_json(state, "$", "bigint"))


DID = Operator(
    name="did",
    summary="Whether the event happened.",
    kind=Kind(one=lambda entry: True, combine=lambda a, b: True, total=lambda entries: True, newest_only=True),
    sql=_did_sql,
    carried=Carried(total=_did_before, together=_either),
    words=lambda node, occurrence: f"has done {occurrence}",
    examples=(
        Example(expression="did('Login')", events=((400, "Login", {}),), holds=True, says="once, at any time"),
        Example(expression="did('Login')", events=((1, "Logout", {}),), holds=False, says="another event"),
        Example(
            expression="did('Login', within => '30 days')", events=((30, "Login", {}),), holds=False,
            says="exactly 30 days ago is outside the half-open window",
        ),
        Example(
            expression="did('Login', within => '30 days')", events=((29.5, "Login", {}),), holds=True, says="inside",
        ),
        Example(
            expression="did('Login', before => '7 days')", events=((7, "Login", {}),), holds=True,
            says="exactly 7 days ago is before",
        ),
        Example(
            expression="did('Login', where => plan = 'pro')", events=((1, "Login", {"plan": None}),), holds=False,
            says="null is missing",
        ),
    ),
)  # fmt: skip

COUNT = Operator(
    name="count",
    summary="How many times the event happened; 0 when it never did.",
    kind=Kind(one=lambda entry: 1, combine=lambda a, b: a + b, total=len),
    sql=_count_sql,
    carried=Carried(total=_counted_before, together=added),
    words=lambda node, occurrence: f"the number of {occurrence}",
    examples=(
        Example(
            expression="count('Login') >= 2", events=((1, "Login", {}), (1, "Login", {})), holds=True,
            says="two at the same instant are two",
        ),
        Example(expression="count('Login') = 0", events=((1, "Logout", {}),), holds=True, says="none is 0"),
        Example(
            expression="count('Order Completed', where => total >= 50) >= 1",
            events=((1, "Order Completed", {"total": "50"}),), holds=False, says="a text is no number",
        ),
        Example(
            expression="count('Login', within => '9 days', before => '2 days') = 1",
            events=((1, "Login", {}), (5, "Login", {}), (12, "Login", {})), holds=True, says="a window in the past",
        ),
    ),
)  # fmt: skip
