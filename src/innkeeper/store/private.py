"""The small databases beside `log.db` and `state.db`, for their owner's eyes alone: sources, subscriptions, access."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from innkeeper.store import files, sqlite


def open_private(path: Path, store: str) -> sqlite3.Connection:
    """A connection to one of them, which is made, with its folder, where there is none yet.

    Args:
        path: The file.
        store: How its migrations are called (`store/sql`).

    Raises:
        OperationFailed: The store is damaged, newer, or not ours to use.
    """
    files.make_folder(path.parent)
    files.make_private(path)
    database = sqlite.connect(path)
    try:
        sqlite.migrate(database, store, path)
    except BaseException:
        database.close()
        raise
    return database
