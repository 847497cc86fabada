"""`catalog`: what arrives, counted against plain Python; conflicts, masks, warnings about what looks sensitive."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from oracle.audience_cases import Dice
from support.workspace import BASE, Workspace, event, identify

from innkeeper.events.types import to_row
from innkeeper.kernel.json import loads
from innkeeper.store.log import Log

STRATEGY = """
name: test
events: {Login: [device]}
traits:
  plan: { type: text, purpose: stay, description: The plan }
  points: { type: number, merge: add }
  seen: { type: instant }
  never: { type: list }
"""


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    found = Workspace(tmp_path / "home")
    found.apply({"strategy.yaml": STRATEGY})
    found.add(
        event("Login", "ada", "2026-01-02T00:00:00Z", device="phone", iban="NL91 ABNA 0417 1643 00", n=1),
        event("Login", "ben", "2026-01-03T00:00:00Z", device="desk", iban="DE89370400440532013000", n="1"),
        identify("ada", "2026-01-02T00:00:00Z", plan="pro", points=10, seen="2026-01-01T00:00:00Z", roles=["x"]),
        identify(
            "ben", "2026-01-03T00:00:00Z", plan=5, points="7", seen="yesterday", email="ben@x.org", religion="none"
        ),
        source="web",
    )
    found.run("2026-01-04T00:00:00Z")
    return found


def named(rows: Any, name: str) -> Any:
    """The row of a name."""
    return next(each for each in rows if each["name"] == name)


def test_events_and_their_properties(workspace: Workspace) -> None:
    events = workspace.cli("catalog", "events")["events"]
    login = named(events, "Login")
    assert (login["count"], login["declared"], login["sources"]) == (2, True, ["web"])
    assert (login["first_at"], login["last_at"]) == ("2026-01-02T00:00:00Z", "2026-01-03T00:00:00Z")
    told = workspace.cli("catalog", "events", "Login")["properties"]
    assert [(each["name"], each["declared"], each["sensitive"]) for each in told] == [
        ("device", True, None), ("iban", False, "bank_account"), ("n", False, None),
    ]  # fmt: skip
    assert named(told, "n")["types"] == {"number": 1, "text": 1}
    assert named(told, "n")["mixed"] is True
    assert sorted(named(told, "device")["examples"]) == ["desk", "phone"]
    assert named(told, "iban")["examples"] == []


def test_traits_against_their_declaration(workspace: Workspace) -> None:
    told = workspace.cli("catalog", "traits")
    rows = told["traits"]
    assert {name: named(rows, name)["conflicts"] for name in ("plan", "points", "seen", "never")} == {
        "plan": 1, "points": 1, "seen": 1, "never": 0,
    }  # fmt: skip
    plan = named(rows, "plan")
    assert (plan["type"], plan["purpose"], plan["description"], plan["declared"]) == ("text", "stay", "The plan", True)
    assert named(rows, "email")["examples"] == ["b…@x.org"]
    assert (named(rows, "religion")["sensitive"], named(rows, "religion")["declared"]) == ("religion", False)
    assert named(rows, "roles")["reserved"] is True
    assert [(each["name"], each["source"], each["count"]) for each in told["reserved"]] == [("roles", "web", 1)]
    assert workspace.cli("catalog", "traits", "plan")["traits"] == [plan]
    page = workspace.shell("catalog", "traits").stdout
    assert "declared as text: 1 value is not" in page
    assert "looks like a religion" in page


def test_check_and_plan_warn_of_what_looks_sensitive_until_it_is_declared(workspace: Workspace, tmp_path: Path) -> None:
    folder = tmp_path / "strategy"
    folder.mkdir()
    for name, text in {**BASE, "strategy.yaml": STRATEGY}.items():
        (folder / name).write_text(text)
    warnings = workspace.cli("check", str(folder))["warnings"]
    assert [each["code"] for each in warnings] == ["looks-sensitive", "looks-sensitive"]
    assert "the property 'iban' of 'Login' looks like the number of a bank account" in warnings[1]["message"]
    assert "the trait 'religion' looks like a religion" in warnings[0]["message"]
    done = workspace.shell("plan", str(folder))
    assert done.returncode == 0
    assert done.stderr.count("warning: ") == 2
    declared = STRATEGY.replace("[device]", "[device, iban]") + "  religion: { type: text, sensitivity: sensitive }\n"
    (folder / "strategy.yaml").write_text(declared)
    assert workspace.cli("check", str(folder))["warnings"] == []


def test_an_unknown_name_is_refused(workspace: Workspace) -> None:
    for what, name, near in (("events", "Logn", "Login"), ("traits", "plam", "plan")):
        done = workspace.shell("catalog", what, name)
        assert done.returncode == 2
        assert f"did you mean '{near}'" in done.stderr


def test_the_figures_are_those_of_plain_python(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "home")
    seed = 20261124
    events = Dice(seed).history(people=4, events=200)
    with Log.open(workspace.home) as log:
        log.append([to_row(each) for each in events])
    said: dict[str, list[Any]] = {}
    for each in events:
        if each.is_input or each.name == "Traits Updated":
            for name, value in each.traits.items():
                said.setdefault(name, []).append((value, each.source, each.timestamp))
    rows = {each["name"]: each for each in workspace.cli("catalog", "traits")["traits"]}
    assert rows.keys() == said.keys()
    kinds = {
        str: "text",
        bool: "boolean",
        int: "number",
        float: "number",
        dict: "object",
        list: "list",
        type(None): "null",
    }
    for name, words in said.items():
        assert rows[name]["count"] == len(words)
        assert rows[name]["types"] == Counter(kinds[type(value)] for value, _, _ in words), name
        assert rows[name]["sources"] == sorted({source for _, source, _ in words})
    counted = Counter(each.name for each in events if each.is_input)
    assert {each["name"]: each["count"] for each in workspace.cli("catalog", "events")["events"]} == counted
    name = "Order Completed"
    properties = Counter(key for each in events if each.is_input and each.name == name for key in each.properties)
    told = workspace.cli("catalog", "events", name)["properties"]
    assert {each["name"]: each["count"] for each in told} == properties
    assert loads(json.dumps(told)) == told
    print(f"seed {seed}: {len(events)} events, {len(said)} traits")
