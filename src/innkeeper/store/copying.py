"""Copies what is state from one `state.db` into another: the beginning of a replay.

Not its ledger, inputs or outputs.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection
from pathlib import Path
from typing import Final

from innkeeper.store import sqlite
from innkeeper.store.state import State

#: What a replay makes itself, or reads from the workspace.
_LEFT_OUT: Final = frozenset(
    {
        "deliveries", "decisions", "tasks", "enrollments", "outbox", "taken", "definitions", "consents", "suppressions",
        "parked", "retired_deliveries", "retentions", "meta", "optins", "reserved", "household_words", "deaths",
        "bereavement_answers", "bereavement_questions", "proposals", "merges", "replanned",
    }
)  # fmt: skip


def copy_states(source: Path, target: State, subjects: Collection[str] | None = None) -> None:
    """Copy everything that is state, from one `state.db` into an empty one; of profiles only *subjects*, if given."""
    connection = target.connection
    with sqlite.translated(source):
        connection.execute("ATTACH DATABASE ? AS other", (str(source.absolute()),))
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
