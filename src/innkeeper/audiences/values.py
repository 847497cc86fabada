"""Tests of single JSON values against literals, under two-valued logic: a value of another type is missing.

Compiled once per comparison, called for every event and evaluation: each test is one closure without look-ups.
The SQL counterparts are in `sql_values.py`.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from innkeeper.audiences.nodes import Boolean, Expression, Number, Text
from innkeeper.audiences.types import MISSING
from innkeeper.kernel.numbers import LIMIT, MICRO, to_micro
from innkeeper.kernel.time import INSTANT, Instant, try_parse_instant

Test = Callable[[Any], bool]

COMPARE: Mapping[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip
#: The comparison with its sides exchanged.
FLIPPED = {"=": "=", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}


_INSTANT = re.compile(INSTANT)


def literal_instant(node: Expression) -> Instant | None:
    """The instant that a text literal names; None for everything else."""
    return _instant_of(node.value) if isinstance(node, Text) else None


@lru_cache(maxsize=4096)
def _instant_of(text: str) -> Instant | None:
    return try_parse_instant(text) if _INSTANT.fullmatch(text) else None


def as_instant(value: Any) -> Instant | None:
    """The instant of a JSON text in ISO 8601 with a zone; None for everything else."""
    return _instant_of(value) if type(value) is str else None


def as_text(value: Any) -> str | None:
    """A JSON text; None for everything else."""
    return value if type(value) is str else None


def literal_test(op: str, literal: Expression) -> Test:
    """The test `value op literal`."""
    compare = COMPARE[op]
    if isinstance(literal, Number):
        return _number_test(compare, literal.micro)
    if isinstance(literal, Boolean):
        wanted = literal.value
        return lambda value: (value is True or value is False) and compare(value, wanted)
    if not isinstance(literal, Text):
        raise TypeError(f"{type(literal).__name__} is no literal")
    instant = literal_instant(literal)
    if instant is not None:
        return instant_test(op, instant)
    text = literal.value
    return lambda value: type(value) is str and compare(value, text)


def _number_test(compare: Callable[[Any, Any], bool], micro: int) -> Test:
    near, far = micro / MICRO, 1e9

    def test(value: Any) -> bool:
        if type(value) is int:
            return -LIMIT < value < LIMIT and compare(value * MICRO, micro)
        # Rounding to six places moves a number by less than this, so it need not be rounded to be compared.
        if type(value) is float and 1e-5 < abs(value - near) < far and -far < near < far:
            return compare(value, near)
        found = to_micro(value)
        return found is not None and compare(found, micro)

    return test


def instant_test(op: str, instant: Instant) -> Test:
    """The test of a text against an instant."""
    compare = COMPARE[op]

    def test(value: Any) -> bool:
        found = as_instant(value)
        return found is not None and compare(found, instant)

    return test


def pair_test(op: str) -> Callable[[Any, Any], bool]:
    """The test of two looked-up values: of one type, else missing; booleans only as equal or not."""
    compare = COMPARE[op]
    equality = op in ("=", "!=")

    def test(left: Any, right: Any) -> bool:
        if type(left) is str:
            return type(right) is str and compare(left, right)
        if left is True or left is False:
            return equality and (right is True or right is False) and compare(left, right)
        a, b = to_micro(left), to_micro(right)
        return a is not None and b is not None and compare(a, b)

    return test


def membership_test(items: tuple[Expression, ...]) -> Test:
    """The test of equality with at least one literal."""
    texts = frozenset(item.value for item in items if isinstance(item, Text) and literal_instant(item) is None)
    instants = frozenset(found for item in items if (found := literal_instant(item)) is not None)
    numbers = frozenset(item.micro for item in items if isinstance(item, Number))
    booleans = tuple(item.value for item in items if isinstance(item, Boolean))

    def test(value: Any) -> bool:
        if type(value) is str:
            return value in texts or (bool(instants) and as_instant(value) in instants)
        if value is True or value is False:
            return value in booleans
        return bool(numbers) and to_micro(value) in numbers

    return test


def like_test(pattern: str, ignore_case: bool) -> Test:
    """The test of a text against a pattern: `%` is any run of characters, `_` is one."""
    segments = (fold_case(pattern) if ignore_case else pattern).split("%")
    matches = _like(segments)
    if ignore_case:
        return lambda value: type(value) is str and matches(fold_case(value))
    return lambda value: type(value) is str and matches(value)


def fold_case(text: str) -> str:
    """Lower case, one character for one, as the bulk engine has it (no final sigma, no expansion)."""
    if text.isascii():
        return text.lower()
    return "".join("i" if character == "\u0130" else character.lower() for character in text)


def _like(segments: list[str]) -> Callable[[str], bool]:
    head, tail, middle = segments[0], segments[-1], [segment for segment in segments[1:-1] if segment]
    if len(segments) == 1:
        return lambda text: len(text) == len(head) and _fits(text, head, 0)
    shortest = sum(map(len, segments))

    def matches(text: str) -> bool:
        last = len(text) - len(tail)
        if len(text) < shortest or not _fits(text, head, 0) or not _fits(text, tail, last):
            return False
        position = len(head)
        # The leftmost place of each part leaves the most room for the rest, so nothing is ever tried twice.
        for segment in middle:
            found = _find(text, segment, position, last)
            if found < 0:
                return False
            position = found + len(segment)
        return True

    return matches


def _fits(text: str, segment: str, position: int) -> bool:
    if "_" not in segment:
        return text.startswith(segment, position)
    return all(wanted in ("_", text[position + index]) for index, wanted in enumerate(segment))


def _find(text: str, segment: str, start: int, end: int) -> int:
    if "_" not in segment:
        return text.find(segment, start, end)
    for position in range(start, end - len(segment) + 1):
        if _fits(text, segment, position):
            return position
    return -1


def reader(path: tuple[str, ...]) -> Callable[[Mapping[str, Any]], Any]:
    """The function that looks a path up in a JSON object; MISSING when it is absent or null."""
    if len(path) == 1:
        key = path[0]

        def read_one(properties: Mapping[str, Any]) -> Any:
            value = properties.get(key)
            return MISSING if value is None else value

        return read_one

    def read(properties: Mapping[str, Any]) -> Any:
        value: Any = properties
        for part in path:
            if type(value) is not dict:
                return MISSING
            value = value.get(part)
        return MISSING if value is None else value

    return read
