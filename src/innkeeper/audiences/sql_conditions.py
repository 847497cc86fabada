"""Conditions in SQL: the counterpart of `live.py`, `compare.py` and `where.py`.

Unknown (NULL) counts as false, as SQL has it for and, or and WHERE; only under `not` it must be made false first.
`sql.py` gives the columns.
"""

from __future__ import annotations

from functools import partial
from typing import Protocol

from sqlglot import exp

from innkeeper.audiences.compare import MICRO_DAY, type_of
from innkeeper.audiences.nodes import (
    Aggregate,
    And,
    Between,
    Boolean,
    Compare,
    Expression,
    In,
    Like,
    Missing,
    Not,
    Number,
    OfAccount,
    Offset,
    OfObjects,
    Or,
    Path,
    Text,
)
from innkeeper.audiences.resolve import LITERALS, describe
from innkeeper.audiences.sql_values import (
    Binder,
    Looked,
    Sql,
    against_literal,
    against_looked,
    all_of,
    any_of,
    compare,
    fn,
    like,
    membership,
    number,
    of_text,
    two_valued,
)
from innkeeper.audiences.values import FLIPPED, literal_instant
from innkeeper.kernel.errors import InternalError, UsageError
from innkeeper.kernel.numbers import MICRO

#: Days beyond this are longer than any time; the product with a day's microseconds stays inside the numbers of DuckDB.
_MOST_DAYS = 10**18


class Columns(Protocol):
    """Where a condition finds its values."""

    bind: Binder
    at: Sql

    def aggregate(self, node: Aggregate) -> list[Sql]:
        """The columns of a function over events."""

    def trait(self, path: tuple[str, ...]) -> Looked:
        """A trait."""

    def memory(self, path: tuple[str, ...]) -> Looked:
        """What is remembered."""

    def account(self, path: tuple[str, ...]) -> Looked:
        """A trait of the profile's account, its id, or the role in it."""

    def of_account(self, node: OfAccount) -> Sql:
        """Whether a condition holds of the profile's account."""

    def identifier(self, namespace: str) -> Sql:
        """The identifier in a namespace."""

    def property(self, path: tuple[str, ...]) -> Looked:
        """A property of an event, or of an object."""

    def of_objects(self, node: OfObjects) -> Sql:
        """The column of a function over objects; NULL: the profile has none."""


def condition_sql(node: Expression, columns: Columns) -> Sql:
    """A condition over profiles."""
    return _Writer(columns).condition(node)


def where_sql(node: Expression, columns: Columns) -> Sql:
    """A condition over the properties of one event; in parentheses."""
    return exp.paren(_Writer(columns).condition(node))


