"""Retraction: a bad import of 10,000 events of 1,000 profiles in a workspace of 20,000, told, done and lifted.

And one bad event about an account, which every member has heard of.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.harness import Row, Scale, Table, progress, scratch
from innkeeper.events.types import LogRow
from innkeeper.kernel.json import dumps
from innkeeper.kernel.time import Instant
from innkeeper.runtime import definitions
from innkeeper.runtime.replay import replay
from innkeeper.runtime.retract import lift, retract
from innkeeper.runtime.run import run as play
from innkeeper.store.log import Log
from innkeeper.store.state import State

_PROFILES, _CONCERNED, _EVENTS_EACH, _BAD = 20_000, 1_000, 10, 10_000
_MEMBERS = 2_000
_DAY = 86_400_000_000
_BEGIN = 1_767_225_600_000_000
_BATCH = 10_000
_FILES = {
    "strategy.yaml": "name: bench\nzone: UTC\nevents: {Order Completed: [total], Login: []}\n",
    "policies.yaml": "purposes:\n  offers: {kind: marketing, basis: legitimate_interest}\n",
    "audiences/big.yaml": "name: big\ndescription: x\nwhen: sum('Order Completed', total) > 500\n",
    "audiences/active.yaml": "name: active\ndescription: x\nwhen: \"count('Login', within => '7 days') >= 2\"\n",
    "stages.yaml": "- stage: buyer\n  when: did('Order Completed')\n- stage: new\n  when: 'true'\n",
    "messages/hi.md": "---\nchannel: email\npurpose: offers\nsubject: Hi\n---\nHi\n",
    "journeys/big.yaml": "journey: big\nenter: {audience: big}\npurpose: offers\nsteps:\n  - send: hi\n"
    "  - wait: 20 days\n  - send: hi\n",
}
_OF_ACCOUNTS = {
    "strategy.yaml": "name: bench\nzone: UTC\nevents: {Login: []}\n"
    "accounts: {traits: {seats: number}, roles: [member]}\n",
    "audiences/large.yaml": "of: account\nwhen: account.seats >= 10\n",
    "audiences/busy.yaml": "of: account\nwhen: \"count('Login', within => '7 days') >= 3\"\n",
    "audiences/of-large.yaml": "name: of-large\ndescription: x\nwhen: in_audience('large')\n",
    "audiences/of-busy.yaml": "name: of-busy\ndescription: x\nwhen: account.seats >= 10 and in_audience('busy')\n",
}


def run(scale: Scale) -> Table:
    """Measure the three, and that a replay makes the same."""
    table = Table(title="Retraction: a bad import taken back")
    profiles, concerned = scale.of(_PROFILES), scale.of(_CONCERNED)
    bad = scale.of(_BAD)
    with scratch("revise") as folder:
        home = folder / "home"
        progress(f"  {profiles:,} profiles, {profiles * _EVENTS_EACH:,} events, {bad:,} bad ones")
        _prepare(home, profiles, concerned, bad)
        told, seconds = _timed(lambda: retract(home, "bad", begin=_BEGIN, end=_BEGIN + 40 * _DAY))
        what = f"{bad:,} events of {concerned:,} profiles among {profiles:,}"
        table.rows.append(Row(what=f"dry run: {what}", measured=f"{seconds:.1f} s"))
        name, seconds = _timed(lambda: retract(home, "bad", begin=_BEGIN, end=_BEGIN + 40 * _DAY, do=True))
        table.rows.append(
            Row(
                what=f"told and done ({told['counts']['entered']:,} had entered an audience,"
                f" {told['counts']['received']:,} mails had gone out)",
                measured=f"{seconds:.1f} s",
            )
        )
        _, seconds = _timed(lambda: lift(home, name["retraction"], do=True))
        table.rows.append(Row(what="told and lifted again", measured=f"{seconds:.1f} s"))
        found, seconds = _timed(lambda: replay(home))
        table.rows.append(
            Row(what="replay of all of it", measured=f"{seconds:.1f} s, {found.different} different",
                target="0 different", met=found.different == 0)
        )  # fmt: skip
    table.rows.append(_account(scale.of(_MEMBERS)))
    return table


def _account(members: int) -> Row:
    """A dry run about one event of an account, beside a fold of all that its members ever did."""
    with scratch("revise-account") as folder:
        home = folder / "home"
        progress(f"  an account of {members:,} members")
        _begin(home, _OF_ACCOUNTS)
        with Log.open(home) as log:
            log.append([row for number in range(members) for row in _member(number)])
            said = {"account_id": "acme", "set": {"seats": 20}}
            log.append([_row("bad", 0, "track", "Account Updated", 0, _BEGIN + 3 * _DAY, said, {})])
        _, bare = _timed(lambda: play(home, until=_BEGIN + 20 * _DAY, deliver="none"))
        _, seconds = _timed(lambda: retract(home, "bad", begin=_BEGIN, end=_BEGIN + 40 * _DAY))
    return Row(
        what=f"dry run: one event of an account of {members:,} members, beside a fold of all of them",
        measured=f"{seconds:.1f} s", bare=f"{bare:.1f} s", ratio=f"{seconds / bare:.1f}",
    )  # fmt: skip


def _member(number: int) -> list[LogRow]:
    joined = _row("good", number, "group", "Grouped", number, _BEGIN + number, {}, {})
    login = _row("login", number, "track", "Login", number, _BEGIN + _DAY + number, {}, {})
    return [joined._replace(extra=dumps({"groupId": "acme"})), login]


def _timed(call: Callable[[], Any]) -> tuple[Any, float]:
    began = time.perf_counter()
    return call(), time.perf_counter() - began


def _begin(home: Path, files: dict[str, str]) -> None:
    home.mkdir(parents=True)
    with State.open(home, create=True) as state:
        definitions.apply(state, files, _BEGIN)


def _prepare(home: Path, profiles: int, concerned: int, bad: int) -> None:
    _begin(home, _FILES)
    good = profiles * _EVENTS_EACH
    with Log.open(home) as log:
        for first in range(0, good, _BATCH):
            log.append([_good(number, profiles) for number in range(first, min(good, first + _BATCH))])
        for first in range(0, bad, _BATCH):
            log.append([_bad(number, concerned) for number in range(first, min(bad, first + _BATCH))])
    play(home, until=_BEGIN + 40 * _DAY, deliver="none")


def _good(number: int, profiles: int) -> LogRow:
    who, nth = number % profiles, number // profiles
    at = _BEGIN + nth * 3 * _DAY + who * 1_000_003 % _DAY
    if nth == 0:
        return _row("good", number, "identify", "Identified", who, at, {}, {"email": f"u{who}@example.com"})
    name = "Login" if (who + nth) % 3 else "Order Completed"
    return _row("good", number, "track", name, who, at, {"total": 20 + who % 50}, {})


def _bad(number: int, concerned: int) -> LogRow:
    who, nth = number % concerned, number // concerned
    at = _BEGIN + (5 + nth) * _DAY + who * 1_000_003 % _DAY
    return _row("bad", number, "track", "Order Completed", who, at, {"total": 100}, {})


def _row(source: str, number: int, kind: str, name: str, who: int, at: Instant, properties: Any, traits: Any) -> LogRow:
    return LogRow(source, f"{source}-{number}", kind, name, f"u{who}", None, at, at, dumps(properties), dumps(traits))
