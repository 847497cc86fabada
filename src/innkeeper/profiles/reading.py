"""What conditions read of a profile. `journeys/scoping.py` narrows it to one enrollment."""

from __future__ import annotations

from typing import Any

from innkeeper.audiences.types import MISSING, Accumulator
from innkeeper.profiles.state import ProfileState
from innkeeper.profiles.traits import trait_at
from innkeeper.profiles.zone import zone_of


class ProfileReader:
    """Reads the merged facts and the announced memberships of a profile."""

    __slots__ = ("_zone", "state", "workspace_zone")

    def __init__(self, state: ProfileState, workspace_zone: str) -> None:
        self.state, self.workspace_zone = state, workspace_zone
        self._zone: str | None = None

    def accumulated(self, accumulator: Accumulator) -> Any:
        """The summary merged over the profile's identifiers; None when nothing was counted."""
        key = accumulator.key
        merged: Any = None
        for facts in self.state.facts.values():
            found = facts.accumulators.get(key)
            if found is not None:
                merged = found if merged is None else accumulator.merge(merged, found)
        return merged

    def trait(self, path: tuple[str, ...]) -> Any:
        """The value of a trait."""
        return trait_at(self.state, path)

    def identifier(self, namespace: str) -> str | None:
        """The identifier in a namespace, without the namespace: the subject's own, else the smallest."""
        state, prefix = self.state, namespace + ":"
        if state.subject.startswith(prefix):
            return state.subject[len(prefix) :]
        known = {*state.facts, *state.identifiers}
        return min((name[len(prefix) :] for name in known if name.startswith(prefix)), default=None)

    def stage(self) -> str | None:
        """The announced stage."""
        return self.state.stage

    def in_audience(self, name: str) -> bool:
        """The announced membership."""
        return name in self.state.memberships

    def zone(self) -> str:
        """The profile's zone."""
        if self._zone is None:
            self._zone = zone_of(self.state, self.workspace_zone).name
        return self._zone

    def forget_zone(self) -> None:
        """Work the zone out again: a trait that it comes from has changed."""
        self._zone = None

    def entry(self, path: tuple[str, ...]) -> Any:
        """Outside a journey there is no entry event."""
        return MISSING


def at_path(properties: dict[str, Any], path: tuple[str, ...]) -> Any:
    """The value at a dotted path; MISSING when absent or null."""
    value: Any = properties
    for part in path:
        if not isinstance(value, dict):
            return MISSING
        value = value.get(part)
    return MISSING if value is None else value
