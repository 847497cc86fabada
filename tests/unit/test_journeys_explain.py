"""Explanations: gate by gate, and where the profile stands in the journeys that send the message."""

from __future__ import annotations

import json

from scenario.engine_loop import Loop, at, message, play, quiet, strategy

from innkeeper.journeys.explain import Explanation, explain_message
from innkeeper.kernel.time import DAY, HOUR

START = at("2026-01-01T00:00:00Z")
JOURNEY = """
enter: {event: Start, when: traits.vip}
reentry: {after: 30 days}
steps: [{wait: 1 day}, {send: one}, {wait: 1 day}]
"""


def explained(loop: Loop, name: str = "one") -> Explanation:
    found = explain_message(loop.state, loop.state.last_at, name, loop.world.journeys, "UTC")
    json.dumps(found.as_dict())
    return found


def loop_of(**more: object) -> Loop:
    return play(strategy(journeys={"j": JOURNEY}, messages=["one", message("other", purpose="news")], **more))  # type: ignore[arg-type]


def test_who_was_never_in_a_journey_and_has_no_address() -> None:
    loop = loop_of()
    loop.event(START, "Login")
    found = explained(loop)
    assert (found.allowed, found.gate, found.reason) == (False, "addressable", "no_address")
    [journey] = found.journeys
    assert journey.status == "not_entered"
    assert journey.words == (
        "it begins with the event 'Start', while traits.vip (which is false now); the profile has never been in it"
    )


def test_who_is_on_the_way_at_the_step_and_past_it() -> None:
    loop = loop_of(quiet_hours=quiet("22:00", "08:00"))
    loop.event(START, "Start", traits={"vip": True, "email": "a@b.example"})
    [journey] = explained(loop).journeys
    assert (journey.status, journey.due) == ("on_the_way", "2026-01-02T00:00:00Z")
    assert journey.words == "in it since 2026-01-01T00:00:00Z, at step 0: wait 1 day, until 2026-01-02T00:00:00Z"
    loop.until(START + DAY)
    found = explained(loop)
    [journey] = found.journeys
    assert (journey.status, journey.due, found.reason) == ("at_step", "2026-01-02T08:00:00Z", "quiet_hours")
    assert [each.gate for each in journey.gates if each.outcome == "defer"] == ["quiet_hours"]
    loop.until(START + DAY + 9 * HOUR)
    assert [each.status for each in explained(loop).journeys] == ["passed"]
    loop.until(START + 9 * DAY)
    [journey] = explained(loop).journeys
    assert journey.status == "not_entered"
    assert "was in it once" in journey.words
    assert "30 days after the last exit" in journey.words


def test_asking_changes_nothing_and_a_message_without_a_journey_says_so() -> None:
    loop = loop_of()
    loop.event(START, "Start", traits={"email": "a@b.example"})
    before = loop.state.reservations.copy()
    found = explained(loop, "other")
    assert (found.reason, found.journeys) == ("no_consent", ())
    assert found.words.endswith("and besides, no journey sends it")
    assert loop.state.reservations == before
    assert [each.outcome for each in found.gates] == ["allow", "allow", "deny", "allow", "allow", "allow", "allow"]
