"""What each event says of an object, as SQL columns over one event: the counterpart of `objects.fold.said_by`.

`id`: the object's id. `status` and `pN`: JSON text, `null` where the event removes, NULL where it says nothing. `rN`:
the holder's identifier, empty where the event removes. Next: `object_sql.py` keeps the newest of each.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import exp

from innkeeper.audiences.sql_values import Binder, Sql, all_of, any_of, fn, text, unquoted
from innkeeper.kernel.ids import NAMESPACES, USER
from innkeeper.kernel.json import dumps
from innkeeper.objects.definition import REMOVED, UPDATED, ObjectType, Source

_NULL = "null"


def said_columns(
    declared: ObjectType, fields: Sequence[str], roles: Sequence[str], bind: Binder
) -> list[tuple[str, Sql]]:
    """The columns by name, over one row of `events`."""
    writer = _Writer(declared, bind)
    columns = [("id", writer.id()), ("status", writer.status())]
    columns += [(f"p{index}", writer.field(name)) for index, name in enumerate(fields)]
    return columns + [(f"r{index}", writer.role(role)) for index, role in enumerate(roles)]


class _Writer:
    def __init__(self, declared: ObjectType, bind: Binder) -> None:
        self.declared, self.bind = declared, bind

    def id(self) -> Sql:
        explicit = all_of(
            [
                exp.In(this=exp.column("name"), expressions=[text(UPDATED), text(REMOVED)]),
                exp.EQ(this=unquoted(self._raw(("object",))), expression=self.bind.bind(self.declared.name)),
            ]
        )
        case = exp.Case().when(explicit, _id_text(self._raw(("id",))))
        for name, rule in self.declared.events.items():
            case = case.when(self._is(name), _id_text(self._raw(rule.id)))
        return case

    def status(self) -> Sql:
        case = exp.Case().when(self._is(UPDATED), _status(self._raw(("status",), keep_null=True)))
        for name, rule in self.declared.events.items():
            if rule.status is not None:
                case = case.when(self._is(name), self._fixed_status(rule.status))
        return case

    def _fixed_status(self, source: Source) -> Sql:
        if source.path:
            return exp.Coalesce(this=_status(self._raw(source.path)), expressions=[text(_NULL)])
        value = source.value
        return self.bind.bind(dumps(value) if isinstance(value, str) and value else _NULL)

    def field(self, name: str) -> Sql:
        """A property's value in any event that says one."""
        case = exp.Case().when(self._is(UPDATED), self._raw(("set", name), keep_null=True))
        plain = []
        for event, rule in self.declared.events.items():
            source = dict(rule.sets).get(name)
            if source is None:
                plain.append(self.bind.bind(event))
            else:
                case = case.when(self._is(event), self._sourced(source))
        if plain:
            case = case.when(exp.In(this=exp.column("name"), expressions=plain), self._raw((name,), keep_null=True))
        return case

    def _sourced(self, source: Source) -> Sql:
        if source.path:
            return exp.Coalesce(this=self._raw(source.path), expressions=[text(_NULL)])
        return self.bind.bind(dumps(source.value))

    def role(self, role: str) -> Sql:
        """The holder that an event names, or is."""
        case = exp.Case().when(self._is(UPDATED), _holder(self._raw(("roles", role), keep_null=True)))
        path = self.declared.roles[role]
        names = [self.bind.bind(event) for event in self.declared.events]
        if not names:
            return case
        value = exp.column("identifier") if path is None else _holder(self._raw(path, keep_null=True))
        return case.when(exp.In(this=exp.column("name"), expressions=names), value)

    def _is(self, name: str) -> Sql:
        return exp.EQ(this=exp.column("name"), expression=self.bind.bind(name))

    def _raw(self, path: tuple[str, ...], *, keep_null: bool = False) -> Sql:
        """JSON text at a path of objects; JSON null is `null`, or NULL as where there is nothing."""
        found: Sql = exp.column("properties")
        for index, part in enumerate(path):
            pointer = self.bind.bind("/" + part.replace("~", "~0").replace("/", "~1"))
            value: Sql = fn("json_extract", found, pointer)
            if index or (part.isascii() and part.isdigit()):
                is_object = exp.EQ(this=fn("json_type", found.copy()), expression=text("OBJECT"))
                value = exp.Case().when(is_object, value)
            found = value
        said: Sql = exp.cast(found, "varchar", copy=False)
        return said if keep_null else fn("nullif", said, text(_NULL))


def _id_text(raw: Sql) -> Sql:
    """As `objects.fold.id_text`: a text that is not empty, or a number in its shortest form."""
    wide = exp.TryCast(this=raw.copy(), to=exp.DataType.build("decimal(38, 6)"))
    limit = exp.cast(text("1" + "0" * 30), "decimal(38, 6)")
    inside = exp.and_(
        exp.GT(this=wide.copy(), expression=exp.Neg(this=limit.copy())),
        exp.LT(this=wide.copy(), expression=limit.copy()),
    )
    digits = fn("regexp_replace", exp.cast(wide.copy(), "varchar"), text(r"\.?0+$"), text(""))
    written = fn("nullif", unquoted(raw), text(""))
    return exp.Coalesce(this=written, expressions=[exp.Case().when(inside, digits)])


def _status(raw: Sql) -> Sql:
    """A status as JSON text: anything but a text removes it."""
    is_text = exp.and_(fn("starts_with", raw.copy(), text('"')), exp.NEQ(this=raw.copy(), expression=text('""')))
    there = exp.Not(this=exp.Is(this=raw.copy(), expression=exp.Null()))
    return exp.Case().when(is_text, raw.copy()).when(there, text(_NULL))


def _holder(raw: Sql) -> Sql:
    """The identifier of a role's value; empty: nobody."""
    name = _id_text(raw)
    named = any_of([fn("starts_with", name.copy(), text(f"{space}:")) for space in sorted(NAMESPACES)])
    user = exp.DPipe(this=text(USER), expression=name.copy(), safe=True)
    identifier = exp.Case().when(named, name.copy()).else_(user)
    there = exp.Not(this=exp.Is(this=raw.copy(), expression=exp.Null()))
    return exp.Case().when(there, exp.Coalesce(this=identifier, expressions=[text("")]))
