"""Objects in SQL: what every object is as of an instant, who has a role in it, and functions over a profile's objects.

The newest word on each field wins, by (ts, source, message_id), as in `objects/fold.py`; days and local times become
instants by a table that `local_dates_query` asks for and Python fills in, so that zones are those of the fold.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlglot import exp

from innkeeper.audiences.nodes import OfObjects, Path, walk
from innkeeper.audiences.object_events import raw_columns, read_columns
from innkeeper.audiences.sql_values import (
    Binder,
    Looked,
    Sql,
    any_of,
    fn,
    instant,
    json_at,
    number,
    of_json,
    of_text,
    text,
    two_valued,
    unquoted,
)
from innkeeper.kernel.time import Instant
from innkeeper.objects.dates import UNZONED
from innkeeper.objects.definition import ObjectType

Part = tuple[str, exp.Select]


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalDate:
    """A day or local time of an object, the zone that the object names (None: none), and the instant that it means."""

    type: str
    date: str
    text: str
    zone: str | None
    at: Instant | None


def _fields(nodes: Sequence[OfObjects], declared: ObjectType) -> list[str]:
    """The properties that functions over a type read, with the zones of the dates among them."""
    read = {node.path[0] for node in nodes if node.path is not None}
    for node in nodes:
        if node.where is not None:
            read |= {each.parts[0] for each in walk(node.where) if isinstance(each, Path) and each.root == "property"}
    zones = {rule.zone_from for name, rule in declared.dates.items() if name in read and rule.zone_from is not None}
    return sorted((read | zones) & declared.properties)


class TypeSql:
    """The common table expressions of one type; their names begin with `o` and its number.

    Args:
        place: Its number in the statement.
        nodes: The functions over it.
        at: The instant that is asked about, as a placeholder.
        dates: Local dates and their instants; None: they are what is asked for.
    """

    def __init__(
        self, place: int, declared: ObjectType, nodes: Sequence[OfObjects], bind: Binder, at: Sql,
        dates: Sequence[LocalDate] | None,
    ) -> None:  # fmt: skip
        self.name, self.declared, self.nodes, self.bind, self.at = f"o{place}", declared, nodes, bind, at
        self.fields = _fields(nodes, declared)
        self.roles = sorted(declared.roles)
        self.dates = [name for name in self.fields if name in declared.dates]
        self.local = None if dates is None else [each for each in dates if each.type == declared.name]

    def objects(self) -> list[Part]:
        """What every object is: `{name}_is`."""
        raw = raw_columns(self.declared, self.fields, self.roles, self.bind)
        columns = read_columns(self.declared, self.fields, self.roles)
        names = exp.In(this=exp.column("name"), expressions=[self.bind.bind(each) for each in self._events()])
        before = exp.LTE(this=exp.column("ts"), expression=self.at.copy())
        keys = ("ts", "source", "message_id", "name")
        heard = _select(*keys, "identifier", *_named(raw)).from_("events", copy=False)
        heard = heard.where(exp.column("is_input"), before, names, copy=False)
        said = _select(*keys, *_named(columns)).from_(f"{self.name}_heard", copy=False)
        removal = exp.EQ(this=exp.column("name"), expression=text("Object Removed"))
        gone = _select("id", exp.alias_(exp.Max(this=_stamp()), "gone", copy=False))
        gone = gone.from_(f"{self.name}_said", copy=False).where(removal, _there("id"), copy=False)
        newest = [
            exp.alias_(_filtered(fn("arg_max", exp.column(name), _stamp()), _there(name)), name, copy=False)
            for name, _ in columns
            if name != "id"
        ]
        newest += [
            exp.alias_(_filtered(exp.Max(this=exp.column("ts")), _there(f"r{index}")), f"t{index}", copy=False)
            for index, _ in enumerate(self.roles)
        ]
        standing = _select("id", *newest).from_(f"{self.name}_said", copy=False)
        standing = standing.join(f"{self.name}_gone", using="id", join_type="left", copy=False)
        after = any_of(
            [
                exp.Is(this=exp.column("gone"), expression=exp.Null()),
                exp.GT(this=_stamp(), expression=exp.column("gone")),
            ]
        )
        standing = standing.where(_there("id"), exp.Not(this=removal.copy()), after, copy=False)
        return [
            (f"{self.name}_heard", heard), (f"{self.name}_said", said),
            (f"{self.name}_gone", gone.group_by("id", copy=False)),
            (f"{self.name}_is", standing.group_by("id", copy=False)),
        ]  # fmt: skip

    def _events(self) -> list[str]:
        return sorted({*self.declared.events, "Object Updated", "Object Removed"})

    def field(self, name: str) -> Sql:
        """JSON text of a property; NULL: missing."""
        return fn("nullif", exp.column(f"p{self.fields.index(name)}"), text("null"))

    def _zone_text(self, name: str) -> Sql:
        zone_from = self.declared.dates[name].zone_from
        return exp.cast(exp.Null() if zone_from is None else unquoted(self.field(zone_from)), "varchar")

    def local_dates(self) -> exp.Select:
        """The distinct local dates: place of the date's name, text, zone that the object names."""
        selects = []
        for index, name in enumerate(self.dates):
            value = unquoted(self.field(name))
            is_local = fn("regexp_full_match", value.copy(), text(UNZONED))
            selects.append(
                exp.select(
                    exp.alias_(number(index), "d"), exp.alias_(value, "txt"), exp.alias_(self._zone_text(name), "tz")
                )
                .distinct().from_(f"{self.name}_is").where(is_local)
            )  # fmt: skip
        statement = exp.union(*selects) if len(selects) > 1 else selects[0]
        return exp.select("d", "txt", "tz").from_(statement.subquery("found"))

    def dated(self) -> list[Part]:
        """`{name}_at`: the objects with a column of microseconds for each date."""
        if not self.dates:
            return [(f"{self.name}_at", exp.select("*").from_(f"{self.name}_is"))]
        table = exp.alias_(exp.Values(expressions=self._given()), "given", table=["d", "txt", "tz", "at"])
        statement = exp.select(exp.column(exp.Star(), table="i")).from_(exp.to_table(f"{self.name}_is", alias="i"))
        for index, name in enumerate(self.dates):
            value, alias = unquoted(self.field(name)), f"l{index}"
            same = exp.and_(
                exp.EQ(this=exp.column("d", table=alias), expression=number(index)),
                exp.EQ(this=exp.column("txt", table=alias), expression=value.copy()),
                exp.NullSafeEQ(this=exp.column("tz", table=alias), expression=self._zone_text(name)),
            )
            statement = statement.join(exp.to_table(f"{self.name}_local", alias=alias), on=same, join_type="left")
            at = exp.Coalesce(this=exp.cast(exp.column("at", table=alias), "bigint"), expressions=[instant(value)])
            statement = statement.select(exp.alias_(at, f"d{index}"))
        return [(f"{self.name}_local", exp.select("*").from_(table)), (f"{self.name}_at", statement)]

    def _given(self) -> list[Sql]:
        """The rows of the table of local dates."""
        rows: list[Sql] = [
            exp.Tuple(
                expressions=[
                    number(self.dates.index(each.date)), self.bind.bind(each.text),
                    exp.Null() if each.zone is None else self.bind.bind(each.zone),
                    exp.Null() if each.at is None else self.bind.bind(each.at),
                ]
            )
            for each in self.local or ()
        ]  # fmt: skip
        return rows or [exp.Tuple(expressions=[exp.Null()] * 4)]

    def held(self, conditions: Sequence[Sql | None]) -> list[Part]:
        """`{name}_of`: per subject the columns of the functions, whose conditions are given in their order."""
        by_role = [
            self._in_role(text(role), exp.column(f"r{index}"), exp.column(f"t{index}"))
            .where(exp.NEQ(this=exp.column(f"r{index}"), expression=text("")))
            for index, role in enumerate(self.roles)
        ] or [self._in_role(text(""), text(""), number(0)).where(exp.false())]  # fmt: skip
        rows = exp.union(*by_role, distinct=False) if len(by_role) > 1 else by_role[0]
        owner = exp.Coalesce(this=exp.column("subject", table="o"), expressions=[exp.column("holder", table="h")])
        columns: list[Sql] = []
        for index, (node, condition) in enumerate(zip(self.nodes, conditions, strict=True)):
            holds = exp.true() if condition is None else two_valued(condition)
            columns.append(exp.alias_(fn("bool_or", holds), f"w{index}"))
            if node.path is not None:
                columns.append(exp.alias_(exp.Max(this=self.property(node.path).number()), f"m{index}"))
        each = (
            exp.select(exp.alias_(owner, "subject"), "id", *columns)
            .from_(rows.subquery("h"))
            .join(
                exp.to_table("owned", alias="o"), join_type="left",
                # A role that is held under a browser is of whoever had it when that was said.
                on=exp.and_(
                    exp.EQ(this=exp.column("identifier", table="o"), expression=exp.column("holder", table="h")),
                    exp.GTE(this=exp.column("said", table="h"), expression=exp.column("since", table="o")),
                    exp.LT(this=exp.column("said", table="h"), expression=exp.column("until", table="o")),
                ),
            )
            .group_by(number(1), number(2))
        )  # fmt: skip
        totals = [exp.alias_(self._total(index, node), self.column(index)) for index, node in enumerate(self.nodes)]
        summed = exp.select("subject", *totals).from_(f"{self.name}_each").group_by("subject")
        return [(f"{self.name}_each", each), (f"{self.name}_of", summed)]

    def _in_role(self, role: Sql, holder: Sql, said: Sql) -> exp.Select:
        named = [exp.alias_(role, "role"), exp.alias_(holder, "holder"), exp.alias_(said, "said")]
        return exp.select("*", *named).from_(f"{self.name}_at")

    def _total(self, index: int, node: OfObjects) -> Sql:
        value: Sql = exp.Count(this=exp.Star()) if node.path is None else exp.Sum(this=exp.column(f"m{index}"))
        return _filtered(value, exp.column(f"w{index}"))

    def column(self, index: int) -> str:
        """The column of a function in `{name}_of`."""
        return f"{self.name}_f{index}"

    def property(self, path: tuple[str, ...]) -> Looked:
        """What a condition reads of an object in a role."""
        name, rest = path[0], path[1:]
        if rest and (name in self.dates or name in ("id", "status", "role")):
            return of_text(exp.Null)
        if name in ("id", "role"):
            return of_text(lambda: exp.column(name))
        if name == "status":
            return of_json(lambda: fn("nullif", exp.column("status"), text("null")))
        if name in self.dates:
            return self._date(self.dates.index(name))
        if name not in self.fields:
            return of_text(exp.Null)
        if rest:
            return of_json(lambda: json_at(exp.cast(self.field(name), "json"), rest, self.bind))
        return of_json(lambda: self.field(name))

    def _date(self, index: int) -> Looked:
        def micros() -> Sql:
            return exp.column(f"d{index}")

        def shown() -> Sql:
            # As `objects.dates.sortable` writes it.
            written = fn("strftime", fn("make_timestamp", micros()), text("%Y-%m-%dT%H:%M:%S.%fZ"))
            return fn("lpad", written, number(27), text("0"))

        def quoted() -> Sql:
            opened = exp.DPipe(this=text('"'), expression=shown(), safe=True)
            return exp.DPipe(this=opened, expression=text('"'), safe=True)

        return Looked(quoted, exp.Null, shown, micros)


def _select(*columns: str | Sql) -> exp.Select:
    return exp.select(*columns, copy=False)


def _named(columns: Sequence[tuple[str, Sql]]) -> list[Sql]:
    return [exp.alias_(value, name, copy=False) for name, value in columns]


def _stamp() -> Sql:
    return fn("row", exp.column("ts"), exp.column("source"), exp.column("message_id"))


def _there(name: str) -> Sql:
    return exp.Not(this=exp.Is(this=exp.column(name), expression=exp.Null()))


def _filtered(aggregate: Sql, condition: Sql) -> Sql:
    return exp.Filter(this=aggregate, expression=exp.Where(this=condition))


def types_of(nodes: Sequence[OfObjects], objects: Mapping[str, ObjectType]) -> list[ObjectType]:
    """The types that functions are over, in the order of their names."""
    return [objects[name] for name in sorted({node.object for node in nodes}) if name in objects]
