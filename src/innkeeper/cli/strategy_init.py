"""`innkeeper init DIR [--example NAME]`: writes a strategy folder that passes `check`."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import click

from innkeeper.cli.main import Call


@click.command()
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--example", metavar="NAME", help="Copy an example instead of the small starter.")
@click.pass_obj
def command(call: Call, directory: Path, example: str | None) -> None:
    """Write a small strategy folder that passes check.

    DIR must be empty or missing; nothing is overwritten.
    """
    from innkeeper.strategy.starting import example_files, starter_files

    files = starter_files() if example is None else example_files(example)
    write_new(directory, files)

    def tell() -> None:
        for place, number in sorted(Counter(Path(path).parts[0] for path in files).items()):
            click.echo(directory / place if place in files else f"{directory / place}/  {_files(number)}")
        click.echo(f"\nnext: innkeeper check {directory}\n      innkeeper apply {directory}")

    call.answer({"files": sorted(files)}, tell)


def _files(number: int) -> str:
    return "1 file" if number == 1 else f"{number} files"


def write_new(directory: Path, files: dict[str, bytes]) -> None:
    """Write files into a folder that is empty or missing.

    Raises:
        UsageError: Something is there already.
        OperationFailed: The folder cannot be written.
    """
    from innkeeper.kernel.errors import OperationFailed, UsageError

    fix = "name an empty or a new folder"
    try:
        if directory.exists() and not directory.is_dir():
            raise UsageError(f"{directory} is a file", code="not-a-folder", fix=fix)
        if directory.is_dir() and any(directory.iterdir()):
            raise UsageError(f"{directory} is not empty; nothing was written", code="folder-not-empty", fix=fix)
        for path, content in files.items():
            target = directory / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
    except OSError as error:
        raise OperationFailed(
            f"{directory} cannot be written: {error.strerror}",
            code="unwritable",
            fix="choose a folder that you may write",
        ) from error
