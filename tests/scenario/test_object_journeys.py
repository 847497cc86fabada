"""Journeys by objects, and what becomes of them when a date moves: through the whole engine, each case replayed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.workspace import Workspace, event, identify, message

from innkeeper.kernel.time import BEGINNING, parse_instant
from innkeeper.runtime import definitions
from innkeeper.runtime.engine import Engine, Item
from innkeeper.runtime.record import ordered_events
from innkeeper.runtime.replay import replay
from innkeeper.store.bulk import Bulk
from innkeeper.store.state import Cursor, State

STRATEGY = """
name: test
zone: Europe/Lisbon
events:
  Booking Confirmed: [booking_id, room, arrival, tz, payer_id]
  Booking Changed: [booking_id, room, arrival, tz]
  Booking Cancelled: [booking_id]
  Checked In: [booking_id]
  Login: []
objects:
  booking:
    id: booking_id
    dates: { arrival: { zone: Europe/Lisbon, zone_from: tz, time: "15:00" } }
    roles: { owner: user }
    properties: [room, tz]
    events: { Booking Confirmed: confirmed, Booking Changed: , Booking Cancelled: cancelled }
    ended: [cancelled, checked_out]
"""
PRE_ARRIVAL = """
journey: pre-arrival
key: booking
enter: { object: booking, at: arrival - 3 days, time: "10:00", zone: object, when: booking.status = 'confirmed' }
exit: [ booking.status = 'cancelled', did('Checked In') ]
purpose: stay
%s
steps:
  - send: guide
  - wait: { until: booking.arrival - 1 day, time: "16:00", zone: object }
  - send: day-before
  - wait: { until: booking.arrival }
