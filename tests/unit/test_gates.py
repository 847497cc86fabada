"""Each gate alone: what it refuses, why, and the facts that it shows."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scenario.engine_loop import MARKETING, NEWS, SERVICE, TRANSACTIONAL, at, message, quiet

from innkeeper.decisions.arbitrate import arbitrate, judge
from innkeeper.decisions.candidate import Candidate, Sight
from innkeeper.decisions.gates import GATES, REASONS
from innkeeper.decisions.gates.cap import period_start
from innkeeper.decisions.gates.quiet_hours import quiet_until
from innkeeper.decisions.policy import Cap, Policies, Purpose
from innkeeper.events.outputs import DecisionMade, DeliveryPlanned, Output
from innkeeper.kernel.time import DAY, HOUR, MICROSECOND, Instant
from innkeeper.kernel.zones import to_local
from innkeeper.profiles.state import (
    ConsentWord,
    Facts,
    ProfileState,
    Reservation,
    SuppressionWord,
    Trait,
    new_state,
)

NOON = at("2026-03-10T12:00:00Z")
WORDS = list[tuple[str | None, str | None, str | None, bool, int]]


def profile(
    email: Any = "ada@example.com", words: WORDS | None = None, more: dict[str, WORDS] | None = None
) -> ProfileState:
    state = new_state("user_id:u")
    for identifier, said in {"user_id:u": words or [], **(more or {})}.items():
        state.facts[identifier] = Facts(0, consents=[ConsentWord(*word) for word in said])
    state.facts["user_id:u"].traits["email"] = Trait(email, 1, "test", "m")
    return state


def candidate(
    name: str = "one",
    purpose: Purpose = MARKETING,
    priority: int = 0,
    began_at: Instant = 0,
    offered_at: Instant = NOON,
    topic: str | None = None,
    channel: str = "email",
    enrollment: str = "e",
) -> Candidate:
    return Candidate(
        message=message(name, purpose=purpose.name, topic=topic, channel=channel),
        purpose=purpose,
        journey="j",
        version="v",
        enrollment=enrollment,
        identifier="user_id:u",
        key=None,
        step="0",
        priority=priority,
        offered_at=offered_at,
        began_at=began_at,
        owned_at=began_at,
        shelf_life=DAY,
        context={},
    )


def reason(state: ProfileState, each: Candidate, policies: Policies | None = None, now: Instant = NOON) -> str:
    sight = Sight(state=state, now=now, policies=policies or Policies(), workspace_zone="UTC")
    return judge(each, sight).answer.reason


def test_every_gate_says_what_its_reasons_mean_and_shows_examples() -> None:
    assert [gate.name for gate in GATES] == [
        "addressable",
        "suppressed",
        "consent",
        "shelf_life",
        "quiet_hours",
        "cap",
        "priority",
    ]
    for gate in GATES:
        assert gate.reasons
        assert gate.examples
        assert type(gate).__doc__
    assert set(REASONS) == {
        "no_address",
        "suppressed",
        "no_consent",
        "not_confirmed",
        "consent_withdrawn",
        "expired",
        "quiet_hours",
        "cap",
        "priority",
    }


@pytest.mark.parametrize(
    ("email", "expected"),
    [
        ("ada@example.com", ""),
        (" ada@example.com ", ""),
        ("a.b+c@mail.example.co.uk", ""),
        ("ada@example", "no_address"),
        ("ada at example.com", "no_address"),
        ("ada@@example.com", "no_address"),
        ("", "no_address"),
        (None, "no_address"),
        (12, "no_address"),
        ("a\n@example.com", "no_address"),
        ("ada@example.com\n.", "no_address"),
        ("x" * 65 + "@example.com", "no_address"),
        ("a,b@example.com", "no_address"),
        ("ada@.example.com", "no_address"),
        ("jorg@bücher.example", ""),
        ("jörg@bücher.example", "no_address"),  # the provider could not write to it either
    ],
)
def test_an_address_is_needed(email: object, expected: str) -> None:
    assert reason(profile(email), candidate()) == expected


def test_a_phone_channel_reads_the_phone() -> None:
    state = profile()
    assert reason(state, candidate(channel="sms")) == "no_address"
    state.facts["user_id:u"].traits["phone"] = Trait("+351 912 345 678", 1, "test", "m")
    assert reason(state, candidate(channel="sms")) == ""


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([(None, True, 1)], "suppressed"),
        ([("email", True, 1)], "suppressed"),
        ([("sms", True, 1)], ""),
        ([(None, True, 1), ("email", False, 2)], ""),
        ([(None, False, 2), ("email", True, 1)], ""),
        ([(None, False, 1), ("email", True, 1)], "suppressed"),
    ],
)
def test_suppression_holds_for_every_purpose(words: list[tuple[str | None, bool, int]], expected: str) -> None:
    state = profile()
    state.facts["user_id:u"].suppressions = [SuppressionWord(channel, on, when, "") for channel, on, when in words]
    for purpose in (MARKETING, SERVICE, TRANSACTIONAL):
        assert reason(state, candidate(purpose=purpose)) == expected


@pytest.mark.parametrize(
    ("purpose", "words", "expected"),
    [
        (NEWS, [], "no_consent"),
        (MARKETING, [], ""),
        (NEWS, [("news", "email", None, True, 1)], ""),
        (NEWS, [("news", None, None, True, 1)], ""),
        (NEWS, [(None, None, None, True, 1)], ""),
        (NEWS, [("news", "sms", None, True, 1)], "no_consent"),
        (NEWS, [("news", None, "wine", True, 1)], "no_consent"),
        (NEWS, [("news", None, None, True, 1), (None, None, None, False, 2)], "consent_withdrawn"),
        (NEWS, [("news", None, None, True, 2), (None, None, None, False, 1)], ""),
        (NEWS, [("news", None, None, True, 1), (None, "email", None, False, 1)], "consent_withdrawn"),
        (SERVICE, [(None, None, None, False, 1)], "consent_withdrawn"),
        (TRANSACTIONAL, [(None, None, None, False, 1)], ""),
    ],
)
def test_the_latest_word_that_applies_counts(purpose: Purpose, words: WORDS, expected: str) -> None:
    assert reason(profile(words=words), candidate(purpose=purpose)) == expected


def test_a_topic_is_refused_alone() -> None:
    state = profile(words=[("news", None, None, True, 1), ("news", None, "wine", False, 2)])
    assert reason(state, candidate(purpose=NEWS, topic="wine")) == "consent_withdrawn"
    assert reason(state, candidate(purpose=NEWS, topic="food")) == ""


def test_across_identifiers_the_stricter_word_counts() -> None:
    older_no: dict[str, WORDS] = {"anonymous_id:a": [("news", None, None, False, 1)]}
    assert reason(profile(words=[("news", None, None, True, 2)], more=older_no), candidate(purpose=NEWS)) != ""
    other_yes: dict[str, WORDS] = {"anonymous_id:a": [("news", None, None, True, 1)]}
    assert reason(profile(more=other_yes), candidate(purpose=NEWS)) == ""


def reserved(
    *ats: Instant, kind: str = "marketing", purpose: str = "marketing", channel: str = "email"
) -> list[Reservation]:
    return [Reservation(f"d{n}", "user_id:u", each, purpose, channel, "m", kind) for n, each in enumerate(ats)]


@pytest.mark.parametrize(
    ("cap", "earlier", "expected"),
    [
        (Cap(at_most=1, per=DAY), [NOON - DAY], ""),
        (Cap(at_most=1, per=DAY), [NOON - DAY + MICROSECOND], "cap"),
        (Cap(at_most=2, per=DAY), [NOON - HOUR], ""),
        (Cap(at_most=1, per=DAY, calendar="day"), [NOON - 12 * HOUR], "cap"),
        (Cap(at_most=1, per=DAY, calendar="day"), [NOON - 12 * HOUR - 1], ""),
        (Cap(at_most=1, per=7 * DAY, calendar="week"), [at("2026-03-09T00:00:00Z")], "cap"),
        (Cap(at_most=1, per=7 * DAY, calendar="week"), [at("2026-03-08T23:59:59Z")], ""),
        (Cap(at_most=1, per=30 * DAY, calendar="month"), [at("2026-03-01T00:00:00Z")], "cap"),
        (Cap(at_most=1, per=30 * DAY, calendar="month"), [at("2026-02-28T23:59:59Z")], ""),
        (Cap(at_most=1, per=DAY, purpose="news"), [NOON - HOUR], ""),
        (Cap(at_most=1, per=DAY, channel="sms"), [NOON - HOUR], ""),
        (Cap(at_most=0, per=DAY), [], "cap"),
    ],
)
def test_a_cap_counts_reservations(cap: Cap, earlier: list[Instant], expected: str) -> None:
    state = profile()
    state.reservations = reserved(*earlier)
    assert reason(state, candidate(), Policies(caps=(cap,))) == expected
    assert reason(state, candidate(purpose=SERVICE), Policies(caps=(cap,))) == ""


def test_service_messages_do_not_fill_a_marketing_cap() -> None:
    state = profile()
    state.reservations = reserved(NOON - HOUR, kind="service", purpose="service")
    assert reason(state, candidate(), Policies(caps=(Cap(at_most=1, per=DAY),))) == ""


@given(st.integers(0, 365 * 24 * 60), st.sampled_from(["Europe/Amsterdam", "America/New_York", "Pacific/Apia", "UTC"]))
def test_outside_the_quiet_window_nothing_waits_and_inside_it_waits_for_its_end(minutes: int, zone: str) -> None:
    now = at("2026-01-01T00:00:00Z") + minutes * 60_000_000
    until = quiet_until(now, quiet("22:00", "06:00"), zone)
    local = to_local(now, zone)
    if until is None:
        assert 6 <= local.hour < 22
    else:
        assert not 6 <= local.hour < 22
        assert now < until <= now + 9 * HOUR
        assert to_local(until, zone).strftime("%H:%M") == "06:00"
        assert quiet_until(until, quiet("22:00", "06:00"), zone) is None


def test_a_window_within_one_day_and_an_empty_one() -> None:
    assert quiet_until(NOON, quiet("11:00", "13:30"), "UTC") == NOON + 90 * 60_000_000
    assert quiet_until(NOON, quiet("13:00", "14:00"), "UTC") is None
    nothing = Policies(quiet_hours=quiet("10:00", "10:00"))
    assert reason(profile(), candidate(), nothing) == ""


def test_quiet_hours_hold_service_and_let_transactional_pass() -> None:
    policies = Policies(quiet_hours=quiet("11:00", "13:00"))
    assert reason(profile(), candidate(purpose=SERVICE), policies) == "quiet_hours"
    assert reason(profile(), candidate(purpose=TRANSACTIONAL), policies) == ""


def test_the_first_gate_gives_the_reason_and_the_bitmask_names_all() -> None:
    state = profile(email=None)
    state.facts["user_id:u"].suppressions = [SuppressionWord(None, True, 1, "")]
    sight = Sight(state=state, now=NOON, policies=Policies(quiet_hours=quiet("11:00", "13:00")), workspace_zone="UTC")
    verdict = judge(candidate(purpose=NEWS, offered_at=NOON - 2 * DAY), sight)
    assert (verdict.gate, verdict.answer.reason, verdict.refusing) == ("addressable", "no_address", 0b0011111)


def test_candidates_go_by_priority_then_the_older_enrollment_then_the_name() -> None:
    outputs: list[Output] = []
    candidates = [
        candidate("d", priority=1, began_at=5, enrollment="e1"),
        candidate("c", priority=9, began_at=7, enrollment="e2"),
        candidate("b", priority=9, began_at=3, enrollment="e3"),
        candidate("a", priority=9, began_at=7, enrollment="e4"),
        candidate("s", purpose=SERVICE, enrollment="e5"),
    ]
    state = profile()
    arbitrate(candidates, Sight(state=state, now=NOON, policies=Policies(), workspace_zone="UTC"), outputs)
    decided = [(each.message, each.outcome, each.reason) for each in outputs if isinstance(each, DecisionMade)]
    assert decided == [
        ("b", "allow", ""),
        ("a", "deny", "priority"),
        ("c", "deny", "priority"),
        ("d", "deny", "priority"),
        ("s", "allow", ""),
    ]
    assert [each.message for each in outputs if isinstance(each, DeliveryPlanned)] == ["b", "s"]
    assert [each.message for each in state.reservations] == ["b", "s"]


def test_the_same_candidate_has_the_same_delivery_id() -> None:
    assert candidate().delivery_id == candidate(priority=3).delivery_id
    assert candidate(enrollment="f").delivery_id != candidate().delivery_id


@given(st.lists(st.integers(0, 20 * 24), max_size=25), st.integers(0, 4), st.sampled_from([None, "day", "week"]))
def test_a_stricter_cap_never_sends_more(hours: list[int], at_most: int, calendar: Any) -> None:
    def sends(limit: int) -> int:
        state, outputs = profile(), list[Output]()
        policies = Policies(caps=(Cap(at_most=limit, per=7 * DAY if calendar == "week" else DAY, calendar=calendar),))
        for number, hour in enumerate(sorted(hours)):
            sight = Sight(state=state, now=NOON + hour * HOUR, policies=policies, workspace_zone="UTC")
            arbitrate([candidate(enrollment=str(number), offered_at=sight.now)], sight, outputs)
        return sum(isinstance(each, DeliveryPlanned) for each in outputs)

    assert sends(at_most) <= sends(at_most + 1)


def test_a_calendar_period_begins_at_the_local_midnight() -> None:
    now = at("2026-03-31T12:00:00Z")
    assert period_start(now, "day", "Pacific/Kiritimati") == at("2026-03-31T10:00:00Z")
    assert period_start(now, "week", "UTC") == at("2026-03-30T00:00:00Z")
    assert period_start(now, "month", "Europe/Amsterdam") == at("2026-02-28T23:00:00Z")
