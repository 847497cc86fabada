"""Whether the channels of a workspace could send, asked of each provider; nothing is sent. For `doctor` and `up`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from innkeeper.channels import DEFAULT_EMAIL, make_provider
from innkeeper.channels.contract import ChannelConfig
from innkeeper.kernel.errors import OperationFailed, UsageError
from innkeeper.runtime import definitions as applied
from innkeeper.store.doctor import Finding
from innkeeper.store.state import State
from innkeeper.strategy.load import load
from innkeeper.strategy.types import Definitions


def probe_channels(home: Path) -> list[Finding]:
    """What each channel of the applied strategy says: a note where it could send, else what is wrong."""
    with State.open(home, readonly=True) as state:
        channels = _channels(applied.applied(state))
    return [finding for config in channels for finding in _probe(config, home)]


def open_once(home: Path, state: State) -> None:
    """Open every channel's provider and let go of it: what cannot work is said before anything is served.

    Raises:
        OperationFailed: A provider lacks something, such as a secret in the environment.
    """
    _open(home, _channels(applied.applied(state)))


def check_openable(home: Path, files: Mapping[str, str]) -> None:
    """Refuse a valid strategy whose channels this process cannot open: an engine that serves would die of it.

    Raises:
        UsageError: A provider lacks something, such as a secret in the environment of `up`.
    """
    try:
        _open(home, _channels(load(files, allow_unknown=True)))
    except OperationFailed as error:
        place = f" ({error.where})" if error.where else ""
        raise UsageError(
            f"up could not go on with this strategy: {error.message}{place}", code=error.code, fix=error.fix
        ) from error


def _open(home: Path, channels: list[ChannelConfig]) -> None:
    for config in channels:
        provider = make_provider(config, home)
        provider.open()
        provider.close()


def _channels(definitions: Definitions | None) -> list[ChannelConfig]:
    known = definitions.channels if definitions is not None else {}
    return list({DEFAULT_EMAIL.name: DEFAULT_EMAIL, **known}.values())


def _probe(config: ChannelConfig, home: Path) -> Iterator[Finding]:
    try:
        said = make_provider(config, home).probe()
    except OperationFailed as error:
        yield Finding(
            code=f"channel-{error.code}", message=f"{config.name} over {config.provider} cannot send: {error.message}",
            fix=error.fix, state="wrong", where=error.where,
        )  # fmt: skip
    else:
        yield Finding(
            code="channel-answers", message=f"{config.name} over {config.provider} can send: {said}", fix="",
            state="note", where="channels.yaml",
        )  # fmt: skip
