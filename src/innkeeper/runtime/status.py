"""How a workspace is: counts by stage, journey and step, the lag of each part, whether sending is armed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from innkeeper.kernel.ids import display_id
from innkeeper.kernel.time import SystemClock, format_instant
from innkeeper.runtime.subscriptions import listing
from innkeeper.store.identity import IdentityTables
from innkeeper.store.log import Log
from innkeeper.store.queries import journey_counts, reserved_counts, stage_counts
from innkeeper.store.retractions import count_left_out
from innkeeper.store.state import State


def look(home: Path) -> dict[str, Any]:
    """The JSON of `status`."""
    retractions, left_out = count_left_out(home)
    with Log.open(home, read_only=True) as log:
        events = log.count()
    with State.open(home, readonly=True) if State.exists(home) else State.in_memory() as state:
        clock = state.clock()
        parked = state.connection.execute("SELECT subject, error FROM parked ORDER BY subject").fetchall()
        waiting = state.connection.execute(
            "SELECT count(*) FROM deliveries WHERE state IN ('planned', 'claimed', 'committing')"
            " AND reason <> 'virtual'"
        ).fetchone()[0]
        return {
            "clock": None if clock is None else format_instant(clock),
            "profiles": state.count_subjects(),
            "events": events,
            "retracted": {"retractions": retractions, "events": left_out},
            "stages": stage_counts(state.connection),
            "journeys": journey_counts(state.connection),
            "lag": {
                "engine_seconds": None if clock is None else max(0, SystemClock().now() - clock) / 1_000_000,
                "outbox": state.outbox_size(),
                "deliveries": waiting,
            },
            "parked": [{"id": display_id(subject), "error": error} for subject, error in parked],
            "reserved": reserved_counts(state.connection),
            "refused_links": IdentityTables(state.connection).refused(),
            "subscriptions": [
                {key: one[key] for key in ("subscription", "state", "waiting", "given_up", "failing_since")}
                for one in listing(home)
            ],
            "armed": state.meta("armed") != "no",
        }
