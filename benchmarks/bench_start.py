"""How long one waits before anything happens: the command line, and a workspace with a million profiles."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from benchmarks.harness import Row, Scale, Table, progress, scratch, seconds
from innkeeper.kernel.time import DAY, FOREVER
from innkeeper.store.log import Log
from innkeeper.store.state import Cursor, State, SubjectRow

_PROFILES = 1_000_000
_HELP_SECONDS = 0.25
_OPEN_SECONDS = 1.0
# What a command does before its own work: both stores, the cursor, and the first timers that are due.
_OPEN = (
    "import sys, time; begin = time.perf_counter()\n"
    "from pathlib import Path\n"
    "from innkeeper.store.log import Log\n"
    "from innkeeper.store.state import State\n"
    "home = Path(sys.argv[1])\n"
    "log, state = Log.open(home), State.open(home)\n"
    "assert state.cursor() is not None and state.due(2**62, 100) and log.last_seq() >= 0\n"
    "print(time.perf_counter() - begin)\n"
)


def run(scale: Scale) -> Table:
    """Measure `innkeeper --help`, and opening a workspace, each in new processes."""
    table = Table(title="Start")
    innkeeper = [sys.executable, "-m", "innkeeper"]
    shortest = seconds(lambda: subprocess.run([*innkeeper, "--help"], check=True, capture_output=True), best_of=5)
    table.rows.append(
        Row(
            what="`innkeeper --help`, a new process, best of 5",
            measured=f"{shortest:.3f} s",
            target=f"< {_HELP_SECONDS} s",
            met=shortest < _HELP_SECONDS,
        )
    )
    count = scale.of(_PROFILES, least=1_000)
    with scratch("start") as home:
        progress(f"  writing {count:,} profiles")
        _populate(home, count)
        size = (home / "state.db").stat().st_size / 2**20
        opened = min(_open(home) for _ in range(3))
    table.rows.append(
        Row(
            what=f"opening a workspace with {count:,} profiles (state.db {size:,.0f} MiB), a new process, best of 3",
            measured=f"{opened:.3f} s",
            target=f"< {_OPEN_SECONDS:.0f} s",
            met=opened < _OPEN_SECONDS if count == _PROFILES else None,
        )
    )
    return table


def _open(home: Path) -> float:
    done = subprocess.run([sys.executable, "-c", _OPEN, str(home)], check=True, capture_output=True, text=True)
    return float(done.stdout)


def _populate(home: Path, count: int) -> None:
    """Rows as large as those of real profiles; what is in them does not matter for opening."""
    body = bytes(range(256)) * 4
    Log.open(home).close()
    with State.open(home, create=True) as state:
        state.set_cursor(Cursor(clock=0, timestamp=0))
        for page in _pages(count, 10_000):
            with state.transaction():
                state.put_subjects(
                    [
                        SubjectRow(f"user_id:c{number:08d}", number * DAY if number % 2 else FOREVER, "retention", body)
                        for number in page
                    ]
                )


def _pages(count: int, size: int) -> Iterator[range]:
    for start in range(0, count, size):
        yield range(start, min(start + size, count))