class _Writer:
    def __init__(self, columns: Columns) -> None:
        self.columns, self.bind = columns, columns.bind

    def condition(self, node: Expression) -> Sql:
        """The SQL of a condition."""
        match node:
            case And(items=items):
                return exp.paren(all_of([self.condition(item) for item in items]))
            case Or(items=items):
                return any_of([self.condition(item) for item in items])
            case Not(item=item):
                return exp.Not(this=two_valued(self.condition(item)))
            case Boolean(value=value):
                return exp.true() if value else exp.false()
            case Path():
                return exp.EQ(this=self.looked(node).raw(), expression=exp.Literal.string("true"))
            case Aggregate():
                return self.columns.aggregate(node)[0]
            case OfAccount():
                return self.columns.of_account(node)
            case OfObjects():
                found = exp.Coalesce(this=self.columns.of_objects(node), expressions=[number(0)])
                return compare(">", found, number(0))
            case Compare(op=op, left=left, right=right):
                return self.compare(op, left, right)
            case Between(value=value, low=low, high=high):
                return exp.paren(all_of([self.compare(">=", value, low), self.compare("<=", value, high)]))
            case In(value=value, items=items):
                if isinstance(value, Path):
                    return membership(self.looked(value), items, self.bind)
                return any_of([self.compare("=", value, item) for item in items])
            case Like(value=value, pattern=pattern, ignore_case=ignore_case):
                if isinstance(value, Path):
                    return like(self.looked(value).text(), pattern, ignore_case, self.bind)
                return exp.false()
            case Missing(value=value):
                return self.missing(value)
            case _:
                raise InternalError(f"{type(node).__name__} is no condition in SQL", code="bad-expression")

    def looked(self, node: Path) -> Looked:
        """A looked-up value."""
        match node.root:
            case "traits":
                return self.columns.trait(node.parts)
            case "memory":
                return self.columns.memory(node.parts)
            case "account":
                return self.columns.account(node.parts)
            case "property":
                return self.columns.property(node.parts)
            case "id":
                return of_text(partial(self.columns.identifier, node.parts[0]))
            case _:
                raise UsageError(
                    f"{describe(node)} is known only inside a journey", code="no-entry-event",
                    fix="ask about traits or events",
                )  # fmt: skip

    def missing(self, value: Expression) -> Sql:
        """The condition `value is missing`."""
        if isinstance(value, Path):
            return exp.Is(this=self.looked(value).raw(), expression=exp.Null())
        base = value.base if isinstance(value, Offset) else value
        if not isinstance(base, Aggregate) or base.function in ("count", "sum", "distinct"):
            return exp.false()
        return exp.Is(this=self.columns.aggregate(base)[0], expression=exp.Null())

    def compare(self, op: str, left: Expression, right: Expression) -> Sql:
        """The condition `left op right`."""
        if isinstance(left, LITERALS):
            op, left, right = FLIPPED[op], right, left
        if isinstance(right, LITERALS):
            return self.literal(op, left, right)
        kinds = {type_of(left), type_of(right)}
        if "mean" in kinds:
            raise UsageError(
                "avg(…) compares with a number only", code="bad-comparison", fix="avg('Event', total) > 50"
            )
        if isinstance(left, Path) and isinstance(right, Path):
            return against_looked(op, self.looked(left), self.looked(right))
        if kinds <= {"any", "number"}:
            return compare(op, self.number(left), self.number(right))
        if "days" in kinds:
            return self.days(op, left, right)
        if kinds <= {"any", "instant", "moving"}:
            return compare(op, self.instant(left), self.instant(right))
        return exp.false()

    def literal(self, op: str, node: Expression, literal: Expression) -> Sql:
        """The condition `node op literal`."""
        if isinstance(node, Path):
            return against_literal(op, self.looked(node), literal, self.bind)
        kind = type_of(node)
        if isinstance(literal, Number) and isinstance(node, OfObjects):
            return compare(op, self.number(node), self.bind.bind(literal.micro))
        if isinstance(literal, Number) and isinstance(node, Aggregate):
            if kind == "number":
                return compare(op, self.number(node), self.bind.bind(literal.micro))
            if kind == "mean":
                total, count = self.columns.aggregate(node)
                scaled = exp.Mul(this=self.huge(self.bind.bind(literal.micro)), expression=count)
                return compare(op, total, scaled)
            if kind == "days":
                return compare(op, self.elapsed(node), self.bind.bind(literal.micro * MICRO_DAY))
        moment = literal_instant(literal) if isinstance(literal, Text) else None
        if moment is not None and kind in ("instant", "moving"):
            return compare(op, self.instant(node), self.bind.bind(moment))
        return exp.false()

    def huge(self, value: Sql) -> Sql:
        """A number with room for a product."""
        return exp.cast(value, "hugeint")

    def number(self, node: Expression) -> Sql:
        """Millionths of a number."""
        if isinstance(node, Path):
            return self.looked(node).number()
        if isinstance(node, OfObjects):
            total = exp.Coalesce(this=self.columns.of_objects(node), expressions=[number(0)])
            return exp.Mul(this=total, expression=number(MICRO)) if node.path is None else total
        if not isinstance(node, Aggregate):
            raise InternalError(f"{type(node).__name__} is no number", code="bad-expression")
        column = self.columns.aggregate(node)[0]
        if node.function in ("count", "distinct"):
            return exp.Mul(this=exp.Coalesce(this=column, expressions=[number(0)]), expression=number(MICRO))
        return exp.Coalesce(this=column, expressions=[number(0)]) if node.function == "sum" else column

    def elapsed(self, node: Aggregate) -> Sql:
        """Microseconds since a moment."""
        return exp.Sub(this=self.columns.at.copy(), expression=self.columns.aggregate(node)[0])

    def days(self, op: str, left: Expression, right: Expression) -> Sql:
        """A number of days since, against a number of the profile's or other days."""
        if type_of(left) != "days":
            op, left, right = FLIPPED[op], right, left
        if not isinstance(left, Aggregate):
            raise InternalError("days are counted by a function", code="bad-expression")
        kind = type_of(right)
        if kind == "days" and isinstance(right, Aggregate):
            return compare(op, self.elapsed(left), self.elapsed(right))
        if kind not in ("any", "number"):
            return exp.false()
        days = fn("least", fn("greatest", self.number(right), number(-_MOST_DAYS)), number(_MOST_DAYS))
        there = exp.Not(this=exp.Is(this=self.number(right).copy(), expression=exp.Null()))
        scaled = exp.Mul(this=self.huge(days), expression=number(MICRO_DAY))
        return exp.paren(all_of([there, compare(op, self.elapsed(left), scaled)]))

    def instant(self, node: Expression) -> Sql:
        """Microseconds of an instant."""
        if isinstance(node, Path):
            return self.looked(node).instant()
        base = node.base if isinstance(node, Offset) else node
        at = self.columns.aggregate(base)[0] if isinstance(base, Aggregate) else self.columns.at.copy()
        if not isinstance(node, Offset):
            return at
        return exp.Add(this=at, expression=self.bind.bind(node.duration))
