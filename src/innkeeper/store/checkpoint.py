"""Checkpoints: the state of everybody as of an instant, from which a replay begins once older inputs are gone.

`HOME/checkpoints/POSITION/state.db` holds the states, not the ledger or the outputs. Retention makes one before it lets
inputs go, and drops those behind which something goes. Who begins from one: `runtime/replay.py`, `runtime/past.py`.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Collection
from pathlib import Path
from typing import Final

import msgspec

from innkeeper.kernel.failpoints import failpoint
from innkeeper.kernel.time import Instant
from innkeeper.store import files, sqlite
from innkeeper.store.state import State

FOLDER: Final = "checkpoints"
_KEY: Final = "checkpoint"
#: What a replay makes itself, or reads from the workspace.
_LEFT_OUT: Final = frozenset(
    {
        "deliveries", "decisions", "tasks", "enrollments", "outbox", "taken", "definitions", "consents", "suppressions",
        "parked", "retired_deliveries", "retentions", "meta", "optins", "reserved", "household_words", "deaths",
        "bereavement_answers", "bereavement_questions", "proposals", "replanned",
    }
)  # fmt: skip


class Checkpoint(msgspec.Struct, frozen=True, kw_only=True):
    """Where a checkpoint stands.

    Attributes:
        position: The last input in it, in the recorded order.
        seq: The newest row of the log then; outputs behind it were made later.
        clock: The workspace's clock then.
        definitions: The number of the strategy in force.
    """

    position: int
    seq: int
    clock: Instant
    definitions: int


def folder_of(home: Path, checkpoint: Checkpoint) -> Path:
    """Where a checkpoint lies."""
    return home / FOLDER / str(checkpoint.position)


def checkpoints(home: Path) -> list[Checkpoint]:
    """All finished checkpoints, oldest first."""
    found: list[Checkpoint] = []
    for path in (home / FOLDER).glob("*/state.db"):
        if not path.parent.name.isdigit():
            continue
        with State.open(path.parent, readonly=True) as state:
            text = state.meta(_KEY)
        if text is not None:
            found.append(msgspec.json.decode(text, type=Checkpoint))
    return sorted(found, key=lambda each: each.position)


def make(home: Path, state: State, checkpoint: Checkpoint) -> None:
    """Write a checkpoint of the state as it is; it has its name when it is whole and on disk."""
    folder = folder_of(home, checkpoint)
    temporary = folder.with_name(folder.name + files.TEMPORARY)
    shutil.rmtree(temporary, ignore_errors=True)
    files.make_folder(temporary)
    with State.open(temporary, create=True) as copy:
        copy_states(state.path, copy)
        copy.set_meta(_KEY, msgspec.json.encode(checkpoint).decode())
        sqlite.wipe(copy.connection, copy.path)
    shutil.rmtree(folder, ignore_errors=True)
    with files.translated(folder):
        os.replace(temporary, folder)
    files.sync_folder(folder.parent)
    failpoint("retain.checkpoint")


def drop(home: Path, checkpoint: Checkpoint) -> None:
    """Remove a checkpoint."""
    shutil.rmtree(folder_of(home, checkpoint), ignore_errors=True)


def sweep(home: Path) -> None:
    """Remove what a kill has left half made."""
    for path in (home / FOLDER).glob(f"*{files.TEMPORARY}"):
        shutil.rmtree(path, ignore_errors=True)


def copy_states(source: Path, target: State, subjects: Collection[str] | None = None) -> None:
    """Copy everything that is state, from one `state.db` into an empty one; of profiles only *subjects*, if given."""
    connection = target.connection
    with sqlite.translated(source):
        connection.execute("ATTACH DATABASE ? AS other", (f"{source.absolute().as_uri()}?mode=ro",))
        try:
            tables = [
                name
                for (name,) in connection.execute(
                    "SELECT name FROM other.sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
                    " AND name IN (SELECT name FROM main.sqlite_master)"
                ).fetchall()
                if name not in _LEFT_OUT
            ]
            with sqlite.transaction(connection, source):
                for table in tables:
                    _copy(connection, table, subjects)
        finally:
            connection.execute("DETACH DATABASE other")


def _copy(connection: sqlite3.Connection, table: str, subjects: Collection[str] | None) -> None:
    columns = ", ".join(name for _, name, *_ in connection.execute(f"PRAGMA other.table_info({table})").fetchall())
    sql = f"INSERT INTO main.{table} ({columns}) SELECT {columns} FROM other.{table}"  # noqa: S608 – names of ours
    if table == "subjects" and subjects is not None:
        connection.executemany(f"{sql} WHERE subject = ?", [(subject,) for subject in sorted(subjects)])
    else:
        connection.execute(sql)
