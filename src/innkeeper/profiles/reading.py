"""What conditions read of a profile. `journeys/scoping.py` narrows it to one enrollment."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from innkeeper.audiences.merges import NEWEST, Merges
from innkeeper.audiences.nodes import ACCOUNT
from innkeeper.audiences.types import MISSING, Accumulator, Held
from innkeeper.objects.fold import readable
from innkeeper.profiles.memories import memory_at
from innkeeper.profiles.state import Copy, ProfileState
from innkeeper.profiles.ties import account_value, accounts_held, in_account_audience
from innkeeper.profiles.traits import trait_at
from innkeeper.profiles.zone import zone_of


class ProfileReader:
    """Reads the merged facts and the announced memberships of a profile."""

    __slots__ = ("_zone", "merges", "state", "workspace_zone")

    def __init__(self, state: ProfileState, workspace_zone: str, merges: Merges = NEWEST) -> None:
        self.state, self.workspace_zone, self.merges = state, workspace_zone, merges
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
        return trait_at(self.state, path, self.merges)

    def memory(self, path: tuple[str, ...]) -> Any:
        """What is remembered."""
        return memory_at(self.state, path)

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
        """The announced membership, of the profile or of its account."""
        return name in self.state.memberships or (bool(self.state.accounts) and in_account_audience(self.state, name))

    def account(self, path: tuple[str, ...]) -> Any:
        """A trait of the profile's account, its id, or the role in it."""
        return account_value(self.state, path)

    def zone(self) -> str:
        """The profile's zone."""
        if self._zone is None:
            self._zone = zone_of(self.state, self.workspace_zone, self.merges).name
        return self._zone

    def forget_zone(self) -> None:
        """Work the zone out again: a trait that it comes from has changed."""
        self._zone = None

    def entry(self, path: tuple[str, ...]) -> Any:
        """Outside a journey there is no entry event."""
        return MISSING

    def about(self, parts: tuple[str, ...]) -> Any:
        """Outside a journey there is no object of the enrollment."""
        return MISSING

    def objects(self, of: str) -> list[Held]:
        """The profile's copies of the objects of a type, or of its accounts."""
        if of == ACCOUNT:
            return accounts_held(self.state)
        return [held_of(copy) for copy in self.state.objects.get(of, {}).values()]


def held_as(view: dict[str, Any], roles: Sequence[str]) -> Held:
    """What conditions read of a view, in some roles; an empty view has nothing."""
    return Held(readable(view) if view else {}, tuple(roles))


def held_of(copy: Copy) -> Held:
    """A copy as conditions read it."""
    return Held(readable(copy.view), tuple(sorted({role for roles in copy.holders.values() for role in roles})))


def at_path(properties: dict[str, Any], path: tuple[str, ...]) -> Any:
    """The value at a dotted path; MISSING when absent or null."""
    value: Any = properties
    for part in path:
        if not isinstance(value, dict):
            return MISSING
        value = value.get(part)
    return MISSING if value is None else value
