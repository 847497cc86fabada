"""One conversation with an SMTP server, from its greeting to the quit; several mails may go through it.

The moment before the final dot is the caller's: `offer` sends everything else, `finish` sends the dot.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, fields
from ipaddress import ip_address
from typing import Final

from aiosmtplib import SMTP, SMTPAuthenticationError, SMTPException, SMTPResponseException, SMTPTimeoutError

from innkeeper.channels.contract import Result
from innkeeper.channels.email_smtp.replies import Reply, judge, readable
from innkeeper.channels.email_smtp.wire import Mail
from innkeeper.kernel.errors import OperationFailed
from innkeeper.strategy.read_smtp import SmtpSettings

_BLOCK: Final = 64 * 1024
#: How often it is asked whether the machine has taken a block that it did not take at once.
_LOOK_SECONDS: Final = 0.01
_NOT_ACCEPTING_FIX: Final = "ask whoever runs the server why it does not take this machine"
_TLS_FIX: Final = "see that the server's certificate is in force, has the name of host, and is signed by whom you trust"


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """How long a server may take, in seconds: RFC 5321 section 4.5.3.2, and minutes for what it does not name."""

    greeting: float = 300
    command: float = 300
    data: float = 120
    block: float = 180
    final: float = 600
    quit: float = 5

    @classmethod
    def all(cls, seconds: float) -> Timeouts:
        """The same for everything."""
        return cls(**{field.name: seconds for field in fields(cls)})


@dataclass(frozen=True, slots=True)
class Login:
    """A user's name and password, which no text shows."""

    username: str
    password: str

    def __repr__(self) -> str:
        return "Login(…)"


class NotReady(OperationFailed):
    """No mail can be offered; `code` says why: unreachable, not-accepting, no-starttls, tls, login."""


class Broken(Exception):
    """The conversation came to an end, or makes no sense any more."""


class Stale(Broken):
    """The server had given up the connection before a mail began."""


