"""A death that is retracted: what waited for an answer goes, and nobody is asked; until it is true after all."""

from __future__ import annotations

from pathlib import Path

from support.workspace import Workspace, event, identify, message

from innkeeper.kernel.time import parse_instant
from innkeeper.runtime.replay import replay
from innkeeper.runtime.retract import lift, retract
from innkeeper.store.state import State

STRATEGY = {
    "policies.yaml": "purposes: { offers: { kind: marketing, basis: legitimate_interest } }\n",
    "messages/offer.md": message("Offer"),
    "journeys/offers.yaml": "enter: {event: Look}\nreentry: always\nsteps: [{send: offer}]\n",
}
BEGIN, END = parse_instant("2026-03-01T00:00:00Z"), parse_instant("2026-03-03T00:00:00Z")


def asked(one: Workspace) -> list[tuple[str, str]]:
    """The questions: state and reason."""
    with State.open(one.home, readonly=True) as state:
        return state.connection.execute("SELECT state, reason FROM tasks ORDER BY created_at").fetchall()


def fates(one: Workspace) -> list[tuple[str, str]]:
    """What became of the offers."""
    with State.open(one.home, readonly=True) as state:
        return state.connection.execute("SELECT state, reason FROM deliveries ORDER BY planned_at").fetchall()


def bereaved(home: Path) -> Workspace:
    """Ana is reported dead by a bad source, and an offer to Rui, who lives with her, waits for an answer."""
    one = Workspace(home)
    one.apply(STRATEGY)
    for who in ("ana", "rui"):
        one.add(identify(who, "2026-03-01T00:00:00Z", email=f"{who}@example.com", household="h1"))
    one.add(event("Deceased Reported", "ana", "2026-03-01T01:00:00Z"), source="bad")
    one.add(event("Look", "rui", "2026-03-01T02:00:00Z"))
    one.run("2026-03-01T12:00:00Z", deliver="file")
    assert asked(one) == [("open", "")]
    assert fates(one) == [("planned", "ask_bereavement")]
    return one


def test_nobody_is_asked_about_a_death_that_was_none(tmp_path: Path) -> None:
    one = bereaved(tmp_path)
    with State.open(one.home, readonly=True) as state:
        [(question,)] = state.connection.execute("SELECT id FROM tasks")
    told = retract(one.home, "bad", begin=BEGIN, end=END)
    assert told["closed"] == [{"id": "rui", "task": question}]
    assert asked(one) == [("open", "")]
    assert retract(one.home, "bad", begin=BEGIN, end=END, do=True)["closed"] == told["closed"]
    assert asked(one) == [("closed", "retracted")]
    one.run("2026-03-02T00:00:00Z", deliver="file")
    assert fates(one) == [("accepted", "")]
    assert replay(one.home).different == 0


def test_who_has_died_after_all_is_asked_about_anew(tmp_path: Path) -> None:
    one = bereaved(tmp_path)
    told = retract(one.home, "bad", begin=BEGIN, end=END, do=True)
    lift(one.home, told["retraction"], do=True)
    one.add(event("Look", "rui", "2026-03-02T02:00:00Z"))
    one.run("2026-03-02T12:00:00Z", deliver="file")
    assert asked(one) == [("open", "")]
    assert ("planned", "ask_bereavement") in fates(one)
    assert replay(one.home).different == 0


def test_a_second_report_asks_anew(tmp_path: Path) -> None:
    one = bereaved(tmp_path)
    retract(one.home, "bad", begin=BEGIN, end=END, do=True)
    one.run("2026-03-02T00:00:00Z", deliver="file")
    one.add(event("Deceased Reported", "ana", "2026-03-02T01:00:00Z"), event("Look", "rui", "2026-03-02T02:00:00Z"))
    one.run("2026-03-02T12:00:00Z", deliver="file")
    assert asked(one) == [("open", "")]
    assert fates(one) == [("accepted", ""), ("planned", "ask_bereavement")]
    assert replay(one.home).different == 0
