"""Retention as a user sees it: what goes, what stays and why, and that no answer in force changes by it."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

from support.workspace import BASE, Workspace, event, identify, jsonl, message

from innkeeper.kernel.time import format_instant, parse_instant
from innkeeper.runtime.replay import replay
from innkeeper.store import manifest
from innkeeper.store.bulk import Bulk
from innkeeper.store.doctor import examine
from innkeeper.store.log import Log

POLICIES = (
    "purposes:\n  offers: {kind: marketing, basis: legitimate_interest}\n  stay: {kind: service, basis: contract}\n"
    "retention:\n  events: {default: 60 days, Order Completed: 90 days}\n  ledger: 60 days\n  decisions: 60 days\n"
    "  consent: keep\n  logs: 30 days\n"
)
STRATEGY = {
    "strategy.yaml": "name: test\nzone: UTC\n"
    "events: {Order Completed: [total, code], Login: [secret], Page Viewed: [path]}\n"
    "traits: {plan: {retention: 70 days}}\n",
    "policies.yaml": POLICIES,
    "audiences/many.yaml": "when: count('Order Completed') >= 3\n",
    "audiences/spenders.yaml": "when: sum('Order Completed', total) > 200\n",
    "audiences/lately.yaml": "when: did('Order Completed', within => '90 days')\n",
    "audiences/old.yaml": "when: first('Login') < now() - '100 days'\n",
    "audiences/wide.yaml": "when: distinct('Page Viewed', path) >= 3 and not did('Login', before => '50 days')\n",
    "audiences/mean.yaml": "when: avg('Order Completed', total) > 55 or min('Order Completed', total) < 5\n",
    "audiences/pro.yaml": "when: traits.plan = 'pro' and days_since_last('Login') > 30\n",
    "stages.yaml": "- {stage: loyal, when: \"count('Order Completed') >= 4\"}\n- {stage: known, when: did('Login')}\n",
    "messages/thanks.md": message("Thanks"),
    "channels.yaml": "email: {provider: file, from: hello@example.com}\n",
    "journeys/thanks.yaml": "journey: thanks\nenter: {event: Order Completed, where: total > 90}\npurpose: offers\n"
    "steps: [{send: thanks}]\n",
}
AUDIENCES = ("many", "spenders", "lately", "old", "wide", "mean", "pro")


def history(seed: int, days: int = 200) -> list[Any]:
    """A year's worth of a small shop, with browsers that people share."""
    draw = random.Random(seed)
    start = parse_instant("2026-01-01T00:00:00Z")
    made = []
    for number in range(1_200):
        at = format_instant(start + draw.randrange(days * 86_400) * 1_000_000)
        who = f"u{draw.randrange(40)}"
        name = draw.choice(["Order Completed", "Login", "Page Viewed", "Page Viewed", "identify"])
        browser = f"b{draw.randrange(50)}"
        if name == "identify":
            traits = {"plan": draw.choice(["pro", "free"]), "email": f"{who}@example.com"}
            made.append(identify(who, at, **traits) | {"messageId": f"i{number}"})
        elif name == "Order Completed":
            made.append(event(name, who, at, id=f"o{number}", total=draw.randrange(1, 100), code=f"canary-{number}"))
        elif name == "Login":
            made.append(event(name, who, at, id=f"l{number}", anonymous=browser if draw.random() < 0.3 else None,
                              secret=f"canary-{number}"))  # fmt: skip
        else:
            alone = draw.random() < 0.5
            made.append(event(name, None if alone else who, at, id=f"p{number}", anonymous=browser if alone else None,
                              path=f"/{draw.randrange(6)}"))  # fmt: skip
    return made


def answers(workspace: Workspace, *, at: str | None = None) -> dict[str, Any]:
    """What SQL says of every audience in force, and of the stages."""
    from innkeeper.runtime.audience import Audiences
    from innkeeper.runtime.stages import count_stages

    instant = None if at is None else parse_instant(at)
    audiences = Audiences(workspace.home)
    found: dict[str, Any] = {}
    for name in AUDIENCES:
        asked = audiences.understand(f"in_audience('{name}')")
        assert audiences.gone(asked, instant) == (), name
        found[name] = audiences.ids(asked, instant)
    return found | {"stages": count_stages(workspace.home, instant)[1]}


