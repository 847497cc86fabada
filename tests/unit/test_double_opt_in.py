"""Double opt-in: what the gate and the claim say after any history of words, in any order of arrival."""

from __future__ import annotations

import os
import random
from typing import Any

import pytest
from scenario.engine_loop import at, play, strategy

from innkeeper.decisions.policy import Purpose
from innkeeper.events.outputs import ConsentRecorded, OptInRecorded
from innkeeper.events.types import Event
from innkeeper.kernel.time import BEGINNING
from innkeeper.profiles.consent import CONSENT_EVENTS, Standing, standing, take_word
from innkeeper.profiles.state import Facts, new_state
from innkeeper.store.permissions import Permissions
from innkeeper.store.projections import Projections
from innkeeper.store.state import State
from innkeeper.strategy.load import examine, load

SEED = int(os.environ.get("INNKEEPER_SEED", "20261124"))
START = at("2026-01-01T00:00:00Z")
DOUBLE = Purpose(name="news", double_opt_in=True)


def random_words(dice: random.Random) -> list[Event]:
    """Some words of one person under one or two identifiers."""
    made = []
    for number in range(dice.randrange(1, 9)):
        anonymous = dice.random() < 0.2
        scope = {
            "purpose": dice.choice(("news", "news", "other", None)),
            "channel": dice.choice(("email", None)),
            "topic": dice.choice(("spa", None, None)),
        }
        made.append(
            Event(
                source="web", message_id=f"m{number}", type="track", name=dice.choice(sorted(CONSENT_EVENTS)),
                user_id=None if anonymous else "u", anonymous_id="a" if anonymous else None,
                timestamp=START + dice.randrange(6), received_at=0,
                properties={**scope, "proof": f"p{dice.randrange(3)}"},
            )
        )  # fmt: skip
    return made


def expected(events: list[Event], topic: str | None) -> str:
    """What docs/profiles.md says: the gate's reason for a mail of the purpose `news` that needs a double opt-in."""
    mine = [
        event
        for event in events
        if event.properties["purpose"] in ("news", None) and event.properties["topic"] in (topic, None)
    ]
    said = [event for event in mine if event.name != "Double Opt-In Requested"]
    for identifier in {event.identifier for event in said}:
        words = [event for event in said if event.identifier == identifier]
        last = max(event.timestamp for event in words)
        if any(e.timestamp == last and e.name in ("Consent Withdrawn", "Unsubscribed") for e in words):
            return "consent_withdrawn"
    gone = max((e.timestamp for e in mine if e.name in ("Consent Withdrawn", "Unsubscribed")), default=BEGINNING)
    if any(event.name == "Double Opt-In Confirmed" and event.timestamp > gone for event in mine):
        return ""
    asked = any(event.name == "Double Opt-In Requested" and event.timestamp > gone for event in mine)
    return "not_confirmed" if asked or any(event.name == "Consent Given" for event in said) else "no_consent"


def by_gate(said: Standing) -> str:
    """The gate's rule, from what stands."""
    if said.given is False:
        return "consent_withdrawn"
    if said.confirmed:
        return ""
    return "not_confirmed" if said.given or said.requested else "no_consent"


def test_the_facts_say_the_same_in_any_order_and_with_repetitions() -> None:
    for seed in range(SEED, SEED + 300):
        dice = random.Random(seed)
        events = random_words(dice)
        states = []
        for order in (events, dice.sample(events, len(events)), [*events[::-1], *events]):
            state = new_state("user_id:u")
            for event in order:
                take_word(state.facts.setdefault(event.identifier, Facts(0)), event)
            states.append(state)
        for topic in (None, "spa", "golf"):
            found = {by_gate(standing(state, "news", "email", topic)) for state in states}
            assert found == {expected(events, topic)}, f"seed {seed}, topic {topic}"
        assert {name: facts.consents for name, facts in states[0].facts.items()} == {
            name: facts.consents for name, facts in states[1].facts.items()
        }, f"seed {seed}"
    print(f"seed {SEED} to {SEED + 299}: 300 histories")


def test_the_claim_refuses_what_the_gate_would_refuse() -> None:
    for seed in range(SEED, SEED + 150):
        dice = random.Random(seed)
        events = [event for event in random_words(dice) if event.user_id is not None]
        loop, projections = play(strategy()), Projections()
        for event in events:
            loop.event(event.timestamp, event.name, taken=START + 10, **event.properties)
        for said in loop.said:
            if isinstance(said.output, ConsentRecorded | OptInRecorded):
                projections.add(START, loop.state.subject, said.output, virtual=False)
        with State.in_memory() as store:
            projections.write(store.connection)
            permissions = Permissions(store.connection, [loop.state.subject])
        for topic in (None, "spa"):
            scope = (loop.state.subject, "news", "email", topic)
            word, wanted = permissions.consent(*scope), expected(events, topic)
            assert (word is False) is (wanted == "consent_withdrawn"), f"seed {seed}"
            if word is not False:
                assert permissions.confirmed(*scope) is (wanted == ""), f"seed {seed}, topic {topic}"
    print(f"seed {SEED} to {SEED + 149}: 150 histories")


def test_a_purpose_asks_for_it() -> None:
    files = {"policies.yaml": "purposes: { news: { double_opt_in: true } }", "strategy.yaml": "name: x"}
    assert load(files).policies.purposes["news"] == DOUBLE


@pytest.mark.parametrize(
    ("purpose", "code"),
    [
        ("{ double_opt_in: maybe }", "not-a-boolean"),
        ("{ basis: contract, double_opt_in: true }", "nothing-to-confirm"),
        ("{ dubble_opt_in: true }", "unknown-key"),
    ],
)
def test_what_is_wrong_says_so(purpose: str, code: str) -> None:
    files: dict[str, Any] = {"policies.yaml": f"purposes:\n  news: {purpose}\n", "strategy.yaml": "name: x"}
    (error,) = examine(files).errors
    assert (error.code, error.line) == (code, 2)
