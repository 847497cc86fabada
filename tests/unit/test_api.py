"""Each noun of the API says what the command line says about the same workspace; and what changes something changes the
same."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from support.api import EXPRESSION, STRATEGY, path_of, served, workspace
from support.door import Served
from support.workspace import BASE, Workspace

from innkeeper.cli.main import cli

AT = "2026-01-05T12:00:00Z"
PERIOD = ("2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z")


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("api") / "home") as found:
        yield found


def command(home: Path, *arguments: str) -> Any:
    """What the command prints with --json."""
    done = CliRunner().invoke(cli, ["--home", str(home), "--json", *arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def test_every_word_of_the_strategy_was_taken(door: Served) -> None:
    """The workspace holds something of every kind, so that no comparison below is one of nothing with nothing."""
    for path, name, number in (
        ("/profiles", "profiles", 4), ("/deliveries", "deliveries", 4), ("/decisions", "decisions", 4),
        ("/objects/booking", "objects", 2), ("/accounts", "accounts", 2), ("/items", "items", 2),
        ("/tasks", "tasks", 4), ("/households", "households", 1), ("/journeys", "journeys", 1),
        ("/sources", "sources", 2), ("/subscriptions", "subscriptions", 1),
    ):  # fmt: skip
        assert len(door.ask("GET", path).json[name]) == number, path


SAME = [
    ("/profiles/ann", {}, "profile show ann"),
    ("/profiles/ann", {"at": AT, "lines": "3"}, f"profile show ann --at {AT} --timeline 3"),
    ("/profiles/anonymous_id:device-ann", {}, "profile show anonymous_id:device-ann"),
    ("/profiles/ann/links", {}, "profile links ann"),
    ("/profiles/ann/explain", {"message": "hi"}, "explain profile ann --message hi"),
    ("/profiles/cy/explain", {"message": "stay", "at": AT}, f"explain profile cy --message stay --at {AT}"),
    ("/audiences/count", {"expression": EXPRESSION}, f"audience count {EXPRESSION!r}"),
    ("/audiences/count", {"expression": EXPRESSION, "at": "2026-01-03T12:00:00Z"},
     f"audience count {EXPRESSION!r} --at 2026-01-03T12:00:00Z"),
    ("/audiences/count", {"expression": "account.seats > 3", "of": "account"},
     "audience count 'account.seats > 3' --of account"),
    ("/audiences/members", {"expression": EXPRESSION}, f"audience list {EXPRESSION!r}"),
    ("/audiences/members", {"expression": EXPRESSION, "id": "anonymous_id"},
     f"audience list {EXPRESSION!r} --id anonymous_id"),
    ("/audiences/flips", {"expression": EXPRESSION, "begin": PERIOD[0], "until": PERIOD[1]},
     f"audience flips {EXPRESSION!r} --from {PERIOD[0]} --until {PERIOD[1]}"),
    ("/audiences/explain", {"expression": EXPRESSION}, f"audience explain {EXPRESSION!r}"),
    ("/decisions", {}, "decision list"),
    ("/decisions", {"profile": "ann", "message": "hi", "at": AT},
     f"decision list --profile ann --message hi --at {AT}"),
    ("/deliveries", {}, "ledger list"),
    ("/deliveries", {"message": "hi"}, "ledger list --message hi"),
    ("/deliveries/balance", {}, "ledger balance"),
    ("/objects/booking", {}, "object list booking"),
    ("/objects/booking", {"status": "cancelled"}, "object list booking --status cancelled"),
    ("/objects/booking/b1", {}, "object show booking b1"),
    ("/accounts", {}, "account list"),
    ("/accounts/acme", {}, "account show acme"),
    ("/items", {}, "item list"),
    ("/items", {"catalog": "products"}, "item list products"),
    ("/items/products/soap", {}, "item show products soap"),
    ("/stages", {}, "stage count"),
    ("/log", {}, "events list --last 20"),
    ("/log", {"last": "3", "source": "shop", "name": "Booking"}, "events list --last 3 --source shop --name Booking"),
    ("/catalog/events", {}, "catalog events"),
    ("/catalog/events/Booking", {}, "catalog events Booking"),
    ("/tasks", {}, "task list"),
    ("/households", {}, "household list"),
    ("/households/canary-house", {}, "household show canary-house"),
    ("/retractions", {}, "retract list"),
]  # fmt: skip


@pytest.mark.parametrize(("path", "query", "words"), SAME, ids=[each[2] for each in SAME])
def test_an_answer_is_what_the_command_prints(door: Served, path: str, query: dict[str, str], words: str) -> None:
    answer = door.ask("GET", path_of(path, {}, query))
    assert answer.status == 200, answer.text
    told = answer.json
    # The log goes on before the newest of it; `test_api_paging.py`.
    assert told.pop("next", None) is None or path == "/log"
    assert told == command(door.home, *shlex.split(words))


def test_what_no_command_lists_in_the_same_form(door: Served) -> None:
    ids = command(door.home, "audience", "list", "true")["ids"]
    assert [each["id"] for each in door.ask("GET", "/profiles").json["profiles"]] == ids
    buyers = command(door.home, "audience", "list", "stage = 'buyer'")["ids"]
    assert [each["id"] for each in door.ask("GET", "/profiles?stage=buyer").json["profiles"]] == buyers
    assert door.ask("GET", "/profiles?stage=new").json["profiles"] == []
    status, printed = door.ask("GET", "/status").json, command(door.home, "status")
    # How far the engine is behind grows with every moment.
    assert status.pop("lag").keys() == printed.pop("lag").keys()
    assert status == printed
    assert door.ask("GET", "/journeys").json["journeys"] == printed["journeys"]
    traits = door.ask("GET", "/catalog/traits").json
    assert traits["traits"] == command(door.home, "catalog", "traits")["traits"]
    assert traits["account_traits"] == command(door.home, "catalog", "traits", "--of", "account")["traits"]
    delivery = door.ask("GET", "/deliveries").json["deliveries"][0]["id"]
    assert door.ask("GET", f"/deliveries/{delivery}").json == command(door.home, "explain", "delivery", delivery)
    assert door.ask("GET", "/definitions").json["files"] == {**BASE, **STRATEGY}


@pytest.fixture
def twins(tmp_path: Path) -> Iterator[tuple[Served, Workspace]]:
    """The same workspace twice: one is served, the other has nobody beside the command line."""
    other = workspace(tmp_path / "other")
    with served(tmp_path / "home") as found:
        yield found, other


def test_what_changes_things_does_what_the_command_does(twins: tuple[Served, Workspace]) -> None:
    door, other = twins
    changes: list[tuple[str, str, Any, list[str]]] = [
        ("POST", "/objects/booking/b1", {"set": {"room": "99"}, "at": AT},
         ["object", "set", "booking", "b1", "--set", 'room="99"', "--at", AT]),
        ("POST", "/objects/booking/b2", {"status": "held", "roles": {"owner": "bob"}, "at": AT},
         ["object", "set", "booking", "b2", "--status", "held", "--role", "owner=bob", "--at", AT]),
        ("POST", "/items/products/soap", {"set": {"stock": 4, "price": None}, "at": AT},
         ["item", "set", "products", "soap", "stock=4", "price=null", "--at", AT]),
        ("POST", "/profiles/ann/notes", {"text": "tea", "by": "Maria", "memories": {"pillow": "soft"}, "at": AT},
         ["profile", "note", "ann", "tea", "--by", "Maria", "--memory", "pillow=soft", "--at", AT]),
        ("POST", "/links", {"a": "bob", "b": "anonymous_id:device-9", "reason": "said so"},
         ["link", "add", "bob", "anonymous_id:device-9", "--reason", "said so"]),
        ("POST", "/links/remove", {"a": "bob", "b": "anonymous_id:device-bob"},
         ["link", "remove", "bob", "anonymous_id:device-bob"]),
        ("POST", "/retractions", {"source": "shop", "messages": ["wrong"]},
         ["retract", "--source", "shop", "--messages", "FILE"]),
    ]  # fmt: skip
    ids = other.home.parent / "ids"
    ids.write_text("wrong\n")
    for method, path, body, words in changes:
        answer = door.ask(method, path, body)
        assert answer.status == 200, (path, answer.text)
        printed = command(other.home, *(str(ids) if word == "FILE" else word for word in words))
        assert answer.json == printed, path
    assert logged(door.home) == logged(other.home)
    assert door.ask("GET", "/profiles/bob").json == command(other.home, "profile", "show", "bob")


def logged(home: Path) -> Any:
    """The log, but for when the two clocks said that each event came."""
    return [each | {"receivedAt": None} for each in command(home, "events", "list", "--last", "1000")["events"]]


def test_definitions_are_published_over_the_version_that_was_read(twins: tuple[Served, Workspace]) -> None:
    door, _ = twins
    read = door.ask("GET", "/definitions")
    draft = {"files": read.json["files"] | {"messages/new.md": read.json["files"]["messages/hi.md"]}}
    assert door.ask("POST", "/definitions/plan", draft).json["added"] == ["messages/new"]
    assert (door.ask("POST", "/definitions/publish", draft).status,) == (428,)
    for wrong in ('"0"', "1", "*", '"1", "2"', 'W/"1"'):
        refused = door.ask("POST", "/definitions/publish", draft, If_Match=wrong)
        assert (refused.status, refused.json["code"]) == (412, "changed-meanwhile"), wrong
    assert door.ask("GET", "/definitions").json == read.json
    done = door.ask("POST", "/definitions/publish", draft, If_Match=read.headers["etag"])
    assert (done.status, done.json["added"]) == (200, ["messages/new"])
    after = door.ask("GET", "/definitions")
    assert after.headers["etag"] == done.headers["etag"] != read.headers["etag"]
    assert after.json["files"] == draft["files"]
    lost = door.ask("POST", "/definitions/publish", read.json | {"number": None}, If_Match=read.headers["etag"])
    assert lost.status == 400
    lost = door.ask("POST", "/definitions/publish", {"files": read.json["files"]}, If_Match=read.headers["etag"])
    assert lost.status == 412


def test_every_error_of_a_draft_is_told_with_its_place(door: Served) -> None:
    files = {**BASE, **STRATEGY, "journeys/bad.yaml": "enter: {event: Logn}\nsteps:\n  - send: nothing\n"}
    told = door.ask("POST", "/definitions/check", {"files": files}).json
    assert sorted(each["code"] for each in told["errors"]) == ["unknown-event", "unknown-message"]
    assert {(each["file"], each["line"] > 0) for each in told["errors"]} == {("journeys/bad.yaml", True)}
    for path in ("/definitions/plan", "/definitions/publish"):
        refused = door.ask("POST", path, {"files": files}, If_Match='"1"')
        assert (refused.status, refused.json["errors"]) == (422, told["errors"])
    assert door.ask("POST", "/definitions/check", {"files": {}}).json["code"] == "empty-draft"
