"""Declared traits: what strategy.yaml may say, and what the rules make of words that contradict each other."""

from __future__ import annotations

import os
import random
from itertools import permutations
from typing import Any

import pytest
from oracle.audience_cases import Dice
from oracle.audience_world import folded_traits
from oracle.trait_oracle import traits_of

from innkeeper.audiences.merges import Merges, TraitRule
from innkeeper.events.types import Event
from innkeeper.kernel.time import DAY, FOREVER
from innkeeper.lifecycle import EventInput, TimerInput, World, advance, new_state
from innkeeper.profiles.state import Facts
from innkeeper.profiles.traits import refold_traits, set_trait
from innkeeper.strategy.load import examine, load

SEED = int(os.environ.get("INNKEEPER_SEED", "20261124"))


def told(at: int, source: str, user: str, **traits: Any) -> Event:
    """An identify event."""
    return Event(
        source=source, message_id=f"{source}-{at}", type="identify", name="Identified", user_id=user, timestamp=at,
        received_at=at, traits=traits,
    )  # fmt: skip


HISTORY = [
    told(10, "web", "a", plan="free", points=10, seen="2026-03-01T00:00:00Z"),
    told(20, "crm", "a", plan="pro", points=15, seen="2026-01-01T00:00:00Z"),
    told(30, "web", "b", plan="free", points=7.5, seen="2026-02-01T00:00:00Z"),
    told(40, "web", "a", plan=None),
]
TRUST = {"crm": 3}


@pytest.mark.parametrize(
    ("merge", "kind", "plan", "points", "seen"),
    [
        ("newest", "any", None, 7.5, "2026-02-01T00:00:00Z"),
        ("oldest", "any", "free", 10, "2026-03-01T00:00:00Z"),
        ("trusted", "any", "pro", 15, "2026-01-01T00:00:00Z"),
        ("add", "any", None, 22.5, None),
        ("max", "any", None, 15, None),
        ("min", "any", None, 7.5, None),
        ("max", "instant", None, None, "2026-02-01T00:00:00Z"),
        ("min", "instant", None, None, "2026-01-01T00:00:00Z"),
    ],
)
def test_every_rule_in_every_order_of_arrival(merge: Any, kind: Any, plan: Any, points: Any, seen: Any) -> None:
    rule = TraitRule(merge=merge, type=kind)
    merges = Merges(rules=dict.fromkeys(("plan", "points", "seen"), rule), trust=TRUST)
    wanted = {name: value for name, value in (("plan", plan), ("points", points), ("seen", seen)) if value is not None}
    for order in permutations(HISTORY):
        assert folded_traits(list(order), merges, _Still()) == wanted
    assert traits_of(HISTORY, merges) == wanted


class _Still(random.Random):
    """Leaves the order as it is."""

    def sample(self, population: Any, k: int, *, counts: Any = None) -> Any:
        return list(population)[:k]


