"""Identity: what links cost the engine, and how long two profiles take to become one and to come apart again.

The same events are folded twice by the whole engine: with 30 % of them linking a browser, in which somebody had been
anonymous, to its user, and with these links left out. Merge and unmerge are single ticks of an engine over profiles
with 1,000 events each, from reading the states to the commit on disk.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from statistics import median
from time import perf_counter

from benchmarks import workload
from benchmarks.harness import Row, Scale, Table, progress, ratio, scratch, seconds
from innkeeper.events.types import Event, LogRow
from innkeeper.kernel.json import dumps
from innkeeper.kernel.time import MINUTE, Instant
from innkeeper.runtime import definitions
from innkeeper.runtime.engine import Engine, Item
from innkeeper.runtime.run import run as play
from innkeeper.store.log import Log
from innkeeper.store.state import Cursor, State

_EVENTS = 60_000
_A_CUSTOMER = 10
_LINKS = 0.3
_TARGET = 0.7
_TRIES = 3
_MERGES = 21
_PROFILE_EVENTS = 1_000
_MILLISECONDS = 5.0
_ROWS = ("decisions", "deliveries", "enrollments", "tasks")


def run(scale: Scale) -> Table:
    """Measure both."""
    table = Table(title="Identity: links, merge and unmerge, 50 audiences and 20 journeys")
    with scratch("identity") as folder:
        table.rows.append(_links(folder, scale))
        plain = {name: text for name, text in workload.strategy().items() if not name.startswith("journeys/")}
        table.rows += _merges(folder / "plain", plain, judged=scale.factor == 1)
        table.rows += _merges(folder / "busy", workload.strategy(), judged=False)
    table.notes.append(
        "Facts and process entries are handed over as they are. What grows is the number of rows that a profile has in "
        "the ledger and beside it, which change hands one by one: the last two rows show customers whom 20 journeys "
        "wrote to nearly every day."
    )
    return table


def _links(folder: Path, scale: Scale) -> Row:
    events = scale.of(_EVENTS, least=2_000)
    progress(f"  {events:,} events with links and without")
    taken: dict[bool, list[float]] = {True: [], False: []}
    for number in range(_TRIES):
        for linked in (True, False):
            home = folder / f"{number}-{linked}"
            until = _fill(home, events, linked=linked)
            gc.collect()
            taken[linked].append(seconds(lambda home=home, until=until: play(home, until=until, deliver="none")))  # type: ignore[misc]
    with_links, without = (events / min(taken[linked]) for linked in (True, False))
    return Row(
        what=f"{events:,} events, {_LINKS:.0%} of them link a browser with a past of its own to its user",
        measured=f"{with_links:,.0f} events/s",
        bare=f"{without:,.0f} events/s without the links",
        ratio=ratio(with_links, without),
        target=f"≥ {_TARGET}",
        met=with_links / without >= _TARGET if scale.factor == 1 else None,
    )


def _fill(home: Path, events: int, *, linked: bool) -> Instant:
    """A workspace with the events; the instant of the last."""
    home.mkdir()
    with State.open(home, create=True) as state:
        definitions.apply(state, workload.strategy(), workload.BEGINNING)
    rows = list(_rows(events, linked=linked))
    with Log.open(home) as log:
        pending = iter(rows)
        while page := list(islice(pending, 10_000)):
            log.append(page)
        log.seal(force=True)
    return max(row.timestamp for row in rows)


def _rows(events: int, *, linked: bool) -> Iterator[LogRow]:
    """Of ten events three are anonymous, three bring that browser's user, four are plain."""
    customers = events // _A_CUSTOMER
    for number, row in enumerate(workload.present(customers, events)):
        place, browser = number % 10, f"b{number // 10}-{number % 10 % 5}"
        if place < 3:
            yield row._replace(user_id=None, anonymous_id=browser)
        elif 5 <= place < 8:
            yield row._replace(anonymous_id=browser if linked else None)
        else:
            yield row


def _merges(home: Path, strategy: dict[str, str], *, judged: bool) -> list[Row]:
    progress(f"  merges of two profiles with {_PROFILE_EVENTS:,} events each")
    home.mkdir()
    with State.open(home, create=True) as state:
        definitions.apply(state, strategy, workload.BEGINNING)
        engine = Engine(state, definitions.world(state), delivery="virtual")
        clock = _live(engine)
        taken: dict[str, list[float]] = {"Link Added": [], "Link Removed": []}
        for number in range(_MERGES):
            for name, times in taken.items():
                clock += MINUTE
                word = Event(
                    seq=10**6 + number, source="cli", message_id=f"{name}-{number}", type="track", name=name,
                    user_id="u1", timestamp=clock, received_at=clock, properties={"a": "user_id:u1", "b": "user_id:u2"},
                )  # fmt: skip
                begin = perf_counter()
                engine.tick([Item(word, clock, "live")], clock, Cursor(clock=clock, timestamp=clock))
                times.append((perf_counter() - begin) * 1_000)
            assert state.count_subjects() == 2
        rows = sum(state.connection.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in _ROWS) // 2
    words = {"Link Added": "merge", "Link Removed": "unmerge"}
    return [
        Row(
            what=f"{words[name]} of two profiles with {_PROFILE_EVENTS:,} events and {rows:,} decisions, deliveries, "
            f"enrollments and tasks each, median of {_MERGES}",
            measured=f"{median(times):.1f} ms",
            target=f"< {_MILLISECONDS:.0f} ms" if rows == 0 else "",
            met=median(times) < _MILLISECONDS if judged else None,
        )
        for name, times in taken.items()
    ]


def _live(engine: Engine) -> Instant:
    """Two profiles with their events; the instant of the last."""
    rows = list(workload.present(2, 2 * _PROFILE_EVENTS))
    clock = rows[-1].timestamp
    items = []
    for number, row in enumerate(rows):
        event = Event(
            seq=number + 1, source=row.source, message_id=row.message_id, type=row.type, name=row.name,
            user_id=f"u{1 + number % 2}", timestamp=row.timestamp, received_at=row.timestamp,
            traits={"email": f"u{number % 2}@example.com"}, properties=_decoded(row),
        )  # fmt: skip
        items.append(Item(event, row.timestamp, "live"))
    for start in range(0, len(items), 200):
        page = items[start : start + 200]
        at = page[-1].taken_at
        engine.tick(page, at, Cursor(clock=at, timestamp=at))
    return clock


def _decoded(row: LogRow) -> dict[str, object]:
    from innkeeper.kernel.json import loads

    found: dict[str, object] = loads(row.properties)
    assert dumps(found) == row.properties
    return found
