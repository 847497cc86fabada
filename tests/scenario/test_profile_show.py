"""`profile show` and `profile note`: where each value comes from, what lost and why, what is remembered."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.workspace import Workspace, event, identify

STRATEGY = """
name: test
zone: UTC
events: {Login: []}
traits:
  plan: { type: text, merge: trusted }
  points: { type: number, merge: add }
  first_visit: { type: instant, merge: oldest }
  email: text
memories: [pillow]
sources:
  crm: { trust: 3, verifies: [email] }
  site: { trust: 0, verifies: [phone] }
"""


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    found = Workspace(tmp_path / "home")
    found.apply(
        {
            "strategy.yaml": STRATEGY,
            "stages.yaml": "- { stage: member, when: traits.plan = 'pro' }\n- { stage: new, when: did('Login') }\n",
            "audiences/soft.yaml": "when: memory.pillow = 'soft'\n",
            "audiences/rich.yaml": "when: traits.points >= 30\n",
        }
    )
    found.add(event("Login", None, "2026-01-02T00:00:00Z", anonymous="b1"), source="web")
    found.add(
        identify("ada", "2026-01-03T00:00:00Z", anonymous="b1", plan="free", points=10, email="ada@x.org"), source="web"
    )
    found.add(identify("ada", "2026-01-04T00:00:00Z", plan="pro", email="ADA@x.org"), source="crm")
    found.add(identify("ada", "2026-01-05T00:00:00Z", plan="basic", first_visit="2026-01-02T00:00:00Z"), source="web")
    anonymous: dict[str, Any] = identify("x", "2026-01-02T12:00:00Z", anonymous="b1", points=20.5, is_admin=True)
    found.add(anonymous | {"userId": None}, source="web")
    found.run("2026-01-06T00:00:00Z")
    return found


def trait(told: Any, name: str) -> Any:
    """One trait of the answer."""
    return next(each for each in told["traits"] if each["name"] == name)


def test_every_trait_says_where_it_comes_from(workspace: Workspace) -> None:
    told = workspace.cli("profile", "show", "ada")
    plan = trait(told, "plan")
    assert (plan["value"], plan["source"], plan["trust"]) == ("pro", "crm", 3)
    assert [(each["value"], each["source"], each["why"]) for each in plan["others"]] == [
        ("basic", "web", "less trusted (1 against 3)")
    ]
    points = trait(told, "points")
    assert points["value"] == 30.5
    assert sorted(each["identifier"] for each in points["parts"]) == ["anonymous_id:b1", "user_id:ada"]
    email = trait(told, "email")
    assert (email["value"], email["verified"], email["verified_by"]) == ("ADA@x.org", True, "the source crm")
    assert not any(each["name"] == "is_admin" for each in told["traits"])
    assert [(step["from"], step["to"]) for step in told["path"]] == [(None, "new"), ("new", "member")]
    assert [each["name"] for each in told["audiences"]] == ["rich"]
    assert workspace.cli("audience", "list", "traits.points = 30.5 and traits.plan = 'pro'") == {"ids": ["ada"]}


def test_as_it_was_known_then(workspace: Workspace) -> None:
    told = workspace.cli("profile", "show", "ada", "--at", "2026-01-03T12:00:00Z")
    assert (trait(told, "plan")["value"], told["stage"]) == ("free", "new")
    assert [line["text"] for line in told["timeline"]][-1] == "now one of ‘rich’"
    assert workspace.cli("profile", "show", "ada", "--timeline", "0")["timeline"] == []


def test_an_address_is_verified_by_an_event_of_a_source_that_is_trusted(workspace: Workspace) -> None:
    workspace.add(identify("ben", "2026-01-07T00:00:00Z", email="ben@x.org", phone="+351 555 000"), source="web")
    verified = {"namespace": "email", "value": "ben@X.org"}
    workspace.add(event("Identifier Verified", "ben", "2026-01-08T00:00:00Z", **verified), source="site")
    workspace.run("2026-01-09T00:00:00Z")
    assert trait(workspace.cli("profile", "show", "ben"), "email")["verified"] is False
    workspace.add(event("Identifier Verified", "ben", "2026-01-10T00:00:00Z", **verified), source="web")
    workspace.run("2026-01-11T00:00:00Z")
    told = workspace.cli("profile", "show", "ben")
    assert trait(told, "email")["verified_by"] == "Identifier Verified, web"
    assert trait(told, "phone")["verified"] is False


def test_a_source_that_is_not_trusted_verifies_nothing(workspace: Workspace) -> None:
    workspace.add(identify("ben", "2026-01-07T00:00:00Z", phone="+351 555 000"), source="site")
    workspace.run("2026-01-09T00:00:00Z")
    assert trait(workspace.cli("profile", "show", "ben"), "phone")["verified"] is False


def test_what_the_staff_write_down_is_remembered(workspace: Workspace) -> None:
    noticed = event("Memory Noted", "ada", "2026-01-07T00:00:00Z", about="pillow", value="firm", by="Rui")
    workspace.add(noticed, source="pms")
    written = workspace.cli(
        "profile", "note", "ada", "she slept badly on the firm one", "--by", "Marta", "--memory", "pillow=soft",
        "--at", "2026-01-06T10:00:00Z",
    )  # fmt: skip
    assert [each["event"] for each in written["events"]] == ["Memory Noted"]
    workspace.cli("profile", "note", "ada", "asked for a late breakfast", "--at", "2026-01-06T11:00:00Z")
    workspace.run("2026-01-08T00:00:00Z")
    told = workspace.cli("profile", "show", "ada")
    (memory,) = told["memories"]
    assert (memory["about"], memory["value"], memory["explicit"], memory["by"]) == ("pillow", "soft", True, "Marta")
    assert [(each["value"], each["explicit"], each["by"]) for each in memory["others"]] == [("firm", False, "Rui")]
    assert [each["name"] for each in told["audiences"]] == ["rich", "soft"]
    assert workspace.cli("audience", "list", "memory.pillow = 'soft'") == {"ids": ["ada"]}
    lines = [(line["text"], line["detail"]) for line in told["timeline"]]
    assert ("Marta was told: pillow soft", "she slept badly on the firm one") in lines
    assert ("wrote a note", "asked for a late breakfast") in lines
    workspace.add(event("Memory Forgotten", "ada", "2026-01-09T00:00:00Z", about="pillow"), source="pms")
    workspace.run("2026-01-10T00:00:00Z")
    told = workspace.cli("profile", "show", "ada")
    assert (told["memories"], [each["name"] for each in told["audiences"]]) == ([], ["rich"])


def test_a_rule_that_comes_later_learns_from_the_record(workspace: Workspace) -> None:
    workspace.add(identify("ada", "2026-01-07T00:00:00Z", first_visit="2026-01-07T00:00:00Z", email=None), source="web")
    workspace.run("2026-01-08T00:00:00Z")
    first = trait(workspace.cli("profile", "show", "ada"), "first_visit")
    assert (first["value"], first["others"][0]["why"]) == ("2026-01-02T00:00:00Z", "later")
    later = STRATEGY.replace("email: text", "email: { merge: oldest }").replace("merge: oldest }\n  e", "}\n  e")
    workspace.apply({"strategy.yaml": later}, at="2026-01-08T00:00:00Z")
    workspace.run("2026-01-09T00:00:00Z")
    told = workspace.cli("profile", "show", "ada")
    assert trait(told, "email")["value"] == "ada@x.org"
    assert trait(told, "first_visit")["value"] == "2026-01-07T00:00:00Z"
    assert workspace.cli("replay")["different"] == 0


def test_the_page_can_be_read(workspace: Workspace) -> None:
    done = workspace.shell("profile", "show", "ada")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "ada  stage: member  as of 6 Jan 2026 00:00 (UTC)"
    assert "  plan         pro  (crm, trust 3, 4 Jan 2026 00:00)" in lines
    assert "               not basic (web, 5 Jan 2026 00:00): less trusted (1 against 3)" in lines
    assert "  points       30.5  (the sum of 2)" in lines
    assert "  4 Jan 2026 00:00   new → member" in lines


def test_the_story_names_the_account_and_the_former_id(workspace: Workspace) -> None:
    joined = {"type": "group", "userId": "ada", "groupId": "acme", "messageId": "g", "traits": {"name": "Acme"}}
    renamed = {"type": "alias", "userId": "ada", "previousId": "ada0", "messageId": "a"}
    workspace.add(joined | {"timestamp": "2026-01-07T00:00:00Z"}, renamed | {"timestamp": "2026-01-08T00:00:00Z"})
    workspace.run("2026-01-09T00:00:00Z")
    account, alias = workspace.cli("profile", "show", "ada")["timeline"][-2:]
    assert (account["text"], account["detail"]) == ("is of the account acme", "name Acme")
    assert alias["text"] == "was known as ada0 before"


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("profile", "note", "ada"), "empty-note"),
        (("profile", "note", "ada", "--memory", "pillow"), "bad-memory"),
        (("profile", "note", "nobody", "hello"), "unknown-profile"),
    ],
)
def test_a_note_that_cannot_be_written(workspace: Workspace, arguments: tuple[str, ...], code: str) -> None:
    done = workspace.shell("--json", *arguments)
    assert done.returncode == 2
    assert f'"code":"{code}"' in done.stdout