"""


def hotel(tmp_path: Path, *, more: str = "", name: str = "home", journeys: dict[str, str] | None = None) -> Workspace:
    workspace = Workspace(tmp_path / name)
    made = {"pre-arrival": PRE_ARRIVAL % more} if journeys is None else journeys
    workspace.apply(
        {
            "strategy.yaml": STRATEGY,
            **{f"journeys/{each}.yaml": text for each, text in made.items()},
            "messages/guide.md": message("Room {{ booking.room }}", purpose="stay", body="On {{ booking.arrival }}"),
            "messages/day-before.md": message("Tomorrow", purpose="stay"),
            "channels.yaml": "email: { provider: file, from: a@b.example }\n",
        }
    )
    workspace.add(*(identify(who, "2026-05-01T00:00:00Z", email=f"{who}@x.example", first_name=who) for who in "ab"))
    return workspace


def booked(at: str, arrival: str | None, who: str = "a", id_: str = "b1", **more: Any) -> Any:
    given = {} if arrival is None else {"arrival": arrival}
    return event("Booking Confirmed", who, at, booking_id=id_, **given, **more)


def moved(at: str, who: str = "a", id_: str = "b1", **more: Any) -> Any:
    return event("Booking Changed", who, at, booking_id=id_, **more)


def cancelled(at: str, who: str = "a", id_: str = "b1") -> Any:
    return event("Booking Cancelled", who, at, booking_id=id_)


def played(workspace: Workspace, *events: Any, until: str = "2026-08-01T00:00:00Z") -> Workspace:
    if events:
        workspace.add(*events)
    workspace.run(until)
    assert workspace.cli("replay")["different"] == 0
    return workspace


def sent(workspace: Workspace) -> list[tuple[str, str]]:
    return [(at, name) for at, name, _, _ in workspace.deliveries()]


def replanned(workspace: Workspace) -> list[tuple[str, str, str | None, str]]:
    return [
        (said["step"], said["from"], said["to"], said["reason"])
        for _, _, said in workspace.outputs("Step Replanned")
    ]  # fmt: skip


def skipped(workspace: Workspace) -> list[tuple[str, str, str, list[str], list[str]]]:
    return [
        (at, said["step"], said["until"], said["skipped"], said["messages"])
        for at, _, said in workspace.outputs("Steps Skipped")
    ]


def exits(workspace: Workspace) -> list[tuple[str, str, str]]:
    return [(at, said["outcome"], said["reason"]) for at, _, said in workspace.outputs("Journey Exited")]


CONFIRMED = "2026-05-10T12:00:00Z"


def test_it_begins_at_the_date_and_runs_to_its_end(tmp_path: Path) -> None:
    done = played(hotel(tmp_path), booked(CONFIRMED, "2026-06-10", room="12"))
    # Lisbon is an hour ahead of UTC in summer.
    assert sent(done) == [("2026-06-07T09:00:00Z", "guide"), ("2026-06-09T15:00:00Z", "day-before")]
    assert exits(done) == [("2026-06-10T14:00:00Z", "finished", "")]
    assert replanned(done) == []


def test_two_bookings_have_a_run_each_and_an_event_counts_for_its_own(tmp_path: Path) -> None:
    done = played(
        hotel(tmp_path), booked(CONFIRMED, "2026-06-10"), booked(CONFIRMED, "2026-06-11", id_="b2"),
        event("Checked In", "a", "2026-06-08T12:00:00Z", booking_id="b1"),
    )  # fmt: skip
    assert [(at, reason) for at, _, reason in exits(done)] == [
        ("2026-06-08T12:00:00Z", "did('Checked In')"), ("2026-06-11T14:00:00Z", ""),
    ]  # fmt: skip
    assert ("2026-06-10T15:00:00Z", "day-before") in sent(done)


def test_the_entry_moves_with_the_date(tmp_path: Path) -> None:
    done = played(hotel(tmp_path), booked(CONFIRMED, "2026-06-10"), moved("2026-05-20T00:00:00Z", arrival="2026-06-20"))
    assert sent(done) == [("2026-06-17T09:00:00Z", "guide"), ("2026-06-19T15:00:00Z", "day-before")]
    assert replanned(done) == [("enter", "2026-06-07T09:00:00Z", "2026-06-17T09:00:00Z", "moved")]


def test_a_wait_moves_with_the_date(tmp_path: Path) -> None:
    done = played(hotel(tmp_path), booked(CONFIRMED, "2026-06-10"), moved("2026-06-08T00:00:00Z", arrival="2026-06-20"))
    assert sent(done) == [("2026-06-07T09:00:00Z", "guide"), ("2026-06-19T15:00:00Z", "day-before")]
    assert replanned(done) == [("1", "2026-06-09T15:00:00Z", "2026-06-19T15:00:00Z", "moved")]
    assert exits(done) == [("2026-06-20T14:00:00Z", "finished", "")]


def test_moved_earlier_than_now_it_begins_at_once_while_the_date_is_ahead(tmp_path: Path) -> None:
    done = played(hotel(tmp_path), booked(CONFIRMED, "2026-06-30"), moved("2026-06-08T12:00:00Z", arrival="2026-06-10"))
    assert sent(done) == [("2026-06-08T12:00:00.000001Z", "guide"), ("2026-06-09T15:00:00Z", "day-before")]
    assert replanned(done) == [("enter", "2026-06-27T09:00:00Z", "2026-06-07T09:00:00Z", "moved")]


def test_moved_earlier_than_now_it_is_skipped_with_late_skip(tmp_path: Path) -> None:
    done = played(
        hotel(tmp_path, more="late: skip"), booked(CONFIRMED, "2026-06-30"),
        moved("2026-06-08T12:00:00Z", arrival="2026-06-10"),
    )  # fmt: skip
    assert sent(done) == []
    assert replanned(done) == [("enter", "2026-06-27T09:00:00Z", "2026-06-07T09:00:00Z", "moved")]
    assert skipped(done) == [("2026-06-08T12:00:00.000001Z", "enter", "2026-06-07T09:00:00Z", [], [])]


@pytest.mark.parametrize(("more", "expected"), [("", True), ("late: skip", False)])
def test_a_wait_moved_earlier_than_now_goes_on_at_once_or_skips(tmp_path: Path, more: str, expected: bool) -> None:
    done = played(
        hotel(tmp_path, more=more), booked(CONFIRMED, "2026-06-30"),
        moved("2026-06-28T12:00:00Z", arrival="2026-06-29"),
    )  # fmt: skip
    assert sent(done)[0] == ("2026-06-27T09:00:00Z", "guide")
    assert sent(done)[1:] == [("2026-06-28T15:00:00Z", "day-before")]
    again = played(
        hotel(tmp_path, more=more, name="again"), booked(CONFIRMED, "2026-06-30"),
        moved("2026-06-28T20:00:00Z", arrival="2026-06-29"),
    )  # fmt: skip
    assert sent(again)[1:] == ([("2026-06-28T20:00:00.000001Z", "day-before")] if expected else [])
    assert replanned(again)[0] == ("1", "2026-06-29T15:00:00Z", "2026-06-28T15:00:00Z", "moved")
    told = [] if expected else [("2026-06-28T20:00:00.000001Z", "1", "2026-06-28T15:00:00Z", ["2"], ["day-before"])]
    assert skipped(again) == told


def test_what_is_skipped_is_told_to_whoever_asks(tmp_path: Path) -> None:
    done = played(
        hotel(tmp_path), booked(CONFIRMED, "2026-06-30"), moved("2026-06-28T12:00:00Z", arrival="2026-06-20"),
        until="2026-06-29T00:00:00Z",
    )  # fmt: skip
    [line] = [each for each in done.cli("profile", "show", "a")["timeline"] if "skipped" in each["text"]]
    assert line["text"] == "journey pre-arrival: ‘day-before’ skipped"
    assert line["detail"] == "for b1, by booking.arrival its time was 19 Jun 2026 16:00: past"
    assert done.cli("explain", "profile", "a", "--message", "day-before")["skipped"] == [
        {
            "at": "2026-06-28T12:00:00.000001Z", "journey": "pre-arrival", "key": "b1", "date": "booking.arrival",
            "until": "2026-06-19T15:00:00Z",
        }
    ]  # fmt: skip
    said = done.shell("explain", "profile", "a", "--message", "day-before").stdout
    assert "journey pre-arrival for b1: by booking.arrival its time was 2026-06-19T15:00:00Z" in said
    assert done.cli("explain", "profile", "a", "--message", "guide")["skipped"] == []


def test_moved_before_its_day_has_passed_altogether_nothing_is_sent(tmp_path: Path) -> None:
    done = played(hotel(tmp_path), booked(CONFIRMED, "2026-06-30"), moved("2026-06-20T00:00:00Z", arrival="2026-06-01"))
    assert sent(done) == []


def test_moved_back_after_it_was_reached_it_comes_again_at_the_new_instant(tmp_path: Path) -> None:
    done = played(
        hotel(tmp_path), booked(CONFIRMED, "2026-06-10"),
        # The run is over; then the stay is put off by a month.
        moved("2026-06-10T16:00:00Z", arrival="2026-07-10"),
    )  # fmt: skip
    assert [at for at, name in sent(done) if name == "guide"] == ["2026-06-07T09:00:00Z", "2026-07-07T09:00:00Z"]
    never = played(
        hotel(tmp_path, more="reentry: never", name="never"), booked(CONFIRMED, "2026-06-10"),
        moved("2026-06-10T16:00:00Z", arrival="2026-07-10"),
    )  # fmt: skip
    assert [at for at, name in sent(never) if name == "guide"] == ["2026-06-07T09:00:00Z"]


def test_two_moves_in_one_instant_are_one(tmp_path: Path) -> None:
    at = "2026-06-08T12:00:00Z"
    done = played(
        hotel(tmp_path), booked(CONFIRMED, "2026-07-10"),
        # The first alone would begin the journey at once.
        moved(at, arrival="2026-06-10", id="m1"), moved(at, arrival="2026-07-20", id="m2"),
    )  # fmt: skip
    assert sent(done)[0] == ("2026-07-17T09:00:00Z", "guide")
    assert replanned(done) == [("enter", "2026-07-07T09:00:00Z", "2026-07-17T09:00:00Z", "moved")]
    back = played(
        hotel(tmp_path, name="back"), booked(CONFIRMED, "2026-07-10"),
        moved(at, arrival="2026-06-10", id="m1"), moved(at, arrival="2026-07-10", id="m2"),
    )  # fmt: skip
    assert sent(back)[0] == ("2026-07-07T09:00:00Z", "guide")
    assert replanned(back) == []


def test_two_moves_of_a_wait_in_one_instant_are_one(tmp_path: Path) -> None:
    at = "2026-06-08T12:00:00Z"
    done = played(
        hotel(tmp_path), booked(CONFIRMED, "2026-06-10"),
        moved(at, arrival="2026-06-08", id="m1"), moved(at, arrival="2026-07-20", id="m2"),
    )  # fmt: skip
    assert replanned(done) == [("1", "2026-06-09T15:00:00Z", "2026-07-19T15:00:00Z", "moved")]


def test_the_zone_of_the_date_counts_and_may_change(tmp_path: Path) -> None:
    done = played(
        hotel(tmp_path), booked(CONFIRMED, "2026-06-10"), moved("2026-05-20T00:00:00Z", tz="America/New_York")
    )
    assert sent(done)[0] == ("2026-06-07T14:00:00Z", "guide")
    assert replanned(done) == [("enter", "2026-06-07T09:00:00Z", "2026-06-07T14:00:00Z", "moved")]


def test_a_time_where_the_customer_is_moves_with_the_customer(tmp_path: Path) -> None:
    journeys = {"pre-arrival": PRE_ARRIVAL.replace("zone: object", "zone: profile") % ""}
    done = played(
        hotel(tmp_path, journeys=journeys), booked(CONFIRMED, "2026-06-10"),
        identify("a", "2026-05-20T00:00:00Z", timezone="Asia/Tokyo"),
        identify("a", "2026-06-08T00:00:00Z", timezone="America/New_York"),
    )  # fmt: skip
    assert sent(done) == [("2026-06-07T01:00:00Z", "guide"), ("2026-06-09T20:00:00Z", "day-before")]
    assert [each[0] for each in replanned(done)] == ["enter", "1"]


def test_cancelled_before_the_date_the_entry_is_dropped_and_planned_again_when_confirmed_again(tmp_path: Path) -> None:
    done = played(
        hotel(tmp_path), booked(CONFIRMED, "2026-06-10"), cancelled("2026-05-20T00:00:00Z"),
        booked("2026-05-25T00:00:00Z", None),
    )  # fmt: skip
    assert replanned(done) == [("enter", "2026-06-07T09:00:00Z", None, "ended: cancelled")]
    assert sent(done)[0] == ("2026-06-07T09:00:00Z", "guide")


def test_cancelled_inside_it_leaves_at_once_and_begins_again_when_confirmed_again(tmp_path: Path) -> None:
    done = played(
        hotel(tmp_path), booked(CONFIRMED, "2026-06-10"), cancelled("2026-06-08T00:00:00Z"),
        booked("2026-06-08T06:00:00Z", None),
    )  # fmt: skip
    assert exits(done)[0] == ("2026-06-08T00:00:00Z", "exit", "booking.status = 'cancelled'")
    assert sent(done) == [
        ("2026-06-07T09:00:00Z", "guide"), ("2026-06-08T06:00:00Z", "guide"), ("2026-06-09T15:00:00Z", "day-before"),
    ]  # fmt: skip


def test_without_an_exit_a_wait_is_given_up_when_the_object_has_ended(tmp_path: Path) -> None:
    journeys = {"pre-arrival": "\n".join(line for line in (PRE_ARRIVAL % "").splitlines() if "exit:" not in line)}
    done = played(
        hotel(tmp_path, journeys=journeys), booked(CONFIRMED, "2026-06-10"), cancelled("2026-06-08T00:00:00Z")
    )
    assert exits(done) == [("2026-06-08T00:00:00Z", "left", "ended: cancelled")]
    assert replanned(done) == [("1", "2026-06-09T15:00:00Z", None, "ended: cancelled")]


def test_owner_changed_the_old_ones_run_leaves_and_the_new_ones_begins(tmp_path: Path) -> None:
    done = played(hotel(tmp_path), booked(CONFIRMED, "2026-06-10"), moved("2026-06-08T00:00:00Z", who="b"))
    entered = [(at, said["key"]) for at, _, said in done.outputs("Journey Entered")]
    assert entered == [("2026-06-07T09:00:00Z", "b1"), ("2026-06-08T00:00:00Z", "b1")]
    assert exits(done)[0] == ("2026-06-08T00:00:00Z", "left", "role_lost")
    assert done.cli("profile", "show", "a")["objects"] == []
    [copy] = done.cli("profile", "show", "b")["objects"]
    assert (copy["type"], copy["id"], copy["roles"]) == ("booking", "b1", ["owner"])
    assert sent(done)[-1] == ("2026-06-09T15:00:00Z", "day-before")


def test_an_object_known_before_the_journey_was_applied(tmp_path: Path) -> None:
    workspace = hotel(tmp_path, journeys={})
    workspace.add(
        booked(CONFIRMED, "2026-06-10"), booked(CONFIRMED, "2026-06-04", id_="b2"),
        booked(CONFIRMED, "2026-06-02", id_="b3"), booked(CONFIRMED, "2026-05-20", id_="b4"),
    )  # fmt: skip
    workspace.run("2026-06-02T06:00:00Z")
    again = hotel(tmp_path)
    played(again)
    begun = [(at, said["key"]) for at, _, said in again.outputs("Journey Entered")]
    # Ahead: at its own instant. Past, the date still ahead: at once. The date itself past: not at all.
    assert begun == [
        ("2026-06-02T06:00:00.000001Z", "b2"), ("2026-06-02T06:00:00.000001Z", "b3"), ("2026-06-07T09:00:00Z", "b1"),
    ]  # fmt: skip


def test_what_fell_into_history_is_done_and_what_lies_ahead_is_planned(tmp_path: Path) -> None:
    workspace = hotel(tmp_path)
    workspace.add(booked(CONFIRMED, "2026-06-10"), booked(CONFIRMED, "2026-06-04", id_="b2"))
    workspace.run("2026-08-01T00:00:00Z", history_until="2026-06-02T06:00:00Z")
    assert workspace.cli("replay")["different"] == 0
    assert [(at, said["key"]) for at, _, said in workspace.outputs("Journey Entered")] == [
        ("2026-06-07T09:00:00Z", "b1")
    ]


def test_entries_by_a_change(tmp_path: Path) -> None:
    steps = "key: booking\npurpose: stay\nsteps: [ { send: guide } ]\n"
    journeys = {
        "on-created": "enter: { object: booking, on: created }\n" + steps,
        "on-changed": "enter: { object: booking, on: changed, when: booking.room = '14' }\n" + steps,
        "on-cancelled": "enter: { object: booking, on: cancelled }\n" + steps,
        "on-ended": "enter: { object: booking, on: ended }\n" + steps,
    }
    done = played(
        hotel(tmp_path, journeys=journeys), booked(CONFIRMED, "2026-06-10", room="12"),
        moved("2026-05-11T00:00:00Z", room="13"), moved("2026-05-12T00:00:00Z", room="14"),
        moved("2026-05-12T06:00:00Z", room="14"), moved("2026-05-13T00:00:00Z", who="b"),
        cancelled("2026-05-14T00:00:00Z", who="b"),
    )  # fmt: skip
    begun = [(at[:10], said["journey"]) for at, _, said in done.outputs("Journey Entered")]
    assert begun == [
        ("2026-05-10", "on-created"), ("2026-05-12", "on-changed"), ("2026-05-13", "on-created"),
        ("2026-05-14", "on-changed"), ("2026-05-14", "on-ended"), ("2026-05-14", "on-cancelled"),
    ]  # fmt: skip


def test_ticks_of_any_size_write_the_same_log(tmp_path: Path) -> None:
    events = [
        booked(CONFIRMED, "2026-06-10"), booked(CONFIRMED, "2026-06-12", id_="b2", who="b"),
        moved("2026-05-20T00:00:00Z", who="b"), moved("2026-06-01T00:00:00Z", arrival="2026-06-09", who="a", id_="b2"),
        moved("2026-06-08T00:00:00Z", arrival="2026-06-20"), cancelled("2026-06-10T00:00:00Z", id_="b2"),
        moved("2026-06-18T00:00:00Z", arrival="2026-06-20", id="x"), moved("2026-06-18T00:00:00Z", who="b", id="y"),
    ]  # fmt: skip
    logs = []
    for size in (1, 7, 5_000):
        workspace = hotel(tmp_path, name=f"size{size}")
        workspace.add(*events)
        workspace.run("2026-08-01T00:00:00Z", tick_size=size)
        logs.append(workspace.log_lines())
    assert logs[0] == logs[1] == logs[2]
    assert any(line[3] == "Step Replanned" for line in logs[0])


@pytest.mark.parametrize(
    ("then", "reason"),
    [
        (moved("2026-06-08T00:00:00Z", arrival="2026-06-20"), "replanned: moved"),
        (moved("2026-06-08T00:00:00Z", who="b"), "left: role_lost"),
        (cancelled("2026-06-08T00:00:00Z"), "exit: booking.status = 'cancelled'"),
    ],
)
def test_a_delivery_that_nobody_has_claimed_goes_with_its_run(tmp_path: Path, then: Any, reason: str) -> None:
    workspace = hotel(tmp_path)
    workspace.add(booked(CONFIRMED, "2026-06-10", room="12"), then)
    with Bulk.open(workspace.home) as bulk, State.open(workspace.home) as state:
        cursor = Cursor(clock=BEGINNING, timestamp=BEGINNING)
        events = list(ordered_events(bulk, cursor, 100, parse_instant("2026-08-01T00:00:00Z"), set()))
        # Deliveries are left to a deliverer that does not come.
        engine = Engine(state, definitions.world(state), delivery="later")
        for each in events:
            engine.tick([Item(each, each.timestamp)], each.timestamp + 1, cursor)
    assert workspace.deliveries()[0][1:] == ("guide", "cancelled", reason)


def test_profile_story_and_explanation_tell_of_the_move(tmp_path: Path) -> None:
    done = played(
        hotel(tmp_path), booked(CONFIRMED, "2026-06-10"), moved("2026-05-20T00:00:00Z", arrival="2026-06-20"),
        until="2026-05-21T00:00:00Z",
    )  # fmt: skip
    [answer] = done.cli("explain", "profile", "a", "--message", "guide")["journeys"]
    assert "b1: planned for 2026-06-17T09:00:00Z" in answer["words"]
    [copy] = done.cli("profile", "show", "a")["objects"]
    assert copy["planned"] == [{"journey": "pre-arrival", "at": "2026-06-17T09:00:00Z"}]


def test_a_booking_made_before_the_login_goes_to_the_first_who_logs_in_and_stays(tmp_path: Path) -> None:
    workspace = hotel(tmp_path)
    anonymous = event("Booking Confirmed", None, CONFIRMED, anonymous="phone", booking_id="b1", arrival="2026-06-10")
    played(workspace, anonymous, identify("a", "2026-05-12T00:00:00Z", anonymous="phone"), until="2026-05-13T00:00:00Z")
    [copy] = workspace.cli("profile", "show", "a")["objects"]
    assert copy["planned"] == [{"journey": "pre-arrival", "at": "2026-06-07T09:00:00Z"}]
    # Somebody else on the same phone later: what was booked on it before stays with the first.
    played(workspace, identify("b", "2026-05-20T00:00:00Z", anonymous="phone"), until="2026-05-21T00:00:00Z")
    assert workspace.cli("profile", "show", "b")["objects"] == []
    [copy] = workspace.cli("profile", "show", "a")["objects"]
    assert copy["planned"] == [{"journey": "pre-arrival", "at": "2026-06-07T09:00:00Z"}]


def test_two_roles_of_one_profile_are_one_object(tmp_path: Path) -> None:
    strategy = STRATEGY.replace("roles: { owner: user }", "roles: { owner: user, payer: payer_id }")
    workspace = hotel(tmp_path)
    workspace.apply({"strategy.yaml": strategy, "journeys/new.yaml": "enter: { object: booking, on: created }\n"
                     "steps: [ { stop: done } ]\n"})  # fmt: skip
    # Then the phone's role alone is left.
    given_up = event("Object Updated", "a", "2026-05-11T00:00:00Z", object="booking", roles={"owner": None})
    given_up["properties"]["id"] = "b1"
    played(
        workspace, identify("a", "2026-05-02T00:00:00Z", anonymous="phone"),
        booked(CONFIRMED, "2026-06-10", payer_id="anonymous_id:phone"), given_up, until="2026-05-12T00:00:00Z",
    )  # fmt: skip
    assert len(workspace.outputs("Journey Entered")) == 1
    [copy] = workspace.cli("profile", "show", "a")["objects"]
    assert copy["roles"] == ["payer"]


def test_what_was_known_then_includes_what_others_changed(tmp_path: Path) -> None:
    done = played(
        hotel(tmp_path), booked(CONFIRMED, "2026-06-10", room="12"), moved("2026-05-20T00:00:00Z", who="b", room="14"),
        until="2026-05-21T00:00:00Z",
    )  # fmt: skip
    [before] = done.cli("profile", "show", "a", "--at", "2026-05-19T00:00:00Z")["objects"]
    assert before["properties"]["room"] == "12"
    assert done.cli("profile", "show", "a", "--at", "2026-05-20T00:00:00Z")["objects"] == []
    [after] = done.cli("profile", "show", "b", "--at", "2026-05-20T00:00:00Z")["objects"]
    assert after["properties"]["room"] == "14"


def test_letters_tasks_and_updates_show_a_date_where_it_is_local(tmp_path: Path) -> None:
    workspace = hotel(tmp_path)
    shown = "{{ booking.arrival | date: '%d.%m. %H:%M' }} ({{ booking.arrival | date: '%H:%M', zone: zone }})"
    steps = 'steps: [{ send: guide }, { task: { queue: desk, title: "%s" } }, { update: { arrives: "%s" } }]\n'
    workspace.apply(
        {
            "strategy.yaml": STRATEGY + "traits: [arrives]\n",
            "journeys/new.yaml": "enter: { object: booking, on: created }\nkey: booking\npurpose: stay\n"
            + steps % (shown, shown),
            "messages/guide.md": message("Guide", purpose="stay", body=shown),
            "channels.yaml": "email: { provider: file, from: a@b.example }\n",
        }
    )
    workspace.add(identify("a", "2026-05-02T00:00:00Z", timezone="America/New_York"))
    workspace.add(booked("2026-05-03T12:00:00Z", "2026-06-12T14:00:00Z", tz="Asia/Tokyo"))
    workspace.run("2026-05-04T00:00:00Z", deliver="file")
    expected = "12.06. 23:00 (10:00)"
    assert [props["title"] for _, _, props in workspace.outputs("Task Created")] == [expected]
    assert workspace.cli("audience", "count", f"traits.arrives = '{expected}'")["count"] == 1
    [mail] = (workspace.home / "mail" / "new").iterdir()
    assert expected in mail.read_text()
    assert replay(workspace.home).different == 0
