"""Every command: what it does beside a home that is served, and what it leaves in the audit where it writes.

A new command without a place in `COMMANDS_BESIDE` fails here. How the API's own writes are in the audit is tested in
`test_api_rules.py`.
"""

from __future__ import annotations

import importlib
import json
import os
import pwd
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import click
import pytest
from support.api import MATCH, STRATEGY, served, workspace
from support.beside import Done, announced, command
from support.door import Served
from support.workspace import BASE, identify

from innkeeper.cli.main import COMMANDS
from innkeeper.kernel.time import SystemClock
from innkeeper.runtime import audit, drafts, sources
from innkeeper.runtime.access import LOCAL
from innkeeper.store.access import Access, Entry

#: asks: its API does it. reads: it changes nothing of the home. own: it writes a small file that the door reads anew
#: (sources, subscriptions, users). refuses: it needs the home to itself.
Way = Literal["asks", "reads", "own", "refuses"]


@dataclass(frozen=True, slots=True)
class Case:
    """One call of a command.

    Attributes:
        way: What it does beside a served home.
        arguments: Behind its name; a name in capitals is a file of `files`.
        code: Of the error by which it refuses, or answers anyway.
    """

    way: Way
    arguments: tuple[str, ...] = ()
    code: str = ""


def _case(way: Way, *arguments: str, code: str = "") -> Case:
    return Case(way, arguments, code)


EXPRESSION = "did('Order Completed')"
_WEBHOOK = ("--mapping", "WEBHOOK", "--scheme", "bearer", "--secret-env", "DORA")
#: Every command, in an order in which each finds what it needs.
COMMANDS_BESIDE: dict[str, Case] = {
    "account list": _case("reads"),
    "account show": _case("reads", "acme"),
    "audience count": _case("reads", EXPRESSION),
    "audience list": _case("reads", EXPRESSION),
    "audience flips": _case("reads", EXPRESSION, "--from", "2026-01-01T00:00:00Z", "--until", "2026-02-01T00:00:00Z"),
    "audience explain": _case("reads", EXPRESSION),
    "catalog events": _case("reads"),
    "catalog traits": _case("reads"),
    "check": _case("reads", "FOLDER"),
    "plan": _case("reads", "FOLDER"),
    "apply": _case("asks", "FOLDER", "--yes"),
    "decision list": _case("reads"),
    "draft list": _case("reads"),
    "draft show": _case("reads", "DRAFT"),
    "draft plan": _case("reads", "DRAFT"),
    "draft rebase": _case("asks", "DRAFT"),
    "draft publish": _case("asks", "DRAFT"),
    "draft discard": _case("asks", "SPARE"),
    "demo": _case("refuses", "--exit", code="not-a-demo"),
    "doctor": _case("reads"),
    "events list": _case("reads"),
    "explain profile": _case("reads", "ann", "--message", "hi"),
    "explain delivery": _case("reads", "DELIVERY"),
    "household list": _case("reads"),
    "household show": _case("reads", "canary-house"),
    "household join": _case("asks", "ann", "canary-house"),
    "household leave": _case("asks", "cy"),
    "household release": _case("asks", "canary-house", "--yes"),
    "import": _case("asks", "EVENTS"),
    "init": _case("reads", "NEW"),
    "item list": _case("reads"),
    "item show": _case("reads", "products", "soap"),
    "item set": _case("asks", "products", "soap", "stock=2"),
    "ledger balance": _case("reads"),
    "ledger list": _case("reads"),
    "link add": _case("asks", "ann", "anonymous_id:tablet"),
    "link remove": _case("asks", "ann", "anonymous_id:tablet"),
    "match list": _case("reads"),
    "match show": _case("reads", MATCH),
    "match reject": _case("asks", MATCH),
    "match propose": _case("asks", "--kind", "household"),
    "match accept": _case("asks", "--homes"),
    "mcp": _case("reads"),
    "object list": _case("reads", "booking"),
    "object show": _case("reads", "booking", "b1"),
    "object set": _case("asks", "booking", "b1", "--set", "room=14"),
    "object remove": _case("asks", "booking", "b1"),
    "profile show": _case("reads", "ann"),
    "profile find": _case("reads", "ann"),
    "profile links": _case("reads", "ann"),
    "profile note": _case("asks", "ann", "likes tea"),
    "replay": _case("refuses", code="served"),
    "report overview": _case("reads", "PAGE"),
    "retention": _case("asks", "--yes"),
    "retract list": _case("reads"),
    "retract": _case("asks", "--source", "shop", "--message", "wrong", "--yes"),
    "run": _case("refuses", "--until", "now", code="served"),
    "source create": _case("own", "till", "--kind", "server"),
    "source webhook": _case("own", "till", *_WEBHOOK),
    "source test": _case("reads", "till", "PAYLOAD"),
    "source rotate": _case("own", "till"),
    "source user-tokens": _case("own", "web", "--off"),
    "source list": _case("reads"),
    "source show": _case("reads", "till"),
    "source revoke": _case("own", "till"),
    "stage count": _case("reads"),
    "status": _case("reads"),
    "subscription create": _case("own", "wall", "--url", "https://127.0.0.1/", "--events", "*", "--allow-private"),
    "subscription list": _case("reads"),
    "subscription show": _case("reads", "wall"),
    "subscription pause": _case("own", "wall"),
    "subscription resume": _case("own", "wall"),
    "subscription rotate-secret": _case("own", "wall"),
    # Nobody is there: it says so by its exit code.
    "subscription test": _case("reads", "wall", code="1"),
    "subscription redeliver": _case("own", "wall"),
    "subscription failures": _case("reads", "wall"),
    "subscription remove": _case("own", "wall"),
    "task list": _case("reads"),
    "task claim": _case("asks", "TASK"),
    "task assign": _case("asks", "TASK", "maria"),
    "task done": _case("asks", "TASK", "--outcome", "reached"),
    "up": _case("refuses", "--port", "0", code="home-in-use"),
    "user add": _case("own", "dora", "--role", "viewer"),
    "user role": _case("own", "dora", "editor"),
    "user password": _case("own", "dora", "--password-env", "DORA"),
    "user list": _case("reads"),
    "token add": _case("own", "dora-1", "--user", "dora"),
    "token list": _case("reads"),
    "token end": _case("own", "dora-1"),
    "user end": _case("own", "dora"),
    "audit list": _case("reads"),
    "audit verify": _case("reads"),
}


