"""Moves outputs and receipts from the outbox into the log. A repeat is a duplicate, so a crash is harmless."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from innkeeper.events.types import ENGINE_SOURCE, LogRow
from innkeeper.kernel.failpoints import failpoint
from innkeeper.store.log import Log
from innkeeper.store.state import OutboxRow, State

#: How many rows the outbox may hold before a run empties it.
FULL = 20_000
_PAGE = 5_000


def to_log_row(row: OutboxRow) -> LogRow:
    """The log's row of an output: it happened when its input was taken."""
    return LogRow(
        ENGINE_SOURCE, row.message_id, "track", row.name, row.user_id, row.anonymous_id, row.taken_at, row.taken_at,
        row.properties, row.traits,
    )  # fmt: skip


def drain(state: State, log: Log) -> int:
    """Append the outbox to the log, in order, and empty it; how many rows moved."""
    moved = 0
    while page := state.outbox(_PAGE):
        log.append([to_log_row(row) for row in page])
        failpoint("outlet.appended")
        with state.transaction():
            state.trim_outbox(page[-1])
        failpoint("outlet.trimmed")
        moved += len(page)
    return moved


def forward(home: Path, state: State, log: Log) -> int:
    """The door's half of `drain`, in `up`: append, and leave a mark for the engine; how many rows were appended."""
    page = state.outbox(_PAGE)
    mark = read_mark(home)
    if mark is not None:
        page = [row for row in page if _place(row) > _place(mark)]
    if not page:
        return 0
    log.append([to_log_row(row) for row in page])
    failpoint("outlet.appended")
    temporary = home / "outlet.mark.new"
    temporary.write_bytes(msgspec.json.encode(page[-1]))
    os.replace(temporary, home / "outlet.mark")
    return len(page)


def read_mark(home: Path) -> OutboxRow | None:
    """The last row that the door has put into the log; None when there is no readable mark (rows are sent again)."""
    try:
        return msgspec.json.decode((home / "outlet.mark").read_bytes(), type=OutboxRow)
    except (FileNotFoundError, msgspec.DecodeError):
        return None


def _place(row: OutboxRow) -> tuple[int, str, int, int]:
    return row.taken_at, row.subject, row.input, row.idx
