"""`distinct`: how many different values a property had. Numbers count as equal at six places; lists and objects do not
count, since their equality is not one that both engines could agree on.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from typing import Any

from innkeeper.audiences.operators.base import Carried, Example, Kind, Operator, SqlEvent
from innkeeper.kernel.numbers import to_micro


def _value(raw: Any) -> str | None:
    if type(raw) is str:
        return "s" + raw
    if raw is True or raw is False:
        return "btrue" if raw else "bfalse"
    micro = to_micro(raw)
    return None if micro is None else f"n{micro}"


def _union(a: list[str], b: list[str]) -> list[str]:
    if len(b) != 1:
        return sorted({*a, *b})
    place = bisect_left(a, b[0])
    return a if place < len(a) and a[place] == b[0] else [*a[:place], b[0], *a[place:]]


def _total(entries: Sequence[Any]) -> list[str]:
    return sorted({entry[1] for entry in entries})


def _sql(event: SqlEvent) -> Any:
    from sqlglot import exp

    # Texts apart from the rest: nothing has to be put together and told apart again, which would cost half the time.
    raw = event.raw()
    boolean = exp.Case().when(
        exp.In(this=raw, expressions=[exp.Literal.string("true"), exp.Literal.string("false")]), raw.copy()
    )
    other = exp.Coalesce(this=exp.cast(event.number(), "varchar"), expressions=[boolean])
    rest = exp.Case().when(exp.Is(this=event.text(), expression=exp.Null()), other)
    counts = [event.aggregate(exp.Count(this=exp.Distinct(expressions=[value]))) for value in (event.text(), rest)]
    return exp.Add(this=counts[0], expression=counts[1])


def _values_left(event: SqlEvent) -> Any:
    """The values themselves, marked by their type as the accumulator marks them."""
    from sqlglot import exp

    def marked(mark: str, value: Any) -> Any:
        return exp.DPipe(this=exp.Literal.string(mark), expression=value, safe=True)

    raw = event.raw()
    truth = exp.In(this=raw, expressions=[exp.Literal.string("true"), exp.Literal.string("false")])
    boolean = exp.Case().when(truth, marked("b", raw.copy()))
    numeric = marked("n", exp.cast(event.number(), "varchar"))
    value = exp.Coalesce(this=marked("s", event.text()), expressions=[numeric, boolean])
    return event.aggregate(exp.Anonymous(this="list", expressions=[exp.Distinct(expressions=[value])]))


def _values_before(state: Any) -> Any:
    from sqlglot import exp

    listed = exp.Anonymous(this="from_json", expressions=[state.copy(), exp.Literal.string('["VARCHAR"]')])
    return exp.Anonymous(this="flatten", expressions=[exp.Anonymous(this="list", expressions=[listed])])


def _counted(a: Sequence[Any], b: Sequence[Any]) -> Any:
    from sqlglot import exp

    both = exp.Anonymous(this="list_concat", expressions=[a[0].copy(), b[0].copy()])
    # It drops NULL, the value of events that do not count.
    different = exp.Anonymous(this="list_distinct", expressions=[both])
    count = exp.Anonymous(this="len", expressions=[different])
    return exp.Coalesce(this=count, expressions=[exp.Literal.number(0)])


DISTINCT = Operator(
    name="distinct",
    summary="How many different values a property had: texts, numbers and booleans; 0 when there is none.",
    kind=Kind(value_of=_value, one=lambda entry: [entry[1]], combine=_union, total=_total),
    sql=_sql,
    carried=Carried(total=_values_before, together=_counted, left=_values_left),
    words=lambda node, occurrence: f"the number of different values of {'.'.join(node.path or ())} over {occurrence}",
    examples=(
        Example(
            expression="distinct('Page Viewed', path) = 2",
            events=tuple((1.0, "Page Viewed", {"path": path}) for path in ("/", "/a", "/")),
            holds=True, says="equal values count once",
        ),
        Example(
            expression="distinct('Page Viewed', n) = 2",
            events=((1, "Page Viewed", {"n": 1}), (2, "Page Viewed", {"n": 1.0}), (3, "Page Viewed", {"n": "1"})),
            holds=True, says="1 and 1.0 are one value, the text '1' another",
        ),
    ),
)  # fmt: skip
