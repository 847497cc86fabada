"""Drafts of the strategy: who may do what with one, which version of it, and what was applied meanwhile."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from support.api import STRATEGY
from support.door import Answer, Served, opened
from support.workspace import BASE, Workspace

from innkeeper.cli.main import cli
from innkeeper.kernel.errors import UsageError
from innkeeper.kernel.time import parse_instant
from innkeeper.runtime import drafts
from innkeeper.store import drafts as store

WHOLE = {**BASE, **STRATEGY}
LOYAL = {"audiences/loyal.yaml": "when: did('Login')\n"}
BIGGER = {"audiences/big.yaml": "when: sum('Order Completed', total) > 200\n"}
BIGGEST = {"audiences/big.yaml": "when: sum('Order Completed', total) > 300\n"}


@pytest.fixture
def door(tmp_path: Path) -> Iterator[Served]:
    Workspace(tmp_path / "home").apply(STRATEGY)
    with opened(tmp_path / "home") as found:
        for name, role in (("ed", "editor"), ("al", "approver")):
            assert found.ask("POST", "/users", {"name": name, "role": role}).status == 201
        yield found


def token(door: Served, user: str) -> str:
    return str(door.ask("POST", "/tokens", {"name": f"of-{user}", "user": user}).json["token"])


def kept(door: Served, files: dict[str, Any], **more: Any) -> Answer:
    answer = door.ask("POST", "/drafts", {"files": files, **more})
    assert answer.status == 201, answer.text
    assert answer.headers["etag"] == answer.json["etag"]
    return answer


def applied(door: Served) -> Any:
    return door.ask("GET", "/definitions").json


def apply(door: Served, files: dict[str, str]) -> None:
    tag = door.ask("GET", "/definitions").headers["etag"]
    assert door.ask("POST", "/definitions/publish", {"files": files}, If_Match=tag).status == 200


def test_an_editor_drafts_and_an_approver_publishes(door: Served) -> None:
    ed, al = token(door, "ed"), token(door, "al")
    made = door.ask("POST", "/drafts", {"files": LOYAL, "title": "The loyal"}, token=ed).json
    assert (made["author"], made["paths"], made["base"], made["state"]) == ("ed", [*LOYAL], 1, "open")
    path, tag = f"/drafts/{made['draft']}", made["etag"]
    assert door.ask("GET", f"{path}/check", token=ed).json == {"errors": [], "warnings": []}
    planned = door.ask("GET", f"{path}/plan", token=ed)
    assert (planned.json["added"], planned.json["removed"]) == (["audiences/loyal"], [])
    assert applied(door)["files"] == WHOLE
    assert door.ask("POST", f"{path}/publish", {}, token=ed, If_Match=tag).status == 403
    done = door.ask("POST", f"{path}/publish", {}, token=al, If_Match=planned.headers["etag"])
    assert (done.status, done.json["added"], done.json["number"]) == (200, ["audiences/loyal"], 2)
    assert applied(door) == {"number": 2, "files": {**WHOLE, **LOYAL}}
    after = door.ask("GET", path, token=ed).json
    assert (after["state"], after["published"]["by"], after["published"]["number"]) == ("published", "al", 2)
    again = door.ask("POST", f"{path}/publish", {}, token=al, If_Match=after["etag"])
    assert (again.status, again.json["code"]) == (409, "draft-published")
    for standing, number in (("open", 0), ("published", 1), ("all", 1)):
        assert len(door.ask("GET", f"/drafts?standing={standing}").json["drafts"]) == number


def test_what_changes_a_draft_names_the_version_that_was_read(door: Served) -> None:
    made = kept(door, LOYAL).json
    path, first = f"/drafts/{made['draft']}", made["etag"]
    for method, below, body in (
        ("POST", "/files", {"files": BIGGER}), ("POST", "/rebase", {}), ("POST", "/publish", {}), ("DELETE", "", None)
    ):  # fmt: skip
        assert door.ask(method, path + below, body).status == 428
        for stale in ('"0.1"', '"1.2"', "*", "1.1", 'W/"1.1"', ""):
            refused = door.ask(method, path + below, body, If_Match=stale)
            assert (refused.status, refused.json["code"]) == (412, "stale-draft"), (below, stale)
    assert door.ask("GET", path).json == made
    changed = door.ask("POST", f"{path}/files", {"files": BIGGER}, If_Match=first)
    assert changed.json["files"] == {**LOYAL, **BIGGER}
    assert door.ask("POST", f"{path}/files", {"files": {}}, If_Match=first).status == 412
    back = {"audiences/big.yaml": STRATEGY["audiences/big.yaml"], "audiences/nothing.yaml": None}
    less = door.ask("POST", f"{path}/files", {"files": back}, If_Match=changed.headers["etag"])
    assert less.json["files"] == LOYAL
    assert door.ask("DELETE", path, If_Match=less.json["etag"]).json["discarded"]
    assert door.ask("GET", path).status == 404


def test_a_draft_is_refused_over_another_strategy_than_its_reader_saw(door: Served) -> None:
    """A file of the draft that was applied otherwise is a conflict; one that it leaves alone needs a new look."""
    mine = kept(door, BIGGER).json
    path = f"/drafts/{mine['draft']}"
    apply(door, {**WHOLE, **LOYAL})
    assert door.ask("POST", f"{path}/publish", {}, If_Match=mine["etag"]).status == 412
    read = door.ask("GET", path).json
    assert (read["conflicts"], read["base"], read["in_force"]) == ([], 1, 2)
    assert door.ask("GET", f"{path}/plan").json["changed"] == ["audiences/big"]
    apply(door, {**WHOLE, **LOYAL, **BIGGEST})
    read = door.ask("GET", path).json
    assert read["conflicts"] == [*BIGGER]
    for method, below in (("GET", "/plan"), ("POST", "/publish")):
        refused = door.ask(method, path + below, {} if method == "POST" else None, If_Match=read["etag"])
        assert (refused.status, refused.json["code"]) == (409, "draft-conflict")
        assert "audiences/big.yaml" in refused.json["detail"]
    rebased = door.ask("POST", f"{path}/rebase", {}, If_Match=read["etag"]).json
    assert (rebased["conflicts"], rebased["base"], rebased["files"]) == ([], 3, BIGGER)
    assert door.ask("POST", f"{path}/publish", {}, If_Match=rebased["etag"]).status == 200
    assert applied(door)["files"] == {**WHOLE, **LOYAL, **BIGGER}


def test_the_same_change_applied_by_somebody_else_is_no_conflict(door: Served) -> None:
    mine = kept(door, {**BIGGER, **LOYAL}).json
    apply(door, {**WHOLE, **BIGGER})
    read = door.ask("GET", f"/drafts/{mine['draft']}").json
    assert read["conflicts"] == []
    done = door.ask("POST", f"/drafts/{mine['draft']}/publish", {}, If_Match=read["etag"])
    assert (done.json["added"], done.json["changed"]) == (["audiences/loyal"], [])


def test_a_whole_strategy_takes_away_what_it_does_not_name(door: Served) -> None:
    fewer = {path: text for path, text in WHOLE.items() if not path.startswith("stages")}
    made = kept(door, {**fewer, **LOYAL}, whole=True).json
    assert made["files"] == {"stages.yaml": None, **LOYAL}
    planned = door.ask("GET", f"/drafts/{made['draft']}/plan").json
    assert (planned["added"], planned["removed"]) == (["audiences/loyal"], ["stages"])


def test_a_draft_with_errors_is_kept_and_not_published(door: Served) -> None:
    made = kept(door, {"journeys/bad.yaml": "enter: {event: Logn}\nsteps:\n  - send: nothing\n"}).json
    path = f"/drafts/{made['draft']}"
    told = door.ask("GET", f"{path}/check").json["errors"]
    assert sorted(each["code"] for each in told) == ["unknown-event", "unknown-message"]
    for method, below in (("GET", "/plan"), ("POST", "/publish")):
        refused = door.ask(method, path + below, {} if method == "POST" else None, If_Match=made["etag"])
        assert (refused.status, refused.json["errors"]) == (422, told)
    back = door.ask("POST", f"{path}/files", {"files": {"journeys/bad.yaml": None}}, If_Match=made["etag"]).json
    assert back["files"] == {}
    for below in ("check", "plan"):
        assert door.ask("GET", f"{path}/{below}").json["code"] == "empty-draft"
    for files in ({}, {"audiences/big.yaml": WHOLE["audiences/big.yaml"]}, {"audiences/none.yaml": None}):
        refused = door.ask("POST", "/drafts", {"files": files})
        assert (refused.status, refused.json["code"]) == (422, "empty-draft")
    assert len(door.ask("GET", "/drafts").json["drafts"]) == 1
    assert applied(door)["files"] == WHOLE


def test_what_a_draft_may_hold(door: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drafts, "MOST_CHARACTERS", 100)
    monkeypatch.setattr(drafts, "MOST_OPEN", 2)
    for body, code in (
        ({"files": {"audiences/a.yaml": "x" * 100}}, "too-large"), ({"title": "x" * 201}, "bad-draft"),
        ({"files": {"audiences/\x00.yaml": ""}}, "bad-draft"), ({"files": {"a": "x\x1b[2J"}}, "bad-draft"),
        ({"files": {"a": 5}}, "bad-request"),
    ):  # fmt: skip
        assert door.ask("POST", "/drafts", body).json["code"] == code
    tags = [kept(door, LOYAL).json for _ in range(2)]
    assert door.ask("POST", "/drafts", {"files": LOYAL}).json["code"] == "too-many-drafts"
    assert door.ask("DELETE", f"/drafts/{tags[0]['draft']}", If_Match=tags[0]["etag"]).status == 200
    kept(door, LOYAL)


def test_a_list_reads_no_texts_and_the_oldest_published_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "KEPT", 2)
    home = Workspace(tmp_path)
    home.apply(STRATEGY)
    at = parse_instant("2026-01-01T00:00:00Z")
    paths = ['audiences/"ä".yaml', "audiences/big.yaml"]
    still_open = drafts.create(home.home, "ana", "Open", {paths[1]: None, paths[0]: "x" * 1_000}, at).draft.id
    published = []
    for number in range(4):
        files = {f"audiences/a{number}.yaml": "when: did('Login')\n"}
        made = drafts.create(home.home, "ana", "", files, at + number)
        # The clock goes back; which one is the newest says the number of the strategy.
        drafts.publish(home.home, made.draft.id, "bo", made.tag, at - number)
        published.append(made.draft.id)
    with monkeypatch.context() as reading:
        reading.setattr(store, "_draft", None)
        listed = drafts.listing(home.home)
    assert [each["draft"] for each in listed] == [still_open, *published[2:]]
    assert listed[0]["paths"] == paths
    assert listed[-1]["published"]["by"] == "bo"
    with pytest.raises(UsageError) as refused:
        drafts.look(home.home, still_open + "x")
    assert still_open in refused.value.fix


def test_of_changes_at_the_same_time_one_is_done(tmp_path: Path) -> None:
    """Each of many writers read the same version; nobody's change is lost without a word."""
    home = Workspace(tmp_path)
    home.apply(STRATEGY)
    at = parse_instant("2026-01-01T00:00:00Z")
    made = drafts.create(home.home, "ana", "", LOYAL, at)

    def change(number: int) -> str:
        try:
            files = {f"audiences/a{number}.yaml": "when: did('Login')\n"}
            drafts.change(home.home, made.draft.id, "bo", files, made.tag, at)
        except UsageError as error:
            return error.code
        return "done"

    with ThreadPoolExecutor(6) as pool:
        became = sorted(pool.map(change, range(12)))
    assert became == ["done"] + ["stale-draft"] * 11
    assert drafts.look(home.home, made.draft.id).draft.version == 2


