"""`innkeeper apply [DIR] [--yes]`: makes a strategy folder the workspace's own."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from innkeeper.cli.main import Call
from innkeeper.cli.strategy_files import allow_unknown_option, directory_argument

if TYPE_CHECKING:
    from innkeeper.strategy.inventory import Changes


@click.command()
@directory_argument
@click.option("--yes", is_flag=True, help="Ask nothing.")
@allow_unknown_option
@click.pass_obj
def command(call: Call, directory: Path, yes: bool, allow_unknown: bool) -> None:
    """Make the strategy folder the workspace's own.

    Checks it, shows what changes and asks; --yes asks nothing. Makes the workspace when it is missing.
    """
    from innkeeper.cli.served import publish
    from innkeeper.cli.strategy_files import files_in_force, number_in_force, valid_files
    from innkeeper.kernel.errors import Problem
    from innkeeper.kernel.time import SystemClock
    from innkeeper.runtime import definitions
    from innkeeper.runtime.audit import by_command
    from innkeeper.runtime.writing import writing
    from innkeeper.strategy.inventory import compare

    files = valid_files(call, directory, allow_unknown=allow_unknown)
    number = number_in_force(call.home)
    changes = compare(files_in_force(call.home), files)
    if changes and not yes:
        _ask(changes, directory)
    told = publish(call.home, files, number, allow_unknown=allow_unknown)
    if told is None:
        with by_command(call.home, "apply", "strategy", str(directory)), writing(call.home, create=True) as (_, state):
            now_in_force = definitions.applied_files(state)
            if not yes and compare(now_in_force, files) != changes:
                _refuse("another strategy was applied meanwhile; nothing was applied", "changed-meanwhile", directory)
            changes = compare(now_in_force, files)
            told = changes.as_dict() | definitions.put_in_force(call.home, state, files, SystemClock().now())
    for warning in told.get("warnings", ()):
        click.echo(f"warning: {Problem(**warning)}", err=True)
    call.answer(told, lambda: _tell(changes, call.home, shown=not yes))


def _ask(changes: Changes, directory: Path) -> None:
    from contextlib import redirect_stdout

    from innkeeper.cli.strategy_files import show
    from innkeeper.kernel.errors import UsageError

    if not sys.stdin.isatty():
        raise UsageError(
            "apply asks before it changes anything, and there is no terminal to ask on; nothing was applied",
            code="not-a-terminal",
            fix=f"innkeeper apply {directory} --yes",
        )
    with redirect_stdout(sys.stderr):
        show(changes)
    if not click.confirm("apply this?", err=True):
        _refuse("nothing was applied", "declined", directory)


def _refuse(message: str, code: str, directory: Path) -> None:
    from innkeeper.kernel.errors import OperationFailed

    raise OperationFailed(message, code=code, fix=f"look again: innkeeper plan {directory}")


def _tell(changes: Changes, home: Path, *, shown: bool) -> None:
    from innkeeper.cli.strategy_files import show

    if not shown or not changes:
        show(changes)
    if changes:
        click.echo(f"applied to {home}")
