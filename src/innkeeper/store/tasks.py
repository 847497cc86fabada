"""Reads the tasks of a workspace; they are written by `projections.py`."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import Any

from innkeeper.kernel.ids import display_id
from innkeeper.kernel.json import loads
from innkeeper.kernel.time import format_instant


def listing(connection: sqlite3.Connection, queue: str | None = None) -> Iterator[dict[str, Any]]:
    """The tasks, oldest first, as `task list` prints them."""
    sql = "SELECT id, subject, queue, title, body, journey, key, state, created_at, context FROM tasks"
    where = "" if queue is None else " WHERE queue = ?"
    rows = connection.execute(sql + where + " ORDER BY created_at, id", [] if queue is None else [queue])
    for task, subject, name, title, body, journey, key, state, created_at, context in rows:
        yield {
            "id": task, "user_id": display_id(subject), "queue": name, "title": title, "body": body,
            "journey": journey, "key": key, "state": state, "created_at": format_instant(created_at),
            "context": loads(context),
        }  # fmt: skip
