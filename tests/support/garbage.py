"""Random requests to the API: bodies that are nearly right, bodies that are nothing, and hostile text everywhere."""

from __future__ import annotations

import json
import random
from typing import Any

from support.api import CASES, path_of
from support.door import Answer, Served

_TEXTS = (
    "", " ", "\0", "\x1b[2J", "ann", "soap", "canary-guest", "acme", "email:", ":", "user_id:ann",
    "' OR 1=1 --", "{{ 1 }}",
    "../../etc/passwd", "%s%n", "ünï", "\U0001f9ff", "a" * 3_000, "9" * 400, "-1", "null", "true", "1e400", "NaN",
    "\ufeff",
    "2026-01-05T12:00:00Z", "9999-12-31T23:59:59.999999Z", "0001-01-01T00:00:00Z", "2026-02-30T00:00:00Z", "now", "P1D",
    "2026-01-05", "99999-01-01T00:00:00Z", "2026-01-05T12:00:00+99:00", "\u202e", "did('Login')", "((((", "\ud7ff", "=",
)  # fmt: skip
_NUMBERS = (0, 1, -1, 7, 2**31, 2**53, 2**63 - 1, 2**63, -(2**63), 10**40, 0.5, -0.0, 1e308, 5e-324)
_FIELDS = ("at", "set", "roles", "reason", "by", "memories", "do", "scopes", "days")
#: Bodies that are no JSON, or not as one hopes.
RAW: tuple[bytes, ...] = (
    b"", b"{", b"}", b"[", b"null", b"0", b'""', b"[]", b"{}", b"NaN", b'{"a":NaN}', b'{"a":1e400}', b'{"a":-Infinity}',
    b"\xff\xfe", b"\xef\xbb\xbf{}", b'{"name":"\xed\xa0\x80"}', b'{"name":"\\ud800"}',
    b'{"name":"\\u0000","role":"viewer"}',
    b"\x00", b"{}{}", b"{'a':1}", b'{"a":1,}', b'{"a":1 "b":2}', b'{"name":"x","name":"y","role":"viewer"}',
    b"[" * 100_000, b'{"a":' * 50_000, b"[" * 500 + b"]" * 500, b'{"set":' + b'{"a":' * 60 + b"1" + b"}" * 60 + b"}",
    b'{"set":{' + b",".join(b'"k%d":1' % n for n in range(20_000)) + b"}}", b'{"set":{"room":' + b"9" * 5_000 + b"}}",
    b'{"files":{' + b",".join(b'"f%d.yaml":""' % n for n in range(2_000)) + b"}}", b'{"files":{"../x":"a"}}',
    b'{"files":{"strategy.yaml":"' + b"[" * 2_000 + b'"}}', b'{"files":{"strategy.yaml":"a: &a [*a, *a]"}}',
    b'{"files":{"\\u0000":"a"}}', b'{"files":{"messages/a.md":"---\\n---\\n{{"}}',
    b'{"files":{"":"a",".":"a","/":"a","messages//hi.md":"a","./strategy.yaml":"a"}}',
    b'{"text":"' + b"a" * 900_000 + b'"}',
)  # fmt: skip


def value(chance: random.Random, depth: int = 0) -> Any:
    """Any JSON value."""
    kind = chance.random()
    if kind < 0.35 or depth > 3:
        return chance.choice(_TEXTS)
    if kind < 0.55:
        return chance.choice(_NUMBERS)
    if kind < 0.65:
        return chance.choice([None, True, False])
    size = chance.choice([0, 1, 2, 5])
    if kind < 0.8:
        return [value(chance, depth + 1) for _ in range(size)]
    return {chance.choice(_TEXTS): value(chance, depth + 1) for _ in range(size)}


def bent(chance: random.Random, right: Any) -> Any:
    """A body that is right but for one thing or a few."""
    if not isinstance(right, dict) or chance.random() < 0.1:
        return value(chance)
    made = dict(right)
    for _ in range(chance.choice([1, 1, 2])):
        name = chance.choice([*made, *_TEXTS[:3], *_FIELDS])
        turn = chance.random()
        if turn < 0.15:
            made.pop(name, None)
        elif turn < 0.3 and isinstance(made.get(name), dict):
            made[name] = bent(chance, made[name])
        else:
            made[name] = value(chance)
    return made


def send(door: Served, chance: random.Random, method: str, template: str) -> tuple[Answer, bytes]:
    """One request to a route: hostile parts in its path, its query and its body; the answer, and what was sent."""
    case = CASES[method, template]
    parts = {
        name: chance.choice([right, right, chance.choice(_TEXTS).replace("/", "") or "x"])
        for name, right in case.known.items()
    }
    query = dict(case.query)
    for name in chance.sample(
        ["at", "limit", "cursor", "lines", "last", "of", "id", "message", "stage", "grace_days", "do", *query],
        k=chance.choice([0, 1, 2]),
    ):
        query[name] = str(value(chance))[:2_000]
    body = chance.choice(RAW) if chance.random() < 0.15 else json.dumps(bent(chance, case.body)).encode()
    return door.call(
        method, "/api/v1" + path_of(template, parts, query), b"" if method == "GET" else body,
        {"Authorization": f"Bearer {door.house.doorman.local_token}"} | case.headers,
    ), body  # fmt: skip
