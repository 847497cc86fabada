"""Behaviour that peers get wrong (B1, B2, B3, B6, B7, B8, B16), driven through `advance` for one profile."""

from __future__ import annotations

import pytest
from scenario.engine_loop import MARKETING, SERVICE, Loop, at, message, play, quiet, strategy

from innkeeper.decisions.policy import Cap
from innkeeper.events.outputs import AudienceEntered, AudienceLeft, DecisionMade, JourneyEntered, JourneyExited
from innkeeper.kernel.time import DAY, MICROSECOND

MAIL = {"email": "ada@example.com"}


def test_b1_a_purchase_in_a_30_day_wait_ends_the_journey_at_once() -> None:
    loop = play(
        strategy(
            messages=["nudge", "second"],
            journeys={
                "nudge": "enter: {event: Cart Updated}\nexit: [did('Order Completed')]\n"
                "steps: [{wait: 30 days}, {send: nudge}, {wait: 1 day}, {send: second}]"
            },
        )
    )
    loop.event("2026-01-01T00:00:00Z", "Cart Updated", traits=MAIL)
    loop.event("2026-01-02T00:00:00Z", "Order Completed")
    loop.until("2026-06-01T00:00:00Z")
    [(when, exited)] = loop.of(JourneyExited)
    assert (when, exited.outcome) == (at("2026-01-02T00:00:00Z"), "exit")
    assert loop.sent() == []


TRIPS = """
key: booking_id
enter: { event: Booking Confirmed }
exit: [ did('Booking Cancelled') ]
purpose: service
steps:
  - wait: { until: event.arrival - 3 days, time: "10:00" }
  - send: guide
  - wait: { until: event.arrival - 1 day, time: "16:00" }
  - send: last-words
"""


def trips() -> Loop:
    messages = [message("guide", purpose="service"), message("last-words", purpose="service")]
    loop = play(strategy(messages=messages, journeys={"pre-arrival": TRIPS}, zone="Europe/Lisbon"))
    loop.event("2026-01-01T09:00:00Z", "Booking Confirmed", booking_id="A", arrival="2026-02-01", traits=MAIL)
    loop.event("2026-01-02T09:00:00Z", "Booking Confirmed", booking_id="B", arrival="2026-07-01")
    return loop


def test_b2_cancelling_one_trip_leaves_the_other_ones_times_alone() -> None:
    loop = trips()
    loop.event("2026-01-10T00:00:00Z", "Booking Cancelled", booking_id="A")
    loop.until("2026-08-01T00:00:00Z")
    [(_, exited), (_, finished)] = loop.of(JourneyExited)
    assert (exited.key, exited.outcome, finished.key, finished.outcome) == ("A", "exit", "B", "finished")
    # 10:00 and 16:00 in Lisbon in summer.
    assert loop.sent() == [(at("2026-06-28T09:00:00Z"), "guide"), (at("2026-06-30T15:00:00Z"), "last-words")]


def test_b2_both_trips_remind_at_their_own_times() -> None:
    loop = trips()
    loop.until("2026-08-01T00:00:00Z")
    assert [each for each in loop.sent() if each[1] == "guide"] == [
        (at("2026-01-29T10:00:00Z"), "guide"),
        (at("2026-06-28T09:00:00Z"), "guide"),
    ]


def test_b3_the_first_change_to_a_value_enters() -> None:
    loop = play(
        strategy(
            audiences={"blue": "traits.colour = 'blue'"},
            messages=["hello"],
            journeys={"blue": "enter: {audience: blue, change: entered}\nsteps: [{send: hello}]"},
        )
    )
    loop.event("2026-01-01T00:00:00Z", "Identified", traits=MAIL | {"colour": "blue"})
    assert [entered.audience for _, entered in loop.of(AudienceEntered)] == ["blue"]
    assert [entered.journey for _, entered in loop.of(JourneyEntered)] == ["blue"]
    assert loop.sent() == [(at("2026-01-01T00:00:00Z"), "hello")]


TWO_SENDS = "enter: {event: Start}\nsteps: [{send: one}, {wait: 20 minutes}, {send: two}]"


@pytest.mark.parametrize(("calendar", "sent"), [("day", 2), (None, 1)])
def test_b6_a_daily_cap_is_rolling_or_of_the_calendar(calendar: str | None, sent: int) -> None:
    cap = Cap(at_most=1, per=DAY, calendar="day" if calendar else None)
    loop = play(strategy(messages=["one", "two"], caps=[cap], journeys={"two": TWO_SENDS}, zone="Europe/Amsterdam"))
    loop.event("2026-01-01T22:50:00Z", "Start", traits=MAIL)
    loop.until("2026-01-03T00:00:00Z")
    assert len(loop.sent()) == sent
    assert loop.refused() == ([] if sent == 2 else [("two", "cap")])


