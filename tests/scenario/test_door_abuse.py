"""The door under attack over the wire: smuggled and slow requests, crowds (A39), endless questions (A40), new names
without end (A27), and what must not be written down (A34)."""

from __future__ import annotations

import http.client
import json
import socket
import subprocess
import sys
import threading
import tracemalloc
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

import pytest
from support.door import NOW, Served, basic, opened
from support.workspace import Workspace

from innkeeper.kernel.time import FixedClock, parse_instant
from innkeeper.runtime import http_server, sources
from innkeeper.web import requests, workspace


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with opened(tmp_path_factory.mktemp("home")) as found:
        yield found


def say(served: Served, *parts: bytes) -> bytes:
    """Bytes on a bare connection; all that comes back until the door closes it, or says nothing for a moment."""
    with socket.create_connection(("127.0.0.1", served.port), timeout=1) as connection:
        for part in parts:
            connection.sendall(part)
        found = b""
        try:
            while part := connection.recv(65_536):
                found += part
                if found.count(b"HTTP/1.1") >= 1 and found.endswith(b"}"):
                    break
        except (TimeoutError, ConnectionError):
            pass
        return found


SMUGGLED = b'{"type":"track","event":"Smuggled","anonymousId":"x"}'


def smuggling(served: Served) -> Iterator[tuple[str, bytes]]:
    """Requests in which one reader sees one request and another two."""
    auth = b"Host: x\r\nAuthorization: " + basic(served.key()).encode() + b"\r\n"
    inner = b"POST /v1/track HTTP/1.1\r\n" + auth + b"Content-Length: %d\r\n\r\n" % len(SMUGGLED) + SMUGGLED
    post = b"POST /v1/batch HTTP/1.1\r\n" + auth
    chunked = b"2\r\n{}\r\n0\r\n\r\n"
    for coding in (b"chunked", b"Chunked", b"identity, chunked", b"chunked, identity", b"xchunked", b"chunked\x0b"):
        head = post + b"Transfer-Encoding: " + coding + b"\r\nContent-Length: 4\r\n\r\n"
        yield f"both lengths, {coding!r}", head + chunked + inner
        yield (
            f"both lengths the other way, {coding!r}",
            (post + b"Content-Length: 4\r\nTransfer-Encoding: " + coding + b"\r\n\r\n" + chunked + inner),
        )
    for first, second in ((b"2", b"60"), (b"0", b"2"), (b"2, 60", b"2")):
        yield (
            f"two lengths {first!r}",
            post + b"Content-Length: %s\r\nContent-Length: %s\r\n\r\n{}" % (first, second) + inner,
        )
    for length in (b"+2", b"-1", b"0x2", b"2_0", b"2 0", b"\xb2", b"2.0", b"99999999999999999999999"):
        yield f"length {length!r}", post + b"Content-Length: " + length + b"\r\n\r\n{}" + inner
    for size in (b"+2", b"-2", b"0x2", b"2;\n", b"fffffffffffffffff", b"2\n", b" 2", b"zz"):
        yield (
            f"chunk of size {size!r}",
            post + b"Transfer-Encoding: chunked\r\n\r\n" + size + b"\r\n{}\r\n0\r\n\r\n" + inner,
        )
    for name in (b"Content-Length :", b" Content-Length:", b"Content\x00-Length:", b"Content-Length\t:"):
        yield f"header {name!r}", post + name + b" 2\r\nContent-Length: 60\r\n\r\n{}" + inner
    yield "line feeds alone", post.replace(b"\r\n", b"\n") + b"Content-Length: 2\n\n{}" + inner.replace(b"\r\n", b"\r")
    yield "a request in a header", post + b"X: a\rPOST /v1/track HTTP/1.1\r\nContent-Length: 2, 70\r\n\r\n{}" + inner


def test_a39_nothing_is_smuggled(served: Served) -> None:
    """Where lengths contradict each other there is an error, and what is behind is never taken as a request."""
    made = list(smuggling(served))
    assert len(made) >= 30
    for name, data in made:
        answer = say(served, data)
        assert b"HTTP/1.1 5" not in answer, name
        assert answer.count(b'"success":true') <= 1, name
    assert [event.name for event in served.events()].count("Smuggled") == 0


