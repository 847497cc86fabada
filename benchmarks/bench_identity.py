"""Identity: what links cost the engine, and how long two profiles take to become one and to come apart again.

The same events are folded twice by the whole engine: with 30 % of them linking a browser, in which somebody had been
anonymous, to its user, and with these links left out. Merge and unmerge are those of an engine over profiles with 1,000
events each, from reading the states to the commit on disk.
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
from innkeeper.events.types import Event, LogRow, to_row
from innkeeper.kernel.json import dumps
from innkeeper.kernel.time import MINUTE, Instant
from innkeeper.runtime import definitions
from innkeeper.runtime.engine import Engine, Item
from innkeeper.runtime.recall import Recall
from innkeeper.runtime.run import run as play
from innkeeper.runtime.unlink import parting, unlink
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
        every = workload.strategy()
        facts = {
            name: text for name, text in every.items() if not name.startswith(("journeys/", "audiences/", "stages"))
        }
        audiences = {name: text for name, text in every.items() if not name.startswith("journeys/")}
        table.rows += _merges(folder / "facts", facts, judged=scale.factor == 1)
        table.rows += _merges(folder / "audiences", audiences, judged=False)
        table.rows += _merges(folder / "busy", every, judged=False)
    table.notes.append(
        "A merge hands facts and process entries over as they are. What grows is the number of rows that a profile has "
        "in the ledger and beside it, which change hands one by one. An unmerge where there are audiences, stages or "
        "journeys plays both lives again without the link; the last rows show customers whom 20 journeys wrote to "
        "nearly every day."
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
    with Log.open(home) as log:
        rows = [_of_two(number, row) for number, row in enumerate(workload.present(2, 2 * _PROFILE_EVENTS))]
        log.append(rows)
        play(home, until=rows[-1].timestamp, deliver="none")
        with State.open(home) as state:
            taken = _words(home, log, state, rows[-1].timestamp)
            held = sum(state.connection.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in _ROWS) // 2
    return [
        Row(
            what=f"{what} of two profiles with {_PROFILE_EVENTS:,} events and {held:,} decisions, deliveries, "
            f"enrollments and tasks each, median of {len(times)}",
            measured=f"{median(times):.1f} ms",
            target=f"< {_MILLISECONDS:.0f} ms" if judged else "",
            met=median(times) < _MILLISECONDS if judged else None,
        )
        for what, times in taken.items()
        if times
    ]


def _words(home: Path, log: Log, state: State, clock: Instant) -> dict[str, list[float]]:
    """Join two profiles and take the link away, again and again; the milliseconds of each, by what was done."""
    merge, fast, revision = "merge", "unmerge, where nothing but facts follows from a link,", "unmerge by a revision"
    taken: dict[str, list[float]] = {merge: [], fast: [], revision: []}
    engine = Engine(state, definitions.world(state), delivery="virtual", memory=Recall(home, state))
    for number in range(_MERGES):
        for name in ("Link Added", "Link Removed"):
            clock += MINUTE
            word = Event(
                seq=log.last_seq() + 1, source="cli", message_id=f"{name}-{number}", type="track", name=name,
                user_id="u1", timestamp=clock, received_at=clock, properties={"a": "user_id:u1", "b": "user_id:u2"},
            )  # fmt: skip
            log.append([to_row(word)])
            item, cursor = Item(word, clock, "live"), Cursor(clock=clock, timestamp=clock, seq=word.seq)
            begin = perf_counter()
            whom = parting(engine, word) if name == "Link Removed" else None
            if whom is not None:
                assert unlink(engine, home, item, whom, cursor)
            else:
                engine.tick([item], clock, cursor)
            done = merge if name == "Link Added" else fast if whom is None else revision
            taken[done].append((perf_counter() - begin) * 1_000)
        assert state.count_subjects() == 2
    return taken


def _of_two(number: int, row: LogRow) -> LogRow:
    who = 1 + number % 2
    return row._replace(user_id=f"u{who}", traits=dumps({"email": f"u{who}@example.com"}))
