"""One random history asked in the two ways that the product has: SQL over DuckDB, and accumulators over facts."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

import duckdb

from innkeeper.audiences import MISSING, Accumulator, Catalog, Expression, compile_live
from innkeeper.audiences.ask import Question, zone_of
from innkeeper.audiences.check import Subject
from innkeeper.audiences.expand import expand
from innkeeper.audiences.memories import MEMORY_EVENTS
from innkeeper.audiences.merges import Merges
from innkeeper.audiences.types import Held
from innkeeper.events.reserved import without_reserved
from innkeeper.events.types import Event, to_row
from innkeeper.profiles import state as stored
from innkeeper.profiles.memories import memory_at, take_memory
from innkeeper.profiles.traits import all_traits, set_trait
from innkeeper.store.columns import fixed_sql, typed_sql
from innkeeper.store.duck import translated
from oracle.audience_oracle import look

COLUMNS = (
    "seq BIGINT", "source VARCHAR", "message_id VARCHAR", "type VARCHAR", "name VARCHAR", "user_id VARCHAR",
    "anonymous_id VARCHAR", "timestamp BIGINT", "received_at BIGINT", "properties VARCHAR", "traits VARCHAR",
    "context VARCHAR", "extra VARCHAR",
)  # fmt: skip


def links_of(events: list[Event]) -> dict[tuple[str, str], int]:
    """Each pair of anonymous id and user with its first timestamp."""
    links: dict[tuple[str, str], int] = {}
    for event in events:
        previous = event.extra.get("previousId") if event.type == "alias" else None
        for anonymous in {event.anonymous_id, previous} - {None}:
            if event.is_input and event.user_id is not None:
                key = (str(anonymous), event.user_id)
                links[key] = min(links.get(key, event.timestamp), event.timestamp)
    return links


class World:
    """A history in DuckDB, under the views of the store."""

    def __init__(self, events: list[Event], zone: str = "UTC") -> None:
        self.events, self.zone = events, zone
        self.links = links_of(events)
        self.engine = duckdb.connect(":memory:", config={"threads": 1})
        self.run(f"CREATE TABLE staged ({', '.join(COLUMNS)})")
        rows = [(number, *to_row(event)) for number, event in enumerate(events, 1)]
        if rows:
            self.engine.executemany(f"INSERT INTO staged VALUES ({', '.join('?' * len(COLUMNS))})", rows)
        self.run(f"CREATE TABLE fixed AS {fixed_sql('staged')}")
        self.run("CREATE TABLE links (anonymous_id VARCHAR, user_id VARCHAR, ts BIGINT)")
        for (anonymous, user), at in self.links.items():
            self.run("INSERT INTO links VALUES ($a, $u, $t)", {"a": anonymous, "u": user, "t": at})

    def run(self, sql: str, parameters: Mapping[str, Any] | None = None) -> list[tuple[Any, ...]]:
        """All rows of a statement."""
        with translated("world"):
            return self.engine.execute(sql, dict(parameters) if parameters else None).fetchall()

    def view(self, properties: frozenset[tuple[str, ...]]) -> None:
        """Give the view `events` the columns of some properties."""
        typed = "".join(f", {item}" for path in sorted(properties) for item in typed_sql(path))
        self.run(f"CREATE OR REPLACE VIEW events AS SELECT *{typed} FROM fixed")

    def by_sql(self, expression: Expression, catalog: Catalog, at: int, of: Subject = "profile") -> list[str]:
        """The members, by SQL."""
        question = Question(expression, catalog, at=at, zone=self.zone, of=of)
        self.view(question.properties)
        members = question.members(self.run)
        if at % 4 == 0:
            assert question.count(self.run) == len(members)
        return members

    def by_accumulators(self, expression: Expression, catalog: Catalog, at: int, dice: random.Random) -> list[str]:
        """The members, by folding each identifier's events in random order and in parts, and merging."""
        condition = compile_live(expand(expression, catalog))
        found = []
        for subject, identifiers in self.profiles(at).items():
            facts = Facts(self, subject, identifiers, at, condition.accumulators, dice, catalog.merges)
            if facts.exists and condition.evaluate(facts, at)[0]:
                found.append(subject)
        return sorted(found)

    def profiles(self, at: int) -> dict[str, list[str]]:
        """Each profile's identifiers as of an instant."""
        users: dict[str, set[str]] = {}
        for (anonymous, user), since in self.links.items():
            if since <= at:
                users.setdefault(anonymous, set()).add(user)
        identifiers: set[str] = {event.identifier for event in self.events if event.timestamp <= at}
        identifiers |= {f"anonymous_id:{anonymous}" for anonymous in users}
        profiles: dict[str, list[str]] = {}
        for identifier in sorted(identifiers):
            owners = users.get(identifier.removeprefix("anonymous_id:"), set()) if identifier[0] == "a" else set()
            subject = f"user_id:{min(owners)}" if len(owners) == 1 else identifier
            profiles.setdefault(subject, []).append(identifier)
        return profiles


