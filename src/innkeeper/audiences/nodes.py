"""The expression tree: frozen dataclasses, which are also the JSON that the UI edits (`jsonform.py`).

`parse.py` makes trees, `printer.py` writes them back, `check.py` types them, `live.py` and `sql.py` run them. A node's
`at` is where it stood in the text (line, column); it takes no part in equality.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from typing import Literal

from innkeeper.audiences.spans import Span

#: Deeper trees are refused, so that no walk over one can exhaust the stack.
MAX_DEPTH = 50
#: Trees with more nodes are refused after `in_audience` and `stage` are replaced by their definitions.
MAX_NODES = 20_000

#: No object type has this name: `any(account, …)` asks about the accounts that a profile is a member of.
ACCOUNT = "account"

Place = tuple[int, int]
Operator = Literal["=", "!=", "<", "<=", ">", ">="]
Root = Literal["traits", "memory", "id", "event", "property", "account", "object"]


@dataclass(frozen=True, slots=True)
class Expression:
    """Base of all nodes."""

    at: Place = field(default=(0, 0), compare=False, repr=False, kw_only=True)


@dataclass(frozen=True, slots=True)
class Text(Expression):
    """A quoted text; one in ISO 8601 with a zone compares as an instant."""

    value: str


@dataclass(frozen=True, slots=True)
class Number(Expression):
    """A number, in millionths."""

    micro: int


@dataclass(frozen=True, slots=True)
class Boolean(Expression):
    """`true` or `false`."""

    value: bool


@dataclass(frozen=True, slots=True)
class Path(Expression):
    """A value that is looked up: `traits.a.b`, `memory.pillow`, `id.user_id`, `account.seats`, `event.total`
    (journeys), or inside `where` a property.

    Of root `object` the first part is the type: `booking.status`, the object that a journey's enrollment is about.
    As a condition by itself it holds when the value is JSON true.
    """

    root: Root
    parts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Stage(Expression):
    """The stage that the profile is in."""


@dataclass(frozen=True, slots=True)
class Now(Expression):
    """`now()`: the instant of the question."""


@dataclass(frozen=True, slots=True)
class Offset(Expression):
    """An instant moved by a duration: `now() - '3 days'`."""

    base: Expression
    duration: int


@dataclass(frozen=True, slots=True)
class Aggregate(Expression):
    """A function over the profile's events of one name; `did` is a condition, the others are values."""

    function: str
    event: str
    path: tuple[str, ...] | None = None
    within: Span | None = None
    before: Span | None = None
    where: Expression | None = None


@dataclass(frozen=True, slots=True)
class OfObjects(Expression):
    """A function over the profile's objects of one type: `any` is a condition, `count` and `sum` are values.

    Of the type `account` (`ACCOUNT`) they are the accounts that the profile is a member of.
    """

    function: str
    object: str
    path: tuple[str, ...] | None = None
    where: Expression | None = None


@dataclass(frozen=True, slots=True)
class InAudience(Expression):
    """Whether the profile is a member of another audience."""

    name: str


@dataclass(frozen=True, slots=True)
class OfAccount(Expression):
    """`InAudience` of an audience of accounts with its definition put in: whether it holds of the profile's account.

    Only `expand.py` makes it; nobody writes it.
    """

    name: str
    when: Expression


@dataclass(frozen=True, slots=True)
class Compare(Expression):
    """A comparison; false when a side is missing."""

    op: Operator
    left: Expression
    right: Expression


@dataclass(frozen=True, slots=True)
class Between(Expression):
    """`low <= value and value <= high`."""

    value: Expression
    low: Expression
    high: Expression


@dataclass(frozen=True, slots=True)
class In(Expression):
    """Whether the value equals one of the literals."""

    value: Expression
    items: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Like(Expression):
    """Whether a text matches a pattern of `%` (any run) and `_` (one character)."""

    value: Expression
    pattern: str
    ignore_case: bool = False


@dataclass(frozen=True, slots=True)
class Missing(Expression):
    """Whether the value is not there; `is present` is its negation."""

    value: Expression


@dataclass(frozen=True, slots=True)
class Not(Expression):
    """True where the condition is false."""

    item: Expression


@dataclass(frozen=True, slots=True)
class And(Expression):
    """All hold."""

    items: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Or(Expression):
    """At least one holds."""

    items: tuple[Expression, ...]


NODE_TYPES: tuple[type[Expression], ...] = (
    Text, Number, Boolean, Path, Stage, Now, Offset, Aggregate, OfObjects, InAudience, Compare, Between, In, Like,
    Missing, Not, And, Or,
)  # fmt: skip


def children(node: Expression) -> Iterator[Expression]:
    """The direct parts of a node that are nodes, in the order of the text."""
    for each in fields(node):
        value = getattr(node, each.name)
        if isinstance(value, Expression):
            yield value
        elif isinstance(value, tuple):
            yield from (item for item in value if isinstance(item, Expression))


def walk(node: Expression) -> Iterator[Expression]:
    """The node and everything below it, `where` included, without recursion."""
    pending = [node]
    while pending:
        current = pending.pop()
        yield current
        pending.extend(reversed(list(children(current))))


def object_nodes(expression: Expression) -> list[OfObjects]:
    """The functions over objects in an expression, each once."""
    return list(dict.fromkeys(node for node in walk(expression) if isinstance(node, OfObjects)))
