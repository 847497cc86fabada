"""A random history of accounts played by the engine, in parts that arrive in any order: what it has announced is what
SQL and the oracle say. The test and the torture run share it.
"""

from __future__ import annotations

import json
import random
from pathlib import Path

from support.workspace import Workspace

from innkeeper.audiences import Catalog, Expression, check, parse, print_expression
from innkeeper.audiences.ask import Question
from innkeeper.audiences.check import Subject
from innkeeper.audiences.nodes import Boolean
from innkeeper.events.types import Event, to_row
from innkeeper.kernel.errors import Invalid
from innkeeper.kernel.time import DAY, format_instant
from innkeeper.profiles.state import decode
from innkeeper.runtime import definitions as applied
from innkeeper.runtime.audience import load_catalog
from innkeeper.runtime.replay import replay
from innkeeper.store import things
from innkeeper.store.bulk import Bulk
from innkeeper.store.log import Log
from innkeeper.store.state import State
from innkeeper.strategy.known import KnownNames
from oracle.account_cases import AccountDice
from oracle.account_oracle import account_members, profile_members

#: What the conditions may name: the audiences and stages of every world.
CATALOG = Catalog(
    audiences={"known": Boolean(True)}, stages=tuple((name, Boolean(True)) for name in ("one", "two", "three")),
    account_traits={}, account_audiences={"busy": Boolean(True), "many": Boolean(True)},
)  # fmt: skip
#: Traits that have a retention in every other world.
KEPT = ("plan", "vip", "score", "seen_at", "address", "timezone", "country")
BUSY = "distinct('Login', member, within => '7 days') >= 2"


def compare_account_world(seed: int, folder: Path) -> int:
    """Play one world and compare everything; how many memberships there were at the end."""
    dice = AccountDice(seed)
    events = [
        each for each in dice.history(people=5, events=dice.random.randrange(20, 70)) if each.source != "innkeeper"
    ]
    audiences = {f"a{number}": _draw(dice, "account") for number in range(3)}
    people = {f"p{number}": _draw(dice, "profile") for number in range(4)}
    home = Workspace(folder / f"world-{seed}")
    kept = {name: dice.random.choice(("1 hour", "1 day", "4 days", "20 days")) for name in KEPT} if seed % 2 else {}
    home.apply(_strategy(audiences, people, kept))
    until = _play(home, events, dice)
    return _compare(home, events, until, audiences, people, seed)


def _draw(dice: AccountDice, of: Subject) -> Expression:
    """A condition that a strategy may hold."""
    while True:
        drawn = dice.of_account(2) if of == "account" else dice.of_member(2)
        try:
            when = parse(print_expression(drawn), of)
        except Invalid:
            continue
        if not check(when, CATALOG, allow_unknown=True, of=of).errors:
            return when


def _strategy(audiences: dict[str, Expression], people: dict[str, Expression], kept: dict[str, str]) -> dict[str, str]:
    declared = {name: {"retention": length} for name, length in kept.items()}
    files = {"strategy.yaml": f"name: worlds\naccounts: {{traits: [plan]}}\ntraits: {json.dumps(declared)}\n"}
    files["audiences/busy.yaml"] = f"of: account\nwhen: {json.dumps(BUSY)}\n"
    files["audiences/many.yaml"] = "of: account\nwhen: \"in_audience('busy') or did('Page Viewed')\"\n"
    files["audiences/known.yaml"] = "when: \"traits.plan is present or did('Login', within => '7 days')\"\n"
    files["stages.yaml"] = "- {stage: one, when: traits.vip}\n- {stage: two, when: \"did('Login')\"}\n"
    files["stages.yaml"] += "- {stage: three, when: \"count('Page Viewed') >= 1\"}\n"
    for name, when in audiences.items():
        files[f"audiences/{name}.yaml"] = (
            f"of: account\nwhen: {json.dumps(print_expression(when), ensure_ascii=False)}\n"
        )
    for name, when in people.items():
        files[f"audiences/{name}.yaml"] = f"when: {json.dumps(print_expression(when), ensure_ascii=False)}\n"
    return files


def _play(home: Workspace, events: list[Event], dice: AccountDice) -> int:
    """Three parts of the log, each followed by a run; some of what arrives is late, some has been there before."""
    draw = random.Random(dice.random.random())
    arriving = draw.sample(events, len(events))
    cuts = sorted(draw.randrange(len(events) + 1) for _ in range(2))
    last = max(event.timestamp for event in events)
    first = until = min(event.timestamp for event in events)
    for part, share in (
        (arriving[: cuts[0]], 0.4), (arriving[cuts[0] : cuts[1]], 0.8), (arriving[cuts[1] :] + arriving[:3], 1.2),
    ):  # fmt: skip
        with Log.open(home.home) as log:
            log.append([to_row(event) for event in part])
        earliest = min((event.timestamp for event in part), default=first)
        until = max(until, earliest, first + round((last - first + DAY) * share))
        home.run(format_instant(until), tick_size=draw.choice((1, 5, 2_000)))
    return until


def _compare(
    home: Workspace, events: list[Event], until: int, audiences: dict[str, Expression], people: dict[str, Expression],
    seed: int,
) -> int:  # fmt: skip
    found = 0
    with State.open(home.home, readonly=True) as state:
        definitions = applied.applied(state)
        assert definitions is not None
        catalog = load_catalog(definitions, KnownNames())
        accounts = [decode(row.body) for page in things.pages(state, "account") for row in page]
        profiles = [decode(body) for page in state.pages() for _, body in page]
    for of, states, conditions in (("account", accounts, audiences), ("profile", profiles, people)):
        for name, when in conditions.items():
            where = f"seed {seed}, {of} {name} at {until}: {print_expression(when)}"
            announced = sorted(each.subject.removeprefix("account:") for each in states if name in each.memberships)
            oracle = account_members if of == "account" else profile_members
            assert announced == oracle(when, events, until, catalog), f"engine: {where}"
            question = Question(when, catalog, at=until, of="account" if of == "account" else "profile")
            with Bulk.open(home.home, properties=question.properties) as bulk:
                assert question.members(bulk.rows) == announced, f"SQL: {where}"
            found += len(announced)
    report = replay(home.home)
    assert report.different == 0, f"seed {seed}: {report.as_dict()}"
    return found
