"""Mail servers and providers of a test, and mails to send with them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fakes.smtp import Script, Server

from innkeeper.channels.contract import Outgoing, Result
from innkeeper.channels.email_smtp import SmtpProvider
from innkeeper.channels.email_smtp.connection import Timeouts
from innkeeper.kernel.time import parse_instant
from innkeeper.strategy.read_smtp import SmtpSettings

AT = parse_instant("2026-03-02T12:00:00Z")
#: Longer than any test lasts.
PATIENT = Timeouts.all(60)


class House:
    """Servers and providers of a test, which end with it."""

    def __init__(self) -> None:
        self.closing: list[Callable[[], None]] = []

    def server(self, script: Script = lambda *_: None, **options: Any) -> Server:
        """A server that runs."""
        server = Server(script, **options)
        self.closing.append(server.stop)
        return server

    def provider(
        self, server: Server, *, environment: dict[str, str] | None = None, timeouts: Timeouts = PATIENT,
        slow: float = 60, rest: float = 0, **settings: Any,
    ) -> SmtpProvider:  # fmt: skip
        """A provider that is open."""
        known: dict[str, Any] = {
            "host": "localhost", "port": server.port, "security": "none", "sender": "Desk <desk@hotel.example>",
            "username_env": None, "password_env": None, "connections": 4, "hello": None, "ca_file": None,
            "unsubscribe": None,
        }  # fmt: skip
        provider = SmtpProvider(
            SmtpSettings(**(known | settings)), timeouts=timeouts, slow_seconds=slow, rest_seconds=rest,
            environment=environment or {},
        )  # fmt: skip
        provider.open()
        # Providers first: a server that is gone cannot be left politely.
        self.closing.append(provider.close)
        return provider

    def close(self) -> None:
        """End everything, the last first."""
        while self.closing:
            self.closing.pop()()


class Ledger:
    """Counts commitments."""

    def __init__(self) -> None:
        self.committed = 0

    def __call__(self) -> None:
        self.committed += 1


def outgoing(number: int = 1, **changes: Any) -> Outgoing:
    fields: dict[str, Any] = {
        "delivery_id": f"d{number}", "address": f"ana{number}@example.com", "subject": "Hello", "text": "Hi\n",
        "html": "<p>Hi</p>\n", "headers": {}, "at": AT,
    }  # fmt: skip
    return Outgoing(**(fields | changes))


def sent(provider: SmtpProvider, number: int = 1, **changes: Any) -> tuple[Result, int]:
    """A result, and how often the ledger was asked to commit."""
    ledger = Ledger()
    return provider.send(outgoing(number, **changes), ledger), ledger.committed
