"""The event stream over real HTTP: what it tells, where it goes on, who may watch, and how many."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from support.door import Served, opened

from innkeeper.events.types import ENGINE_SOURCE, LogRow
from innkeeper.kernel.json import dumps
from innkeeper.kernel.time import parse_instant
from innkeeper.runtime.access import add_token, add_user
from innkeeper.runtime.stream import MOST_OF_ONE, MOST_WATCHERS

NOW = parse_instant("2026-11-25T12:00:00Z")


def say(served: Served, *stages: str, size: int = 0) -> None:
    rows = [
        LogRow(
            ENGINE_SOURCE, stage, "track", "Stage Changed", f"u-{stage}", None, NOW, NOW,
            dumps({"stage": stage, "reason": "x" * size}),
        )
        for stage in stages
    ]  # fmt: skip
    served.log.append(rows)


class Watcher:
    """One who watches; `next` waits for the next event."""

    def __init__(self, served: Served, key: str, headers: dict[str, str], asked: dict[str, str]) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=30)
        told = {"Authorization": f"Bearer {key}", **headers}
        self.connection.request("GET", f"/v1/stream?{urlencode(asked)}", headers=told)
        self.answer = self.connection.getresponse()

    def next(self) -> dict[str, str]:
        """The fields of the next event."""
        fields: dict[str, str] = {}
        while line := self.answer.readline().decode().rstrip("\n"):
            name, _, value = line.partition(": ")
            fields[name] = value
        return fields

    def stages(self, number: int) -> list[str]:
        """The stages that the next events tell."""
        return [json.loads(self.next()["data"])["data"]["properties"]["stage"] for _ in range(number)]


@contextmanager
def watching(served: Served, key: str = "", headers: dict[str, str] | None = None, **asked: str) -> Iterator[Watcher]:
    watcher = Watcher(served, key or served.house.doorman.local_token, headers or {}, asked)
    try:
        yield watcher
    finally:
        watcher.answer.close()
        watcher.connection.close()


def refused(served: Served, **asked: str) -> Any:
    answer = served.call(
        "GET", f"/v1/stream?{urlencode(asked)}", b"", {"Authorization": f"Bearer {served.house.doorman.local_token}"}
    )
    return answer.status, answer.json["code"]


def test_what_happens_is_told_as_it_comes(tmp_path: Path) -> None:
    with opened(tmp_path) as served:
        say(served, "before")
        with watching(served) as watcher:
            assert watcher.answer.headers["content-type"].startswith("text/event-stream")
            served.send("/v1/track", {"type": "track", "event": "Login", "userId": "u"})
            say(served, "new")
            told = watcher.next()
    assert (told["id"], told["event"]) == ("3", "Stage Changed")
    notice = json.loads(told["data"])
    assert (notice["type"], notice["data"]["userId"]) == ("Stage Changed", "u-new")


def test_it_goes_on_where_it_was_cut_off(tmp_path: Path) -> None:
    with opened(tmp_path) as served:
        say(served, *"abcdef")
        with watching(served, after="0") as watcher:
            assert watcher.stages(2) == ["a", "b"]
        served.log.seal(force=True)
        say(served, "g")
        with watching(served, headers={"Last-Event-ID": "2"}, after="0") as watcher:
            assert watcher.stages(5) == ["c", "d", "e", "f", "g"]


def test_what_is_asked_for_is_told(tmp_path: Path) -> None:
    with opened(tmp_path) as served:
        say(served, "a", "b")
        served.send("/v1/track", {"type": "track", "event": "Login", "userId": "u", "properties": {"city": "Sol"}})
        with watching(served, after="0", where="stage = 'b'") as watcher:
            assert watcher.stages(1) == ["b"]
        with watching(served, after="0", incoming="Login") as watcher:
            assert json.loads(watcher.next()["data"])["data"] == {"source": "shop", "userId": "u", "anonymousId": None}
        assert refused(served, events="Stage Chnaged") == (400, "unknown-output")
        assert refused(served, include="traits.email") == (400, "bad-include")
        assert refused(served, where="stage =")[0] == 400
        assert refused(served, after="-1") == (400, "bad-place")
        assert refused(served, after="²") == (400, "bad-place")
        assert refused(served, after="9" * 19) == (400, "bad-place")


def test_who_may_watch(tmp_path: Path) -> None:
    with opened(tmp_path) as served:
        with watching(served, token(served, "privacy-officer")) as watcher:
            assert watcher.answer.status == 200
        for key, status in ((token(served, "viewer"), 403), (served.key("shop"), 401), ("", 401), ("x", 401)):
            answer = served.call("GET", "/v1/stream", b"", {"Authorization": f"Bearer {key}"})
            assert answer.status == status


def token(served: Served, role: str) -> str:
    """A token of a user of a role, who is called like it."""
    access = served.house.doorman.access
    add_user(access, role, role, served.clock)
    return str(add_token(access, role, role, served.clock)["token"])


def test_so_many_may_watch_and_who_leaves_makes_room(tmp_path: Path) -> None:
    with opened(tmp_path) as served:
        inside = [Watcher(served, served.house.doorman.local_token, {}, {}) for _ in range(MOST_OF_ONE)]
        assert refused(served) == (429, "too-many-watchers")
        with watching(served, token(served, "editor")) as other:
            assert other.answer.status == 200
        say(served, "a")
        assert [watcher.stages(1) for watcher in inside] == [["a"]] * MOST_OF_ONE
        for watcher in inside:
            watcher.answer.close()
            watcher.connection.close()
        # The door notices who has left with what it tells next.
        for number in range(1_000):
            say(served, f"b{number}")
            with watching(served) as again:
                if again.answer.status == 200:
                    break
        assert again.answer.status == 200


def test_there_is_room_for_so_many_altogether(tmp_path: Path) -> None:
    from innkeeper.runtime.debugger import TooManyWatchers
    from innkeeper.runtime.outward import Selection

    with opened(tmp_path) as served:
        everything = Selection.read(events=["*"])
        inside = [served.door.stream.watch(f"s{number}", everything, None) for number in range(MOST_WATCHERS)]
        with pytest.raises(TooManyWatchers):
            served.door.stream.watch("another", everything, None)
        inside.pop().close()
        inside.append(served.door.stream.watch("another", everything, None))
        # One whose answer never began is dropped, and makes room too.
        inside.clear()
        served.door.stream.watch("another", everything, None).close()


def test_one_that_reads_slowly_misses_nothing_and_holds_up_nobody(tmp_path: Path) -> None:
    with opened(tmp_path) as served, watching(served, after="0") as slow, watching(served, after="0") as quick:
        stages = [f"s{number}" for number in range(1_500)]
        for at in range(0, len(stages), 250):
            say(served, *stages[at : at + 250], size=4_000)
        assert quick.stages(len(stages)) == stages
        assert slow.stages(len(stages)) == stages
