"""The contract of a channel's provider: small, and honest about what it knows.

A provider is asked to `send` one prepared delivery. It calls `committing()` exactly once, immediately before the last
byte that can make it act; the ledger has that on disk when the call returns. An SMTP provider calls it before the final
dot, an HTTP one before the last byte of the body, the file provider before the rename. After it, an exception or a lost
process means *in doubt*; before it, *not sent*.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

from innkeeper.kernel.time import Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderKind:
    """What is known of a provider before it is imported.

    Attributes:
        module: Its `make(config, home)` answers a `Provider`.
        settings: The keys of its entry in `channels.yaml`, besides `provider`.
    """

    module: str
    settings: tuple[str, ...]


#: Every provider by its name in `channels.yaml`; `check` and `make_provider` read it.
PROVIDERS: Mapping[str, ProviderKind] = {
    "file": ProviderKind(module="innkeeper.channels.email_file", settings=("from",)),
    "smtp": ProviderKind(
        module="innkeeper.channels.email_smtp",
        settings=(
            "from", "host", "port", "security", "username_env", "password_env", "connections", "hello", "ca_file",
            "unsubscribe",
        ),
    ),
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelConfig:
    """One entry of `channels.yaml`: a channel's name, its provider and the provider's settings."""

    name: str
    provider: str
    settings: Mapping[str, object] = field(default_factory=dict)


#: What holds when `channels.yaml` says nothing of email.
DEFAULT_EMAIL = ChannelConfig(name="email", provider="file")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """A rendered delivery, ready for a provider; *kind* is its purpose's: marketing, service or transactional."""

    delivery_id: str
    address: str
    subject: str
    text: str
    html: str | None
    headers: Mapping[str, str]
    at: Instant
    kind: str = "marketing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What is known after a send.

    `accepted`: the provider has it. `rejected`: it definitely has not and will not. `retry`: it definitely has not, and
    may be asked again. `in_doubt`: it may have it.
    """

    outcome: Literal["accepted", "rejected", "retry", "in_doubt"]
    reason: str = ""
    provider_id: str = ""


class Provider(Protocol):
    """Sends through one channel."""

    name: str
    #: Whether `settle` can tell the fate of an in-doubt delivery from the provider's own record.
    settles: bool
    #: Whether its answers come over a network, and may take long.
    is_remote: bool

    def open(self) -> None:
        """Get ready; raises `OperationFailed` with a fix when it cannot."""

    def send(self, outgoing: Outgoing, committing: Callable[[], None]) -> Result:
        """Send one delivery; see the module for the duty to call *committing*."""

    def settle(self, delivery_id: str) -> Result | None:
        """The fate of an earlier send by the provider's own record; None when it cannot know."""

    def probe(self) -> str:
        """Look whether it could send, without `open` and without sending; what was found, in a few words.

        Raises:
            OperationFailed: It could not, with a fix.
        """

    def close(self) -> None:
        """Let go of everything."""
