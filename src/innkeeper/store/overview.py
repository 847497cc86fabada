"""Reads the figures of an overview from `state.db`, and a profile's events from the log. Changes nothing.

The statements are `store/sql/overview.sql`. What the figures mean is `measurement/overview.py`; who puts everything
together is `runtime/overview.py`.
"""

from __future__ import annotations

import sqlite3
from collections import Counter, defaultdict
from collections.abc import Collection, Sequence
from functools import cache
from importlib import resources
from typing import Any, Protocol

from innkeeper.identity.spans import ALWAYS, spans
from innkeeper.kernel.json import loads
from innkeeper.kernel.time import DAY, FOREVER, MINUTE, Instant
from innkeeper.kernel.zones import to_local
from innkeeper.measurement.overview import Balance, Day, JourneyFigures, Refusal
from innkeeper.measurement.story import Happening
from innkeeper.store.identity import IdentityTables

_SLICE = 15 * MINUTE
_OPEN = ("planned", "claimed", "committing")


class Rows(Protocol):
    """What is needed of `Bulk`."""

    def rows(self, sql: str, params: Any = None) -> list[tuple[Any, ...]]:
        """The rows of a question."""


def journeys(connection: sqlite3.Connection, declared: list[str]) -> list[JourneyFigures]:
    """What each journey did; declared ones that nobody entered are listed too."""
    outcomes: dict[str, Counter[str]] = defaultdict(Counter)
    deliveries: dict[str, Counter[str]] = defaultdict(Counter)
    refused: dict[str, Counter[str]] = defaultdict(Counter)
    tasks: Counter[str] = Counter()
    for journey, outcome, count in _ask(connection, "enrollments"):
        outcomes[journey][outcome] += count
    for journey, state, virtual, count in _ask(connection, "deliveries"):
        deliveries[journey]["virtual" if virtual else state] += count
    for journey, outcome, _, reason, _, count in _ask(connection, "refusals"):
        if outcome == "deny":
            refused[journey][reason] += count
    for journey, _, count in _ask(connection, "tasks"):
        tasks[journey] += count
    names = sorted({*declared, *outcomes, *deliveries}, key=lambda name: (-outcomes[name].total(), name))
    return [
        JourneyFigures(
            name=name,
            entered=outcomes[name].total(),
            open=outcomes[name]["open"],
            outcomes={outcome: count for outcome, count in outcomes[name].items() if outcome != "open"},
            deliveries=dict(deliveries[name]),
            refused=dict(refused[name]),
            tasks=tasks[name],
        )
        for name in names
    ]


def refusals(connection: sqlite3.Connection) -> list[Refusal]:
    """Candidates denied or put off, by outcome, gate, reason and purpose."""
    counts: Counter[tuple[str, str, str, str]] = Counter()
    for _, outcome, gate, reason, purpose, count in _ask(connection, "refusals"):
        counts[outcome, gate, reason, purpose] += count
    return [
        Refusal(outcome=outcome, gate=gate, reason=reason, purpose=purpose, candidates=count)
        for (outcome, gate, reason, purpose), count in sorted(counts.items())
    ]


def tasks(connection: sqlite3.Connection) -> dict[str, int]:
    """Tasks by queue."""
    counts: Counter[str] = Counter()
    for _, queue, count in _ask(connection, "tasks"):
        counts[queue] += count
    return dict(counts)


def balance(connection: sqlite3.Connection) -> Balance:
    """Planned against all ends and what is still open."""
    ends: Counter[str] = Counter()
    still_open: Counter[str] = Counter()
    for _, state, _, count in _ask(connection, "deliveries"):
        (still_open if state in _OPEN else ends)[state] += count
    planned: int = _ask(connection, "planned")[0][0]
    return Balance(planned=planned, ends=dict(ends), open=dict(still_open))


