"""What was held of objects under every identifier and since when, for questions about the past that read objects."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from innkeeper.audiences.flips import Holder, Told
from innkeeper.events.types import Event
from innkeeper.kernel.time import BEGINNING, FOREVER, Instant
from innkeeper.objects.definition import ObjectType
from innkeeper.profiles.objects import ObjectFold
from innkeeper.profiles.reading import held_as
from innkeeper.runtime.record import taken_events
from innkeeper.store.state import Cursor

if TYPE_CHECKING:
    from innkeeper.store.bulk import Bulk


def told_history(bulk: Bulk, objects: Mapping[str, ObjectType], until: Instant) -> dict[Holder, list[Told]]:
    """By holder, in the order of time: the fold of all events about objects up to an instant."""
    everything = Cursor(clock=FOREVER, timestamp=FOREVER, seq=FOREVER)
    events = taken_events(bulk, everything, sorted(ObjectFold(objects).event_names), retracted=False)
    return told_from((event for event in events if event.timestamp <= until), objects)


def told_from(events: Iterable[Event], objects: Mapping[str, ObjectType]) -> dict[Holder, list[Told]]:
    """The same from the events themselves."""
    fold = ObjectFold(objects)
    bodies: dict[tuple[str, str], bytes] = {}
    told: dict[Holder, list[Told]] = {}
    for event in sorted(events, key=lambda each: (each.timestamp, each.source, each.message_id)):
        for type_, id_ in fold.concerns(event):
            folded = fold.take(type_, id_, bodies.get((type_, id_)), event, BEGINNING)
            if folded is None:
                continue
            bodies[type_, id_] = folded.body
            for holder, each in folded.tell(Holder):
                held = held_as(each.view, each.roles)
                told.setdefault(holder, []).append(Told(event.timestamp, type_, id_, held))
    return told
