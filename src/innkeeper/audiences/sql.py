"""From an expression to one SQL statement over `events` and `turns` (`owners.py`): who is a member as of an instant.

One grouped pass over the events has one aggregate per function of the expression; traits have a pass of their own over
the events that carry any. A profile that has none of the named events is left out of the pass when an empty profile is
no member. Expressions come expanded (`expand.py`); conditions are written by `sql_conditions.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Final

from sqlglot import exp

from innkeeper.audiences.live import compile_live
from innkeeper.audiences.nodes import Aggregate, Expression, Path, walk
from innkeeper.audiences.operators import OPERATORS
from innkeeper.audiences.operators.base import SqlEvent
from innkeeper.audiences.spans import Span, back_from
from innkeeper.audiences.sql_conditions import Columns, condition_sql, where_sql
from innkeeper.audiences.sql_values import (
    Binder,
    Looked,
    Sql,
    all_of,
    fn,
    instant,
    json_at,
    micro,
    number,
    of_column,
    of_json,
    of_text,
    text,
    unquoted,
    wide_sum,
)
from innkeeper.audiences.types import MISSING
from innkeeper.identity.spans import ALWAYS
from innkeeper.kernel.ids import ANONYMOUS, USER
from innkeeper.kernel.time import Instant

#: The subjects of identifiers that do not name their profile themselves.
Persons = Mapping[str, str]
NOBODY: Final[Persons] = {}
_TRAIT_UPDATES = "Traits Updated"


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


def uses_calendar(expression: Expression) -> bool:
    """Whether the answer depends on each profile's zone."""
    return bool(_calendar_spans(expression))


def zones_query(at: Instant, persons: Persons = NOBODY) -> Query:
    """The distinct pairs of the traits `timezone` and `country` as of an instant, as JSON texts."""
    bind = Binder()
    sources = _Sources(bind, at, persons)
    traits = sources.traits(["timezone", "country"])
    pairs = exp.select("t0", "t1").distinct().from_("traits", copy=False)
    return _query(pairs.with_("owned", as_=sources.owned()).with_("traits", as_=traits), bind)


def members_query(
    expression: Expression, *, at: Instant, zones: Sequence[LocalZone] = (), default_zone: str = "UTC",
    wide: bool = False, persons: Persons = NOBODY,
) -> Query:  # fmt: skip
    """The members as of an instant, one row each: the subject.

    Args:
        expression: Expanded.
        at: The instant; only what has a timestamp up to it counts.
        zones: The zones of the pairs that `zones_query` found; needed when `uses_calendar`.
        default_zone: The zone of profiles without these traits.
        wide: Whether sums may grow beyond 38 digits; asked for after an overflow, since it costs.
        persons: The subjects of identifiers that do not name their profile themselves, as of the instant.
    """
    return _Statement(expression, at, zones, default_zone, wide, persons).query()


def anonymous_ids_query(at: Instant, persons: Persons = NOBODY) -> Query:
    """The smallest anonymous id of each person that has one as of an instant: (subject, id)."""
    bind = Binder()
    owned = _Sources(bind, at, persons).owned()
    return _query(own_ids().with_("owned", as_=owned), bind)


def own_ids() -> exp.Select:
    """The smallest anonymous id of each person, from the table `owned`."""
    bare = fn("substr", exp.column("identifier"), number(len(ANONYMOUS) + 1))
    return (
        exp.select("subject", exp.alias_(exp.Min(this=bare), "anonymous"))
        .from_("owned")
        .where(fn("starts_with", exp.column("identifier"), text(ANONYMOUS)))
        .group_by("subject")
    )


def counting(members: Query) -> Query:
    """The statement that counts what another lists."""
    return replace(members, sql=f"SELECT COUNT(*) FROM (\n{members.sql}\n)")  # noqa: S608


def _query(statement: exp.Select, bind: Binder, properties: frozenset[tuple[str, ...]] = frozenset()) -> Query:
    return Query(sql=statement.sql("duckdb", pretty=True), parameters=dict(bind.values), properties=properties)


def _calendar_spans(expression: Expression) -> list[Span]:
    spans: list[Span] = []
    for node in walk(expression):
        if isinstance(node, Aggregate):
            for span in (node.within, node.before):
                if span is not None and span.calendar and span not in spans:
                    spans.append(span)
    return spans


class _Nobody:
    """A profile of which nothing is known."""

    def accumulated(self, accumulator: object) -> None:
        return None

    def trait(self, path: tuple[str, ...]) -> Any:
        return MISSING

    def identifier(self, namespace: str) -> None:
        return None

    def stage(self) -> None:
        return None

    def in_audience(self, name: str) -> bool:
        return False

    def zone(self) -> str:
        return "UTC"

    def entry(self, path: tuple[str, ...]) -> Any:
        return MISSING


