"""Single values in SQL, as sqlglot expressions: the counterparts of `values.py` for DuckDB.

Every value of the user's is bound (`Binder`); a literal in the text is a constant of ours. Names of columns are quoted
by sqlglot and come from the paths of an expression alone. `sql.py` puts these together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

from sqlglot import exp

from innkeeper.audiences.nodes import Boolean, Expression, Number, Text
from innkeeper.audiences.values import INSTANT, literal_instant
from innkeeper.kernel.errors import InternalError

Sql = exp.Expr

_COMPARE: dict[str, type[exp.Binary]] = {
    "=": exp.EQ, "!=": exp.NEQ, "<": exp.LT, "<=": exp.LTE, ">": exp.GT, ">=": exp.GTE,
}  # fmt: skip


#: Where a sum is cut in two, and the upper half beyond which it is larger than every number that it is compared with.
_HALF = 10**18
_FURTHEST = 10**20


class Binder:
    """Collects the values of a statement; equal values share one parameter."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}
        self._names: dict[tuple[type, Any], str] = {}

    def bind(self, value: int | str) -> Sql:
        """The placeholder of a value."""
        key = (type(value), value)
        if key not in self._names:
            self._names[key] = f"p{len(self._names)}"
            self.values[self._names[key]] = value
        return exp.Placeholder(this=self._names[key])

    def texts(self, values: Iterable[str]) -> Sql:
        """The placeholder of a list of texts."""
        name = f"p{len(self.values)}"
        self._names[list, name] = name
        self.values[name] = list(values)
        return exp.cast(exp.Placeholder(this=name), "varchar[]")


def own(part: Sql) -> Sql:
    """The part itself, or a copy when it stands in a tree already."""
    return part if part.parent is None else part.copy()


def fn(name: str, *arguments: Sql) -> Sql:
    """A call of a DuckDB function, as it is."""
    return exp.Anonymous(this=name, expressions=[own(argument) for argument in arguments])


def text(value: str) -> Sql:
    """A text constant of ours."""
    return exp.Literal.string(value)


def number(value: int) -> Sql:
    """A number constant of ours."""
    return exp.Neg(this=exp.Literal.number(-value)) if value < 0 else exp.Literal.number(value)


def all_of(parts: list[Sql]) -> Sql:
    """`and` over conditions, in parentheses."""
    return exp.true() if not parts else exp.and_(*(own(part) for part in parts), copy=False)


def any_of(parts: list[Sql]) -> Sql:
    """`or` over conditions, in parentheses."""
    return exp.false() if not parts else exp.paren(exp.or_(*(own(part) for part in parts), copy=False), copy=False)


def two_valued(condition: Sql) -> Sql:
    """The condition with unknown as false, for places where it is negated."""
    return exp.Coalesce(this=condition, expressions=[exp.false()])


def compare(op: str, left: Sql, right: Sql) -> Sql:
    """`left op right`."""
    return _COMPARE[op](this=own(left), expression=own(right))


@dataclass(frozen=True, slots=True)
class Looked:
    """A looked-up JSON value; each field makes its SQL anew.

    Attributes:
        raw: Its JSON text; NULL: missing.
        number: Its millionths.
        text: Its text.
        instant: Microseconds of a text that is an instant.
    """

    raw: Callable[[], Sql]
    number: Callable[[], Sql]
    text: Callable[[], Sql]
    instant: Callable[[], Sql]

    def is_boolean(self) -> Sql:
        """Whether it is JSON true or false."""
        return exp.In(this=self.raw(), expressions=[text("true"), text("false")])


def of_column(path: tuple[str, ...], bind: Binder) -> Looked:
    """A property that the view `events` has columns for.

    Its JSON text is taken from the whole document where it is needed: the store has no column of it, and inside a CASE
    it is looked up only for the rows that come so far.
    """
    numeric, textual = (partial(exp.column, f"{kind}:{'.'.join(path)}", quoted=True) for kind in "ns")
    raw = partial(json_at, exp.column("properties"), path, bind)
    return Looked(raw, numeric, textual, lambda: instant(textual()))