def days(connection: sqlite3.Connection, zone: str, since: Instant, until: Instant) -> list[Day]:
    """Every local day of a period with what was sent and held back; at most the last 400."""
    since = max(since, until - 400 * DAY)
    sent: dict[str, Counter[str]] = defaultdict(Counter)
    held: dict[str, Counter[str]] = defaultdict(Counter)
    local_day = cache(lambda place: to_local(place * _SLICE, zone).date().isoformat())
    for place, kind, count in _ask(connection, "sent_per_slice"):
        sent[local_day(place)][kind] += count
    for place, gate, count in _ask(connection, "held_per_slice"):
        held[local_day(place)][gate] += count
    names = sorted({local_day(place) for place in range(since // _SLICE, until // _SLICE, 4)})
    return [
        Day(day=day, sent=dict(sent[day]), capped=held[day]["cap"], deferred=held[day]["quiet_hours"]) for day in names
    ]


def hours(connection: sqlite3.Connection) -> list[int]:
    """Messages that quiet hours bind, by the hour of the recipient's own clock."""
    counts = [0] * 24
    for zone, place, count in _ask(connection, "sent_per_local_slice"):
        counts[to_local(place * _SLICE, zone).hour] += count
    return counts


def eventful(connection: sqlite3.Connection) -> str | None:
    """The subject to whom the most different things happened; the same one for the same state."""
    row = connection.execute(_statements()["eventful"]).fetchone()
    return None if row is None else str(row[0])


def happenings(connection: sqlite3.Connection, bulk: Rows, subject: str, until: Instant) -> list[Happening]:
    """The events of a profile, its own and the engine's, in the order in which they happened."""
    return happenings_of(bulk, stretches_of(connection, subject), until)


def happenings_of(
    bulk: Rows, stretches: Sequence[tuple[str, Instant, Instant]], until: Instant, without: Collection[int] = ()
) -> list[Happening]:
    """The events of some identifiers in stretches of time, in the order in which they happened.

    *without*: but for those of some places.
    """
    if not stretches:
        return []
    found = bulk.rows(
        "SELECT ts, source, type, name, properties, traits, extra, seq FROM events JOIN ("
        " SELECT unnest(?::VARCHAR[]) AS identifier, unnest(?::BIGINT[]) AS since, unnest(?::BIGINT[]) AS until"
        ") AS own USING (identifier) WHERE ts >= own.since AND ts < own.until AND ts <= ?"
        " ORDER BY ts, source = 'innkeeper', seq NULLS LAST",
        [*map(list, zip(*stretches, strict=True)), until],
    )
    return [
        Happening(at=at, own=source == "innkeeper", type=kind, name=name, properties=loads(properties or "{}"),
                  traits=loads(traits or "{}"), extra=loads(extra or "{}"))
        for at, source, kind, name, properties, traits, extra, seq in found
        if seq not in without
    ]  # fmt: skip


def stretches_of(connection: sqlite3.Connection, subject: str) -> list[tuple[str, Instant, Instant]]:
    """The identifiers of a profile, and from when until when they are its own."""
    tables = IdentityTables(connection)
    members = tables.members([subject]).get(subject) or [subject]
    found = [(each, ALWAYS, FOREVER) for each in members]
    names = sorted({name for each in members for name, _ in tables.claimed(each, counting=True)})
    for name, turns in sorted(tables.turns(names).items()):
        found += [(name, span.since, span.until) for span in spans(turns) if span.claimant in members]
    return found


def _ask(connection: sqlite3.Connection, name: str) -> list[tuple[Any, ...]]:
    return connection.execute(_statements()[name]).fetchall()


@cache
def _statements() -> dict[str, str]:
    """The statements of `overview.sql` by name."""
    text = resources.files("innkeeper.store").joinpath("sql", "overview.sql").read_text(encoding="utf-8")
    parts = text.split("-- name: ")[1:]
    return {name.strip(): statement for name, _, statement in (part.partition("\n") for part in parts)}
