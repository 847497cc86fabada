"""`innkeeper check [DIR]`: every problem of a strategy folder at once."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from innkeeper.cli.main import Call
from innkeeper.cli.strategy_files import allow_unknown_option, directory_argument


@click.command()
@directory_argument
@allow_unknown_option
@click.pass_obj
def command(call: Call, directory: Path, allow_unknown: bool) -> None:
    """Validate a strategy folder; every error at once, with file, line, column and fix.

    Names of events, properties and traits must be declared in strategy.yaml or stand in the log of --home.
    """
    from innkeeper.cli.strategy_files import read_and_examine
    from innkeeper.kernel.errors import Invalid

    try:
        _, examination = read_and_examine(call, directory, allow_unknown=allow_unknown)
        errors, warnings = examination.errors, examination.warnings
    except Invalid as invalid:  # files that are no texts
        errors, warnings = invalid.problems, ()

    def tell() -> None:
        for problem in warnings:
            click.echo(f"warning: {problem}", err=True)
        for problem in errors:
            click.echo(str(problem), err=True)
        if errors:
            click.echo(f"{len(errors)} {'error' if len(errors) == 1 else 'errors'}", err=True)
        else:
            click.echo(f"{directory} is valid")

    call.answer(
        {
            "errors": [problem.as_dict() for problem in errors],
            "warnings": [problem.as_dict() for problem in warnings],
        },
        tell,
    )
    if errors:
        sys.exit(2)
