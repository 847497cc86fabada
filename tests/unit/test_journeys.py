"""Journeys: entries and coming again, waits, branches, scopes, exits and goals."""

from __future__ import annotations

from typing import Any

import pytest
from scenario.engine_loop import SERVICE, Loop, at, message, play, strategy

from innkeeper.events.outputs import (
    DecisionMade,
    DeliveryPlanned,
    JourneyEntered,
    JourneyExited,
    StepReached,
    TaskCreated,
    TraitsUpdated,
)
from innkeeper.journeys.instants import Anchor, resolve
from innkeeper.kernel.time import DAY, HOUR, MINUTE, Instant, format_instant
from innkeeper.lifecycle import World, record_history
from innkeeper.profiles.traits import all_traits

START = at("2026-01-01T00:00:00Z")
MAIL = {"email": "ada@example.com"}


def one(text: str, **more: Any) -> Loop:
    """A loop over one journey; messages m1, m2, m3 are service mails."""
    messages = [message(name, purpose="service") for name in ("m1", "m2", "m3")]
    return play(strategy(journeys={"j": text}, messages=messages, purposes=[SERVICE], **more))


def ends(loop: Loop) -> list[tuple[str, str]]:
    return [(each.outcome, each.reason) for _, each in loop.of(JourneyExited)]