def _holds_for_nobody(expression: Expression, at: Instant) -> bool:
    if any(isinstance(node, Path) and node.root == "id" for node in walk(expression)):
        return True
    holds, _ = compile_live(expression).evaluate(_Nobody(), at)
    return holds


class _Sources:
    """The common table expressions that do not depend on the expression."""

    def __init__(self, bind: Binder, at: Instant, persons: Persons) -> None:
        self.bind, self.at, self.persons = bind, bind.bind(at), persons

    def owned(self) -> exp.Select:
        """Whose each identifier is that is not its own, in which stretch of time (`owners.py`)."""
        stretch = [exp.column(name, table="turns") for name in ("since", "until")]
        claimant = exp.column("claimant", table="turns")
        began = exp.LTE(this=exp.column("ts", table="turns"), expression=self.at.copy())
        identifier = exp.column("identifier", table="turns")
        if not self.persons:
            return exp.select(identifier, claimant.as_("subject"), *stretch).from_("turns").where(began)
        names = exp.select(
            fn("unnest", self.bind.texts(self.persons.keys())).as_("identifier"),
            fn("unnest", self.bind.texts(self.persons.values())).as_("subject"),
        )
        subject = exp.Coalesce(this=exp.column("subject", table="person"), expressions=[claimant.copy()])
        claimed = (
            exp.select(identifier, subject.as_("subject"), *stretch)
            .from_("turns")
            .join(
                exp.to_table("person"), join_type="left",
                on=exp.EQ(this=exp.column("identifier", table="person"), expression=claimant.copy()),
            )
            .where(began)
        )  # fmt: skip
        themselves = exp.select("identifier", "subject", number(ALWAYS), number(-ALWAYS)).from_("person")
        both = exp.union(claimed, themselves, distinct=False, copy=False).subquery("owned_by_all")
        return exp.select("*").from_(both).with_("person", as_=names)

    def events(self, *columns: Sql) -> exp.Select:
        """Events up to the instant, with their owner as the first column, `subject`."""
        owner = exp.Coalesce(this=exp.column("subject", table="o"), expressions=[exp.column("identifier", table="e")])
        return (
            exp.select(exp.alias_(owner, "subject"), *columns)
            .from_(exp.to_table("events", alias="e"))
            .join(
                exp.to_table("owned", alias="o"), join_type="left",
                on=exp.and_(
                    exp.EQ(this=exp.column("identifier", table="o"), expression=exp.column("identifier", table="e")),
                    exp.GTE(this=exp.column("ts", table="e"), expression=exp.column("since", table="o")),
                    exp.LT(this=exp.column("ts", table="e"), expression=exp.column("until", table="o")),
                ),
            )
            .where(exp.LTE(this=exp.column("ts"), expression=self.at.copy()))
            .group_by(number(1))
        )  # fmt: skip

    def traits(self, names: Sequence[str]) -> exp.Select:
        """The newest value of each trait, as JSON text (`null` where it was removed)."""
        newest = fn("row", exp.column("ts"), exp.column("source"), exp.column("message_id"))
        columns: list[Sql] = []
        for index, name in enumerate(names):
            pointer = self.bind.bind("/" + name.replace("~", "~0").replace("/", "~1"))
            value = exp.cast(fn("json_extract", exp.column("traits"), pointer), "varchar")
            there = exp.Where(this=exp.Not(this=exp.Is(this=value.copy(), expression=exp.Null())))
            columns.append(
                exp.alias_(
                    fn("nullif", exp.Filter(this=fn("arg_max", value, newest), expression=there), text("null")),
                    f"t{index}",
                )
            )
        update = exp.EQ(this=exp.column("name"), expression=text(_TRAIT_UPDATES))
        return self.events(*columns).where(
            exp.or_(exp.column("is_input"), update),
            exp.NEQ(this=exp.column("traits"), expression=text("{}")),
        )


