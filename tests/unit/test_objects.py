"""Object types as declared, what `check` refuses, and the commands on objects."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from oracle.object_oracle import STRATEGY
from support.workspace import Workspace, event, identify

from innkeeper.kernel.errors import Problem
from innkeeper.strategy.load import examine

HEAD = """name: test
zone: Europe/Lisbon
events:
  Booking Confirmed: [booking_id, room, arrival, payer_id]
  Booking Cancelled: [booking_id]
"""


def problems(objects: str) -> list[Problem]:
    """What is wrong with a declaration, whose first line is line 6."""
    return list(examine({"strategy.yaml": HEAD + objects}).errors)


def test_a_whole_declaration_has_no_error() -> None:
    assert examine({"strategy.yaml": STRATEGY}).errors == ()


WRONG = [
    ("objects: [booking]", 6, "not-a-mapping", "write it"),
    ("objects: { event: { id: booking_id, events: [Booking Cancelled] } }", 6, "bad-object-type", "word"),
    ("objects:\n  booking:\n    events: [Booking Cancelled]", 8, "missing-key", "id: booking_id"),
    ("objects:\n  booking:\n    id: booking_id", 8, "missing-key", "Booking Confirmed: confirmed"),
    ("objects:\n  booking:\n    id: bookin_id\n    events: [Booking Cancelled]", 8, "unknown-property", "'booking_id'"),
    ("objects:\n  booking:\n    id: booking_id\n    events:\n      Booking Canceled: cancelled", 10, "unknown-event",
     "'Booking Cancelled'"),
    ("objects:\n  booking:\n    id: booking_id\n    events: [Booking Confirmed]\n    properties: [romm]", 10,
     "unknown-property", "'room'"),
    ("objects:\n  booking:\n    id: booking_id\n    events: [Booking Confirmed]\n    properties: [status]", 10,
     "taken-name", "without being declared"),
    ("objects:\n  booking:\n    id: booking_id\n    events: [Booking Confirmed]\n    dates: { arrival: Europe/Lisbo }",
     10, "unknown-zone", "Europe/Lisbon"),
    ("objects:\n  booking:\n    id: booking_id\n    events: [Booking Confirmed]\n"
     "    dates: { arrival: { time: '25:00' } }", 10, "bad-time-of-day", "15:00"),
    ("objects:\n  booking:\n    id: booking_id\n    events: [Booking Confirmed]\n"
     "    dates: { arrival: { zone_from: rom } }\n    properties: [room]", 10, "unknown-property", "'room'"),
    ("objects:\n  booking:\n    id: booking_id\n    events: [Booking Confirmed]\n    roles: { payer: payerid }", 10,
     "unknown-property", "'payer_id'"),
    ("objects:\n  booking:\n    id: booking_id\n    events:\n      Booking Confirmed: { status: x, set: { rom: 1 } }\n"
     "    properties: [room]", 10, "unknown-property", "'room'"),
    ("objects:\n  booking:\n    id: booking_id\n    events: [Booking Confirmed]\n    ends: [x]", 10, "unknown-key",
     "'ended'"),
    ("objects:\n  booking:\n    id: booking_id\n    events: { Object Updated: x }", 9, "explicit-event", "leave it"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "line", "code", "fix"), WRONG, ids=[each[2] + str(n) for n, each in enumerate(WRONG)])
def test_what_is_wrong_is_said_with_its_place_and_how_to_mend_it(text: str, line: int, code: str, fix: str) -> None:
    found = problems(text)
    assert [(each.code, each.line) for each in found] == [(code, line)], found
    assert fix in found[0].fix
    assert found[0].file == "strategy.yaml"
    assert found[0].column > 0


def booked(id_: str, who: str, at: str, **more: Any) -> Any:
    return event("Booking Confirmed", who, at, booking_id=id_, **more)


@pytest.fixture
def hotel(tmp_path: Path) -> Workspace:
    workspace = Workspace(tmp_path / "home")
    workspace.apply({"strategy.yaml": STRATEGY})
    workspace.add(
        identify("ann", "2026-01-01T08:00:00Z", first_name="Ann"),
        booked("b1", "ann", "2026-01-01T09:00:00Z", room="12", arrival="2026-03-29", payer_id="bob", total=300),
        event("Booking Changed", "ann", "2026-01-02T09:00:00Z", booking_id="b1", room="14", total=None),
    )
    workspace.run("2026-01-03T00:00:00Z")
    return workspace


def test_object_show_tells_values_with_their_origin_and_what_changed(hotel: Workspace) -> None:
    told = hotel.cli("object", "show", "booking", "b1")
    assert told["status"] == "confirmed"
    assert [(each["name"], each["value"], each["at"]) for each in told["properties"]] == [
        ("arrival", "2026-03-29", "2026-01-01T09:00:00Z"), ("room", "14", "2026-01-02T09:00:00Z"),
    ]  # fmt: skip
    assert told["dates"] == [
        {"name": "arrival", "at": "2026-03-29T14:00:00Z", "local": "2026-03-29 15:00", "zone": "Europe/Lisbon"}
    ]
    assert [(each["role"], each["holder"]) for each in told["roles"]] == [("owner", "ann"), ("payer", "bob")]
    last = told["history"][-1]
    assert last["event"] == "Booking Changed"
    assert last["changes"] == [
        {"field": "room", "from": "12", "to": "14"}, {"field": "total", "from": 300, "to": None},
    ]  # fmt: skip


def test_in_words_values_are_as_set_takes_them_and_dates_where_they_are_local(hotel: Workspace) -> None:
    page = hotel.shell("object", "show", "booking", "b1").stdout
    assert '  property   room = "14"  (import' in page, "a text that could be read as a number is quoted"
    assert '  room: "12" -> "14", total: 300 -> gone\n' in page
    types = hotel.cli("object", "list")["types"]
    assert types == [{"type": "booking", "roles": ["owner", "payer"], "dates": types[0]["dates"]}, *types[1:]]
    assert hotel.shell("object", "list").stdout.startswith("booking           roles owner, payer; dates arrival")
    hotel.add(identify("ann", "2026-01-04T00:00:00Z", timezone="America/New_York"))
    hotel.run("2026-01-05T00:00:00Z")
    assert "arrival 29 Mar 2026 15:00 (Europe/Lisbon)" in hotel.shell("profile", "show", "ann").stdout


def test_who_is_only_named_in_a_role_is_no_profile_until_their_own_first_event(hotel: Workspace) -> None:
    assert hotel.cli("status")["profiles"] == 1 == hotel.cli("audience", "count", "true")["count"]
    hotel.add(event("Login", "bob", "2026-01-04T00:00:00Z"))
    hotel.run("2026-01-05T00:00:00Z")
    assert hotel.cli("status")["profiles"] == 2 == hotel.cli("audience", "count", "true")["count"]


def test_object_set_writes_an_event_that_the_next_run_takes(hotel: Workspace) -> None:
    written = hotel.cli(
        "object", "set", "booking", "b1", "--status", "checked_out", "--set", "nights=3", "--set", "room=null",
        "--role", "owner=cid", "--at", "2026-01-04T00:00:00Z",
    )  # fmt: skip
    assert (written["event"], written["accepted"]) == ("Object Updated", 1)
    hotel.run("2026-01-05T00:00:00Z")
    [row] = hotel.cli("object", "list", "booking")["objects"]
    assert (row["status"], row["roles"], row["properties"]["nights"]) == (
        "checked_out", {"owner": "cid", "payer": "bob"}, 3
    )  # fmt: skip
    assert "room" not in row["properties"]
    hotel.cli("object", "remove", "booking", "b1", "--at", "2026-01-06T00:00:00Z")
    hotel.run("2026-01-07T00:00:00Z")
    assert hotel.cli("object", "list", "booking")["objects"] == []
    told = hotel.cli("object", "show", "booking", "b1")
    assert (told["exists"], told["history"][-1]["event"]) == (False, "Object Removed")
    assert hotel.cli("replay")["different"] == 0


def test_what_is_not_there_is_said_with_the_nearest(hotel: Workspace) -> None:
    for arguments, code, fix in (
        (("show", "bookin", "b1"), "unknown-object-type", "'booking'"),
        (("show", "booking", "b9"), "unknown-object", "object list booking"),
        (("set", "booking", "b1", "--set", "rom=1"), "unknown-property", "'room'"),
        (("set", "booking", "b1", "--role", "ownr=x"), "unknown-role", "'owner'"),
        (("set", "booking", "b9", "--status", "x"), "nobody's", "--role owner="),
        (("set", "booking", "b1"), "nothing-to-set", "--status"),
    ):
        [problem] = hotel.cli("object", *arguments, expect=2)["errors"]
        assert problem["code"] == code
        assert fix in problem["fix"]


def test_objects_known_before_their_type_was_declared_are_learned_from_the_log(tmp_path: Path) -> None:
    late, early = Workspace(tmp_path / "late"), Workspace(tmp_path / "early")
    events = [
        booked("b1", "ann", "2026-01-01T09:00:00Z", room="12", payer_id="bob"),
        event("Booking Cancelled", "ann", "2026-01-02T09:00:00Z", booking_id="b1"),
        event("Login", "bob", "2026-01-02T10:00:00Z"),
    ]
    early.apply({"strategy.yaml": STRATEGY})
    late.apply({"strategy.yaml": STRATEGY.partition("objects:")[0]})
    for workspace in (early, late):
        workspace.add(*events)
        workspace.run("2026-01-03T00:00:00Z")
    late.apply({"strategy.yaml": STRATEGY}, at="2026-01-03T00:00:00Z")
    for workspace in (early, late):
        workspace.run("2026-01-04T00:00:00Z")
    assert late.cli("object", "show", "booking", "b1") == early.cli("object", "show", "booking", "b1")
    assert late.cli("profile", "show", "bob") == early.cli("profile", "show", "bob")
    assert late.cli("replay")["different"] == 0


STEPS = "steps: [ { stop: done } ]\n"
WRONG_JOURNEYS = [
    ("enter: { object: bookin, at: arrival }\n" + STEPS, "unknown-object", "'booking'"),
    ("enter: { object: booking }\n" + STEPS, "bad-entry", "at: arrival - 3 days"),
    ("enter: { object: booking, at: arrival, on: created }\n" + STEPS, "bad-entry", "at: arrival - 3 days"),
    ("enter: { object: booking, on: made }\n" + STEPS, "not-a-choice", "created"),
    ("enter: { object: booking, at: arival - 3 days }\n" + STEPS, "unknown-date", "'arrival'"),
    ("enter: { object: booking, at: room }\n" + STEPS, "unknown-date", "declare it"),
    ("enter: { object: booking, at: arrival - 3 dogs }\n" + STEPS, "bad-duration", ""),
    ("enter: { object: booking, at: arrival, time: '10:00', zone: house }\n" + STEPS, "bad-zone", "zone: object"),
    ("enter: { object: booking, at: arrival, zone: object }\n" + STEPS, "bad-zone", "time:"),
    ("enter: { object: booking, on: created, time: '10:00' }\n" + STEPS, "bad-entry", "leave them out"),
    ("key: booking_id\nenter: { object: booking, on: created }\n" + STEPS, "bad-key", "key: booking"),
    ("enter: { object: booking, on: created, when: booking.romm = '1' }\n" + STEPS, "unknown-property", "'room'"),
    ("enter: { event: Login }\nexit: [ booking.status = 'cancelled' ]\n" + STEPS, "no-object", "key: booking"),
    ("enter: { event: Login }\nsteps: [ { wait: { until: booking.arrival } } ]\n", "no-object", "key: booking"),
    ("enter: { object: booking, on: created }\nsteps: [ { update: { traits: { plan: '{{ booking.romm }}' } } } ]\n",
     "unknown-property", "'room'"),
    ("enter: { event: Login }\nsteps: [ { update: { traits: { plan: '{{ booking.room }}' } } } ]\n", "no-object",
     "key: booking"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "code", "fix"), WRONG_JOURNEYS)
def test_what_is_wrong_in_a_journey_by_object_is_said(text: str, code: str, fix: str) -> None:
    found = examine({"strategy.yaml": STRATEGY, "journeys/one.yaml": text}).errors
    assert [each.code for each in found] == [code], found
    assert fix in found[0].fix
    assert found[0].file == "journeys/one.yaml"
