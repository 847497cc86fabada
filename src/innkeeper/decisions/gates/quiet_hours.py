"""Is it night for this customer? In the quiet window of the profile's zone a candidate waits for the window's end.

A window is a pair of instants, so a clock change neither opens it twice nor skips it: a start or end that the change
skips goes forward by the gap, one that occurs twice means the first.
"""

from __future__ import annotations

from datetime import time, timedelta
from typing import Any, ClassVar

from innkeeper.decisions.candidate import Candidate, Sight
from innkeeper.decisions.gates.contract import Answer, Gate
from innkeeper.decisions.policy import QuietHours
from innkeeper.kernel.time import Instant
from innkeeper.kernel.zones import from_local, to_local


def quiet_until(now: Instant, quiet: QuietHours, zone: str) -> Instant | None:
    """The end of the quiet window that holds *now*; None outside of it."""
    today = to_local(now, zone).date()
    for back in (1, 0):
        day = today - timedelta(days=back)
        start = from_local(day, quiet.start, zone)
        end = from_local(day + timedelta(days=1) if quiet.end <= quiet.start else day, quiet.end, zone)
        if start <= now < end:
            return end
    return None


def clock(wall: time) -> str:
    """A local time as it is written: `22:00`."""
    return wall.strftime("%H:%M")


class Quiet(Gate):
    """Holds a candidate back until the end of the local quiet window."""

    name = "quiet_hours"
    skipped_by: ClassVar = frozenset({"transactional"})
    reasons: ClassVar = {"quiet_hours": "it is quiet time for this customer; it is tried again when it ends"}
    examples: ClassVar = (
        ("22:00 to 08:00, 23:10 local time", "defer until 08:00: quiet_hours"),
        ("22:00 to 08:00, 12:00 local time", "allow"),
    )

    def answer(self, candidate: Candidate, sight: Sight) -> Answer:
        """Whether it is outside the quiet window, or when that ends."""
        quiet = sight.policies.quiet_hours
        if quiet is None or quiet.start == quiet.end:
            return Answer()
        zone = sight.zone()
        until = quiet_until(sight.now, quiet, zone.name)
        facts: dict[str, Any] = {
            "zone": zone.name, "zone_from": zone.source, "local": to_local(sight.now, zone.name).strftime("%H:%M"),
            "from": clock(quiet.start), "to": clock(quiet.end),
        }  # fmt: skip
        return Answer(facts=facts) if until is None else Answer(reason="quiet_hours", until=until, facts=facts)
