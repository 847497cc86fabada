"""The browser script as the door serves it, and Global Privacy Control as the door hears it."""

from __future__ import annotations

import gzip
import json
import sys
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from support.door import Served, opened, reopened
from support.workspace import BASE, Workspace

from innkeeper.events.retention import class_of

SCRIPT = (files("innkeeper.web") / "static" / "innkeeper.js").read_bytes()
CODINGS = [
    ({}, ""), ({"Accept-Encoding": "gzip, deflate, br, zstd"}, "zstd"), ({"Accept-Encoding": "gzip;q=1.0, br"}, "gzip"),
    ({"Accept-Encoding": "br"}, ""), ({"Accept-Encoding": "zstd;q=0, gzip"}, "gzip"),
    ({"Accept-Encoding": "gzip;q=0.000"}, ""),
]  # fmt: skip
GPC = {"Sec_GPC": "1"}


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    with opened(tmp_path / "home") as found:
        yield found


def unzipped(body: bytes, coding: str) -> bytes:
    if coding == "gzip":
        return gzip.decompress(body)
    if coding == "zstd":
        if sys.version_info >= (3, 14):
            from compression import zstd
        else:
            from backports import zstd
        return zstd.decompress(body)
    return body


def test_it_is_small_and_needs_nothing() -> None:
    assert len(gzip.compress(SCRIPT, 9)) < 8 * 1024
    text = SCRIPT.decode()
    for word in ("eval(", "new Function", "import ", "require(", "innerHTML", ".style", "document.write", "XMLHttp"):
        assert word not in text


def test_it_is_served_in_every_coding_with_a_strong_name_for_each(served: Served) -> None:
    names: dict[str, str] = {}
    for headers, coding in CODINGS:
        answer = served.call("GET", "/innkeeper.js", headers=headers)
        told = answer.headers
        assert (answer.status, told.get("content-encoding", "")) == (200, coding)
        assert unzipped(answer.text, coding) == SCRIPT
        assert names.setdefault(coding, told["etag"]) == told["etag"]
        expected = {
            "content-type": "text/javascript; charset=utf-8", "x-content-type-options": "nosniff",
            "vary": "Accept-Encoding", "access-control-allow-origin": "*",
            "access-control-expose-headers": "retry-after",
            "cross-origin-resource-policy": "cross-origin",
            "cache-control": "public, max-age=3600, stale-while-revalidate=86400",
        }  # fmt: skip
        assert expected.items() <= told.items()
    assert len(set(names.values())) == 3
    assert all(name.startswith('"') for name in names.values())


def test_who_has_it_is_not_sent_it_again(served: Served) -> None:
    first = served.call("GET", "/innkeeper.js").headers["etag"]
    zipped = served.call("GET", "/innkeeper.js", headers={"Accept-Encoding": "gzip"}).headers["etag"]
    for known, status in {
        first: 304,
        f'"x", {first}': 304,
        f"W/{first}": 304,
        "*": 304,
        zipped: 200,
        '"x"': 200,
    }.items():
        answer = served.call("GET", "/innkeeper.js", headers={"If-None-Match": known})
        assert (answer.status, answer.headers["etag"], bool(answer.text)) == (status, first, status == 200)
    head = served.call("HEAD", "/innkeeper.js")
    assert (head.status, head.headers["content-length"], head.text) == (200, str(len(SCRIPT)), b"")


def track(id: str, **ids: str) -> dict[str, Any]:
    return {"type": "track", "event": "Looked", "messageId": id, **ids}


def signals(served: Served) -> list[Any]:
    found = [event for event in served.events() if event.name == "Opt-Out Signalled"]
    return [(event.source, event.user_id, event.anonymous_id, event.properties, event.extra) for event in found]


def test_the_signal_of_a_browser_is_written_down_once(served: Served) -> None:
    say = {"signal": "gpc"}, {"trust": "public"}
    both = {"batch": [track("1", anonymousId="b1"), track("2", anonymousId="b2"), track("3", anonymousId="b1")]}
    assert served.send("/v1/batch", both, source="web", **GPC).json["accepted"] == 3
    assert signals(served) == [("web", None, "b1", *say), ("web", None, "b2", *say)]
    again = served.send("/v1/batch", {"batch": [track("1", anonymousId="b1"), track("4", anonymousId="b1")]},
                        source="web", **GPC).json  # fmt: skip
    assert (again["accepted"], again["duplicates"]) == (1, 1)
    assert served.send("/v1/track", track("5", anonymousId="b3") | {"gpc": True}, source="web").status == 200
    assert signals(served)[2:] == [("web", None, "b3", *say)]


@pytest.mark.parametrize(
    ("source", "body", "headers"),
    [
        ("web", track("1", anonymousId="b1"), {}),
        ("web", track("1", anonymousId="b1"), {"Sec_GPC": "0"}),
        ("web", track("1", anonymousId="b1") | {"gpc": "yes"}, {}),
        ("shop", track("1", userId="ana"), GPC),
        ("web", {"type": "alias", "anonymousId": "b1", "userId": "ana"}, GPC),
    ],
)
def test_no_signal_no_browser_or_no_event_no_word(served: Served, source: str, body: Any, headers: Any) -> None:
    served.send("/v1/track", body, source=source, **headers)
    assert signals(served) == []


def test_nobody_but_the_door_says_it_and_nobody_uses_up_its_name(served: Served) -> None:
    assert served.send("/v1/track", track("1", anonymousId="b1"), source="web", **GPC).status == 200
    (name,) = [event.message_id for event in served.events() if event.name == "Opt-Out Signalled"]
    for other in ("b8", "b9"):
        # The name is made of the identifier alone; here another browser's is said first.
        said = track(f"signal:gpc:{other}", anonymousId=other)
        assert served.send("/v1/track", said, source="web").status == 200
    assert [event.message_id for event in served.events()][-2:] == ["public:signal:gpc:b8", "public:signal:gpc:b9"]
    assert name.startswith("signal:gpc:")
    own = track("2", anonymousId="b1") | {"event": "Opt-Out Signalled"}
    assert served.send("/v1/track", own, source="web").json["code"] == "server-only"


def test_it_holds_for_whoever_the_browser_turns_out_to_be(tmp_path: Path) -> None:
    with opened(tmp_path / "home") as served:
        served.send("/v1/track", track("1", anonymousId="b1"), source="web", **GPC)
        served.send("/v1/track", track("2", anonymousId="b2"), source="web")
        keys, clock = served.keys, served.clock
    with reopened(tmp_path / "home", keys, clock=clock) as served:
        for user, browser in (("ana", "b1"), ("ben", "b2")):
            served.send("/v1/identify", {"type": "identify", "userId": user, "anonymousId": browser})
    workspace = Workspace(tmp_path / "home")
    workspace.apply(BASE)
    workspace.run("2026-11-26T00:00:00Z")
    listed = workspace.cli("audience", "list", "did('Opt-Out Signalled')")
    assert listed["ids"] == ["ana"]
    assert class_of("web", "Opt-Out Signalled") == "consent"
    assert json.dumps(workspace.cli("profile", "show", "ana")).count("b1") > 0