def live(workspace: Workspace) -> dict[str, list[str]]:
    """Who the engine says is in which audience."""
    from innkeeper.kernel.ids import display_id
    from innkeeper.lifecycle import decode
    from innkeeper.store.state import State

    members: dict[str, list[str]] = {name: [] for name in AUDIENCES}
    with State.open(workspace.home, readonly=True) as state:
        for page in state.pages():
            for subject, body in page:
                for name in decode(body).memberships:
                    members[name].append(display_id(subject))
    return {name: sorted(ids) for name, ids in members.items()}


def test_nothing_that_is_in_force_changes(tmp_path: Path) -> None:
    seed = 20261124
    workspace = Workspace(tmp_path / "home")
    workspace.apply(STRATEGY)
    events = history(seed)
    file = jsonl(tmp_path / "events.jsonl", events)
    workspace.cli("import", str(file))
    workspace.run("2026-07-20T00:00:00Z")
    before, balance = answers(workspace), workspace.cli("ledger", "balance")
    assert {name: before[name] for name in AUDIENCES} == live(workspace), seed
    dry = workspace.cli("retention")
    assert (dry["dry_run"], dry["bytes_after"]) == (True, None)
    assert dry["goes"] > 500
    assert workspace.cli("retention")["goes"] == dry["goes"], "a dry run changes nothing"
    done = workspace.cli("retention", "--yes")
    assert (done["goes"], done["dry_run"]) == (dry["goes"], False)
    assert done["bytes_after"] > 0
    assert answers(workspace) == before, seed
    assert live(workspace) == {name: before[name] for name in AUDIENCES}
    assert workspace.cli("ledger", "balance") == balance
    assert workspace.cli("doctor")["ok"]
    assert examine(workspace.home) == []
    assert replay(workspace.home).different == 0
    again = workspace.cli("retention", "--yes")
    assert again["goes"] == 0
    # The file again: all of it is known, also what is gone.
    imported = workspace.cli("import", str(file))
    assert (imported["accepted"], imported["duplicates"]) == (0, len(events))
    # Time goes on, and the job comes again.
    workspace.run("2026-09-10T00:00:00Z")
    before = answers(workspace)
    assert {name: before[name] for name in AUDIENCES} == live(workspace)
    assert replay(workspace.home).different == 0
    assert workspace.cli("retention", "--yes")["goes"] > 0
    assert answers(workspace) == before
    assert replay(workspace.home).different == 0
    # A new strategy makes every profile learn the past again: from what is carried and what is left.
    workspace.apply({**STRATEGY, "audiences/pro.yaml": "when: traits.plan = 'pro' and days_since_last('Login') > 31\n"})
    workspace.run("2026-09-11T00:00:00Z")
    after = answers(workspace)
    assert {name: after[name] for name in AUDIENCES} == live(workspace)
    at = answers(workspace, at="2026-09-10T00:00:00Z")
    assert {name: ids for name, ids in at.items() if name != "pro"} == {
        name: ids for name, ids in before.items() if name != "pro"
    }
    assert replay(workspace.home).different == 0


