"""The provider `smtp`: a delivery in two halves, with the ledger's word between them and the final dot.

The conversations run in an event loop of their own, in one thread; `send` is called from the deliverer's. What a 250
says is all that SMTP tells: afterwards nobody can be asked, so `settles` is false.
"""

from __future__ import annotations

import asyncio
import os
import ssl
import threading
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Final, TypeVar

import structlog

from innkeeper.channels.contract import Outgoing, Result
from innkeeper.channels.email_smtp.connection import Broken, Connection, Login, NotReady, Stale, Timeouts
from innkeeper.channels.email_smtp.pool import Pool
from innkeeper.channels.email_smtp.wire import Mail, to_mail
from innkeeper.channels.mime import parse_sender
from innkeeper.content.errors import UnsafeHeader
from innkeeper.kernel.errors import InternalError, OperationFailed
from innkeeper.kernel.failpoints import failpoint
from innkeeper.strategy.read_smtp import SmtpSettings

logger = structlog.get_logger()
T = TypeVar("T")

#: An answer to a final dot that takes longer does not hold up other mail.
SLOW_SECONDS: Final = 5.0
#: How long no connection is tried after one could not be had.
REST_SECONDS: Final = 60.0


class SmtpProvider:
    """Mail over SMTP to one server.

    Args:
        settings: Where and how.
        timeouts: How long the server may take.
        slow_seconds: After how long a connection is put aside that waits for its last answer.
        rest_seconds: The pause after a connection that could not be had.
        environment: Where user name and password are looked up.
    """

    name = "smtp"
    settles = False
    is_remote = True

    def __init__(
        self, settings: SmtpSettings, *, timeouts: Timeouts | None = None, slow_seconds: float = SLOW_SECONDS,
        rest_seconds: float = REST_SECONDS, environment: Mapping[str, str] = os.environ,
    ) -> None:  # fmt: skip
        self._settings, self._timeouts = settings, timeouts or Timeouts()
        self._slow_seconds, self._rest_seconds, self._environment = slow_seconds, rest_seconds, environment
        self._sender = parse_sender(settings.sender)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._pool: Pool | None = None

    def open(self) -> None:
        """Read the secrets and the certificates to trust; whether the server is there shows with the first mail.

        Raises:
            OperationFailed: A variable is not set, or the certificates cannot be read.
        """
        connect = self._maker()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="smtp", daemon=True)
        self._thread.start()
        self._pool = self._ask(self._make_pool(connect))

    def send(self, outgoing: Outgoing, committing: Callable[[], None]) -> Result:
        """Send one mail: everything, then the commitment, then the final dot."""
        try:
            mail = to_mail(outgoing, self._sender, self._settings.unsubscribe)
        except UnsafeHeader as error:
            return Result(outcome="rejected", reason=error.code)
        offered = self._ask(self._offer(mail))
        if isinstance(offered, Result):
            return offered
        failpoint("smtp.offered")
        try:
            committing()
        except BaseException:
            self._ask(self._break_off(offered))
            raise
        return self._ask(self._finish(offered))

    def settle(self, delivery_id: str) -> Result | None:
        """Never known."""
        return None

    def probe(self) -> str:
        """Connect, encrypt and log in as for a mail, and say good-bye.

        Raises:
            OperationFailed: It cannot be done.
        """
        asyncio.run(_greet(self._maker()()))
        how = {"starttls": "over STARTTLS", "tls": "over TLS", "none": "in clear text"}[self._settings.security]
        login = "with login" if self._settings.username_env else "without login"
        return f"{self._settings.host}:{self._settings.port} answers, {how}, {login}"

    def close(self) -> None:
        """Leave the server; what it has not answered stays in doubt."""
        if self._pool is None or self._loop is None or self._thread is None:
            return
        self._ask(self._pool.close())
        self._pool = None
        self._ask(_end_tasks())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    # In the loop

    async def _offer(self, mail: Mail) -> Connection | Result:
        """A connection that waits for the final dot of a mail, or why there is none."""
        pool = self._opened()
        while True:
            try:
                connection = await pool.take()
            except NotReady as error:
                return Result(outcome="retry", reason=f"{error.code}: {error.message}")
            try:
                result = await connection.offer(mail)
            except Stale:
                pool.give_back(connection)
                continue
            except Broken as error:
                result = Result(outcome="retry", reason=str(error))
            if result is None:
                return connection
            pool.give_back(connection)
            return result

    async def _finish(self, connection: Connection) -> Result:
        pool = self._opened()
        slow = asyncio.get_running_loop().call_later(self._slow_seconds, pool.put_aside, connection)
        try:
            return await connection.finish()
        finally:
            slow.cancel()
            pool.give_back(connection)

    async def _break_off(self, connection: Connection) -> None:
        connection.abort()
        self._opened().give_back(connection)

    async def _make_pool(self, connect: Callable[[], Connection]) -> Pool:
        return Pool(connect, self._settings.connections, rest_seconds=self._rest_seconds, told=_tell)

    # Around it

    def _opened(self) -> Pool:
        if self._pool is None:
            raise InternalError("the provider smtp is not open", code="not-open")
        return self._pool

    def _ask(self, doing: Coroutine[Any, Any, T]) -> T:
        if self._loop is None:
            doing.close()
            raise InternalError("the provider smtp is not open", code="not-open")
        return asyncio.run_coroutine_threadsafe(doing, self._loop).result()

    def _maker(self) -> Callable[[], Connection]:
        login, trust = self._login(), self._trust()
        return lambda: Connection(self._settings, self._timeouts, trust, login)

    def _login(self) -> Login | None:
        settings = self._settings
        if settings.username_env is None or settings.password_env is None:
            return None
        return Login(self._secret(settings.username_env), self._secret(settings.password_env))

    def _secret(self, variable: str) -> str:
        value = self._environment.get(variable, "")
        if not value or not value.isprintable():
            raise OperationFailed(
                f"the environment variable {variable} {'holds no text' if value else 'is not set'}",
                code="no-secret", where=f"channels.yaml: email, {variable}",
                fix=f"set it where Innkeeper runs: export {variable}=...",
            )  # fmt: skip
        return value

    def _trust(self) -> ssl.SSLContext | None:
        if self._settings.security == "none":
            return None
        try:
            return ssl.create_default_context(cafile=self._settings.ca_file)
        except OSError as error:
            raise OperationFailed(
                f"the certificates of ca_file cannot be read: {error}", code="bad-ca-file",
                where=str(self._settings.ca_file), fix="name a file of PEM certificates that Innkeeper may read",
            ) from error  # fmt: skip


def _tell(error: NotReady) -> None:
    logger.warning("mail server not ready", action="deliver", reason=error.code, where=error.where)


async def _greet(connection: Connection) -> None:
    await connection.open()
    await connection.quit()


async def _end_tasks() -> None:
    """Break off whatever still waits."""
    tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
