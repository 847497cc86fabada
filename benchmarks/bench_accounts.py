"""Accounts: one with 10,000 members changes; how long until the last member has been told, and what others wait for it.

Every member is an open profile of an audience that reads the trait, so each told member announces an entry. `run` tells
at the instant of the change; `up` is the engine's own loop at the time of day, while others send events: their p99 from
acknowledged to committed is compared with the same loop before the change.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks.harness import Row, Scale, Table, progress, ratio, scratch
from innkeeper.events.types import Event, to_row
from innkeeper.kernel.ids import digest
from innkeeper.kernel.time import SystemClock, parse_instant
from innkeeper.runtime import definitions
from innkeeper.runtime.live import Live
from innkeeper.runtime.run import run as run_until
from innkeeper.store.accounts import open_fanouts
from innkeeper.store.log import Log
from innkeeper.store.state import State

_MEMBERS = 10_000
_OTHERS_PER_SECOND = 50
_BEFORE_SECONDS = 5.0
_BEGIN = parse_instant("2026-03-01T00:00:00Z")
_STRATEGY = {
    "strategy.yaml": "name: bench\nevents: [Login]\naccounts: {traits: {seats: number}}\n",
    "audiences/large.yaml": "when: account.seats >= 10\n",
    "audiences/recent.yaml": "when: \"did('Login', within => '7 days') and account.seats >= 10\"\n",
}


def run(scale: Scale) -> Table:
    """Measure both ways."""
    table = Table(title="Accounts: a change, told to all members")
    members = scale.of(_MEMBERS, least=200)
    with scratch("accounts") as folder:
        progress(f"  {members:,} members, run")
        told, seconds = _in_run(folder / "run", members)
        table.rows.append(
            Row(
                what=f"an account with {members:,} members: change to last member, `run`",
                measured=f"{seconds:.2f} s, {told / seconds:,.0f} told/s",
            )
        )
        progress(f"  {members:,} members, up")
        _in_up(folder / "up", members, table)
    return table


def _event(number: int, name: str, who: str, at: int, **more: object) -> Event:
    return Event(
        source="bench", message_id=digest(name, number, who), type=str(more.pop("type", "track")), name=name,
        user_id=who, timestamp=at, received_at=at, properties=more.pop("properties", {}), extra=more,  # type: ignore[arg-type]
    )  # fmt: skip


def _joined(members: int) -> Iterator[Event]:
    for number in range(members):
        who = f"m{number:06d}"
        traits = {"seats": 3} if number == 0 else {}
        yield _event(number, "Grouped", who, _BEGIN + number, type="group", groupId="acme", traits=traits)
        yield _event(number, "Login", who, _BEGIN + 10**9 + number)


def _grown(number: int, at: int) -> Event:
    return _event(number, "Account Updated", "m000000", at, properties={"account_id": "acme", "set": {"seats": 20}})


def _prepare(home: Path, members: int, until: int) -> None:
    home.mkdir()
    with State.open(home, create=True) as state:
        definitions.apply(state, _STRATEGY, _BEGIN)
    with Log.open(home) as log:
        log.append([to_row(event) for event in _joined(members)])
    run_until(home, until=until, deliver="none")


def _entered(home: Path) -> int:
    with State.open(home, readonly=True) as state:
        rows = state.connection.execute("SELECT body FROM subjects")
        return sum(b"large" in body for (body,) in rows)


def _in_run(home: Path, members: int) -> tuple[int, float]:
    end = _BEGIN + 2 * 10**10
    _prepare(home, members, end)
    with Log.open(home) as log:
        log.append([to_row(_grown(1, end + 1))])
    begin = time.perf_counter()
    run_until(home, until=end + 2, deliver="none")
    seconds = time.perf_counter() - begin
    told = _entered(home)
    if told != members:
        raise AssertionError(f"{told} of {members} members were told")
    return told, seconds


class _Others(threading.Thread):
    """People who have nothing to do with the account, each event acknowledged at a noted moment."""

    def __init__(self, home: Path) -> None:
        super().__init__(daemon=True)
        self.home, self.stop = home, threading.Event()
        self.sent: list[tuple[int, float]] = []

    def run(self) -> None:
        """Send an event every so often."""
        number, clock = 0, SystemClock()
        with Log.open(self.home) as log:
            while not self.stop.is_set():
                number += 1
                log.append([to_row(_event(number, "Login", f"o{number % 500}", clock.now()))])
                self.sent.append((log.last_seq(), time.perf_counter()))
                time.sleep(1 / _OTHERS_PER_SECOND)


def _in_up(home: Path, members: int, table: Table) -> None:
    _prepare(home, members, SystemClock().now())
    others = _Others(home)
    waits: list[tuple[float, float]] = []
    with Log.open(home, read_only=True) as log, State.open(home) as state:
        live = Live(home, log, state, SystemClock())
        others.start()
        calm_until = time.perf_counter() + _BEFORE_SECONDS
        taken = _follow(live, others, 0, waits, lambda: time.perf_counter() < calm_until)
        calm, waits = waits, []
        with Log.open(home) as writing:
            writing.append([to_row(_grown(2, SystemClock().now()))])
            changed = writing.last_seq()
        begin = time.perf_counter()
        _follow(live, others, taken, waits, lambda: live.cursor.seq < changed or bool(open_fanouts(state)))
        seconds = time.perf_counter() - begin
        others.stop.set()
        others.join()
        live.deliverer.close()
    told = _entered(home)
    if told != members:
        raise AssertionError(f"{told} of {members} members were told")
    before, during = (_p99([wait for _, wait in found]) for found in (calm, waits))
    table.rows += [
        Row(
            what=f"the same, `up`, with {_OTHERS_PER_SECOND} other events/s",
            measured=f"{seconds:.2f} s, {told / seconds:,.0f} told/s",
        ),
        Row(
            what=f"p99 of those others, acknowledged to committed ({len(waits)} while it is told)",
            measured=f"{during * 1000:.0f} ms", bare=f"{before * 1000:.0f} ms before the change",
            ratio=ratio(during, before),
        ),
    ]  # fmt: skip


def _follow(
    live: Live, others: _Others, taken: int, waits: list[tuple[float, float]], go_on: Callable[[], bool]
) -> int:
    """Let the loop turn; note for each event of others how long it waited. How many have been noted in all."""
    while go_on():
        busy = live.step()
        now = time.perf_counter()
        while taken < len(others.sent) and others.sent[taken][0] <= live.cursor.seq:
            waits.append((now, now - others.sent[taken][1]))
            taken += 1
        if not busy:
            time.sleep(0.05)
    return taken


def _p99(waits: list[float]) -> float:
    if not waits:
        return 0.0
    return sorted(waits)[min(len(waits) - 1, round(len(waits) * 0.99))]