def test_random_histories_fold_to_what_the_oracle_says() -> None:
    for seed in range(SEED, SEED + 150):
        dice = Dice(seed)
        merges, events = dice.merges(), dice.history(people=2, events=dice.random.randrange(60))
        repeated = [*events, *dice.random.choices(events, k=len(events) // 3)] if events else []
        at = dice.instant() + dice.random.choice((0, 5, 30)) * DAY
        assert folded_traits(repeated, merges, dice.random, at) == traits_of(events, merges, at), f"seed {seed}"
    print(f"seed {SEED} to {SEED + 149}: 150 histories")


def test_words_kept_anew_from_the_record_are_the_same() -> None:
    dice = Dice(SEED)
    merges = dice.merges()
    events = [event for event in dice.history(people=1, events=80) if event.identifier == "user_id:u0"]
    kept, anew = Facts(0), Facts(0)
    for facts, order in ((kept, events), (anew, events[::-1])):
        for event in order:
            refold_one(facts, event, merges)
    again = Facts(0)
    refold_traits(again, dice.random.sample(events, len(events)), kept.traits, merges)
    assert kept == anew
    assert (again.traits, again.others, again.firsts) == (kept.traits, kept.others, kept.firsts)
    print(f"seed {SEED}: {len(events)} events, {len(kept.traits)} traits")


def refold_one(facts: Facts, event: Event, merges: Merges) -> None:
    """One event's words."""
    scratch = Facts(0)
    refold_traits(scratch, [event], event.traits, merges)
    for name, word in scratch.traits.items():
        set_trait(facts, name, word.value, word.at, word.source, word.message_id, merges)


def test_what_strategy_yaml_says_of_a_trait() -> None:
    text = """
traits:
  plan: { type: text, purpose: service, retention: 400 days, sensitivity: personal, description: The plan }
  points: { type: number, merge: add }
  first_visit: { type: instant, merge: oldest }
  address: object
  note:
sources: { crm: { trust: 3 } }
"""
    files = {"strategy.yaml": text, "policies.yaml": "purposes: { service: { kind: service, basis: contract } }"}
    workspace = load(files).workspace
    assert workspace.traits == {"plan", "points", "first_visit", "address", "note"}
    plan = workspace.declared["plan"]
    assert (plan.rule.type, plan.purpose, plan.retention, plan.sensitivity) == (
        "text",
        "service",
        400 * DAY,
        "personal",
    )
    assert workspace.merges == Merges(
        rules={
            "points": TraitRule(merge="add", type="number"),
            "first_visit": TraitRule(merge="oldest", type="instant"),
        },
        trust={"crm": 3},
        kept={"plan": 400 * DAY},
    )
    assert load({"strategy.yaml": "traits: [plan, points]"}).workspace.traits == {"plan", "points"}


@pytest.mark.parametrize(
    ("line", "code", "fix"),
    [
        ("{ type: txt }", "not-a-choice", "did you mean 'text'"),
        ("{ merge: newset }", "not-a-choice", "did you mean 'newest'"),
        ("{ type: text, merge: add }", "merge-type", "type: number"),
        ("{ type: list, merge: max }", "merge-type", "number or instant"),
        ("{ sensitivity: secret }", "not-a-choice", "normal"),
        ("{ retention: soon }", "bad-duration", ""),
        ("{ retention: 0 days }", "bad-duration", "400 days"),
        ("{ retention: 400 days, merge: oldest }", "retention-of-oldest", "merge: newest"),
        ("{ purpse: service }", "unknown-key", "did you mean 'purpose'"),
        ("{ purpose: servcie }", "unknown-purpose", "did you mean 'service'"),
        ("[1]", "not-a-mapping", ""),
    ],
)
def test_what_is_wrong_says_where_and_how(line: str, code: str, fix: str) -> None:
    policies = "purposes: { service: { kind: service, basis: contract } }"
    files = {"strategy.yaml": f"name: x\ntraits:\n  plan: {line}\n", "policies.yaml": policies}
    (error,) = examine(files).errors
    assert (error.code, error.file, error.line) == (code, "strategy.yaml", 3)
    assert fix in error.fix


@pytest.mark.parametrize("name", ["email", "phone", "household", "card"])
def test_what_says_who_somebody_is_has_no_end(name: str) -> None:
    identity = "identity: { namespaces: { card: { owner: person, from: traits.card } } }\n"
    text = f"{identity}traits:\n  {name}: {{ retention: 400 days }}\n"
    (error,) = examine({"strategy.yaml": text}).errors
    assert (error.code, error.file, error.line) == ("retention-identifies", "strategy.yaml", 3)


def test_words_end_at_their_instant_for_who_takes_no_more_inputs_too() -> None:
    world = World.build(load({"strategy.yaml": "traits: { plan: { retention: 1 days } }"}))
    state = new_state("user_id:a")
    for at in (5, 9):
        advance(state, EventInput(told(at, f"s{at}", "a", plan="pro"), at), world)
    assert (state.next_due_at, len(state.facts["user_id:a"].others["plan"])) == (5 + DAY, 1)
    state.parked = "a loop"
    advance(state, TimerInput(5 + DAY), world)
    assert (state.next_due_at, state.facts["user_id:a"].others) == (9 + DAY, {})
    advance(state, TimerInput(9 + DAY), world)
    assert (state.next_due_at, state.facts["user_id:a"].traits) == (FOREVER, {})
    advance(state, EventInput(told(10, "late", "a", plan="pro"), 10 + DAY, "late"), world)
    assert state.facts["user_id:a"].traits == {}


def test_a_reserved_name_cannot_be_declared_or_set() -> None:
    (error,) = examine({"strategy.yaml": "traits:\n  plan:\n  is_admin: text\n"}).errors
    assert (error.code, error.line) == ("reserved-name", 3)
    (error,) = examine({"strategy.yaml": "traits: [plan, innkeeper.rank]\n"}).errors
    assert error.code == "reserved-name"
    journey = "enter: { event: Login }\nsteps:\n  - update: { roles: admin }\n"
    (error,) = examine({"strategy.yaml": "events: [Login]", "journeys/j.yaml": journey}).errors
    assert (error.code, error.file, error.line) == ("reserved-name", "journeys/j.yaml", 3)
