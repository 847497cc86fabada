"""The demo: makes a year of guests, imports it, applies the hotel's strategy and runs to the end, in a home of its own.

A home that is not a demo is never touched; a demo's home is made anew each time. Next in the flow: `overview.py`
gathers what happened, `cli/demo.py` tells it.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from innkeeper.kernel.errors import OperationFailed, UsageError
from innkeeper.kernel.json import dumps
from innkeeper.kernel.time import DAY, FixedClock, Instant, SystemClock, format_instant
from innkeeper.measurement.overview import Overview
from innkeeper.measurement.overview_page import render
from innkeeper.runtime import definitions
from innkeeper.runtime.harbour_house import write_jsonl
from innkeeper.runtime.imports import Imported, Order, import_file
from innkeeper.runtime.lock import hold
from innkeeper.runtime.overview import gather
from innkeeper.runtime.run import Report, run
from innkeeper.runtime.work import Counts
from innkeeper.store.state import State
from innkeeper.strategy.folder import read_folder
from innkeeper.strategy.starting import example_files

#: Says that a home is a demo's, and which one.
MARK = "demo.json"
STRATEGY = "harbour-house"


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """A demo that has been played."""

    home: Path
    events_file: Path
    mail: Path
    page: Path
    imported: Imported
    report: Report
    overview: Overview


@dataclass(frozen=True, slots=True, kw_only=True)
class Watcher:
    """Who is told how far the demo has come: of the import (done, of so much), of the run (the instant reached)."""

    importing: Callable[[int, int], None]
    running: Callable[[Instant, Counts], None] | None


def today() -> Instant:
    """The last midnight, UTC."""
    now = SystemClock().now()
    return now - now % DAY


def prepare(home: Path) -> None:
    """Make *home* an empty demo home.

    Raises:
        UsageError: Something is there that no demo has made.
        OperationFailed: Another process holds it.
    """
    if home.exists():
        mark = home / MARK
        if not home.is_dir() or (any(home.iterdir()) and not mark.is_file()):
            raise UsageError(
                f"{home} is not a demo's home; nothing in it was touched",
                code="not-a-demo",
                fix="name an empty or a new folder: innkeeper --home DIR demo",
            )
    with hold(home):
        try:
            for entry in home.iterdir():
                if entry.name in (MARK, "lock"):
                    continue
                if entry.is_dir() and not entry.is_symlink():
                    shutil.rmtree(entry)
                else:
                    entry.unlink()
        except OSError as error:
            raise OperationFailed(
                f"{home} cannot be emptied: {error}", code="home-unusable", fix="remove the folder by hand"
            ) from error


def play(home: Path, *, seed: int, guests: int, end: Instant, watcher: Watcher) -> Played:
    """Play the year that ends at *end* in a prepared home, and write the page.

    Raises:
        UsageError: The number of guests is impossible.
        OperationFailed: The store or the disk fails.
    """
    (home / MARK).write_text(dumps({"seed": seed, "guests": guests, "end": format_instant(end)}) + "\n", "utf-8")
    events_file = home / "guests.jsonl"
    write_jsonl(events_file, seed, guests, end)
    imported = import_file(home, Order(file=events_file), progress=watcher.importing, clock=FixedClock(end))
    files = _strategy(home / "strategy")
    with hold(home), State.open(home, create=True) as state:
        definitions.apply(state, files, end)
    report = run(home, until=end, deliver="file", progress=watcher.running)
    overview = gather(home)
    page = home / "overview.html"
    page.write_text(render(overview), encoding="utf-8")
    return Played(
        home=home,
        events_file=events_file,
        mail=home / "mail",
        page=page,
        imported=imported,
        report=report,
        overview=overview,
    )


def _strategy(folder: Path) -> dict[str, str]:
    """The hotel's strategy, written to a folder where it can be looked at and changed; its files.

    They are not checked again here: a test does it for what is packaged.
    """
    for path, content in example_files(STRATEGY).items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    return read_folder(folder)
