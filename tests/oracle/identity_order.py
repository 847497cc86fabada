"""One random history taken by the engine in several orders; the profiles must be those of the oracle, each time."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import msgspec
from scenario.engine_loop import strategy

from innkeeper.events.types import Event
from innkeeper.identity.namespaces import IdentityRules
from innkeeper.kernel.time import DAY
from innkeeper.lifecycle import World, decode, remade
from innkeeper.profiles.consent import standing
from innkeeper.runtime.engine import Engine, Item
from innkeeper.runtime.recall import Fresh, spoken
from innkeeper.runtime.telling import Plan
from innkeeper.store.state import Cursor, State
from innkeeper.strategy.load import load
from oracle.identity_cases import WORLDS, People, rules
from oracle.identity_oracle import Who

AUDIENCES = {
    "buyers": "count('Buy') >= 2", "pro": "traits.plan = 'pro'", "spent": "sum('Buy', total) > 3",
    "known": "id.anonymous_id is present",
}  # fmt: skip
#: What is bought is a thing of whoever bought it last.
OBJECTS = """
name: test
events: { Buy: [total] }
objects: { lot: { id: total, roles: { owner: user }, events: [Buy] } }
"""


class ListMemory:
    """The log as a list: what was taken is what is in it."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.events: list[Event] = []

    def under(self, identifiers: Iterable[str], fresh: Fresh) -> list[Event]:
        """See `Memory`."""
        said = [spoken(row) for row in (*fresh[1], *self.state.outbox(10**6))]
        wanted = set(identifiers)
        own = [each for each in said if each.is_input or each.name == "Traits Updated"]
        found = [each for each in (*self.events, *own) if each.identifier in wanted]
        return sorted(found, key=lambda event: (event.timestamp, event.source, event.message_id))

    def naming(self, identifier: str, fresh: Fresh) -> list[Event]:
        """See `Memory`."""
        return self.events


def world(identity: IdentityRules) -> World:
    """A few audiences and things, no journeys, under these rules."""
    declared, objects = strategy(audiences=AUDIENCES), load({"strategy.yaml": OBJECTS}).workspace.objects
    return World.build(replace(declared, workspace=replace(declared.workspace, identity=identity, objects=objects)))


def taken(events: Sequence[Event], known: World, tick: int) -> State:
    """The state after taking events in this order, in ticks of a size."""
    state = State.in_memory()
    memory = ListMemory(state)
    engine = Engine(state, known, delivery="virtual", memory=memory)
    clock = 0
    for start in range(0, len(events), tick):
        items = []
        for event in events[start : start + tick]:
            late = event.timestamp < clock
            clock = max(clock, event.timestamp)
            items.append(Item(event, clock, "late" if late else "live"))
        Remembering(engine, memory).tick(items, clock)
    return state


class Remembering:
    """Takes a tick, and lets the memory have each event when it has been taken."""

    def __init__(self, engine: Engine, memory: ListMemory) -> None:
        self.engine, self.memory = engine, memory

    def tick(self, items: list[Item], clock: int) -> None:
        """One tick."""
        take = self.engine._take

        def taking(item: Item, plan: Plan) -> None:
            take(item, plan)
            self.memory.events.append(item.event)

        self.engine._take = taking  # type: ignore[method-assign]
        try:
            self.engine.tick(items, clock, Cursor(clock=clock, timestamp=clock))
        finally:
            self.engine._take = take  # type: ignore[method-assign]


def look(state: State, known: World) -> dict[str, Any]:
    """Every profile: its facts by identifier, what it is known as, its audiences and consents."""
    found = {}
    for page in state.pages():
        for subject, body in page:
            profile = decode(body)
            assert profile.subject == subject
            facts = {name: plain(each) for name, each in profile.facts.items()}
            if facts:
                found[subject] = {
                    "facts": facts, "identifiers": sorted({subject, *profile.identifiers}),
                    "audiences": sorted(profile.memberships),
                    "offers": standing(profile, "offers", "email", None).given,
                }  # fmt: skip
    return found


def held(state: State) -> dict[str, dict[str, list[str]]]:
    """Who has what, under which identifiers."""
    found: dict[str, dict[str, list[str]]] = {}
    for page in state.pages():
        for subject, body in page:
            for name, copy in decode(body).objects.get("lot", {}).items():
                found.setdefault(subject, {})[name] = sorted(copy.holders)
    return found


def expected_things(events: Sequence[Event], who: Who) -> dict[str, dict[str, list[str]]]:
    """Who has what, by the oracle: the newest word on each thing, and whose its identifier was at that instant."""
    newest: dict[str, Event] = {}
    for event in sorted(events, key=lambda each: (each.timestamp, each.source, each.message_id)):
        if event.name == "Buy":
            newest[str(event.properties["total"])] = event
    found: dict[str, dict[str, list[str]]] = {}
    for name, event in newest.items():
        found.setdefault(who.subject(event), {})[name] = [event.identifier]
    return found


def plain(facts: Any) -> Any:
    """Facts without what only helps to keep them."""
    made = msgspec.to_builtins(facts)
    return made[:5]


def expected(events: Sequence[Event], known: World, who: Who) -> dict[str, Any]:
    """The facts of every profile, from the oracle's word on who is who."""
    by_owner: dict[tuple[str, str], list[Event]] = {}
    for event in events:
        by_owner.setdefault((who.subject(event), event.identifier), []).append(event)
    found: dict[str, Any] = {}
    for (subject, identifier), own in by_owner.items():
        found.setdefault(subject, {})[identifier] = plain(remade(own, known))
    return found


def identifiers(who: Who, subject: str) -> list[str]:
    """Everything that a profile is known as, by the oracle."""
    own = {claim[3] for claim in who.claims if who.name(claim[4]) == subject}
    return sorted(
        own | ({subject} if subject.startswith(("anonymous_id", "device")) else who.group(subject)) | {subject}
    )


def late_order(dice: random.Random, events: Sequence[Event]) -> list[Event]:
    """The order of arrival when each event may be up to 30 days late."""
    return sorted(
        events, key=lambda event: (event.timestamp + dice.choice((0, 0, dice.randrange(30 * DAY))), event.seq)
    )


def compare_orders(seed: int, orders: int = 3) -> int:
    """Take one random history in several orders; how many profiles there were."""
    dice = random.Random(seed)
    product, plain_rules = rules(dice.choice(WORLDS))
    known = world(product)
    events = People(dice, people=dice.choice((2, 3, 5))).history(dice.randrange(2, 40))
    who = Who(events, plain_rules)
    facts, things = expected(events, known, who), expected_things(events, who)
    answers = []
    for number in range(orders):
        order = list(events) if number == 0 else late_order(dice, events)
        if number == 1:
            dice.shuffle(order)
        with taken(order, known, dice.choice((1, 3, 100))) as state:
            found = look(state, known)
            assert held(state) == things, f"seed {seed}, order {number}"
        assert {subject: each["facts"] for subject, each in found.items()} == facts, f"seed {seed}, order {number}"
        for subject, each in found.items():
            assert each["identifiers"] == identifiers(who, subject), f"seed {seed}, order {number}: {subject}"
        answers.append(found)
    for number, answer in enumerate(answers):
        assert answer == answers[0], f"seed {seed}, order {number}"
    return len(facts)