def test_a39_pipelined_requests_are_answered_in_their_order(served: Served) -> None:
    one = b"POST /v1/page HTTP/1.1\r\nHost: x\r\nX-Write-Key: %s\r\nContent-Length: %d\r\n\r\n%s"
    bodies = [json.dumps({"anonymousId": "p", "messageId": f"p{n}"}).encode() for n in range(20)]
    data = b"".join(one % (served.key().encode(), len(body), body) for body in bodies)
    with socket.create_connection(("127.0.0.1", served.port), timeout=30) as connection:
        connection.sendall(data)
        found = b""
        while found.count(b'"success":true') < 20:
            found += connection.recv(65_536)
    assert [e.message_id for e in served.events() if e.anonymous_id == "p"] == [f"p{n}" for n in range(20)]


def test_a39_slow_headers_and_bodies_are_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_server, "HEADER_SECONDS", 0.2)
    monkeypatch.setattr(requests, "BODY_SECONDS", 0.2)
    with opened(tmp_path) as served:
        head = b"POST /v1/page HTTP/1.1\r\nHost: x\r\nX-Write-Key: %s\r\n" % served.key().encode()
        for begun in (b"", b"P", head, head + b"X-Long: a"):
            with socket.create_connection(("127.0.0.1", served.port), timeout=30) as connection:
                connection.sendall(begun)
                assert connection.recv(100) == b"", "closed without a word"
        # What comes whole from now on has the time that a busy machine needs.
        monkeypatch.setattr(http_server, "HEADER_SECONDS", 60)
        with socket.create_connection(("127.0.0.1", served.port), timeout=30) as connection:
            connection.sendall(head + b"Content-Length: 100\r\n\r\n{")
            assert connection.recv(100).startswith(b"HTTP/1.1 408")
        endless = head + b"X-Long: " + b"a" * 100_000
        with socket.create_connection(("127.0.0.1", served.port), timeout=30) as connection:
            assert _is_cut_off(connection, endless)
        monkeypatch.setattr(requests, "BODY_SECONDS", 60)
        assert served.send("/v1/page", {"anonymousId": "a"}).status == 200


def _is_cut_off(connection: socket.socket, data: bytes) -> bool:
    """Whether the other side closes a connection that sends the same again and again."""
    try:
        for _ in range(100):
            connection.sendall(data)
        return connection.recv(100) == b""
    except ConnectionError:
        return True


def test_a39_idle_connections_do_not_keep_others_out(served: Served) -> None:
    idle = [socket.create_connection(("127.0.0.1", served.port), timeout=30) for _ in range(300)]
    try:
        for each in idle[::2]:
            each.sendall(b"POST /v1/batch HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
        for number in range(20):
            body = {"anonymousId": "a", "messageId": f"idle{number}"}
            assert served.send("/v1/page", body).status == 200
    finally:
        for each in idle:
            each.close()


@pytest.mark.parametrize(
    "begun", [b"", b"POST /v1/batch HTTP/1.1\r\nHost: x\r\n", b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n"]
)
def test_a39_who_asks_for_nothing_makes_room_for_who_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, begun: bytes
) -> None:
    """However many connections are opened and left: each new one is served, the oldest idle one ends."""
    monkeypatch.setattr(http_server, "MOST_CONNECTIONS", 20)
    with opened(tmp_path) as served:
        idle = []
        for number in range(50):
            idle.append(socket.create_connection(("127.0.0.1", served.port), timeout=30))
            idle[-1].sendall(begun)
            if begun.endswith(b"\r\n\r\n"):
                assert idle[-1].recv(1_000).startswith(b"HTTP/1.1 200")
            assert served.send("/v1/page", {"anonymousId": "a", "messageId": f"{number}"}).status == 200
        ended = 0
        for each in idle[:30]:
            try:
                ended += each.recv(100) == b""
            except ConnectionResetError:
                ended += 1
        assert ended == 30
        for each in idle:
            each.close()
        assert len(served.events()) == 50


def test_a39_who_is_being_answered_does_not_make_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_server, "MOST_CONNECTIONS", 3)
    monkeypatch.setattr(requests, "BODY_SECONDS", 60)
    body = b'{"anonymousId":"a"}'
    with opened(tmp_path) as served:
        head = b"POST /v1/page HTTP/1.1\r\nHost: x\r\nX-Write-Key: %s\r\nContent-Length: %d\r\n"
        head += b"Expect: 100-continue\r\n\r\n"
        busy = [socket.create_connection(("127.0.0.1", served.port), timeout=30) for _ in range(3)]
        for each in busy:
            each.sendall(head % (served.key().encode(), len(body)))
            assert each.recv(1_000).startswith(b"HTTP/1.1 100"), "it is being worked on"
        with socket.create_connection(("127.0.0.1", served.port), timeout=30) as late:
            assert _is_cut_off(late, b"GET /health HTTP/1.1\r\n")
        for each in busy:
            each.sendall(body)
            assert each.recv(1_000).startswith(b"HTTP/1.1 200")
            each.close()


