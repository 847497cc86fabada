"""`sum avg min max`: over a numeric property, exactly, in millionths. Other JSON types are missing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from innkeeper.audiences.operators.base import (
    Carried,
    Example,
    Kind,
    Operator,
    SqlEvent,
    added,
    extreme,
    in_json,
    pack,
    unpack,
)
from innkeeper.kernel.numbers import to_micro


def _value(raw: Any) -> int | str | None:
    micro = to_micro(raw)
    return None if micro is None else pack(micro)


def _one(entry: Any) -> Any:
    return entry[1]


def _add(a: int | str, b: int | str) -> int | str:
    return pack(unpack(a) + unpack(b))


def _sum(entries: Sequence[Any]) -> int | str:
    return pack(sum([unpack(entry[1]) for entry in entries]))


def _smaller(a: int | str, b: int | str) -> int | str:
    return a if unpack(a) <= unpack(b) else b


def _larger(a: int | str, b: int | str) -> int | str:
    return a if unpack(a) >= unpack(b) else b


def _aggregate(name: str) -> Any:
    def build(event: SqlEvent) -> Any:
        from sqlglot import exp

        made = {"min": exp.Min, "max": exp.Max}[name]
        return event.aggregate(made(this=event.number()))

    return build


def _sum_sql(event: SqlEvent) -> Any:
    from sqlglot import exp

    return exp.Coalesce(this=event.total(), expressions=[exp.Literal.number(0)])


def _avg_sql(event: SqlEvent) -> Any:
    from sqlglot import exp

    # Compared as sum against literal x count, so that no division rounds: see sql.py.
    return exp.Tuple(expressions=[event.total(), event.aggregate(exp.Count(this=event.number()))])


def _summed_before(state: Any) -> Any:
    from sqlglot import exp

    return exp.Sum(this=in_json(state, "$", "hugeint"))


def _averaged_before(state: Any) -> Any:
    from sqlglot import exp

    parts = (in_json(state, "$[0]", "hugeint"), in_json(state, "$[1]", "bigint"))
    return exp.Tuple(expressions=[exp.Sum(this=part) for part in parts])


def _means(a: Sequence[Any], b: Sequence[Any]) -> Any:
    from sqlglot import exp

    total, count = added(a, b).expressions
    # Of nothing there is no mean, and a sum of 0 would be one.
    some = exp.GT(this=exp.paren(count.copy()), expression=exp.Literal.number(0))
    return exp.Tuple(expressions=[exp.Case().when(some, total), count])


def _words(what: str) -> Any:
    def words(node: Any, occurrence: str) -> str:
        return f"the {what} of {'.'.join(node.path or ())} over {occurrence}"

    return words


_ORDERS = ((1, "Order Completed", {"total": 20}), (2, "Order Completed", {"total": 40.5}))

SUM = Operator(
    name="sum",
    summary="The sum of a numeric property; 0 when there is none.",
    kind=Kind(value_of=_value, one=_one, combine=_add, total=_sum),
    sql=_sum_sql,
    carried=Carried(total=_summed_before, together=added),
    words=_words("sum"),
    examples=(
        Example(expression="sum('Order Completed', total) = 60.5", events=_ORDERS, holds=True, says="exact decimals"),
        Example(expression="sum('Order Completed', total) = 0", events=(), holds=True, says="nothing is 0"),
        Example(
            expression="sum('Order Completed', total) = 0.3",
            events=tuple((1, "Order Completed", {"total": 0.1}) for _ in range(3)), holds=True, says="no drift",
        ),
    ),
)  # fmt: skip

AVG = Operator(
    name="avg",
    summary="The mean of a numeric property; missing when there is none.",
    kind=Kind(
        value_of=_value,
        one=lambda entry: [entry[1], 1],
        combine=lambda a, b: [_add(a[0], b[0]), a[1] + b[1]],
        total=lambda entries: [_sum(entries), len(entries)],
    ),
    sql=_avg_sql,
    carried=Carried(total=_averaged_before, together=_means),
    words=_words("mean"),
    examples=(
        Example(expression="avg('Order Completed', total) = 30.25", events=_ORDERS, holds=True, says="the mean"),
        Example(expression="avg('Order Completed', total) <= 0", events=(), holds=False, says="none is missing"),
    ),
)

MIN = Operator(
    name="min",
    summary="The smallest value of a numeric property; missing when there is none.",
    kind=Kind(
        value_of=_value, one=_one, combine=_smaller,
        total=lambda entries: pack(min([unpack(entry[1]) for entry in entries])),
    ),
    sql=_aggregate("min"),
    carried=extreme("least", "hugeint"),
    words=_words("smallest value"),
    examples=(
        Example(expression="min('Order Completed', total) = 20", events=_ORDERS, holds=True, says="the smallest"),
        Example(expression="min('Order Completed', total) is missing", events=(), holds=True, says="none is missing"),
    ),
)  # fmt: skip

MAX = Operator(
    name="max",
    summary="The largest value of a numeric property; missing when there is none.",
    kind=Kind(
        value_of=_value, one=_one, combine=_larger,
        total=lambda entries: pack(max([unpack(entry[1]) for entry in entries])),
    ),
    sql=_aggregate("max"),
    carried=extreme("greatest", "hugeint"),
    words=_words("largest value"),
    examples=(
        Example(
            expression="max('Order Completed', total, within => '36 hours') = 20", events=_ORDERS, holds=True,
            says="only what is inside the window",
        ),
        Example(expression="max('Order Completed', total) != 1", events=(), holds=False, says="missing is not unequal"),
    ),
)  # fmt: skip
