"""Conditions over the properties of one event: `where` of a function or of a journey's entry.

They see no time and no profile, so the answer is a plain bool. `live.py` has the conditions over profiles.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from innkeeper.audiences.nodes import (
    And,
    Between,
    Boolean,
    Compare,
    Expression,
    In,
    Like,
    Missing,
    Not,
    Number,
    Or,
    Path,
    Text,
)
from innkeeper.audiences.types import MISSING
from innkeeper.audiences.values import FLIPPED, like_test, literal_test, membership_test, pair_test, reader
from innkeeper.kernel.errors import InternalError

Properties = Mapping[str, Any]
Predicate = Callable[[Properties], bool]


def compile_where(node: Expression) -> Predicate:
    """The predicate over an event's properties that an expression of scope `event` means."""
    match node:
        case And(items=items):
            return _all([compile_where(item) for item in items])
        case Or(items=items):
            return _any([compile_where(item) for item in items])
        case Not(item=item):
            inner = compile_where(item)
            return lambda properties: not inner(properties)
        case Boolean(value=fixed):
            return lambda properties: fixed
        case Path(parts=parts):
            read = reader(parts)
            return lambda properties: read(properties) is True
        case Missing(value=value):
            get = _value(value)
            return lambda properties: get(properties) is MISSING
        case Compare(op=op, left=left, right=right):
            return _compare(op, left, right)
        case Between(value=value, low=low, high=high):
            return _all([_compare(">=", value, low), _compare("<=", value, high)])
        case In(value=value, items=items):
            return _tested(value, membership_test(items))
        case Like(value=value, pattern=pattern, ignore_case=ignore_case):
            return _tested(value, like_test(pattern, ignore_case))
        case _:
            raise InternalError(f"{type(node).__name__} cannot stand inside where", code="bad-where")


def _all(parts: list[Predicate]) -> Predicate:
    if len(parts) == 2:
        first, second = parts
        return lambda properties: first(properties) and second(properties)
    return lambda properties: all(part(properties) for part in parts)


def _any(parts: list[Predicate]) -> Predicate:
    if len(parts) == 2:
        first, second = parts
        return lambda properties: first(properties) or second(properties)
    return lambda properties: any(part(properties) for part in parts)


def _value(node: Expression) -> Callable[[Properties], Any]:
    if not isinstance(node, Path):
        raise InternalError(f"{type(node).__name__} cannot be looked up inside where", code="bad-where")
    return reader(node.parts)


def _tested(node: Expression, test: Callable[[Any], bool]) -> Predicate:
    if isinstance(node, Path) and len(node.parts) == 1:
        key = node.parts[0]
        return lambda properties: test(properties.get(key))
    get = _value(node)
    return lambda properties: test(get(properties))


def _compare(op: str, left: Expression, right: Expression) -> Predicate:
    if isinstance(right, Number | Text | Boolean):
        return _tested(left, literal_test(op, right))
    if isinstance(left, Number | Text | Boolean):
        return _tested(right, literal_test(FLIPPED[op], left))
    test, first, second = pair_test(op), _value(left), _value(right)
    return lambda properties: test(first(properties), second(properties))
