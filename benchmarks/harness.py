"""What every bench needs: the machine, a clock, peak memory, workspaces to throw away, and the table for the README.

A bench is a module `bench_*.py` with `run(scale: Scale) -> Table`. Ratios are taken within one run, so that they mean
the same on another machine. Next in the flow: `__main__.py` runs them all.
"""

from __future__ import annotations

import os
import platform
import resource
import shutil
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """How large the inputs are: 1.0 is what the README shows; smaller is for trying a bench out."""

    factor: float = 1.0

    def of(self, full: int, *, least: int = 1) -> int:
        """*full* at this scale, not below *least*."""
        return max(least, round(full * self.factor))


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One figure of the table.

    Attributes:
        what: What was measured, with the size of its input.
        measured: The figure of Innkeeper, with its unit.
        bare: The figure of the bare thing in the same run; empty where there is none.
        ratio: Measured against bare; empty where there is none.
        target: What was asked for.
        met: Whether it was met; None where the scale is too small to tell.
    """

    what: str
    measured: str
    bare: str = ""
    ratio: str = ""
    target: str = ""
    met: bool | None = None


@dataclass(slots=True, kw_only=True)
class Table:
    """What one bench found: rows, and sentences about what dominates."""

    title: str
    rows: list[Row] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    peak_mib: int = 0

    def markdown(self) -> str:
        """The section of the README."""
        lines = [
            f"**{self.title}** (peak memory {self.peak_mib:,} MiB)",
            "",
            "| what | measured | bare | ratio | target | met |",
            "|---|---|---|---|---|---|",
        ]
        verdict = {True: "yes", False: "**no**", None: "–"}
        for row in self.rows:
            cells = (row.what, row.measured, row.bare, row.ratio, row.target, verdict[row.met])
            lines.append("| " + " | ".join(cells) + " |")
        return "\n".join([*lines, *(f"\n{note}" for note in self.notes)]) + "\n"


def machine() -> str:
    """One line that says what the figures were measured on."""
    import duckdb

    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return (
        f"{_processor()}, {cores} cores, {memory:.0f} GiB memory, {platform.system()} {platform.release()}, "
        f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}, DuckDB {duckdb.__version__}"
    )


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def peak_mib() -> int:
    """The most memory this process has held so far, in MiB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (2**20 if sys.platform == "darwin" else 2**10))


def seconds(action: Callable[[], object], *, best_of: int = 1) -> float:
    """The shortest time that *action* took in so many tries."""
    taken = []
    for _ in range(best_of):
        begin = time.perf_counter()
        action()
        taken.append(time.perf_counter() - begin)
    return min(taken)


def ratio(measured: float, bare: float) -> str:
    """*measured* in parts of *bare*, as the table shows it."""
    return f"{measured / bare:.2f}"


def progress(text: str) -> None:
    """Tell who waits what is being done; on standard error, so that the table stays clean."""
    print(text, file=sys.stderr, flush=True)


@contextmanager
def scratch(name: str) -> Iterator[Path]:
    """A folder on the disk that the temporary folder is on, gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix=f"innkeeper-bench-{name}-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)
