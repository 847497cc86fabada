"""`run` over small workspaces: time, order, history, lateness, identity; what must not depend on how it is cut."""

from __future__ import annotations

import random
import signal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from support.workspace import BASE, Workspace, event, identify, message

from innkeeper import lifecycle
from innkeeper.kernel.errors import UsageError
from innkeeper.kernel.time import parse_instant
from innkeeper.runtime.replay import replay
from innkeeper.store.state import State

STRATEGY = {
    "audiences/buyers.yaml": "when: count('Order Completed', within => '10 days') >= 2\n",
    "audiences/quiet.yaml": "when: days_since_last('Login') > 5\n",
    "stages.yaml": "- {stage: customer, when: did('Order Completed')}\n- {stage: visitor, when: did('Login')}\n",
    "messages/hello.md": message("Hello"),
    "messages/again.md": message("Again"),
    "messages/guide.md": message("Guide", purpose="stay"),
    "journeys/welcome.yaml": (
        "enter: {event: Login}\nreentry: never\nsteps:\n  - send: hello\n  - wait: 2 days\n  - send: again\n"
    ),
    "journeys/miss-you.yaml": "enter: {audience: quiet}\nsteps: [{send: again}]\n",
    "journeys/trip.yaml": (
        "enter: {event: Booking}\nkey: booking_id\nexit: [\"did('Booking Cancelled')\"]\nreentry: always\n"
        'steps:\n  - wait: {until: event.arrival - 3 days, time: "10:00"}\n  - send: guide\n'
    ),
}


def day(number: int, clock: str = "09:00:00") -> str:
    return f"2026-03-{number:02d}T{clock}Z"


def life(seed: int = 3, people: int = 12) -> list[Any]:
    """A month of a few people, some anonymous at first, some on a shared device."""
    draw = random.Random(seed)
    events: list[Any] = []
    for number in range(people):
        who, device = f"u{number}", f"d{number // 2}"
        events.append(identify(who, day(1 + number % 5), email=f"{who}@example.com", first_name=who.upper()))
        events.append(event("Login", None, day(1 + number % 4, "08:00:00"), anonymous=device))
        for _ in range(draw.randrange(1, 6)):
            at = day(draw.randrange(2, 28), f"{draw.randrange(24):02d}:{draw.randrange(60):02d}:00")
            anonymous = device if draw.random() < 0.3 else None
            name = draw.choice(["Login", "Order Completed", "Order Completed"])
            events.append(event(name, who, at, anonymous=anonymous, total=draw.randrange(10, 90)))
        if number % 3 == 0:
            events.append(event("Booking", who, day(4), booking_id=f"b{number}", arrival="2026-03-20T15:00:00Z"))
            if number % 2 == 0:
                events.append(event("Booking Cancelled", who, day(9), booking_id=f"b{number}"))
    return events


def filled(home: Path, events: list[Any]) -> Workspace:
    workspace = Workspace(home)
    workspace.apply(STRATEGY)
    if events:
        workspace.add(*events)
    return workspace


def test_the_size_of_ticks_changes_nothing(tmp_path: Path) -> None:
    logs = []
    for size in (1, 7, 5_000):
        workspace = filled(tmp_path / str(size), life())
        workspace.run("2026-04-15T00:00:00Z", tick_size=size)
        logs.append(workspace.log_lines())
    assert len(logs[0]) > 100
    assert logs[0] == logs[1] == logs[2]


def test_cutting_a_run_into_many_changes_nothing(tmp_path: Path) -> None:
    whole, cut = filled(tmp_path / "whole", life()), filled(tmp_path / "cut", life())
    whole.run("2026-03-31T00:00:00Z")
    for number in (2, 3, 9, 9, 20, 31):
        cut.run(day(number, "00:00:00"))
    assert sorted(whole.log_lines()) == sorted(cut.log_lines())


def test_planned_only_and_sent_make_the_same_decisions(tmp_path: Path) -> None:
    virtual, sent = filled(tmp_path / "none", life()), filled(tmp_path / "file", life())
    virtual.run("2026-04-15T00:00:00Z", deliver="none")
    report = sent.run("2026-04-15T00:00:00Z", deliver="file")
    assert virtual.log_lines() == sent.log_lines()
    assert report.counts.accepted == report.counts.planned > 10
    assert {(state, reason) for _, _, state, reason in virtual.deliveries()} == {("planned", "virtual")}
    assert {state for _, _, state, _ in sent.deliveries()} == {"accepted"}
    mails = list((sent.home / "mail" / "new").iterdir())
    assert len(mails) == report.counts.accepted


