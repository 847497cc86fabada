"""Traits in SQL: one value of each trait per profile, by the rule of `merges.py`.

Most rules are one aggregate over the events that carry traits. `add`, `max` and `min` look at the newest value of each
identifier, so they go in two steps. `sql.py` gives the events with their owner.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sqlglot import exp

from innkeeper.audiences.merges import ADD_LIMIT, ORDINARY_TRUST, Merges, TraitRule
from innkeeper.audiences.sql_values import Binder, Sql, fn, instant, micro, number, text, unquoted
from innkeeper.kernel.numbers import MICRO

#: The events of some columns, grouped by their owner: `_Sources.events` in sql.py.
Events = Callable[..., exp.Select]
_TRAIT_UPDATES = "Traits Updated"
_BY_IDENTIFIER = ("add", "max", "min")


def traits_sql(names: Sequence[str], merges: Merges, events: Events, bind: Binder, at: Sql) -> exp.Select:
    """The columns `subject`, `t0`, `t1`, ...: each trait's value at an instant as JSON text, NULL where it has none."""
    builder = _Traits(names, merges, events, bind, at)
    return builder.in_two_steps() if any(builder.apart(name) for name in names) else builder.in_one()


class _Traits:
    def __init__(self, names: Sequence[str], merges: Merges, events: Events, bind: Binder, at: Sql) -> None:
        self.names, self.merges, self.events, self.bind, self.at = names, merges, events, bind, at

    def rule(self, name: str) -> TraitRule:
        """How a trait is merged."""
        return self.merges.rules.get(name) or TraitRule()

    def apart(self, name: str) -> bool:
        """Whether a trait is settled per identifier first."""
        return self.rule(name).merge in _BY_IDENTIFIER

    def in_one(self) -> exp.Select:
        """All traits in one pass."""
        columns = [
            exp.alias_(fn("nullif", self._chosen(name, ranked=False), text("null")), f"t{index}")
            for index, name in enumerate(self.names)
        ]
        return self._carrying(self.events(*columns))

    def in_two_steps(self) -> exp.Select:
        """Per identifier first, then per profile."""
        columns: list[Sql] = [exp.column("identifier", table="e")]
        for index, name in enumerate(self.names):
            columns.append(exp.alias_(self._chosen(name, ranked=True), f"w{index}"))
        said = self._carrying(self.events(*columns)).group_by(number(2))
        merged = [
            exp.alias_(fn("nullif", self._merged(name, f"w{index}"), text("null")), f"t{index}")
            for index, name in enumerate(self.names)
        ]
        return exp.select(exp.column("subject"), *merged).from_(said.subquery("said")).group_by(number(1))

    def _carrying(self, select: exp.Select) -> exp.Select:
        update = exp.EQ(this=exp.column("name"), expression=text(_TRAIT_UPDATES))
        return select.where(
            exp.or_(exp.column("is_input"), update), exp.NEQ(this=exp.column("traits"), expression=text("{}"))
        )

    def _chosen(self, name: str, *, ranked: bool) -> Sql:
        """The word of a trait that wins among some events: its JSON text, or a row of the text and its rank."""
        pointer = self.bind.bind("/" + name.replace("~", "~0").replace("/", "~1"))
        value = exp.cast(fn("json_extract", exp.column("traits"), pointer), "varchar")
        there: Sql = exp.Not(this=exp.Is(this=value.copy(), expression=exp.Null()))
        if name in self.merges.kept:
            ended = exp.Sub(this=self.at.copy(), expression=number(self.merges.kept[name]))
            there = exp.and_(there, exp.GT(this=exp.column("ts"), expression=ended))
        rule = self.rule(name)
        rank: list[Sql] = [exp.column("ts"), exp.column("source"), exp.column("message_id")]
        function = "arg_max"
        if rule.merge == "oldest":
            function = "arg_min"
            there = exp.and_(there, exp.NEQ(this=value.copy(), expression=text("null")))
        elif rule.merge == "trusted":
            rank.insert(0, self._trust())
        told = fn("row", value, *rank) if ranked else value
        return exp.Filter(this=fn(function, told, fn("row", *rank)), expression=exp.Where(this=there))

    def _trust(self) -> Sql:
        case = exp.Case()
        for source, trust in sorted(self.merges.trust.items()):
            case = case.when(exp.EQ(this=exp.column("source"), expression=self.bind.bind(source)), number(trust))
        return case.else_(number(ORDINARY_TRUST)) if self.merges.trust else number(ORDINARY_TRUST)

    def _merged(self, name: str, word: str) -> Sql:
        rule = self.rule(name)
        value = fn("struct_extract", exp.column(word), number(1))
        count = 5 if rule.merge == "trusted" else 4
        rank = [fn("struct_extract", exp.column(word), number(place)) for place in range(2, count + 1)]
        if rule.merge == "add":
            return _sum(value)
        if rule.merge in ("max", "min"):
            size = instant(unquoted(value)) if rule.type == "instant" else micro(value)
            signed: Sql = exp.Neg(this=exp.paren(size)) if rule.merge == "min" else size
            there: Sql = exp.Not(this=exp.Is(this=exp.paren(size.copy()), expression=exp.Null()))
            return _of_best("arg_max", value, [signed, *rank], there)
        there = exp.Not(this=exp.Is(this=exp.column(word), expression=exp.Null()))
        return _of_best("arg_min" if rule.merge == "oldest" else "arg_max", value, rank, there)


def _of_best(function: str, value: Sql, rank: Sequence[Sql], there: Sql) -> Sql:
    return exp.Filter(this=fn(function, value, fn("row", *rank)), expression=exp.Where(this=there))


def _sum(value: Sql) -> Sql:
    """The JSON text of a sum: an integer where it is whole, else the nearest double."""
    counted = micro(value)
    limit = exp.cast(text(str(ADD_LIMIT)), "hugeint")
    there = exp.and_(
        exp.GT(this=exp.paren(counted.copy()), expression=exp.Neg(this=limit.copy())),
        exp.LT(this=exp.paren(counted.copy()), expression=limit),
    )
    total = exp.Filter(this=exp.Sum(this=counted), expression=exp.Where(this=there))
    whole = exp.EQ(this=exp.Mod(this=total, expression=number(MICRO)), expression=number(0))
    size = fn("abs", total)
    digits = fn("lpad", exp.cast(exp.Mod(this=size, expression=number(MICRO)), "varchar"), number(6), text("0"))
    parts: list[Sql] = [
        exp.paren(exp.Case().when(exp.LT(this=total.copy(), expression=number(0)), text("-")).else_(text(""))),
        exp.cast(exp.IntDiv(this=size.copy(), expression=number(MICRO)), "varchar"),
        text("."),
        digits,
    ]
    # Not concat(): it would leave out what is NULL.
    exact: Sql = parts[0]
    for part in parts[1:]:
        exact = exp.DPipe(this=exact, expression=part, safe=True)
    return (
        exp.Case()
        .when(whole, exp.cast(exp.IntDiv(this=total.copy(), expression=number(MICRO)), "varchar"))
        .else_(exp.cast(exp.cast(exact, "double"), "varchar"))
    )
