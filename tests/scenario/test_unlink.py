"""`link remove` where there are audiences and journeys: what is printed, the same in `up`, and whole after a kill."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.retraction import process, states
from support.workspace import BASE, Workspace, event, identify, message

from innkeeper.kernel.failpoints import VARIABLE
from innkeeper.kernel.time import FixedClock, parse_instant
from innkeeper.runtime.live import Live
from innkeeper.runtime.outlet import drain
from innkeeper.runtime.replay import replay
from innkeeper.store.log import Log
from innkeeper.store.state import State

STRATEGY = {
    **BASE,
    "audiences/big.yaml": "when: sum('Order Completed', total) > 100\n",
    "stages.yaml": "- stage: loyal\n  when: in_audience('big')\n- stage: new\n  when: 'true'\n",
    "journeys/thanks.yaml": "enter: { audience: big, change: entered }\nreentry: never\n"
    "steps: [{send: hello}, {wait: 9 days}, {send: hello}]\n",
    "journeys/welcome.yaml": "enter: {event: Login}\nreentry: never\nexit: [\"in_audience('big')\"]\n"
    "steps: [{wait: 20 days}, {send: hello}]\n",
    "messages/hello.md": message(),
}


def people(*, linked: bool) -> list[Any]:
    """Two customers who spend 60 each, and log in; together, where they are linked, they are big."""
    found: list[Any] = []
    for hour, who in enumerate(("ann", "bob")):
        at = f"2026-01-02T0{hour}:00:00Z"
        found += [identify(who, at, email=f"{who}@example.com", first_name=who), event("Login", who, at)]
        found.append(event("Order Completed", who, f"2026-01-04T0{hour}:00:00Z", total=60))
    if linked:
        found.append(event("Link Added", "ann", "2026-01-03T00:00:00Z", a="ann", b="bob"))
    return found


def workspace(home: Path, *, linked: bool) -> Workspace:
    made = Workspace(home)
    made.apply(STRATEGY)
    made.add(*people(linked=linked))
    made.run("2026-01-05T00:00:00Z", deliver="file")
    return made


def everyone(space: Workspace) -> Any:
    return {subject: (process(state), sorted(state.facts)) for subject, state in states(space).items()}


def test_what_is_different_is_made_so_and_printed(tmp_path: Path) -> None:
    space, never = workspace(tmp_path / "real", linked=True), workspace(tmp_path / "never", linked=False)
    assert everyone(space).keys() == {"user_id:ann"}
    done = space.shell("link", "remove", "ann", "bob")
    assert done.stdout.splitlines() == [
        "user_id:ann and user_id:bob: no longer linked",
        "  user_id:bob came apart from user_id:ann",
        "  ann is in stage new, no longer in loyal",
        "  ann is no longer in: big",
        "  ann is in 1 journey again",
        "  ann has left 1 journey",
        "  bob is in stage new, no longer in loyal",
        "  bob is no longer in: big",
        "  bob is in 1 journey again",
        "  bob keeps 1 message that went out because of the link",
    ]
    assert everyone(space) == everyone(never)
    assert replay(space.home).different == 0


@pytest.mark.parametrize("place", ["revise.played", "revise.written", "revise.committed"])
def test_after_a_kill_it_is_whole_or_not_begun(place: str, tmp_path: Path) -> None:
    space, never = workspace(tmp_path / "real", linked=True), workspace(tmp_path / "never", linked=False)
    before = everyone(space)
    assert space.shell("link", "remove", "ann", "bob", env={VARIABLE: place}).returncode == -9
    assert (everyone(space) != before) is (place == "revise.committed")
    space.run("2026-01-05T00:00:00Z", deliver="file")
    assert everyone(space) == everyone(never)
    assert replay(space.home).different == 0


def test_the_same_in_up(tmp_path: Path) -> None:
    space, never = workspace(tmp_path / "real", linked=True), workspace(tmp_path / "never", linked=False)
    removed = event("Link Removed", "bob", "2026-01-06T00:00:00Z", a="bob", b="ann")
    space.add(event("Login", "bob", "2026-01-05T12:00:00Z"), removed, event("Login", "ann", "2026-01-06T12:00:00Z"))
    never.add(event("Login", "bob", "2026-01-05T12:00:00Z"), event("Login", "ann", "2026-01-06T12:00:00Z"))
    for made in (space, never):
        with Log.open(made.home) as log, State.open(made.home) as state:
            loop = Live(made.home, log, state, FixedClock(parse_instant("2026-01-05T23:00:00Z")))
            for hour in range(24):
                loop.step()
                loop.clock = FixedClock(loop.clock.now() + 3_600_000_000)
                assert loop.clock.now() < parse_instant("2026-01-08T00:00:00Z"), hour
            loop.deliverer.close()
            drain(state, log)
    assert len(everyone(space)) == 2
    assert everyone(space) == everyone(never)
    [told, _] = space.outputs("Retracted")
    assert told[2]["kind"] == "unlinked"
    assert replay(space.home).different == 0


def test_where_nothing_but_facts_follows_from_a_link_they_just_come_apart(tmp_path: Path) -> None:
    space = Workspace(tmp_path)
    space.apply({})
    space.add(*people(linked=True))
    space.run("2026-01-05T00:00:00Z")
    done = space.shell("link", "remove", "ann", "bob")
    assert done.stdout.splitlines()[1:] == ["  user_id:bob came apart from user_id:ann"]
    assert space.outputs("Retracted") == []
    assert {subject: facts for subject, (_, facts) in everyone(space).items()} == {
        "user_id:ann": ["user_id:ann"], "user_id:bob": ["user_id:bob"],
    }  # fmt: skip
    assert replay(space.home).different == 0
