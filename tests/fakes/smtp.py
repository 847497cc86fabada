"""An SMTP server that misbehaves on request, on a port of this machine, and a certificate for it.

A script says what happens at a step: greeting, EHLO, STARTTLS, AUTH, MAIL, RCPT, DATA (the 354), dot (the last answer),
RSET, QUIT. A text or bytes are sent in the place of the answer, `DROP` breaks the connection, `HOLD` keeps the answer
until `release`. A mail counts as accepted when its dot was answered with 250, or would have been but for a `DROP`,
`HOLD` or bytes.
"""

from __future__ import annotations

import asyncio
import datetime
import random
import ssl
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from enum import Enum
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


class Act(Enum):
    """What a server does in the place of an answer."""

    DROP = "drop"
    HOLD = "hold"


DROP, HOLD = Act.DROP, Act.HOLD
#: What happens at a step: (step, recipient, how often this recipient came to this step, from 1).
Script = Callable[[str, str, int], "str | bytes | Act | None"]


def at(step: str, act: str | bytes | Act) -> Script:
    """Always this at this step, and all is well at the others."""
    return lambda now, *_: act if now == step else None


def moody(seed: int) -> Script:
    """Some recipients are put off once, some refused, some connections break before a final dot."""

    def script(step: str, recipient: str, times: int) -> str | Act | None:
        mood = random.Random(f"{seed}/{recipient}").random()
        if step == "RCPT" and mood < 0.1:
            return "550 5.1.1 nobody"
        if step == "RCPT" and mood < 0.3 and times == 1:
            return "450 4.7.1 not yet"
        if step == "DATA" and 0.3 < mood < 0.5 and times == 1:
            return DROP
        return None

    return script


class Server:
    """A server in a thread of its own; `accepted` are the mails that it took: (recipient, bytes)."""

    def __init__(
        self, script: Script = lambda *_: None, *, tls: ssl.SSLContext | None = None,
        starttls: ssl.SSLContext | None = None, users: dict[str, str] | None = None,
    ) -> None:  # fmt: skip
        self.script, self.starttls, self.users, self._tls = script, starttls, users, tls
        self.accepted: list[tuple[str, bytes]] = []
        self.said: list[str] = []
        self.connections = 0
        self.most_connections = 0
        self.held = threading.Semaphore(0)
        self._open = 0
        self._transports: set[asyncio.WriteTransport] = set()
        self._times: dict[tuple[str, str], int] = {}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._released = asyncio.Event()
        self._thread.start()
        self._server = asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result()
        self.port: int = self._server.sockets[0].getsockname()[1]

    async def _listen(self) -> asyncio.Server:
        return await self._loop.create_server(lambda: _Conversation(self, self._loop), "127.0.0.1", 0, ssl=self._tls)

    def release(self) -> None:
        """Give every answer that is held, now and later."""
        self._loop.call_soon_threadsafe(self._released.set)

    def stop(self) -> None:
        """Listen no more and break off what is open."""
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _stop(self) -> None:
        self._server.close()
        self._released.set()
        for transport in tuple(self._transports):
            transport.abort()
        # A socket is closed a turn of the loop later.
        await asyncio.sleep(0)
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def act(self, step: str, recipient: str) -> str | bytes | Act | None:
        """What the script says now."""
        times = self._times[step, recipient] = self._times.get((step, recipient), 0) + 1
        return self.script(step, recipient, times)

    async def hold(self) -> None:
        """Wait until `release`."""
        self.held.release()
        await self._released.wait()

    def came(self, transport: asyncio.BaseTransport) -> None:
        """Count a connection that began."""
        if isinstance(transport, asyncio.WriteTransport):
            self._transports.add(transport)
        self._open += 1
        self.connections += 1
        self.most_connections = max(self.most_connections, self._open)

    def wait_until_left(self) -> None:
        """Until nobody is connected."""
        deadline = time.monotonic() + 60
        while self._open:
            assert time.monotonic() < deadline, "somebody stays"
            time.sleep(0.01)

    def went(self, transport: asyncio.BaseTransport | None) -> None:
        """Count one that ended."""
        self._open -= 1
        if isinstance(transport, asyncio.WriteTransport):
            self._transports.discard(transport)


class _NoData(Exception):
    """The server does not want the message."""


