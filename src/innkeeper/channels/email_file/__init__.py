"""The provider `file`: mails go into a Maildir under the home, which any mail program opens. Nothing leaves it.

Settings: `from`, e.g. `Harbour House <hello@harbour-house.example>`.
"""

from __future__ import annotations

from pathlib import Path

from innkeeper.channels.contract import ChannelConfig
from innkeeper.channels.email_file.provider import FileProvider
from innkeeper.channels.mime import parse_sender

__all__ = ["FileProvider", "make"]

#: The sender where `channels.yaml` names none.
DEFAULT_FROM = "Innkeeper <innkeeper@localhost.example>"


def make(config: ChannelConfig, home: Path) -> FileProvider:
    """The provider of a workspace.

    Raises:
        UsageError: `from` is no sender.
    """
    return FileProvider(home / "mail", parse_sender(str(config.settings.get("from") or DEFAULT_FROM)))
