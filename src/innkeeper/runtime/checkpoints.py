"""When a checkpoint is made: before retention lets inputs go, and after a revision where some went already.

What one holds is `checkpoint.py`.
"""

from __future__ import annotations

from pathlib import Path

from innkeeper.kernel.time import Instant
from innkeeper.runtime import checkpoint as checks
from innkeeper.runtime.outlet import drain
from innkeeper.store.log import Log
from innkeeper.store.state import State


def make_checkpoint(home: Path, state: State, log: Log, clock: Instant) -> None:
    """Make one of the state as it is; every output is in the log."""
    checks.make(
        home,
        state,
        checks.Checkpoint(
            position=state.last_position(), seq=log.last_seq(), clock=clock,
            definitions=int(state.meta("adopted") or "0"),
        ),
    )  # fmt: skip


def renew(home: Path, state: State, log: Log) -> None:
    """Make one if the newest is older than the last revision, which cannot be done again from there."""
    known, cursor = checks.checkpoints(home), state.cursor()
    if known and cursor is not None and known[-1].position < state.last_revision():
        drain(state, log)
        make_checkpoint(home, state, log, cursor.clock)
