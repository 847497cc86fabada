"""A trait with a retention: its words end at their instant, everywhere, and the job takes them out of the log.

The oracle is the list of words that were sent: which of them count at an instant is one comparison.
"""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
from support.workspace import Workspace, event, identify, message

from innkeeper.kernel.errors import OperationFailed
from innkeeper.kernel.time import DAY, HOUR, Instant, format_instant, parse_instant
from innkeeper.lifecycle import decode
from innkeeper.runtime.audience import Audiences
from innkeeper.runtime.replay import replay
from innkeeper.runtime.retention import retain
from innkeeper.runtime.retract import retract
from innkeeper.store.bulk import Bulk
from innkeeper.store.doctor import examine
from innkeeper.store.state import State

LENGTH = 30 * DAY
TRAITS = "traits:\n  plan: {type: text, retention: 30 days}\n  code: {retention: 30 days}\n  city:\n"
FILES = {
    "strategy.yaml": f"name: test\nzone: UTC\nevents: {{Login: []}}\n{TRAITS}",
    "audiences/pro.yaml": "when: traits.plan = 'pro'\n",
    "audiences/unplanned.yaml": "when: traits.plan is missing and traits.city is present\n",
    "messages/bye.md": message("Bye"),
    "channels.yaml": "email: {provider: file, from: hello@example.com}\n",
    "journeys/bye.yaml": "journey: bye\nenter: {audience: pro}\npurpose: offers\n"
    "steps: [{wait: {until: traits.plan is missing, at_most: 90 days}}, {update: {code: 'was-pro'}}, {send: bye}]\n",
}
START = parse_instant("2026-01-01T00:00:00Z")
SEED = 20261125


def sent(draw: random.Random) -> list[tuple[str, Instant, Any]]:
    """Who was told to have which plan, when; no two words on one person at one instant."""
    moments = draw.sample(range(60 * 24), 90)
    return [(f"u{draw.randrange(40)}", START + at * HOUR, draw.choice(["pro", "free", None])) for at in sorted(moments)]


def plan_at(words: list[tuple[str, Instant, Any]], at: Instant) -> dict[str, Any]:
    """Everybody's plan at an instant: the newest word, if it has not ended."""
    newest = {who: (said, value) for who, said, value in words if said <= at}
    return {who: value for who, (said, value) in newest.items() if at < said + LENGTH and value is not None}


def members(workspace: Workspace, name: str) -> list[str]:
    with State.open(workspace.home, readonly=True) as state:
        profiles = [decode(body) for page in state.pages() for _, body in page]
    return sorted(one.subject.removeprefix("user_id:") for one in profiles if name in one.memberships)


def asked(workspace: Workspace, text: str) -> list[str]:
    """The members, by SQL."""
    audiences = Audiences(workspace.home)
    return audiences.ids(audiences.understand(text), None)


def check(workspace: Workspace, words: list[tuple[str, Instant, Any]], at: Instant) -> None:
    """The engine and SQL say what the oracle says."""
    expected = plan_at(words, at)
    pro = sorted(who for who, plan in expected.items() if plan == "pro")
    without = sorted({who for who, said, _ in words if said <= at} - expected.keys())
    assert members(workspace, "pro") == pro
    assert members(workspace, "unplanned") == without
    assert asked(workspace, "in_audience('pro')") == pro
    assert asked(workspace, "in_audience('unplanned')") == without


def told_workspace(tmp_path: Path, words: list[tuple[str, Instant, Any]]) -> Workspace:
    workspace = Workspace(tmp_path / "home")
    workspace.apply(FILES)
    for number, (who, at, plan) in enumerate(words):
        said = identify(who, format_instant(at), plan=plan, city="Porto")
        if number % 3 == 0:
            # What a page says of the customer stands in the context.
            said = event("Login", who, format_instant(at)) | {"context": {"traits": said["traits"], "page": {"n": 1}}}
        workspace.add(said)
    return workspace


def ended(workspace: Workspace) -> int:
    """How many words on `plan` and `code` the log holds."""
    with Bulk.open(workspace.home) as bulk:
        rows = bulk.rows("SELECT traits, context FROM events")
    for traits, context in rows:
        inside = json.loads(context).get("traits")
        assert inside is None or inside == json.loads(traits)
    return sum(name in json.loads(traits) for traits, _ in rows for name in ("plan", "code"))


