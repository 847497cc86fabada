"""The event debugger: the last thousand events of a source with what became of each, live, for its own keys alone."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from support.door import Served, opened

from innkeeper.runtime.debugger import MOST_WATCHERS


def page(id: str, **more: Any) -> dict[str, Any]:
    return {"type": "page", "anonymousId": "a", "messageId": id} | more


def debug(served: Served, source: str, key: str) -> Any:
    return served.call("GET", f"/v1/sources/{source}/debug", b"", {"Authorization": f"Bearer {key}"})


@contextmanager
def watching(served: Served, source: str, key: str) -> Iterator[http.client.HTTPResponse]:
    connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=60)
    headers = {"Authorization": f"Bearer {key}", "Accept": "text/event-stream"}
    connection.request("GET", f"/v1/sources/{source}/debug", headers=headers)
    try:
        yield connection.getresponse()
    finally:
        connection.close()


def next_event(stream: http.client.HTTPResponse) -> Any:
    while not (line := stream.readline()).startswith(b"data: "):
        assert line
    return json.loads(line[6:])


def test_what_became_of_each_event(tmp_path: Path) -> None:
    with opened(tmp_path) as served:
        watch = served.keys["web"].keys["watch"]
        served.send("/v1/batch", {"batch": [page("1"), {"type": "x" * 5_000}, page("2")]}, source="web")
        served.send("/v1/page", page("1"), source="web")
        told = debug(served, "web", watch).json["events"]
        assert [(each["became"], each.get("messageId"), each.get("code")) for each in told] == [
            ("accepted", "1", None), ("refused", None, "bad-type"), ("accepted", "2", None), ("duplicate", "1", None),
        ]  # fmt: skip
        assert max(len(text) for each in told for text in each.values()) <= 200
        served.send("/v1/batch", {"batch": [page(str(n)) for n in range(1_500)]}, source="web")
        assert [each["messageId"] for each in debug(served, "web", watch).json["events"]] == list(
            map(str, range(500, 1500))
        )


def test_it_is_for_the_sources_own_secret_keys(tmp_path: Path) -> None:
    with opened(tmp_path) as served:
        watch, public, server = served.keys["web"].keys["watch"], served.key("web"), served.key("shop")
        assert [debug(served, "web", key).status for key in (watch, public, server, "x")] == [200, 401, 401, 401]
        assert [debug(served, "shop", key).status for key in (server, watch, public)] == [200, 401, 401]
        assert debug(served, "nobody", server).status == 401
        assert served.call("POST", "/v1/page", json.dumps(page("1") | {"writeKey": watch}).encode()).status == 401


def test_live_and_a40_only_so_many_at_a_time(tmp_path: Path) -> None:
    with opened(tmp_path) as served, ExitStack() as open_streams:
        served.send("/v1/page", page("before"))
        streams = [open_streams.enter_context(watching(served, "shop", served.key())) for _ in range(MOST_WATCHERS)]
        assert {stream.getheader("content-type", "").partition(";")[0] for stream in streams} == {"text/event-stream"}
        assert [next_event(stream)["messageId"] for stream in streams] == ["before"] * MOST_WATCHERS
        for _ in range(20):
            with watching(served, "shop", served.key()) as refused:
                assert (refused.status, json.loads(refused.read())["code"]) == (429, "too-many-watchers")
        served.send("/v1/page", page("after"))
        served.send("/v1/track", {"userId": "u"})
        for stream in streams:
            assert next_event(stream)["messageId"] == "after"
            assert next_event(stream)["became"] == "refused"
