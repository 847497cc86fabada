"""`retract`: checks what a person asks for, tells what it would change, and says it in the log for the engine to take.

What taking it does is `revise.py`.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

from innkeeper.events.types import ENGINE_SOURCE, LogRow
from innkeeper.identity.retraction import Retraction, lifted_row, retracted_row
from innkeeper.kernel.errors import OperationFailed, UsageError, did_you_mean
from innkeeper.kernel.failpoints import failpoint
from innkeeper.kernel.ids import digest
from innkeeper.kernel.time import Clock, Instant, SystemClock, format_instant
from innkeeper.runtime.as_if import Recorded
from innkeeper.runtime.lock import hold
from innkeeper.runtime.revision_told import tell
from innkeeper.runtime.run import take_what_waits
from innkeeper.runtime.writing import writing
from innkeeper.store import retractions
from innkeeper.store.bulk import Bulk
from innkeeper.store.state import State

_SOURCES = "SELECT DISTINCT source FROM every_event WHERE user_id IS NOT NULL OR anonymous_id IS NOT NULL"


def retract(
    home: Path,
    source: str,
    *,
    begin: Instant | None = None,
    end: Instant | None = None,
    messages: Collection[str] | None = None,
    do: bool = False,
    clock: Clock | None = None,
) -> dict[str, Any]:
    """What would be different if events of a source had never come; with *do* it is made so.

    Args:
        home: The workspace.
        source: Whose events.
        begin, end: Their timestamps, half open; None: no bound.
        messages: Their messageIds, instead of a period.
        do: Whether to make it so; else nothing is stored.
        clock: Tells the time of day.

    Raises:
        UsageError: The source is the engine's own or unknown, the period is inside out, or there is no such event.
        OperationFailed: The home is in use.
    """
    _check_period(source, begin, end, messages)
    listed = None if messages is None else frozenset(messages)

    def made(state: State) -> Retraction:
        number = len(retractions.listing(state.connection)) + 1
        name = digest(number, source, begin, end, *sorted(listed or ()), size=4)
        return Retraction(id=f"retraction-{number}-{name}", source=source, from_at=begin, until_at=end, messages=listed)

    return _Asked(home, clock or SystemClock()).retract(made, do=do)


def lift(home: Path, retraction: str, *, do: bool = False, clock: Clock | None = None) -> dict[str, Any]:
    """What would be different if a retraction were lifted; with *do* it is.

    Raises:
        UsageError: There is no such retraction, or it is lifted already.
        OperationFailed: The home is in use.
    """
    return _Asked(home, clock or SystemClock()).lift(retraction, do=do)


def listing(home: Path) -> list[dict[str, Any]]:
    """Every retraction, oldest first."""
    with _opened(home) as state:
        return retractions.listing(state.connection)


class _Asked:
    """One question or order about a workspace."""

    def __init__(self, home: Path, clock: Clock) -> None:
        self.home, self.clock = home, clock

    def retract(self, made: Any, *, do: bool) -> dict[str, Any]:
        with _opened(self.home) as state:
            retraction: Retraction = made(state)
            before = retractions.standing(state.connection)
            with Bulk.open(self.home) as bulk:
                events = self._events(bulk, retraction)
                told = self._tell(bulk, state, retraction, before, before.plus(retraction))
            at = state.clock()
        told = {"retraction": retraction.id, "lifted": False, "done": do, "events": events, **_rule(retraction), **told}
        if do:
            self._say(retracted_row(retraction, self.clock.now() if at is None else at))
        return told

    def lift(self, name: str, *, do: bool) -> dict[str, Any]:
        with _opened(self.home) as state:
            retraction = self._standing(state, name)
            before = retractions.standing(state.connection)
            with Bulk.open(self.home) as bulk:
                told = self._tell(bulk, state, retraction, before, before.without(name))
                events = _count(bulk, retraction)
            at = state.clock()
        told = {"retraction": name, "lifted": True, "done": do, "events": events, **_rule(retraction), **told}
        if do:
            self._say(lifted_row(name, f"{name}-lifted", self.clock.now() if at is None else at))
        return told

    def _tell(self, bulk: Bulk, state: State, retraction: Retraction, before: Any, after: Any) -> dict[str, Any]:
        recorded = Recorded(bulk, state, state.last_position() + 1)
        return tell(recorded, state, retraction, before, after, state.clock() or 0)

    def _events(self, bulk: Bulk, retraction: Retraction) -> int:
        sources = sorted(source for (source,) in bulk.rows(_SOURCES, {}) if source != ENGINE_SOURCE)
        if retraction.source not in sources:
            near = did_you_mean(retraction.source, sources)
            raise UsageError(
                f"no event in the log is of a source '{retraction.source}'", code="unknown-source",
                fix=near or f"sources in the log: {', '.join(sources) or 'none'}",
            )  # fmt: skip
        number = _count(bulk, retraction)
        if number == 0:
            raise UsageError(
                f"the source '{retraction.source}' has no such event{_words(retraction)}", code="nothing-to-retract",
                fix=f"look at what there is: innkeeper events list --source {retraction.source}",
            )  # fmt: skip
        return number

    def _standing(self, state: State, name: str) -> Retraction:
        known = {each["id"]: each for each in retractions.listing(state.connection)}
        found = retractions.find(state.connection, name)
        if found is None:
            raise UsageError(
                f"there is no retraction '{name}'", code="no-retraction",
                fix=did_you_mean(name, known) or "see: innkeeper retract list",
            )  # fmt: skip
        if known[name]["refused"] is not None:
            raise UsageError(
                f"the retraction '{name}' was never done: {known[name]['refused']}", code="retraction-refused",
                fix="see: innkeeper retract list",
            )  # fmt: skip
        if known[name]["lifted_at"] is not None:
            raise UsageError(
                f"the retraction '{name}' was lifted at {known[name]['lifted_at']}", code="already-lifted",
                fix="see: innkeeper retract list",
            )  # fmt: skip
        return found

    def _say(self, row: LogRow) -> None:
        with writing(self.home) as (log, state):
            log.append([row])
            failpoint("revise.said")
            if state.clock() is not None:
                take_what_waits(self.home, log, state)
            refused = retractions.refusal(state.connection, row.message_id)
        if refused is not None:
            raise OperationFailed(refused, code="past-is-gone", fix="see: innkeeper retract list")


def _check_period(source: str, begin: Instant | None, end: Instant | None, messages: Collection[str] | None) -> None:
    if source == ENGINE_SOURCE:
        raise UsageError(
            f"'{ENGINE_SOURCE}' is what the engine itself says; it cannot be retracted", code="own-source",
            fix="retract the events that it was said because of",
        )  # fmt: skip
    if messages is not None:
        if begin is not None or end is not None:
            raise UsageError(
                "a list of messageIds and a period cannot be named together", code="period-and-messages",
                fix="name either --from and --until, or --message or --messages",
            )  # fmt: skip
        if not messages:
            raise UsageError("the list of messageIds is empty", code="nothing-to-retract", fix="one messageId a line")
        return
    if begin is None or end is None:
        raise UsageError(
            "which events? A period needs --from and --until", code="no-period",
            fix="name both, or messageIds: --message ID, --messages FILE",
        )  # fmt: skip
    if begin >= end:
        raise UsageError(
            f"--from {format_instant(begin)} is not before --until {format_instant(end)}: nothing lies between",
            code="period-inside-out", fix="--from is the first instant of the period, --until the first after it",
        )  # fmt: skip


def _count(bulk: Bulk, retraction: Retraction) -> int:
    from innkeeper.runtime.record import events_left_out

    return sum(1 for _ in events_left_out(bulk, retraction))


def _rule(retraction: Retraction) -> dict[str, Any]:
    times = {"from": retraction.from_at, "until": retraction.until_at}
    return {
        "source": retraction.source,
        **{name: None if at is None else format_instant(at) for name, at in times.items()},
        "messages": None if retraction.messages is None else len(retraction.messages),
    }


def _words(retraction: Retraction) -> str:
    if retraction.messages is not None:
        return f" among the {len(retraction.messages)} messageIds"
    assert retraction.from_at is not None
    assert retraction.until_at is not None
    return f" from {format_instant(retraction.from_at)} until {format_instant(retraction.until_at)}"


def _opened(home: Path) -> State:
    """The state, read-only; made where there is none yet."""
    if not State.exists(home):
        with hold(home):
            State.open(home, create=True).close()
    return State.open(home, readonly=True)
