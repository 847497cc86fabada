"""Facts, memberships and stages of one profile, as `advance` makes them."""

from __future__ import annotations

import random
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scenario.engine_loop import Loop, at, play, strategy

from innkeeper.events.outputs import (
    AudienceEntered,
    AudienceLeft,
    ConsentRecorded,
    JourneyEntered,
    ProfileParked,
    StageChanged,
    SuppressionRecorded,
)
from innkeeper.events.types import Event
from innkeeper.kernel.errors import OperationFailed
from innkeeper.kernel.time import DAY, FOREVER, HOUR, Instant
from innkeeper.lifecycle import (
    EventInput,
    ProfileState,
    TimerInput,
    World,
    advance,
    decode,
    encode,
    missing_accumulators,
    new_state,
    record_history,
    refold,
)
from innkeeper.profiles.consent import standing
from innkeeper.profiles.suppression import suppressed
from innkeeper.profiles.traits import all_traits

START = at("2026-01-01T00:00:00Z")


def names(loop: Loop) -> list[tuple[str, str]]:
    """Entered and left, in order."""
    found = []
    for each in loop.said:
        if isinstance(each.output, AudienceEntered | AudienceLeft):
            found.append(("+" if isinstance(each.output, AudienceEntered) else "-", each.output.audience))
    return found


def test_an_audience_is_entered_and_left_exactly_when_time_says_so() -> None:
    loop = play(strategy(audiences={"recent": "did('Login', within => '30 days')"}))
    loop.event(START, "Login")
    loop.event(START + DAY, "Login")
    loop.until(START + 60 * DAY)
    assert names(loop) == [("+", "recent"), ("-", "recent")]
    assert loop.of(AudienceLeft)[0][0] == START + 31 * DAY
    assert loop.state.next_due_at == FOREVER


def test_a_profile_begins_with_its_first_event() -> None:
    loop = play(strategy(audiences={"never bought": "not did('Order Completed')"}))
    assert names(loop) == []
    loop.event(START, "Login")
    assert names(loop) == [("+", "never bought")]


def test_audiences_that_read_audiences_settle_in_one_pass_in_order() -> None:
    audiences = {
        "a": "in_audience('m') and in_audience('z')", "m": "in_audience('z')", "z": "did('Login', within => '1 day')",
    }  # fmt: skip
    loop = play(strategy(audiences=audiences))
    loop.event(START, "Login")
    assert names(loop) == [("+", "z"), ("+", "m"), ("+", "a")]
    loop.until(START + 2 * DAY)
    assert names(loop)[3:] == [("-", "z"), ("-", "m"), ("-", "a")]
    assert {when for when, _ in loop.of(AudienceLeft)} == {START + DAY}


STAGES = [("loyal", "count('Order Completed') >= 3"), ("active", "did('Login', within => '7 days')"), ("known", "true")]


def test_the_first_true_rule_is_the_stage() -> None:
    loop = play(strategy(stages=STAGES, audiences={"in active": "stage = 'active'"}))
    loop.event(START, "Page Viewed")
    loop.event(START + HOUR, "Login")
    loop.until(START + 10 * DAY)
    for hour in range(3):
        loop.event(START + 20 * DAY + hour * HOUR, "Order Completed")
    assert [(each.before, each.stage) for _, each in loop.of(StageChanged)] == [
        (None, "known"), ("known", "active"), ("active", "known"), ("known", "loyal"),
    ]  # fmt: skip
    assert names(loop) == [("+", "in active"), ("-", "in active")]


def test_history_is_recorded_without_being_announced() -> None:
    world = World.build(
        strategy(
            audiences={"recent": "did('Login', within => '30 days')"}, stages=[("known", "true")], messages=["one"],
            journeys={"j": "enter: {event: Login}\nsteps: [{send: one}]", "k": "enter: {entered: recent}\nsteps: []"},
        )
    )  # fmt: skip
    loop = Loop(world)
    state = loop.state
    for day in range(3):
        event = loop.make(START + day * DAY, "Login", traits={"email": "a@b.example"})
        assert advance(state, EventInput(event, event.timestamp, "history"), world) == []
    assert (state.inputs, state.next_due_at, state.memberships) == (3, FOREVER, {})
    record_history(state, START + 10 * DAY, world)
    assert (set(state.memberships), state.stage) == ({"recent"}, "known")
    assert state.next_due_at == START + 32 * DAY
    [left] = advance(state, TimerInput(START + 32 * DAY), world)
    assert isinstance(left, AudienceLeft)