def test_what_stays_says_why_and_what_goes_is_nowhere(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "home")
    workspace.apply(STRATEGY)
    workspace.cli("import", str(jsonl(tmp_path / "events.jsonl", [
        event("Login", "u1", "2026-01-01T00:00:00Z", anonymous="b1", secret="stays-first-link"),
        event("Login", "u1", "2026-01-02T00:00:00Z", anonymous="b1", secret="canary-goes"),
        event("Order Completed", "u2", "2026-01-02T00:00:00Z", total=5, code="canary-goes"),
        identify("u1", "2026-01-03T00:00:00Z", first_name="canary-goes"),
        identify("u1", "2026-01-04T00:00:00Z", first_name="Ann"),
        event("Consent Given", "u1", "2026-01-05T00:00:00Z", purpose="offers", proof="form 7"),
        event("Login", "u1", "2026-06-01T00:00:00Z", secret="young"),
    ])))  # fmt: skip
    workspace.run("2026-07-01T00:00:00Z")
    with Log.open(workspace.home) as log:
        log.seal(force=True)
    report = workspace.cli("retention", "--yes")
    lines = {line["what"]: line for line in report["lines"]}
    assert lines["Login"] | {"until": None} == {
        "class": "events", "what": "Login", "rule": "60 days", "until": None, "due": 2, "goes": 1,
        "kept": {"it links identifiers": 1}, "oldest_kept": "2026-01-01T00:00:00Z",
    }  # fmt: skip
    assert (lines["Identified"]["goes"], lines["Identified"]["kept"]) == (1, {"a trait still stands": 1})
    assert lines["Consent Given"]["kept"] == {"proof of consent": 1}
    assert lines["Consent Given"]["class"] == "consent"
    again = {line["what"]: line["kept"] for line in workspace.cli("retention")["lines"]}
    assert again["Facts Carried"].keys() == {"stands for what went"}
    assert (lines["Order Completed"]["goes"], lines["Order Completed"]["oldest_kept"]) == (1, None)
    texts = {path: path.read_bytes() for path in workspace.home.rglob("*") if path.is_file()}
    assert [path for path, content in texts.items() if b"canary-goes" in content] == []
    with Bulk.open(workspace.home) as bulk:
        everything = json.dumps(bulk.rows("SELECT properties, traits, context, extra FROM events"))
    assert "canary-goes" not in everything
    assert "stays-first-link" in everything
    shown = workspace.cli("profile", "show", "u2")
    assert shown["id"] == "u2"
    assert workspace.cli("audience", "list", "count('Order Completed') = 1")["ids"] == ["u2"]


def test_a_question_that_needs_what_is_gone_is_told_so(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "home")
    workspace.apply(STRATEGY)
    workspace.cli("import", str(jsonl(tmp_path / "events.jsonl", history(7))))
    workspace.run("2026-07-20T00:00:00Z")
    workspace.cli("retention", "--yes")
    listed = {each.name: format_instant(each.until) for each in manifest.load(workspace.home).let_go}
    assert listed["Order Completed"] == "2026-04-21T00:00:00Z"

    def warnings(*arguments: str) -> list[str]:
        return [each["code"] for each in workspace.cli("audience", *arguments).get("warnings", [])]

    assert warnings("count", "count('Order Completed') >= 3") == []
    assert warnings("count", "did('Order Completed', within => '90 days')") == []
    assert warnings("count", "did('Order Completed', within => '91 days')") == ["events-gone"]
    assert warnings("count", "count('Order Completed', where => total > 3) >= 1") == ["events-gone"]
    assert warnings("count", "count('Order Completed') >= 3", "--at", "2026-03-01T00:00:00Z") == ["events-gone"]
    assert warnings("flips", "did('Login')", "--from", "2026-02-01T00:00:00Z", "--until", "2026-07-01T00:00:00Z") == [
        "events-gone"
    ]
    said = workspace.shell("audience", "count", "count('Order Completed', where => total > 3) >= 1")
    assert "2026-04-21" in said.stderr
    folder = tmp_path / "strategy"
    for path, text in {**BASE, **STRATEGY, "audiences/new.yaml": "when: count('Login') > 3\n"}.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    applied = workspace.cli("apply", str(folder), "--yes")
    assert [each["code"] for each in applied["warnings"]] == ["events-gone"]
    assert "count('Login')" in applied["warnings"][0]["message"]
    gone = workspace.shell("profile", "show", "u1", "--at", "2026-02-01T00:00:00Z")
    assert gone.returncode == 2
    assert "past-is-gone" in gone.stderr
