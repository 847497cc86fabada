"""Reads the tasks of a workspace; they are written by `projections.py`, and who has them is in `work.py`."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import Any

from innkeeper.kernel.ids import display_id
from innkeeper.kernel.json import loads
from innkeeper.kernel.time import format_instant


def listing(
    connection: sqlite3.Connection, queue: str | None = None, *, subject: str | None = None, id: str | None = None
) -> Iterator[dict[str, Any]]:
    """The tasks, oldest first: of a queue, of a customer, the one with an id, or all."""
    rows = connection.execute(
        "SELECT id, subject, queue, title, body, journey, key, state, created_at, context FROM tasks"
        " WHERE (?1 IS NULL OR queue = ?1) AND (?2 IS NULL OR subject = ?2) AND (?3 IS NULL OR id = ?3)"
        " ORDER BY created_at, id",
        (queue, subject, id),
    )
    for task, subject, name, title, body, journey, key, state, created_at, context in rows:
        yield {
            "id": task, "user_id": display_id(subject), "queue": name, "title": title, "body": body,
            "journey": journey, "key": key, "state": state, "created_at": format_instant(created_at),
            "context": loads(context),
        }  # fmt: skip
