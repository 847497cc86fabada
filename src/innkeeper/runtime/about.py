"""Which events are about which things, whoever sent them: what a replay of a few customers plays besides their own.

The folds that say so are `profiles/others.py`; who was told of what is `store/things.py`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import TYPE_CHECKING

from innkeeper.events.types import Event
from innkeeper.identity.namespaces import IdentityRules
from innkeeper.kernel.time import FOREVER
from innkeeper.lifecycle import other_folds
from innkeeper.profiles.others import OtherFold
from innkeeper.runtime import definitions as applied
from innkeeper.runtime.record import taken_events
from innkeeper.store.state import Cursor, State
from innkeeper.store.things import ThingKey
from innkeeper.strategy.types import Definitions

if TYPE_CHECKING:
    from innkeeper.store.bulk import Bulk

#: After every event there is.
EVERYTHING = Cursor(clock=FOREVER, timestamp=FOREVER, seq=FOREVER)


def every_fold(state: State) -> tuple[OtherFold, ...]:
    """The folds of every strategy that was ever in force."""
    return tuple(fold for each in applied.earlier(state) for fold in other_folds(each))


def every_rule(state: State) -> list[IdentityRules]:
    """The rules of identity of every strategy that was ever in force; without any, what holds of itself."""
    found: list[IdentityRules] = []
    for each in (Definitions(version="none"), *applied.earlier(state)):
        if each.workspace.identity not in found:
            found.append(each.workspace.identity)
    return found


def keys_of(event: Event, folds: Iterable[OtherFold]) -> Iterator[ThingKey]:
    """The things that an event is about."""
    for fold in folds:
        for named in fold.concerns(event):
            yield ThingKey(fold.kind, *named)


def events_about(bulk: Bulk, folds: Collection[OtherFold], things: Collection[ThingKey]) -> Iterator[Event]:
    """Every event of the log about one of the things, retracted ones too."""
    if not things:
        return
    wanted = set(things)
    names = sorted({name for fold in folds for name in fold.event_names})
    for event in taken_events(bulk, EVERYTHING, names):
        if event.seq and any(key in wanted for key in keys_of(event, folds)):
            yield event


def holders(events: Collection[Event], folds: Collection[OtherFold], things: Collection[ThingKey]) -> set[str]:
    """Everybody who has a role in one of the things while it is folded from the events in their order."""
    found: set[str] = set()
    for fold in folds:
        bodies: dict[ThingKey, bytes] = {}
        for event in events:
            for named in fold.concerns(event):
                key = ThingKey(fold.kind, *named)
                folded = fold.take(*named, bodies.get(key), event, event.timestamp) if key in things else None
                if folded is not None:
                    bodies[key] = folded.body
                    found |= folded.holders
    return found
