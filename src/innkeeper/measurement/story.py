"""One profile's story: its events and what was decided about it, as lines that a person can read.

Pure: events in, lines out. The events come from `store/overview.py`; the lines go to the page and the terminal.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from innkeeper.events.reserved import without_reserved
from innkeeper.kernel.ids import display_id
from innkeeper.kernel.json import canonical
from innkeeper.kernel.time import MINUTE, Instant
from innkeeper.measurement.overview import OUTCOMES, REASONS, StoryLine, clock, describe, reason_words

_VISIT = 45 * MINUTE


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """An event of the log, as far as a story needs it."""

    at: Instant
    own: bool
    type: str
    name: str
    properties: Mapping[str, Any]
    traits: Mapping[str, Any]
    extra: Mapping[str, Any] = field(default_factory=dict)


def tell(happenings: Iterable[Happening], zone: str) -> list[StoryLine]:
    """The lines of a story in order; views of one visit are one line, and steps without effect none."""
    lines: list[StoryLine] = []
    visit: list[Happening] = []
    for one in happenings:
        if visit and (one.own or one.name not in _LOOKING or one.at - visit[-1].at > _VISIT):
            lines.append(_visit(visit))
            visit = []
        if not one.own and one.name in _LOOKING:
            visit.append(one)
            continue
        line = _engine(one, zone) if one.own else _guest(one, zone)
        if line is not None:
            lines.append(line)
    if visit:
        lines.append(_visit(visit))
    return lines


_LOOKING = frozenset({"Page Viewed", "Screen Viewed", "Room Viewed"})


def _visit(views: list[Happening]) -> StoryLine:
    names: list[str] = []
    for view in views:
        name = str(view.properties.get("title") or view.properties.get("path") or view.properties.get("room") or "")
        if name and name.casefold() not in map(str.casefold, names):
            names.append(name)
    app = all(view.name == "Screen Viewed" for view in views)
    where = "opened the app" if app else "looked at the site"
    detail = f"{len(views)} view{'' if len(views) == 1 else 's'}"
    return StoryLine(
        at=views[0].at, voice="guest", text=where, detail=f"{detail}: {', '.join(names[:6])}" if names else detail
    )


def _guest(one: Happening, zone: str) -> StoryLine | None:
    if one.type == "identify":
        told = describe(without_reserved(dict(one.traits)), zone, limit=8)
        return StoryLine(at=one.at, voice="guest", text="said who they are", detail=told) if told else None
    if one.type == "alias":
        return StoryLine(at=one.at, voice="guest", text=f"was known as {one.extra.get('previousId')} before", detail="")
    if one.type == "group":
        said = one.extra.get("traits")
        detail = describe(without_reserved(said), zone, limit=8) if isinstance(said, dict) else ""
        return StoryLine(at=one.at, voice="guest", text=f"is of the account {one.extra.get('groupId')}", detail=detail)
    if one.name in _NOTES:
        return _note(one)
    return StoryLine(at=one.at, voice="guest", text=one.name, detail=describe(one.properties, zone))


_NOTES = frozenset({"Memory Noted", "Memory Forgotten", "Staff Note Added"})


def _note(one: Happening) -> StoryLine:
    """What the staff wrote down."""
    said = one.properties
    by = f"{said['by']} " if isinstance(said.get("by"), str) else ""
    remark = str(said.get("note") or "")
    if one.name == "Staff Note Added":
        return StoryLine(at=one.at, voice="house", text=f"{by}wrote a note".strip(), detail=remark)
    if one.name == "Memory Forgotten":
        return StoryLine(at=one.at, voice="house", text=f"{by}forgot {said.get('about')}".strip())
    heard = "was told" if said.get("explicit") is True else "noticed"
    text = f"{by}{heard}: {said.get('about')} {_value(said.get('value'))}"
    return StoryLine(at=one.at, voice="house", text=text, detail=remark)


def _value(value: object) -> str:
    return value if isinstance(value, str) else canonical(value)


def _engine(one: Happening, zone: str) -> StoryLine | None:
    teller = _TELLERS.get(one.name)
    return None if teller is None else teller(one, one.properties, zone)


def _line(one: Happening, text: str, detail: str = "") -> StoryLine:
    return StoryLine(at=one.at, voice="house", text=text, detail=detail)


def _stage(one: Happening, said: Mapping[str, Any], zone: str) -> StoryLine:
    return _line(one, f"stage: {said.get('before') or 'none'} → {said.get('stage') or 'none'}")


def _entered(one: Happening, said: Mapping[str, Any], zone: str) -> StoryLine:
    return _line(one, f"journey {said.get('journey')} begins", f"for {said['key']}" if said.get("key") else "")


def _exited(one: Happening, said: Mapping[str, Any], zone: str) -> StoryLine:
    outcome = OUTCOMES.get(str(said.get("outcome")), str(said.get("outcome")))
    reason = _why(said)
    key = f"for {said['key']}" if said.get("key") else ""
    return _line(one, f"journey {said.get('journey')}: {outcome}", ", ".join(filter(None, (key, reason))))


def _why(said: Mapping[str, Any]) -> str:
    """The reason in words; a condition, or what is in words already, as it stands."""
    reason = str(said.get("reason") or "")
    return REASONS.get(reason, reason)


def _replanned(one: Happening, said: Mapping[str, Any], zone: str) -> StoryLine:
    """`pre-arrival for HH-1: from 7 June 10:00 to 17 June 10:00`."""
    what = "the beginning" if said.get("step") == "enter" else "a wait"
    when = {"from": said.get("from"), "to": said.get("to")}
    detail = f"for {said.get('key')}: {describe({name: at for name, at in when.items() if at}, zone)}"
    if said.get("to") is None:
        return _line(one, f"journey {said.get('journey')}: {what} is dropped, {_why(said)}", detail)
    return _line(one, f"journey {said.get('journey')}: {what} moves with its date", detail)


def _skipped(one: Happening, said: Mapping[str, Any], zone: str) -> StoryLine:
    """`journey pre-arrival: ‘day-before’ skipped – for HH-1, by booking.arrival its time was 7 June 10:00: past`."""
    key = f"for {said['key']}, " if said.get("key") else ""
    detail = f"{key}by {said.get('date')} its time was {describe({'at': said.get('until')}, zone)[3:]}: past"
    steps, messages = said.get("skipped") or [], said.get("messages") or []
    what = [f"‘{name}’" for name in messages]
    if len(steps) > len(what):
        what.append(f"{len(steps) - len(what)} {'more ' if what else ''}step{'s' * (len(steps) - len(what) > 1)}")
    became = f": {' and '.join(what)} skipped" if what else " does not begin"
    return StoryLine(at=one.at, voice="refused", text=f"journey {said.get('journey')}{became}", detail=detail)


def _decision(one: Happening, said: Mapping[str, Any], zone: str) -> StoryLine | None:
    outcome = said.get("outcome")
    if outcome == "allow":
        return None
    why = reason_words(str(said.get("reason")))
    facts = said.get("facts")
    seen = describe(facts, zone) if isinstance(facts, Mapping) else ""
    if outcome == "defer":
        text = f"‘{said.get('message')}’ put off: {why}"
        until = said.get("until")
        return StoryLine(at=one.at, voice="house", text=text, detail=describe({"until": until}, zone) or seen)
    return StoryLine(at=one.at, voice="refused", text=f"‘{said.get('message')}’ not sent: {why}", detail=seen)


def _sent(one: Happening, said: Mapping[str, Any], zone: str) -> StoryLine:
    because = f"journey {said['journey']}" if said.get("journey") else ""
    return StoryLine(at=one.at, voice="letter", text=f"‘{said.get('message')}’ sent", detail=because)


def _unsent(one: Happening, said: Mapping[str, Any], zone: str) -> StoryLine:
    why = reason_words(str(said.get("reason") or said.get("state")))
    return StoryLine(at=one.at, voice="refused", text=f"‘{said.get('message')}’ not sent: {why}")


def _held(one: Happening, said: Mapping[str, Any], zone: str) -> StoryLine:
    who = f"home {said.get('household_id')}, where {display_id(str(said.get('deceased')))} has died"
    return StoryLine(
        at=one.at, voice="refused", text=f"‘{said.get('message')}’ held: a person is asked first", detail=who
    )


def _answered(one: Happening, said: Mapping[str, Any], zone: str) -> StoryLine:
    word = "may be written to" if said.get("allowed") else "is not to be written to"
    return _line(one, f"answered: the home {said.get('household')} {word}")


def _death(one: Happening, said: Mapping[str, Any], zone: str) -> StoryLine:
    return _line(one, "has died; nothing is sent any more" if said.get("dead") else "the word of a death was an error")


def _household(one: Happening, said: Mapping[str, Any], zone: str) -> StoryLine:
    if said.get("joined"):
        return _line(one, f"lives in the home {said.get('household')}")
    return _line(one, f"no longer lives in the home {said.get('household')}".removesuffix(" "))


def _task(one: Happening, said: Mapping[str, Any], zone: str) -> StoryLine:
    text = f"task for {said.get('queue')}: {said.get('title')}"
    return StoryLine(at=one.at, voice="task", text=text, detail=str(said.get("body") or ""))


def _traits(one: Happening, said: Mapping[str, Any], zone: str) -> StoryLine:
    return _line(one, f"noted by {said.get('journey')}", describe(one.traits, zone))


_TELLERS: dict[str, Callable[[Happening, Mapping[str, Any], str], StoryLine | None]] = {
    "Audience Entered": lambda one, said, zone: _line(one, f"now one of ‘{said.get('audience')}’"),
    "Audience Left": lambda one, said, zone: _line(one, f"no longer one of ‘{said.get('audience')}’"),
    "Stage Changed": _stage,
    "Journey Entered": _entered,
    "Journey Exited": _exited,
    "Step Replanned": _replanned,
    "Steps Skipped": _skipped,
    "Decision Made": _decision,
    "Message Sent": _sent,
    "Message Refused": _unsent,
    "Message Held": _held,
    "Household Recorded": _household,
    "Death Recorded": _death,
    "Bereavement Recorded": _answered,
    "Task Created": _task,
    "Traits Updated": _traits,
    "Profile Parked": lambda one, said, zone: _line(one, "set aside", str(said.get("error"))),
}


def stamp(line: StoryLine, zone: str) -> str:
    """The local time of a line."""
    return clock(line.at, zone)
