"""One statement for an expression: a column for each function, trait and identifier, and the sources of these joined.

Conditions are written by `sql_conditions.py`; `sql.py` asks for the statements.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from sqlglot import exp

from innkeeper.audiences.check import MEMBER, Subject
from innkeeper.audiences.merges import NEWEST, Merges
from innkeeper.audiences.nodes import ACCOUNT, Aggregate, Expression, OfAccount, OfObjects, object_nodes
from innkeeper.audiences.object_sql import LocalDate, TypeSql, types_of
from innkeeper.audiences.operators import OPERATORS
from innkeeper.audiences.operators.base import SqlEvent
from innkeeper.audiences.spans import Span, back_from
from innkeeper.audiences.sql_accounts import AccountColumns, member
from innkeeper.audiences.sql_carried import LEFT, carried_facts, columns_of, resumes
from innkeeper.audiences.sql_conditions import Columns, condition_sql, where_sql
from innkeeper.audiences.sql_memories import memories_sql
from innkeeper.audiences.sql_query import LocalZone, Query, calendar_spans, holds_for_nobody, query_of
from innkeeper.audiences.sql_sources import NOBODY, Persons, Sources, own_ids, sources_of
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
from innkeeper.events.reserved import readable
from innkeeper.kernel.errors import InternalError
from innkeeper.kernel.ids import ANONYMOUS, USER
from innkeeper.kernel.time import Instant
from innkeeper.objects.definition import ObjectType


class Statement(Columns):
    """One statement: gives each function, trait and identifier its column, and joins their sources."""

    def __init__(
        self, expression: Expression, at: Instant, zones: Sequence[LocalZone], default_zone: str, wide: bool,
        merges: Merges, carried: bool, objects: Mapping[str, ObjectType], dates: Sequence[LocalDate], persons: Persons,
        of: Subject = "profile", bind: Binder | None = None,
    ) -> None:  # fmt: skip
        # What accounts count is never carried: its raw events stay (runtime/retention.py).
        self.wide, self.carried, self.of = wide, carried and of == "profile", of
        self.expression, self.instant, self.zones, self.default_zone = expression, at, zones, default_zone
        self.bind = bind or Binder()
        self.sources = sources_of(self.bind, at, merges, of, persons)
        self.at = self.sources.at
        nodes = object_nodes(expression)
        self.accounts = AccountColumns(self.bind, self.at, [node for node in nodes if node.object == ACCOUNT])
        self.inner_properties: set[tuple[str, ...]] = set()
        self.aggregates: list[Aggregate] = []
        self.memory_names: list[str] = []
        self.trait_names: list[str] = []
        self.trait_paths: list[tuple[str, ...]] = []
        self.trait_columns: set[str] = set()
        self.paths: dict[str, tuple[str, ...]] = {}
        self.spans = calendar_spans(expression)
        self.reads_anonymous = False
        self.types = {
            declared.name: TypeSql(
                place, declared, [node for node in nodes if node.object == declared.name], self.bind, self.at, dates
            )
            for place, declared in enumerate(types_of(nodes, objects))
        }
        self.everyone = bool(self.types or self.accounts.nodes) or holds_for_nobody(expression, at)

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

    def account(self, path: tuple[str, ...]) -> Looked:
        """A trait of the profile's account, its id, or the role in it."""
        return self.accounts.look(path)

    def of_account(self, node: OfAccount) -> Sql:
        """Whether the profile's account is among those for which the condition holds."""
        return exp.In(this=self.accounts.id(), query=self.accounts_where(node))

    def accounts_where(self, node: OfAccount) -> exp.Subquery:
        """The accounts for which the condition holds."""
        zones = [row for row in self.zones if row.of == "account"]
        inner = Statement(
            node.when,
            self.instant,
            zones,
            self.default_zone,
            self.wide,
            NEWEST,
            False,
            {},
            (),
            NOBODY,
            "account",
            self.bind,
        )
        members, used = inner.select()
        self.inner_properties |= used
        return exp.Subquery(this=members)

    def _trait_values(self) -> exp.Select:
        """The columns of traits that the condition asked for, each from the one before it."""
        columns: list[Sql] = [exp.column("subject")]
        for index, path in enumerate(self.trait_paths):
            raw: Sql = exp.column(f"t{self.trait_names.index(path[0])}")
            base = f"v{index}"
            if not readable(path):
                raw = exp.Null()
            elif len(path) > 1:
                raw = json_at(raw, path[1:], self.bind)
            columns.append(exp.alias_(raw, base, copy=False))
            made = {"n": micro(exp.column(base)), "s": unquoted(exp.column(base)), "i": instant(exp.column(f"{base}s"))}
            columns += [
                exp.alias_(value, base + kind) for kind, value in made.items() if base + kind in self.trait_columns
            ]
        return exp.select(*columns).from_("newest")

    def memory(self, path: tuple[str, ...]) -> Looked:
        """What is remembered: a column of the table `remembered`."""
        if path[0] not in self.memory_names:
            self.memory_names.append(path[0])
        raw: Sql = exp.column(f"m{self.memory_names.index(path[0])}")
        return of_json(lambda: json_at(raw, path[1:], self.bind) if len(path) > 1 else raw.copy())

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
        if self.of == "account" and path == (MEMBER,):
            return member()
        if self.paths.setdefault(name.casefold(), path) == path and name.isascii():
            return of_column(path, self.bind)
        return of_json(lambda: json_at(exp.column("properties"), path, self.bind))

    def of_objects(self, node: OfObjects) -> Sql:
        """The column of a function over objects or accounts."""
        if node.object == ACCOUNT:
            return exp.column(f"af{self.accounts.nodes.index(node)}")
        of = self.types.get(node.object)
        return exp.Null() if of is None else exp.column(of.column(of.nodes.index(node)))

    def _objects(self) -> list[tuple[str, exp.Select]]:
        """What the functions over objects are read from."""
        parts: list[tuple[str, exp.Select]] = []
        for of in self.types.values():
            reading = _OfOne(self, of)
            conditions = [None if node.where is None else condition_sql(node.where, reading) for node in of.nodes]
            parts += [*of.objects(), *of.dated(), *of.held(conditions)]
        return parts

    def _accounts(self) -> list[tuple[str, exp.Query]]:
        """What is read of accounts."""
        reading = _OfOneAccount(self)
        nodes = self.accounts.nodes
        return self.accounts.parts(
            [None if each.where is None else condition_sql(each.where, reading) for each in nodes]
        )

    def query(self) -> Query:
        """The whole statement."""
        statement, used = self.select()
        return query_of(statement, self.bind, used)

    def select(self) -> tuple[exp.Select, frozenset[tuple[str, ...]]]:
        """The statement as a tree, and the properties that the view `events` must have columns for."""
        condition = condition_sql(self.expression, self)
        facts = self._facts()
        parts = self.sources.prelude()
        if self.spans:
            zone_columns = [self.trait((name,)).raw() for name in ("timezone", "country")]
        if self.trait_names:
            parts += [("newest", self.sources.traits(self.trait_names)), ("traits", self._trait_values())]
        if self.spans:
            parts.append(("zoned", self._zoned(zone_columns)))
        tables = ["traits"] if self.trait_names else []
        if self.memory_names:
            parts.append(("remembered", memories_sql(self.memory_names, self.sources.events, self.bind)))
            tables.append("remembered")
        if self.aggregates or self.everyone or not tables:
            parts += [("facts", facts)] if not self._is_resumed() else [(LEFT, facts), *self._carried()]
            tables.insert(0, "facts")
        statement = exp.select("subject").where(condition, copy=False).from_(tables[0], copy=False)
        for table in tables[1:]:
            statement = statement.join(
                table, using="subject", join_type="left" if self.everyone else "full", copy=False
            )
        if self.reads_anonymous:
            parts.append(("own_ids", own_ids()))
            statement = statement.join("own_ids", using="subject", join_type="left", copy=False)
        if self.accounts.used or self.accounts.nodes:
            parts += self._accounts()
        for table in self.accounts.tables():
            statement = statement.join(table, using="subject", join_type="left", copy=False)
        parts += self._objects()
        for of in self.types.values():
            statement = statement.join(f"{of.name}_of", using="subject", join_type="left", copy=False)
        for name, select in parts:
            statement = statement.with_(name, as_=select, copy=False)
        used = frozenset(path for name, path in self.paths.items() if path in self._columned())
        return statement, used | self.inner_properties

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
        operator = OPERATORS[node.function]
        build = (operator.carried.left if self.carried and resumes(node) else None) or operator.sql
        return list(zip(columns_of(build(event)), names, strict=True))

    def _is_resumed(self) -> bool:
        """Whether carried totals take part in the answer."""
        return self.carried and (self.everyone or any(resumes(node) for node in self.aggregates))

    def _carried(self) -> list[tuple[str, exp.Select]]:
        """`facts` from the events that are left and from what was carried of those that went."""
        functions = [(node, [column.name for column in self.aggregate(node)]) for node in self.aggregates]
        assert isinstance(self.sources, Sources)
        return carried_facts(functions, self.bind, partial(self.sources.events, view="carried"))

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
            if row.of == self.of
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


