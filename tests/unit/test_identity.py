"""Profiles that merge and come apart."""

from __future__ import annotations

import msgspec
from scenario.engine_loop import Loop, at, play, strategy

from innkeeper.events.outputs import AudienceEntered, AudienceLeft, JourneyEntered, JourneyExited, Output
from innkeeper.kernel.time import DAY, HOUR
from innkeeper.lifecycle import EventInput, World, advance, decode, encode, new_state, settle
from innkeeper.profiles.state import ProfileState
from innkeeper.profiles.transfer import join, split

START = at("2026-01-01T00:00:00Z")


def absorb(state: ProfileState, other: ProfileState, at: int, world: World) -> list[Output]:
    gone = join(state, other)
    return settle(state, at, world, gone=gone)


def came_apart(state: ProfileState, identifier: str, at: int, world: World) -> tuple[ProfileState, list[Output]]:
    members = set(state.memberships)

    def goes(name: str, _: int) -> bool:
        return name == identifier

    apart = split(state, identifier, goes, goes, lambda role: role.identifier == identifier, at)
    return apart, [each for side in (state, apart) for each in settle(side, at, world, members=members)]


def pair(world: World) -> tuple[Loop, Loop]:
    return Loop(world, "user_id:u"), Loop(world, "anonymous_id:a")


AUDIENCES = {"three": "count('Login') >= 3", "any": "did('Login')", "quiet": "not did('Login', within => '30 days')"}


def test_facts_add_up_and_only_what_neither_was_is_announced() -> None:
    world = World.build(strategy(audiences=AUDIENCES))
    mine, theirs = pair(world)
    mine.event(START, "Login")
    for hour in (1, 2):
        theirs.event(START + hour * HOUR, "Login")
    outputs = absorb(mine.state, theirs.state, START + DAY, world)
    assert [(type(each), each.identifier) for each in outputs] == [(AudienceEntered, "user_id:u")]
    assert set(mine.state.memberships) == {"any", "three"}
    assert mine.state.inputs == 2
    assert mine.state.next_due_at == START + 30 * DAY + 2 * HOUR


def test_absorb_then_release_leaves_facts_as_if_never_linked() -> None:
    world = World.build(strategy(audiences=AUDIENCES))
    mine, theirs = pair(world)
    for hour in range(4):
        (mine if hour % 2 else theirs).event(START + hour * HOUR, "Login", traits={"n": hour})
    before = [msgspec.to_builtins(each.state.facts) for each in (mine, theirs)]
    inputs = theirs.state.inputs
    absorb(mine.state, theirs.state, START + DAY, world)
    state = decode(encode(mine.state))
    apart, outputs = came_apart(state, "anonymous_id:a", START + 2 * DAY, world)
    assert [msgspec.to_builtins(each.facts) for each in (state, apart)] == before
    assert [type(each) for each in outputs] == [AudienceLeft]
    assert apart.inputs == inputs + 1
    assert set(apart.memberships) == {"any"}


KEYED = "key: id\nenter: {event: Start}\nexit: [did('Stop')]\nsteps: [{wait: 100 days}]"


def test_of_two_enrollments_of_one_journey_and_key_the_older_stays() -> None:
    world = World.build(strategy(journeys={"j": KEYED}))
    mine, theirs = pair(world)
    theirs.event(START, "Start", id="1")
    mine.event(START + HOUR, "Start", id="1")
    theirs.event(START + 2 * HOUR, "Start", id="2")
    outputs = absorb(mine.state, theirs.state, START + DAY, world)
    [exited] = outputs
    assert isinstance(exited, JourneyExited)
    assert (exited.identifier, exited.outcome, exited.key) == ("user_id:u", "left", "1")
    assert [(each.key, each.identifier) for each in mine.state.enrollments] == [
        ("1", "anonymous_id:a"), ("2", "anonymous_id:a"),
    ]  # fmt: skip


def test_what_was_made_under_an_identifier_goes_with_it() -> None:
    world = World.build(strategy(journeys={"j": KEYED}, audiences={"any": "did('Start')"}, stages=[("new", "true")]))
    mine, theirs = pair(world)
    theirs.event(START, "Start", id="1")
    absorb(mine.state, theirs.state, START + HOUR, world)
    state = mine.state
    mine.event(START + 2 * HOUR, "Start", id="2")
    apart, outputs = came_apart(mine.state, "anonymous_id:a", START + 3 * HOUR, world)
    state = mine.state
    assert [each.key for each in state.enrollments] == ["2"]
    assert [each.key for each in apart.enrollments] == ["1"]
    assert outputs == []
    assert list(state.visits) == ["j\n2"]
    assert list(apart.visits) == ["j\n1"]


def test_an_event_of_one_person_does_not_end_what_the_other_began_once_they_are_apart() -> None:
    world = World.build(
        strategy(journeys={"j": "enter: {event: Start}\nexit: [count('Stop') >= 2]\nsteps: [{wait: 9 days}]"})
    )
    mine, theirs = pair(world)
    theirs.event(START, "Start")
    absorb(mine.state, theirs.state, START + HOUR, world)
    mine.event(START + 2 * HOUR, "Stop")
    apart, _ = came_apart(mine.state, "anonymous_id:a", START + 3 * HOUR, world)
    stop = theirs.make(START + 4 * HOUR, "Stop")
    assert advance(apart, EventInput(stop, stop.timestamp), world) == []
    again = theirs.make(START + 5 * HOUR, "Stop")
    [exited] = advance(apart, EventInput(again, again.timestamp), world)
    assert isinstance(exited, JourneyExited)


def test_a_new_user_takes_over_the_stage_quietly() -> None:
    loop = play(strategy(stages=[("new", "true")]), "anonymous_id:a")
    loop.event(START, "Login")
    state = new_state("user_id:u")
    assert absorb(state, loop.state, START + DAY, loop.world) == []
    assert state.stage == "new"


def test_never_again_counts_over_all_identifiers() -> None:
    once = "enter: {event: Start}\nreentry: never\nsteps: []"
    world = World.build(strategy(journeys={"j": once}))
    mine, theirs = pair(world)
    theirs.event(START, "Start")
    absorb(mine.state, theirs.state, START + HOUR, world)
    mine.event(START + DAY, "Start")
    assert mine.of(JourneyEntered) == []
