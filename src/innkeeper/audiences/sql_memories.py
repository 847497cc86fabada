"""Memories in SQL: the word that stands on each of some things, per profile, as `memories.py` has it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sqlglot import exp

from innkeeper.audiences.memories import FORGOTTEN, MEMORY_EVENTS, NOTED
from innkeeper.audiences.sql_values import Binder, Sql, fn, json_at, number, text

#: Before every instant.
_NEVER = -(2**62)


def memories_sql(names: Sequence[str], events: Callable[..., exp.Select], bind: Binder) -> exp.Select:
    """The columns `subject`, `m0`, `m1`, ...: what is remembered, as JSON text; NULL: nothing."""
    columns = [exp.alias_(_standing(name, bind), f"m{index}") for index, name in enumerate(names)]
    wanted = exp.In(this=exp.column("name"), expressions=[text(name) for name in sorted(MEMORY_EVENTS)])
    return events(*columns).where(exp.column("is_input"), wanted)


def _standing(name: str, bind: Binder) -> Sql:
    about = exp.EQ(this=json_at(exp.column("properties"), ("about",), bind), expression=bind.bind(_json(name)))
    explicit = exp.EQ(this=json_at(exp.column("properties"), ("explicit",), bind), expression=text("true"))
    value = json_at(exp.column("properties"), ("value",), bind)
    rank = fn("row", exp.column("ts"), exp.column("source"), exp.column("message_id"))
    noted = exp.and_(
        exp.EQ(this=exp.column("name"), expression=text(NOTED)),
        about,
        exp.Not(this=exp.Is(this=value.copy(), expression=exp.Null())),
    )
    gone = exp.and_(exp.EQ(this=exp.column("name"), expression=text(FORGOTTEN)), about.copy())
    forgotten = exp.Coalesce(this=_where(exp.Max(this=exp.column("ts")), gone), expressions=[number(_NEVER)])
    case = exp.Case()
    inferred = exp.Not(this=exp.Coalesce(this=explicit.copy(), expressions=[exp.false()]))
    for kind in (explicit, inferred):
        mine = exp.and_(noted.copy(), kind)
        latest = _where(exp.Max(this=exp.column("ts")), mine)
        said = _where(fn("arg_max", value, rank), mine.copy())
        case = case.when(exp.GT(this=latest, expression=forgotten.copy()), said)
    return case


def _where(aggregate: Sql, condition: Sql) -> Sql:
    return exp.Filter(this=aggregate, expression=exp.Where(this=condition))


def _json(name: str) -> str:
    from innkeeper.kernel.json import dumps

    return dumps(name)
