"""What a tick knows of other subjects than profiles: it folds them, and finds out whom they tell.

An event is planned before it is taken, because an engine that waits for deliveries has to know whom it concerns. The
profiles are told by `engine.py`, which commits things and profiles together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from innkeeper.events.types import Event
from innkeeper.kernel.time import Instant
from innkeeper.profiles.others import Folded, News, OtherFold
from innkeeper.store import things
from innkeeper.store.state import State
from innkeeper.store.things import ThingKey, ThingRow


@dataclass(slots=True)
class Plan:
    """What an event changes in things.

    Attributes:
        keys: The things that it is about, changed or not.
        folded: Those that it changes.
    """

    keys: tuple[ThingKey, ...] = ()
    folded: dict[ThingKey, Folded] = field(default_factory=dict)

    def by_subject(self, owner: Callable[[str, Instant], str]) -> dict[str, tuple[News, ...]]:
        """The news by the profile that hears them, in the order of the folds."""
        found: dict[str, tuple[News, ...]] = {}
        for folded in self.folded.values():
            for subject, news in folded.tell(owner):
                found[subject] = (*found.get(subject, ()), news)
        return found

    @property
    def marks(self) -> set[str]:
        """Names of the things beside those of subjects: an event that has to wait holds back later ones about them."""
        return {"\x00".join(("", *key)) for key in self.keys}


NOTHING = Plan()


class Things:
    """The things of a tick: read when an event is about them, kept until they are committed."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._bodies: dict[ThingKey, bytes | None] = {}
        self._dirty: dict[ThingKey, ThingRow] = {}
        self._told: set[tuple[str, str, str, str]] = set()

    def load(self, events: Iterable[Event], folds: tuple[OtherFold, ...]) -> None:
        """Read everything that a tick's events are about, in one query."""
        self._bodies.clear()
        if folds:
            self._read({key for event in events for key in _keys(event, folds)})

    def plan(self, event: Event, at: Instant, folds: tuple[OtherFold, ...]) -> Plan:
        """What the event changes; nothing is changed yet."""
        keys = _keys(event, folds)
        if not keys:
            return NOTHING
        self._read({key for key in keys if key not in self._bodies})
        plan = Plan(keys)
        for fold in folds:
            for key in keys:
                if key.kind == fold.kind:
                    folded = fold.take(key.type, key.id, self._bodies[key], event, at)
                    if folded is not None:
                        plan.folded[key] = folded
        return plan

    def keep(self, plan: Plan) -> None:
        """The planned changes have been made."""
        for key, folded in plan.folded.items():
            self._bodies[key] = folded.body
            self._dirty[key] = ThingRow(*key, folded.next_due_at, folded.body)
            self._told.update((identifier, *key) for identifier in folded.holders)

    def write(self) -> None:
        """Write what has changed since the last commit; part of the tick's transaction."""
        if self._dirty:
            things.put(self._state, [self._dirty[key] for key in sorted(self._dirty)])
            things.add_told(self._state, sorted(self._told))
            self._dirty, self._told = {}, set()

    def fold_all(self, events: Sequence[Event], folds: tuple[OtherFold, ...]) -> None:
        """Fold events for the things alone: nobody is told. Written at once."""
        self.load(events, folds)
        for event in events:
            self.keep(self.plan(event, event.timestamp, folds))
        with self._state.transaction():
            self.write()

    def body(self, key: ThingKey) -> bytes | None:
        """A thing as it is stored, or as this tick has changed it."""
        if key not in self._bodies:
            self._read({key})
        return self._bodies[key]

    def _read(self, keys: set[ThingKey]) -> None:
        if keys:
            self._bodies.update(dict.fromkeys(keys))
            self._bodies.update(things.bodies(self._state, keys))


def _keys(event: Event, folds: tuple[OtherFold, ...]) -> tuple[ThingKey, ...]:
    return tuple(ThingKey(fold.kind, *named) for fold in folds for named in fold.concerns(event))