def test_words_end_at_their_instant_and_the_job_takes_them_away(tmp_path: Path) -> None:
    words = sent(random.Random(SEED))
    workspace = told_workspace(tmp_path, words)
    for at in (START + 25 * DAY, START + 40 * DAY, START + 70 * DAY):
        workspace.run(format_instant(at))
        check(workspace, words, at)
    at, early = START + 70 * DAY, START + 33 * DAY
    left = [one for one in workspace.outputs("Audience Left") if one[2]["audience"] == "pro"]
    instants = {format_instant(said + LENGTH) for _, said, plan in words if plan == "pro"}
    assert len(instants & {told for told, _, _ in left}) > 5, "some left because a word ended, to the microsecond"
    flips = ("audience", "flips", "traits.plan = 'pro'", "--from", format_instant(START), "--until", format_instant(at))
    found = {(flip["at"], flip["id"]) for flip in workspace.cli(*flips)["flips"] if not flip["member"]}
    assert found == {(told, who) for told, who in found if told in {each for each, _, _ in left}}
    assert len(found) == len(left)
    then = workspace.cli("audience", "list", "traits.plan = 'pro'", "--at", format_instant(early))
    assert then["ids"] == sorted(who for who, plan in plan_at(words, early).items() if plan == "pro")
    assert "warnings" not in then

    going = [said for _, said, _ in words if said + LENGTH <= at]
    updates = [told for told, name, _ in workspace.outputs() if name == "Traits Updated"]
    updated = [told for told in updates if parse_instant(told) + LENGTH <= at]
    held = len(words) + len(updates)
    assert ended(workspace) == held
    lines = {line["what"]: line for line in workspace.cli("retention")["lines"] if line["class"] == "traits"}
    assert (lines["plan"]["goes"], lines["code"]["goes"]) == (len(going), len(updated))
    assert ended(workspace) == held, "a dry run changes nothing"
    assert retain(workspace.home).goes == len(going) + len(updated) > 30
    assert ended(workspace) == held - len(going) - len(updated)
    check(workspace, words, at)
    assert replay(workspace.home).different == 0
    assert examine(workspace.home) == []
    assert retain(workspace.home).goes == 0
    then = workspace.cli("audience", "list", "traits.plan = 'pro'", "--at", format_instant(early))
    assert [each["code"] for each in then["warnings"]] == ["traits-gone"]
    assert "warnings" not in workspace.cli("audience", "list", "traits.city = 'Porto'", "--at", format_instant(early))

    later = START + 95 * DAY
    workspace.run(format_instant(later))
    check(workspace, words, later)
    assert members(workspace, "pro") == []
    assert replay(workspace.home).different == 0
    assert retain(workspace.home).goes > 0
    assert replay(workspace.home).different == 0
    traits = {each["name"]: each for each in workspace.cli("catalog", "traits")["traits"]}
    shown = traits["plan"]
    assert (shown["count"], shown["examples"], shown["gone_at"]) == (0, [], format_instant(later))
    assert traits["city"]["gone_at"] is None
    page = workspace.shell("catalog", "traits", "plan").stdout
    assert "plan" in page
    assert "came, and has gone  values went by its retention, last on 2026-04-06" in page


def test_what_has_ended_is_nowhere_not_even_in_checkpoints(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "home")
    workspace.apply(FILES)
    workspace.add(
        identify("u1", "2026-01-02T00:00:00Z", code="canary-first", city="Porto") | {"messageId": "m1"},
        identify("u1", "2026-01-20T00:00:00Z", code="canary-second") | {"messageId": "m2"},
        identify("u2", "2026-01-20T00:00:00Z", code="canary-second") | {"messageId": "m3"},
    )
    for until, gone in (("2026-02-05T00:00:00Z", b"canary-first"), ("2026-02-20T00:00:00Z", b"canary-second")):
        workspace.run(until)
        assert retain(workspace.home).goes > 0
        held = [path for path in workspace.home.rglob("*") if path.is_file() and gone in path.read_bytes()]
        assert held == []
        assert replay(workspace.home).different == 0
    with Bulk.open(workspace.home) as bulk:
        everything = json.dumps(bulk.rows("SELECT properties, traits, context, extra FROM events WHERE is_input"))
    assert "canary" not in everything
    assert "Porto" in everything


def test_a_longer_retention_brings_back_what_is_still_in_the_log(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "home")
    workspace.apply(FILES)
    workspace.add(
        identify("u1", "2026-01-02T00:00:00Z", plan="pro"), identify("u2", "2026-02-20T00:00:00Z", plan="pro")
    )
    workspace.run("2026-03-01T00:00:00Z")
    assert members(workspace, "pro") == ["u2"]
    longer = FILES["strategy.yaml"].replace("retention: 30 days}\n  code", "retention: 90 days}\n  code")
    workspace.apply({**FILES, "strategy.yaml": longer}, at="2026-03-01T00:00:00Z")
    workspace.run("2026-03-02T00:00:00Z")
    assert members(workspace, "pro") == asked(workspace, "traits.plan = 'pro'") == ["u1", "u2"]
    workspace.apply({**FILES, "strategy.yaml": longer.replace("90 days", "2 days")}, at="2026-03-02T00:00:00Z")
    workspace.run("2026-03-03T00:00:00Z")
    assert members(workspace, "pro") == asked(workspace, "traits.plan = 'pro'") == []
    workspace.apply({**FILES, "strategy.yaml": FILES["strategy.yaml"].replace(TRAITS, "traits: [plan, code, city]\n")})
    workspace.run("2026-03-04T00:00:00Z")
    assert members(workspace, "pro") == asked(workspace, "traits.plan = 'pro'") == ["u1", "u2"]
    assert replay(workspace.home).different == 0


def test_nobodys_past_is_played_anew_without_words_that_went(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "home")
    workspace.apply(FILES)
    for who, at in (("u1", "2026-01-02T00:00:00Z"), ("u2", "2026-02-20T00:00:00Z")):
        workspace.add(identify(who, at, plan="pro", city="Porto"))
        workspace.add(event("Login", who, at, id=f"bad-{who}"), source="till")
    workspace.run("2026-03-01T00:00:00Z")
    assert retain(workspace.home).goes == 1
    with pytest.raises(OperationFailed) as refused:
        retract(workspace.home, "till", messages=["bad-u1"])
    assert refused.value.code == "past-is-gone"
    retract(workspace.home, "till", messages=["bad-u2"], do=True)
    assert replay(workspace.home).different == 0
