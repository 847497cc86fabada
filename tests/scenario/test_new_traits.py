"""New merge rules at an instant at which something else is taken after them."""

from __future__ import annotations

from pathlib import Path

from support.workspace import Workspace, event, identify

from innkeeper.runtime.replay import replay

STRATEGY = "name: test\nzone: UTC\nevents: { Login: [] }\n"
FILES = {
    "audiences/pros.yaml": "name: pros\ndescription: x\nwhen: \"traits.plan = 'pro'\"\n",
    "journeys/upgrade.yaml": "journey: upgrade\nenter: { event: Login }\nsteps: [{ update: { plan: pro } }]\n",
}


def test_a_replay_does_not_know_yet_what_was_said_right_after(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "home")
    workspace.apply({"strategy.yaml": STRATEGY + "traits: [plan]\n", **FILES})
    workspace.add(identify("a", "2026-01-02T00:00:00Z", email="a@x.example"))
    workspace.run("2026-01-10T00:00:00Z")
    rules = "traits: { plan: { type: text, merge: oldest } }\n"
    workspace.apply({"strategy.yaml": STRATEGY + rules, **FILES}, at="2026-01-10T00:00:00Z")
    # It came late: it is taken, and its journey says the trait, at the instant at which the new rules came.
    workspace.add(event("Login", "a", "2026-01-09T00:00:00Z"), received_at="2026-01-10T00:00:00Z")
    workspace.run("2026-01-11T00:00:00Z")
    [said] = workspace.outputs("Traits Updated")
    assert said[0] == "2026-01-10T00:00:00Z"
    assert [entered[2]["audience"] for entered in workspace.outputs("Audience Entered")] == ["pros"]
    found = replay(workspace.home)
    assert found.different == 0, found.examples
