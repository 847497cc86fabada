"""The payload of a webhook read (JSON or a form), and made into events by its mapping, as rows of a table are.

Used by `runtime/webhooks.py`. What the mapping may say: `payload_mapping.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple
from urllib.parse import parse_qsl

import msgspec

from innkeeper.events.limits import (
    CLIENT_LIMITS,
    GROUPED_LIMITS,
    Refusal,
    Refused,
    check_duplicate_keys,
    check_shape,
    explain_malformed,
)
from innkeeper.events.mapping_bind import BoundMapping
from innkeeper.events.mapping_values import Column, Row, as_text
from innkeeper.events.minimise import Minimise
from innkeeper.events.parse import Parser
from innkeeper.events.payload_mapping import HEADERS, QUERY, RECEIVED_AT
from innkeeper.events.types import LogRow
from innkeeper.kernel.json import dumps
from innkeeper.kernel.time import Instant, format_instant

#: What one request may make at most.
MOST_EVENTS: Final = 2_500
_FORM: Final = "application/x-www-form-urlencoded"
_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class Bound:
    """One kind of event of a webhook, its mapping compiled; *each*: the list whose entries are rows."""

    each: tuple[str, ...] | None
    mapping: BoundMapping


class Around(NamedTuple):
    """What came with a payload."""

    headers: Mapping[str, str]
    query: Mapping[str, str]
    at: Instant


def read_payload(body: bytes, content_type: str) -> list[Any]:
    """The payloads of a body: the entries of a list, else the body itself.

    Raises:
        Refused: It is neither JSON nor a form.
    """
    if content_type.partition(";")[0].strip().lower() == _FORM:
        return [_form(body)]
    try:
        value = _decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        found = explain_malformed(body, error)
        raise Refused(found.code, found.reason.replace("the line", "the body"), found.fix) from error
    payloads = value if isinstance(value, list) else [value]
    if not all(isinstance(each, dict) for each in payloads):
        raise Refused("not-an-object", "the body must be a JSON object, or a list of them")
    check_shape(body, {"": value}, GROUPED_LIMITS)
    check_duplicate_keys(body, _encode(value))
    if len(payloads) > MOST_EVENTS:
        raise _too_many()
    return payloads


def _form(body: bytes) -> dict[str, str]:
    try:
        return dict(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=1_000, errors="strict"))
    except ValueError as error:
        raise Refused("bad-form", "the body is no form: UTF-8, at most 1,000 fields") from error


def _too_many() -> Refused:
    return Refused("too-many-events", f"one request makes at most {MOST_EVENTS:,} events", "send smaller ones")


def events_of(
    payloads: list[Any], bounds: list[Bound], around: Around, *, source: str, minimise: Minimise
) -> list[LogRow | Refusal]:
    """The events that the mappings make of payloads, or why one is refused; where no `where` holds, there is none."""
    seen: dict[bytes, int] = {}

    def occurrence(digest: bytes) -> int:
        seen[digest] = seen.get(digest, -1) + 1
        return seen[digest]

    parser = Parser(source=source, received_at=around.at, occurrence=occurrence, minimise=minimise)
    made: list[LogRow | Refusal] = []
    for payload in payloads:
        whole = payload | {
            HEADERS: _named(around.headers), QUERY: _named(around.query), RECEIVED_AT: format_instant(around.at)
        }  # fmt: skip
        for bound in bounds:
            for rows in _groups(whole, bound):
                made.append(rows if isinstance(rows, Refusal) else _event(parser, bound.mapping, rows))
                if len(made) > MOST_EVENTS:
                    raise _too_many()
    return made


def _named(texts: Mapping[str, str]) -> dict[str, str]:
    return {name.lower().replace("-", "_"): text for name, text in texts.items()}


def _event(parser: Parser, mapping: BoundMapping, rows: list[Row]) -> LogRow | Refusal:
    parser.limits = GROUPED_LIMITS if mapping.group_by else CLIENT_LIMITS
    try:
        row = parser.made(mapping.event(rows), nested=True)
    except Refused as refused:
        return refused.refusal
    if isinstance(row, LogRow) and row.timestamp > row.received_at:
        # Nothing that came over HTTP is later than its arrival.
        said = dumps({"originalTimestamp": format_instant(row.timestamp)})
        return row._replace(timestamp=row.received_at, extra=said)
    return row


def _groups(payload: dict[str, Any], bound: Bound) -> Iterator[list[Row] | Refusal]:
    """The rows of each event."""
    mapping = bound.mapping
    groups: dict[object, list[Row]] = {}
    for number, entry in enumerate(_entries(payload, bound.each)):
        try:
            row = tuple(_cell(entry, column) for column in mapping.columns)
            if mapping.keeps is not None and not mapping.keeps(row):
                continue
        except Refused as refused:
            yield refused.refusal
            continue
        key: object = tuple(as_text(row[index]) for index in mapping.group_by) if mapping.group_by else number
        groups.setdefault(key, []).append(row)
    yield from groups.values()


def _entries(payload: dict[str, Any], each: tuple[str, ...] | None) -> list[dict[str, Any]]:
    """The payload, or for each entry of a list in it the payload with that entry in the list's place."""
    if each is None:
        return [payload]
    found = _inside(_at(payload, each))
    if found is None:
        return []
    return [_with(payload, each, entry) for entry in (found if isinstance(found, list) else [found])]


def _with(value: Any, path: tuple[str, ...], entry: Any) -> Any:
    """A value with another one at a path, which is there."""
    if not path:
        return entry
    first, rest, value = path[0], path[1:], _inside(value)
    if isinstance(value, list):
        place = int(first)
        return [*value[:place], _with(value[place], rest, entry), *value[place + 1 :]]
    return value | {first: _with(value[first], rest, entry)}


def _at(value: Any, path: tuple[str, ...]) -> Any:
    """What stands at a path; a number counts the entries of a list from 0."""
    for part in path:
        value = _inside(value)
        if isinstance(value, dict):
            value = value.get(part)
        elif isinstance(value, list) and part.isdecimal() and len(part) < 6 and int(part) < len(value):
            value = value[int(part)]
        else:
            return None
    return value


def _inside(value: Any) -> Any:
    """What a path goes on in: JSON that some senders put into a text, decoded; anything else as it is."""
    if not isinstance(value, str) or value[:1] not in ("{", "["):
        return value
    try:
        return _decode(value.encode())
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        # A text that begins like JSON and is none is a text.
        return value


def _cell(payload: dict[str, Any], column: Column) -> Any:
    found = _at(payload, tuple(column.name.split(".")))
    return found if column.kind == "any" or found is None else _CELLS[column.kind](found, column.name)


def _number(found: Any, name: str) -> int | float | None:
    if isinstance(found, str) and found:
        try:
            found = _decode(found.strip().encode())
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise _bad(found, name, "number") from None
    if found == "":
        return None
    if isinstance(found, bool) or not isinstance(found, int | float):
        raise _bad(found, name, "number")
    return found


def _boolean(found: Any, name: str) -> bool | None:
    if found in ("", "true", "false") or isinstance(found, bool):
        return None if found == "" else found in (True, "true")
    raise _bad(found, name, "boolean")


def _bad(found: Any, name: str, kind: str) -> Refused:
    return Refused(
        "bad-cell", f"'{name}' is {dumps(found)[:80]}, not a {kind}", "mend it, or declare another type under 'types'"
    )


_CELLS: Final[dict[str, Callable[[Any, str], Any]]] = {
    "text": lambda found, name: as_text(found), "number": _number, "boolean": _boolean,
}  # fmt: skip