def folded_traits(events: list[Event], merges: Merges, dice: random.Random) -> dict[str, Any]:
    """The traits as the fold keeps them: word by word in random order, through the stored form."""
    state = stored.new_state("user_id:x")
    for event in dice.sample(events, len(events)):
        facts = state.facts.setdefault(event.identifier, stored.Facts(event.timestamp))
        for name, value in without_reserved(event.traits).items():
            set_trait(facts, name, value, event.timestamp, event.source, event.message_id, merges)
    return all_traits(stored.decode(stored.encode(state)), merges)


def folded_memories(events: list[Event], dice: random.Random) -> stored.ProfileState:
    """The memories as the fold keeps them, in random order."""
    state = stored.new_state("user_id:x")
    for event in dice.sample(events, len(events)):
        if event.name in MEMORY_EVENTS:
            take_memory(state.facts.setdefault(event.identifier, stored.Facts(event.timestamp)), event)
    return stored.decode(stored.encode(state))


class Facts:
    """What a condition reads of one profile of a world."""

    def __init__(
        self, world: World, subject: str, identifiers: list[str], at: int, summaries: tuple[Accumulator, ...],
        dice: random.Random, merges: Merges,
    ) -> None:  # fmt: skip
        self.subject, self.identifiers, self.workspace_zone = subject, identifiers, world.zone
        own = [event for event in world.events if event.timestamp <= at and event.identifier in identifiers]
        inputs = [event for event in own if event.is_input]
        self.exists = bool(inputs)
        changes = [event for event in own if event.is_input or event.name == "Traits Updated"]
        self.traits = folded_traits(changes, merges, dice)
        self.remembered = folded_memories(inputs, dice)
        self.states = {summary.key: self.fold(summary, inputs, dice) for summary in summaries}

    def fold(self, summary: Accumulator, events: list[Event], dice: random.Random) -> Any:
        """The state of the events in random order, in up to three parts that are merged."""
        from innkeeper.kernel.json import dumps, loads

        parts: list[Any] = [None, None, None]
        for event in dice.sample(events, len(events)):
            if event.name == summary.event:
                part = dice.randrange(3)
                parts[part] = summary.add(parts[part], event)
        dice.shuffle(parts)
        merged = summary.merge(summary.merge(parts[0], parts[1]), parts[2])
        return loads(dumps(merged))

    def accumulated(self, accumulator: Accumulator) -> Any:
        """The merged state."""
        return self.states[accumulator.key]

    def trait(self, path: tuple[str, ...]) -> Any:
        """The value of a trait."""
        found = look(self.traits, path)
        return MISSING if type(found) is object else found

    def memory(self, path: tuple[str, ...]) -> Any:
        """What is remembered."""
        return memory_at(self.remembered, path)

    def identifier(self, namespace: str) -> str | None:
        """The smallest identifier of a namespace."""
        own = [each.partition(":")[2] for each in self.identifiers if each.startswith(namespace + ":")]
        if namespace == "user_id":
            return self.subject.removeprefix("user_id:") if self.subject.startswith("user_id:") else None
        return min(own, default=None)

    def account(self, path: tuple[str, ...]) -> Any:
        """Accounts have comparisons of their own."""
        raise AssertionError

    def stage(self) -> str | None:
        """Never asked: expressions are expanded."""
        raise AssertionError

    def in_audience(self, name: str) -> bool:
        """Never asked: expressions are expanded."""
        raise AssertionError

    def zone(self) -> str:
        """The zone whose calendar counts."""
        return zone_of(self.traits.get("timezone"), self.traits.get("country"), self.workspace_zone)

    def entry(self, path: tuple[str, ...]) -> Any:
        """Never asked outside journeys."""
        raise AssertionError

    def about(self, parts: tuple[str, ...]) -> Any:
        """Never asked outside journeys."""
        raise AssertionError

    def objects(self, of: str) -> list[Held]:
        """There are none in this world."""
        return []