def test_a40_questions_without_end_hold_up_no_event(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Twenty questions over the whole log that never end: few run, some wait, the rest is sent away, events come in."""
    go = threading.Event()

    def endless(*_: object, **__: object) -> list[object]:
        assert go.wait(60)
        return []

    monkeypatch.setattr(workspace, "newest", endless)
    with opened(tmp_path) as served, ThreadPoolExecutor(20) as pool:
        asked = [pool.submit(served.ask, "GET", "/log?last=1000") for _ in range(20)]
        refused = []
        for each in as_completed(asked):
            refused.append(each.result())
            if len(refused) == 4:
                break
        assert {(each.status, each.json["code"], each.headers["retry-after"]) for each in refused} == {
            (429, "busy", "1")
        }
        assert served.send("/v1/page", {"anonymousId": "a"}).status == 200
        assert served.call("GET", "/health").status == 200
        go.set()
        assert sorted(each.result().status for each in asked) == [200] * 16 + [429] * 4


def test_a27_new_names_without_end_leave_nothing_in_memory(tmp_path: Path) -> None:
    """Ten thousand events, each with names that were never there: the door remembers none of them."""
    with opened(tmp_path, clock=FixedClock(parse_instant(NOW))) as served:

        def send(first: int) -> None:
            batch = [
                {
                    "type": "track",
                    "event": f"E{n}",
                    "anonymousId": f"a{n}",
                    "messageId": f"{n}",
                    "properties": {f"p{n}": n},
                }
                for n in range(first, first + 500)
            ]
            assert served.send("/v1/batch", {"batch": batch}).json["accepted"] == 500

        for first in range(0, 4_000, 500):
            send(first)
        tracemalloc.start()
        try:
            before = tracemalloc.get_traced_memory()[0]
            for first in range(4_000, 10_000, 500):
                send(first)
            grown = tracemalloc.get_traced_memory()[0] - before
        finally:
            tracemalloc.stop()
        served.door.keep_counts()
        shown = sources.show(tmp_path, "shop", served.clock)
    assert shown["accepted"] == 10_000
    # The debugger's thousand events, each exchanged for another.
    assert grown < 2_000_000


CANARIES = [f"canary{number:02d}zq" for number in range(50)]


def test_a34_what_is_sent_is_in_no_log_line_and_no_count(tmp_path: Path) -> None:
    """Fifty canaries in every part of requests, good, bad and broken; the log of events is the one place for them."""
    made = Workspace(tmp_path / "home")
    key = made.cli("source", "create", "shop", "--kind", "server")["write_key"]
    process = subprocess.Popen(
        [sys.executable, "-m", "innkeeper", "--home", str(made.home), "up", "--json", "--port", "0"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    ready = process.stdout.readline()
    port = int(json.loads(ready)["url"].rpartition(":")[2])
    places = 0
    for number, canary in enumerate(CANARIES):
        auth = {"Authorization": basic(key)}
        event = {"type": "track", "event": canary, "userId": canary, "properties": {canary: canary}}
        bad = {"type": canary, "userId": {"x": canary}, "timestamp": canary, "context": canary}
        for path, body, headers in (
            ("/v1/batch", json.dumps({"batch": [event, bad, canary]}), auth),
            (f"/v1/{canary}?{canary}={canary}", canary, {canary: canary} | auth),
            ("/v1/track", canary, {"Authorization": canary, "User-Agent": canary}),
            (f"/api/v1/customers/{canary}%0a{canary}/events", json.dumps({"name": f"{canary}\nerror: x"}), auth),
            ("/v1/batch", "{", {"Content-Encoding": canary, "SentAt": canary} | auth),
        ):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
            connection.request("POST", path, body.encode(), headers)
            answer = connection.getresponse()
            assert answer.status < 500, (number, path, answer.read())
            answer.read()
            connection.close()
            places += 1
        with socket.create_connection(("127.0.0.1", port), timeout=30) as bare:
            bare.sendall(f"{canary} / HTTP/9\r\n{canary}\r\n\r\n".encode())
            bare.recv(1_000)
    process.terminate()
    out, errors = process.communicate(timeout=60)
    shown = json.dumps(made.cli("source", "show", "shop")).encode()
    assert places == 250
    for canary in CANARIES:
        assert canary.encode() not in out + errors + shown
    assert key.encode() not in out + errors + shown
    database = (made.home / "sources.db").read_bytes()
    assert b"canary" not in database
