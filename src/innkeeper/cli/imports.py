"""`innkeeper import FILE`: events from a file into the log. The work is `runtime/imports.py`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from innkeeper.cli.main import Call
    from innkeeper.runtime.import_intake import Progress
    from innkeeper.runtime.imports import Imported


@click.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--mapping",
    type=click.Path(path_type=Path),
    default=None,
    help="How the columns of a CSV or Parquet file become events (YAML).",
)
@click.option("--source", default="import", show_default=True, help="The name of the source of these events.")
@click.pass_obj
def command(call: Call, file: Path, mapping: Path | None, source: str) -> None:
    """Import events from JSONL, CSV or Parquet.

    JSONL holds one Segment-style event a line and needs no mapping. What is refused goes to a rejects file with its
    line number and reason; the rest is taken. Importing a file again finds duplicates only. A workspace that is served
    takes the file beside live events; Ctrl-C ends it, and what was taken stays.
    """
    from innkeeper.cli.imports_served import import_beside
    from innkeeper.runtime.audit import by_command
    from innkeeper.runtime.imports import Order, import_file

    order = Order(file=file, mapping=mapping, source=source)
    with _bar(file) as progress:
        done = import_beside(call.home, order, progress)
        if done is None:
            with by_command(call.home, "import", "file", file.name):
                done = import_file(call.home, order, progress=progress)
    result = {
        "read": done.read,
        "events": done.events,
        "accepted": done.accepted,
        "duplicates": done.duplicates,
        "rejected": done.rejected,
        "rejects_file": str(done.rejects_file) if done.rejects_file is not None else None,
        "seconds": done.seconds,
        "skipped": done.skipped,
    }
    call.answer(result, lambda: _tell(done))


def _tell(done: Imported) -> None:
    click.echo(
        f"{_lines(done.read)} read, {done.events:,} events: {done.accepted:,} new, {done.duplicates:,} known before "
        f"({done.seconds:.1f} s)"
    )
    if done.skipped:
        click.echo(f"{_lines(done.skipped)} left out by the mapping's 'where'")
    if done.rejected:
        click.echo(f"{_lines(done.rejected)} refused; which and why: {done.rejects_file}")


def _lines(number: int) -> str:
    return "1 line" if number == 1 else f"{number:,} lines"


@contextmanager
def _bar(file: Path) -> Iterator[Progress]:
    """A progress bar on standard error, if that is a terminal."""
    if not sys.stderr.isatty():
        yield lambda done, total: None
        return
    from rich import progress as bars
    from rich.console import Console

    columns = (
        bars.TextColumn("{task.description}"),
        bars.BarColumn(),
        bars.TaskProgressColumn(),
        bars.TimeRemainingColumn(),
    )
    with bars.Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(f"importing {file.name}", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
