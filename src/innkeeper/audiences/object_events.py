"""What each event says of an object, as SQL columns over one event: the counterpart of `objects.fold.said_by`.

`id`: the object's id. `status` and `pN`: JSON text, `null` where the event removes, NULL where it says nothing. `rN`:
the holder's identifier, empty where the event removes. Next: `object_sql.py` keeps the newest of each.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import exp

from innkeeper.audiences.sql_values import Binder, Sql, all_of, any_of, fn, own, text, unquoted
from innkeeper.kernel.ids import NAMESPACES, USER
from innkeeper.kernel.json import dumps
from innkeeper.objects.definition import REMOVED, UPDATED, ObjectType, Source

_NULL = "null"


def raw_columns(
    declared: ObjectType, fields: Sequence[str], roles: Sequence[str], bind: Binder
) -> list[tuple[str, Sql]]:
    """The values as JSON texts, over one row of `events`; `read_columns` makes identifiers of them."""
    writer = _Writer(declared, bind)
    columns = [("id_raw", writer.id()), ("status_raw", writer.status())]
    columns += [(f"p{index}", writer.field(name)) for index, name in enumerate(fields)]
    return columns + [(f"r{index}_raw", writer.role(role)) for index, role in enumerate(roles)]


def read_columns(declared: ObjectType, fields: Sequence[str], roles: Sequence[str]) -> list[tuple[str, Sql]]:
    """The columns, over one row of `raw_columns`."""
    columns = [("id", _id_text("id_raw")), ("status", _status("status_raw"))]
    columns += [(f"p{index}", exp.column(f"p{index}")) for index, _ in enumerate(fields)]
    for index, role in enumerate(roles):
        held: Sql = _holder(f"r{index}_raw")
        if declared.roles[role] is None:
            explicit = exp.In(this=exp.column("name"), expressions=[text(UPDATED), text(REMOVED)])
            held = case((explicit, held), other=exp.column("identifier"))
        columns.append((f"r{index}", held))
    return columns


def case(*whens: tuple[Sql, Sql], other: Sql | None = None) -> Sql:
    """CASE WHEN … THEN … ELSE … END."""
    made = exp.Case()
    for condition, value in whens:
        made = made.when(own(condition), own(value), copy=False)
    return made if other is None else made.else_(own(other), copy=False)


class _Writer:
    def __init__(self, declared: ObjectType, bind: Binder) -> None:
        self.declared, self.bind = declared, bind

    def id(self) -> Sql:
        """The raw id, where an event is about an object of the type."""
        explicit = all_of(
            [
                exp.In(this=exp.column("name"), expressions=[text(UPDATED), text(REMOVED)]),
                exp.EQ(this=unquoted(self._raw(("object",))), expression=self.bind.bind(self.declared.name)),
            ]
        )
        rules = [(self._is(name), self._raw(rule.id)) for name, rule in self.declared.events.items()]
        return case((explicit, self._raw(("id",))), *rules)

    def status(self) -> Sql:
        """The raw status: JSON null where an event removes it."""
        whens = [(self._is(UPDATED), self._raw(("status",), keep_null=True))]
        for name, rule in self.declared.events.items():
            if rule.status is not None:
                whens.append((self._is(name), self._sourced(rule.status)))
        return case(*whens)

    def field(self, name: str) -> Sql:
        """A property's value in any event that says one."""
        whens = [(self._is(UPDATED), self._raw(("set", name), keep_null=True))]
        plain = []
        for event, rule in self.declared.events.items():
            source = dict(rule.sets).get(name)
            if source is None:
                plain.append(self.bind.bind(event))
            else:
                whens.append((self._is(event), self._sourced(source)))
        if plain:
            listed = exp.In(this=exp.column("name"), expressions=plain)
            whens.append((listed, self._raw((name,), keep_null=True)))
        return case(*whens)

    def role(self, role: str) -> Sql:
        """What an event names as the holder."""
        whens = [(self._is(UPDATED), self._raw(("roles", role), keep_null=True))]
        path = self.declared.roles[role]
        if path is not None and self.declared.events:
            names = [self.bind.bind(event) for event in self.declared.events]
            listed = exp.In(this=exp.column("name"), expressions=names)
            whens.append((listed, self._raw(path, keep_null=True)))
        return case(*whens)

    def _sourced(self, source: Source) -> Sql:
        if source.path:
            return exp.Coalesce(this=self._raw(source.path), expressions=[text(_NULL)])
        return self.bind.bind(dumps(source.value))

    def _is(self, name: str) -> Sql:
        return exp.EQ(this=exp.column("name"), expression=self.bind.bind(name))

    def _raw(self, path: tuple[str, ...], *, keep_null: bool = False) -> Sql:
        """JSON text at a path of objects; JSON null is `null`, or NULL as where there is nothing."""
        found: Sql = exp.column("properties")
        for index, part in enumerate(path):
            pointer = self.bind.bind("/" + part.replace("~", "~0").replace("/", "~1"))
            value: Sql = fn("json_extract", found, pointer)
            if index:
                is_object = exp.EQ(this=fn("json_type", found), expression=text("OBJECT"))
                value = case((is_object, value))
            found = value
        said: Sql = exp.cast(found, "varchar", copy=False)
        return said if keep_null else fn("nullif", said, text(_NULL))


def _there(name: str) -> Sql:
    return exp.Not(this=exp.Is(this=exp.column(name), expression=exp.Null()))


def _id_text(name: str) -> Sql:
    """As `objects.fold.id_text`: a text that is not empty, or a number in its shortest form."""
    wide = exp.TryCast(this=exp.column(name), to=exp.DataType.build("decimal(38, 6)"))
    limit = exp.cast(text("1" + "0" * 30), "decimal(38, 6)")
    inside = all_of(
        [
            exp.GT(this=wide.copy(), expression=exp.Neg(this=limit)),
            exp.LT(this=wide.copy(), expression=limit.copy()),
        ]
    )
    digits = fn("regexp_replace", exp.cast(wide, "varchar", copy=False), text(r"\.?0+$"), text(""))
    written = fn("nullif", unquoted(exp.column(name)), text(""))
    return exp.Coalesce(this=written, expressions=[case((inside, digits))])


def _status(name: str) -> Sql:
    """A status as JSON text: anything but a text that is not empty removes it."""
    is_text = all_of(
        [
            fn("starts_with", exp.column(name), text('"')),
            exp.NEQ(this=exp.column(name), expression=text('""')),
        ]
    )
    return case((is_text, exp.column(name)), (_there(name), text(_NULL)))


def _holder(name: str) -> Sql:
    """The identifier of a role's value; empty: nobody."""
    value = _id_text(name)
    named = any_of([fn("starts_with", value.copy(), text(f"{space}:")) for space in sorted(NAMESPACES)])
    user = exp.DPipe(this=text(USER), expression=value.copy(), safe=True)
    identifier = case((named, value), other=user)
    return case((_there(name), exp.Coalesce(this=identifier, expressions=[text("")])))
