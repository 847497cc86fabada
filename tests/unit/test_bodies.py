"""Bodies: compression under caps (A25), and hostile JSON alone and inside a batch (A26)."""

from __future__ import annotations

import gzip
import json
import sys
import zlib
from collections.abc import Callable, Iterator

import pytest
from hostile.events import cases, line
from support.door import Served, opened

from innkeeper.runtime.bodies import MOST_BYTES, BadBody, unpack

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

PLAIN = json.dumps({"batch": [{"n": number, "x": "abc" * (number % 7)} for number in range(200)]}).encode()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with opened(tmp_path_factory.mktemp("home")) as found:
        yield found


def split(body: bytes, parts: int) -> list[bytes]:
    size = len(body) // parts + 1
    return [body[at : at + size] for at in range(0, len(body), size)]


@pytest.mark.parametrize("coding", ["", "gzip", "zstd", "identity"])
def test_what_is_compressed_is_unpacked(coding: str) -> None:
    packed = {"gzip": gzip.compress(PLAIN), "zstd": zstd.compress(PLAIN)}.get(coding, PLAIN)
    for named in {coding, coding.upper(), ""}:
        assert unpack(packed, named) == PLAIN
    for pack in (gzip.compress, zstd.compress):
        assert unpack(b"".join(pack(part) for part in split(PLAIN, 8)), coding) == PLAIN


def bombs() -> Iterator[tuple[str, bytes, str, str]]:
    zeros = b"0" * 50_000_000
    packers: dict[str, Callable[[bytes], bytes]] = {"gzip": gzip.compress, "zstd": zstd.compress}
    for name, pack in packers.items():
        yield f"{name} of 50 MB of zeros", pack(zeros), "", "too-dense too-large"
        yield f"{name} twice", pack(pack(zeros)), "", " too-dense"
        yield f"{name} of a little over the limit", pack(random_text(MOST_BYTES + 1)), "", "too-large"
        yield f"{name} of nine members", pack(b"{}") * 9, "", "too-many-members"
        yield f"{name} of a thousand members", pack(b" " * 400) * 1_000, "", "too-many-members"
        yield f"{name} of dense members", pack(zeros[:2_000_000]) * 8, "", "too-dense too-large"
        yield f"{name} with junk behind", pack(PLAIN) + b"junk", "", "bad-compression"
        for cut in (5, 10, 50, len(pack(PLAIN)) - 1):
            yield f"{name} cut at {cut}", pack(PLAIN)[:cut], name, "bad-compression"
        yield f"{name} with a wrong byte", pack(PLAIN)[:30] + b"\x00\xff\x00" + pack(PLAIN)[33:], "", "bad-compression"
    for coding in ("br", "deflate", "compress", "gzip, gzip", "zstd, gzip", "x" * 10_000, "*"):
        yield f"coding {coding[:10]}", zlib.compress(zeros[:9]), coding, "bad-encoding"
    yield "a zstd frame that asks for 2 GiB", b"\x28\xb5\x2f\xfd\x00\xa8" + b"\x01\x00\x00", "", "bad-compression"


def random_text(size: int) -> bytes:
    """Digits that hardly repeat; the same each time."""
    return b"".join(b"%d," % (number * 7919) for number in range(size // 4))[:size]


@pytest.mark.parametrize(("name", "body", "coding", "code"), list(bombs()), ids=[each[0] for each in bombs()])
def test_a25_a_bomb_is_refused_before_it_goes_off(name: str, body: bytes, coding: str, code: str) -> None:
    allowed = code.split(" ")
    try:
        found, size = "", len(unpack(body, coding))
    except BadBody as refused:
        found, size = refused.code, 0
    assert found in allowed
    # One layer is undone; what is under it is no JSON.
    assert size <= MOST_BYTES


def test_a25_there_are_thirty_of_them() -> None:
    assert len(list(bombs())) >= 30


#: Times that lie beyond every year that is taken are first of all later than the arrival, which stands in their place.
LATE = {
    f"time {text!r}" for text in ("9999-12-31T23:59:59-23:59", "9999-12-31T23:59:59.999999Z", "9000-01-01T00:00:00Z")
}
HOSTILE = [(name, text, code) for name, text, code in cases() if text.strip()]


def test_a26_a_hostile_event_alone_is_refused_with_a_reason(served: Served) -> None:
    bad = [(name, text) for name, text, code in HOSTILE if code not in (None, "no-timestamp") and name not in LATE]
    assert len(bad) >= 200
    for name, text in bad:
        answer = served.send("/v1/track", text)
        # The type is that of the address where the event says none.
        assert answer.status in ((200, 400) if "type" in name or "empty object" in name else (400, 413)), (
            name,
            answer.text,
        )
        if answer.status != 200:
            assert answer.json["code"], name
            assert answer.json["message"], name


@pytest.mark.parametrize("bad", ['{"x":NaN}', '{"x":"\\ud83d"}', '{"x":-Infinity}'])
def test_a26_what_is_no_json_by_the_letter_does_not_fail_its_batch(served: Served, bad: str) -> None:
    good = line(messageId=f"beside {bad}").decode()
    body = f'{{"sentAt":"2026-11-25T12:00:00Z","batch":[{{"type":"page","userId":"u","properties":{bad}}},{good}]}}'
    answer = served.send("/v1/batch", body.encode())
    assert (answer.status, answer.json["accepted"]) == (200, 1)
    assert [each["index"] for each in answer.json["refused"]] == [0]
    assert served.last().message_id == f"beside {bad}"


def test_a26_a_hostile_event_inside_a_batch_harms_no_other(served: Served) -> None:
    """200 with the event listed, or 400 where the whole body is no JSON any more; never anything else."""
    beside = 0
    for number, (name, text, code) in enumerate(HOSTILE):
        good = line(messageId=f"beside {number}")
        answer = served.send("/v1/batch", b'{"batch":[' + text + b"," + good + b"]}")
        assert answer.status in (200, 400, 413), (name, answer.text)
        if answer.status == 200 and code not in (None, "no-timestamp") and name not in LATE:
            assert [each["index"] for each in answer.json["refused"]][:1] == [0], (name, answer.text)
        if answer.status == 200:
            assert served.last().message_id == f"beside {number}", name
            beside += 1
        else:
            assert not _is_json(text), (name, answer.text)
            assert answer.json["code"], name
    assert beside >= 150


def _is_json(text: bytes) -> bool:
    """Whether a text is JSON that can be sent at all."""

    def refuse(constant: str) -> None:
        raise ValueError(constant)

    try:
        json.dumps(json.loads(text.decode(), parse_constant=refuse), ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        return False
    return len(text) <= MOST_BYTES
