"""Tasks: who has one, that one person has it, how it ended, and that the customer's record and the commands say so."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from support.door import Served, opened
from support.workspace import Workspace, event

from innkeeper.cli.main import cli
from innkeeper.kernel.errors import OperationFailed, UsageError
from innkeeper.kernel.time import FixedClock, parse_instant
from innkeeper.runtime import tasks
from innkeeper.store import work
from innkeeper.store.log import Log
from innkeeper.store.work import Handling, Work

CLOCK = FixedClock(parse_instant("2026-01-05T00:00:00Z"))
STRATEGY = {
    "journeys/call.yaml": "enter: {event: Login}\nsteps:\n  - task: {queue: desk, title: 'Call {{ profile.id }}'}\n"
    "  - task: {queue: kitchen, title: Cake}\n",
    "audiences/called.yaml": "when: did('Task Done', where => outcome = 'reached')\n",
    "strategy.yaml": "name: test\nzone: UTC\nevents: {Login: [], Task Done: [outcome]}\n",
}


@pytest.fixture
def home(tmp_path: Path) -> Workspace:
    made = Workspace(tmp_path / "home")
    made.apply(STRATEGY)
    made.add(*(event("Login", who, "2026-01-02T10:00:00Z") for who in ("ann", "bob")))
    made.run("2026-01-03T00:00:00Z")
    return made


@pytest.fixture
def door(home: Workspace) -> Iterator[Served]:
    with opened(home.home, clock=CLOCK) as found:
        for name, role in (("maria", "front-line"), ("vi", "viewer")):
            assert found.ask("POST", "/users", {"name": name, "role": role}).status == 201
        yield found


def token(door: Served, user: str) -> str:
    return str(door.ask("POST", "/tokens", {"name": f"of-{user}", "user": user}).json["token"])


def ids(door: Served, **query: str) -> list[str]:
    asked = "&".join(f"{name}={value}" for name, value in query.items())
    return [each["id"] for each in door.ask("GET", f"/tasks?{asked}").json["tasks"]]


def command(home: Path, *arguments: str) -> Any:
    done = CliRunner().invoke(cli, ["--home", str(home), "--json", *arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def test_a_colleague_takes_a_task_and_says_how_it_ended(door: Served, home: Workspace) -> None:
    maria, vi = token(door, "maria"), token(door, "vi")
    everything = ids(door)
    (task,) = ids(door, queue="desk", profile="ann")
    assert len(everything) == 4
    assert door.ask("POST", f"/tasks/{task}/claim", {}, token=vi).status == 403
    for _ in range(2):
        taken = door.ask("POST", f"/tasks/{task}/claim", {}, token=maria)
        assert (taken.status, taken.json["state"], taken.json["assignee"]) == (200, "claimed", "maria")
    refused = door.ask("POST", f"/tasks/{task}/claim", {"by": "tom"}, token=maria)
    assert (refused.status, refused.json["code"]) == (409, "task-in-use")
    assert ids(door, assignee="maria") == ids(door, standing="claimed") == [task]
    assert door.ask("POST", f"/tasks/{task}/assign", {"to": "tom"}).json["assignee"] == "tom"
    assert door.ask("POST", f"/tasks/{task}/assign", {"to": None}).json["state"] == "open"
    ended = door.ask("POST", f"/tasks/{task}/done", {"outcome": "reached", "note": "wants tea"}, token=maria).json
    assert (ended["state"], ended["outcome"], ended["note"], ended["done_by"]) == (
        "done",
        "reached",
        "wants tea",
        "maria",
    )
    for what, body in (("claim", {}), ("assign", {"to": "tom"}), ("done", {})):
        again = door.ask("POST", f"/tasks/{task}/{what}", body)
        assert (again.status, again.json["code"]) == (409, "task-ended"), what
    assert ids(door, standing="done") == [task]
    assert sorted(ids(door, standing="open")) == sorted(set(everything) - {task})
    assert {each["state"] for each in door.ask("GET", "/profiles/ann").json["tasks"]} == {"done", "open"}
    last = door.last()
    assert (last.name, last.user_id, last.source) == ("Task Done", "ann", "cli")
    assert last.properties == {"task": task, "queue": "desk", "outcome": "reached", "note": "wants tea", "by": "maria"}


def test_the_end_of_a_task_counts_in_audiences(home: Workspace) -> None:
    task = command(home.home, "task", "list", "--profile", "bob", "--queue", "desk")["tasks"][0]["id"]
    assert command(home.home, "task", "claim", task, "--by", "tom")["assignee"] == "tom"
    assert command(home.home, "task", "list", "--assignee", "tom", "--standing", "claimed")["tasks"][0]["id"] == task
    assert command(home.home, "task", "assign", task)["assignee"] is None
    ended = command(home.home, "task", "done", task, "--outcome", "reached", "--by", "tom")
    assert (ended["state"], ended["done_by"]) == ("done", "tom")
    assert command(home.home, "audience", "list", "in_audience('called')", "--at", "2030-01-01T00:00:00Z")["ids"] == [
        "bob"
    ]
    assert [each["state"] for each in command(home.home, "task", "list")["tasks"]].count("done") == 1


def test_of_many_who_take_a_task_at_once_one_has_it(home: Workspace) -> None:
    task = tasks.listing(home.home)[0]["id"]

    def take(number: int) -> str:
        try:
            return str(tasks.claim(home.home, task, f"colleague-{number}", CLOCK)["assignee"])
        except UsageError as error:
            return error.code

    with ThreadPoolExecutor(6) as pool:
        became = list(pool.map(take, range(12)))
    assert became.count("task-in-use") == 11
    assert {*became} == {"task-in-use", tasks.show(home.home, task)["assignee"]}


def test_what_cannot_be_done_is_told(door: Served) -> None:
    task = ids(door)[0]
    for what, body, code in (
        ("claim", {"by": " "}, "bad-name"), ("claim", {"by": "x" * 101}, "bad-name"), ("assign", {}, "bad-request"),
        ("done", {"note": "x" * 2_001}, "bad-request"), ("done", {"outcome": "a\nb"}, "bad-name"),
        ("done", {"outcome": 5}, "bad-request"),
    ):  # fmt: skip
        assert door.ask("POST", f"/tasks/{task}/{what}", body).json["code"] == code, (what, body)
    with pytest.raises(UsageError, match="the note has 2,001 characters"):
        tasks.finish(door.home, task, "tom", outcome="", note="x" * 2_001, clock=CLOCK)
    assert door.ask("GET", "/tasks/none").json["code"] == "unknown-task"
    assert door.ask("GET", "/tasks?standing=lost").status == 400
    assert door.ask("GET", f"/tasks/{task}").json["state"] == "open"


def test_a_task_whose_event_could_not_be_written_is_not_done(home: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither when the log fails nor when the work does after it; whoever ends it again makes one event."""
    task = tasks.listing(home.home, profile="ann", queue="desk")[0]["id"]

    def finish() -> dict[str, Any]:
        return tasks.finish(home.home, task, "tom", outcome=" reached ", note="", clock=CLOCK)

    def fail(*_: object, **__: object) -> None:
        raise OperationFailed("the disk is full", code="disk-full")

    def fail_after(self: Work, *_: str | int, first: Callable[[], object]) -> None:
        first()
        fail()

    for what, name, instead in ((Log, "append", fail), (Work, "end", fail_after)):
        with monkeypatch.context() as broken:
            broken.setattr(what, name, instead)
            with pytest.raises(OperationFailed, match="the disk is full"):
                finish()
        assert tasks.show(home.home, task)["state"] == "open"
    assert finish()["state"] == "done"
    with pytest.raises(UsageError, match="is done"):
        finish()
    with Log.open(home.home) as log:
        (told,) = (each.properties for each in log.read(0, 1_000) if each.name == "Task Done")
    assert told == {"task": task, "queue": "desk", "outcome": "reached", "by": "tom"}


def test_of_the_work_only_what_is_asked_for_is_read(home: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    every = [each["id"] for each in tasks.listing(home.home)]
    for task in every:
        tasks.claim(home.home, task, "tom", CLOCK)
    read: list[str] = []

    def told(task: str, *rest: Any) -> Handling:
        read.append(task)
        return Handling(task, *rest)

    monkeypatch.setattr(work, "Handling", told)
    assert tasks.show(home.home, every[1])["assignee"] == "tom"
    assert read == [every[1]]
    assert {each["assignee"] for each in tasks.listing(home.home)} == {"tom"}
    assert sorted(read[1:]) == sorted(every)
