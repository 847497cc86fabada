"""Channels: one folder per provider, registered in `contract.py` by its name in `channels.yaml`.

The contract is there, too; to add a provider see `docs/add-a-channel.md`. Each is imported when it is
first asked for.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path

from innkeeper.channels.contract import DEFAULT_EMAIL, PROVIDERS, ChannelConfig, Provider, ProviderKind
from innkeeper.kernel.registry import Registry

__all__ = ["DEFAULT_EMAIL", "PROVIDERS", "make_provider"]

_KINDS: Registry[ProviderKind] = Registry("provider", PROVIDERS)


def make_provider(config: ChannelConfig, home: Path) -> Provider:
    """The provider of a channel, not yet opened.

    Raises:
        UsageError: There is no such provider, or its settings are wrong.
    """
    make: Callable[[ChannelConfig, Path], Provider] = import_module(_KINDS[config.provider].module).make
    return make(config, home)
