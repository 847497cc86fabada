"""Has this customer had enough? Counts reservations, so what is planned but not yet sent counts too."""

from __future__ import annotations

from datetime import time, timedelta
from typing import Any, ClassVar

from innkeeper.decisions.candidate import Candidate, Sight
from innkeeper.decisions.gates.contract import Answer, Gate
from innkeeper.decisions.policy import Calendar, Cap
from innkeeper.kernel.time import DAY, Duration, Instant, format_duration
from innkeeper.kernel.zones import from_local, to_local
from innkeeper.profiles.state import Reservation

#: Reservations are kept at least this long, so that a cap that is tightened later still sees them.
KEPT: Duration = 32 * DAY


def period_start(now: Instant, calendar: Calendar, zone: str) -> Instant:
    """The first instant of the local day, week (from Monday) or month that holds *now*."""
    day = to_local(now, zone).date()
    if calendar == "week":
        day -= timedelta(days=day.weekday())
    elif calendar == "month":
        day = day.replace(day=1)
    return from_local(day, time(0), zone)


def concerns(cap: Cap, purpose: str, kind: str, channel: str) -> bool:
    """Whether a message of that purpose, kind and channel counts for a cap."""
    if cap.channel is not None and cap.channel != channel:
        return False
    return kind == "marketing" if cap.purpose is None else cap.purpose == purpose


def keep_reservations(reservations: list[Reservation], caps: tuple[Cap, ...], now: Instant) -> list[Reservation]:
    """The reservations that a cap could still count."""
    since = counted_since(caps, now)
    return [each for each in reservations if each.at > since]


def counted_since(caps: tuple[Cap, ...], now: Instant) -> Instant:
    """The instant after which a cap could still count something."""
    return now - max([KEPT, *(cap.per + DAY for cap in caps)])


class FrequencyCap(Gate):
    """Refuses what would be one more than a cap allows: in (t - per, t], or in the local calendar period."""

    name = "cap"
    skipped_by: ClassVar = frozenset({"service", "transactional"})
    reasons: ClassVar = {"cap": "the customer has had as many messages in the period as the cap allows"}
    examples: ClassVar = (
        ("at most 1 per day, rolling; sent at 23:50, now 00:10", "deny: cap"),
        ("at most 1 per day, calendar; sent at 23:50, now 00:10", "allow"),
    )

    def answer(self, candidate: Candidate, sight: Sight) -> Answer:
        """Whether every cap that concerns the candidate has room."""
        for cap in sight.policies.caps:
            if cap.unit != "profile" or not concerns(
                cap, candidate.purpose.name, candidate.purpose.kind, candidate.message.channel
            ):
                continue
            facts = self._count(cap, sight)
            if facts["count"] >= cap.at_most:
                return Answer(reason="cap", facts=facts)
        return Answer()

    def _count(self, cap: Cap, sight: Sight) -> dict[str, Any]:
        facts: dict[str, Any] = {
            "at_most": cap.at_most, "per": cap.calendar or format_duration(cap.per), "mode": cap.mode,
            "purpose": cap.purpose, "channel": cap.channel,
        }  # fmt: skip
        if cap.calendar is None:
            counted = [each for each in sight.state.reservations if sight.now - cap.per < each.at <= sight.now]
        else:
            zone = sight.zone()
            start = period_start(sight.now, cap.calendar, zone.name)
            counted = [each for each in sight.state.reservations if start <= each.at <= sight.now]
            facts |= {"zone": zone.name, "zone_from": zone.source}
        counted = [each for each in counted if concerns(cap, each.purpose, each.kind, each.channel)]
        return facts | {"count": len(counted), "messages": [each.message for each in counted[-5:]]}
