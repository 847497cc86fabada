"""`first last days_since_first days_since_last`: when the event happened. Days compare in whole microseconds."""

from __future__ import annotations

from typing import Any

from innkeeper.audiences.operators.base import Example, Kind, Operator, SqlEvent, extreme


def _first_sql(event: SqlEvent) -> Any:
    from sqlglot import exp

    return event.aggregate(exp.Min(this=event.timestamp))


def _last_sql(event: SqlEvent) -> Any:
    from sqlglot import exp

    return event.aggregate(exp.Max(this=event.timestamp))


_FIRST = Kind(one=lambda entry: entry, combine=min, total=lambda entries: entries[0])
_LAST = Kind(one=lambda entry: entry, combine=max, total=lambda entries: entries[-1], newest_only=True)

_EARLIEST = extreme("least", "bigint")
_LATEST = extreme("greatest", "bigint")

FIRST = Operator(
    name="first",
    summary="The instant of the first occurrence; missing when there is none.",
    kind=_FIRST,
    sql=_first_sql,
    carried=_EARLIEST,
    words=lambda node, occurrence: f"the first {occurrence}",
    examples=(
        Example(
            expression="first('Login') < now() - '3 days'", events=((1, "Login", {}), (4, "Login", {})), holds=True,
            says="the earliest counts",
        ),
        Example(expression="first('Login') is missing", events=(), holds=True, says="none is missing"),
    ),
)  # fmt: skip

LAST = Operator(
    name="last",
    summary="The instant of the latest occurrence; missing when there is none.",
    kind=_LAST,
    sql=_last_sql,
    carried=_LATEST,
    words=lambda node, occurrence: f"the latest {occurrence}",
    examples=(
        Example(
            expression="last('Login') > last('Logout')", events=((1, "Login", {}), (2, "Logout", {})), holds=True,
            says="instants compare with each other",
        ),
        Example(
            expression="last('Login') != now()", events=(), holds=False, says="missing compares with nothing",
        ),
    ),
)  # fmt: skip

DAYS_SINCE_FIRST = Operator(
    name="days_since_first",
    summary="Days, not whole ones, since the first occurrence; missing when there is none.",
    kind=_FIRST,
    sql=_first_sql,
    carried=_EARLIEST,
    words=lambda node, occurrence: f"the days since the first {occurrence}",
    examples=(
        Example(
            expression="days_since_first('Login') = 4", events=((1, "Login", {}), (4, "Login", {})), holds=True,
            says="from the earliest",
        ),
    ),
)  # fmt: skip

DAYS_SINCE_LAST = Operator(
    name="days_since_last",
    summary="Days, not whole ones, since the latest occurrence; missing when there is none.",
    kind=_LAST,
    sql=_last_sql,
    carried=_LATEST,
    words=lambda node, occurrence: f"the days since the latest {occurrence}",
    examples=(
        Example(
            expression="days_since_last('Login') > 45", events=((45, "Login", {}),), holds=False,
            says="it begins one microsecond later",
        ),
        Example(
            expression="days_since_last('Login') >= 45", events=((45, "Login", {}),), holds=True,
            says="exactly 45 days",
        ),
        Example(
            expression="not days_since_last('Login') < 45", events=(), holds=True, says="not of a false is true",
        ),
    ),
)  # fmt: skip
