"""Whether the channels of a workspace could send now: asked of each provider, and nothing is sent. For `doctor`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from innkeeper.channels import DEFAULT_EMAIL, make_provider
from innkeeper.channels.contract import ChannelConfig
from innkeeper.kernel.errors import OperationFailed
from innkeeper.runtime import definitions as applied
from innkeeper.store.doctor import Finding
from innkeeper.store.state import State


def probe_channels(home: Path) -> list[Finding]:
    """What each channel of the applied strategy says: a note where it could send, else what is wrong."""
    with State.open(home, readonly=True) as state:
        definitions = applied.applied(state)
    channels = {DEFAULT_EMAIL.name: DEFAULT_EMAIL, **(definitions.channels if definitions is not None else {})}
    return [finding for config in channels.values() for finding in _probe(config, home)]


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
