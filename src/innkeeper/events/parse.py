"""One Segment-style JSON object in, one row of the log out, or the reason why it is refused.

Here is what every event goes through, whether from a line of a file, a mapped table or over HTTP. Not here:
reading files (`runtime/imports.py`), making events from columns (`mapping.py`), duplicates (`store/log.py`).

The parts are written again from what was decoded, so texts in the log are normalised: no white space, no escapes that
need not be, every float in its shortest form. The live fold and the bulk engine therefore read the same values.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Annotated, Any, Literal, NamedTuple, NoReturn

import msgspec

from innkeeper.events.limits import (
    BACKSLASH,
    CLIENT_LIMITS,
    MAX_NAME,
    SMALLEST_KEY,
    Limits,
    Refusal,
    Refused,
    check_duplicate_keys,
    check_shape,
    check_size,
    explain_malformed,
)
from innkeeper.events.minimise import BY_DEFAULT, Minimise
from innkeeper.events.types import LogRow
from innkeeper.kernel.errors import did_you_mean
from innkeeper.kernel.time import FOREVER, Instant, to_instant, try_parse_instant

#: What the types without an event name of their own are called in expressions.
NAMES = {
    "page": "Page Viewed",
    "screen": "Screen Viewed",
    "identify": "Identified",
    "group": "Grouped",
    "alias": "Aliased",
}
TYPES = ("track", *NAMES)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# An event lies between the years 1000 and 8999: with any zone and any window (at most 200,000 days) around it, what is
# computed from it still is a date.
EARLIEST = to_instant(datetime(1000, 1, 1, tzinfo=UTC))
LATEST = to_instant(datetime(9000, 1, 1, tzinfo=UTC))
_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode
# The class's own `__new__` takes twice as long, and this runs once for every event.
_new_row = tuple.__new__
_canonical = msgspec.json.Encoder(order="deterministic").encode


def no_occurrences(digest: bytes) -> int:
    """The occurrence number of an event that stands alone: equal contents are one event."""
    return 0


class Made(NamedTuple):
    """An event made of columns, its parts not yet encoded."""

    type: str
    name: str | None
    message_id: str | None
    user_id: str | None
    anonymous_id: str | None
    timestamp: Instant
    properties: dict[str, Any]
    traits: dict[str, Any]
    context: dict[str, Any]


_Id = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_NAME)]


class _Track(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    """The form that nearly every event has: a track event with its own ids and no more than what SDKs put beside it.

    It is checked while it is decoded, in C. What does not fit this form goes the general way, to the same result.
    """

    type: Literal["track"]
    messageId: _Id
    event: _Id
    timestamp: str
    userId: _Id | None = None
    anonymousId: _Id | None = None
    properties: dict[str, Any] | None = None
    context: dict[str, Any] | None = None
    integrations: dict[str, Any] | msgspec.UnsetType = msgspec.UNSET
    metadata: dict[str, Any] | msgspec.UnsetType = msgspec.field(name="_metadata", default=msgspec.UNSET)

    def extra(self, line: bytes) -> dict[str, Any] | None:
        """What stands beside the fields with a column, in the order of the line; None where that is not certain."""
        found: dict[str, Any] = {}
        if self.integrations is not msgspec.UNSET:
            found["integrations"] = self.integrations
        if self.metadata is not msgspec.UNSET:
            if found and line.find(b'"_metadata"') < line.find(b'"integrations"'):
                return None
            found["_metadata"] = self.metadata
        return found


_decode_track = msgspec.json.Decoder(_Track).decode


class Parser:
    """Parses the events of one source.

    Attributes:
        source: Whose events they are.
        received_at: When they arrived; set it anew for each batch that arrives at another time.
        occurrence: Answers how often a content (its digest) without a messageId was seen before in this file.
        limits: How large an event may be.
        minimise: What is cut down before an event is written.
        translate: Makes of what a client of another dialect sent the message that is read; may raise `Refused`.
        prepare: Changes a message before it is read: what its time is, what its sender may say; may raise `Refused`.
        latest: An event of a later time has to be prepared.
        thorough: Whether every event has to be, not only those with something unusual.
    """

    def __init__(
        self,
        *,
        source: str,
        received_at: Instant,
        occurrence: Callable[[bytes], int] = no_occurrences,
        limits: Limits = CLIENT_LIMITS,
        minimise: Minimise = BY_DEFAULT,
    ) -> None:
        self.source, self.received_at, self.occurrence, self.limits = source, received_at, occurrence, limits
        self._cut = minimise.cut
        self.translate: Callable[[dict[str, Any]], dict[str, Any]] | None = None
        self.prepare: Callable[[dict[str, Any]], None] | None = None
        self.latest: Instant = FOREVER
        self.thorough = False

    @property
    def limits(self) -> Limits:
        """How large an event may be."""
        return self._limits

    @limits.setter
    def limits(self, limits: Limits) -> None:
        self._limits = limits
        self._short_line = min(limits.size, limits.keys * SMALLEST_KEY)

    def parse(self, line: bytes) -> LogRow | Refusal:
        """The row of one JSON object, or why it is refused; never raises for what the line holds."""
        # A short line cannot have too many keys, nor a line with few brackets too deep a value; without a backslash
        # there is no NUL and no colon in disguise.
        if (
            not self.thorough
            and len(line) <= self._short_line
            and BACKSLASH not in line
            and line.count(b"{") + line.count(b"[") <= self._limits.depth
            and (row := self._quick(line)) is not None
        ):
            return row
        return self.parse_any(line)

    def _quick(self, line: bytes) -> LogRow | None:
        """The row of a plain track event; None for any other, and for one about which there is the least doubt."""
        try:
            event = _decode_track(line)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None
        name, user_id, anonymous_id = event.event, event.userId, event.anonymousId
        instant = quick_instant(event.timestamp)
        if instant is None or not EARLIEST <= instant < LATEST or instant > self.latest or name.isspace():
            return None
        context = event.context
        if (user_id is None and anonymous_id is None) or (context and "traits" in context):
            return None
        # The keys of the event itself, then every colon that stands in its texts and parts.
        keys = 4 + (user_id is not None) + (anonymous_id is not None)
        extra = event.extra(line)
        if extra is None:
            return None
        properties, about, beside = "{}", "{}", "{}"
        if event.properties is not None:
            keys += 1
            properties = _encode(event.properties).decode()
        if context is not None:
            keys += 1
            about = _encode(context).decode()
        if extra:
            beside = _encode(extra).decode()
        said = f"{event.messageId}{user_id}{anonymous_id}{event.timestamp}{name}{properties}{about}{beside}"
        if line.count(b":") != keys + said.count(":"):
            return None
        if self._cut is not None:
            if context and (cut := self._cut(context)) is not context:
                about = _encode(cut).decode()
            if extra and (cut := self._cut(extra)) is not extra:
                beside = _encode(cut).decode()
        return _new_row(
            LogRow,
            (
                self.source, event.messageId, "track", name, user_id, anonymous_id, instant, self.received_at,
                properties, "{}", about, beside,
            ),
        )  # fmt: skip

    def parse_any(self, line: bytes) -> LogRow | Refusal:
        """As `parse`, without the quick way of plain track events."""
        try:
            check_size(line, self.limits)
            value = _decode(line)
            if type(value) is not dict:
                _refuse_shape(value)
            check_shape(line, value, self.limits)
            check_duplicate_keys(line, _encode(value))
            if self.translate is not None:
                value = self.translate(value)
            digest = _digest(value) if value.get("messageId") in (None, "") else None
            if self.prepare is not None:
                self.prepare(value)
            row = self._row(value)
            if row.message_id or digest is None:
                return row
            return row._replace(message_id=f"{digest.hex()}-{self.occurrence(digest)}")
        except Refused as refused:
            return refused.refusal
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            return explain_malformed(line, error)

    def made(self, event: Made, *, nested: bool = True) -> LogRow | Refusal:
        """The row of an event that a mapping made; *nested*: whether a column can hold objects or lists."""
        kind, name, message_id, user_id, anonymous_id, timestamp, properties, traits, context = event
        try:
            if context and "traits" in context and (own := _object(context.get("traits"), "context.traits")):
                traits = {**own, **traits}
            first = _encode(properties).decode() if properties else "{}"
            second = _encode(traits).decode() if traits else "{}"
            third = _encode(context).decode() if context else "{}"
            doubtful = nested or "\\" in first or "\\" in second or "\\" in third
            # A character has at most four bytes; what may be too large is measured exactly.
            if doubtful or 4 * (len(first) + len(second) + len(third)) > self._limits.size:
                whole = {"properties": properties, "traits": traits, "context": context}
                check_shape(_encode(whole), whole, self._limits)
            if not user_id and not anonymous_id:
                _refuse_ids({})
            if kind != "track":
                name = _type_name(kind)
            elif type(name) is not str or not name or name.isspace():
                name = _event_name({"event": name})
            told = f"{message_id}{user_id}{anonymous_id}{name}"
            if len(told) > MAX_NAME or "\x00" in told:
                _check_texts({"messageId": message_id, "userId": user_id, "anonymousId": anonymous_id, "event": name})
            if not message_id:
                digest = _digest([kind, name, user_id, anonymous_id, timestamp, properties, traits, context])
                message_id = f"{digest.hex()}-{self.occurrence(digest)}"
            _sane(timestamp, "timestamp", timestamp)
        except Refused as refused:
            return refused.refusal
        if context and self._cut is not None and (cut := self._cut(context)) is not context:
            third = _encode(cut).decode()
        return _new_row(
            LogRow,
            (
                self.source, message_id, kind, name, user_id, anonymous_id, timestamp, self.received_at,
                first, second, third, "{}",
            ),
        )  # fmt: skip

    def _row(self, value: dict[str, Any]) -> LogRow:
        """The row of a decoded event, which is used up; without a message id of its own it gets the empty one."""
        take = value.pop
        message_id = _text(take("messageId", None), "messageId") or ""
        kind = take("type", None)
        name = _event_name(value) if kind == "track" else _type_name(kind)
        user_id = _text(take("userId", None), "userId")
        anonymous_id = _text(take("anonymousId", None), "anonymousId")
        if user_id is None and anonymous_id is None:
            _refuse_ids(value)
        timestamp = _timestamp(value)
        context = _object(take("context", None), "context")
        properties = _object(take("properties", None), "properties")
        if kind != "track":
            _special(kind, value, properties)
        traits = _traits(kind, value, context) if context or kind == "identify" else context
        # A write key is a secret of the sender, not a part of what happened.
        take("writeKey", None)
        if self._cut is not None:
            context, value = self._cut(context), self._cut(value)
        return _new_row(
            LogRow,
            (
                self.source, message_id, kind, name, user_id, anonymous_id, timestamp, self.received_at,
                _encode(properties).decode() if properties else "{}",
                _encode(traits).decode() if traits else "{}",
                _encode(context).decode() if context else "{}",
                _encode(value).decode() if value else "{}",
            ),
        )  # fmt: skip


def _check_texts(texts: dict[str, str | None]) -> None:
    """Refuse texts that hold the character NUL or are too long."""
    for key, text in texts.items():
        if text is not None and "\x00" in text:
            raise Refused("nul-character", f"'{key}' holds the character NUL (\\u0000)", "leave it out")
    for key, text in texts.items():
        _short(text or "", key)


def _digest(value: object) -> bytes:
    content = _canonical(value)
    if b".0" in content:
        # 2.0 is 2: a table's column holds whole numbers or others depending on its other cells.
        content = _canonical(_with_whole_numbers(value))
    return blake2b(content, digest_size=16).digest()


def _with_whole_numbers(value: object) -> object:
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    if isinstance(value, dict):
        return {key: _with_whole_numbers(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_with_whole_numbers(each) for each in value]
    return value


def _text(value: object, key: str) -> str | None:
    """An id as a text; null and the empty text are no id, a whole number counts as its decimal digits."""
    if type(value) is str:
        return (value if len(value) <= MAX_NAME else _short(value, key)) or None
    if value is None:
        return None
    if type(value) is int:
        return str(value)
    raise Refused("bad-id", f"'{key}' is {_show(value)}; it must be a text", f'send it as a text: "{key}": "c123"')


def _event_name(value: dict[str, Any]) -> str:
    name = value.pop("event", None)
    if type(name) is not str or not name.strip():
        raise Refused(
            "no-event-name",
            f"'event' is {_show(name)}; a track event needs the name of what happened",
            'send a text: "event": "Order Completed"',
        )
    return _short(name, "event")


def _short(text: str, key: str) -> str:
    if len(text) > MAX_NAME:
        raise Refused("too-long", f"'{key}' has {len(text):,} characters; at most {MAX_NAME:,} are taken")
    return text


def _type_name(kind: object) -> str:
    name = NAMES.get(kind) if type(kind) is str else None
    if name is None:
        near = did_you_mean(kind, TYPES) if isinstance(kind, str) else ""
        raise Refused(
            "bad-type", f"'type' is {_show(kind)}; it must be one of: {', '.join(TYPES)}", near or '"type": "track"'
        )
    return name


def _refuse_ids(value: dict[str, Any]) -> NoReturn:
    near = [key for key in value if key.lower().replace("_", "") in ("userid", "anonymousid", "distinctid")]
    raise Refused(
        "no-id",
        "the event has neither 'userId' nor 'anonymousId'",
        f"send '{near[0]}' as 'userId' or 'anonymousId'" if near else 'send one of them: "userId": "c123"',
    )


def _refuse_shape(value: object) -> NoReturn:
    raise Refused(
        "not-an-object", f"the line is {_show(value)}, not a JSON object", "write one event, in braces, on each line"
    )


def _timestamp(value: dict[str, Any]) -> Instant:
    """When it happened: `timestamp`, else `originalTimestamp`; the one that is used leaves *value*."""
    key = "timestamp"
    text = value.pop(key, None)
    if text is None:
        key = "originalTimestamp"
        text = value.pop(key, None)
    if type(text) is str:
        instant = quick_instant(text)
        if instant is not None:
            return _sane(instant, key, text)
    if text is None:
        raise Refused(
            "no-timestamp", "the event has neither 'timestamp' nor 'originalTimestamp'", '"2026-11-22T09:30:00Z"'
        )
    raise Refused(
        "bad-timestamp",
        f"'{key}' is {_show(text)}; it must be a time in ISO 8601 with a zone",
        "write it like 2026-11-22T09:30:00Z or 2026-11-22T10:30:00+01:00",
    )


def _sane(instant: Instant, key: str, said: object) -> Instant:
    if EARLIEST <= instant < LATEST:
        return instant
    raise Refused(
        "bad-timestamp", f"'{key}' is {_show(said)}; it must lie in the years 1000 to 8999",
        "send when it happened, like 2026-11-22T09:30:00Z",
    )  # fmt: skip


def quick_instant(text: str) -> Instant | None:
    """As `try_parse_instant`, five times as fast for the one form that nearly every client sends."""
    if text[4:14:3] != "--T:" or text[-1] != "Z" or len(text) not in (20, 24, 27):
        return try_parse_instant(text)
    try:
        since = datetime.fromisoformat(text) - _EPOCH
    except ValueError:
        return try_parse_instant(text)
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def _object(value: object, key: str) -> dict[str, Any]:
    if type(value) is dict:
        return value
    if value is None:
        return {}
    raise Refused("not-an-object", f"'{key}' is {_show(value)}; it must be an object", f'"{key}": {{}}')


def _special(kind: str, value: dict[str, Any], properties: dict[str, Any]) -> None:
    """What the types other than track have of their own."""
    if kind in ("page", "screen"):
        for key in ("name", "category"):
            given = value.get(key)
            if given is not None and properties.setdefault(key, given) == given:
                del value[key]
    elif kind in ("group", "alias"):
        key = "groupId" if kind == "group" else "previousId"
        given = _text(value.get(key), key)
        if given is None:
            raise Refused("no-id", f"an event of type {kind} needs '{key}'", f'"{key}": "c123"')
        value[key] = given


def _traits(kind: str, value: dict[str, Any], context: dict[str, Any]) -> dict[str, Any]:
    """What the event says about the customer: `context.traits`, and over them the `traits` of identify."""
    traits = context.get("traits")
    if traits is not None:
        traits = _object(traits, "context.traits")
    if kind == "identify":
        own = _object(value.pop("traits", None), "traits")
        return {**traits, **own} if traits else own
    return traits or {}


def _show(value: object) -> str:
    if value is None:
        return "missing"
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else "a list"
    text = _encode(value).decode()
    return text if len(text) <= 80 else text[:80] + "…"
