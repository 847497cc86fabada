"""New rules, and stores of older versions: who is who is made anew, as if it had always been kept this way."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import msgspec
import pytest
from oracle.identity_cases import People
from support.workspace import BASE, Workspace

from innkeeper import lifecycle
from innkeeper.events.types import to_row
from innkeeper.runtime.replay import replay
from innkeeper.store.log import Log
from innkeeper.store.state import State

AUDIENCES = {"audiences/pro.yaml": "when: traits.plan = 'pro'\n", "audiences/buyers.yaml": "when: count('Buy') >= 2\n"}
NOBODY_LINKS = "sources: {none: {}}\nidentity: {namespaces: {anonymous_id: {sources: [none]}}}\n"
CRM = (
    "sources: {crm: {verifies: [email]}, web: {may_link: false}}\n"
    "identity: {namespaces: {card: {from: [traits.card]}}}\n"
)


def workspace(home: Path, seed: int, identity: str) -> Workspace:
    made = Workspace(home)
    text = BASE["strategy.yaml"].replace("events: {", "events: {Buy: [total], ") + identity
    made.apply({"strategy.yaml": text, **AUDIENCES})
    with Log.open(home) as log:
        log.append([to_row(event) for event in People(random.Random(seed)).history(40)])
    return made


def change(made: Workspace, identity: str) -> None:
    text = BASE["strategy.yaml"].replace("events: {", "events: {Buy: [total], ") + identity
    made.apply({"strategy.yaml": text, **AUDIENCES}, at="2026-02-01T00:00:00Z")


def profiles(made: Workspace) -> dict[str, Any]:
    found = {}
    with State.open(made.home, readonly=True) as state:
        for page in state.pages():
            for subject, body in page:
                profile = lifecycle.decode(body)
                facts = {name: msgspec.to_builtins(each)[:5] for name, each in profile.facts.items()}
                if facts:
                    found[subject] = (facts, sorted(profile.memberships), sorted({subject, *profile.identifiers}))
    return found


UNTIL = "2026-06-01T00:00:00Z"


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("identity", ["", CRM])
def test_new_rules_hold_for_everything_that_was_taken(tmp_path: Path, seed: int, identity: str) -> None:
    always, changed = (workspace(tmp_path / name, seed, rule) for name, rule in (("a", identity), ("b", NOBODY_LINKS)))
    always.run(UNTIL)
    changed.run("2026-03-10T00:00:00Z")
    assert profiles(changed) != profiles(always)
    change(changed, identity)
    changed.run(UNTIL)
    assert profiles(changed) == profiles(always)
    again = replay(changed.home)
    assert again.different == 0, again.examples


@pytest.mark.parametrize("seed", range(8))
def test_late_events_divide_what_was_one_with_the_help_of_the_log(tmp_path: Path, seed: int) -> None:
    straight = workspace(tmp_path / "a", seed, CRM)
    straight.run(UNTIL)
    late = Workspace(tmp_path / "b")
    change(late, CRM)
    events = [to_row(event) for event in People(random.Random(seed)).history(40)]
    random.Random(seed).shuffle(events)
    for number, until in enumerate(("2026-03-05T00:00:00Z", "2026-03-14T00:00:00Z", UNTIL)):
        with Log.open(late.home) as log:
            log.append(events[number::3])
            log.append(events[: 3 * number])  # again
            log.seal(force=number == 1)
        late.run(until, tick_size=7)
    assert profiles(late) == profiles(straight)
    again = replay(late.home)
    assert again.different == 0, again.examples


def test_a_store_of_an_older_version_learns_who_has_what_when(tmp_path: Path) -> None:
    """Before, a browser that two people used stood alone; the table of links had each pair once."""
    always, older = workspace(tmp_path / "a", 1, ""), workspace(tmp_path / "b", 1, NOBODY_LINKS)
    for made in (always, older):
        made.run(UNTIL)
    change(older, "")
    with State.open(older.home) as state, state.transaction():
        state.connection.execute("DELETE FROM meta WHERE key = 'identity_rules'")
        state.connection.execute("INSERT INTO links VALUES ('anonymous_id:a0', 'user_id:u0', 1, 1)")
        state.set_meta("adopted", "2")
    older.run(UNTIL)
    assert profiles(older) == profiles(always)
