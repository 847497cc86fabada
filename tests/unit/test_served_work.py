"""Work on the whole workspace beside a served home: letting go and matching, with events coming meanwhile."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.beside import announced, command
from support.door import NOW, Served, opened
from support.workspace import BASE, Workspace, event, identify

from innkeeper.kernel.time import FixedClock, parse_instant
from innkeeper.runtime import matching, retention
from innkeeper.runtime.replay import replay
from innkeeper.store.letting_go import Leaving
from innkeeper.store.log import Log

STRATEGY = {
    "strategy.yaml": BASE["strategy.yaml"].replace("[plan]", "[plan, street]")
    + "matching: {household: {address: [street]}}\n",
    "policies.yaml": BASE["policies.yaml"] + "retention: {events: 30 days}\n",
}


def hotel(home: Path) -> Workspace:
    """Two who share an address, with logins of long ago and of now."""
    workspace = Workspace(home)
    workspace.apply(STRATEGY)
    for who in ("ana", "bo"):
        workspace.add(identify(who, "2026-09-01T10:00:00Z", street="Quay 1"))
        workspace.add(*(event("Login", who, f"2026-09-{day:02d}T10:00:00Z") for day in range(1, 9)))
    workspace.run("2026-11-25T11:00:00Z")
    return workspace


def test_what_is_due_goes_and_what_comes_meanwhile_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    alone, home = hotel(tmp_path / "alone").home, hotel(tmp_path / "home").home
    expected = retention.retain(alone, clock=FixedClock(parse_instant(NOW))).as_dict()
    let_go, sent = Log.let_go, []

    with opened(home) as door, announced(door):

        def while_events_come(self: Log, leaving: Leaving) -> None:
            sent.append(door.send("/v1/track", {"event": "Login", "userId": "ana", "messageId": "late"}).status)
            let_go(self, leaving)

        monkeypatch.setattr(Log, "let_go", while_events_come)
        asked = command(home, "retention").told
        done = command(home, "retention", "--yes")
        assert done.error is None
        gone = done.told
        assert (asked["dry_run"], asked["goes"] > 0) == (True, True)
        assert {key: gone[key] for key in ("at", "goes", "lines")} == {
            key: expected[key] for key in ("at", "goes", "lines")
        }
        assert sent == [200]
        assert [one.source for one in door.events() if one.message_id == "late"] == ["shop"]
        assert door.send("/v1/track", {"event": "Login", "userId": "bo", "messageId": "later"}).status == 200
    with Log.open(home, read_only=True) as log, Log.open(alone, read_only=True) as other:
        assert _ids(log) == _ids(other) | {"late", "later"}
    assert replay(home).different == 0


def _ids(log: Log) -> set[str]:
    # What is carried, and what the engine says, is named by what it was made of.
    return {one.message_id for one in log.read(0, 10_000) if one.source not in ("innkeeper", "")}


def test_proposals_are_made_by_the_api_and_its_engine_rests_only_to_keep_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone, home = hotel(tmp_path / "alone").home, hotel(tmp_path / "home").home
    expected = command(alone, "match", "propose", "--kind", "household").told
    order: list[str] = []
    search = matching.search
    with opened(home) as door, announced(door):
        _watch_rest(door, order)

        def searched(*arguments: Any, **more: Any) -> matching.Searched:
            order.append("search")
            return search(*arguments, **more)

        monkeypatch.setattr(matching, "search", searched)
        told = command(home, "match", "propose", "--kind", "household").told
        assert told == expected
        assert (told["homes"], told["new_homes"]) == (1, 1)
        assert order == ["search", "rest"]
        assert command(home, "match", "propose", "--fields", "nothing").code == "unknown-field"


def _watch_rest(door: Served, order: list[str]) -> None:
    rest = door.house.rest

    def watched() -> object:
        order.append("rest")
        return rest()

    object.__setattr__(door.house, "rest", watched)


def test_what_cannot_be_done_beside_a_served_home_says_why(tmp_path: Path) -> None:
    home = hotel(tmp_path / "home").home
    with opened(home) as door, announced(door):
        for call, reason in {("run", "--until", "now"): "wall clock", ("replay",): "stand still"}.items():
            refused = command(home, *call)
            assert refused.code == "served"
            assert reason in str(refused.error)
            assert "fix: stop it" in str(refused.error)
    assert command(home, "replay").told["different"] == 0
