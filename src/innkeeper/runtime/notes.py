"""What the staff write down about a customer: an event of the source `cli`, like any other signal.

The engine takes it with the next `run` or `up`. What becomes of it: `profiles/memories.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from innkeeper.events.types import LogRow
from innkeeper.kernel.errors import UsageError
from innkeeper.kernel.ids import ANONYMOUS, USER, digest
from innkeeper.kernel.json import dumps
from innkeeper.kernel.time import Clock, Instant
from innkeeper.runtime.lookup import subject_of
from innkeeper.runtime.writing import writing

SOURCE = "cli"


def write_note(
    home: Path, id: str, text: str, *, by: str | None, memories: Mapping[str, str], at: Instant | None, clock: Clock
) -> dict[str, Any]:
    """Write a note and memories into the log; one event each.

    Args:
        home: The workspace's folder.
        id: Of the customer, who must be known.
        text: The note; with memories their remark.
        by: Who writes it.
        memories: What is remembered, by what it is about; said by the customer.
        at: When it was heard; None: now, and never before the workspace's clock.
        clock: The time of day.

    Raises:
        UsageError: Nobody of that id is known.
        OperationFailed: Another process holds the home.
    """
    with writing(home, readonly_state=True) as (log, state):
        subject = subject_of(state, id)
        if not state.bodies([subject]):
            raise UsageError(f"nobody is known as '{id}'", code="unknown-profile", fix="see: innkeeper events list")
        now = max(clock.now(), state.clock() or 0) if at is None else at
        said = {name: value for name, value in (("note", text), ("by", by)) if value}
        parts: list[tuple[str, dict[str, Any]]] = [
            ("Memory Noted", {"about": about, "value": value, "explicit": True, **said})
            for about, value in memories.items()
        ] or [("Staff Note Added", said)]
        rows = [_row(subject, name, properties, now) for name, properties in parts]
        log.append(rows)
    return {"events": [{"event": row.name, "messageId": row.message_id} for row in rows]}


def _row(subject: str, name: str, properties: dict[str, Any], at: Instant) -> LogRow:
    body = dumps(properties)
    return LogRow(
        source=SOURCE, message_id=digest(subject, name, body, at), type="track", name=name,
        user_id=subject[len(USER) :] if subject.startswith(USER) else None,
        anonymous_id=subject[len(ANONYMOUS) :] if subject.startswith(ANONYMOUS) else None,
        timestamp=at, received_at=at, properties=body,
    )  # fmt: skip
