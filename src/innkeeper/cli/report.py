"""`innkeeper report overview FILE.html`."""

from __future__ import annotations

from pathlib import Path

import click

from innkeeper.cli.main import Call


@click.group()
def command() -> None:
    """Reports on a workspace, each as one HTML page that fetches nothing."""


@command.command()
@click.argument("file", metavar="FILE.html", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--profile", metavar="ID", help="Whose story is told; default: whoever had the most eventful one.")
@click.pass_obj
def overview(call: Call, file: Path, profile: str | None) -> None:
    """Stages, journeys, refusals, days, the ledger and one profile's story."""
    from innkeeper.kernel.time import format_instant
    from innkeeper.measurement.overview_page import render
    from innkeeper.runtime.overview import gather

    gathered = gather(call.existing_home(), profile=profile)
    write_page(file, render(gathered))
    result = {"file": str(file), "until": format_instant(gathered.until), "difference": gathered.balance.difference}
    call.answer(result, lambda: click.echo(f"written: {file}"))


def write_page(file: Path, page: str) -> None:
    """Write a page whole, or leave what was there.

    Raises:
        OperationFailed: The folder is missing or cannot be written.
    """
    from innkeeper.kernel.errors import OperationFailed

    draft = file.with_name(f".{file.name}.draft")
    try:
        draft.write_text(page, encoding="utf-8")
        draft.replace(file)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise OperationFailed(
            f"{file} cannot be written: {error.strerror}", code="unwritable", fix="choose a folder that you may write"
        ) from error
