"""The tree as JSON, which the UI edits: `from_json(to_json(node)) == node`.

A node is an object whose `node` names its kind; lengths of windows and numbers are the texts that an expression has.
"""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from innkeeper.audiences.nodes import MAX_DEPTH, NODE_TYPES, Boolean, Expression, Number, Offset, Path
from innkeeper.audiences.parse import parse
from innkeeper.audiences.printer import print_expression
from innkeeper.audiences.resolve import Scope
from innkeeper.audiences.spans import Span, parse_span
from innkeeper.kernel.errors import Invalid, Problem, UsageError
from innkeeper.kernel.json import Json
from innkeeper.kernel.numbers import format_micro
from innkeeper.kernel.time import format_duration, parse_duration

_KINDS = {kind.__name__.lower(): kind for kind in NODE_TYPES}


def to_json(node: Expression) -> dict[str, Json]:
    """The JSON form of a tree."""
    made: dict[str, Json] = {"node": type(node).__name__.lower()}
    if isinstance(node, Number):
        return made | {"value": format_micro(node.micro)}
    if isinstance(node, Offset):
        sign = "-" if node.duration < 0 else ""
        return made | {"base": to_json(node.base), "duration": sign + format_duration(abs(node.duration))}
    for each in fields(node):
        if each.name != "at":
            made[each.name] = _field(getattr(node, each.name))
    return made


def _field(value: Any) -> Json:
    if isinstance(value, Expression):
        return to_json(value)
    if isinstance(value, Span):
        return str(value)
    return [_field(item) for item in value] if isinstance(value, tuple) else value


def from_json(value: Json, scope: Scope = "profile") -> Expression:
    """The tree of a JSON form, held to the same rules as a text.

    Raises:
        Invalid: It is no expression.
    """
    try:
        node = _node(value, 1)
        # Printed and read again, it has passed every rule of the language, and its places are known.
        return parse(print_expression(node), scope)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise _invalid(f"it does not have the form of an expression: {error}") from error
    except Invalid:
        raise
    except UsageError as error:
        raise Invalid([Problem(code=error.code, message=error.message, fix=error.fix)]) from error


def _invalid(message: str) -> Invalid:
    return Invalid([Problem(code="bad-tree", message=message, fix="see: innkeeper --json audience explain EXPR")])


def _node(value: Json, depth: int) -> Expression:
    if depth > MAX_DEPTH:
        raise _invalid(f"it is nested more than {MAX_DEPTH} deep")
    if not isinstance(value, dict) or not isinstance(value.get("node"), str):
        raise _invalid("an object with a 'node' is needed")
    parts = dict(value)
    kind = _KINDS.get(parts.pop("node"))
    if kind is None:
        raise _invalid(f"there is no node '{value['node']}'")
    if kind is Number:
        return parse_number(parts["value"])
    if kind is Offset:
        text = _text(parts["duration"])
        duration = parse_duration(text.removeprefix("-"))
        return Offset(_node(parts["base"], depth + 1), -duration if text.startswith("-") else duration)
    names = [each.name for each in fields(kind) if each.name in parts and each.name != "at"]
    made = {name: _made(name, parts.pop(name), kind, depth) for name in names}
    if parts:
        raise _invalid(f"'{value['node']}' has no '{sorted(parts)[0]}'")
    return kind(**made)


def parse_number(text: Json) -> Number:
    """The number node of a decimal text."""
    compared = parse(f"traits.x = {_text(text)}")
    number = getattr(compared, "right", None)
    if not isinstance(number, Number):
        raise _invalid(f"'{text}' is not a number")
    return number


def _text(value: Json) -> str:
    if not isinstance(value, str) or len(value) > 100:
        raise _invalid("a short text is needed")
    return value


def _made(name: str, value: Json, kind: type[Expression], depth: int) -> Any:
    if name in ("within", "before"):
        return None if value is None else parse_span(_text(value))
    if name in ("parts", "path", "items"):
        if value is None and name == "path":
            return None
        if not isinstance(value, list):
            raise _invalid(f"'{name}' is a list")
        return tuple(_node(item, depth + 1) if name == "items" else str(item) for item in value)
    if isinstance(value, dict):
        return _node(value, depth + 1)
    wanted = bool if kind is Boolean or name == "ignore_case" else str
    if value is not None and not isinstance(value, wanted):
        raise _invalid(f"'{name}' cannot be {value!r:.60}")
    if kind is Path and value not in ("traits", "memory", "id", "event", "property", "account"):
        raise _invalid(f"there is no '{value}' to look up")
    return value
