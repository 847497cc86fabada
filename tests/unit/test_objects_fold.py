"""The fold of objects against the oracle: any order, any duplicates, ticks of any size (I13)."""

from __future__ import annotations

import random
from typing import Any

import pytest
from oracle.identity_order import ListMemory, Remembering
from oracle.object_oracle import START, STRATEGY, Happened, Known, bookings, claims, date_at, owner, random_history
from oracle.object_world import event_of

from innkeeper import lifecycle
from innkeeper.kernel.located import Findings
from innkeeper.kernel.time import BEGINNING
from innkeeper.objects.definition import ObjectType
from innkeeper.objects.fold import HISTORY, ObjectState, decode, take, view_of
from innkeeper.runtime.engine import Engine, Item
from innkeeper.store import things
from innkeeper.store.state import Cursor, State
from innkeeper.strategy.load import load
from innkeeper.strategy.read_workspace import read_workspace
from innkeeper.strategy.yaml import read_yaml

CURSOR = Cursor(clock=BEGINNING, timestamp=BEGINNING)


def booking_type() -> ObjectType:
    findings = Findings()
    node = read_yaml(STRATEGY, "strategy.yaml", findings)
    assert node is not None
    found = read_workspace(node, findings).objects["booking"]
    findings.raise_if_any()
    return found


def expected_view(known: Known) -> dict[str, Any]:
    return {
        "status": known.status,
        "properties": known.values,
        "dates": {name: date_at(known, name) for name in ("arrival", "departure")},
        "roles": {role: identifier for role, (identifier, _) in known.roles.items()},
    }


def made_view(state: ObjectState, id_: str, declared: ObjectType) -> dict[str, Any] | None:
    view = view_of(state, id_, declared)
    if view is None:
        return None
    return {key: view.fields[key] for key in ("status", "properties", "dates")} | {"roles": view.roles}


def engine_on(state: State) -> Remembering:
    memory = ListMemory(state)
    world = lifecycle.World.build(load({"strategy.yaml": STRATEGY}))
    return Remembering(Engine(state, world, delivery="virtual", memory=memory), memory)


def facts_of(state: State, declared: ObjectType) -> tuple[Any, Any]:
    """Objects and the copies of all profiles, as an engine left them."""
    kept = {
        row.id: made_view(decode(row.body), row.id, declared) for page in things.pages(state, "object") for row in page
    }
    copies = {}
    for page in state.pages():
        for subject, body in page:
            held = lifecycle.decode(body).objects.get("booking", {})
            copies[subject] = {id_: (copy.view, copy.holders) for id_, copy in sorted(held.items())}
    return {key: view for key, view in kept.items() if view}, {key: each for key, each in copies.items() if each}


def check_history(seed: int) -> None:
    dice = random.Random(seed)
    history, declared = random_history(dice), booking_type()
    wanted = {name: expected_view(known) for name, known in bookings(history).items()}
    said = f"seed {seed}"
    folded = []
    for size in (1, 7, 5_000):
        order = [*history, *dice.sample(history, len(history) // 2)]
        dice.shuffle(order)
        items = [Item(event_of(one, seq), one.at, "history") for seq, one in enumerate(order)]
        with State.in_memory() as state:
            engine = engine_on(state)
            for start in range(0, len(items), size):
                engine.tick(items[start : start + size], BEGINNING)
            folded.append(facts_of(state, declared))
    objects, copies = folded[0]
    assert objects == wanted, said
    assert folded[0] == folded[1] == folded[2], said
    claimed = claims(history)
    held: dict[str, dict[str, dict[str, list[str]]]] = {}
    for known in bookings(history).values():
        for role, (identifier, said_at) in sorted(known.roles.items()):
            mine = held.setdefault(owner(claimed, identifier, said_at), {}).setdefault(known.id, {})
            mine.setdefault(identifier, []).append(role)
    views = {subject: {id_: view["properties"] for id_, (view, _) in own.items()} for subject, own in copies.items()}
    holders = {subject: {id_: each for id_, (_, each) in own.items()} for subject, own in copies.items()}
    assert holders == held, said
    assert views == {subject: {id_: wanted[id_]["properties"] for id_ in own} for subject, own in held.items()}, said


@pytest.mark.parametrize("block", range(10))
def test_objects_and_copies_do_not_depend_on_order_or_duplication(block: int) -> None:
    for number in range(30):
        check_history(block * 30 + number)


@pytest.mark.torture
def test_objects_and_copies_do_not_depend_on_order_ten_thousand_times() -> None:
    for seed in range(1_000, 11_000):
        check_history(seed)


def test_history_keeps_the_newest_whatever_came_first() -> None:
    declared = booking_type()
    events = [
        event_of(Happened(START + number, "a", f"m{number}", "Booking Changed", "user_id:u", {"booking_id": "b"}))
        for number in range(HISTORY + 20)
    ]
    kept = []
    for seed in range(3):
        order = events[:]
        random.Random(seed).shuffle(order)
        state = decode(None)
        for event in order:
            take(state, event, declared)
        assert not take(state, order[0], declared)
        kept.append(state)
    assert kept[0] == kept[1] == kept[2]
    assert [entry.at for entry in kept[0].history] == [event.timestamp for event in events[20:]]
