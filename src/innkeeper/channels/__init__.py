"""Channels: one folder per provider, registered here by its name in `channels.yaml`.

The contract is `contract.py`; to add a provider see `docs/add-a-channel.md`. Each is imported when it is
first asked for.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path

from innkeeper.channels.contract import ChannelConfig, Provider
from innkeeper.kernel.registry import Registry

__all__ = ["DEFAULT_EMAIL", "PROVIDERS", "make_provider"]

#: Provider -> the module whose `make(config, home)` answers a `Provider`.
PROVIDERS: Registry[str] = Registry("provider", {"file": "innkeeper.channels.email_file"})

#: What holds when `channels.yaml` says nothing of email.
DEFAULT_EMAIL = ChannelConfig(name="email", provider="file")


def make_provider(config: ChannelConfig, home: Path) -> Provider:
    """The provider of a channel, not yet opened.

    Raises:
        UsageError: There is no such provider, or its settings are wrong.
    """
    make: Callable[[ChannelConfig, Path], Provider] = import_module(PROVIDERS[config.provider]).make
    return make(config, home)