def test_b7_the_calendar_is_the_customers_and_utc_midnight_resets_nothing() -> None:
    cap = Cap(at_most=1, per=DAY, calendar="day")
    steps = "enter: {event: Start}\nsteps: [{send: one}, {wait: 2 hours}, {send: two}, {wait: 9 hours}, {send: three}]"
    loop = play(strategy(messages=["one", "two", "three"], caps=[cap], journeys={"j": steps}))
    # 23:00 UTC is 13:00 of the next day on Kiritimati; the local day ends at 10:00 UTC.
    loop.event("2026-01-01T23:00:00Z", "Start", traits=MAIL | {"timezone": "Pacific/Kiritimati"})
    loop.until("2026-01-03T00:00:00Z")
    assert [name for _, name in loop.sent()] == ["one", "three"]
    assert loop.sent()[1][0] == at("2026-01-02T10:00:00Z")
    [refused] = [made for _, made in loop.of(DecisionMade) if made.outcome == "deny"]
    assert (refused.reason, refused.facts["zone"], refused.facts["zone_from"]) == (
        "cap", "Pacific/Kiritimati", "profile",
    )  # fmt: skip


def held(start: str, traits: dict[str, str], zone: str = "UTC") -> Loop:
    loop = play(
        strategy(
            messages=["one"], quiet_hours=quiet("22:00", "06:00"), zone=zone,
            journeys={"j": "enter: {event: Start}\nsteps: [{send: one}]"},
        )
    )  # fmt: skip
    loop.event(start, "Start", traits=MAIL | traits)
    loop.until("2027-01-01T00:00:00Z")
    return loop


@pytest.mark.parametrize(
    ("start", "sent"),
    [
        # Amsterdam skips 02:00 to 03:00 on 2026-03-29: the night is an hour shorter.
        ("2026-03-28T22:30:00Z", "2026-03-29T04:00:00Z"),
        # It has 02:00 to 03:00 twice on 2026-10-25: the night is an hour longer.
        ("2026-10-24T20:00:00Z", "2026-10-25T05:00:00Z"),
        ("2026-10-25T00:30:00Z", "2026-10-25T05:00:00Z"),
        ("2026-10-25T01:30:00Z", "2026-10-25T05:00:00Z"),
        ("2026-10-25T05:00:00Z", "2026-10-25T05:00:00Z"),
        ("2026-10-24T19:59:59.999999Z", "2026-10-24T19:59:59.999999Z"),
    ],
)
def test_b8_a_quiet_night_is_respected_once_over_a_clock_change(start: str, sent: str) -> None:
    loop = held(start, {"timezone": "Europe/Amsterdam"})
    assert loop.sent() == [(at(sent), "one")]
    assert len([made for _, made in loop.of(DecisionMade) if made.outcome == "defer"]) == (start != sent)


@pytest.mark.parametrize(
    ("traits", "zone", "source"),
    [
        ({"timezone": "Asia/Tokyo", "country": "NL"}, "Asia/Tokyo", "profile"),
        ({"timezone": "Mars/Olympus", "country": "NL"}, "Europe/Amsterdam", "country"),
        ({"country": "XX"}, "Europe/Lisbon", "workspace"),
        ({}, "Europe/Lisbon", "workspace"),
    ],
)
def test_b8_the_zone_falls_back_and_the_decision_says_to_which(traits: dict[str, str], zone: str, source: str) -> None:
    # 20:30 UTC in January is 05:30 in Tokyo and 21:30 in Amsterdam; 23:30 in Lisbon is asked three hours later.
    start = {"profile": "2026-01-01T20:30:00Z", "country": "2026-01-01T21:30:00Z"}.get(source, "2026-01-01T23:30:00Z")
    loop = held(start, traits, zone="Europe/Lisbon")
    [deferred] = [made for _, made in loop.of(DecisionMade) if made.outcome == "defer"]
    assert (deferred.reason, deferred.gate) == ("quiet_hours", "quiet_hours")
    assert (deferred.facts["zone"], deferred.facts["zone_from"]) == (zone, source)


def test_b16_opened_3_to_5_days_ago_flips_on_time_without_a_new_event() -> None:
    loop = play(strategy(audiences={"lapsing": "did('Message Opened', within => '5 days', before => '3 days')"}))
    opened = at("2026-01-01T00:00:00Z")
    loop.event(opened, "Message Opened")
    loop.until("2026-02-01T00:00:00Z")
    assert [when - opened for when, _ in loop.of(AudienceEntered)] == [3 * DAY]
    assert [when - opened for when, _ in loop.of(AudienceLeft)] == [5 * DAY]


def test_a_held_candidate_reserves_nothing_and_expires() -> None:
    loop = play(
        strategy(
            messages=["one", message("two", purpose="service")], quiet_hours=quiet("22:00", "08:00"),
            caps=[Cap(at_most=1, per=DAY)], purposes=[MARKETING, SERVICE],
            journeys={
                "j": "enter: {event: Start}\nshelf_life: 2 hours\nsteps: [{send: one}, {send: two}]",
            },
        )
    )  # fmt: skip
    loop.event("2026-01-01T23:00:00Z", "Start", traits=MAIL)
    assert loop.state.reservations == []
    assert loop.state.next_due_at == at("2026-01-02T08:00:00Z")
    loop.until("2026-01-03T00:00:00Z")
    assert loop.refused() == [("one", "quiet_hours"), ("one", "expired")]
    assert loop.sent() == [(at("2026-01-02T08:00:00Z"), "two")]


def test_time_is_a_grid_of_one_microsecond() -> None:
    loop = play(strategy(audiences={"quiet": "days_since_last('Order Completed') > 45"}))
    start = at("2026-01-01T00:00:00Z")
    loop.event(start, "Order Completed")
    loop.until(start + 50 * DAY)
    assert [when for when, _ in loop.of(AudienceEntered)] == [start + 45 * DAY + MICROSECOND]
