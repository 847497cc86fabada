"""The one canonical text of a tree: `parse(print_expression(node)) == node`."""

from __future__ import annotations

import re

from innkeeper.audiences.nodes import (
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
    OfAccount,
    Offset,
    OfObjects,
    Or,
    Path,
    Stage,
    Text,
)
from innkeeper.kernel.errors import InternalError
from innkeeper.kernel.numbers import format_micro
from innkeeper.kernel.time import format_duration

_PLAIN_HEAD = re.compile(r"(?:[^\W\d]|\$)[\w$]*\Z")
_PLAIN_PART = re.compile(r"[\w$]+\Z")
_KEYWORDS = frozenset(
    ["and", "or", "not", "between", "in", "like", "ilike", "is", "missing", "present", "true", "false"]
)


def quote(text: str) -> str:
    """A text in single quotes."""
    return "'" + text.replace("'", "''") + "'"


def print_path(parts: tuple[str, ...], *, head: bool = True) -> str:
    """A dotted path; parts that are no plain names stand in double quotes."""
    written: list[str] = []
    for index, part in enumerate(parts):
        first = head and index == 0
        plain = _PLAIN_HEAD.match(part) and part.lower() not in _KEYWORDS if first else _PLAIN_PART.match(part)
        written.append(part if plain else '"' + part.replace('"', '""') + '"')
    return ".".join(written)


def print_expression(node: Expression) -> str:
    """The canonical text of an expression."""
    match node:
        case Text(value=value):
            return quote(value)
        case Number(micro=micro):
            return format_micro(micro)
        case Boolean(value=value):
            return "true" if value else "false"
        case Path(root="property" | "object", parts=parts):
            return print_path(parts)
        case Path(root=root, parts=parts):
            return f"{root}.{print_path(parts, head=False)}"
        case Stage():
            return "stage"
        case Now():
            return "now()"
        case InAudience(name=name) | OfAccount(name=name):
            return f"in_audience({quote(name)})"
        case Aggregate():
            return _print_aggregate(node)
        case OfObjects(function=function, object=of, path=path, where=where):
            parts_of = [of, *([] if path is None else [print_path(path)])]
            return f"{function}({', '.join([*parts_of, *([] if where is None else [print_expression(where)])])})"
        case Offset(base=base, duration=duration):
            sign = "-" if duration < 0 else "+"
            return f"{print_expression(base)} {sign} {quote(format_duration(abs(duration)))}"
        case _:
            return _print_condition(node)


def _print_aggregate(node: Aggregate) -> str:
    arguments = [quote(node.event)]
    if node.path is not None:
        arguments.append(print_path(node.path))
    if node.within is not None:
        arguments.append(f"within => {quote(str(node.within))}")
    if node.before is not None:
        arguments.append(f"before => {quote(str(node.before))}")
    if node.where is not None:
        arguments.append(f"where => {print_expression(node.where)}")
    return f"{node.function}({', '.join(arguments)})"


def _print_condition(node: Expression) -> str:
    match node:
        case Or(items=items):
            return " or ".join(_inside(item, Or) for item in items)
        case And(items=items):
            return " and ".join(_inside(item, Or, And) for item in items)
        case Not(item=Between() | In() | Like() | Missing() as item):
            return _print_predicate(item, negated=True)
        case Not(item=item):
            return f"not {_inside(item, Or, And)}"
        case _:
            return _print_predicate(node, negated=False)


def _print_predicate(node: Expression, *, negated: bool) -> str:
    word = "not " if negated else ""
    match node:
        case Compare(op=op, left=left, right=right):
            return f"{print_expression(left)} {op} {print_expression(right)}"
        case Between(value=value, low=low, high=high):
            return f"{print_expression(value)} {word}between {print_expression(low)} and {print_expression(high)}"
        case In(value=value, items=items):
            return f"{print_expression(value)} {word}in ({', '.join(print_expression(item) for item in items)})"
        case Like(value=value, pattern=pattern, ignore_case=ignore_case):
            return f"{print_expression(value)} {word}{'ilike' if ignore_case else 'like'} {quote(pattern)}"
        case Missing(value=value):
            return f"{print_expression(value)} is {'present' if negated else 'missing'}"
        case _:
            raise InternalError(f"no text for {type(node).__name__}", code="unprintable")


def _inside(node: Expression, *weaker: type[Expression]) -> str:
    text = print_expression(node)
    return f"({text})" if isinstance(node, weaker) else text
