"""Moves outputs and receipts from the outbox into the log. A repeat is a duplicate, so a crash is harmless."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from innkeeper.events.types import ENGINE_SOURCE, LogRow
from innkeeper.kernel.failpoints import failpoint
from innkeeper.store.log import Log
from innkeeper.store.state import OutboxPlace, OutboxRow, State

#: How many rows the outbox may hold before a run empties it.
FULL = 20_000
_PAGE = 5_000
_MARK = "outlet.mark"


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
    """The door's half of `drain`, in `up`: append, and mark what was appended; how many rows that were.

    The mark names every row. A last place would not do: a later tick of the same instant may put rows before it.
    """
    page = state.outbox(_PAGE)
    marked = set(read_mark(home))
    fresh = [row for row in page if _place(row) not in marked]
    if not fresh:
        return 0
    log.append([to_log_row(row) for row in fresh])
    failpoint("outlet.appended")
    temporary = home / "outlet.mark.new"
    temporary.write_bytes(msgspec.json.encode([_place(row) for row in page]))
    os.replace(temporary, home / _MARK)
    return len(fresh)


class Trimmer:
    """The engine's half: drops from the outbox what the door has marked, once per mark."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._seen: tuple[int, int] | None = None

    def trim(self, state: State) -> None:
        """Drop what a new mark names."""
        try:
            found = (self._home / _MARK).stat()
        except FileNotFoundError:
            return
        stamp = (found.st_ino, found.st_mtime_ns)
        if stamp != self._seen:
            with state.transaction():
                state.drop_outbox(read_mark(self._home))
            self._seen = stamp


def read_mark(home: Path) -> list[OutboxPlace]:
    """The rows that the door has put into the log; none when there is no readable mark (rows are sent again)."""
    try:
        return msgspec.json.decode((home / _MARK).read_bytes(), type=list[OutboxPlace])
    except (FileNotFoundError, msgspec.DecodeError):
        return []


def _place(row: OutboxRow) -> OutboxPlace:
    return row.taken_at, row.subject, row.input, row.idx
