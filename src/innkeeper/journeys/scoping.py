"""What the conditions of one enrollment count.

A function without `within` counts what was taken after the enrollment began: summaries kept with the enrollment. In a
journey with a key, an event that carries the key's property counts only for the enrollment with that key: windowed
functions read summaries kept apart by that property.
"""

from __future__ import annotations

from typing import Any

from innkeeper.audiences.types import Accumulator
from innkeeper.events.types import Event
from innkeeper.profiles.fold import key_text
from innkeeper.profiles.reading import ProfileReader, at_path
from innkeeper.profiles.rules import partition_key
from innkeeper.profiles.state import Enrollment


class EnrollmentReader:
    """Reads a profile as one enrollment sees it; *own*: with the scope of exits, goals and waits."""

    __slots__ = ("_enrollment", "_key_path", "_own", "_profile")

    def __init__(
        self, profile: ProfileReader, enrollment: Enrollment, key_path: tuple[str, ...] | None, *, own: bool
    ) -> None:
        self._profile, self._enrollment, self._key_path, self._own = profile, enrollment, key_path, own

    def accumulated(self, accumulator: Accumulator) -> Any:
        """The summary in the enrollment's scope."""
        if not self._own:
            return self._profile.accumulated(accumulator)
        if not accumulator.windowed:
            parts = [facts.get(accumulator.key) for facts in self._enrollment.facts.values()]
        elif self._key_path is None:
            return self._profile.accumulated(accumulator)
        else:
            parts = self._by_key(partition_key(accumulator, self._key_path))
        merged: Any = None
        for part in parts:
            if part is not None:
                merged = part if merged is None else accumulator.merge(merged, part)
        return merged

    def _by_key(self, storage_key: str) -> list[Any]:
        kept = [facts.accumulators.get(storage_key) for facts in self._profile.state.facts.values()]
        values = dict.fromkeys(("", self._enrollment.key or ""))
        return [by_value[value] for by_value in kept if by_value for value in values if value in by_value]

    def trait(self, path: tuple[str, ...]) -> Any:
        """The value of a trait."""
        return self._profile.trait(path)

    def identifier(self, namespace: str) -> str | None:
        """The profile's identifier in a namespace."""
        return self._profile.identifier(namespace)

    def stage(self) -> str | None:
        """The announced stage."""
        return self._profile.stage()

    def in_audience(self, name: str) -> bool:
        """The announced membership."""
        return self._profile.in_audience(name)

    def account(self, path: tuple[str, ...]) -> Any:
        """A trait of the profile's account."""
        return self._profile.account(path)

    def zone(self) -> str:
        """The profile's zone."""
        return self._profile.zone()

    def entry(self, path: tuple[str, ...]) -> Any:
        """A property of the entry event."""
        return at_path(self._enrollment.event, path)


def count_for(
    enrollment: Enrollment, accumulators: tuple[Accumulator, ...], key_path: tuple[str, ...] | None, event: Event
) -> None:
    """Count an event for one enrollment, unless it carries another key."""
    if key_path is not None:
        value = key_text(at_path(event.properties, key_path))
        if value is not None and value != enrollment.key:
            return
    facts = enrollment.facts.setdefault(event.identifier, {})
    for accumulator in accumulators:
        state = accumulator.add(facts.get(accumulator.key), event)
        if state is not None:
            facts[accumulator.key] = state
