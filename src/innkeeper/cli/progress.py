"""Progress on standard error, on a terminal only."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

from innkeeper.kernel.time import Instant, format_instant

if TYPE_CHECKING:
    from innkeeper.runtime.work import Counts


@contextmanager
def instants(goal: Instant | None, stream: TextIO) -> Iterator[Callable[[Instant, Counts], None] | None]:
    """A bar over time for `run`; None where nobody watches."""
    if not stream.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(file=stream), transient=True) as bar:
        task = bar.add_task("starting", total=None)
        begin: list[Instant] = []

        def show(clock: Instant, counts: Counts) -> None:
            begin[:] = begin or [clock]
            total = None if goal is None or goal <= begin[0] else goal - begin[0]
            words = f"{format_instant(clock)[:10]}  {counts.events:,} events  {counts.planned:,} planned"
            bar.update(task, description=words, total=total, completed=clock - begin[0])

        yield show
