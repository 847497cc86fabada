"""`wait: …` — holds the enrollment: for a duration, until a local time, until a date of the entry event or of the
enrollment's object, or until a condition holds (with `at_most`).

A date of an object may move while the wait holds: the wait moves with it, and says so once the instant of the change is
over. An instant that is already past when the wait is reached skips the steps up to the next wait: never three
reminders at once. In a wait for a condition, functions without `within` count from the enrollment on.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import time
from typing import TYPE_CHECKING

from innkeeper.audiences.nodes import Expression
from innkeeper.journeys.anchors import WALL, is_anchor, read_anchor, read_wall
from innkeeper.journeys.definition import Step
from innkeeper.journeys.following import follow
from innkeeper.journeys.instants import Anchor, instants_of
from innkeeper.journeys.moves import NEXT, End, Hold, Move, Past
from innkeeper.kernel.errors import UsageError
from innkeeper.kernel.located import Located, Reader
from innkeeper.kernel.time import FOREVER, Duration, format_duration, parse_duration
from innkeeper.kernel.zones import next_local

if TYPE_CHECKING:
    from innkeeper.journeys.running import Here
    from innkeeper.journeys.script import Script

EXAMPLES = (
    ("wait: 3 days", "wait 3 days"),
    ('wait: { until: "10:00" }', "wait until the next 10:00 where the customer is"),
    (
        'wait: { until: event.arrival - 3 days, time: "10:00" }',
        "wait until 3 days before event.arrival, at 10:00 where the customer is",
    ),
    (
        'wait: { until: booking.arrival - 1 day, time: "16:00", zone: object }',
        "wait until 1 day before booking.arrival, at 16:00 where the booking is",
    ),
    (
        "wait: { until: did('Guide Opened'), at_most: 1 day }",
        "wait until did('Guide Opened'), at most 1 day",
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait(Step):
    """Holds the enrollment; exactly one of duration, wall, anchor and condition is set."""

    kind = "wait"
    own_scope = True
    duration: Duration | None = None
    wall: time | None = None
    anchor: Anchor | None = None
    condition: Expression | None = None
    text: str = ""
    at_most: Duration | None = None

    def conditions(self) -> tuple[Expression, ...]:
        """The condition waited for, if it is one."""
        return () if self.condition is None else (self.condition,)

    @property
    def follows_object(self) -> bool:
        """Whether the date that it waits for may move."""
        return self.anchor is not None and self.anchor.object is not None

    def words(self) -> str:
        """What it does."""
        at_most = "" if self.at_most is None else f", at most {format_duration(self.at_most)}"
        if self.duration is not None:
            return f"wait {format_duration(self.duration)}"
        if self.wall is not None:
            return f"wait until the next {self.wall:%H:%M} where the customer is"
        if self.anchor is not None:
            return f"wait until {anchor_words(self.anchor)}{at_most}"
        return f"wait until {self.text}{at_most}"

    def run(self, here: Here) -> Move:
        """Holds until its instant, or goes on when it has come."""
        limit = FOREVER if self.at_most is None else here.now + self.at_most
        if self.duration is not None:
            until = here.now + self.duration
        elif self.wall is not None:
            until = next_local(here.now, self.wall, here.zone())
        elif self.anchor is not None:
            instants = instants_of(self.anchor, here.turn, here.enrollment)
            if instants is None:
                return End("stopped", f"missing_value: {self.anchor.name}")
            if instants.due_at < here.now:
                return Past(instants.due_at, self.anchor.name)
            if self.anchor.object is not None:
                return follow(self.anchor, here, limit, begin=True)
            until = min(instants.due_at, limit)
        else:
            return self._ask(here, limit)
        return NEXT if until <= here.now else Hold(until, until)

    def resume(self, here: Here) -> Move:
        """Goes on when the instant has come or the condition holds."""
        until = here.enrollment.until
        if self.condition is not None:
            return self._ask(here, until)
        if self.anchor is not None and self.anchor.object is not None:
            limit = FOREVER if self.at_most is None else here.enrollment.reached_at + self.at_most
            return follow(self.anchor, here, limit)
        return NEXT if until <= here.now else Hold(until, until)

    def _ask(self, here: Here, until: int) -> Move:
        if until <= here.now:
            return NEXT
        holds, recheck = here.holds(0)
        return NEXT if holds else Hold(min(until, max(recheck, here.now + 1)), until)


def anchor_words(anchor: Anchor) -> str:
    """An anchor in plain words."""
    name = anchor.name
    where = f"the {anchor.object}" if anchor.local else "the customer"
    at = "" if anchor.wall is None else f", at {anchor.wall:%H:%M} where {where} is"
    if not anchor.offset:
        return name + at
    return f"{format_duration(abs(anchor.offset))} {'before' if anchor.offset < 0 else 'after'} {name}{at}"


def read(node: Located, script: Script) -> Wait | None:
    """From a duration, or a mapping with `for`, or with `until` (`at` means the same)."""
    if not isinstance(node.value, dict):
        duration = _duration(node, script)
        return None if duration is None else Wait(duration=duration, place=node.place)
    reader = Reader(node, script.findings, "'wait'")
    length, until = reader.get("for"), reader.get("until") or reader.get("at")
    wall, zone, at_most = reader.get("time"), reader.get("zone"), reader.duration("at_most")
    reader.close(("until", "at"))
    if (length is None) is (until is None):
        script.findings.add(node, "bad-wait", "'wait' needs either 'for' or 'until'", "- wait: 3 days")
        return None
    if length is not None:
        _refuse_time(wall or zone, script)
        _refuse_limit(reader.get("at_most"), script)
        duration = _duration(length, script)
        return None if duration is None else Wait(duration=duration, place=node.place)
    assert until is not None
    if WALL.match(str(until.value)):
        _refuse_time(wall or zone, script)
        _refuse_limit(reader.get("at_most"), script)
        return Wait(wall=read_wall(until, script), place=node.place)
    return _read_until(node, until, wall, zone, at_most, script)


def _read_until(
    node: Located, until: Located, wall: Located | None, zone: Located | None, at_most: Duration | None, script: Script
) -> Wait | None:
    text = str(until.value)
    if is_anchor(text):
        anchor = read_anchor(until, wall, zone, script)
        return None if anchor is None else Wait(anchor=anchor, at_most=at_most, place=node.place)
    if _refuse_time(wall or zone, script):
        return None
    condition = script.expression(until)
    return None if condition is None else Wait(condition=condition, text=text, at_most=at_most, place=node.place)


def _refuse_time(wall: Located | None, script: Script) -> bool:
    if wall is not None:
        fix = 'write: wait: { until: event.arrival - 3 days, time: "10:00" }, or add a step: wait: { until: "10:00" }'
        script.findings.add(wall, "bad-wait", "'time' goes with a date of the entry event or of the object", fix)
    return wall is not None


def _refuse_limit(limit: Located | None, script: Script) -> None:
    if limit is not None:
        message = "'at_most' goes with a condition, or with a date of the entry event or of the object"
        script.findings.add(limit, "bad-wait", message, "leave it out: this wait has its own end")


def _duration(node: Located, script: Script) -> Duration | None:
    try:
        return parse_duration(str(node.value))
    except UsageError as error:
        script.findings.add_from(node, error)
        return None