class _Conversation(SMTP):
    """aiosmtpd's server with the script in the place of its answers."""

    def __init__(self, server: Server, loop: asyncio.AbstractEventLoop) -> None:
        self._scripted, self._step, self._replaced = server, "greeting", False
        self._first: asyncio.BaseTransport | None = None
        self._taken = "", b""
        super().__init__(
            _Handler(server), hostname="mx.test", loop=loop, enable_SMTPUTF8=False, tls_context=server.starttls,
            authenticator=self._check_user, auth_require_tls=server.starttls is not None, timeout=3600,
        )  # fmt: skip
        for name, method in list(self._smtp_methods.items()):
            self._smtp_methods[name] = self._noting(name, method)

    def _noting(self, name: str, method: Callable[..., Any]) -> Callable[..., Any]:
        async def noted(argument: str) -> None:
            self._step = name
            self._scripted.said.append(f"{name} {argument or ''}".strip())
            with suppress(_NoData):
                await method(argument)

        return noted

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # STARTTLS makes it anew.
        if self._first is None:
            self._first = transport
            self._scripted.came(transport)
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        self._scripted.went(self._first)
        super().connection_lost(error)

    async def push(self, status: str | bytes) -> None:
        answer = status if isinstance(status, str) else status.decode()
        step = "dot" if self._step == "DATA" and not answer.startswith("354") else self._step
        if step == "EHLO" and not answer.startswith("250-mx.test"):
            if not self._replaced:
                await super().push(answer)
            return
        if step == "AUTH" and answer.startswith("334"):
            await super().push(answer)
            return
        recipient = self._taken[0] if step == "dot" else self._recipient()
        act = self._scripted.act(step, recipient)
        self._replaced = act is not None and act is not HOLD
        if step == "dot" and not isinstance(act, str):
            self._scripted.accepted.append(self._taken)
        if act is HOLD:
            await self._scripted.hold()
        elif act is DROP:
            if isinstance(self.transport, asyncio.WriteTransport):
                self.transport.abort()
            raise asyncio.CancelledError
        elif isinstance(act, bytes):
            self._writer.write(act)
            return
        await super().push(act if isinstance(act, str) else answer)
        if step == "DATA" and isinstance(act, str):
            raise _NoData

    def _recipient(self) -> str:
        return next(iter(self.envelope.rcpt_tos), "") if self.envelope else ""

    def take(self, recipient: str, content: bytes) -> None:
        """The mail whose final dot is to be answered."""
        self._taken = recipient, content

    def _check_user(self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any) -> AuthResult:
        users = self._scripted.users or {}
        return AuthResult(success=users.get(data.login.decode()) == data.password.decode(), handled=False)


class _Handler:
    def __init__(self, server: Server) -> None:
        self._server = server

    async def handle_EHLO(
        self, server: SMTP, session: Session, envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        session.host_name = hostname
        return [each for each in responses if self._server.users or not each.startswith("250-AUTH")]

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        # Before the answer, so that the script knows whom it is about.
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: _Conversation, session: Session, envelope: Envelope) -> str:
        server.take(envelope.rcpt_tos[0], envelope.original_content or b"")
        return "250 2.0.0 queued as 42"


def certificates(
    folder: Path, *, name: str = "localhost", days: tuple[int, int] = (-1, 1)
) -> tuple[ssl.SSLContext, str]:
    """A server's context with a certificate for *name*, in force between two days from now; and who signed it."""
    now = datetime.datetime.now(datetime.UTC)
    authority, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test authority")])
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])

    def sign(whom: x509.Name, whose: Any, *, is_authority: bool) -> x509.Certificate:
        first, last = (-400, 400) if is_authority else days
        builder = (
            x509.CertificateBuilder().subject_name(whom).issuer_name(issuer).public_key(whose.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + datetime.timedelta(days=first)).not_valid_after(now + datetime.timedelta(days=last))
            .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(whose.public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.public_key()), critical=False)
        )  # fmt: skip
        if not is_authority:
            builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        return builder.sign(authority, hashes.SHA256())

    trusted, chain = folder / "authority.pem", folder / "server.pem"
    pem = serialization.Encoding.PEM
    trusted.write_bytes(sign(issuer, authority, is_authority=True).public_bytes(pem))
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    chain.write_bytes(private + sign(subject, key, is_authority=False).public_bytes(pem))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain)
    return context, str(trusted)