def command(home: Path, *arguments: str) -> Any:
    """What the command prints with --json."""
    done = CliRunner().invoke(cli, ["--home", str(home), "--json", *arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def test_the_commands_say_and_do_the_same(tmp_path: Path) -> None:
    home = Workspace(tmp_path)
    home.apply(STRATEGY)
    at = parse_instant("2026-01-01T00:00:00Z")
    one, two = (drafts.create(home.home, "ana", "Loyal", files, at).draft.id for files in (LOYAL, BIGGER))
    assert [each["draft"] for each in command(tmp_path, "draft", "list")["drafts"]] == sorted((one, two))
    assert command(tmp_path, "draft", "show", one)["files"] == LOYAL
    assert command(tmp_path, "draft", "plan", one)["added"] == ["audiences/loyal"]
    assert command(tmp_path, "draft", "publish", one)["number"] == 2
    with pytest.raises(UsageError, match="was published as strategy 2"):
        drafts.discard(home.home, one, drafts.look(home.home, one).tag)
    home.apply({**STRATEGY, **LOYAL, **BIGGEST})
    assert command(tmp_path, "draft", "show", two)["conflicts"] == [*BIGGER]
    assert command(tmp_path, "draft", "rebase", two)["base"] == 3
    assert command(tmp_path, "draft", "discard", two) == {"draft": two, "discarded": True}
    assert [each["state"] for each in command(tmp_path, "draft", "list")["drafts"]] == ["published"]


def test_what_is_dropped_from_a_draft_is_what_its_base_had(door: Served) -> None:
    """One that is sent as it was applied meanwhile stays."""
    made = kept(door, {**BIGGER, **LOYAL}).json
    path, was = f"/drafts/{made['draft']}", {"audiences/big.yaml": WHOLE["audiences/big.yaml"]}
    apply(door, {**WHOLE, **BIGGEST})
    for files, left in ((BIGGEST, {**BIGGEST, **LOYAL}), (was, LOYAL)):
        tag = door.ask("GET", path).json["etag"]
        assert door.ask("POST", f"{path}/files", {"files": files}, If_Match=tag).json["files"] == left