def test_a_run_that_died_while_sending_goes_on_without_sending(tmp_path: Path) -> None:
    calm, died = filled(tmp_path / "calm", life()), filled(tmp_path / "died", life())
    calm.run("2026-04-15T00:00:00Z", deliver="none")
    killed = died.shell("run", "--until", "2026-04-15T00:00:00Z", env={"INNKEEPER_FAILPOINT": "deliver.claimed:6"})
    assert killed.returncode == -signal.SIGKILL
    report = died.run("2026-04-15T00:00:00Z", deliver="none")
    assert report.counts.accepted == 0
    assert {state for _, _, state, _ in died.deliveries()} == {"accepted", "planned"}
    assert sorted(died.log_lines()) == sorted(calm.log_lines())
    assert replay(died.home).different == 0


@pytest.mark.parametrize("deliver", ["none", "file"])
def test_replay_makes_the_same_outputs(tmp_path: Path, deliver: Any) -> None:
    workspace = filled(tmp_path, life(5))
    workspace.run(day(10), deliver=deliver)
    workspace.add(event("Login", "u1", day(6)), event("Order Completed", "u2", day(12), total=5))
    workspace.apply({**STRATEGY, "audiences/big.yaml": "when: sum('Order Completed', total) > 50\n"})
    workspace.run("2026-04-15T00:00:00Z", deliver=deliver)
    report = replay(workspace.home)
    assert report.different == 0, report.as_dict()
    assert report.outputs > 50


def test_a_window_closes_at_its_exact_instant(tmp_path: Path) -> None:
    workspace = filled(tmp_path, [event("Order Completed", "u", day(n, "06:00:00"), total=1) for n in (1, 3)])
    workspace.run("2026-03-31T00:00:00Z")
    flips = workspace.outputs("Audience Entered", "Audience Left")
    assert [(at, name) for at, name, told in flips if told["audience"] == "buyers"] == [
        ("2026-03-03T06:00:00Z", "Audience Entered"),
        ("2026-03-11T06:00:00Z", "Audience Left"),
    ]


def test_history_is_recorded_and_not_announced(tmp_path: Path) -> None:
    workspace = filled(tmp_path, [event("Login", "u", day(1)), identify("u", day(1), email="u@example.com")])
    report = workspace.run("2026-03-20T00:00:00Z", history_until=day(2))
    assert report.counts.events == 2
    names = [(at, name) for at, name, _ in workspace.outputs("Audience Entered", "Stage Changed", "Journey Entered")]
    # The silence began in history and became an audience after it.
    silent = "2026-03-06T09:00:00.000001Z"
    assert names == [(silent, "Audience Entered"), (silent, "Journey Entered")]
    with State.open(workspace.home, readonly=True) as state:
        assert lifecycle.decode(state.bodies(["user_id:u"])["user_id:u"]).stage == "visitor"


def test_late_events_correct_memberships_and_enter_nobody_after_a_day(tmp_path: Path) -> None:
    workspace = filled(tmp_path, [event("Order Completed", "u", day(9), total=1)])
    workspace.run(day(10))
    workspace.add(
        event("Order Completed", "u", day(8), total=1),
        event("Login", "u", day(8)),
        event("Login", "v", day(10, "08:00:00")),
    )
    workspace.run(day(11))
    assert [(at, p["audience"]) for at, _, p in workspace.outputs("Audience Entered")] == [(day(10), "buyers")]
    assert [(at, p["journey"]) for at, _, p in workspace.outputs("Journey Entered")] == [(day(10), "welcome")]


def test_times_before_the_clock_are_refused(tmp_path: Path) -> None:
    workspace = filled(tmp_path, [event("Login", "u", day(1))])
    workspace.run(day(5))
    with pytest.raises(UsageError, match="before the workspace's clock"):
        workspace.run(day(4))
    with pytest.raises(UsageError, match="before the workspace's clock"):
        workspace.run(day(9), history_until=day(4))
    with pytest.raises(UsageError, match="live"):
        workspace.run(day(6), deliver="live", now=parse_instant(day(20)))