def of_json(raw: Callable[[], Sql]) -> Looked:
    """A value of which there is only the JSON text."""
    return Looked(raw, lambda: micro(raw()), lambda: unquoted(raw()), lambda: instant(unquoted(raw())))


def of_text(value: Callable[[], Sql]) -> Looked:
    """A value that is always a text."""
    return Looked(value, exp.Null, value, lambda: instant(value()))


def unquoted(raw: Sql) -> Sql:
    """The text of a JSON text that is a string; else NULL."""
    quoted = fn("starts_with", raw, text('"'))
    return exp.Case().when(quoted, fn("json_extract_string", raw, text("$")), copy=False)


def json_at(document: Sql, path: tuple[str, ...], bind: Binder) -> Sql:
    """JSON text of the value at a path of objects; NULL where it is absent, null, or inside an array."""
    found = document.copy()
    for part in path:
        # A pointer names every key, but would also take a number for a place in an array; a quoted path would not.
        pointer = "/" + part.replace("~", "~0").replace("/", "~1")
        value = fn("json_extract", found, bind.bind(pointer))
        is_place = part.isascii() and part.isdigit()
        if is_place:
            is_object = exp.EQ(this=fn("json_type", found), expression=text("OBJECT"))
            value = exp.Case().when(is_object, value)
        found = value
    return fn("nullif", exp.cast(own(found), "varchar", copy=False), text("null"))


def micro(raw: Sql) -> Sql:
    """Millionths of a JSON text that is a number below the limit of `kernel.numbers`; else NULL."""
    wide = exp.TryCast(this=raw.copy(), to=exp.DataType.build("decimal(38, 6)"))
    limit = exp.cast(text("1" + "0" * 30), "decimal(38, 6)")
    inside = exp.and_(
        exp.GT(this=wide.copy(), expression=exp.Neg(this=limit.copy())),
        exp.LT(this=wide.copy(), expression=limit.copy()),
    )
    digits = fn("replace", exp.cast(wide.copy(), "varchar"), text("."), text(""))
    return exp.Case().when(inside, exp.cast(digits, "hugeint"))


def wide_sum(value: Callable[[], Sql], aggregate: Callable[[Sql], Sql]) -> Sql:
    """The sum of millionths that would not fit: in two halves, and cut off where no number reaches any more."""
    half = number(_HALF)
    high = aggregate(exp.Sum(this=exp.IntDiv(this=value(), expression=half)))
    low = aggregate(exp.Sum(this=exp.Mod(this=value(), expression=half.copy())))
    carried = exp.Add(this=high, expression=exp.IntDiv(this=low, expression=half.copy()))
    ends = [exp.cast(text(f"{sign}{_FURTHEST}"), "hugeint") for sign in ("-", "")]
    cut = fn("least", fn("greatest", carried, ends[0]), ends[1])
    return exp.Add(
        this=exp.Mul(this=cut, expression=half.copy()), expression=exp.Mod(this=low.copy(), expression=half.copy())
    )


def instant(value: Sql) -> Sql:
    """Microseconds of a text in ISO 8601 with a zone; NULL for every other text."""
    seconds = fn("nullif", fn("regexp_extract", value, text("^.{16}(:[0-9]{2})"), number(1)), text(""))
    wall = exp.DPipe(
        this=exp.DPipe(
            this=exp.DPipe(this=fn("left", value, number(10)), expression=text(" "), safe=True),
            expression=fn("substr", value, number(12), number(5)), safe=True,
        ),
        expression=exp.Coalesce(this=seconds, expressions=[text(":00")]), safe=True,
    )  # fmt: skip
    base = fn("epoch_us", exp.TryCast(this=wall, to=exp.DataType.build("timestamp")))
    digits = fn("left", fn("regexp_extract", value, text("[.,]([0-9]+)"), number(1)), number(6))
    fraction = exp.cast(fn("rpad", digits, number(6), text("0")), "bigint")
    known = all_of(
        [
            fn("regexp_full_match", value, text(INSTANT)),
            exp.Not(this=fn("starts_with", value, text("0000"))),
            exp.LTE(this=fn("length", value), expression=number(40)),
        ]
    )
    moved = exp.Sub(this=exp.Add(this=base, expression=fraction), expression=exp.paren(_offset(value)))
    return exp.Case().when(known, moved)


