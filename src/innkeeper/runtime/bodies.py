"""The body of a request: gzip and zstd undone under caps, the envelope of a batch taken apart. No event is read here.

The content type says nothing: clients send JSON as text/plain and as a form. The coding is believed when a header names
it, and recognised by its first bytes when none does.
"""

from __future__ import annotations

import json
import sys
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import msgspec

from innkeeper.events.limits import Refusal, explain_malformed
from innkeeper.kernel.json import loads

#: What a client may send at once, before and after it is unpacked.
MOST_BYTES: Final = 500 * 1024
MOST_EVENTS: Final = 2_500
_MOST_MEMBERS: Final = 8
_MOST_RATIO: Final = 100
#: A small body may be as dense as it likes.
_FREE_BYTES: Final = 16 * 1024
_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
#: 8 MiB: a decoder's memory, whatever the frame asks for.
_WINDOW_LOG: Final = 23


class BadBody(Exception):
    """The body as a whole cannot be taken; *status* is the answer's."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


class Envelope(msgspec.Struct, kw_only=True):
    """What stands around the events of a request, and beside the fields of one that comes alone."""

    batch: list[msgspec.Raw] | None = None
    sent_at: Any = msgspec.field(default=None, name="sentAt")
    write_key: Any = msgspec.field(default=None, name="writeKey")
    api_key: Any = None
    user_token: Any = msgspec.field(default=None, name="userToken")
    gpc: Any = None
    type: Any = None


class Sent(NamedTuple):
    """A request's events as they came, with what the envelope says."""

    lines: list[bytes]
    envelope: Envelope


@dataclass(slots=True)
class _Part:
    """One member of a compressed body."""

    out: bytes
    is_whole: bool
    rest: bytes


_ENVELOPE: Final = [name for name in Envelope.__struct_encode_fields__ if name != "batch"]
_decode_envelope = msgspec.json.Decoder(Envelope).decode
_decode_list = msgspec.json.Decoder(list[msgspec.Raw]).decode


def unpack(body: bytes, coding: str) -> bytes:
    """The body without its compression.

    Raises:
        BadBody: It is no such body, or far larger than it looks.
    """
    coding = coding.strip().lower()
    if coding not in ("", "identity", "gzip", "x-gzip", "zstd"):
        raise BadBody(
            415, "bad-encoding", f"the content encoding '{coding[:40]}' is not taken; send gzip, zstd or none"
        )
    if body.startswith(_GZIP):
        return _unpacked(body, _gzip_member)
    if body.startswith(_ZSTD):
        return _unpacked(body, _zstd_frame)
    # Some clients name a coding and send the bare text.
    return body


def _unpacked(body: bytes, member: Callable[[bytes, int], _Part]) -> bytes:
    out, rest = b"", body
    for _ in range(_MOST_MEMBERS):
        try:
            part = member(rest, MOST_BYTES + 1 - len(out))
        except (ValueError, zlib.error, EOFError) as error:
            raise BadBody(400, "bad-compression", "the compressed body cannot be read") from error
        out += part.out
        if len(out) > max(_FREE_BYTES, _MOST_RATIO * len(body)):
            raise BadBody(400, "too-dense", f"the body is more than {_MOST_RATIO} times as large when it is unpacked")
        if len(out) > MOST_BYTES:
            raise too_large()
        if not part.is_whole:
            raise BadBody(400, "bad-compression", "the compressed body is cut off")
        rest = part.rest
        if not rest:
            return out
    raise BadBody(400, "too-many-members", f"the compressed body has more than {_MOST_MEMBERS} parts")


def too_large() -> BadBody:
    """What is said of a body over the limit."""
    return BadBody(413, "too-large", f"the body has more than {MOST_BYTES:,} bytes; send smaller batches")


def _gzip_member(data: bytes, most: int) -> _Part:
    unzip = zlib.decompressobj(31)
    out = unzip.decompress(data, most)
    return _Part(out, unzip.eof, unzip.unused_data)


def _zstd_frame(data: bytes, most: int) -> _Part:
    if sys.version_info >= (3, 14):
        from compression import zstd
    else:
        from backports import zstd

    unzip = zstd.ZstdDecompressor(options={zstd.DecompressionParameter.window_log_max: _WINDOW_LOG})
    try:
        out = unzip.decompress(data, most)
    except zstd.ZstdError as error:
        raise ValueError from error
    return _Part(out, unzip.eof, unzip.unused_data)


def open_envelope(body: bytes) -> Sent:
    """The events of a body: those of its `batch`, else the body itself.

    Raises:
        BadBody: It is no JSON object.
    """
    try:
        envelope = _decode_envelope(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        spared = None if isinstance(error, msgspec.ValidationError) else _spare(body)
        if spared is None:
            raise _malformed(body, error) from error
        envelope = spared
    if envelope.batch is None:
        return Sent([body], envelope)
    if len(envelope.batch) > MOST_EVENTS:
        raise BadBody(413, "too-many-events", f"a batch has at most {MOST_EVENTS:,} events; send smaller ones")
    return Sent([bytes(each) for each in envelope.batch], envelope)


def _spare(body: bytes) -> Envelope | None:
    """The envelope of a batch in which some event is no JSON by the letter: NaN, half of an emoji that was cut in two.

    Clients throw a batch away that is refused as a whole; so its events are written anew one by one, and the parser
    finds those that are bad. None where even a lenient reader finds no batch.
    """
    try:
        value = json.loads(body)
        if not isinstance(value, dict) or not isinstance(value.get("batch"), list):
            return None
        events = [msgspec.Raw(json.dumps(each).encode()) for each in value.pop("batch")]
        rest = _decode_envelope(json.dumps({name: value.get(name) for name in _ENVELOPE}).encode())
    except (ValueError, RecursionError):
        return None
    return msgspec.structs.replace(rest, batch=events)


def open_list(body: bytes) -> Sent:
    """The events of a body that is one of them, or a list of them.

    Raises:
        BadBody: It is neither.
    """
    if not body.lstrip().startswith(b"["):
        return open_envelope(body)
    try:
        found = _decode_list(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _malformed(body, error) from error
    if len(found) > MOST_EVENTS:
        raise BadBody(413, "too-many-events", f"a batch has at most {MOST_EVENTS:,} events; send smaller ones")
    return Sent([bytes(each) for each in found], Envelope(batch=found))


def check_json(body: bytes) -> None:
    """Refuse what is no JSON by the letter.

    Raises:
        BadBody: It is none.
    """
    try:
        loads(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        bad = _malformed(body, error)
        raise BadBody(bad.status, bad.code, bad.message.replace("the event", "the body")) from error


def _malformed(body: bytes, error: Exception) -> BadBody:
    if isinstance(error, msgspec.ValidationError):
        return BadBody(400, "not-an-object", "the body must be a JSON object, its 'batch' a list of events")
    found: Refusal = explain_malformed(body, error)
    return BadBody(400, found.code, found.reason.replace("the line", "the body"))