class _OfOne(Columns):
    """What a condition on objects reads: the columns of one object in one role, and the instant."""

    def __init__(self, statement: Statement, of: TypeSql | AccountColumns) -> None:
        self.bind, self.at, self.of = statement.bind, statement.at, of

    def property(self, path: tuple[str, ...]) -> Looked:
        return self.of.property(path)

    def aggregate(self, node: Aggregate) -> list[Sql]:
        raise InternalError("an object has no events of its own", code="bad-expression")

    def trait(self, path: tuple[str, ...]) -> Looked:
        raise InternalError("an object has no traits", code="bad-expression")

    def memory(self, path: tuple[str, ...]) -> Looked:
        raise InternalError("an object has no memories", code="bad-expression")

    def identifier(self, namespace: str) -> Sql:
        return exp.Null()

    def account(self, path: tuple[str, ...]) -> Looked:
        raise InternalError("an object has no account", code="bad-expression")

    def of_account(self, node: OfAccount) -> Sql:
        raise InternalError("an object has no account", code="bad-expression")

    def of_objects(self, node: OfObjects) -> Sql:
        raise InternalError("an object has no objects", code="bad-expression")


class _OfOneAccount(_OfOne):
    """What a condition on the accounts of a profile reads: the columns of one of them, and the instant."""

    def __init__(self, statement: Statement) -> None:
        super().__init__(statement, statement.accounts)
        self.statement = statement

    def of_account(self, node: OfAccount) -> Sql:
        """Whether the account is among those for which a condition holds."""
        return exp.In(this=self.of.property(("id",)).text(), query=self.statement.accounts_where(node))
