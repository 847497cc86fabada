"""`wait: …` — holds the enrollment: for a duration, until a local time, until an instant in a property of the entry
event, or until a condition holds (with `at_most`).

An instant that is already past when the wait is reached skips the steps up to the next wait: never three reminders at
once. In a wait for a condition, functions without `within` count from the enrollment on.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import time
from typing import TYPE_CHECKING

from innkeeper.audiences.nodes import Expression
from innkeeper.journeys.definition import Step
from innkeeper.journeys.instants import Anchor, resolve
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
        "wait: { until: did('Guide Opened'), at_most: 1 day }",
        "wait until did('Guide Opened'), at most 1 day",
    ),
)
_WALL = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)\Z")
_ANCHOR = re.compile(r"event\.([A-Za-z_$][\w$.-]*?)(?:\s*([+-])\s*('?)([^']+)\3)?\s*\Z")


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

    def words(self) -> str:
        """What it does."""
        at_most = "" if self.at_most is None else f", at most {format_duration(self.at_most)}"
        if self.duration is not None:
            return f"wait {format_duration(self.duration)}"
        if self.wall is not None:
            return f"wait until the next {self.wall:%H:%M} where the customer is"
        if self.anchor is not None:
            return f"wait until {_anchor_words(self.anchor)}{at_most}"
        return f"wait until {self.text}{at_most}"

    def run(self, here: Here) -> Move:
        """Holds until its instant, or goes on when it has come."""
        limit = FOREVER if self.at_most is None else here.now + self.at_most
        if self.duration is not None:
            until = here.now + self.duration
        elif self.wall is not None:
            until = next_local(here.now, self.wall, here.zone())
        elif self.anchor is not None:
            instants = resolve(self.anchor, here.enrollment.event, here.zone())
            if instants is None:
                return End("stopped", f"missing_value: event.{'.'.join(self.anchor.path)}")
            if instants.due_at < here.now:
                return Past()
            until = min(instants.due_at, limit)
        else:
            return self._ask(here, limit)
        return NEXT if until <= here.now else Hold(until, until)

    def resume(self, here: Here) -> Move:
        """Goes on when the instant has come or the condition holds."""
        until = here.enrollment.until
        if self.condition is not None:
            return self._ask(here, until)
        return NEXT if until <= here.now else Hold(until, until)

    def _ask(self, here: Here, until: int) -> Move:
        if until <= here.now:
            return NEXT
        holds, recheck = here.holds(0)
        return NEXT if holds else Hold(min(until, max(recheck, here.now + 1)), until)


def _anchor_words(anchor: Anchor) -> str:
    name = "event." + ".".join(anchor.path)
    at = "" if anchor.wall is None else f", at {anchor.wall:%H:%M} where the customer is"
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
    wall, at_most = reader.get("time"), reader.duration("at_most")
    reader.close(("until", "at"))
    if (length is None) is (until is None):
        script.findings.add(node, "bad-wait", "'wait' needs either 'for' or 'until'", "- wait: 3 days")
        return None
    if length is not None:
        _refuse_time(wall, script)
        _refuse_limit(reader.get("at_most"), script)
        duration = _duration(length, script)
        return None if duration is None else Wait(duration=duration, place=node.place)
    assert until is not None
    if _WALL.match(str(until.value)):
        _refuse_time(wall, script)
        _refuse_limit(reader.get("at_most"), script)
        return Wait(wall=_wall(str(until.value)), place=node.place)
    return _read_until(node, until, wall, at_most, script)


def _read_until(
    node: Located, until: Located, wall: Located | None, at_most: Duration | None, script: Script
) -> Wait | None:
    text = str(until.value)
    anchored = _ANCHOR.match(text)
    if anchored is not None:
        anchor = _anchor(anchored, until, wall, script)
        return None if anchor is None else Wait(anchor=anchor, at_most=at_most, place=node.place)
    if _refuse_time(wall, script):
        return None
    condition = script.expression(until)
    return None if condition is None else Wait(condition=condition, text=text, at_most=at_most, place=node.place)


def _refuse_time(wall: Located | None, script: Script) -> bool:
    if wall is not None:
        fix = 'write: wait: { until: event.arrival - 3 days, time: "10:00" }, or add a step: wait: { until: "10:00" }'
        script.findings.add(wall, "bad-wait", "'time' goes with an instant in a property of the entry event", fix)
    return wall is not None


def _refuse_limit(limit: Located | None, script: Script) -> None:
    if limit is not None:
        message = "'at_most' goes with a condition, or with an instant in a property of the entry event"
        script.findings.add(limit, "bad-wait", message, "leave it out: this wait has its own end")


def _anchor(anchored: re.Match[str], until: Located, wall: Located | None, script: Script) -> Anchor | None:
    offset, at = 0, None
    if anchored[2]:
        try:
            offset = parse_duration(anchored[4]) * (1 if anchored[2] == "+" else -1)
        except UsageError as error:
            script.findings.add_from(until, error)
            return None
    if wall is not None:
        if not _WALL.match(str(wall.value)):
            message = f"'{wall.value}' is not a time of day"
            script.findings.add(wall, "bad-time-of-day", message, 'write it like "10:00"')
            return None
        at = _wall(str(wall.value))
    return Anchor(path=tuple(anchored[1].split(".")), offset=offset, wall=at)


def _wall(text: str) -> time:
    hour, minute = text.split(":")
    return time(int(hour), int(minute))


def _duration(node: Located, script: Script) -> Duration | None:
    try:
        return parse_duration(str(node.value))
    except UsageError as error:
        script.findings.add_from(node, error)
        return None
