"""`innkeeper mcp`: what an assistant may ask, over standard input and output. The tools: `web/mcp_tools.py`."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import nullcontext, redirect_stdout
from typing import TYPE_CHECKING, BinaryIO, Final

import click

from innkeeper.cli.main import Call

if TYPE_CHECKING:
    from innkeeper.runtime.access import Actor
    from innkeeper.web.mcp_tools import Toolbox

#: The longest message that is taken.
_MOST_BYTES: Final = 1024 * 1024


@click.command()
@click.option("--as", "user", metavar="USER", help="With the permissions of this user; without it, of the owner.")
@click.pass_obj
def command(call: Call, user: str | None) -> None:
    """Answer an assistant over standard input and output (MCP): it reads the workspace, and changes nothing."""
    from innkeeper.kernel.time import SystemClock
    from innkeeper.runtime.access import LOCAL, Actor, actor_named
    from innkeeper.runtime.roles import ROLES
    from innkeeper.store.access import Access
    from innkeeper.web.mcp_tools import toolbox_of

    home = call.existing_home()
    with nullcontext() if user is None else Access.open(home) as access:

        def who() -> Actor:
            if access is None or user is None:
                return Actor(LOCAL, ROLES["owner"])
            return actor_named(access, user, SystemClock())

        who()
        told = sys.stdout.buffer
        # What else is printed must not stand between the messages.
        with redirect_stdout(sys.stderr):
            _serve(toolbox_of(home), who, sys.stdin.buffer, told)


def _serve(tools: Toolbox, who: Callable[[], Actor], asked: BinaryIO, told: BinaryIO) -> None:
    """Answer one line after the other, until there are no more."""
    from innkeeper.kernel.json import dumps_bytes
    from innkeeper.web.mcp_messages import INVALID_REQUEST, Refused, answer, failure, read

    while line := asked.readline(_MOST_BYTES + 1):
        if not line.strip():
            continue
        try:
            if len(line) > _MOST_BYTES:
                _skip(asked, line)
                raise Refused(INVALID_REQUEST, f"a message has at most {_MOST_BYTES:,} bytes")
            one = read(line)
        except Refused as refused:
            message = failure(refused, None)
        else:
            if one.id is None:
                continue
            message = answer(tools, one, who())
        told.write(dumps_bytes(message) + b"\n")
        told.flush()


def _skip(asked: BinaryIO, line: bytes) -> None:
    """The rest of a line that is too long."""
    while line and not line.endswith(b"\n"):
        line = asked.readline(_MOST_BYTES)
