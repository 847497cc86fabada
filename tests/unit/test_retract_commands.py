"""`innkeeper retract`: what it tells, what it refuses, and that a dry run stores nothing."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from support.workspace import Workspace, event, identify, message

from innkeeper.cli.main import cli
from innkeeper.kernel.errors import UsageError
from innkeeper.kernel.time import FixedClock, parse_instant
from innkeeper.runtime.live import Live
from innkeeper.store.ledger import balance
from innkeeper.store.log import Log
from innkeeper.store.state import State

FILES = {
    "audiences/big.yaml": "name: big\ndescription: x\nwhen: sum('Order Completed', total) > 100\n",
    "stages.yaml": "- stage: buyer\n  when: did('Order Completed')\n- stage: new\n  when: 'true'\n",
    "messages/hi.md": message("Hi", body="Hi"),
    "messages/bye.md": message("Bye", body="Bye"),
    "journeys/welcome.yaml": "journey: welcome\nenter: {audience: big}\npurpose: offers\nsteps:\n  - send: hi\n"
    "  - task: {queue: desk, title: Call}\n  - wait: 8 days\n  - send: bye\n",
}
PERIOD = ("--source", "bad", "--from", "2026-01-01T00:00:00Z", "--until", "2026-02-01T00:00:00Z")


@pytest.fixture
def home(tmp_path: Path) -> Workspace:
    made = Workspace(tmp_path / "home")
    made.apply(FILES)
    made.add(*(identify(who, "2026-01-01T10:00:00Z", email=f"{who}@x.example") for who in ("a", "b")))
    made.add(event("Order Completed", "a", "2026-01-02T10:00:00Z", total=150), source="shop")
    made.add(event("Order Completed", "b", "2026-01-03T10:00:00Z", total=500, id="wrong"), source="bad")
    made.run("2026-01-05T00:00:00Z", deliver="file")
    return made


def ask(home: Workspace, *arguments: str) -> Any:
    done = CliRunner().invoke(cli, ["--home", str(home.home), "--json", *arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return json.loads(done.output)


def refused(home: Workspace, *arguments: str) -> UsageError:
    with pytest.raises(UsageError) as found:
        CliRunner().invoke(cli, ["--home", str(home.home), *arguments], catch_exceptions=False)
    return found.value


def stored(home: Workspace) -> dict[str, str]:
    with State.open(home.home, readonly=True) as state:
        dump = "\n".join(state.connection.iterdump())
    with Log.open(home.home, read_only=True) as log:
        return {"state": sha256(dump.encode()).hexdigest(), "log": str(log.last_seq())}


def test_a_dry_run_tells_everything_and_stores_nothing(home: Workspace) -> None:
    before = stored(home)
    told = ask(home, "retract", *PERIOD)
    assert stored(home) == before
    assert (told["events"], told["groups"], told["different"], told["done"]) == (1, 1, 1, False)
    assert told["entered"] == [{"id": "b", "at": "2026-01-03T10:00:00Z", "audience": "big"}]
    assert told["stages"] == [{"id": "b", "at": "2026-01-03T10:00:00Z", "before": "new", "stage": "buyer"}]
    assert [(one["id"], one["journey"]) for one in told["journeys"]] == [("b", "welcome")]
    assert [(one["id"], one["queue"], one["title"]) for one in told["tasks"]] == [("b", "desk", "Call")]
    sent = told["received"]
    assert [(one["address"], one["message"], one["at"], one["state"]) for one in sent] == [
        ("b@x.example", "hi", "2026-01-03T10:00:00Z", "accepted")
    ]
    assert [(one["id"], one["journey"], one["step"]) for one in told["ended"]] == [("b", "welcome", "2")]
    assert told["counts"] == {
        "entered": 1, "left": 0, "stages": 1, "journeys": 1, "tasks": 1, "received": 1, "cancelled": 0, "planned": 0,
        "missed": 0, "readmitted": 0, "ended": 1, "closed": 1,
    }  # fmt: skip


def test_done_listed_marked_counted_and_lifted(home: Workspace) -> None:
    told = ask(home, "retract", *PERIOD, "--yes")
    name = told["retraction"]
    assert [one["id"] for one in ask(home, "retract", "list")["retractions"]] == [name]
    assert {one["messageId"]: one["retracted"] for one in ask(home, "events", "list", "--source", "bad")["events"]} == {
        "wrong": True
    }
    assert ask(home, "status")["retracted"] == {"retractions": 1, "events": 1}
    assert [one["code"] for one in ask(home, "doctor")["findings"]] == ["retracted"]
    assert ask(home, "audience", "list", "sum('Order Completed', total) > 100")["ids"] == ["a"]
    at = "2026-01-03T12:00:00Z"
    assert ask(home, "audience", "list", "sum('Order Completed', total) > 100", "--at", at)["ids"] == ["a"]
    shown = ask(home, "profile", "show", "b")
    assert (shown["stage"], shown["audiences"]) == ("new", [])
    assert [(one["outcome"], one["reason"]) for one in shown["enrollments"]] == [("retracted", f"retracted: {name}")]
    assert [(one["message"], one["state"]) for one in shown["deliveries"]] == [("hi", "accepted")]
    assert [one["state"] for one in shown["tasks"]] == ["closed"]
    # What the engine knew then is not changed by what it knows now.
    assert ask(home, "profile", "show", "b", "--at", at)["stage"] == "buyer"
    home.add(event("Order Completed", "b", "2026-01-03T10:00:00Z", total=500, id="wrong"), source="bad")
    home.add(event("Order Completed", "b", "2026-01-04T10:00:00Z", total=700, id="wrong too"), source="bad")
    home.run("2026-01-06T00:00:00Z", deliver="file")
    assert ask(home, "profile", "show", "b")["stage"] == "new"
    dry = ask(home, "retract", "--lift", name)
    assert [(one["id"], one["step"]) for one in dry["readmitted"]] == [("b", "2")]
    ask(home, "retract", "--lift", name, "--yes")
    shown = ask(home, "profile", "show", "b")
    assert (shown["stage"], [one["step"] for one in shown["enrollments"]]) == ("buyer", ["2"])
    assert [one["state"] for one in shown["tasks"]] == ["open"]
    home.run("2026-01-20T00:00:00Z", deliver="file")
    assert [(one["message"], one["state"]) for one in ask(home, "profile", "show", "b")["deliveries"]] == [
        ("hi", "accepted"), ("bye", "accepted")
    ]  # fmt: skip
    assert ask(home, "replay")["different"] == 0


def test_by_message_id(home: Workspace, tmp_path: Path) -> None:
    file = tmp_path / "ids.txt"
    file.write_text("wrong\n\n")
    one, other = ask(home, "retract", "--source", "bad", "--messages", str(file)), None
    other = ask(home, "retract", "--source", "bad", "--message", "wrong")
    assert one == other
    assert (one["messages"], one["events"], one["counts"]["received"]) == (1, 1, 1)


def test_what_is_refused(home: Workspace) -> None:
    times = PERIOD[2:]
    nobody = refused(home, "retract", "--message", "wrong")
    assert (nobody.code, "--source NAME with" in (nobody.fix or "")) == ("no-source", True)
    assert refused(home, "retract", "--source", "innkeeper", *times).code == "own-source"
    unknown = refused(home, "retract", "--source", "badd", *times)
    assert unknown.code == "unknown-source"
    assert "bad" in (unknown.fix or "")
    assert refused(home, "retract", "--source", "bad").code == "no-period"
    inside_out = ("--from", times[3], "--until", times[1])
    assert refused(home, "retract", "--source", "bad", *inside_out).code == "period-inside-out"
    later = ("--from", "2027-01-01T00:00:00Z", "--until", "2027-02-01T00:00:00Z")
    assert refused(home, "retract", "--source", "bad", *later).code == "nothing-to-retract"
    assert refused(home, "retract", "--source", "bad", "--message", "nobody").code == "nothing-to-retract"
    assert refused(home, "retract", *PERIOD, "--message", "wrong").code == "period-and-messages"
    assert refused(home, "retract", "--lift", "nothing").code == "no-retraction"
    assert refused(home, "retract", "--lift", "nothing", "--source", "bad").code == "lift-and-more"
    # The period is half open: the event's own instant is not in a period that ends there.
    ends = ("--from", "2026-01-01T00:00:00Z", "--until", "2026-01-03T10:00:00Z")
    assert refused(home, "retract", "--source", "bad", *ends).code == "nothing-to-retract"
    name = ask(home, "retract", *PERIOD, "--yes")["retraction"]
    ask(home, "retract", "--lift", name, "--yes")
    assert refused(home, "retract", "--lift", name).code == "already-lifted"


def test_what_is_not_sent_yet_is_cancelled_and_planned_again_when_lifted(home: Workspace) -> None:
    home.add(event("Order Completed", "c", "2026-01-05T10:00:00Z", total=500), source="bad")
    home.add(identify("c", "2026-01-05T09:00:00Z", email="c@x.example"))
    with Log.open(home.home) as log, State.open(home.home) as state:
        live = Live(home.home, log, state, FixedClock(parse_instant("2026-01-05T11:00:00Z")))
        live._tick(parse_instant("2026-01-05T11:00:00Z"))
        live.deliverer.close()
    told = ask(home, "retract", *PERIOD, "--yes")
    assert [(one["id"], one["message"]) for one in told["cancelled"]] == [("c", "hi")]
    with State.open(home.home, readonly=True) as state:
        sql = "SELECT identifier, state, reason FROM deliveries ORDER BY identifier"
        rows = state.connection.execute(sql).fetchall()
        assert rows[-1] == ("user_id:c", "cancelled", "retracted")
        assert balance(state.connection)["difference"] == 0
    told = ask(home, "retract", "--lift", told["retraction"], "--yes")
    assert [(one["id"], one["message"]) for one in told["planned"]] == [("c", "hi")]
    home.run("2026-01-06T00:00:00Z", deliver="file")
    with State.open(home.home, readonly=True) as state:
        rows = state.connection.execute(sql).fetchall()
        assert rows[-1] == ("user_id:c", "accepted", "")
        assert balance(state.connection)["difference"] == 0
    assert ask(home, "replay")["different"] == 0
    assert sorted(path.name for path in (home.home / "mail").rglob("*") if path.is_file()) != []


def test_before_the_first_run(tmp_path: Path) -> None:
    made = Workspace(tmp_path / "home")
    made.apply(FILES)
    made.add(event("Order Completed", "b", "2026-01-03T10:00:00Z", total=500), source="bad")
    made.add(event("Order Completed", "a", "2026-01-04T10:00:00Z", total=500), source="shop")
    ask(made, "retract", *PERIOD, "--yes")
    made.run("2026-01-05T00:00:00Z")
    assert ask(made, "audience", "list", "did('Order Completed')")["ids"] == ["a"]
    assert ask(made, "status")["profiles"] == 1
    name = ask(made, "retract", "list")["retractions"][0]["id"]
    ask(made, "retract", "--lift", name, "--yes")
    assert ask(made, "status")["stages"] == {"buyer": 2}
    assert ask(made, "replay")["different"] == 0


def test_a_login_on_a_shared_browser(tmp_path: Path) -> None:
    made = Workspace(tmp_path / "home")
    made.apply(FILES)
    made.add(event("Order Completed", None, "2026-01-02T10:00:00Z", anonymous="d", total=150), source="shop")
    made.add(event("Login", "a", "2026-01-02T12:00:00Z", anonymous="d", id="wrong"), source="bad")
    made.add(event("Login", "b", "2026-01-03T10:00:00Z", anonymous="d"), source="shop")
    made.run("2026-01-05T00:00:00Z", deliver="file")
    asked = ("audience", "list", "sum('Order Completed', total) > 100")
    assert ask(made, *asked)["ids"] == ["a"]
    told = ask(made, "retract", *PERIOD, "--yes")
    # What went before the first login is the first person's: that is b now.
    assert ask(made, *asked)["ids"] == ["b"]
    assert [one["name"] for one in ask(made, "profile", "show", "b")["audiences"]] == ["big"]
    assert [one["identifier"] for one in ask(made, "profile", "links", "b")["identifiers"]] == [
        "anonymous_id:d", "user_id:b"
    ]  # fmt: skip
    ask(made, "retract", "--lift", told["retraction"], "--yes")
    assert ask(made, *asked)["ids"] == ["a"]
    assert ask(made, "profile", "show", "b")["audiences"] == []
    assert ask(made, "replay")["different"] == 0


def test_what_members_of_an_account_did_is_taken_back_for_all_of_them(tmp_path: Path) -> None:
    made = Workspace(tmp_path / "home")
    made.apply(
        FILES
        | {
            "strategy.yaml": "name: shop\nzone: UTC\nevents: {Login: []}\naccounts: { traits: { name: text } }\n",
            "audiences/busy.yaml": "of: account\nwhen: distinct('Login', member, within => '7 days') >= 2\n",
            "audiences/of-busy.yaml": "when: in_audience('busy')\n",
            "journeys/busy.yaml": "enter: {audience: of-busy}\nsteps:\n  - send: hi\n  - wait: 30 days\n",
        }
    )
    group = {"type": "group", "groupId": "acme", "timestamp": "2026-01-02T10:00:00Z"}
    made.add(*(group | {"userId": who, "messageId": f"g{who}"} for who in "abc"), source="shop")
    made.add(*(identify(who, "2026-01-02T11:00:00Z", email=f"{who}@x.example") for who in "abc"), source="shop")
    made.add(event("Login", "a", "2026-01-03T10:00:00Z"), source="shop")
    made.add(event("Login", "b", "2026-01-03T11:00:00Z", id="wrong"), source="bad")
    made.run("2026-01-05T00:00:00Z", deliver="file")
    told = ask(made, "retract", *PERIOD)
    assert [(one["id"], one["audience"]) for one in told["entered"]] == [
        ("account:acme", "busy"), ("a", "of-busy"), ("b", "of-busy"), ("c", "of-busy")
    ]  # fmt: skip
    assert [(one["id"], one["journey"]) for one in told["ended"]] == [("a", "busy"), ("b", "busy"), ("c", "busy")]
    assert [(one["id"], one["message"]) for one in told["received"]] == [("a", "hi"), ("b", "hi"), ("c", "hi")]
    told = ask(made, "retract", *PERIOD, "--yes")
    assert ask(made, "account", "show", "acme")["audiences"] == []
    assert [one["id"] for one in ask(made, "account", "list")["accounts"]] == ["acme"]
    assert ask(made, "audience", "list", "in_audience('of-busy')")["ids"] == []
    left = [one["properties"] for one in ask(made, "events", "list", "--name", "Audience Left")["events"]]
    assert {"audience": "busy", "account_id": "acme"} in left
    made.run("2026-01-06T00:00:00Z", deliver="file")
    ask(made, "retract", "--lift", told["retraction"], "--yes")
    assert [one["name"] for one in ask(made, "account", "show", "acme")["audiences"]] == ["busy"]
    assert ask(made, "audience", "list", "in_audience('of-busy')")["ids"] == ["a", "b", "c"]
    made.run("2026-01-20T00:00:00Z", deliver="file")
    # What was known then: told of the account, taken back, told again.
    for at, audiences in (("04T00", ["of-busy"]), ("05T12", []), ("07T00", ["of-busy"])):
        shown = ask(made, "profile", "show", "c", "--at", f"2026-01-{at}:00:00Z")
        assert [one["name"] for one in shown["audiences"]] == audiences
    # Nothing is sent to them twice.
    assert [one["state"] for one in ask(made, "profile", "show", "c")["deliveries"]] == ["accepted"]
    assert ask(made, "account", "show", "acme")["audiences"] == []
    assert ask(made, "replay")["different"] == 0


def test_an_item_that_was_never_back(tmp_path: Path) -> None:
    made = Workspace(tmp_path / "home")
    made.apply(
        FILES
        | {
            "catalogs/products.yaml": "kind: product\nitems:\n  - { id: soap, stock: 0 }\n",
            "journeys/back.yaml": "enter: {item: products, change: back_in_stock}\nsteps:\n  - wait: 2 days\n"
            "  - send: hi\n",
        }
    )
    for who in "ab":
        made.add(identify(who, "2026-01-02T10:00:00Z", email=f"{who}@x.example"), source="shop")
        asked = event("Item Requested", who, "2026-01-02T11:00:00Z")
        made.add(asked | {"properties": {"catalog": "products", "id": "soap"}}, source="shop")
    back = event("Item Updated", "staff", "2026-01-03T10:00:00Z", id="wrong")
    made.add(back | {"properties": {"catalog": "products", "id": "soap", "set": {"stock": 4}}}, source="bad")
    made.run("2026-01-04T00:00:00Z", deliver="file")
    assert ask(made, "item", "show", "products", "soap")["wishes"] == 0
    told = ask(made, "retract", *PERIOD, "--yes")
    assert [(one["id"], one["journey"], one["key"]) for one in told["journeys"]] == [
        ("a", "back", "soap"), ("b", "back", "soap")
    ]  # fmt: skip
    shown = ask(made, "item", "show", "products", "soap")
    assert (shown["item"]["stock"], shown["wishes"]) == (0, 2)
    made.run("2026-01-06T00:00:00Z", deliver="file")
    assert ask(made, "profile", "show", "a")["deliveries"] == []
    ask(made, "retract", "--lift", told["retraction"], "--yes")
    assert ask(made, "item", "show", "products", "soap")["wishes"] == 0
    made.run("2026-01-07T00:00:00Z", deliver="file")
    assert [one["message"] for one in ask(made, "profile", "show", "a")["deliveries"]] == ["hi"]
    assert ask(made, "replay")["different"] == 0
