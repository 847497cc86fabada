"""What the log holds, as people read it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from innkeeper.kernel.json import loads
from innkeeper.kernel.time import format_instant
from innkeeper.store.bulk import Bulk


def newest(
    home: Path, last: int, source: str | None, name: str | None, *, before: int | None = None
) -> list[dict[str, Any]]:
    """The newest events of the log, or of those before a seq, newest last, as `events list --json` prints them."""

    with Bulk.open(home) as bulk:
        rows = bulk.rows(
            "SELECT seq, source, message_id, type, name, user_id, anonymous_id, ts, received_at, properties, traits, "
            "context, extra FROM every_event WHERE seq IS NOT NULL AND ($source IS NULL OR source = $source) "
            "AND ($name IS NULL OR name = $name) AND ($before IS NULL OR seq < $before) ORDER BY seq DESC LIMIT $last",
            {"source": source, "name": name, "last": last, "before": before},
        )
        counted = bulk.rows(
            "SELECT seq FROM events WHERE seq IN (SELECT unnest($seqs))", {"seqs": [r[0] for r in rows]}
        )
    standing = {seq for (seq,) in counted}
    return [
        {
            "seq": row[0], "source": row[1], "messageId": row[2], "type": row[3], "event": row[4], "userId": row[5],
            "anonymousId": row[6], "timestamp": format_instant(row[7]), "receivedAt": format_instant(row[8]),
            "properties": loads(row[9]), "traits": loads(row[10]), "context": loads(row[11]), "extra": loads(row[12]),
            "retracted": row[0] not in standing,
        }
        for row in reversed(rows)
    ]  # fmt: skip
