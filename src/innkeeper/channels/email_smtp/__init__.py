"""The provider `smtp`: mails go to a server that passes them on. `docs/email.md` has its settings and answers.

`provider.py` is its contract's side, `pool.py` its connections, `connection.py` one conversation, `replies.py` what a
reply means, `wire.py` the bytes.
"""

from __future__ import annotations

from pathlib import Path

from innkeeper.channels.contract import ChannelConfig
from innkeeper.channels.email_smtp.provider import SmtpProvider
from innkeeper.kernel.errors import InternalError
from innkeeper.kernel.located import NOWHERE, Findings, Located
from innkeeper.strategy.read_smtp import of_plain

__all__ = ["SmtpProvider", "make"]


def make(config: ChannelConfig, home: Path) -> SmtpProvider:
    """The provider of a workspace.

    Raises:
        UsageError: Its settings are wrong.
    """
    findings = Findings()
    settings = of_plain(dict(config.settings), findings, Located({}, NOWHERE))
    findings.raise_if_any()
    if settings is None:
        raise InternalError("settings without findings were not read", code="smtp-settings")
    return SmtpProvider(settings)
