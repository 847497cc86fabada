"""What holds for every route of the API: one answer per Idempotency-Key, problem documents, limits of a body."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

import pytest
from support.door import NOW, Answer, Served, opened, reopened

from innkeeper.kernel.errors import InternalError, OperationFailed
from innkeeper.kernel.time import DAY, FixedClock, parse_instant
from innkeeper.runtime import access
from innkeeper.web import guard
from innkeeper.web.guard import MOST_BYTES

MADE = {"name": "ana", "role": "viewer"}


@pytest.fixture
def door(tmp_path: Path) -> Iterator[Served]:
    with opened(tmp_path / "home") as found:
        yield found


def post(door: Served, key: str, body: Any = None, path: str = "/users", **more: Any) -> Answer:
    return door.ask("POST", path, MADE if body is None else body, Idempotency_Key=key, **more)


def replayed(answer: Answer) -> bool:
    return answer.headers.get("idempotent-replayed") == "true"


def test_the_same_request_under_the_same_key_is_done_once(door: Served) -> None:
    first, again = post(door, "k"), post(door, "k")
    assert (first.status, replayed(first)) == (201, False)
    assert (again.status, replayed(again), again.text) == (201, True, first.text)
    assert again.headers["content-type"] == first.headers["content-type"]
    assert len(door.ask("GET", "/users").json["users"]) == 1
    assert len(door.ask("GET", "/audit").json["entries"]) == 2
    # Without a key, or under another, it is done again: there is such a user by now.
    assert [door.ask("POST", "/users", MADE).status, post(door, "another").status] == [409, 409]
    refused = post(door, "another")
    assert (refused.status, replayed(refused), refused.headers["content-type"]) == (
        409, True, "application/problem+json"
    )  # fmt: skip


def test_another_request_under_the_key_is_refused(door: Served) -> None:
    first = post(door, "k")
    for body, path in (
        (MADE | {"role": "owner"}, "/users"), ({"role": "viewer", "name": "ana"}, "/users"),
        (MADE, "/users?x=1"), ({"role": "viewer"}, "/users/ana/role"),
    ):  # fmt: skip
        answer = post(door, "k", body, path)
        assert (answer.status, answer.json["code"]) == (422, "idempotency-key-reused"), path
    assert post(door, "k").text == first.text
    assert door.ask("GET", "/users").json["users"][0]["role"] == "viewer"


def test_a_key_is_its_senders_own(door: Served) -> None:
    post(door, "a user", MADE | {"role": "owner"})
    token = door.ask("POST", "/tokens", {"name": "t", "user": "ana"}).json["token"]
    mine = post(door, "k", {"name": "bob", "role": "viewer"})
    theirs = post(door, "k", {"name": "cy", "role": "viewer"}, token=token)
    assert (mine.status, theirs.status) == (201, 201)
    assert post(door, "k", {"name": "cy", "role": "viewer"}, token=token).json["user"] == "cy"


@pytest.mark.parametrize(("key", "status"), [("", 400), ("k" * 256, 400), ("k" * 255, 201), (" k e y ", 201)])
def test_which_keys_are_taken(door: Served, key: str, status: int) -> None:
    assert post(door, key).status == status


def test_a_key_is_nothing_to_who_reads_or_removes(door: Served) -> None:
    post(door, "user")
    for method, path in (("GET", "/users"), ("DELETE", "/users/ana")):
        assert [door.ask(method, path, Idempotency_Key="k").status for _ in range(2)] == [200, 200]
    assert post(door, "k", {"name": "bob", "role": "viewer"}).status == 201


def test_one_that_is_being_worked_on_is_told_so(door: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, go, real = threading.Event(), threading.Event(), access.add_user

    def slow(*arguments: Any) -> Any:
        begun.set()
        assert go.wait(60)
        return real(*arguments)

    monkeypatch.setattr(access, "add_user", slow)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(post, door, "k")
        assert begun.wait(60)
        meanwhile = post(door, "k")
        go.set()
        assert (meanwhile.status, meanwhile.json["code"]) == (409, "in-progress")
        assert first.result().status == 201
    assert replayed(post(door, "k"))


@pytest.mark.parametrize(
    ("failure", "status", "code"),
    [
        (RuntimeError("canary"), 500, "internal"), (InternalError("canary"), 500, "internal"),
        (OperationFailed("the disk is full", code="disk-full", fix="make room"), 503, "disk-full"),
    ],
)  # fmt: skip
def test_what_failed_on_our_side_may_be_sent_again(
    door: Served, monkeypatch: pytest.MonkeyPatch, failure: Exception, status: int, code: str
) -> None:
    def fails(*_: Any) -> Any:
        raise failure

    with monkeypatch.context() as patched:
        patched.setattr(access, "add_user", fails)
        answer = post(door, "k")
    assert (answer.status, answer.json["code"]) == (status, code)
    assert "canary" not in answer.text.decode()
    assert answer.headers.get("retry-after") == ("1" if status == 503 else None)
    done = post(door, "k")
    assert (done.status, replayed(done)) == (201, False)
    assert [each["status"] for each in door.ask("GET", "/audit").json["entries"]] == [0, status, 0, 201]


def test_what_was_not_begun_may_be_sent_again_right(door: Served) -> None:
    assert post(door, "k", {"name": "ana"}).status == 400
    done = post(door, "k")
    assert (done.status, replayed(done)) == (201, False)


def test_an_answer_with_a_secret_is_not_kept(door: Served) -> None:
    post(door, "user")
    body = {"name": "t", "user": "ana"}
    token = post(door, "k", body, "/tokens").json["token"]
    again = post(door, "k", body, "/tokens")
    assert (again.status, again.json["code"]) == (409, "answered-once")
    assert len(door.ask("GET", "/tokens").json["tokens"]) == 1
    for path in door.home.iterdir():
        assert not path.is_file() or token.encode() not in path.read_bytes()
    # A refusal holds none, so it is told again as it was.
    refused = [post(door, "r", body | {"user": "nobody"}, "/tokens") for _ in range(2)]
    assert [each.json["code"] for each in refused] == ["unknown-user"] * 2
    source = {"name": "till", "kind": "server"}
    assert [post(door, "s", source, "/sources").status for _ in range(2)] == [201, 409]


def test_a_key_holds_over_a_restart_and_for_a_day(tmp_path: Path) -> None:
    clock = FixedClock(parse_instant(NOW))
    with opened(tmp_path, clock=clock) as door:
        first = post(door, "k")
        door.house.doorman.access.begin_request("local", "unfinished", "digest", clock.now(), 0)
        assert post(door, "unfinished", {"name": "bob", "role": "viewer"}).status == 422
    with reopened(tmp_path, {}, clock=clock) as door:
        clock.instant += DAY
        assert (post(door, "k").text, replayed(post(door, "k"))) == (first.text, True)
        # Nobody works any more on what a process that has ended had begun.
        assert post(door, "unfinished", {"name": "bob", "role": "viewer"}).status == 201
        clock.instant += 1
        assert (post(door, "k").status, post(door, "k").json["code"]) == (409, "user-exists")


WRONG: list[tuple[str, str, Any, dict[str, str], int, str]] = [
    ("GET", "/profiles?limit=x", None, {}, 400, "bad-request"),
    ("GET", "/profiles?limit=0", None, {}, 400, "bad-limit"),
    ("GET", "/profiles/x?at=yesterday", None, {}, 400, "bad-time"),
    ("GET", "/audiences/count", None, {}, 400, "bad-request"),
    ("GET", "/audiences/count?expression=did(", None, {}, 422, "invalid"),
    ("GET", "/audiences/count?expression=%20", None, {}, 400, "bad-expression"),
    ("POST", "/users", {"name": "ana"}, {}, 400, "bad-request"),
    ("POST", "/users", None, {}, 400, "bad-request"),
    ("POST", "/users", {"name": "a b", "role": "viewer"}, {}, 400, "bad-user"),
    ("POST", "/users", MADE | {"x": 1}, {}, 400, "bad-request"),
    ("GET", "/users", None, {"Authorization": "Bearer x"}, 401, "bad-token"),
    ("GET", "/profiles/nobody", None, {}, 404, "unknown-profile"),
    ("GET", "/nothing", None, {}, 404, "not-found"),
    ("PUT", "/users", MADE, {}, 405, "method-not-allowed"),
    ("POST", "/sources", {"name": "shop", "kind": "server"}, {}, 409, "source-exists"),
    ("POST", "/objects/booking/1", {}, {}, 422, "nothing-to-set"),
    ("POST", "/definitions/check", {"files": {}}, {}, 422, "empty-draft"),
    ("POST", "/definitions/publish", {"files": {"strategy.yaml": "name: x"}}, {}, 428, "if-match-needed"),
]


@pytest.mark.parametrize(
    ("method", "path", "body", "headers", "status", "code"), WRONG, ids=[f"{one[4]} {one[5]}" for one in WRONG]
)
def test_an_error_is_a_problem_document(
    shared: Served, method: str, path: str, body: Any, headers: dict[str, str], status: int, code: str
) -> None:
    data = b"" if body is None else json.dumps(body).encode()
    told = {"Authorization": f"Bearer {shared.house.doorman.local_token}"} | headers
    answer = shared.call(method, f"/api/v1{path}", data, told)
    assert answer.headers["content-type"] == "application/problem+json"
    said = answer.json
    assert (answer.status, said["status"], said["code"]) == (status, status, code), said
    assert said["type"] == f"urn:innkeeper:problem:{code}"
    assert said["title"]
    assert said["detail"]
    assert said["fix"]
    assert ("errors" in said) == (code == "invalid")


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with opened(tmp_path_factory.mktemp("home")) as found:
        yield found


def test_too_many_at_once_are_refused_and_nothing_is_lost(door: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    go, waiting, real = threading.Event(), 9, access.add_user

    def slow(*arguments: Any) -> Any:
        assert go.wait(60)
        return real(*arguments)

    monkeypatch.setattr(access, "add_user", slow)
    with ThreadPoolExecutor(waiting + 1) as pool:
        asked = [pool.submit(post, door, f"k{n}", {"name": f"u{n}", "role": "viewer"}) for n in range(waiting + 1)]
        # One runs and eight wait, whichever they are; the tenth comes back at once.
        wait(asked, return_when=FIRST_COMPLETED)
        go.set()
        answers = [each.result() for each in asked]
    assert sorted(each.status for each in answers) == [201] * waiting + [429]
    refused = next(number for number, each in enumerate(answers) if each.status == 429)
    assert (answers[refused].json["code"], answers[refused].headers["retry-after"]) == ("busy", "1")
    again = post(door, f"k{refused}", {"name": f"u{refused}", "role": "viewer"})
    assert (again.status, replayed(again)) == (201, False)


def test_how_large_a_body_may_be(shared: Served) -> None:
    around = len(json.dumps({"name": "", "role": "viewer"}))
    largest = shared.ask("POST", "/users", {"name": "a" * (MOST_BYTES - around), "role": "viewer"})
    assert (largest.status, largest.json["code"]) == (400, "bad-user")
    before = len(shared.ask("GET", "/audit").json["entries"])
    larger = shared.ask("POST", "/users", {"name": "a" * (MOST_BYTES - around + 1), "role": "viewer"})
    assert (larger.status, larger.json["code"]) == (413, "too-large")
    assert len(shared.ask("GET", "/audit").json["entries"]) == before


def test_a_body_that_does_not_come_is_not_waited_for(shared: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "BODY_SECONDS", 0.05)
    with socket.create_connection(("127.0.0.1", shared.port), timeout=60) as connection:
        token = f"Authorization: Bearer {shared.house.doorman.local_token}"
        connection.sendall(f"POST /api/v1/users HTTP/1.1\r\nHost: x\r\n{token}\r\nContent-Length: 9\r\n\r\n{{".encode())
        assert connection.recv(1000).startswith(b"HTTP/1.1 408 ")


def test_a_page_of_another_origin_may_not_read_an_answer(shared: Served) -> None:
    """An answer to events may be read by any page; what needs a permission is no business of another page's."""
    evil = {"Origin": "https://evil.example", "Access-Control-Request-Method": "GET"}
    for path in ("/api/v1/users", "/api/v1/session", "/api/v1/nothing", "/metrics", "/mcp", "/docs", "/ready", "/"):
        for method in ("OPTIONS", "GET", "POST"):
            told = shared.call(method, path, b"", evil).headers
            assert not [name for name in told if name.startswith("access-control-")], (method, path)
    assert "access-control-allow-origin" not in shared.ask("GET", "/users", Origin="https://evil.example").headers
    for path in ("/v1/batch", "/beacon/v1/batch", "/cloudevents", "/sourceConfig", "/innkeeper.js"):
        assert shared.call("OPTIONS", path, b"", evil).headers["access-control-allow-origin"] == "*"
    assert "access-control-allow-origin" in shared.send("/v1/batch", {"batch": []}).headers
