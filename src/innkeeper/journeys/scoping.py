"""What the conditions of one enrollment count.

A function without `within` counts what was taken after the enrollment began: summaries kept with the enrollment. In a
journey with a key, an event that carries the key's property counts only for the enrollment with that key: windowed
functions read summaries kept apart by that property. About an object, the role in it is asked for as `any` does: a
condition holds if it does in one of the customer's roles.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from innkeeper.audiences.nodes import Expression, Path, walk
from innkeeper.audiences.types import MISSING, Accumulator, Condition, FactsReader, Held
from innkeeper.events.types import Event
from innkeeper.kernel.time import Instant
from innkeeper.objects.fold import readable
from innkeeper.profiles.fold import key_text
from innkeeper.profiles.reading import ProfileReader, at_path, held_of
from innkeeper.profiles.rules import partition_key
from innkeeper.profiles.state import Copy, Enrollment


class KeyPath(NamedTuple):
    """Where events carry a journey's key.

    Attributes:
        default: The property's path.
        by_event: For events that carry it elsewhere.
        about: The object type whose ids the keys are; None: the key is just a property.
    """

    default: tuple[str, ...]
    by_event: Mapping[str, tuple[str, ...]] = {}
    about: str | None = None

    def of(self, event: str) -> tuple[str, ...]:
        """The path in events of a name."""
        return self.by_event.get(event, self.default)


class EnrollmentReader:
    """Reads a profile as one enrollment sees it.

    Args:
        own: With the scope of exits, goals and waits.
        role: In which of its roles the object of the enrollment is looked at.
    """

    __slots__ = ("_enrollment", "_key_path", "_own", "_profile", "_role")

    def __init__(
        self, profile: ProfileReader, enrollment: Enrollment, key_path: KeyPath | None, *, own: bool,
        role: str | None = None,
    ) -> None:  # fmt: skip
        self._profile, self._enrollment, self._key_path, self._own = profile, enrollment, key_path, own
        self._role = role

    def in_each_role(self) -> list[EnrollmentReader]:
        """The same, once for each role that the profile has in the enrollment's object; itself if it has none."""
        copy = self._copy()
        roles = () if copy is None else held_of(copy).roles
        return [
            EnrollmentReader(self._profile, self._enrollment, self._key_path, own=self._own, role=role)
            for role in roles
        ] or [self]

    def accumulated(self, accumulator: Accumulator) -> Any:
        """The summary in the enrollment's scope."""
        if not self._own:
            return self._profile.accumulated(accumulator)
        if not accumulator.windowed:
            parts = [facts.get(accumulator.key) for facts in self._enrollment.facts.values()]
        elif self._key_path is None:
            return self._profile.accumulated(accumulator)
        else:
            parts = self._by_key(partition_key(accumulator, self._key_path.of(accumulator.event)))
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

    def memory(self, path: tuple[str, ...]) -> Any:
        """What is remembered."""
        return self._profile.memory(path)

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

    def about(self, parts: tuple[str, ...]) -> Any:
        """A value of the object that the enrollment is about."""
        if self._key_path is None or self._key_path.about != parts[0]:
            return MISSING
        copy = self._copy()
        return MISSING if copy is None else at_path({**readable(copy.view), "role": self._role}, parts[1:])

    def _copy(self) -> Copy | None:
        if self._key_path is None or self._key_path.about is None:
            return None
        return self._profile.state.objects.get(self._key_path.about, {}).get(self._enrollment.key or "")

    def objects(self, of: str) -> list[Held]:
        """The profile's objects of a type."""
        return self._profile.objects(of)


def asking_for_role(compile_live: Callable[[Expression], Condition], expression: Expression) -> Condition:
    """A journey's condition; one that asks for the role in its object holds if it does in one of the roles."""
    condition = compile_live(expression)
    if not any(isinstance(node, Path) and _is_role(node) for node in walk(expression)):
        return condition

    def in_one_role(facts: FactsReader, now: Instant) -> tuple[bool, Instant]:
        if not isinstance(facts, EnrollmentReader):
            return condition.evaluate(facts, now)
        answers = [condition.evaluate(each, now) for each in facts.in_each_role()]
        return any(holds for holds, _ in answers), min(at for _, at in answers)

    return replace(condition, evaluate=in_one_role)


def _is_role(path: Path) -> bool:
    return path.root == "object" and path.parts[1:] == ("role",)


def count_for(
    enrollment: Enrollment, accumulators: tuple[Accumulator, ...], key_path: KeyPath | None, event: Event
) -> None:
    """Count an event for one enrollment, unless it carries another key."""
    if key_path is not None:
        value = key_text(at_path(event.properties, key_path.of(event.name)))
        if value is not None and value != enrollment.key:
            return
    facts = enrollment.facts.setdefault(event.identifier, {})
    for accumulator in accumulators:
        state = accumulator.add(facts.get(accumulator.key), event)
        if state is not None:
            facts[accumulator.key] = state
