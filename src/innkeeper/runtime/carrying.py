"""What raw events add up to, written in their place: one `Facts Carried` per identifier and stretch of ownership.

Only what no window bounds is carried: a window is never longer than its events are kept, which `check` sees to
(`strategy/retention_check.py`). Next: `retention.py` puts it into the log in the same change in which the events go.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

from innkeeper.audiences.types import Accumulator
from innkeeper.events.retention import CARRIED
from innkeeper.events.types import ENGINE_SOURCE, Event
from innkeeper.kernel.errors import OperationFailed
from innkeeper.kernel.ids import USER, digest
from innkeeper.kernel.json import dumps, dumps_bytes, loads
from innkeeper.kernel.time import Instant, format_instant, parse_instant
from innkeeper.lifecycle import World
from innkeeper.store import files
from innkeeper.store.due import Going
from innkeeper.store.manifest import LetGo
from innkeeper.store.projections import sender

#: Digits of millionths beyond which the bulk engine could not add two totals any more.
_DIGITS = 37


def carried_summaries(world: World) -> dict[str, Accumulator]:
    """The summaries that have to be carried: those of whole profiles without a window, by key."""
    return {
        key: accumulator
        for key, (accumulator, path) in world.profiles.accumulators.items()
        if path is None and not accumulator.windowed
    }


@dataclass(slots=True)
class _Total:
    """What has been added up of one identifier and stretch."""

    identifier: str
    since: Instant
    until: Instant
    counts: Counter[str] = field(default_factory=Counter)
    states: dict[str, Any] = field(default_factory=dict)


class Carrying:
    """Adds up what goes.

    Args:
        summaries: What is carried, by key.
        generation: Of the manifest that will name the result; part of the message ids.
        at: The workspace's clock.
    """

    def __init__(self, summaries: Mapping[str, Accumulator], generation: int, at: Instant) -> None:
        self._summaries, self._generation, self._at = summaries, generation, at
        self._by_event: dict[str, list[tuple[str, Accumulator]]] = {}
        for key, accumulator in summaries.items():
            self._by_event.setdefault(accumulator.event, []).append((key, accumulator))

    @property
    def read(self) -> list[str]:
        """Names of the events that some summary counts."""
        return sorted({*self._by_event, CARRIED})

    def write(self, going: Iterable[Going], path: Path) -> int:
        """Write the rows that come in the place of what goes, as JSON lines of the tail's columns; how many."""
        rows = 0
        with files.translated(path), path.open("wb") as file:
            for _, group in groupby(going, key=lambda row: (row.identifier, row.span)):
                file.write(dumps_bytes(self._row(self._added(group))) + b"\n")
                rows += 1
        return rows

    def _added(self, group: Iterator[Going]) -> _Total:
        total: _Total | None = None
        for row in group:
            if total is None:
                total = _Total(row.identifier, row.timestamp, row.timestamp)
            total.until = max(total.until, row.timestamp)
            if row.name == CARRIED and row.source == ENGINE_SOURCE:
                self._merge(total, loads(row.properties))
                continue
            total.since = min(total.since, row.timestamp)
            total.counts[row.name] += 1
            summaries = self._by_event.get(row.name)
            if summaries is not None:
                event = _event(row)
                for key, accumulator in summaries:
                    total.states[key] = accumulator.add(total.states.get(key), event)
        if total is None:
            raise AssertionError("a group has at least one row")
        return total

    def _merge(self, total: _Total, earlier: dict[str, Any]) -> None:
        total.since = min(total.since, parse_instant(earlier["since"]))
        total.counts.update(earlier["events"])
        for key, carried in earlier["accumulators"].items():
            accumulator = self._summaries.get(key)
            if accumulator is not None:
                total.states[key] = accumulator.merge(total.states.get(key), accumulator.resume(carried))

    def _row(self, total: _Total) -> dict[str, Any]:
        user_id, anonymous_id = sender(total.identifier)
        carried = {key: self._summaries[key].carry(state) for key, state in sorted(total.states.items())}
        _fits(carried)
        properties = {
            "since": format_instant(total.since),
            "until": format_instant(total.until),
            "events": dict(sorted(total.counts.items())),
            "accumulators": {key: value for key, value in carried.items() if value is not None},
        }
        return {
            "seq": 0, "source": ENGINE_SOURCE,
            "message_id": f"carried:{self._generation:08d}:{digest(total.identifier, total.until)}",
            "type": "track", "name": CARRIED, "user_id": user_id, "anonymous_id": anonymous_id,
            "timestamp": total.until, "received_at": self._at, "properties": dumps(properties), "traits": "{}",
            "context": "{}", "extra": "{}",
        }  # fmt: skip


def _event(row: Going) -> Event:
    own = row.identifier.startswith(USER)
    user_id, anonymous_id = sender(row.identifier)
    return Event(
        source=row.source, message_id=row.message_id, type="track", name=row.name, user_id=user_id if own else None,
        anonymous_id=None if own else anonymous_id, timestamp=row.timestamp, received_at=row.timestamp,
        properties={} if row.properties == "{}" else loads(row.properties),
    )  # fmt: skip


def _fits(carried: Mapping[str, Any]) -> None:
    """Refuse sums that the bulk engine could not go on with."""
    for total in carried.values():
        number = total[0] if isinstance(total, list) and len(total) == 2 and isinstance(total[1], int) else total
        if isinstance(number, str) and len(number) > _DIGITS:
            raise OperationFailed(
                f"a sum of {len(number) - 6} digits is too large to be carried; nothing was changed",
                code="too-large-to-carry", fix="keep the events that are summed: retention: {events: {NAME: keep}}",
            )  # fmt: skip


def let_go(
    before: tuple[LetGo, ...], going: Mapping[str, Instant], summaries: Mapping[str, Accumulator]
) -> tuple[LetGo, ...]:
    """What a manifest says after events went: by name until when, and which summaries are whole.

    Args:
        before: What it said before.
        going: Names of events that go now, and until when.
        summaries: What is carried of them.
    """
    known = {each.name: each for each in before}
    for name, until in going.items():
        old = known.get(name)
        # What was not carried the last time lacks everything up to then.
        keys = {
            key: None if old is None else old.keys.get(key, old.until)
            for key, accumulator in summaries.items()
            if accumulator.event == name
        }
        known[name] = LetGo(name=name, until=until if old is None else max(until, old.until), keys=keys)
    return tuple(known[name] for name in sorted(known))
