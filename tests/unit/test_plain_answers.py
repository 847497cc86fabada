"""Small answers of the door that people and probes meet first: what is where, whether it lives, what is missing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.door import NOW, Served, opened, reopened

from innkeeper.kernel.time import FixedClock, parse_instant


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with opened(tmp_path_factory.mktemp("home")) as found:
        yield found


def test_the_root_says_where_to_look(served: Served) -> None:
    told = served.call("GET", "/").json
    for path in (told["docs"], told["description"]):
        assert served.call("GET", path).status == 200
    assert served.call("GET", f"{told['api']}/status").status == 401


@pytest.mark.parametrize("path", ["/health", "/ready"])
def test_a_probe_may_ask_for_the_head_alone(served: Served, path: str) -> None:
    whole, head = served.call("GET", path), served.call("HEAD", path)
    assert (whole.status, head.status, head.text) == (200, 200, b"")
    for name in ("content-type", "content-length"):
        assert head.headers[name] == whole.headers[name]


def test_who_is_not_ready_says_so_to_a_probe_for_the_head(tmp_path: Path) -> None:
    with opened(tmp_path, health=lambda: {"ready": False}) as served:
        assert [served.call(method, "/ready").status for method in ("GET", "HEAD")] == [503, 503]


@pytest.mark.parametrize("path", ["/v1/track", "/v1/t", "/v1/batch", "/api/public/apps/batch", "/cloudevents"])
def test_an_empty_body_is_told_as_one(served: Served, path: str) -> None:
    told = served.send(path, b"")
    assert (told.status, told.json["code"]) == (400, "empty-body")
    assert "the body is empty" in told.json["message"]
    assert served.call("POST", path).status == 401


def test_figures_say_what_opens_them_and_their_form_once(tmp_path: Path) -> None:
    with reopened(tmp_path, {}, clock=FixedClock(parse_instant(NOW)), metrics_token="a token of 16 or more") as served:
        refused = served.call("GET", "/metrics")
        assert refused.status == 401
        assert "INNKEEPER_METRICS_TOKEN" in refused.json["message"]
        told = served.call("GET", "/metrics", b"", {"Authorization": "Bearer a token of 16 or more"})
    assert told.status == 200
    assert told.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"


def test_without_a_strategy_there_are_no_stages(served: Served) -> None:
    assert served.ask("GET", "/stages").json == {"at": None, "stages": {}, "profiles": 0}


def test_what_is_wrong_comes_with_what_to_do(served: Served) -> None:
    early = {"type": "track", "userId": "a", "event": "X", "timestamp": "0001-01-01T00:00:00Z"}
    told = served.send("/v1/track", early)
    assert (told.status, told.json["code"]) == (400, "bad-timestamp")
    assert "2026-" in told.json["fix"]
    token = {"Authorization": f"Bearer {served.house.doorman.local_token}"}
    told = served.call("POST", "/api/v1/users", b"{", token)
    assert (told.status, told.json["code"]) == (400, "not-json")
    assert "JSON" in told.json["fix"]
