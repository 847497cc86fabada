"""Pages of a list: `limit` and a `cursor` that says where the last page ended.

A cursor holds the sort key of the last row, so that rows which come or go meanwhile neither repeat nor skip others.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterable
from typing import Any, Final

import msgspec

from innkeeper.kernel.errors import UsageError
from innkeeper.kernel.json import dumps, loads

MOST: Final = 1_000
USUAL: Final = 100
_FIX: Final = "send 'next' of the page before"

Key = Callable[[dict[str, Any]], list[Any]]


def after(cursor: str | None, *kinds: type) -> list[Any] | None:
    """The key that a cursor holds, its parts of these *kinds* where there are any; None for the first page.

    Raises:
        UsageError: It is no cursor of ours, or of another list.
    """
    if cursor is None:
        return None
    try:
        key = loads(base64.urlsafe_b64decode(cursor.encode() + b"=" * (-len(cursor) % 4)))
    except (ValueError, binascii.Error, msgspec.DecodeError):
        key = None
    if not isinstance(key, list) or not all(_may_be_key(each) for each in key):
        raise UsageError("the cursor is none of ours", code="bad-cursor", fix=_FIX)
    if kinds and [type(each) for each in key] != list(kinds):
        raise UsageError("the cursor is of another list", code="bad-cursor", fix=_FIX)
    return key


def _may_be_key(part: Any) -> bool:
    # SQLite has no larger integers.
    return type(part) is str or (type(part) is int and abs(part) < 2**63)


def most(limit: int) -> int:
    """The size of a page.

    Raises:
        UsageError: It is too small or too large.
    """
    if not 1 <= limit <= MOST:
        raise UsageError(f"limit is {limit}; it must be 1 to {MOST:,}", code="bad-limit", fix="ask page by page")
    return limit


def page(name: str, rows: list[dict[str, Any]], limit: int, key: Key) -> Any:
    """A page of rows that were asked for one more than the limit; with `next` where there is more."""
    told: dict[str, Any] = {name: rows[:limit], "next": None}
    if len(rows) > limit:
        told["next"] = base64.urlsafe_b64encode(dumps(key(rows[limit - 1])).encode()).decode().rstrip("=")
    return told


def cut(
    name: str,
    rows: Iterable[dict[str, Any]],
    limit: int,
    cursor: str | None,
    key: Key,
) -> Any:
    """A page of a short list that is at hand, in the order of its keys."""
    limit, last = most(limit), after(cursor)
    found = sorted(rows, key=key)
    try:
        rest = found if last is None else [row for row in found if key(row) > last]
    except TypeError as error:
        raise UsageError("the cursor is of another list", code="bad-cursor", fix=_FIX) from error
    return page(name, rest[: limit + 1], limit, key)
