"""A statement with its values, and what can be said of an expression before one is written; `sql.py` writes them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from sqlglot import exp

from innkeeper.audiences.check import Subject
from innkeeper.audiences.live import compile_live
from innkeeper.audiences.nobody import Nobody
from innkeeper.audiences.nodes import Aggregate, Expression, OfAccount, Path, children, walk
from innkeeper.audiences.spans import Span
from innkeeper.audiences.sql_values import Binder
from innkeeper.kernel.time import Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """A statement to run on the bulk engine.

    Attributes:
        sql: The text, with named parameters.
        parameters: Their values.
        properties: Paths of event properties that the view `events` must have columns for.
    """

    sql: str
    parameters: dict[str, Any]
    properties: frozenset[tuple[str, ...]] = field(default_factory=frozenset)


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalZone:
    """The zone of all profiles with these two traits (JSON texts, None: missing)."""

    timezone: str | None
    country: str | None
    zone: str
    of: Subject = "profile"


def query_of(statement: exp.Select, bind: Binder, properties: frozenset[tuple[str, ...]] = frozenset()) -> Query:
    """A statement with the values that it has bound."""
    return Query(
        sql=statement.sql("duckdb", pretty=True, copy=False), parameters=dict(bind.values), properties=properties
    )


def calendar_spans(expression: Expression) -> list[Span]:
    """The lengths that are counted in days of a calendar."""
    spans: list[Span] = []
    for node in of_subject(expression):
        if isinstance(node, Aggregate):
            for span in (node.within, node.before):
                if span is not None and span.calendar and span not in spans:
                    spans.append(span)
    return spans


def of_subject(node: Expression) -> Iterator[Expression]:
    """The node and everything below it that asks about the subject itself, not about its account."""
    if not isinstance(node, OfAccount):
        yield node
        for child in children(node):
            yield from of_subject(child)


def holds_for_nobody(expression: Expression, at: Instant) -> bool:
    """Whether somebody of whom nothing is known may be a member."""
    if any(isinstance(node, Path) and node.root in ("id", "account") for node in of_subject(expression)):
        return True
    if any(isinstance(node, OfAccount) for node in walk(expression)):
        return True
    holds, _ = compile_live(expression).evaluate(Nobody(), at)
    return holds
