"""The HTTP server of the door: uvicorn, with time limits on what a connection may leave unsaid.

uvicorn itself waits without end for a request's first bytes and its headers, and a minute for a handshake of TLS; ten
thousand idle connections would stay. Nor does it bound their number; without files to open, nothing could be written.
How long a body may take is `web/requests.py`'s to say.
"""

from __future__ import annotations

import asyncio
import resource
from collections.abc import Sequence
from typing import Any, Final

import uvicorn
import uvloop
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from innkeeper.runtime.tls import Certificate

#: How long the headers of a request may take from the first byte on, or from the connection; a handshake likewise.
HEADER_SECONDS: Final = 10.0
_KEEP_ALIVE_SECONDS: Final = 75
_MOST_HEADER_BYTES: Final = 64 * 1024
#: Open at a time; half of the files that the process may open are kept for its own.
MOST_CONNECTIONS: Final = 10_000
_MOST_FILES: Final = 2 * MOST_CONNECTIONS + 1_000
#: A stopping server waits so long for who watches.
_LAST_SECONDS: Final = 2


class ImpatientLoop(uvloop.Loop):
    """An event loop whose servers give up on a handshake of TLS that does not come; uvicorn has no setting for it."""

    async def create_server(self, *what: Any, **how: Any) -> Any:
        """A server, as the loop makes it."""
        if how.get("ssl") is not None:
            how["ssl_handshake_timeout"] = HEADER_SECONDS
        return await super().create_server(*what, **how)


class Crowd:
    """A server's connections; where there are too many, the one that has asked for nothing the longest makes room."""

    def __init__(self, most: int) -> None:
        self._most, self._open = most, 0
        self._idle: dict[ImpatientProtocol, None] = {}

    def enters(self, one: ImpatientProtocol) -> None:
        """A connection is made."""
        self._open += 1
        if self._open > self._most:
            next(iter(self._idle), one).transport.abort()
        self.rests(one)

    def rests(self, one: ImpatientProtocol) -> None:
        """It waits for a request from now on."""
        self._idle.pop(one, None)
        self._idle[one] = None

    def works(self, one: ImpatientProtocol) -> None:
        """It has asked for something."""
        self._idle.pop(one, None)

    def leaves(self, one: ImpatientProtocol) -> None:
        """It has ended."""
        self._open -= 1
        self.works(one)


class ImpatientProtocol(HttpToolsProtocol):
    """HTTP/1.1 that gives up on slow and on endless headers, in a crowd."""

    crowd: Crowd

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A connection: from now on its first request is waited for."""
        super().connection_made(transport)
        self._head_bytes = 0
        self._head_timer: asyncio.TimerHandle | None = None
        self.crowd.enters(self)
        self._expect_head()

    def data_received(self, data: bytes) -> None:
        """Some bytes; while they are headers, the clock runs."""
        if self._in_head and self._head_timer is None:
            self._expect_head()
        self._head_bytes = self._head_bytes + len(data) if self._in_head else 0
        super().data_received(data)
        if self._in_head and self._head_bytes > _MOST_HEADER_BYTES:
            self.transport.close()

    def on_message_begin(self) -> None:
        """A request's first line begins."""
        super().on_message_begin()
        self._in_head = True

    def on_headers_complete(self) -> None:
        """The headers are there."""
        self._in_head, self._head_bytes = False, 0
        self.crowd.works(self)
        self._stop_timer()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """The body is there; what comes next is a request's beginning."""
        super().on_message_complete()
        self._in_head = True

    def on_response_complete(self) -> None:
        """It is answered; unless more has been asked for already, nothing is."""
        super().on_response_complete()
        if not self.pipeline:
            self.crowd.rests(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is waited for any more."""
        self.crowd.leaves(self)
        self._stop_timer()
        super().connection_lost(exc)

    def _expect_head(self) -> None:
        self._in_head = True
        self._head_timer = self.loop.call_later(HEADER_SECONDS, self.timeout_keep_alive_handler)

    def _stop_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None


def make_server(app: Any, *, certificate: Certificate | None = None, proxies: Sequence[str] = ()) -> uvicorn.Server:
    """The server of an ASGI application; it logs no address and no request.

    Args:
        app: The application.
        certificate: What connections are encrypted with; None: they are not.
        proxies: Whose `X-Forwarded-For` and `X-Forwarded-Proto` are believed: nobody's without them.
    """
    protocol = type("Protocol", (ImpatientProtocol,), {"crowd": Crowd(min(MOST_CONNECTIONS, _files() // 2))})
    config = uvicorn.Config(
        app, http=protocol, ws="none", loop=f"{__name__}:ImpatientLoop", log_config=None, log_level="error",
        access_log=False, lifespan="on", timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=_LAST_SECONDS, server_header=False, proxy_headers=bool(proxies),
        forwarded_allow_ips=list(proxies),
    )  # fmt: skip
    if certificate is not None:
        config.load()
        config.ssl = certificate.context
    return uvicorn.Server(config)


def _files() -> int:
    """How many files this process may open; it asks for as many as a full server takes."""
    least, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if least < _MOST_FILES:
        least = _MOST_FILES if most == resource.RLIM_INFINITY else min(most, _MOST_FILES)
        resource.setrlimit(resource.RLIMIT_NOFILE, (least, most))
    return least
