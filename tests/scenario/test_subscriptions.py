"""Subscriptions from the command line to the receiver: what `up` does, what commands say, what doctor tells."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from scenario.test_up import eventually, get_ready, served
from support.receiver import receiving
from support.workspace import Workspace, identify

from innkeeper.kernel.errors import UsageError
from innkeeper.kernel.time import SECOND, SystemClock, format_instant
from innkeeper.runtime import subscriptions
from innkeeper.runtime.outward import Selection

STRATEGY = {"audiences/vip.yaml": "when: traits.plan = 'pro'\n"}


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    made = Workspace(tmp_path / "home")
    made.apply(STRATEGY)
    return made


def become_vip(workspace: Workspace, *whom: str) -> None:
    now = format_instant(SystemClock().now() - 10 * SECOND)
    workspace.add(*(identify(who, now, plan="pro") for who in whom), received_at=now)


def create(workspace: Workspace, url: str, *more: str, expect: int = 0) -> Any:
    arguments = ("--url", url, "--events", "Audience Entered", *more)
    return workspace.cli("subscription", "create", "crm", *arguments, expect=expect)


def test_up_tells_receivers_and_commands_work_beside_it(workspace: Workspace) -> None:
    with receiving() as receiver, receiving(lambda _: 500) as failing:
        assert workspace.cli("subscription", "list") == {"subscriptions": []}
        made = create(workspace, receiver.url, "--audience", "vip", "--allow-private")
        assert made["secret"].startswith("whsec_")
        become_vip(workspace, "a", "b")
        with served(workspace) as up:
            eventually(lambda: get_ready(up["url"]) is True)
            eventually(lambda: len(receiver.taken) == 2)
            workspace.cli(
                "subscription", "create", "bad", "--url", failing.url, "--events", "*", "--allow-private", "--from",
                "2026-01-01T00:00:00Z",
            )  # fmt: skip
            eventually(lambda: len(failing.asked) > 0)
        told = [(one["type"], one["data"]["userId"], one["data"]["properties"]) for one in receiver.taken]
        assert sorted(told) == [
            ("Audience Entered", "a", {"audience": "vip"}), ("Audience Entered", "b", {"audience": "vip"}),
        ]  # fmt: skip
        shown = workspace.cli("subscription", "show", "crm")
        assert (shown["state"], shown["delivered"], shown["waiting"]) == ("active", 2, 0)
        assert made["secret"] not in workspace.shell("subscription", "show", "crm").stdout
        failed = workspace.cli("subscription", "failures", "bad")["failures"]
        assert failed[0]["error"] == "500: refused"
        assert failed[0]["id"] in {one["id"] for one in failing.asked}
        findings = workspace.cli("doctor")["findings"]
        assert "subscription-failing" in [finding["code"] for finding in findings]
        assert {one["subscription"] for one in workspace.cli("status")["subscriptions"]} == {"bad", "crm"}
        assert "told       bad: active" in workspace.shell("status").stdout


def test_the_commands(workspace: Workspace) -> None:
    with receiving() as receiver:
        create(workspace, receiver.url, "--allow-private")
        assert workspace.cli("subscription", "test", "crm") == {"subscription": "crm", "taken": True, "reason": ""}
        assert receiver.taken[0]["type"] == "Subscription Test"
        assert workspace.cli("subscription", "pause", "crm")["state"] == "paused"
        assert workspace.cli("subscription", "rotate-secret", "crm", "--grace", "1 hour")["secret"].startswith("whsec_")
        assert workspace.cli("subscription", "redeliver", "crm", "--from", "2026-01-01T00:00:00Z")["after_seq"] == 0
        receiver.answers = lambda _: (302, {"Location": "http://169.254.169.254/"})
        refused = workspace.shell("subscription", "test", "crm")
        assert (refused.returncode, refused.stdout) == (1, "crm: not taken: 302: a redirect is not followed\n")
        assert workspace.cli("subscription", "remove", "crm") == {"removed": "crm"}
        assert (workspace.home / "subscriptions.db").stat().st_mode & 0o777 == 0o600
        wrong = workspace.cli("subscription", "show", "crm", expect=2)
        assert wrong["errors"][0]["code"] == "unknown-subscription"


OUTSIDE = "https://hooks.example.invalid/"


@pytest.mark.parametrize(
    ("name", "url", "asked", "code"),
    [
        ("crm", "http://127.0.0.1:8080/", {}, "address-refused"),
        ("crm", "http://localhost:8080/", {}, "address-refused"),
        ("crm", "http://169.254.169.254/", {"private": True}, "address-refused"),
        ("crm", "http://2130706433/", {}, "bad-url"),
        ("a b", OUTSIDE, {}, "bad-name"),
        ("crm", OUTSIDE, {"audiences": ["vpi"]}, "unknown-audience"),
    ],
)
def test_a_wrong_subscription_is_not_made(
    workspace: Workspace, name: str, url: str, asked: dict[str, Any], code: str
) -> None:
    selection = Selection.read(events=["*"], audiences=asked.get("audiences", []))
    with pytest.raises(UsageError) as refused:
        subscriptions.create(
            workspace.home, name, url, selection, SystemClock(), private=asked.get("private", False), since=None
        )
    assert refused.value.code == code
    assert subscriptions.listing(workspace.home) == []