class _Statement(Columns):
    """One statement: gives each function, trait and identifier its column, and joins their sources."""

    def __init__(
        self, expression: Expression, at: Instant, zones: Sequence[LocalZone], default_zone: str, wide: bool,
        persons: Persons,
    ) -> None:  # fmt: skip
        self.wide = wide
        self.expression, self.instant, self.zones, self.default_zone = expression, at, zones, default_zone
        self.bind = Binder()
        self.sources = _Sources(self.bind, at, persons)
        self.at = self.sources.at
        self.aggregates: list[Aggregate] = []
        self.trait_names: list[str] = []
        self.trait_paths: list[tuple[str, ...]] = []
        self.trait_columns: set[str] = set()
        self.paths: dict[str, tuple[str, ...]] = {}
        self.spans = _calendar_spans(expression)
        self.reads_anonymous = False
        self.everyone = _holds_for_nobody(expression, at)

    def aggregate(self, node: Aggregate) -> list[Sql]:
        """The columns of a function: one, or sum and count of a mean."""
        if node not in self.aggregates:
            self.aggregates.append(node)
        index = self.aggregates.index(node)
        names = [f"a{index}", f"a{index}n"] if node.function == "avg" else [f"a{index}"]
        return [exp.column(name) for name in names]

    def trait(self, path: tuple[str, ...]) -> Looked:
        """A trait: columns of the table `traits`, made where they are asked for."""
        if path[0] not in self.trait_names:
            self.trait_names.append(path[0])
        if path not in self.trait_paths:
            self.trait_paths.append(path)
        base = f"v{self.trait_paths.index(path)}"

        def column(kind: str) -> Sql:
            if kind == "i":
                self.trait_columns.add(f"{base}s")
            self.trait_columns.add(base + kind)
            return exp.column(base + kind)

        return Looked(*(partial(column, kind) for kind in ("", "n", "s", "i")))

    def _trait_values(self) -> exp.Select:
        """The columns of traits that the condition asked for, each from the one before it."""
        columns: list[Sql] = [exp.column("subject")]
        for index, path in enumerate(self.trait_paths):
            raw: Sql = exp.column(f"t{self.trait_names.index(path[0])}")
            base = f"v{index}"
            columns.append(exp.alias_(json_at(raw, path[1:], self.bind) if len(path) > 1 else raw, base, copy=False))
            made = {"n": micro(exp.column(base)), "s": unquoted(exp.column(base)), "i": instant(exp.column(f"{base}s"))}
            columns += [
                exp.alias_(value, base + kind) for kind, value in made.items() if base + kind in self.trait_columns
            ]
        return exp.select(*columns).from_("newest")

    def identifier(self, namespace: str) -> Sql:
        """The identifier in a namespace."""
        prefix = {"user_id": USER, "anonymous_id": ANONYMOUS}.get(namespace)
        if prefix is None:
            return exp.Null()
        subject = exp.column("subject")
        own = exp.Case().when(fn("starts_with", subject, text(prefix)), fn("substr", subject, number(len(prefix) + 1)))
        if namespace != "anonymous_id":
            return own
        self.reads_anonymous = True
        return exp.Coalesce(this=own, expressions=[exp.column("anonymous")])

    def property(self, path: tuple[str, ...]) -> Looked:
        """A property of an event: from columns, or from the JSON where column names would clash."""
        name = ".".join(path)
        if self.paths.setdefault(name.casefold(), path) == path and name.isascii():
            return of_column(path, self.bind)
        return of_json(lambda: json_at(exp.column("properties"), path, self.bind))

    def query(self) -> Query:
        """The whole statement."""
        condition = condition_sql(self.expression, self)
        facts = self._facts()
        parts: list[tuple[str, exp.Select]] = [("owned", self.sources.owned())]
        if self.spans:
            zone_columns = [self.trait((name,)).raw() for name in ("timezone", "country")]
        if self.trait_names:
            parts += [("newest", self.sources.traits(self.trait_names)), ("traits", self._trait_values())]
        if self.spans:
            parts.append(("zoned", self._zoned(zone_columns)))
        statement = exp.select("subject").where(condition, copy=False)
        if self.aggregates or self.everyone or not self.trait_names:
            parts.append(("facts", facts))
            statement = statement.from_("facts", copy=False)
            if self.trait_names:
                statement = statement.join(
                    "traits", using="subject", join_type="left" if self.everyone else "full", copy=False
                )
        else:
            statement = statement.from_("traits", copy=False)
        if self.reads_anonymous:
            parts.append(("own_ids", own_ids()))
            statement = statement.join("own_ids", using="subject", join_type="left", copy=False)
        for name, select in parts:
            statement = statement.with_(name, as_=select, copy=False)
        used = frozenset(path for name, path in self.paths.items() if path in self._columned())
        return _query(statement, self.bind, used)

    def _columned(self) -> set[tuple[str, ...]]:
        return {path for path in self.paths.values() if ".".join(path).isascii()}

    def _facts(self) -> exp.Select:
        conjuncts = [self._conjuncts(node) for node in self.aggregates]
        shared: list[Sql] = []
        if not self.everyone and conjuncts:
            shared = [part for part in conjuncts[0] if all(part in others for others in conjuncts[1:])]
        columns = [
            exp.alias_(column, name)
            for node, parts in zip(self.aggregates, conjuncts, strict=True)
            for column, name in self._aggregate_columns(node, [part for part in parts if part not in shared])
        ]
        select = self.sources.events(*columns).where(exp.column("is_input"), *shared, copy=False)
        if not self.everyone and self.aggregates and len({node.event for node in self.aggregates}) > 1:
            names = sorted({node.event for node in self.aggregates})
            select = select.where(exp.In(this=exp.column("name"), expressions=[self.bind.bind(name) for name in names]))
        spans = [node.within for node in self.aggregates]
        if not self.everyone and spans and all(span is not None and not span.calendar for span in spans):
            longest = max(span.duration for span in spans if span is not None)
            select = select.where(exp.GT(this=exp.column("ts"), expression=self.bind.bind(self.instant - longest)))
        if not self.everyone and not self.aggregates:
            select = select.where(exp.false())
        if self.spans:
            owner = select.selects[0].this
            select = select.join(
                exp.to_table("zoned", alias="z"), join_type="left",
                on=exp.EQ(this=exp.column("subject", table="z"), expression=owner.copy()),
            )  # fmt: skip
        return select

    def _aggregate_columns(self, node: Aggregate, parts: list[Sql]) -> list[tuple[Sql, str]]:
        names = [column.name for column in self.aggregate(node)]

        def filtered(aggregate: Sql) -> Sql:
            return exp.Filter(this=aggregate, expression=exp.Where(this=all_of(parts))) if parts else aggregate

        looked = self.property(node.path) if node.path is not None else of_text(exp.Null)
        event = SqlEvent(
            timestamp=exp.column("ts"), number=looked.number, text=looked.text, raw=looked.raw, aggregate=filtered,
            total=lambda: self._total(looked, filtered),
        )  # fmt: skip
        made = OPERATORS[node.function].sql(event)
        columns = list(made.expressions) if isinstance(made, exp.Tuple) else [made]
        return list(zip(columns, names, strict=True))

    def _total(self, looked: Looked, filtered: Callable[[Sql], Sql]) -> Sql:
        return wide_sum(looked.number, filtered) if self.wide else filtered(exp.Sum(this=looked.number()))

    def _conjuncts(self, node: Aggregate) -> list[Sql]:
        """What an event must be to count for a function."""
        parts: list[Sql] = [exp.EQ(this=exp.column("name"), expression=self.bind.bind(node.event))]
        if node.within is not None:
            parts.append(exp.GT(this=exp.column("ts"), expression=self._back(node.within)))
        if node.before is not None:
            parts.append(exp.LTE(this=exp.column("ts"), expression=self._back(node.before)))
        if node.where is not None:
            parts.append(where_sql(node.where, self))
        return parts

    def _back(self, span: Span) -> Sql:
        if not span.calendar:
            return self.bind.bind(self.instant - span.duration)
        default = self.bind.bind(back_from(span)(self.instant, self.default_zone))
        return exp.Coalesce(this=exp.column(f"b{self.spans.index(span)}", table="z"), expressions=[default])

    def _zoned(self, zone_columns: list[Sql]) -> exp.Select:
        """Each profile's bounds of calendar windows, from the table of zones."""
        rows = [
            exp.Tuple(
                expressions=[
                    exp.Null() if row.timezone is None else self.bind.bind(row.timezone),
                    exp.Null() if row.country is None else self.bind.bind(row.country),
                    *(self.bind.bind(back_from(span)(self.instant, row.zone)) for span in self.spans),
                ]
            )
            for row in self.zones
        ]
        if not rows:
            rows = [exp.Tuple(expressions=[exp.Null()] * (2 + len(self.spans)))]
        bounds = [f"b{index}" for index in range(len(self.spans))]
        table = exp.alias_(exp.Values(expressions=rows), "zone", table=["tz", "country", *bounds])
        same = [
            exp.NullSafeEQ(this=exp.column(column.name, table="traits"), expression=exp.column(name, table="zone"))
            for column, name in zip(zone_columns, ("tz", "country"), strict=True)
        ]
        columns = [exp.cast(exp.column(bound, table="zone"), "bigint").as_(bound) for bound in bounds]
        return (
            exp.select(exp.column("subject", table="traits"), *columns).from_("traits").join(table, on=exp.and_(*same))
        )
