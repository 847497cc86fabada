"""The plumbing by which a thing's change reaches profiles: a fake kind of things, folded by the engine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from innkeeper import lifecycle
from innkeeper.events.types import Event
from innkeeper.kernel.time import BEGINNING, DAY, Instant
from innkeeper.profiles.others import Folded, Kind, News, Whom
from innkeeper.runtime.engine import Engine
from innkeeper.runtime.work import Item
from innkeeper.store import things
from innkeeper.store.state import Cursor, State
from innkeeper.strategy.types import Definitions

START = 1_700_000_000_000_000
CURSOR = Cursor(clock=BEGINNING, timestamp=BEGINNING)


class Rooms:
    """A thing with the last colour that it was told, held by whoever its events name."""

    kind: Kind = "object"
    event_names = frozenset({"Painted"})

    def concerns(self, event: Event) -> tuple[tuple[str, str], ...]:
        return (("room", event.properties["room"]),) if "room" in event.properties else ()

    def take(self, type_: str, id_: str, body: bytes | None, event: Event, at: Instant) -> Folded | None:
        guests: list[str] = event.properties["guests"]
        before: list[str] = [] if body is None else msgspec.json.decode(body)
        view = {"colour": event.properties["colour"]}
        news = tuple(
            News("object", type_, id_, view if guest in guests else {}, ("guest",) if guest in guests else (),
                 guest, "changed" if guest in guests else "role_lost", ("colour",))
            for guest in sorted({*before, *guests})
        )  # fmt: skip

        def tell(owner: Callable[[str, Instant], Whom]) -> Iterator[tuple[Whom, News]]:
            return ((owner(each.identifier, event.timestamp), each) for each in news)

        return Folded(msgspec.json.encode(guests), frozenset({*before, *guests}), tell)


def painted(number: int, user: str, guests: list[str], colour: str, **more: Any) -> Item:
    at = START + number * DAY
    event = Event(
        seq=number, source="test", message_id=str(number), type="track", name="Painted", user_id=user, timestamp=at,
        received_at=at, properties={"room": "12", "guests": guests, "colour": colour, **more},
    )  # fmt: skip
    return Item(event, at)


def engine(state: State) -> Engine:
    world = lifecycle.World.build(Definitions(version="none"))
    made = lifecycle.World(version="t", profiles=world.profiles, journeys=world.journeys, others=(Rooms(),))
    return Engine(state, made, delivery="virtual")


def copies(state: State) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for page in state.pages():
        for subject, body in page:
            kept = lifecycle.decode(body).objects.get("room", {})
            found[subject] = {key: (copy.view, copy.holders) for key, copy in kept.items()}
    return found


HISTORY = [
    painted(1, "a", ["user_id:a", "user_id:b"], "red"),
    painted(2, "c", ["user_id:b"], "blue"),
    painted(3, "a", ["user_id:b", "user_id:c"], "green"),
]


def test_sender_and_other_holders_hear_of_one_change_and_whoever_lost_the_role_forgets() -> None:
    with State.in_memory() as state:
        engine(state).tick(HISTORY, BEGINNING, CURSOR)
        assert copies(state)["user_id:a"] == {}
        assert copies(state)["user_id:b"]["12"] == ({"colour": "green"}, {"user_id:b": ["guest"]})
        assert copies(state)["user_id:c"]["12"] == ({"colour": "green"}, {"user_id:c": ["guest"]})
        assert things.count(state, "object") == 1
        key = things.ThingKey("object", "room", "12")
        assert things.told_identifiers(state, [key]) == {"user_id:a", "user_id:b", "user_id:c"}
        assert things.told_of(state, ["user_id:a"]) == {key}


def test_ticks_of_any_size_make_the_same_states() -> None:
    made = []
    for size in (1, 2, 3):
        with State.in_memory() as state:
            one = engine(state)
            for start in range(0, len(HISTORY), size):
                one.tick(HISTORY[start : start + size], BEGINNING, CURSOR)
            made.append((list(state.pages()), list(things.pages(state, "object"))))
    assert made[0] == made[1] == made[2]