def _leaves(name: str, found: click.Command) -> Iterator[str]:
    if isinstance(found, click.Group):
        if found.invoke_without_command:
            yield name
        for child, each in found.commands.items():
            yield from _leaves(f"{name} {child}", each)
    else:
        yield name


def test_every_command_has_a_place() -> None:
    there = {
        leaf
        for name, (module, _) in COMMANDS.items()
        for leaf in _leaves(name, importlib.import_module(f"innkeeper.cli.{module}").command)
    }
    assert there == set(COMMANDS_BESIDE)


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """What the cases name in capitals."""
    monkeypatch.setenv("DORA", "four words of a sentence")
    folder = tmp_path / "strategy"
    for name, text in {**BASE, **STRATEGY, "audiences/small.yaml": "when: did('Login')\n"}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    made = {
        "EVENTS": json.dumps(identify("eve", "2026-01-02T10:00:00Z")), "PAYLOAD": '{"who": "ann"}',
        "WEBHOOK": "event: {value: Login}\nuserId: who\nmessageId: who\n",
    }  # fmt: skip
    paths = {name: tmp_path / f"{name.lower()}.json" for name in made}
    for name, text in made.items():
        paths[name].write_text(text)
    paths |= {"FOLDER": folder, "NEW": tmp_path / "new", "PAGE": tmp_path / "page.html"}
    return {name: str(path) for name, path in paths.items()}


