"""Retention in miniature: the older part of a history is replaced by what is carried of it, and the questions are
asked again, by SQL and by accumulators. The judge is the oracle over the whole history.
"""

from __future__ import annotations

import random
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from innkeeper.audiences import Expression, compile_live
from innkeeper.audiences.nodes import Aggregate, walk
from innkeeper.events.retention import CARRIED, STANDING
from innkeeper.events.types import ENGINE_SOURCE, Event
from innkeeper.identity.evidence import SPOKEN
from innkeeper.kernel.ids import ANONYMOUS, USER
from innkeeper.kernel.json import dumps, loads


def carried_of(
    events: Sequence[Event], expressions: Sequence[Expression], number: int, left: Sequence[Event]
) -> list[Event]:
    """What stands in for events: one per identifier and stretch between two events that say who is who."""
    turns = sorted(event.timestamp for event in left if says_who(event))
    found = {each.key: each for expression in expressions for each in compile_live(expression).accumulators}
    summaries = list(found.values())
    states: dict[tuple[str, int], dict[str, Any]] = defaultdict(dict)
    latest: dict[tuple[str, int], int] = {}
    for event in events:
        place = event.identifier, bisect_right(turns, event.timestamp)
        latest[place] = max(latest.get(place, event.timestamp), event.timestamp)
        own = states[place]
        for summary in summaries:
            if summary.event == event.name:
                own[summary.key] = summary.add(own.get(summary.key), event)
    made = []
    for (identifier, stretch), at in latest.items():
        own = states[identifier, stretch]
        totals = {s.key: total for s in summaries if (total := s.carry(own.get(s.key))) is not None}
        made.append(
            Event(
                source=ENGINE_SOURCE, message_id=f"carried-{number}-{stretch}-{identifier}", type="track", name=CARRIED,
                user_id=identifier[len(USER) :] if identifier.startswith(USER) else None,
                anonymous_id=identifier[len(ANONYMOUS) :] if identifier.startswith(ANONYMOUS) else None,
                timestamp=at, received_at=0, properties=loads(dumps({"accumulators": totals})),
            )
        )  # fmt: skip
    return made


def says_who(event: Event) -> bool:
    """Whether an event may say something about who is who."""
    both = event.user_id is not None and event.anonymous_id is not None
    return both or event.type == "alias" or event.name in SPOKEN or bool(event.context)


def split(events: Sequence[Event], until: int, dice: random.Random) -> tuple[list[Event], list[Event]]:
    """Which events go and which stay: those that say more than that they happened stay."""
    gone: list[Event] = []
    left: list[Event] = []
    for event in events:
        stays = (
            event.timestamp > until or bool(event.traits) or event.name in STANDING or says_who(event)
            or not event.is_input
        )  # fmt: skip
        (left if stays or dice.random() < 0.2 else gone).append(event)
    return gone, left


def without_short_windows(expression: Expression, shortest: int) -> bool:
    """Whether every window leaves the removed events behind, or takes them all in."""
    spans = [node.within or node.before for node in walk(expression) if isinstance(node, Aggregate)]
    return all(span is None or span.horizon <= shortest for span in spans)