def _offset(value: Sql) -> Sql:
    pattern = text("([+-])([0-9]{2}):?([0-9]{2})?$")

    def group(index: int) -> Sql:
        return fn("regexp_extract", value, pattern, number(index))

    def minutes(index: int, scale: int) -> Sql:
        digits = exp.Coalesce(this=fn("nullif", group(index), text("")), expressions=[text("0")])
        return exp.Mul(this=exp.cast(digits, "bigint"), expression=number(scale))

    total = exp.Mul(
        this=exp.paren(exp.Add(this=minutes(2, 60), expression=minutes(3, 1))), expression=number(60_000_000)
    )
    minus = exp.EQ(this=group(1), expression=text("-"))
    return exp.Mul(this=exp.Case().when(minus, number(-1)).else_(number(1)), expression=total)


def against_literal(op: str, looked: Looked, literal: Expression, bind: Binder) -> Sql:
    """`value op literal`: a value of another JSON type is missing."""
    if isinstance(literal, Number):
        return compare(op, looked.number(), bind.bind(literal.micro))
    if isinstance(literal, Boolean):
        if op not in ("=", "!="):
            return _boolean_order(op, looked, literal.value)
        wanted = literal.value if op == "=" else not literal.value
        return exp.EQ(this=looked.raw(), expression=text("true" if wanted else "false"))
    if not isinstance(literal, Text):
        raise InternalError(f"{type(literal).__name__} is no literal", code="bad-literal")
    moment = literal_instant(literal)
    if moment is not None:
        return compare(op, looked.instant(), bind.bind(moment))
    return compare(op, looked.text(), bind.bind(literal.value))


def _boolean_order(op: str, looked: Looked, value: bool) -> Sql:
    side = exp.paren(exp.EQ(this=looked.raw(), expression=text("true")))
    return exp.and_(looked.is_boolean(), compare(op, side, exp.convert(value)))


def against_looked(op: str, left: Looked, right: Looked) -> Sql:
    """`left op right` of two looked-up values of one type."""
    cases = [compare(op, left.text(), right.text()), compare(op, left.number(), right.number())]
    if op in ("=", "!="):
        cases.append(exp.and_(left.is_boolean(), right.is_boolean(), compare(op, left.raw(), right.raw())))
    return any_of(cases)


def membership(looked: Looked, items: tuple[Expression, ...], bind: Binder) -> Sql:
    """Whether the value equals one of the literals."""
    moments = [found for item in items if (found := literal_instant(item)) is not None]
    texts = [item.value for item in items if isinstance(item, Text) and literal_instant(item) is None]
    numbers = [item.micro for item in items if isinstance(item, Number)]
    booleans = ["true" if item.value else "false" for item in items if isinstance(item, Boolean)]
    cases: list[Sql] = []
    if texts:
        cases.append(exp.In(this=looked.text(), expressions=[bind.bind(each) for each in texts]))
    if moments:
        cases.append(exp.In(this=looked.instant(), expressions=[bind.bind(each) for each in moments]))
    if numbers:
        cases.append(exp.In(this=looked.number(), expressions=[bind.bind(each) for each in numbers]))
    if booleans:
        cases.append(exp.In(this=looked.raw(), expressions=[text(each) for each in booleans]))
    return any_of(cases)


def like(value: Sql, pattern: str, ignore_case: bool, bind: Binder) -> Sql:
    """Whether a text matches a pattern."""
    made = exp.ILike if ignore_case else exp.Like
    return made(this=value.copy(), expression=bind.bind(pattern))
