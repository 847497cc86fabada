"""Reserved names (A17): what no sender can say, in 120 and more spellings; what stays free; that it is counted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from oracle.trait_oracle import forbidden
from support.workspace import Workspace, identify

from innkeeper.events.reserved import RESERVED, is_reserved, readable, reserved_in, without_reserved

CAMEL = {"is_admin": "isAdmin", "tenant_id": "tenantId", "workspace_id": "workspaceId",
         "email_verified": "emailVerified", "phone_verified": "phoneVerified"}  # fmt: skip


def spellings(name: str) -> list[str]:
    """The ways in which one name is smuggled in."""
    made = [name, name.upper(), name.title(), name.replace("_", "-"), f" {name} ", f"user.{name}", f"traits.{name}",
            f"$set.{name}", f"{name}.value", f"a.b.{name.upper()}", "".join(chr(ord(c) + 0xFEE0) for c in name),
            name[:2] + "\u200b" + name[2:], f"{name[0]}\u00ad{name[1:]}"]  # fmt: skip
    made += [CAMEL[name], f"profile.{CAMEL[name]}", name.replace("_", " ")] if name in CAMEL else []
    return made


CASES = [(name, spelling) for name in RESERVED for spelling in spellings(name)] + [
    ("innkeeper.*", spelling)
    for spelling in (
        "innkeeper", "innkeeper.role", "Innkeeper.Role", "INNKEEPER.x.y", "$innkeeper", "$innkeeper_rank",
        "$innkeeper.suppress", "_innkeeper.a", "innkeeper .a", "ｉｎｎｋｅｅｐｅｒ.a",
    )
]  # fmt: skip
FREE = (
    "createdAt", "created", "plan", "admin", "is_administrator", "role", "consented", "consent_form", "innkeeping",
    "innkeepers", "tenant", "verified", "email", "suppress", "deceased_pet", "rolesuite", "my_innkeeper", "a.createdAt",
)  # fmt: skip


def test_there_are_enough_cases() -> None:
    assert len(CASES) >= 120


@pytest.mark.parametrize(("name", "spelling"), CASES)
def test_a_reserved_name_is_left_out_and_counted(name: str, spelling: str) -> None:
    assert is_reserved(spelling)
    assert forbidden(spelling)
    assert not readable(("address", spelling))
    for traits in ({spelling: True}, {"company": {spelling: "x"}}, {"list": [{"a": {spelling: 1}}]}):
        told: dict[str, Any] = {"plan": "pro", **traits}
        kept = without_reserved(told)
        assert kept["plan"] == "pro"
        assert spelling not in str(kept)
        assert list(reserved_in(told)) == [name]


@pytest.mark.parametrize("name", FREE)
def test_ordinary_names_stay(name: str) -> None:
    assert not is_reserved(name)
    assert not forbidden(name)
    told = {name: {"value": 1}, "list": [1, {"x": 2}]}
    assert without_reserved(told) is told
    assert list(reserved_in(told)) == []


def test_the_log_keeps_them_and_nothing_else_reads_them(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "home")
    workspace.apply({"audiences/admins.yaml": "when: traits.plan is present\n"})
    sent: dict[str, Any] = {
        "isAdmin": True,
        "plan": "pro",
        "company": {"roles": ["owner"], "name": "X"},
        "createdAt": "2025-01-01",
    }
    workspace.add(identify("eve", "2026-01-02T00:00:00Z", **sent), source="web")
    workspace.add(identify("eve", "2026-01-03T00:00:00Z", **sent), source="web")
    workspace.run("2026-01-04T00:00:00Z")
    (event, _) = workspace.cli("events", "list", "--name", "Identified")["events"]
    assert event["traits"] == sent
    told = {each["name"]: each["value"] for each in workspace.cli("profile", "show", "eve")["traits"]}
    assert told == {"plan": "pro", "company": {"name": "X"}, "createdAt": "2025-01-01"}
    for expression in ("traits.isAdmin", "traits.isAdmin is present", "traits.company.roles is present"):
        assert workspace.cli("audience", "count", expression) == {"count": 0}
    assert workspace.cli("audience", "count", "traits.company.name = 'X'") == {"count": 1}
    assert workspace.cli("status")["reserved"] == [
        {"source": "web", "name": "is_admin", "count": 2, "last_at": "2026-01-03T00:00:00Z"},
        {"source": "web", "name": "roles", "count": 2, "last_at": "2026-01-03T00:00:00Z"},
    ]
    assert "web told reserved names 4 times: is_admin, roles" in workspace.shell("status").stdout
