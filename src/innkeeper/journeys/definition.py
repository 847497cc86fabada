"""Journeys as declared. Steps live in `steps/`, one file each: fields, reading, running, words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from innkeeper.audiences.nodes import Expression
from innkeeper.kernel.located import NOWHERE, Place
from innkeeper.kernel.time import DAY, Duration


class Step:
    """Base of all steps."""

    __slots__ = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class EventEntry:
    """Entry by an event of the profile; `where` sees the event's properties, `when` the profile after the event."""

    event: str
    where: Expression | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AudienceEntry:
    """Entry when the profile enters or leaves an audience."""

    audience: str
    change: Literal["entered", "left"] = "entered"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reentry:
    """When someone who has been here may come again: never, after_exit, always (several at once), or after a period."""

    mode: Literal["never", "after_exit", "always", "after"] = "after_exit"
    period: Duration = 0


AFTER_EXIT = Reentry()


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """What counts as success, at most *within* after entry."""

    when: Expression
    within: Duration | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Journey:
    """One version of a journey.

    Attributes:
        key: Name of the event property (dotted path) that tells enrollments apart; None: one per profile.
        when: A condition on the profile that entry needs besides.
        shelf_life: A trigger or candidate older than this has no effect any more.
        priority: Overrides the purpose's priority.
        version: Hash of the definition.
    """

    name: str
    enter: EventEntry | AudienceEntry
    steps: tuple[Step, ...]
    key: str | None = None
    when: Expression | None = None
    exits: tuple[Expression, ...] = ()
    goal: Goal | None = None
    purpose: str | None = None
    priority: int | None = None
    reentry: Reentry = AFTER_EXIT
    shelf_life: Duration = DAY
    late: Literal["enter", "skip"] = "enter"
    version: str
    place: Place = NOWHERE
