"""The traits of one profile, as plainly as docs/profiles.md says them: from its events, however they came."""

from __future__ import annotations

import unicodedata
from fractions import Fraction
from typing import Any

from innkeeper.audiences.merges import Merges
from innkeeper.events.types import Event

FORBIDDEN = {
    "isadmin", "consent", "tenantid", "workspaceid", "emailverified", "phoneverified", "suppressed", "deceased",
    "roles",
}  # fmt: skip


def forbidden(name: str) -> bool:
    """Whether a name is not for senders to say."""
    visible = "".join(c for c in unicodedata.normalize("NFKC", name) if unicodedata.category(c) not in ("Cf", "Mn"))
    parts = visible.casefold().split(".")
    first = parts[0].strip()
    if first.startswith("$innkeeper") or first.lstrip("$_- ") == "innkeeper":
        return True
    bare = ["".join(c for c in part if c not in " _-$") for part in parts]
    return bool(FORBIDDEN & set(bare)) or any(part.strip() in ("created_at", "created-at") for part in parts)


def allowed(value: Any) -> Any:
    """A value without what is not for senders to say."""
    if isinstance(value, dict):
        return {name: allowed(each) for name, each in value.items() if not forbidden(name)}
    return [allowed(each) for each in value] if isinstance(value, list) else value


def traits_of(events: list[Event], merges: Merges, at: int = 0) -> dict[str, Any]:
    """The traits that a profile has at an instant; without retentions it has them at any."""
    from oracle.audience_oracle import NOTHING, instant_of, number_of

    in_order = sorted(events, key=lambda event: (event.timestamp, event.source, event.message_id))
    words = [
        (event, name, value)
        for event in in_order
        for name, value in allowed(event.traits).items()
        if name not in merges.kept or at - event.timestamp < merges.kept[name]
    ]
    traits: dict[str, Any] = {}
    for name in {name for _, name, _ in words}:
        mine = [(event, value) for event, each, value in words if each == name]
        rule = merges.rules.get(name)
        merge = "newest" if rule is None else rule.merge
        newest_of_each = {event.identifier: (event, value) for event, value in mine}
        if merge == "newest":
            found = mine[-1][1]
        elif merge == "oldest":
            found = next((value for _, value in mine if value is not None), None)
        elif merge == "trusted":
            most = max(merges.trust.get(event.source, 1) for event, _ in mine)
            found = [value for event, value in mine if merges.trust.get(event.source, 1) == most][-1]
        elif merge == "add":
            counted = [number_of(value) for _, value in newest_of_each.values()]
            counted = [each for each in counted if each is not NOTHING and abs(each) < 10**18]
            total = sum(counted, Fraction(0))
            found = None if not counted else int(total) if total.denominator == 1 else float(total)
        else:
            measure = instant_of if rule is not None and rule.type == "instant" else number_of
            sign = 1 if merge == "max" else -1
            sized = [(measure(value), event, value) for event, value in newest_of_each.values()]
            ranked = [
                (sign * (size[0] if isinstance(size, tuple) else size), e.timestamp, e.source, e.message_id, value)
                for size, e, value in sized
                if size is not NOTHING
            ]
            found = max(ranked)[-1] if ranked else None
        if found is not None:
            traits[name] = found
    return traits


def memories_of(events: list[Event]) -> dict[str, Any]:
    """What a profile is remembered by."""
    in_order = sorted(events, key=lambda event: (event.timestamp, event.source, event.message_id))
    found: dict[str, Any] = {}
    things = [event.properties.get("about") for event in events]
    for about in {each for each in things if isinstance(each, str)}:
        mine = [event for event in in_order if event.properties.get("about") == about and about]
        gone = [event.timestamp for event in mine if event.name == "Memory Forgotten"]
        notes = [
            event
            for event in mine
            if event.name == "Memory Noted"
            and event.properties.get("value") is not None
            and event.timestamp > max(gone, default=event.timestamp - 1)
        ]
        own = [event for event in notes if event.properties.get("explicit") is True]
        if notes:
            found[about] = (own or notes)[-1].properties["value"]
    return found
