"""What the overview of a workspace shows: figures gathered by `store/overview.py`, written by `overview_page.py`.

Here too: the words for reasons, outcomes and the lines of one profile's story.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from innkeeper.kernel.time import Instant, format_instant, try_parse_instant
from innkeeper.kernel.zones import to_local

Voice = Literal["guest", "house", "letter", "refused", "task"]


@dataclass(frozen=True, slots=True, kw_only=True)
class StageCounts:
    """Profiles per stage at an instant; the empty name holds those in no stage."""

    at: Instant
    counts: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class JourneyFigures:
    """What one journey did.

    `outcomes`: ended enrollments by finished, goal, exit, stopped, left; `open`: those still inside. `deliveries` by
    state, `refused` by reason (denied candidates).
    """

    name: str
    entered: int
    open: int
    outcomes: Mapping[str, int]
    deliveries: Mapping[str, int]
    refused: Mapping[str, int]
    tasks: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Candidates that a gate denied or put off, for one reason and purpose."""

    outcome: str
    gate: str
    reason: str
    purpose: str
    candidates: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """One local day: accepted messages by kind, and what was denied by a cap or put off by quiet hours."""

    day: str
    sent: Mapping[str, int]
    capped: int
    deferred: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """The ledger: planned = ends + open."""

    planned: int
    ends: Mapping[str, int]
    open: Mapping[str, int]

    @property
    def difference(self) -> int:
        """What is missing; zero, always."""
        return self.planned - sum(self.ends.values()) - sum(self.open.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class StoryLine:
    """One line of a profile's story: when, who speaks, what happened, and why."""

    at: Instant
    voice: Voice
    text: str
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """One profile's life, line by line."""

    id: str
    name: str
    lines: Sequence[StoryLine]


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """Everything on the page."""

    workspace: str
    zone: str
    since: Instant
    until: Instant
    events: int
    profiles: int
    tasks: Mapping[str, int]
    stages: Sequence[str]
    stage_counts: Sequence[StageCounts]
    journeys: Sequence[JourneyFigures]
    refusals: Sequence[Refusal]
    days: Sequence[Day]
    hours: Sequence[int]
    quiet: tuple[str, str] | None
    balance: Balance
    story: Story | None = None
    notes: Sequence[str] = field(default_factory=tuple)

    def as_dict(self) -> dict[str, Any]:
        """The JSON form: what the page shows, times as texts."""
        told = asdict(self)
        for part in (told, *told["stage_counts"], *(told["story"] or {"lines": ()})["lines"]):
            part |= {name: format_instant(part[name]) for name in ("at", "since", "until") if name in part}
        told["balance"]["difference"] = self.balance.difference
        return told


#: Reason codes in words; a code that is not here is shown as it is.
REASONS = {
    "no_address": "no address to write to",
    "suppressed": "suppressed: bounced, complained, deceased or asked never to be written to",
    "no_consent": "never agreed to this purpose",
    "not_confirmed": "agreed, and has not confirmed it yet",
    "consent_withdrawn": "agreed once, and withdrew",
    "quiet_hours": "quiet hours in the profile's own time zone",
    "cap": "had enough letters already",
    "priority": "a better message at the same instant",
    "household_cap": "the home had enough letters already",
    "one_letter_per_home": "somebody of the home has this letter already",
    "ask_bereavement": "somebody of the home has died: a person is asked first",
    "bereavement": "somebody of the home has died, and a person said no",
    "expired": "too late to be of use",
    "missing_value": "a value that the text needs was missing",
    "role_lost": "has no role in it any more",
}
OUTCOMES = {
    "goal": "reached the goal",
    "finished": "came to the end",
    "exit": "left by an exit",
    "stopped": "stopped",
    "left": "ended early",
    "open": "still inside",
}


def reason_words(code: str) -> str:
    """A reason code in words.

    >>> reason_words("cap")
    'had enough letters already'
    """
    return REASONS.get(code, code.replace("_", " "))


def describe(properties: Mapping[str, Any], zone: str, *, limit: int = 5) -> str:
    """The first few plain values of an event, in words; instants in local time."""
    parts: list[str] = []
    for name, value in properties.items():
        if isinstance(value, dict | list) or value is None or value == "":
            continue
        parts.append(f"{name.replace('_', ' ')} {_plain(value, zone)}")
        if len(parts) == limit:
            break
    return ", ".join(parts)


def _plain(value: object, zone: str) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float) and value == int(value):
        return str(int(value))
    if isinstance(value, str):
        instant = try_parse_instant(value)
        if instant is not None:
            return clock(instant, zone)
        return value if len(value) <= 90 else value[:87] + "…"
    return str(value)


def clock(instant: Instant, zone: str) -> str:
    """A local time as people write it.

    >>> clock(0, "Europe/Lisbon")
    '1 Jan 1970 01:00'
    """
    local = to_local(instant, zone)
    return f"{local.day} {MONTHS[local.month - 1]} {local.year} {local:%H:%M}"


MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