def test_history_still_records_words_that_close_a_channel() -> None:
    loop = play(strategy())
    event = loop.make(START, "Consent Withdrawn", purpose="news")
    [said] = advance(loop.state, EventInput(event, START, "history"), loop.world)
    assert isinstance(said, ConsentRecorded)
    assert not said.given


def test_a_late_event_corrects_memberships_and_enters_nothing_when_it_is_a_day_old() -> None:
    definitions = strategy(
        audiences={"buyers": "did('Order Completed')"},
        journeys={"thanks": "enter: {entered: buyers}\nsteps: [{wait: 1 day}]"},
    )
    for age, entered in ((DAY, 1), (DAY + 1, 0)):
        loop = play(definitions)
        loop.event(START, "Login")
        loop.event(START + 10 * DAY - age, "Order Completed", taken=START + 10 * DAY)
        assert names(loop) == [("+", "buyers")]
        assert len(loop.of(JourneyEntered)) == entered


def test_a_loop_of_reactions_parks_the_profile_and_names_it() -> None:
    ping = "enter: {entered: on}\nreentry: always\nsteps: [{update: {on: false}}]"
    pong = "enter: {left: on}\nreentry: always\nsteps: [{update: {on: true}}]"
    kick = "enter: {event: Kick}\nsteps: [{update: {on: true}}]"
    loop = play(strategy(audiences={"on": "traits.on"}, journeys={"ping": ping, "pong": pong, "kick": kick}))
    loop.event(START, "Kick")
    [(_, parked)] = loop.of(ProfileParked)
    for name in ("journey 'ping'", "journey 'pong'", "audience 'on'", "32 rounds"):
        assert name in parked.error
    assert loop.state.parked == parked.error
    assert loop.state.next_due_at == FOREVER
    said = len(loop.said)
    loop.event(START + DAY, "Identified", traits={"plan": "pro"})
    assert len(loop.said) == said
    assert all_traits(loop.state)["plan"] == "pro"
    record_history(loop.state, START + 2 * DAY, World.build(strategy(audiences={"on": "traits.on"})))
    assert loop.state.parked is None


def test_the_newest_trait_wins_and_null_removes() -> None:
    loop = play(strategy())
    loop.event(START + DAY, "Identified", traits={"plan": "pro", "city": "Porto"})
    loop.event(START, "Identified", taken=START + 2 * DAY, traits={"plan": "free", "name": "Ada"})
    loop.event(START + 3 * DAY, "Identified", traits={"city": None})
    assert all_traits(loop.state) == {"plan": "pro", "name": "Ada"}


def test_consent_and_suppression_keep_the_latest_word_and_say_it_once() -> None:
    loop = play(strategy())
    loop.event(START + DAY, "Consent Given", purpose="news", channel="email")
    loop.event(START, "Consent Withdrawn", taken=START + 2 * DAY, purpose="news", channel="email")
    loop.event(START + 3 * DAY, "Suppressed", reason="hard_bounce", channel="email")
    assert [each.given for _, each in loop.of(ConsentRecorded)] == [True]
    assert standing(loop.state, "news", "email", None).given
    assert [each.reason for _, each in loop.of(SuppressionRecorded)] == ["hard_bounce"]
    assert suppressed(loop.state, "email")
    loop.event(START + 4 * DAY, "Unsuppressed", channel="email")
    assert not suppressed(loop.state, "email")


@pytest.mark.parametrize("words", [("Consent Given", "Consent Withdrawn"), ("Consent Withdrawn", "Consent Given")])
def test_of_two_words_of_one_instant_the_withdrawal_counts(words: tuple[str, str]) -> None:
    loop = play(strategy())
    for name in words:
        loop.event(START, name, purpose="news")
    assert standing(loop.state, "news", "email", None).given is False


def test_the_stored_form_comes_back_as_it_was() -> None:
    loop = play(strategy(audiences={"r": "count('Login', within => '9 days') >= 2"}, stages=STAGES))
    for hour in range(5):
        loop.event(START + hour * HOUR, "Login", traits={"n": hour})
    assert decode(encode(loop.state)) == loop.state
    assert encode(decode(encode(loop.state))) == encode(loop.state)


