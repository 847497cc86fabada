"""HTTP to addresses that somebody else chose: the one way out for webhooks and whatever else calls a given URL.

The check is made where it counts: a name is looked up for each connection, every address that it has is looked at
(`public_addresses.py`), and the connection goes to one of those, whatever the name means a moment later. TLS and `Host`
keep the name. No redirect is followed, no proxy is asked, an answer is read only so far. docs/adr/0038 has the reasons.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any, Final

import httpcore

from innkeeper.channels.public_addresses import Address, refusal
from innkeeper.channels.targets import Target
from innkeeper.kernel.errors import InternalError, OperationFailed

#: What is read of an answer; the rest is not waited for.
MOST_ANSWER_BYTES: Final = 16 * 1024
#: What one address of several may take to be connected to.
_CONNECT_SECONDS: Final = 5.0
#: Names that are looked up at a time.
_MOST_NAMES: Final = 128
_KEPT_SECONDS: Final = 30.0
_KEPT_CONNECTIONS: Final = 20

Resolve = Callable[[str, int], Awaitable[Sequence[Address]]]


class CallFailed(OperationFailed):
    """No answer came; `code` says what went wrong: `address-refused`, `no-such-host`, `timeout`, `tls`, …"""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a receiver said; header names in small letters."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


class Resolver:
    """Looks names up, each by one thread at a time: a name server that hangs holds up nobody else's names."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(_MOST_NAMES, thread_name_prefix="names")
        self._asked: dict[tuple[str, int], asyncio.Future[list[Any]]] = {}

    async def __call__(self, host: str, port: int) -> Sequence[Address]:
        """The addresses of a name, or the address itself.

        Raises:
            CallFailed: There is no such name.
        """
        asked = self._asked.get((host, port))
        if asked is None:
            asked = asyncio.get_running_loop().run_in_executor(
                self._threads, lambda: socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            )
            self._asked[host, port] = asked
            asked.add_done_callback(lambda done: self._answered((host, port), done))
        try:
            # Who is tired of waiting goes away alone.
            found = await asyncio.shield(asked)
        except (OSError, UnicodeError) as error:
            raise CallFailed(f"the name {host} leads nowhere", code="no-such-host") from error
        return [ip_address(each[4][0]) for each in found]

    def _answered(self, name: tuple[str, int], done: asyncio.Future[list[Any]]) -> None:
        del self._asked[name]
        # Perhaps nobody waits for it any more; an error that is not asked for would be said as a bug.
        if not done.cancelled():
            done.exception()

    def close(self) -> None:
        """Begin no more look-ups."""
        self._threads.shutdown(wait=False, cancel_futures=True)


async def looked_at(host: str, port: int, *, private: bool, resolve: Resolve) -> Sequence[Address]:
    """The addresses of a name, if we go to every one of them.

    Raises:
        CallFailed: There is no such name, or it leads where we do not go.
    """
    addresses = await resolve(host, port)
    for address in addresses:
        why = refusal(address, private=private)
        if why is not None:
            raise CallFailed(f"the address of {host} {why}", code="address-refused", fix=_fix(private))
    return addresses


class GuardedNetwork(httpcore.AsyncNetworkBackend):
    """Connects to looked-up addresses alone, after looking at them; *network* makes the connection."""

    def __init__(self, *, private: bool, resolve: Resolve, network: httpcore.AsyncNetworkBackend | None = None) -> None:
        self._private, self._resolve = private, resolve
        self._network = network or httpcore.AnyIOBackend()

    async def connect_tcp(
        self, host: str, port: int, timeout: float | None = None, local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:  # fmt: skip
        """A connection to one of the addresses of *host*; one bad address among them refuses all.

        Raises:
            CallFailed: The name leads nowhere, or where we do not go.
        """
        addresses = await looked_at(host.strip("[]"), port, private=self._private, resolve=self._resolve)
        failed: Exception | None = None
        for address in addresses:
            try:
                return await self._network.connect_tcp(
                    str(address), port, timeout or _CONNECT_SECONDS, local_address, socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failed = error
        raise failed or CallFailed(f"the name {host} leads nowhere", code="no-such-host")

    async def connect_unix_socket(
        self, path: str, timeout: float | None = None, socket_options: Iterable[Any] | None = None
    ) -> httpcore.AsyncNetworkStream:
        """Never.

        Raises:
            InternalError: Always.
        """
        raise InternalError("a URL leads to no socket of this machine", code="unix-socket")

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)


class HttpOut:
    """Calls URLs; one for many calls, used from one event loop.

    Args:
        private: Receivers in private networks are allowed.
        resolve: Looks a name up.
        trust: What certificates are checked against; the system's own list when it is left out.
        network: Makes the connections.
    """

    def __init__(
        self, *, private: bool = False, resolve: Resolve | None = None, trust: ssl.SSLContext | None = None,
        network: httpcore.AsyncNetworkBackend | None = None,
    ) -> None:  # fmt: skip
        self._resolver = Resolver()
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=trust or ssl.create_default_context(), max_connections=None,
            max_keepalive_connections=_KEPT_CONNECTIONS, keepalive_expiry=_KEPT_SECONDS,
            network_backend=GuardedNetwork(private=private, resolve=resolve or self._resolver, network=network),
        )  # fmt: skip

    async def call(
        self, method: str, target: Target, *, headers: dict[str, str], body: bytes = b"", seconds: float
    ) -> Answer:
        """Send a request and read the answer, all of it within *seconds*; a redirect is an answer like any other.

        Raises:
            CallFailed: There was no answer.
        """
        url = httpcore.URL(scheme=target.scheme, host=target.host, port=target.port, target=target.path)
        told = {"Host": target.authority, "Accept-Encoding": "identity", **headers}
        try:
            async with (
                asyncio.timeout(seconds),
                self._pool.stream(method, url, headers=list(told.items()), content=body) as response,
            ):
                read = b""
                async for chunk in response.aiter_stream():
                    read += chunk
                    if len(read) >= MOST_ANSWER_BYTES:
                        break
                return Answer(response.status, _headers(response.headers), read[:MOST_ANSWER_BYTES])
        except (TimeoutError, httpcore.TimeoutException) as error:
            raise CallFailed(f"no answer within {seconds:.0f} seconds", code="timeout") from error
        except (httpcore.NetworkError, httpcore.ProtocolError, OSError) as error:
            code = "tls" if isinstance(_root(error), ssl.SSLError) else "no-answer"
            raise CallFailed(f"no answer: {type(error).__name__}", code=code) from error

    async def close(self) -> None:
        """Close the connections."""
        await self._pool.aclose()
        self._resolver.close()


def _headers(raw: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in raw}


def _root(error: BaseException) -> BaseException:
    while (before := error.__cause__ or error.__context__) is not None:
        error = before
    return error


def _fix(private: bool) -> str:
    return "" if private else "if it is a receiver of your own: allow it by --allow-private"
