"""What the commands about a strategy folder share: reading it, checking it against the log, showing what changes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from innkeeper.cli.main import Call
    from innkeeper.kernel.errors import Problem
    from innkeeper.strategy.inventory import Changes
    from innkeeper.strategy.load import Examination


def read_and_examine(call: Call, directory: Path, *, allow_unknown: bool) -> tuple[dict[str, str], Examination]:
    """The folder's files, and what they say; problems name files as the user would type them."""
    from innkeeper.runtime.catalog import sensitive_warnings
    from innkeeper.runtime.known import known_names
    from innkeeper.runtime.webhook_files import changed_mappings
    from innkeeper.strategy.folder import read_folder
    from innkeeper.strategy.load import examine

    files = read_folder(directory)
    known = known_names(call.home)
    examination = examine(files, known=known, allow_unknown=allow_unknown)
    looks_sensitive = sensitive_warnings(call.home, examination.definitions.workspace)
    return files, replace(
        examination,
        errors=tuple(_typed(problem, directory) for problem in examination.errors),
        warnings=(
            *(_typed(problem, directory) for problem in examination.warnings),
            *looks_sensitive,
            *changed_mappings(call.home, directory),
        ),
    )


def valid_files(call: Call, directory: Path, *, allow_unknown: bool) -> dict[str, str]:
    """The files of a folder without errors; warnings go to standard error.

    Raises:
        Invalid: With all errors.
    """
    from innkeeper.kernel.errors import Invalid

    files, examination = read_and_examine(call, directory, allow_unknown=allow_unknown)
    for warning in examination.warnings:
        click.echo(f"warning: {warning}", err=True)
    if examination.errors:
        raise Invalid(examination.errors)
    return files


def files_in_force(home: Path) -> dict[str, str]:
    """The texts of the applied strategy; empty where there is no workspace yet."""
    from innkeeper.runtime.definitions import applied_files
    from innkeeper.store.state import State

    if not (home / "state.db").exists():
        return {}
    with State.open(home, readonly=True) as state:
        return applied_files(state)


def number_in_force(home: Path) -> int:
    """The number of the applied strategy; 0: there is none."""
    from innkeeper.runtime.definitions import number
    from innkeeper.store.state import State

    if not State.exists(home):
        return 0
    with State.open(home, readonly=True) as state:
        return number(state)


def _typed(problem: Problem, directory: Path) -> Problem:
    return replace(problem, file=str(directory / problem.file)) if problem.file else problem


def show(changes: Changes) -> None:
    """Print what is added (+), changed (~) and removed (-), each with its lines."""
    signs = {"+": changes.added, "~": changes.changed, "-": changes.removed}
    for sign, names in signs.items():
        for name in names:
            click.secho(f"{sign} {name}", bold=True)
            if sign == "~":
                for line in changes.diffs[name]:
                    click.echo(f"    {line}")
    if not changes:
        click.echo("nothing changes")
    else:
        counts = ", ".join(
            f"{len(names)} {word}" for names, word in zip(signs.values(), ("added", "changed", "removed"), strict=True)
        )
        click.echo(counts)


allow_unknown_option = click.option(
    "--allow-unknown", is_flag=True, help="Names of events, properties and traits that nobody has seen are warnings."
)
directory_argument = click.argument(
    "directory", metavar="[DIR]", type=click.Path(path_type=Path), default=Path(), required=False
)