@pytest.mark.parametrize("data", [b"", b"\x02\x90", b"\x01", b"\x01\xff\xff", b"\x01\x91\x05"])
def test_a_damaged_state_is_refused_with_what_to_do(data: bytes) -> None:
    with pytest.raises(OperationFailed, match="rebuild"):
        decode(data)


AUDIENCES = {
    "many": "count('Login', within => '5 days') >= 2", "spent": "sum('Order Completed', total) > 100",
    "first": "days_since_first('Login') > 3", "so": "did('Order Completed', before => '2 days', where => total >= 10)",
    "avg": "avg('Order Completed', total, within => '7 days') > 20", "kinds": "distinct('Order Completed', sku) >= 2",
    "plan": "traits.plan = 'pro' and traits.n >= 3", "last": "last('Login') > '2026-01-04T00:00:00Z'",
}  # fmt: skip
WORLD = World.build(
    strategy(
        audiences=AUDIENCES,
        journeys={
            "j": "key: id\nenter: {event: Start}\nexit: [\"did('Login', within => '3 days')\"]\nsteps: [wait: 1 day]"
        },
    )
)

events_of_a_profile = st.lists(
    st.tuples(
        st.integers(0, 10 * 24),
        st.sampled_from(
            ["Login", "Order Completed", "Consent Given", "Consent Withdrawn", "Suppressed", "Unsuppressed"]
        ),
        st.sampled_from([None, "k1", "k2"]),
        st.sampled_from([{}, {"plan": "pro"}, {"plan": None}, {"n": 1}, {"n": 5, "plan": "free"}]),
        st.sampled_from([0, 9.99, 12, 50, "12", None]),
        st.sampled_from(["user_id:u", "anonymous_id:a"]),
    ),
    max_size=14,
)


def made(recipe: list[tuple[Any, ...]]) -> list[Event]:
    return [
        Event(
            source="s", message_id=f"m{number}", type="track", name=name, timestamp=START + hour * HOUR,
            received_at=START, traits=traits, user_id="u" if who == "user_id:u" else None,
            anonymous_id=None if who == "user_id:u" else "a",
            properties={"id": key, "total": total, "sku": f"{total}", "purpose": "news"},
        )
        for number, (hour, name, key, traits, total, who) in enumerate(recipe)
    ]  # fmt: skip


def folded(events: list[Event], world: World = WORLD) -> ProfileState:
    """Takes the events in the order given, each at the clock."""
    state, clock = new_state("user_id:u"), START
    for event in events:
        clock = max(clock, event.timestamp)
        advance(state, EventInput(event, clock, "live" if clock == event.timestamp else "late"), world)
    return state


def facts(state: ProfileState) -> Any:
    return msgspec.to_builtins(state.facts)


@settings(max_examples=150)
@given(events_of_a_profile, st.randoms(use_true_random=False))
def test_facts_do_not_depend_on_the_order_of_arrival(recipe: list[tuple[Any, ...]], chance: random.Random) -> None:
    events = made(recipe)
    one = folded(events)
    chance.shuffle(events)
    other = folded(events)
    assert facts(one) == facts(other)
    now: Instant = START + 400 * DAY
    for state in (one, other):
        record_history(state, now, WORLD)
    assert set(one.memberships) == set(other.memberships)


@settings(max_examples=60)
@given(events_of_a_profile)
def test_folding_new_summaries_later_is_the_same_as_having_had_them(recipe: list[tuple[Any, ...]]) -> None:
    events = made(recipe)
    before = World.build(strategy(audiences={"plan": AUDIENCES["plan"]}))
    state = folded(events, before)
    keys = missing_accumulators(before, WORLD)
    assert keys == set(WORLD.profiles.accumulators)
    for identifier in list(state.facts):
        refold(state, identifier, [each for each in events if each.identifier == identifier], WORLD, keys)
    assert facts(state) == facts(folded(events))


@settings(max_examples=60)
@given(events_of_a_profile)
def test_adding_an_event_never_changes_the_summary_it_was_added_to(recipe: list[tuple[Any, ...]]) -> None:
    for accumulator, _ in WORLD.profiles.accumulators.values():
        state: Any = None
        for event in made(recipe):
            if event.name == accumulator.event:
                kept = msgspec.json.encode(state)
                after = accumulator.add(state, event)
                assert msgspec.json.encode(state) == kept
                state = after
