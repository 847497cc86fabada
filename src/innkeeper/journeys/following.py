"""A wait for a date of the enrollment's object: held, moved when the date moves, and given up when the object ends.

What moves within one instant is settled a microsecond later, so that two moves are one and a move there and back is
none. `journeys/steps/wait.py` calls it; the entry by a date is `by_object.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from innkeeper.events.outputs import StepReplanned
from innkeeper.journeys.instants import Anchor, instants_of
from innkeeper.journeys.moves import NEXT, End, Hold, Move, Past
from innkeeper.kernel.time import Instant

if TYPE_CHECKING:
    from innkeeper.journeys.running import Here


def follow(anchor: Anchor, here: Here, limit: Instant, *, begin: bool = False) -> Move:
    """What a wait does that has begun (*begin*) or looks again; *limit* is its latest end."""
    enrollment, now = here.enrollment, here.now
    copy = here.turn.state.objects.get(anchor.object or "", {}).get(enrollment.key or "")
    if copy is not None and copy.view["ended"] and not enrollment.ended:
        reason = f"ended: {copy.view['status']}"
        if not begin:
            _say(here, enrollment.planned_for, None, reason)
        return End("left", reason)
    instants = instants_of(anchor, here.turn, enrollment)
    if begin and instants is not None:
        enrollment.planned_for = instants.due_at
    planned = enrollment.planned_for
    due = None if instants is None else instants.due_at
    if due == planned:
        until = min(planned, limit)
        return NEXT if until <= now else Hold(until, until)
    if enrollment.due_at > now:
        # Something has changed in this instant: it is over, and the change final, with the next microsecond.
        return Hold(min(now + 1, limit), planned)
    _say(here, planned, due, "no date" if due is None else "moved")
    if instants is None:
        return End("left", f"no date: {anchor.name}")
    enrollment.planned_for = instants.due_at
    until = min(instants.due_at, limit)
    if until > now:
        return Hold(until, until)
    ahead = instants.anchor_at > now and here.journey.journey.late == "enter"
    return NEXT if ahead or limit <= now else Past(instants.due_at, anchor.name)


def _say(here: Here, planned: Instant, due: Instant | None, reason: str) -> None:
    enrollment = here.enrollment
    here.turn.outputs.append(
        StepReplanned(
            identifier=enrollment.identifier, journey=enrollment.journey, enrollment=enrollment.id, key=enrollment.key,
            step=here.instruction.path, planned_for=planned, moved_to=due, reason=reason,
        )
    )  # fmt: skip
