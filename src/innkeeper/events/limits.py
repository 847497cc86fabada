"""What an event may be: its size, its depth, its number of keys; and the findings about one that is refused.

`parse.py` asks these checks about every event. They are cheap for a decent event: a few byte counts rule the bad cases
out, and only what they cannot rule out is walked through.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, NamedTuple

from innkeeper.events.types import ENGINE_SOURCE
from innkeeper.kernel.errors import UsageError

#: Longest user id, anonymous id, message id and event name, in characters.
MAX_NAME = 1024
#: As a number, because `number in bytes` is ten times as fast as `bytes in bytes`.
BACKSLASH = 0x5C
_MAX_SOURCE = 100
#: The fewest bytes that a key with its value takes in JSON.
SMALLEST_KEY = len('"":0,')
_BOM = b"\xef\xbb\xbf"


class Refusal(NamedTuple):
    """Why an event is not taken: a stable code, the reason with the value seen, and what to do about it."""

    code: str
    reason: str
    fix: str = ""


class Refused(Exception):
    """Carries a `Refusal` out of the depth of a check; never leaves `events/`."""

    def __init__(self, code: str, reason: str, fix: str = "") -> None:
        super().__init__(reason)
        self.refusal = Refusal(code, reason, fix)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How large one event may be; `keys` and `depth` count over all nested objects, the event itself is depth 1."""

    size: int = 32 * 1024
    depth: int = 20
    keys: int = 1000


#: What a client may send in one event.
CLIENT_LIMITS = Limits()
#: What the grouping of lines may make: as much as one batch of a client.
GROUPED_LIMITS = Limits(size=500 * 1024, depth=20, keys=100_000)


def check_source(source: str) -> str:
    """The name of a source of events, if it may be one.

    Raises:
        UsageError: It is empty, too long, has control characters, or is the engine's own.
    """
    if source.strip().casefold() == ENGINE_SOURCE:
        raise UsageError(
            f"the source '{source}' is reserved for the engine's own events",
            code="reserved-source",
            fix="choose another name: --source shop",
        )
    if not source.strip() or len(source) > _MAX_SOURCE or not source.isprintable():
        raise UsageError(
            f"{source[:120]!r} cannot name a source: 1 to {_MAX_SOURCE} printable characters are needed",
            code="bad-source",
            fix="choose a short name: --source shop",
        )
    return source


def check_shape(text: bytes, value: dict[str, Any], limits: Limits) -> None:
    """Refuse an event that is too large, too deep, has too many keys, or holds a NUL character.

    Args:
        text: The event as JSON; its bytes rule out most cases without a walk.
        value: The same event, decoded.
        limits: What is allowed.
    """
    check_size(text, limits)
    if text.count(b"{") + text.count(b"[") > limits.depth:
        _check_depth(value, limits.depth)
    if len(text) > limits.keys * SMALLEST_KEY:
        count = count_keys(value)
        if count > limits.keys:
            raise Refused(
                "too-many-keys",
                f"the event has {count:,} keys; at most {limits.keys:,} are taken",
                "send fewer properties, or lists instead of numbered keys",
            )
    if BACKSLASH in text and b"\\u0000" in text:
        _check_nul(value)


def check_size(text: bytes, limits: Limits) -> None:
    """Refuse an event that is too large."""
    if len(text) > limits.size:
        raise Refused(
            "too-large",
            f"the event has {len(text):,} bytes; at most {limits.size:,} are taken",
            "send less in one event; one event a line",
        )


def _check_depth(value: object, limit: int) -> None:
    level: list[object] = [value]
    for _ in range(limit):
        level = [child for node in level for child in _children(node) if isinstance(child, dict | list)]
        if not level:
            return
    raise Refused(
        "too-deep", f"the event is nested deeper than {limit} levels", "flatten it, or send the rest as a text"
    )


def _children(node: object) -> list[Any]:
    if isinstance(node, dict):
        return list(node.values())
    return node if isinstance(node, list) else []


def count_keys(value: object) -> int:
    """How many keys a JSON value has, over all its objects."""
    count, todo = 0, [value]
    while todo:
        node = todo.pop()
        if isinstance(node, dict):
            count += len(node)
        todo.extend(_children(node))
    return count


def _check_nul(value: dict[str, Any]) -> None:
    """PostgreSQL and programs in C cannot hold the character NUL in a text."""
    todo: list[object] = [value]
    while todo:
        node = todo.pop()
        texts = [node] if isinstance(node, str) else list(node) if isinstance(node, dict) else []
        if any(isinstance(item, str) and "\x00" in item for item in texts):
            raise Refused("nul-character", "a text of the event holds the character NUL (\\u0000)", "leave it out")
        todo.extend(_children(node))


def check_duplicate_keys(text: bytes, again: bytes) -> None:
    """Refuse an event in which one object has the same key twice: readers disagree about which one counts.

    Args:
        text: The event as it came.
        again: The same event, decoded and encoded; a key that stood twice is there once, so it has fewer colons.
    """
    if text.count(b":") == again.count(b":") and (BACKSLASH not in text or b"\\u003" not in text):
        return

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(items)
        if len(found) < len(items):
            seen: set[str] = set()
            twice = next(key for key, _ in items if key in seen or seen.add(key))  # type: ignore[func-returns-value]
            raise Refused("duplicate-key", f"the key '{twice[:80]}' stands twice in one object", "send it once")
        return found

    json.loads(text, object_pairs_hook=pairs, parse_float=str, parse_int=str)


def explain_malformed(text: bytes, error: Exception) -> Refusal:
    """Why a text is no JSON event, in words that help; *error* is what the decoder said."""
    if text.startswith(_BOM):
        return Refusal("byte-order-mark", "the line begins with a byte order mark", "save the file as UTF-8 without it")
    if text.startswith((b"\xff\xfe", b"\xfe\xff")) or text[:4].count(0) >= 2:
        return Refusal("not-utf-8", "the line is UTF-16, not UTF-8", "save the file as UTF-8")
    if isinstance(error, UnicodeDecodeError):
        return Refusal("not-utf-8", f"the line is not UTF-8: {error.reason}", "save the file as UTF-8")
    if isinstance(error, RecursionError):
        return Refusal("too-deep", "the event is nested deeper than 20 levels", "flatten it")
    if "out of range" in str(error):
        return Refusal("number-out-of-range", "a number of the event is too large to hold", "send it as a text")
    return _beyond_json(text) or Refusal("not-json", f"the line is not JSON: {str(error)[:160]}", "one object a line")


def _beyond_json(text: bytes) -> Refusal | None:
    """What Python's lenient reader accepts and JSON does not: NaN, Infinity, half a surrogate pair."""
    constants: list[str] = []
    try:
        json.loads(text, parse_constant=constants.append, parse_int=str)
    except (ValueError, RecursionError):
        return None
    if constants:
        return Refusal("not-a-number", f"{constants[0]} is not a JSON number", "send null, or leave the key out")
    return Refusal("lone-surrogate", "a text of the event holds half a surrogate pair", "send the whole character")
