"""Hostile and careless events: (name, line, code of the refusal or None where it must be taken)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

Case = tuple[str, bytes, str | None]
GOOD: dict[str, Any] = {
    "type": "track",
    "messageId": "m1",
    "userId": "u1",
    "timestamp": "2026-11-22T09:30:00Z",
    "event": "Order Completed",
    "properties": {"total": 9.5},
}


def line(**changes: Any) -> bytes:
    """The good event with some fields changed; `...` leaves a field out."""
    fields = {key: value for key, value in (GOOD | changes).items() if value is not ...}
    return json.dumps(fields).encode()


def raw(inside: str) -> bytes:
    """The good event with properties written by hand."""
    return line(properties="@").replace(b'"@"', inside.encode("utf-8", "surrogatepass"))


def of(value: str) -> bytes:
    """The good event with one property, its value written by hand."""
    return raw('{"x":' + value + "}")


def nested(depth: int, kind: str) -> str:
    """A value nested *depth* deep."""
    if kind == "lists":
        return "[" * depth + "]" * depth
    return '{"a":' * depth + "1" + "}" * depth


def cases() -> Iterator[Case]:
    """All cases, in a fixed order."""
    yield "good", line(), None
    yield from _broken()
    yield from _sizes()
    yield from _numbers()
    yield from _texts()
    yield from _keys()
    yield from _fields()
    yield from _times()
    yield from _types()


def _broken() -> Iterator[Case]:
    good = line()
    for cut in range(0, len(good), 9):
        yield f"cut at {cut}", good[:cut], "not-json"
    for junk in (b"x", b"}", b",", b"{}", b"\x00", b"\xef\xbb\xbf", b"\xff"):
        yield f"junk behind {junk!r}", good + junk, "not-json"
    yield "byte order mark", b"\xef\xbb\xbf" + good, "byte-order-mark"
    yield "UTF-16", good.decode().encode("utf-16"), "not-utf-8"
    yield "UTF-16 big endian", good.decode().encode("utf-16-be"), "not-utf-8"
    yield "UTF-32", good.decode().encode("utf-32-le"), "not-utf-8"
    for name, text in {
        "empty": b"", "blank": b"   ", "a word": b"hello", "XML": b"<event/>", "CSV": b"a,b,c", "a comment": b"{} // x",
        "single quotes": b"{'type': 'track'}", "bare keys": b'{type: "track"}', "trailing comma": b'{"a":1,}',
        "control character": b'{"a":"\x01"}', "vertical tab": b"\x0b{}", "zip": b"PK\x03\x04", "gzip": b"\x1f\x8b\x08",
    }.items():  # fmt: skip
        yield name, text, "not-json"
    for name, text in {"list": b"[]", "list of events": b"[%s]" % good, "text": b'"x"', "number": b"1", "null": b"null",
                       "true": b"true"}.items():  # fmt: skip
        yield f"a {name} instead of an object", text, "not-an-object"
    yield "an empty object", b"{}", "bad-type"
    yield "blanks around", b" \t\r\n" + good + b"\r\n ", None


def _sizes() -> Iterator[Case]:
    room = 32 * 1024 - len(line(properties={"x": ""}))
    yield "32 KiB exactly", line(properties={"x": "a" * room}), None
    yield "one byte more", line(properties={"x": "a" * (room + 1)}), "too-large"
    yield "10 MB text", line(properties={"x": "a" * 10_000_000}), "too-large"
    for kind in ("lists", "objects"):
        yield f"20 {kind} deep", of(nested(18, kind)), None
        yield f"21 {kind} deep", of(nested(19, kind)), "too-deep"
        for depth in (100, 990, 2_000, 6_000):
            text = nested(depth, kind)
            if len(text) < 32_000:
                yield f"{depth} {kind} deep", of(text), "too-deep"
    yield "100,000 deep", b"[" * 100_000, "too-large"
    yield "15,000 open lists", b"[" * 15_000, "too-deep"
    yield "many shallow lists", line(properties={"x": [[] for _ in range(3_000)]}), None
    yield "braces in a text", line(properties={"x": "{[" * 5_000}), None
    own = len(GOOD)
    yield "1,000 keys", line(properties={f"k{n}": n for n in range(1_000 - own)}), None
    yield "1,001 keys", line(properties={f"k{n}": n for n in range(1_001 - own)}), "too-many-keys"
    yield "1,001 keys in a list", line(properties={"x": [{"k": n} for n in range(1_000 - own)]}), "too-many-keys"
    yield "colons in a text", line(properties={"x": ":" * 5_000}), None
    yield "10^6 keys", line(properties={f"k{n}": n for n in range(100_000)}), "too-large"


def _numbers() -> Iterator[Case]:
    for text in ("NaN", "Infinity", "-Infinity"):
        yield text, of(text), "not-a-number"
    for text in ("1e400", "-1e400", "1e999999", "9" * 5_000, "1" + "0" * 400 + ".0"):
        yield text[:20], of(text), "number-out-of-range"
    for text in ("nan", "inf", "0x10", "01", "+1", "1.", ".5", "1e", "--1", "1_000", "١"):
        yield f"number {text}", of(text), "not-json"
    for text in ("-0", "1e-400", "1e308", "123456789012345678901234567890", "0.1", "1E5", "-0.0", "5e-324"):
        yield f"number {text}", of(text), None


def _texts() -> Iterator[Case]:
    for text in ("\\ud800", "\\udc00", "\\ud800x", "\\udc00\\ud800", "a\\udfff", "\\ud83d\\u0041"):
        yield f"surrogate {text}", of(f'"{text}"'), "lone-surrogate"
    yield "surrogate in a key", raw('{"\\ud800":1}'), "lone-surrogate"
    yield "surrogate bytes", raw('{"x":"\ud800"}'), "not-utf-8"
    yield "overlong bytes", line(userId="@@").replace(b"@@", b"\xc0\x80"), "not-utf-8"
    yield "latin-1", line(userId="@@").replace(b"@@", b"\xe9"), "not-utf-8"
    for place in ('{"x":"a\\u0000b"}', '{"a\\u0000":1}', '{"x":["\\u0000"]}', '{"x":{"y":{"z":"\\u0000"}}}'):
        yield f"NUL in {place}", raw(place), "nul-character"
    for key in ("userId", "anonymousId", "messageId", "event"):
        yield f"NUL in {key}", line(**{key: "a\x00b"}), "nul-character"
    yield "an escaped backslash before u0000", raw('{"x":"\\\\u0000"}'), None
    yield "bad escape", raw('{"x":"\\q"}'), "not-json"
    yield "short escape", raw('{"x":"\\u12"}'), "not-json"
    for name, text in {
        "emoji": "\U0001f3e8", "escaped emoji": "\\ud83c\\udfe8", "right to left": "\u202e", "combining": "e\u0301",
        "zero width": "\u200b", "line separator": "\u2028", "private": "\ue000", "delete": "\x7f", "script": "<script>",
        "SQL": "'; drop table events; --", "template": "{{ 7 | times: 7 }}", "CRLF": "a\\r\\nBcc: x@y.z",
    }.items():  # fmt: skip
        yield f"text with {name}", of(f'"{text}"'), None


def _keys() -> Iterator[Case]:
    yield "same property twice", raw('{"a":1,"a":2}'), "duplicate-key"
    yield "same property twice, one escaped", raw('{"a":1,"\\u0061":2}'), "duplicate-key"
    yield "same key deep inside", raw('{"x":[{"a":{"b":1,"b":1}}]}'), "duplicate-key"
    yield "colon hidden in an escape", raw('{"a":1,"a":2,"c":"\\u003a"}'), "duplicate-key"
    for key in ("userId", "type", "messageId", "event"):
        yield f"{key} twice", line()[:-1] + f', "{key}": "track"}}'.encode(), "duplicate-key"
    yield "timestamp twice", line()[:-1] + b', "timestamp": "2026-11-22T09:30:00Z"}', "duplicate-key"
    yield "twice beside a short time", line(timestamp="2026-11-22T09:30Z")[:-1] + b',"x":1,"x":1}', "duplicate-key"
    yield "twice beside a page's name", line(type="page", name="a")[:-1] + b',"x":1,"x":1}', "duplicate-key"
    traits = {"traits": {"a": 1}}
    twice = line(type="identify", context=traits, **traits)[:-1] + b',"x":1,"x":1}'
    yield "twice beside traits", twice, "duplicate-key"
    yield "twice beside a write key", line(writeKey="a:b")[:-1] + b',"x":1,"x":1}', "duplicate-key"
    for key in ("__proto__", "constructor", "", " ", "$set", "a.b", "a" * 5_000, "'", '\\"', "\U0001f511"):
        yield f"key {key[:12]}", raw('{"' + key + '":1}'), None


def _fields() -> Iterator[Case]:
    value: Any
    yield "no id", line(userId=...), "no-id"
    yield "null ids", line(userId=None, anonymousId=None), "no-id"
    yield "empty ids", line(userId="", anonymousId=""), "no-id"
    yield "other spelling", line(userId=..., user_id="u1"), "no-id"
    yield "anonymous only", line(userId=None, anonymousId="a1"), None
    yield "both ids", line(anonymousId="a1"), None
    yield "number as id", line(userId=42), None
    for value in (1.5, True, [], {}, ["u1"], {"id": "u1"}):
        for key in ("userId", "anonymousId", "messageId"):
            yield f"{key} {value!r}", line(**{key: value}), "bad-id"
    for key in ("userId", "anonymousId", "messageId", "event"):
        yield f"long {key}", line(**{key: "x" * 1_025}), "too-long"
        yield f"{key} of 1,024", line(**{key: "x" * 1_024}), None
    for value in (..., None, "", "  ", 5, True, [], {}):
        yield f"event {value!r}", line(event=value), "no-event-name"
    for value in (1, "x", [], True, 0.5):
        yield f"properties {value!r}", line(properties=value), "not-an-object"
        yield f"context {value!r}", line(context=value), "not-an-object"
        yield f"traits {value!r}", line(type="identify", traits=value), "not-an-object"
        yield f"context.traits {value!r}", line(context={"traits": value}), "not-an-object"
    yield "null parts", line(properties=None, context=None, traits=None), None
    yield "no messageId", line(messageId=...), None
    yield "unknown fields", line(integrations={"All": True}, _metadata={"a": [1]}, x=None), None


def _times() -> Iterator[Case]:
    value: Any
    yield "no time", line(timestamp=...), "no-timestamp"
    yield "null time", line(timestamp=None), "no-timestamp"
    yield "originalTimestamp", line(timestamp=None, originalTimestamp="2026-11-22T09:30:00Z"), None
    for value in (
        "", "x", "now", "2026-11-22", "2026-11-22T09:30:00", "2026-13-01T00:00:00Z", "2026-02-30T00:00:00Z",
        "2026-11-22T25:00:00Z", "2026-11-22T09:61:00Z", "2026-11-22T09:30:60Z", "2026-W47-7T09:30:00Z",
        "20261122T093000Z",
        "0000-01-01T00:00:00Z", "10000-01-01T00:00:00Z", "2026-11-22T09:30:00+99:00", "2026-11-22T09:30:00 CET",
        "2026-11-22T09:30:00Z; drop", "٢٠٢٦-11-22T09:30:00Z", "22/11/2026 09:30", "2026-11-22T09:30:00[Europe/Lisbon]",
        "2026-11-2٢T09:30:00Z", "9999-12-31T23:59:59-23:59", "Z" * 24, "----T::::Z", "0001-01-01T00:00:00Z",
        "9999-12-31T23:59:59.999999Z", "9000-01-01T00:00:00Z", "0999-12-31T23:59:59.999999Z",
        1795339800, 1.5, True, [], {},
    ):  # fmt: skip
        yield f"time {value!r}", line(timestamp=value), "bad-timestamp"
    for text in (
        "2026-11-22T09:30Z", "2026-11-22T09:30:00.1Z", "2026-11-22T09:30:00.123456789Z", "2026-11-22 09:30:00+01:00",
        "2026-11-22T09:30:00,5Z", "2026-11-22T09:30:00-0330", "2026-11-22t09:30:00Z".upper(), "1000-01-01T00:00:00Z",
        "8999-12-31T23:59:59.999999Z", "1969-12-31T23:59:59.999Z", "2026-11-22T09:30:00.000000Z",
        "2026-11-22T09:30:00z",
    ):  # fmt: skip
        yield f"time {text}", line(timestamp=text), None


def _types() -> Iterator[Case]:
    value: Any
    for value in (..., None, "", "Track", "TRACK", "event", "delete", " track", 1, [], {}, True):
        yield f"type {value!r}", line(type=value), "bad-type"
    for kind in ("identify", "page", "screen"):
        yield kind, line(type=kind, event=...), None
    yield "group", line(type="group", groupId="g1", traits={"plan": "pro"}), None
    yield "alias", line(type="alias", previousId="a1"), None
    yield "group without id", line(type="group"), "no-id"
    yield "group with an empty id", line(type="group", groupId=""), "no-id"
    yield "alias without id", line(type="alias"), "no-id"
    yield "alias of a list", line(type="alias", previousId=["a"]), "bad-id"
