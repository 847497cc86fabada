"""Retractions as events: which events are to be as if they had never come, and the word that lifts that again. Pure.

`Events Retracted` and `Retraction Lifted` are events of the log about nobody: no sender can make one, because a message
without an id is refused (`parse.py`). What taking one does to profiles is `runtime/revise.py`; where the standing ones
are kept is `store/retractions.py`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from innkeeper.events.types import Event, LogRow
from innkeeper.identity.evidence import Evidence
from innkeeper.kernel.json import dumps
from innkeeper.kernel.time import Instant, format_instant, parse_instant

#: The source of what a person says on the command line about the log itself.
SOURCE: Final = "cli"
RETRACTED: Final = "Events Retracted"
LIFTED: Final = "Retraction Lifted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Retraction:
    """Which events of one source are left out: a period, half open, by timestamp, or a list of message ids.

    Attributes:
        id: The messageId of its `Events Retracted`.
        messages: None: the period counts.
    """

    id: str
    source: str
    from_at: Instant | None = None
    until_at: Instant | None = None
    messages: frozenset[str] | None = None

    def covers(self, source: str, message_id: str, timestamp: Instant) -> bool:
        """Whether it leaves an event out."""
        if source != self.source:
            return False
        if self.messages is not None:
            return message_id in self.messages
        after = self.from_at is None or timestamp >= self.from_at
        return after and (self.until_at is None or timestamp < self.until_at)

    def properties(self) -> dict[str, Any]:
        """What its event says."""
        if self.messages is not None:
            return {"source": self.source, "message_ids": sorted(self.messages)}
        named = {"from": self.from_at, "until": self.until_at}
        return {"source": self.source} | {key: format_instant(at) for key, at in named.items() if at is not None}


class LeftOut:
    """All retractions that stand: what the fold passes over."""

    def __init__(self, standing: Iterable[Retraction] = ()) -> None:
        self.standing = tuple(standing)
        self._by_source: dict[str, list[Retraction]] = {}
        for each in self.standing:
            self._by_source.setdefault(each.source, []).append(each)

    def covers(self, event: Event) -> bool:
        """Whether an event is as if it had never come."""
        found = self._by_source.get(event.source)
        key = (event.source, event.message_id, event.timestamp)
        return found is not None and any(each.covers(*key) for each in found)

    def covers_word(self, word: Evidence) -> bool:
        """The same for the event that an explicit word on a link comes from."""
        return any(each.covers(word.source, word.message_id, word.at) for each in self._by_source.get(word.source, ()))

    def without(self, retraction: str) -> LeftOut:
        """The same but for one retraction."""
        return LeftOut(each for each in self.standing if each.id != retraction)

    def plus(self, retraction: Retraction) -> LeftOut:
        """The same and one retraction more."""
        return LeftOut((*self.standing, retraction))


def is_control(event: Event) -> bool:
    """Whether an event is a word about the log itself."""
    return event.source == SOURCE and event.is_about_nobody and event.name in (RETRACTED, LIFTED)


def retraction_of(event: Event) -> Retraction:
    """What an `Events Retracted` leaves out."""
    told = event.properties
    ids = told.get("message_ids")
    begin, end = told.get("from"), told.get("until")
    return Retraction(
        id=event.message_id, source=told["source"], messages=None if ids is None else frozenset(ids),
        from_at=None if begin is None else parse_instant(begin), until_at=None if end is None else parse_instant(end),
    )  # fmt: skip


def lifted_by(event: Event) -> str:
    """The id of the retraction that a `Retraction Lifted` ends."""
    return str(event.properties["retraction"])


def retracted_row(retraction: Retraction, at: Instant) -> LogRow:
    """The row of an `Events Retracted`."""
    return _row(RETRACTED, retraction.id, at, retraction.properties())


def lifted_row(retraction: str, message_id: str, at: Instant) -> LogRow:
    """The row of a `Retraction Lifted`."""
    return _row(LIFTED, message_id, at, {"retraction": retraction})


def _row(name: str, message_id: str, at: Instant, properties: dict[str, Any]) -> LogRow:
    return LogRow(SOURCE, message_id, "track", name, None, None, at, at, dumps(properties))
