"""Accounts in a workspace: members, traits, audiences of accounts, and what their members hear of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.workspace import Workspace, event, message

from innkeeper.runtime.replay import replay
from innkeeper.store.state import State

STRATEGY = {
    "strategy.yaml": "name: b2b\nevents: {Login: [], Order Completed: [total]}\ntraits: [plan]\n"
    "accounts:\n  traits: {name: text, seats: number, tier: text}\n  roles: [admin, member]\n",
    "audiences/active-accounts.yaml": "of: account\nwhen: distinct('Login', member, within => '7 days') >= 2\n",
    "audiences/large.yaml": "when: account.seats >= 10\n",
    "audiences/of-active.yaml": "when: in_audience('active-accounts') and account.role = 'admin'\n",
    "messages/hello.md": message("Hello {{ account.name }}", body="Your role is {{ account.role }}"),
    "channels.yaml": "email: {provider: file, from: a@example.com}\n",
    "journeys/large.yaml": "enter: { audience: large, change: entered }\nsteps:\n"
    '  - task: { queue: sales, title: "{{ account.name }} has grown: {{ profile.id }} is {{ account.role }}" }\n',
}


def group(who: str, account: str, at: str, *, role: str | None = None, id: str = "", **traits: Any) -> Any:
    """A group message."""
    said = {**traits, **({"role": role} if role else {})}
    return {
        "type": "group", "userId": who, "groupId": account, "timestamp": at, "traits": said,
        "messageId": id or f"group-{who}-{account}-{at}",
    }  # fmt: skip


@pytest.fixture
def hotel(tmp_path: Path) -> Workspace:
    """A workspace with accounts."""
    home = Workspace(tmp_path / "home")
    home.apply(STRATEGY)
    return home


def said(home: Workspace, *names: str) -> list[tuple[str, str, str]]:
    """(time, event, what) of announcements."""
    return [
        (at, name, props.get("audience", "") + ("@" + props["account_id"] if "account_id" in props else ""))
        for at, name, props in home.outputs(*names)
    ]


def test_a_trait_of_an_account_reaches_its_members(hotel: Workspace) -> None:
    hotel.add(
        group("ann", "acme", "2026-01-01T10:00:00Z", role="admin", name="Acme", seats=3),
        group("bob", "acme", "2026-01-02T10:00:00Z"),
        event("Login", "cy", "2026-01-02T11:00:00Z"),
        event("Account Updated", "bob", "2026-01-03T10:00:00Z", account_id="acme", set={"seats": 20}),
        event("Left Account", "bob", "2026-01-04T10:00:00Z", account_id="acme"),
    )
    hotel.run("2026-02-01T00:00:00Z")
    assert said(hotel, "Audience Entered", "Audience Left") == [
        ("2026-01-03T10:00:00Z", "Audience Entered", "large"),
        ("2026-01-03T10:00:00Z", "Audience Entered", "large"),
        ("2026-01-04T10:00:00Z", "Audience Left", "large"),
    ]
    titles = sorted(props["title"] for _, _, props in hotel.outputs("Task Created"))
    assert titles == ["Acme has grown: ann is admin", "Acme has grown: bob is member"]
    assert replay(hotel.home).different == 0


def test_all_accounts_that_somebody_is_a_member_of(hotel: Workspace) -> None:
    hotel.apply({**STRATEGY, "audiences/buyers.yaml": "when: \"any(account, seats >= 10 and role = 'admin')\"\n"})
    hotel.add(
        group("ann", "acme", "2026-01-01T10:00:00Z", role="admin", seats=20),
        group("ann", "bolt", "2026-01-02T10:00:00Z", seats=2),
        group("bob", "bolt", "2026-01-02T11:00:00Z", role="admin"),
        event("Account Updated", "cy", "2026-01-03T10:00:00Z", account_id="bolt", set={"seats": 12}),
        event("Left Account", "ann", "2026-01-04T10:00:00Z", account_id="acme"),
    )
    hotel.run("2026-02-01T00:00:00Z")
    assert said(hotel, "Audience Entered", "Audience Left") == [
        ("2026-01-01T10:00:00Z", "Audience Entered", "buyers"), ("2026-01-01T10:00:00Z", "Audience Entered", "large"),
        ("2026-01-02T10:00:00Z", "Audience Left", "large"), ("2026-01-03T10:00:00Z", "Audience Entered", "large"),
        ("2026-01-03T10:00:00Z", "Audience Entered", "buyers"), ("2026-01-03T10:00:00Z", "Audience Entered", "large"),
        ("2026-01-04T10:00:00Z", "Audience Left", "buyers"),
    ]  # fmt: skip
    asked = ("audience", "list", "count(account) = 2 and sum(account, seats) = 22", "--at", "2026-01-03T00:00:00Z")
    assert hotel.cli(*asked)["ids"] == ["ann"]
    assert replay(hotel.home).different == 0


def test_declared_types_are_held_against_what_comes(hotel: Workspace) -> None:
    hotel.add(
        group("ann", "acme", "2026-01-01T10:00:00Z", role="admin", name="Acme", seats="many"),
        event("Account Updated", "ann", "2026-01-02T10:00:00Z", account_id="acme", set={"seats": 3, "mood": "good"}),
    )
    told = {each["name"]: each for each in hotel.cli("catalog", "traits", "--of", "account")["traits"]}
    assert told.keys() == {"name", "seats", "mood"}
    assert {name: (each["declared"], each["conflicts"]) for name, each in told.items()} == {
        "name": (True, 0), "seats": (True, 1), "mood": (False, 0),
    }  # fmt: skip
    assert "declared as number: 1 value is not" in hotel.shell("catalog", "traits", "seats", "--of", "account").stdout
    refused = hotel.shell("audience", "count", "account.seats = 'many'")
    assert refused.returncode == 2
    assert "compare with a number" in refused.stderr


def test_more_members_than_expected_are_told_and_nobody_is_turned_away(hotel: Workspace) -> None:
    limited = STRATEGY["strategy.yaml"] + "  limits: {members: 2}\n"
    hotel.apply({**STRATEGY, "strategy.yaml": limited})
    hotel.add(*(group(who, "acme", "2026-01-01T10:00:00Z", seats=20) for who in ("ann", "bob", "cy")))
    hotel.add(group("ann", "bolt", "2026-01-01T09:00:00Z"))
    hotel.run("2026-02-01T00:00:00Z")
    assert [each["too_many_members"] for each in hotel.cli("account", "list")["accounts"]] == [True, False]
    assert "3 members (more than strategy.yaml allows for)" in hotel.shell("account", "show", "acme").stdout
    found = hotel.cli("doctor")
    assert (found["ok"], [each["code"] for each in found["findings"]]) == (True, ["account-too-large"])
    assert "'acme' has 3 members, more than 2" in found["findings"][0]["message"]
    assert hotel.cli("audience", "count", "account.seats = 20")["count"] == 3


def test_roll_ups_of_members_are_exact_in_time(hotel: Workspace) -> None:
    hotel.add(
        group("ann", "acme", "2026-01-01T10:00:00Z", role="admin", name="Acme"),
        group("bob", "acme", "2026-01-01T11:00:00Z"),
        event("Login", "ann", "2026-01-02T10:00:00Z"),
        event("Login", "ann", "2026-01-03T10:00:00Z"),
        event("Login", "cy", "2026-01-03T11:00:00Z"),
        event("Login", "bob", "2026-01-04T10:00:00Z"),
    )
    hotel.run("2026-02-01T00:00:00Z")
    assert said(hotel, "Audience Entered", "Audience Left") == [
        ("2026-01-04T10:00:00Z", "Audience Entered", "active-accounts@acme"),
        ("2026-01-04T10:00:00Z", "Audience Entered", "of-active"),
        ("2026-01-10T10:00:00Z", "Audience Left", "active-accounts@acme"),
        ("2026-01-10T10:00:00Z", "Audience Left", "of-active"),
    ]
    assert replay(hotel.home).different == 0


def test_a_late_word_makes_the_account_count_anew(hotel: Workspace) -> None:
    hotel.add(
        group("ann", "acme", "2026-01-01T10:00:00Z", role="admin"),
        event("Login", "ann", "2026-01-02T10:00:00Z"),
        event("Login", "bob", "2026-01-02T12:00:00Z"),
    )
    hotel.run("2026-01-03T00:00:00Z")
    assert said(hotel, "Audience Entered") == []
    hotel.add(group("bob", "acme", "2026-01-02T11:00:00Z"))
    hotel.run("2026-01-04T00:00:00Z")
    assert ("2026-01-03T00:00:00Z", "Audience Entered", "active-accounts@acme") in said(hotel, "Audience Entered")
    hotel.add(event("Left Account", "bob", "2026-01-02T11:30:00Z", account_id="acme"))
    hotel.run("2026-01-05T00:00:00Z")
    assert ("2026-01-04T00:00:00Z", "Audience Left", "active-accounts@acme") in said(hotel, "Audience Left")
    assert replay(hotel.home).different == 0


def test_an_account_that_is_declared_later_knows_the_past(tmp_path: Path) -> None:
    home = Workspace(tmp_path / "home")
    home.apply({"strategy.yaml": STRATEGY["strategy.yaml"].split("accounts:")[0]})
    home.add(
        group("ann", "acme", "2026-01-01T10:00:00Z", role="admin", name="Acme", seats=30),
        group("bob", "acme", "2026-01-01T11:00:00Z"),
        event("Login", "ann", "2026-01-02T10:00:00Z"),
        event("Login", "bob", "2026-01-02T12:00:00Z"),
    )
    home.run("2026-01-03T00:00:00Z")
    home.apply(STRATEGY)
    home.run("2026-01-05T00:00:00Z")
    assert said(home, "Audience Entered") == []
    with State.open(home.home, readonly=True) as state:
        assert [row[1] for row in state.connection.execute("SELECT * FROM members")] == ["user_id:ann", "user_id:bob"]
    home.run("2026-02-01T00:00:00Z")
    assert said(home, "Audience Left") == [
        ("2026-01-09T10:00:00Z", "Audience Left", "active-accounts@acme"),
        ("2026-01-09T10:00:00Z", "Audience Left", "of-active"),
    ]
    assert replay(home.home).different == 0


@pytest.mark.parametrize("size", [1, 7])
def test_ticks_of_any_size_say_the_same(tmp_path: Path, size: int) -> None:
    lines = []
    for name, tick in (("whole", 5_000), ("cut", size)):
        home = Workspace(tmp_path / name)
        home.apply(STRATEGY)
        home.add(*life())
        home.run("2026-03-01T00:00:00Z", tick_size=tick)
        lines.append(home.log_lines())
    assert len(lines[0]) > 10
    assert lines[0] == lines[1]


def life() -> list[Any]:
    """A month of two accounts."""
    events: list[Any] = []
    for number in range(12):
        who, account = f"p{number}", ("acme", "bolt")[number % 2]
        events.append(group(who, account, f"2026-01-{number % 5 + 1:02d}T0{number % 9}:00:00Z", seats=number))
        for day in range(number % 4 + 1):
            events.append(event("Login", who, f"2026-01-{(day * 5 + number) % 28 + 1:02d}T1{number % 9}:00:00Z"))
    events.append(event("Account Updated", "p3", "2026-01-12T10:00:00Z", account_id="bolt", set={"seats": 12}))
    events.append(event("Left Account", "p5", "2026-01-13T10:00:00Z", account_id="bolt"))
    return events
