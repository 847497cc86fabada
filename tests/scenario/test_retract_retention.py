"""What retention lets go, and what is retracted: neither hides the other.

The oracle is a workspace that never saw the events, with the same retention.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.workspace import Workspace, event, identify, message

from innkeeper.identity.retraction import Retraction, retracted_row
from innkeeper.kernel.errors import OperationFailed, UsageError
from innkeeper.kernel.time import parse_instant
from innkeeper.runtime.audience import Audiences
from innkeeper.runtime.checkpoint import checkpoints
from innkeeper.runtime.replay import replay
from innkeeper.runtime.retract import lift, retract
from innkeeper.store.bulk import Bulk
from innkeeper.store.log import Log

FILES = {
    "strategy.yaml": "name: test\nzone: UTC\nevents: {Order Completed: [total], Login: []}\ntraits: [plan]\n",
    "policies.yaml": "purposes:\n  offers: {kind: marketing, basis: legitimate_interest}\n"
    "retention:\n  events: {default: 60 days}\n  ledger: keep\n  decisions: keep\n  consent: keep\n  logs: keep\n",
    "audiences/spenders.yaml": "when: sum('Order Completed', total) > 100\n",
    "messages/thanks.md": message("Thanks"),
    "journeys/thanks.yaml": "journey: thanks\nenter: {audience: spenders}\npurpose: offers\n"
    "steps: [{send: thanks}, {wait: 200 days}]\n",
}
PERIOD = (parse_instant("2026-01-01T00:00:00Z"), parse_instant("2026-03-01T00:00:00Z"))


def order(who: str, at: str, total: int, id: str) -> Any:
    return event("Order Completed", who, at, id=id, total=total)


def opened(folder: Path, *, bad: bool) -> Workspace:
    space = Workspace(folder)
    space.apply(FILES)
    space.add(
        *(identify(who, "2026-01-02T00:00:00Z", email=f"{who}@x.example", first_name=who) for who in "ab"),
        order("a", "2026-01-03T00:00:00Z", 60, "g1"),
        order("b", "2026-01-04T00:00:00Z", 70, "g2"),
    )
    if bad:
        space.add(
            order("a", "2026-01-05T00:00:00Z", 900, "b1"), order("b", "2026-01-06T00:00:00Z", 20, "b2"), source="till"
        )
    space.run("2026-02-01T00:00:00Z")
    return space


def spent(space: Workspace) -> dict[int, list[str]]:
    bulk = Audiences(space.home)
    ask = "sum('Order Completed', total) > {}".format
    return {bound: bulk.ids(bulk.understand(ask(bound)), None) for bound in (30, 65, 75, 100, 500)}


def stored(space: Workspace) -> set[str]:
    with Bulk.open(space.home) as bulk:
        return {id for (id,) in bulk.rows("SELECT message_id FROM every_event WHERE source <> 'innkeeper'", {})}


def test_what_is_retracted_is_kept_and_not_carried(tmp_path: Path) -> None:
    real, without = opened(tmp_path / "real", bad=True), opened(tmp_path / "without", bad=False)
    told = retract(real.home, "till", begin=PERIOD[0], end=PERIOD[1], do=True)
    for space in (real, without):
        space.add(order("a", "2026-06-01T00:00:00Z", 5, "late"))
        space.run("2026-06-02T00:00:00Z")
        space.cli("retention", "--yes")
    assert {"b1", "b2"} <= stored(real)
    assert stored(real).isdisjoint({"g1", "g2"}), "what counts went, and was carried"
    assert spent(real) == spent(without)
    assert real.cli("replay")["different"] == 0
    with pytest.raises(OperationFailed) as refused:
        lift(real.home, told["retraction"], do=True)
    assert refused.value.code == "past-is-gone"
    assert spent(real) == spent(without)


def test_events_of_customers_of_whom_everything_is_there_are_still_retracted(tmp_path: Path) -> None:
    real, without = opened(tmp_path / "real", bad=False), opened(tmp_path / "without", bad=False)
    for space in (real, without):
        space.add(order("a", "2026-06-01T00:00:00Z", 5, "late"))
        space.run("2026-06-02T00:00:00Z")
        space.cli("retention", "--yes")
        space.add(identify("n", "2026-06-03T00:00:00Z", email="n@x.example", first_name="n"))
    real.add(
        order("n", "2026-06-04T00:00:00Z", 500, "b3"), order("a", "2026-06-04T00:00:00Z", 500, "b4"), source="till"
    )
    real.run("2026-06-05T00:00:00Z")
    without.add(order("a", "2026-06-04T00:00:00Z", 500, "b4"), source="till")
    without.run("2026-06-05T00:00:00Z")
    with pytest.raises(OperationFailed) as refused:
        retract(real.home, "till", messages=["b3", "b4"])
    assert refused.value.code == "past-is-gone"
    told = retract(real.home, "till", messages=["b3"], do=True)
    assert told["different"] == 1
    assert spent(real) == spent(without)
    assert replay(real.home).different == 0
    for space in (real, without):
        space.add(order("n", "2026-06-06T00:00:00Z", 150, "g3"))
        space.run("2026-06-07T00:00:00Z")
    assert spent(real) == spent(without)
    again = replay(real.home)
    assert again.different == 0, again.examples
    assert again.begins_at == checkpoints(real.home)[-1].clock
    lift(real.home, told["retraction"], do=True)
    assert "n" in spent(real)[500]
    assert replay(real.home).different == 0
    assert real.cli("profile", "show", "n", "--at", "2026-06-05T00:00:00Z")["id"] == "n"


def test_a_word_that_cannot_be_done_any_more_is_passed_over(tmp_path: Path) -> None:
    real = opened(tmp_path / "real", bad=False)
    real.add(order("a", "2026-06-01T00:00:00Z", 5, "late"))
    real.run("2026-06-02T00:00:00Z")
    real.cli("retention", "--yes")
    before = spent(real)
    # Said by somebody whose process ended then; that the past goes in between is what `retention` refuses.
    retraction = Retraction(id="retraction-1-x", source="import", messages=frozenset({"late"}))
    with Log.open(real.home) as log:
        log.append([retracted_row(retraction, parse_instant("2026-06-02T00:00:00Z"))])
    real.run("2026-06-03T00:00:00Z")
    assert spent(real) == before
    listed = real.cli("retract", "list")["retractions"]
    assert [(one["id"], one["lifted_at"], "went by retention" in one["refused"]) for one in listed] == [
        ("retraction-1-x", None, True)
    ]
    assert "not done: events of a went" in real.shell("retract", "list").stdout
    assert [one["code"] for one in real.cli("doctor")["findings"]] == ["retraction-refused"]
    with pytest.raises(UsageError) as refused:
        lift(real.home, "retraction-1-x", do=True)
    assert refused.value.code == "retraction-refused"
    assert replay(real.home).different == 0
    # Nobody else is in the way of it.
    real.add(order("n", "2026-06-03T00:00:00Z", 500, "n1"), source="till")
    real.run("2026-06-04T00:00:00Z")
    assert retract(real.home, "till", messages=["n1"], do=True)["retraction"].startswith("retraction-2-")
    assert "n" not in spent(real)[30]
