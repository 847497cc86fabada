"""From an expression to one SQL statement over `events` and `turns` (`owners.py`): who is a member as of an instant.

One grouped pass over the events has one aggregate per function of the expression; traits have a pass of their own over
the events that carry any. A profile that has none of the named events is left out of the pass when an empty profile is
no member. Expressions come expanded (`expand.py`); conditions are written by `sql_conditions.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from sqlglot import exp

from innkeeper.audiences.check import Subject
from innkeeper.audiences.merges import NEWEST, Merges
from innkeeper.audiences.nodes import Expression, object_nodes
from innkeeper.audiences.object_sql import LocalDate, TypeSql, types_of
from innkeeper.audiences.sql_query import LocalZone, Query, calendar_spans, query_of
from innkeeper.audiences.sql_sources import NOBODY, Persons, Sources, own_ids, sources_of
from innkeeper.audiences.sql_statement import Statement
from innkeeper.audiences.sql_values import Binder
from innkeeper.kernel.time import Instant
from innkeeper.objects.definition import ObjectType


def uses_calendar(expression: Expression) -> bool:
    """Whether the answer depends on each profile's zone."""
    return bool(calendar_spans(expression))


def zones_query(
    at: Instant, merges: Merges = NEWEST, of: Subject = "profile", persons: Persons = NOBODY
) -> Query:  # fmt: skip
    """The distinct pairs of the traits `timezone` and `country` as of an instant, as JSON texts."""
    bind = Binder()
    sources = sources_of(bind, at, merges, of, persons)
    traits = sources.traits(["timezone", "country"])
    pairs = exp.select("t0", "t1").distinct().from_("traits", copy=False)
    for name, table in sources.prelude():
        pairs = pairs.with_(name, as_=table)
    return query_of(pairs.with_("traits", as_=traits), bind)


def members_query(
    expression: Expression, *, at: Instant, zones: Sequence[LocalZone] = (), default_zone: str = "UTC",
    wide: bool = False, merges: Merges = NEWEST, carried: bool = False,
    objects: Mapping[str, ObjectType] | None = None, dates: Sequence[LocalDate] = (), of: Subject = "profile",
    persons: Persons = NOBODY,
) -> Query:  # fmt: skip
    """The members as of an instant, one row each: the subject.

    Args:
        expression: Expanded.
        at: The instant; only what has a timestamp up to it counts.
        zones: The zones of the pairs that `zones_query` found; needed when `uses_calendar`.
        default_zone: The zone of profiles without these traits.
        wide: Whether sums may grow beyond 38 digits; asked for after an overflow, since it costs.
        merges: How traits are merged.
        carried: Whether raw events went, so that the view `carried` has to be asked too.
        objects: The declared types of objects.
        dates: What `local_dates_queries` found, with the instants; needed when there are such queries.
        of: What the subjects are.
        persons: The subjects of identifiers that do not name their profile themselves, as of the instant.
    """
    return Statement(
        expression, at, zones, default_zone, wide, merges, carried, objects or {}, dates, persons, of
    ).query()  # fmt: skip


def local_dates_queries(
    expression: Expression, at: Instant, objects: Mapping[str, ObjectType]
) -> dict[str, tuple[Query, list[str]]]:
    """By object type: the question for its local dates (place of the name, text, zone named), and the names."""
    found: dict[str, tuple[Query, list[str]]] = {}
    nodes = object_nodes(expression)
    for place, declared in enumerate(types_of(nodes, objects)):
        bind = Binder()
        own = [node for node in nodes if node.object == declared.name]
        one = TypeSql(place, declared, own, bind, bind.bind(at), None)
        if one.dates:
            statement = one.local_dates()
            for name, select in one.objects():
                statement = statement.with_(name, as_=select, copy=False)
            found[declared.name] = (query_of(statement, bind), one.dates)
    return found


def anonymous_ids_query(at: Instant, persons: Persons = NOBODY) -> Query:
    """The smallest anonymous id of each person that has one as of an instant: (subject, id)."""
    bind = Binder()
    owned = Sources(bind, at, NEWEST, persons).owned()
    return query_of(own_ids().with_("owned", as_=owned), bind)


def counting(members: Query) -> Query:
    """The statement that counts what another lists."""
    return replace(members, sql=f"SELECT COUNT(*) FROM (\n{members.sql}\n)")  # noqa: S608