class Connection:
    """One connection; made by `open`, after which it is either fit for the next mail or of no more use."""

    def __init__(
        self, settings: SmtpSettings, timeouts: Timeouts, trust: ssl.SSLContext | None, login: Login | None
    ) -> None:
        self._settings, self._timeouts, self._login = settings, timeouts, login
        self._client = SMTP(
            hostname=settings.host, port=settings.port, use_tls=settings.security == "tls", start_tls=False,
            tls_context=trust, local_hostname="localhost", timeout=timeouts.command,
        )  # fmt: skip
        #: Mails that were offered.
        self.mails = 0

    @property
    def is_fit(self) -> bool:
        """Whether another mail can be offered."""
        return self._client.is_connected

    async def open(self) -> None:
        """Connect, encrypt, log in.

        Raises:
            NotReady: It cannot be had.
        """
        try:
            with self._translated("unreachable", "see that host and port are right and no firewall stands between"):
                await self._client.connect(timeout=self._timeouts.greeting)
            with self._translated("not-accepting", _NOT_ACCEPTING_FIX):
                await self._hello()
            if self._settings.security == "starttls":
                await self._encrypt()
            if self._login is not None:
                with self._translated("login", "see that the variables hold the right user name and password"):
                    await self._client.login(self._login.username, self._login.password)
        except BaseException:
            self.abort()
            raise

    async def _hello(self) -> None:
        await self._client.ehlo(hostname=self._settings.hello or self._own_name())

    async def _encrypt(self) -> None:
        if not self._client.supports_extension("starttls"):
            raise self._not_ready(
                "no-starttls", "it does not offer STARTTLS, and nothing goes on in clear text",
                "try security: tls, or another port; somebody between may also have taken the offer away",
            )  # fmt: skip
        with self._translated("tls", _TLS_FIX):
            await self._client.starttls()
            await self._hello()

    def _own_name(self) -> str:
        """A full name, else the address as RFC 5321 section 4.1.3 writes it; nothing is looked up."""
        name = socket.gethostname()
        if "." in name.strip(".") and name.isascii():
            return name
        address = ip_address(str(self._client.get_transport_info("sockname")[0]).partition("%")[0])
        return f"[{address}]" if address.version == 4 else f"[IPv6:{address}]"

    async def offer(self, mail: Mail) -> Result | None:
        """Everything but the final dot; None when the server waits for it, else why it does not.

        Raises:
            Stale: A connection that was kept is no more; another one may do.
            Broken: The conversation is over; the server has no mail.
        """
        self.mails += 1
        size = [b"SIZE=%d" % mail.size] if self._client.supports_extension("size") else []
        try:
            reply = await self._ask(b"MAIL", b"FROM:<" + mail.sender + b">", *size, seconds=self._timeouts.command)
        except Broken as error:
            if self.mails > 1:
                raise Stale(str(error)) from error
            raise
        if not reply.is_yes:
            return await self._refused("mail", reply)
        reply = await self._ask(b"RCPT", b"TO:<" + mail.recipient + b">", seconds=self._timeouts.command)
        if not reply.is_yes:
            return await self._refused("rcpt", reply)
        reply = await self._ask(b"DATA", seconds=self._timeouts.data)
        if reply.code != 354:
            return await self._refused("data", reply)
        await self._write(mail.body)
        return None

    async def finish(self) -> Result:
        """The final dot, and what the answer to it means."""
        if not self.is_fit:
            return Result(outcome="retry", reason="the connection was lost before the final dot")
        try:
            reply = await self._ask(b".", seconds=self._timeouts.final)
        except Broken as error:
            return Result(outcome="in_doubt", reason=f"{error} after the final dot")
        if reply.is_yes:
            return Result(outcome="accepted", provider_id=readable(reply.text))
        if reply.is_readable:
            return judge("dot", reply)
        self.abort()
        return Result(outcome="in_doubt", reason=f"the answer to the final dot makes no sense: {reply.code}")

    async def quit(self) -> None:
        """Say good-bye; who does not hear it is left."""
        if self.is_fit:
            # It is left either way.
            with suppress(SMTPException, OSError):
                await self._client.quit(timeout=self._timeouts.quit)
        self.abort()

    def abort(self) -> None:
        """Leave at once: a mail without its final dot was never sent."""
        transport = self._client.transport
        if isinstance(transport, asyncio.WriteTransport):
            transport.abort()
        self._client.close()

    async def _refused(self, step: str, reply: Reply) -> Result:
        """A refusal, after which the connection is made fit for the next mail."""
        if not reply.is_readable or reply.is_yes:
            self.abort()
            raise Broken(f"the answer to {step} makes no sense: {reply.code}")
        if self.is_fit:
            try:
                fit = (await self._ask(b"RSET", seconds=self._timeouts.command)).is_yes
            except Broken:
                fit = False
            if not fit:
                self.abort()
        return judge(step, reply)

    async def _ask(self, *words: bytes, seconds: float) -> Reply:
        try:
            reply = await self._client.execute_command(*words, timeout=seconds)
        except SMTPTimeoutError as error:
            raise Broken(f"no answer within {seconds:g} seconds") from error
        except SMTPResponseException as error:
            self.abort()
            raise Broken("an answer that makes no sense") from error
        except (SMTPException, OSError) as error:
            self.abort()
            raise Broken("the connection was lost") from error
        return Reply(reply.code, reply.message)

    async def _write(self, body: bytes) -> None:
        """The body, block by block, each of them taken by the machine before the next."""
        protocol, transport = self._client.protocol, self._client.transport
        if protocol is None or not isinstance(transport, asyncio.WriteTransport):
            raise Broken("the connection was lost")
        try:
            for start in range(0, len(body), _BLOCK):
                protocol.write(body[start : start + _BLOCK])
                async with asyncio.timeout(self._timeouts.block):
                    while transport.get_write_buffer_size() and not transport.is_closing():
                        await asyncio.sleep(_LOOK_SECONDS)
        except TimeoutError as error:
            self.abort()
            raise Broken("the server takes no more of the message") from error
        except (SMTPException, OSError) as error:
            self.abort()
            raise Broken("the connection was lost") from error

    @contextmanager
    def _translated(self, code: str, fix: str) -> Iterator[None]:
        """What goes wrong here as `NotReady`, a certificate's fault under its own code."""
        try:
            yield
        except (SMTPException, OSError, ValueError) as error:
            cause = error.__cause__
            tls = error if isinstance(error, ssl.SSLError) else cause if isinstance(cause, ssl.SSLError) else None
            if tls is not None:
                why = getattr(tls, "verify_message", "") or tls.reason or type(tls).__name__
                raise self._not_ready("tls", f"TLS failed: {why}", _TLS_FIX) from error
            if code == "unreachable" and isinstance(error, SMTPResponseException):
                code, fix = "not-accepting", _NOT_ACCEPTING_FIX
            raise self._not_ready(code, _why(error), fix) from error

    def _not_ready(self, code: str, message: str, fix: str) -> NotReady:
        return NotReady(message, code=code, where=f"{self._settings.host}:{self._settings.port}", fix=fix)


def _why(error: Exception) -> str:
    if isinstance(error, SMTPResponseException):
        said = f"it says {error.code} {readable(error.message)}"
        return f"the login was refused: {said}" if isinstance(error, SMTPAuthenticationError) else said
    return readable(str(error)) or type(error).__name__
