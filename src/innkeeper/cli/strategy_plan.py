"""`innkeeper plan [DIR]`: what applying a strategy folder would change."""

from __future__ import annotations

from pathlib import Path

import click

from innkeeper.cli.main import Call
from innkeeper.cli.strategy_files import allow_unknown_option, directory_argument


@click.command()
@directory_argument
@allow_unknown_option
@click.pass_obj
def command(call: Call, directory: Path, allow_unknown: bool) -> None:
    """Show what applying the strategy folder would change; changes nothing."""
    from innkeeper.cli.strategy_files import files_in_force, show, valid_files
    from innkeeper.strategy.inventory import compare

    files = valid_files(call, directory, allow_unknown=allow_unknown)
    changes = compare(files_in_force(call.home), files)
    call.answer({**changes.as_dict(), "diffs": changes.diffs}, lambda: show(changes))
