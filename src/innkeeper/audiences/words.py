"""An expression in plain words, for people who do not write expressions."""

from __future__ import annotations

from innkeeper.audiences.nodes import (
    ACCOUNT,
    Aggregate,
    And,
    Between,
    Boolean,
    Compare,
    Expression,
    In,
    InAudience,
    Like,
    Missing,
    Not,
    Now,
    Number,
    Offset,
    OfObjects,
    Or,
    Path,
    Stage,
    Text,
)
from innkeeper.audiences.operators import OPERATORS
from innkeeper.audiences.spans import Span
from innkeeper.audiences.values import literal_instant
from innkeeper.kernel.errors import InternalError
from innkeeper.kernel.numbers import format_micro
from innkeeper.kernel.time import format_duration, format_instant

_COMPARE = {
    "=": "is", "!=": "is there and is not", "<": "is less than", "<=": "is at most", ">": "is more than",
    ">=": "is at least",
}  # fmt: skip
_MOMENTS = {"<": "is before", "<=": "is not after", ">": "is after", ">=": "is not before"}


def words(node: Expression) -> str:
    """The condition or value in plain words.

    >>> from innkeeper.audiences.parse import parse
    >>> words(parse("count('Login', within => '30 days') >= 3 and not did('Logout')"))
    "the number of 'Login' in the last 30 days is at least 3 and has not done 'Logout'"
    """
    match node:
        case And(items=items):
            return " and ".join(_grouped(item) for item in items)
        case Or(items=items):
            return " or ".join(_grouped(item) for item in items)
        case Not(item=item):
            return _negation(item)
        case Compare(op=op, left=left, right=right):
            return f"{words(left)} {_comparison(op, left, right)} {words(right)}"
        case Between(value=value, low=low, high=high):
            return f"{words(value)} is from {words(low)} to {words(high)}"
        case In(value=value, items=items):
            return f"{words(value)} is one of {', '.join(words(item) for item in items)}"
        case Like(value=value, pattern=pattern, ignore_case=ignore_case):
            return f"{words(value)} looks like '{pattern}'{' in any case' if ignore_case else ''}"
        case Missing(value=value):
            return f"{words(value)} is missing"
        case InAudience(name=name):
            return f"is in the audience '{name}'"
        case Path(root=root, parts=parts):
            return _path(root, parts)
        case Aggregate():
            return OPERATORS[node.function].words(node, _occurrence(node))
        case OfObjects():
            return _of_objects(node)
        case _:
            return _value(node)


def _value(node: Expression) -> str:
    match node:
        case Text(value=value):
            moment = literal_instant(node)
            return f"'{value}'" if moment is None else format_instant(moment)
        case Number(micro=micro):
            return format_micro(micro)
        case Boolean(value=value):
            return "true" if value else "false"
        case Stage():
            return "the stage"
        case Now():
            return "now"
        case Offset(base=Now(), duration=duration):
            return f"{format_duration(abs(duration))} {'ago' if duration < 0 else 'from now'}"
        case Offset(base=base, duration=duration):
            return f"{format_duration(abs(duration))} {'before' if duration < 0 else 'after'} {words(base)}"
        case _:
            raise InternalError(f"no words for {type(node).__name__}", code="wordless")


def _path(root: str, parts: tuple[str, ...]) -> str:
    name = ".".join(parts)
    return {
        "traits": f"the trait {name}",
        "memory": f"what is remembered about {name}",
        "id": f"the identifier {name}",
        "event": f"the entry event's {name}",
        "account": f"the account's {name}",
    }.get(root, name)


def _of_objects(node: OfObjects) -> str:
    where = "" if node.where is None else f" where {_grouped(node.where)}"
    if node.object == ACCOUNT:
        if node.function == "any":
            return f"is a member of an account{where}"
        over = f"accounts that it is a member of{where}"
        return f"the number of {over}" if node.path is None else f"the sum of {'.'.join(node.path)} over {over}"
    if node.function == "any":
        return f"has a '{node.object}'{where}"
    over = f"'{node.object}' objects{where}"
    return f"the number of {over}" if node.path is None else f"the sum of {'.'.join(node.path)} over {over}"


def _grouped(node: Expression) -> str:
    return f"({words(node)})" if isinstance(node, And | Or) else words(node)


def _negation(item: Expression) -> str:
    match item:
        case Aggregate():
            return words(item).replace("has done", "has not done", 1)
        case OfObjects():
            return words(item).replace("has a", "has no", 1).replace("a member of an", "a member of no", 1)
        case InAudience(name=name):
            return f"is not in the audience '{name}'"
        case Missing(value=value):
            return f"{words(value)} is there"
        case _:
            return f"it is not so that {_grouped(item)}"


def _comparison(op: str, left: Expression, right: Expression) -> str:
    timely = any(
        isinstance(node, Now | Offset)
        or (isinstance(node, Aggregate) and node.function in ("first", "last"))
        or literal_instant(node) is not None
        for node in (left, right)
    )
    return _MOMENTS.get(op, _COMPARE[op]) if timely else _COMPARE[op]


def _occurrence(node: Aggregate) -> str:
    text = f"'{node.event}'{_window(node.within, node.before)}"
    return text if node.where is None else f"{text} where {_grouped(node.where)}"


def _window(within: Span | None, before: Span | None) -> str:
    if within is None:
        return "" if before is None else (" before today" if before.days == 1 else f" at least {before} ago")
    if before is not None:
        return f" between {_ago(within)} and {_ago(before)}"
    if within.calendar:
        return " today" if within.days == 1 else f" in the last {within}, today included"
    return f" in the last {within}"


def _ago(span: Span) -> str:
    return "the start of today" if span.days == 1 else f"{span} ago"