def sent(loop: Loop) -> list[tuple[int, str]]:
    """Hours after START, and message."""
    return [((when - START) // HOUR, name) for when, name in loop.sent()]


def test_an_entry_asks_for_properties_and_profile() -> None:
    loop = one("enter: {event: Start, where: total >= 10, when: traits.vip}\nreentry: always\nsteps: [{send: m1}]")
    loop.event(START, "Start", total=5, traits=MAIL | {"vip": True})
    loop.event(START + HOUR, "Start", total=10)
    loop.event(START + 2 * HOUR, "Start", total=50, traits={"vip": False})
    assert sent(loop) == [(1, "m1")]
    [(_, entered)] = loop.of(JourneyEntered)
    assert entered.enrollment == loop.of(DeliveryPlanned)[0][1].enrollment


def test_an_entry_without_the_key_property_does_not_enter() -> None:
    loop = one("enter: {event: Start}\nkey: order.id\nsteps: []")
    loop.event(START, "Start", order={"id": 12.0})
    loop.event(START + HOUR, "Start", order={"id": None})
    loop.event(START + 2 * HOUR, "Start", order={"id": "12"})
    assert [each.key for _, each in loop.of(JourneyEntered)] == ["12", "12"]


@pytest.mark.parametrize(
    ("reentry", "hours"),
    [
        ("never", [0]),
        ("after_exit", [0, 30, 60]),
        ("always", [0, 1, 30, 60]),
        ("{after: 36 hours}", [0, 60]),
    ],
)
def test_coming_again(reentry: str, hours: list[int]) -> None:
    loop = one(f"enter: {{event: Start}}\nreentry: {reentry}\nsteps: [{{wait: 24 hours}}]")
    for hour in (0, 1, 30, 60):
        loop.event(START + hour * HOUR, "Start")
    assert [(when - START) // HOUR for when, _ in loop.of(JourneyEntered)] == hours
    assert len({each.enrollment for _, each in loop.of(JourneyEntered)}) == len(hours)


def test_coming_again_is_counted_per_key() -> None:
    loop = one("enter: {event: Start}\nkey: id\nreentry: never\nsteps: []")
    for number, key in enumerate(["a", "b", "a"]):
        loop.event(START + number * HOUR, "Start", id=key)
    assert [each.key for _, each in loop.of(JourneyEntered)] == ["a", "b"]


def test_an_audience_that_is_left_enters() -> None:
    loop = one("enter: {left: fresh}\nsteps: [{send: m1}]", audiences={"fresh": "did('Login', within => '2 hours')"})
    loop.event(START, "Login", traits=MAIL)
    loop.until(START + DAY)
    assert sent(loop) == [(2, "m1")]


def test_an_exit_that_already_holds_at_entry_ends_before_the_first_step() -> None:
    loop = one("enter: {event: Start}\nexit: [traits.done]\nsteps: [{send: m1}]")
    loop.event(START, "Start", traits=MAIL | {"done": True})
    assert ends(loop) == [("exit", "traits.done")]
    assert loop.sent() == []


def test_a_goal_counts_only_within_its_time() -> None:
    text = "enter: {event: Start}\ngoal: {event: Buy, within: 2 days}\nreentry: always\nsteps: [{wait: 9 days}]"
    for hours, expected in ((48, [("goal", "did('Buy')")]), (49, [])):
        loop = one(text)
        loop.event(START, "Start")
        loop.event(START + hours * HOUR, "Buy")
        assert ends(loop) == expected


def test_what_happened_before_the_enrollment_does_not_end_it() -> None:
    loop = one("enter: {event: Start}\nexit: [count('Buy') >= 1]\nsteps: [{wait: 9 days}]")
    loop.event(START, "Buy")
    loop.event(START + HOUR, "Start")
    assert ends(loop) == []
    loop.event(START + 30 * MINUTE, "Buy", taken=START + 2 * HOUR)
    assert ends(loop) == [("exit", "count('Buy') >= 1")]


def test_a_window_looks_back_beyond_the_entry() -> None:
    loop = one("enter: {event: Start}\nexit: [\"did('Buy', within => '3 hours')\"]\nsteps: [{wait: 9 days}]")
    loop.event(START, "Buy")
    loop.event(START + HOUR, "Start")
    assert [each.outcome for _, each in loop.of(JourneyExited)] == ["exit"]


@pytest.mark.parametrize("condition", ["did('Stop')", "did('Stop', within => '30 days')"])
def test_an_event_with_a_key_counts_for_that_key_and_one_without_for_all(condition: str) -> None:
    text = f'enter: {{event: Start}}\nkey: id\nexit: ["{condition}"]\nsteps: [{{wait: 9 days}}]'
    loop = one(text)
    for number, key in enumerate("abc"):
        loop.event(START + number * HOUR, "Start", id=key)
    loop.event(START + 4 * HOUR, "Stop", id="b")
    assert [each.key for _, each in loop.of(JourneyExited)] == ["b"]
    loop.event(START + 5 * HOUR, "Stop")
    assert [each.key for _, each in loop.of(JourneyExited)] == ["b", "a", "c"]


def test_a_changed_booking_leaves_and_enters_at_once() -> None:
    text = (
        "enter: {event: Booking}\nkey: id\nexit: [did('Booking')]\nsteps:\n"
        "  - wait: { until: event.arrival - 1 day, time: '10:00' }\n  - send: m1"
    )
    loop = one(text)
    loop.event(START, "Booking", id="a", arrival="2026-01-10", traits=MAIL)
    loop.event(START + DAY, "Booking", id="a", arrival="2026-01-20")
    loop.until(START + 60 * DAY)
    assert ends(loop) == [("exit", "did('Booking')"), ("finished", "")]
    assert loop.sent() == [(at("2026-01-19T10:00:00Z"), "m1")]


def test_waits_of_every_kind() -> None:
    loop = one(
        "enter: {event: Start}\nsteps:\n"
        "  - wait: 30 minutes\n  - send: m1\n"
        '  - wait: { until: "10:00" }\n  - send: m2\n'
        "  - wait: { until: did('Opened'), at_most: 2 days }\n  - send: m3\n",
        zone="Asia/Tokyo",
    )
    loop.event(START, "Start", traits=MAIL)
    loop.event(START + 12 * HOUR, "Opened")
    loop.until(START + 9 * DAY)
    # 10:00 in Tokyo is 01:00 UTC.
    assert sent(loop) == [(0, "m1"), (1, "m2"), (12, "m3")]
    assert loop.sent()[0][0] == START + 30 * MINUTE


def test_a_wait_for_a_condition_ends_with_its_time() -> None:
    loop = one("enter: {event: Start}\nsteps: [{wait: {until: did('Opened'), at_most: 2 days}}, {send: m1}]")
    loop.event(START - HOUR, "Opened")
    loop.event(START, "Start", traits=MAIL)
    loop.until(START + 9 * DAY)
    assert sent(loop) == [(48, "m1")]


def test_a_wait_for_a_condition_that_time_alone_makes_true() -> None:
    text = "enter: {event: Start}\nsteps: [{wait: {until: days_since_last('Start') >= 1.5}}, {send: m1}]"
    loop = one(text)
    loop.event(START - HOUR, "Start", traits=MAIL)
    loop.event(START, "Start")
    loop.until(START + 9 * DAY)
    assert sent(loop) == [(36, "m1")]


ARRIVAL = """
enter: { event: Booking }
steps:
  - wait: { until: event.arrival - 3 days, time: "10:00" }
  - send: m1
  - task: { queue: desk, title: "late" }
  - wait: { until: event.arrival - 1 day, time: "10:00" }
  - send: m2
"""


def test_an_instant_already_past_skips_the_steps_up_to_the_next_wait() -> None:
    loop = one(ARRIVAL)
    loop.event(at("2026-02-08T12:00:00Z"), "Booking", arrival="2026-02-10", traits=MAIL)
    loop.until("2026-03-01T00:00:00Z")
    assert loop.sent() == [(at("2026-02-09T10:00:00Z"), "m2")]
    assert loop.of(TaskCreated) == []
    assert [each.step for _, each in loop.of(StepReached)] == ["0", "3", "4"]


@pytest.mark.parametrize(
    ("late", "booked", "entered"),
    [
        ("enter", "2026-02-10T12:00:00Z", 1), ("enter", "2026-02-11T00:00:00Z", 0), ("skip", "2026-02-07T09:00:00Z", 1),
        ("skip", "2026-02-07T10:00:00Z", 1), ("skip", "2026-02-07T10:00:00.000001Z", 0),
    ],
)  # fmt: skip
def test_a_journey_that_begins_with_an_instant_may_be_too_late_to_enter(late: str, booked: str, entered: int) -> None:
    loop = one(ARRIVAL + f"late: {late}\n")
    loop.event(booked, "Booking", arrival="2026-02-10", traits=MAIL)
    assert len(loop.of(JourneyEntered)) == entered


def test_a_wait_for_a_property_that_is_missing_stops_and_says_so() -> None:
    loop = one("enter: {event: Booking}\nsteps: [{wait: {until: event.arrival}}, {send: m1}]")
    loop.event(START, "Booking", arrival="soon")
    assert ends(loop) == [("stopped", "missing_value: event.arrival")]


@pytest.mark.parametrize(
    ("value", "offset", "wall", "zone", "expected"),
    [
        ("2026-03-30", -3 * DAY, "10:00", "Europe/Amsterdam", "2026-03-27T09:00:00Z"),
        # The days between hold a change of the clock: still the third calendar day before.
        ("2026-04-01", -3 * DAY, None, "Europe/Amsterdam", "2026-03-28T23:00:00Z"),
        ("2026-03-29", 0, "02:30", "Europe/Amsterdam", "2026-03-29T01:30:00Z"),
        ("2026-10-25", 0, "02:30", "Europe/Amsterdam", "2026-10-25T00:30:00Z"),
        ("2026-01-05T15:00:00+01:00", -2 * HOUR, None, "UTC", "2026-01-05T12:00:00Z"),
        ("2026-01-05T23:30:00Z", 0, "10:00", "Asia/Tokyo", "2026-01-06T01:00:00Z"),
        ("2026-01-05T15:00", 0, None, "Asia/Tokyo", "2026-01-05T06:00:00Z"),
        ("2026-01-05", 36 * HOUR, None, "UTC", "2026-01-06T12:00:00Z"),
    ],
)  # fmt: skip
def test_instants_of_a_property(value: str, offset: int, wall: str | None, zone: str, expected: str) -> None:
    from datetime import time

    anchor = Anchor(path=("x",), offset=offset, wall=None if wall is None else time.fromisoformat(wall))
    found = resolve(anchor, {"x": value}, zone)
    assert found is not None
    assert format_instant(found.due_at) == expected


@pytest.mark.parametrize("value", [None, 5, "", "tomorrow", "2026-13-01", "9999-12-31", {"a": 1}])
def test_what_is_no_instant_is_refused(value: Any) -> None:
    assert resolve(Anchor(path=("x",), offset=40_000 * DAY), {"x": value}, "UTC") is None


BRANCH = """
enter: { event: Start }
steps:
  - branch:
      - if: event.total >= 100
        steps: [ { send: m1 } ]
      - if: did('Login')
        steps:
          - send: m2
          - stop: enough
      - else: [ { update: { tier: small, last_total: "{{ event.total }}", said: "{{ event.total }} EUR" } } ]
  - send: m3
"""


@pytest.mark.parametrize(
    ("total", "login", "messages", "steps"),
    [
        (100, True, ["m1", "m3"], ["0", "0.if.0", "1"]),
        (5, True, ["m2"], ["0", "0.if2.0", "0.if2.1"]),
        (5, False, ["m3"], ["0", "0.else.0", "1"]),
    ],
)
def test_a_branch_takes_the_first_arm_that_holds(
    total: int, login: bool, messages: list[str], steps: list[str]
) -> None:
    loop = one(BRANCH)
    if login:
        loop.event(START - DAY, "Login")
    loop.event(START, "Start", total=total, traits=MAIL)
    assert [name for _, name in loop.sent()] == messages
    assert [each.step for _, each in loop.of(StepReached)] == steps


def test_an_update_sets_traits_with_their_types_and_says_so() -> None:
    loop = one(BRANCH)
    loop.event(START, "Start", total=5)
    assert {"tier": "small", "last_total": 5, "said": "5 EUR"}.items() <= all_traits(loop.state).items()
    [(_, updated)] = loop.of(TraitsUpdated)
    assert updated.traits == {"tier": "small", "last_total": 5, "said": "5 EUR"}


def test_an_update_moves_audiences_in_the_same_instant() -> None:
    journeys = {
        "a": "enter: {event: Start}\nsteps: [{update: {tier: gold}}]",
        "b": "enter: {entered: gold}\nsteps: [{send: m1}]",
    }
    loop = play(strategy(journeys=journeys, audiences={"gold": "traits.tier = 'gold'"}, messages=["m1"]))
    loop.event(START, "Start", traits=MAIL)
    assert sent(loop) == [(0, "m1")]


def test_of_two_updates_of_one_instant_the_later_counts() -> None:
    steps = ", ".join(f"{{update: {{n: {number}}}}}" for number in range(15))
    loop = one(f"enter: {{event: Start}}\nsteps: [{steps}]")
    loop.event(START, "Start")
    assert all_traits(loop.state)["n"] == 14


def test_a_task_says_what_to_do_for_whom() -> None:
    loop = one(
        "enter: {event: Start}\nkey: room\nsteps:\n"
        '  - task: { queue: desk, title: "Call {{ profile.first_name }}", body: "room {{ journey.key }}", due: 1 day }'
    )
    loop.event(START, "Start", room=12, traits={"first_name": "Ada"})
    [(_, task)] = loop.of(TaskCreated)
    assert (task.queue, task.title, task.body, task.key) == ("desk", "Call Ada", "room 12", "12")
    assert task.context["due_at"] == "2026-01-02T00:00:00Z"
    assert task.context["profile"]["id"] == "u"


def test_a_planned_delivery_carries_only_what_the_template_may_read() -> None:
    loop = one("enter: {event: Start}\nkey: id\nsteps: [{send: m1}]")
    loop.event(START, "Start", id="x", traits=MAIL | {"locale": "nl", "timezone": "Europe/Paris"})
    [(_, planned)] = loop.of(DeliveryPlanned)
    assert set(planned.context) == {"profile", "event", "journey", "key", "locale", "zone", "workspace"}
    assert (planned.context["locale"], planned.context["zone"], planned.address) == (
        "nl",
        "Europe/Paris",
        MAIL["email"],
    )
    assert planned.expires_at == START + DAY


def test_a_refused_delivery_frees_its_reservation_and_one_in_doubt_does_not() -> None:
    loop = one("enter: {event: Start}\nreentry: always\nsteps: [{send: m1}]")
    loop.deliver = False
    loop.event(START, "Start", traits=MAIL)
    loop.event(START + HOUR, "Start")
    first, second = (planned for _, planned in loop.of(DeliveryPlanned))
    loop.receipt(START + 2 * HOUR, "Message Refused", first, state="cancelled")
    loop.receipt(START + 2 * HOUR, "Message Refused", second, state="in_doubt")
    assert [each.delivery_id for each in loop.state.reservations] == [second.delivery_id]


def test_a_denied_candidate_lets_the_journey_go_on() -> None:
    loop = one("enter: {event: Start}\nsteps: [{send: m1}, {wait: 1 hour}, {send: m2}]")
    loop.event(START, "Start")
    loop.event(START + 30 * MINUTE, "Identified", traits=MAIL)
    loop.until(START + DAY)
    assert loop.refused() == [("m1", "no_address")]
    assert sent(loop) == [(1, "m2")]


def test_two_marketing_messages_of_one_instant_are_one() -> None:
    journeys = {
        name: f"enter: {{event: Start}}\npriority: {priority}\nsteps: [{{send: {name}}}]"
        for name, priority in (("low", 1), ("high", 5))
    }
    loop = play(strategy(journeys=journeys, messages=["low", "high"]))
    loop.event(START, "Start", traits=MAIL)
    decided = [(each.message, each.outcome, each.reason) for _, each in loop.of(DecisionMade)]
    assert decided == [("high", "allow", ""), ("low", "deny", "priority")]


LONG = "enter: {event: Start}\nsteps: [{wait: 1 day}, {send: m1}, {wait: 1 day}, {send: m2}]"


def changed_world(text: str | None, *, earlier: bool) -> tuple[Loop, World]:
    loop = one(LONG)
    loop.event(START, "Start", traits=MAIL)
    messages = [message(name, purpose="service") for name in ("m1", "m2", "m3")]
    new = strategy(journeys={} if text is None else {"j": text}, messages=messages, purposes=[SERVICE], version="v2")
    old = strategy(journeys={"j": LONG}, messages=messages, purposes=[SERVICE])
    return loop, World.build(new, [old] if earlier else [])


@pytest.mark.parametrize(
    ("text", "earlier", "expected", "outcome"),
    [
        ("enter: {event: Start}\nsteps: [{wait: 1 day}, {send: m3}]", True, ["m1", "m2"], "finished"),
        ("enter: {event: Start}\nsteps: [{wait: 1 day}, {send: m3}]", False, ["m3"], "finished"),
        ("enter: {event: Start}\nsteps: []", False, [], "left"),
        (None, True, [], "left"),
    ],
)
def test_people_inside_a_changed_journey(text: str | None, earlier: bool, expected: list[str], outcome: str) -> None:
    loop, world = changed_world(text, earlier=earlier)
    loop.world = world
    now: Instant = START + HOUR
    record_history(loop.state, now, world)
    loop.until(START + 9 * DAY)
    assert [name for _, name in loop.sent()] == expected
    assert [each[0] for each in ends(loop)] == [outcome]
