"""The door over real HTTP, in this process: a home, its sources, a server on a free port, and a client that says what
it sends byte by byte."""

from __future__ import annotations

import base64
import gzip
import http.client
import json
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from innkeeper.events.types import Event
from innkeeper.kernel.time import Clock, FixedClock, parse_instant
from innkeeper.runtime import sources
from innkeeper.runtime.fetching import Fetch
from innkeeper.runtime.house import House
from innkeeper.runtime.house import opened as house_of
from innkeeper.runtime.http_server import make_server
from innkeeper.runtime.ingest import Door
from innkeeper.runtime.serve import listen_on
from innkeeper.runtime.tls import Certificate
from innkeeper.runtime.writer import Writer
from innkeeper.store.log import Log
from innkeeper.store.state import State
from innkeeper.web.app import make_app

NOW = "2026-11-25T12:00:00Z"


class Answer(NamedTuple):
    """What came back."""

    status: int
    headers: Mapping[str, str]
    text: bytes

    @property
    def json(self) -> Any:
        """The body, decoded."""
        return json.loads(self.text)


@dataclass
class Served:
    """A door that is open."""

    home: Path
    log: Log
    port: int
    clock: Clock
    house: House
    keys: dict[str, sources.NewKeys] = field(default_factory=dict)

    @property
    def door(self) -> Door:
        """What takes the events."""
        return self.house.door

    def key(self, source: str = "shop") -> str:
        """The write key of a source."""
        return self.keys[source].keys["write"]

    def call(self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None) -> Answer:
        """One request on a connection of its own, with these headers and no other of ours."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, path, body, dict(headers or {}))
            answer = connection.getresponse()
            told = {name.lower(): value for name, value in answer.getheaders()}
            return Answer(answer.status, told, answer.read())
        finally:
            connection.close()

    def send(self, path: str, body: Any, *, source: str = "shop", method: str = "POST", **headers: str) -> Answer:
        """A JSON body with a source's key, as Basic; bytes go as they are."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        told = {"Authorization": basic(self.key(source))} | {k.replace("_", "-"): v for k, v in headers.items()}
        return self.call(method, path, data, told)

    def ask(self, method: str, path: str, body: Any = None, *, token: str | None = None, **headers: str) -> Answer:
        """A request to the API; with the token of the command line unless another is given."""
        data = b"" if body is None else json.dumps(body).encode()
        told = {k.replace("_", "-"): v for k, v in headers.items()}
        told["Authorization"] = f"Bearer {self.house.doorman.local_token if token is None else token}"
        return self.call(method, f"/api/v1{path}", data, told | ({"Content-Type": "application/json"} if data else {}))

    def events(self) -> list[Event]:
        """What the log holds, in its order."""
        return self.log.read(0, 1_000_000)

    def last(self) -> Event:
        """The newest event of the log."""
        return self.events()[-1]


def basic(user: str, password: str = "") -> str:
    """The header of Basic authentication."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def zipped(body: bytes) -> bytes:
    """A body as gzip."""
    return gzip.compress(body, mtime=0)


def _offline(url: str) -> bytes:
    raise AssertionError(f"a test fetched {url}")


@contextmanager
def opened(
    home: Path,
    *,
    clock: Clock | None = None,
    writer: Writer | None = None,
    get: Fetch = _offline,
    proxies: tuple[str, ...] = (),
    certificate: Certificate | None = None,
    **parts: Any,
) -> Iterator[Served]:
    """A door with the sources `shop` (server) and `web` (public), closed at the end with all that waits written."""
    hands = clock or FixedClock(parse_instant(NOW))
    made = {"shop": sources.create(home, "shop", "server", hands), "web": sources.create(home, "web", "public", hands)}
    with reopened(
        home, made, clock=hands, writer=writer, get=get, proxies=proxies, certificate=certificate, **parts
    ) as served:
        yield served


@contextmanager
def reopened(
    home: Path,
    keys: dict[str, sources.NewKeys],
    *,
    clock: Clock,
    writer: Writer | None = None,
    get: Fetch = _offline,
    proxies: tuple[str, ...] = (),
    certificate: Certificate | None = None,
    metrics_token: str | None = None,
    **parts: Any,
) -> Iterator[Served]:
    """The door of a home whose sources are made; *parts* of its house as a test wants them."""
    State.open(home, create=True).close()
    with (
        Log.open(home) as log,
        listen_on("127.0.0.1", 0) as listener,
        house_of(home, log, clock, writer=writer, get=get, **parts) as house,
    ):
        server = make_server(make_app(house, metrics_token=metrics_token), proxies=proxies, certificate=certificate)
        thread = threading.Thread(target=lambda: server.run(sockets=[listener]))
        thread.start()
        try:
            while not server.started:
                time.sleep(0.005)
            yield Served(home, log, listener.getsockname()[1], clock, house, keys)
        finally:
            server.should_exit = True
            thread.join()