def test_an_anonymous_visitor_becomes_known_and_a_shared_device_does_not_join_two_people(tmp_path: Path) -> None:
    workspace = filled(
        tmp_path,
        [
            event("Order Completed", None, day(1), anonymous="d", total=1),
            event("Order Completed", "ann", day(2), anonymous="d", total=1),
            event("Login", "bob", day(4), anonymous="d"),
        ],
    )
    workspace.run(day(3))
    assert [(at, p["audience"]) for at, _, p in workspace.outputs("Audience Entered")] == [(day(2), "buyers")]
    workspace.run(day(5))
    left = [(at, p["audience"]) for at, _, p in workspace.outputs("Audience Left")]
    assert left == [(day(4), "buyers")], "Ann has one order of her own once the device is known to be shared"
    with State.open(workspace.home, readonly=True) as state:
        subjects = {subject for (subject,) in state.connection.execute("SELECT subject FROM subjects")}
    assert subjects == {"user_id:ann", "user_id:bob", "anonymous_id:d"}


@pytest.mark.parametrize("seed", range(8))
def test_facts_do_not_depend_on_the_order_of_arrival(tmp_path: Path, seed: int) -> None:
    events = life(seed)
    straight = filled(tmp_path / "straight", events)
    straight.run("2026-04-15T00:00:00Z")
    shuffled = filled(tmp_path / "shuffled", [])
    draw = random.Random(seed)
    draw.shuffle(events)
    for number, at in enumerate(("2026-03-09T00:00:00Z", "2026-03-20T00:00:00Z", "2026-04-15T00:00:00Z")):
        shuffled.add(*events[number::3])
        shuffled.run(at)
    assert facts(shuffled) == facts(straight)


def facts(workspace: Workspace) -> dict[str, Any]:
    """Facts of every profile; how many inputs a joined profile had taken is bookkeeping, not a fact."""
    told: dict[str, Any] = {}
    with State.open(workspace.home, readonly=True) as state:
        for page in state.pages():
            for subject, body in page:
                found = lifecycle.decode(body).facts
                told[subject] = {name: msgspec.structs.replace(each, inputs=0) for name, each in found.items()}
    return told


def test_what_the_ledger_refuses_has_a_decision_too(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    strict = message("Hello").replace("subject:", "missing: abort\nsubject:")
    workspace.apply(
        {"messages/hello.md": strict, "journeys/welcome.yaml": "enter: {event: Login}\nsteps: [{send: hello}]\n"}
    )
    workspace.add(identify("u", day(1), email="u@example.com"), event("Login", "u", day(2)))
    workspace.run(day(3), deliver="file")
    assert [(name, state, reason) for _, name, state, reason in workspace.deliveries()] == [
        ("hello", "cancelled", "missing_value:profile.first_name")
    ]
    assert [(one["outcome"], one["gate"], one["reason"]) for one in workspace.decisions()] == [
        ("allow", "", ""),
        ("deny", "delivery", "missing_value:profile.first_name"),
    ]
    assert replay(workspace.home).different == 0


def test_a_decision_of_the_past_says_what_it_said_then(tmp_path: Path) -> None:
    """Put off at night in London until eight there; by then she is in New York, where it is three: put off again."""
    workspace = Workspace(tmp_path)
    quiet = BASE["policies.yaml"] + 'quiet_hours: {from: "22:00", to: "08:00"}\n'
    workspace.apply(
        {
            "policies.yaml": quiet,
            "messages/hello.md": message("Hello"),
            "journeys/welcome.yaml": "enter: {event: Login}\nshelf_life: 3 days\nsteps: [{send: hello}]\n",
        }
    )
    workspace.add(
        identify("u", "2026-01-01T09:00:00Z", email="u@example.com", first_name="U", timezone="Europe/London"),
        event("Login", "u", "2026-01-02T23:00:00Z"),
        identify("u", "2026-01-03T02:00:00Z", timezone="America/New_York"),
    )
    workspace.run("2026-01-05T00:00:00Z", deliver="none")
    listed = workspace.cli("decision", "list", "--profile", "u", "--at", "2026-01-03T03:00:00Z")["decisions"]
    assert [(one["outcome"], one["at"], one["until"], one["count"]) for one in listed] == [
        ("defer", "2026-01-02T23:00:00Z", "2026-01-03T08:00:00Z", 1)
    ]
    assert listed[0]["facts"]["zone"] == "Europe/London"
    listed = workspace.cli("decision", "list", "--profile", "u")["decisions"]
    assert [(one["outcome"], one["at"], one["until"], one["count"]) for one in listed] == [
        ("allow", "2026-01-03T13:00:00Z", None, 1),
        ("defer", "2026-01-03T08:00:00Z", "2026-01-03T13:00:00Z", 2),
    ]
