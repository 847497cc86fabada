"""Traits: the newest value wins, null removes, whatever the order of arrival. Next in the flow: `turn.py`."""

from __future__ import annotations

from typing import Any

from innkeeper.audiences.types import MISSING
from innkeeper.kernel.json import canonical
from innkeeper.kernel.time import Instant
from innkeeper.profiles.state import Facts, ProfileState, Trait


def set_trait(
    facts: Facts, name: str, value: Any, at: Instant, source: str, message_id: str, *, alone: bool = False
) -> bool:
    """Put a value under an identifier unless a newer one stands; whether what the profile has may have changed.

    *alone*: it is the profile's only identifier, so that the same value again changes nothing.
    """
    old = facts.traits.get(name)
    if old is not None:
        if not _newer(Trait(value, at, source, message_id), old):
            return False
        same = type(old.value) is type(value) and old.value == value
        old.value, old.at, old.source, old.message_id = value, at, source, message_id
        return not (same and alone)
    # A removal changes something too: it may be newer than a value under another identifier.
    facts.traits[name] = Trait(value, at, source, message_id)
    return True


def _newer(a: Trait, b: Trait) -> bool:
    if a.at != b.at:
        return a.at > b.at
    return (a.source, a.message_id, canonical(a.value)) > (b.source, b.message_id, canonical(b.value))


def trait_value(state: ProfileState, name: str) -> Any:
    """The newest value over the profile's identifiers; None when absent or removed."""
    best: Trait | None = None
    for facts in state.facts.values():
        found = facts.traits.get(name)
        if found is not None and (best is None or _newer(found, best)):
            best = found
    return None if best is None else best.value


def trait_at(state: ProfileState, path: tuple[str, ...]) -> Any:
    """The value at a dotted path of a trait; MISSING when absent or null."""
    value = trait_value(state, path[0])
    for part in path[1:]:
        if not isinstance(value, dict):
            return MISSING
        value = value.get(part)
    return MISSING if value is None else value


def all_traits(state: ProfileState) -> dict[str, Any]:
    """All traits that have a value, by name."""
    names = {name for facts in state.facts.values() for name in facts.traits}
    values = {name: trait_value(state, name) for name in sorted(names)}
    return {name: value for name, value in values.items() if value is not None}
