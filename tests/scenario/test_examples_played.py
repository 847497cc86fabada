"""Both examples, played whole: live equals bulk (I11), replay equals the record (I5), ticks do not show."""

from __future__ import annotations

import json
from email import message_from_bytes
from email.policy import default
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT
from support.workspace import Workspace, event, identify

from innkeeper import lifecycle
from innkeeper.kernel.ids import display_id
from innkeeper.kernel.time import format_instant, parse_instant
from innkeeper.runtime import definitions, harbour_house
from innkeeper.runtime.audience import Audiences
from innkeeper.runtime.imports import Order, import_file
from innkeeper.runtime.replay import replay
from innkeeper.runtime.stages import count_stages
from innkeeper.store.state import State
from innkeeper.strategy.folder import read_folder

END = "2026-11-22T00:00:00Z"


def hotel(home: Path, guests: int = 120) -> Workspace:
    """Harbour House with few guests, imported and its strategy applied."""
    workspace = Workspace(home)
    file = home / "guests.jsonl"
    harbour_house.write_jsonl(file, 7, guests, parse_instant(END))
    import_file(home, Order(file=file), progress=lambda done, total: None)
    put_in_force(home, "harbour-house")
    return workspace


def put_in_force(home: Path, example: str) -> None:
    with State.open(home, create=True) as state:
        definitions.apply(state, read_folder(ROOT / "examples" / example), parse_instant(END))


def live_answers(home: Path) -> tuple[dict[str, set[str]], dict[str, int]]:
    """Members per audience and profiles per stage, as the engine announced them."""
    members: dict[str, set[str]] = {}
    stages: dict[str, int] = {}
    with State.open(home, readonly=True) as state:
        for page in state.pages():
            for subject, body in page:
                profile = lifecycle.decode(body)
                stages[profile.stage or ""] = stages.get(profile.stage or "", 0) + 1
                for name in profile.memberships:
                    members.setdefault(name, set()).add(display_id(subject))
    return members, stages


def assert_live_equals_bulk(home: Path) -> None:
    members, stages = live_answers(home)
    audiences = Audiences(home)
    assert len(members) >= 3
    for name, definition in audiences.definitions.audiences.items():
        asked = audiences.understand(f"in_audience('{name}')")
        assert set(audiences.ids(asked, None)) == members.get(name, set()), (name, definition.description)
    _, counted, _ = count_stages(home, None)
    assert {name: number for name, number in counted.items() if number} == stages


def test_harbour_house_live_bulk_and_replay(tmp_path: Path) -> None:
    workspace = hotel(tmp_path)
    report = workspace.run(END, deliver="file")
    assert report.counts.planned == report.counts.accepted > 200
    assert_live_equals_bulk(tmp_path)
    told = replay(tmp_path)
    assert told.different == 0, told.as_dict()
    assert workspace.cli("ledger", "balance")["difference"] == 0


def test_harbour_house_ticks_do_not_show(tmp_path: Path) -> None:
    logs: list[list[tuple[Any, ...]]] = []
    for size in (1, 7, 5_000):
        workspace = hotel(tmp_path / str(size), guests=25)
        workspace.run(END, tick_size=size)
        logs.append(workspace.log_lines())
    assert len(logs[0]) > 500
    assert logs[0] == logs[1] == logs[2]


@pytest.fixture(scope="module")
def retail(online_retail: Path, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """The real year, imported and played without sending."""
    home = tmp_path_factory.mktemp("retail")
    mapping = ROOT / "examples" / "online-retail" / "mapping.yaml"
    done = import_file(home, Order(file=online_retail, mapping=mapping), progress=lambda done, total: None)
    assert (done.read, done.accepted) == (531_282, 18_536 + 2_189)
    put_in_force(home, "online-retail")
    workspace = Workspace(home)
    workspace.run("2011-12-10T00:00:00Z")
    return workspace


def test_online_retail_live_equals_bulk(retail: Workspace) -> None:
    assert_live_equals_bulk(retail.home)


def test_online_retail_replays(retail: Workspace) -> None:
    told = replay(retail.home)
    assert told.different == 0, told.as_dict()
    assert told.inputs > 20_725


def test_what_was_known_then_is_what_was_announced_then(retail: Workspace) -> None:
    """`profile show --at` just before and at a change of stage tells the stage of then."""
    changes = [row for row in retail.log_lines() if row[3] == "Stage Changed" and row[1].startswith("user_id:")]
    subject = next(one[1] for one in changes if sum(other[1] == one[1] for other in changes) == 3)
    for at, _, _, _, properties, _ in [one for one in changes if one[1] == subject][1:]:
        told = json.loads(properties)
        before = retail.cli("profile", "show", display_id(subject), "--at", format_instant(at - 1))
        after = retail.cli("profile", "show", display_id(subject), "--at", format_instant(at))
        assert (before["stage"], after["stage"]) == (told["before"], told["stage"])


def test_a_change_of_one_date_is_confirmed_with_the_whole_booking(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    stay: dict[str, Any] = {"room": "garden room", "arrival": "2026-06-12", "nights": 3, "total": 540}
    workspace.add(
        identify("ana", "2026-05-01T09:00:00Z", first_name="Ana", email="ana@example.com"),
        event("Booking Confirmed", "ana", "2026-05-02T09:00:00Z", booking_id="b1", **stay),
        event("Booking Changed", "ana", "2026-05-03T09:00:00Z", booking_id="b1", arrival="2026-06-20"),
    )
    put_in_force(tmp_path, "harbour-house")
    workspace.run("2026-05-04T00:00:00Z", deliver="file")
    letter = next(text for text in _mails(tmp_path) if "now reads" in text)
    assert "Booking b1 now reads" in letter
    assert "Saturday, 20 June 2026" in letter
    assert "garden room, 3 nights" in letter


def _mails(home: Path) -> list[str]:
    files = (path for path in (home / "mail").rglob("*") if path.is_file() and path.parent.name == "new")
    mails = [message_from_bytes(path.read_bytes(), policy=default) for path in files]
    return [body.get_content() for mail in mails if (body := mail.get_body(("plain",))) is not None]


def test_the_agency_and_the_suite_that_comes_back(tmp_path: Path) -> None:
    workspace = hotel(tmp_path, guests=20)
    workspace.run(END)
    announced = [
        (name, props["audience"]) for _, name, props in workspace.outputs() if props.get("account_id") == "tejo-travel"
    ]
    assert ("Audience Entered", "party-houses") in announced
    found = workspace.cli("account", "show", "tejo-travel")
    assert {member["role"] for member in found["members"]} == {"director", "agent"}
    assert len(found["members"]) == 3
    at = format_instant(parse_instant(END))
    asked = workspace.cli(
        "audience", "list", "account.contract = 'preferred' and account.role = 'director'", "--at", at
    )
    assert asked["ids"] == ["agent-1"]
    titles = [props["title"] for _, _, props in workspace.outputs("Task Created")]
    assert any("Call Filipa of Tejo Travel" in title for title in titles)
    assert [key for _, _, message, key in _planned(workspace) if message == "room-free-again"] == ["river-suite"] * 2
    assert replay(workspace.home).different == 0


def _planned(workspace: Workspace) -> list[tuple[str, str, str, str | None]]:
    return [(at, name, props["message"], props["key"]) for at, name, props in workspace.outputs("Delivery Planned")]