def _called(home: Path, name: str, files: dict[str, str]) -> tuple[Done, list[Entry]]:
    """A command, and what it left in the audit."""
    if "DELIVERY" not in files:
        files["DELIVERY"] = command(home, "ledger", "list").told["deliveries"][0]["id"]
        files["TASK"] = command(home, "task", "list").told["tasks"][0]["id"]
        changes = {"audiences/late.yaml": "when: did('Login')\n"}
        for draft in ("DRAFT", "SPARE"):
            files[draft] = drafts.create(home, "dora", "Late", changes, SystemClock().now()).draft.id
    case = COMMANDS_BESIDE[name]
    with Access.open(home) as access:
        before = len(access.entries())
        done = command(home, *name.split(), *(files.get(each, each) for each in case.arguments))
        return done, access.entries(before)


def _ended(done: Done) -> str:
    """The code of its error, or its exit code; empty: it answered."""
    return done.code or (str(done.error.code) if isinstance(done.error, SystemExit) else repr(done.error or ""))


US = f"{pwd.getpwuid(os.getuid()).pw_name} (command line)"


def test_what_each_does_beside_a_served_home(tmp_path: Path, files: dict[str, str]) -> None:
    with served(tmp_path / "home") as door, announced(door):
        sources.create(door.home, "web", "public", door.clock)
        for name, case in COMMANDS_BESIDE.items():
            done, left = _called(door.home, name, files)
            assert _ended(done) == (case.code or "''"), (name, done.error)
            actors = {"asks": {LOCAL}, "own": {US}, "reads": set[str](), "refuses": set[str]()}[case.way]
            assert {each.actor for each in left} == actors, name
        assert audit.verify(door.home)["holds"]
        _door_knows(door)


def _door_knows(door: Served) -> None:
    """What commands have written by themselves: the way 'own' means that it holds from the next request on."""
    assert "till" in {one["source"] for one in door.ask("GET", "/sources").json["sources"]}
    assert "dora" in {one["user"] for one in door.ask("GET", "/users").json["users"]}


def test_what_each_writes_by_itself_is_in_the_audit(tmp_path: Path, files: dict[str, str]) -> None:
    """I10: who, what and how it ended, before and after; a command that reads leaves nothing."""
    home = workspace(tmp_path / "home").home
    sources.create(home, "web", "public", SystemClock())
    for name, case in COMMANDS_BESIDE.items():
        if case.way == "refuses" and name != "run":
            continue
        done, left = _called(home, name, files)
        assert _ended(done) == ("''" if name == "run" else case.code or "''"), (name, done.error)
        expected = [] if case.way == "reads" else [(US, audit.BEGUN), (US, 200)]
        assert [(each.actor, each.status) for each in left] == expected, name
    assert audit.verify(home)["holds"]


def test_what_fails_is_in_the_audit_and_a_folder_named_by_mistake_stays_as_it_is(tmp_path: Path) -> None:
    home = workspace(tmp_path / "home").home
    assert command(home, "link", "add", "ann", "ann").code
    with Access.open(home) as access:
        assert [(each.action, each.noun, each.about, each.status) for each in access.entries()] == [
            ("add", "link", "ann ann", audit.BEGUN), ("add", "link", "ann ann", 422),
        ]  # fmt: skip
    other = tmp_path / "other"
    other.mkdir()
    (other / "letter.txt").write_text("mine")
    assert command(other, "import", str(tmp_path / "none.jsonl")).code == "unreadable-file"
    assert [path.name for path in other.iterdir()] == ["letter.txt"]


def test_what_makes_a_home_is_in_its_audit(tmp_path: Path, files: dict[str, str]) -> None:
    made = {
        ("import", files["EVENTS"]): ("import", "file"),
        ("apply", files["FOLDER"], "--yes", "--allow-unknown"): ("apply", "strategy"),
        ("source", "create", "till", "--kind", "server"): ("create", "source"),
        ("demo", "--guests", "3", "--end", "2026-03-01", "--exit"): ("play", "demo"),
    }  # fmt: skip
    for number, (call, said) in enumerate(made.items()):
        home = tmp_path / f"home-{number}"
        assert command(home, *call).error is None, call
        with Access.open(home) as access:
            assert [(each.action, each.noun, each.status) for each in access.entries()] == [(*said, 200)]
