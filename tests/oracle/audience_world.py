"""One random history asked in the two ways that the product has: SQL over DuckDB, and accumulators over facts."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
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
from innkeeper.identity.evidence import Evidence, evidence_of
from innkeeper.identity.namespaces import IdentityRules
from innkeeper.identity.persons import newest_words, resolve
from innkeeper.identity.spans import Span, owner_at, spans, turns_of, within_limit
from innkeeper.kernel.time import DAY
from innkeeper.profiles import state as stored
from innkeeper.profiles.memories import memory_at, take_memory
from innkeeper.profiles.traits import all_traits, end_words, next_end, set_trait
from innkeeper.store.columns import fixed_sql, typed_sql
from innkeeper.store.duck import translated
from oracle.audience_oracle import look
from oracle.identity_cases import rules

COLUMNS = (
    "seq BIGINT", "source VARCHAR", "message_id VARCHAR", "type VARCHAR", "name VARCHAR", "user_id VARCHAR",
    "anonymous_id VARCHAR", "timestamp BIGINT", "received_at BIGINT", "properties VARCHAR", "traits VARCHAR",
    "context VARCHAR", "extra VARCHAR",
)  # fmt: skip


class World:
    """A history in DuckDB, under the views of the store."""

    def __init__(self, events: list[Event], zone: str = "UTC", kind: str = "plain") -> None:
        self.events, self.zone = events, zone
        self.rules, self.plain_rules = rules(kind)
        self.engine = duckdb.connect(":memory:", config={"threads": 1})
        self.run(f"CREATE TABLE staged ({', '.join(COLUMNS)})")
        rows = [(number, *to_row(event)) for number, event in enumerate(events, 1)]
        if rows:
            self.engine.executemany(f"INSERT INTO staged VALUES ({', '.join('?' * len(COLUMNS))})", rows)
        self.run(f"CREATE TABLE fixed AS {fixed_sql('staged')}")
        self.view(frozenset())

    def run(self, sql: str, parameters: Mapping[str, Any] | None = None) -> list[tuple[Any, ...]]:
        """All rows of a statement."""
        with translated("world"):
            return self.engine.execute(sql, dict(parameters) if parameters else None).fetchall()

    def stream(self, sql: str, values: Mapping[str, Any]) -> Iterator[list[tuple[Any, ...]]]:
        """As the bulk engine's: the answer in pages."""
        yield self.run(sql, values)

    def view(self, properties: frozenset[tuple[str, ...]]) -> None:
        """Give the view `events` the columns of some properties."""
        typed = "".join(f", {item}" for path in sorted(properties) for item in typed_sql(path))
        self.run(f"CREATE OR REPLACE VIEW events AS SELECT *{typed} FROM fixed")

    def by_sql(self, expression: Expression, catalog: Catalog, at: int, of: Subject = "profile") -> list[str]:
        """The members, by SQL."""
        question = Question(expression, catalog, at=at, zone=self.zone, of=of, rules=self.rules)
        self.view(question.properties)
        members = question.members(self.run)
        if at % 4 == 0:
            assert question.count(self.run) == len(members)
        return members

    def by_accumulators(self, expression: Expression, catalog: Catalog, at: int, dice: random.Random) -> list[str]:
        """The members, by folding each identifier's events in random order and in parts, and merging."""
        condition = compile_live(expand(expression, catalog))
        found = []
        for subject, events in self.profiles(at).items():
            facts = Facts(self, subject, events, condition.accumulators, dice, catalog.merges, at)
            if facts.exists and condition.evaluate(facts, at)[0]:
                found.append(subject)
        return sorted(found)

    def profiles(self, at: int) -> dict[str, list[Event]]:
        """Each profile's events as of an instant, by the product's own pure rules, from all evidence."""
        evidence = [each for event in self.events for each in evidence_of(event, self.rules) if not each.reason]
        words = {pair: word.kind == "added" for pair, word in newest_words(evidence).items()}
        owned = tuple(name + ":" for name, each in self.rules.namespaces.items() if each.owner == "spans")
        known = [each for each in evidence if each.at <= at and words.get(each.pair) is not False]
        claims = [each for each in known if each.a.startswith(owned) and each.kind != "removed"]
        persons = resolve((each for each in known if not each.a.startswith(owned)), words, self.rules)
        counting = allowed(claims, self.rules)
        self.owned = stretches(counting)
        self.claims: dict[str, set[str]] = {}
        for each in counting:
            self.claims.setdefault(each.a, set()).add(each.b)
        self.subject_of = persons.subject
        profiles: dict[str, list[Event]] = {}
        for event in self.events:
            if event.timestamp <= at:
                owner = owner_at(self.owned.get(event.identifier, []), event.timestamp)
                profiles.setdefault(persons.subject(owner or event.identifier), []).append(event)
        return profiles


def folded_traits(events: list[Event], merges: Merges, dice: random.Random, at: int = 0) -> dict[str, Any]:
    """The traits at an instant as the fold keeps them: word by word in random order, through the stored form.

    What has ended goes now and then in between, and at the end.
    """
    state = stored.new_state("user_id:x")
    for event in dice.sample(events, len(events)):
        facts = state.facts.setdefault(event.identifier, stored.Facts(event.timestamp))
        for name, value in without_reserved(event.traits).items():
            set_trait(facts, name, value, event.timestamp, event.source, event.message_id, merges)
        if dice.random() < 0.2:
            end_words(state, at - dice.randrange(30 * DAY), merges)
    end_words(state, at, merges)
    assert next_end(state, merges) > at
    return all_traits(stored.decode(stored.encode(state)), merges)


def folded_memories(events: list[Event], dice: random.Random) -> stored.ProfileState:
    """The memories as the fold keeps them, in random order."""
    state = stored.new_state("user_id:x")
    for event in dice.sample(events, len(events)):
        if event.name in MEMORY_EVENTS:
            take_memory(state.facts.setdefault(event.identifier, stored.Facts(event.timestamp)), event)
    return stored.decode(stored.encode(state))


def allowed(claims: list[Evidence], known: IdentityRules) -> list[Evidence]:
    """The claims that are not too many for their claimant."""
    firsts: dict[tuple[str, str], dict[str, Any]] = {}
    for each in sorted(claims):
        firsts.setdefault((each.b, each.a.partition(":")[0]), {}).setdefault(each.a, each.key)
    gone = {
        (name, claimant)
        for (claimant, namespace), own in firsts.items()
        for name in within_limit((((*key, claimant), name) for name, key in own.items()), known.limit(namespace))
    }
    return [each for each in claims if (each.a, each.b) not in gone]


def stretches(claims: list[Evidence]) -> dict[str, list[Span]]:
    """Who has each identifier when."""
    found: dict[str, list[Evidence]] = {}
    for each in claims:
        found.setdefault(each.a, []).append(each)
    return {identifier: spans(turns_of(own)) for identifier, own in found.items()}


class Facts:
    """What a condition reads of one profile of a world."""

    def __init__(
        self, world: World, subject: str, own: list[Event], summaries: tuple[Accumulator, ...], dice: random.Random,
        merges: Merges, at: int,
    ) -> None:  # fmt: skip
        self.subject, self.workspace_zone = subject, world.zone
        self.identifiers = {subject} | {
            name
            for name, held in world.claims.items()
            if any(world.subject_of(claimant) == subject for claimant in held)
        }
        inputs = [event for event in own if event.is_input]
        self.exists = bool(inputs)
        changes = [event for event in own if event.is_input or event.name == "Traits Updated"]
        self.traits = folded_traits(changes, merges, dice, at)
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
        prefix = namespace + ":"
        if self.subject.startswith(prefix) or namespace == "user_id":
            return self.subject.removeprefix(prefix) if self.subject.startswith(prefix) else None
        return min((each[len(prefix) :] for each in self.identifiers if each.startswith(prefix)), default=None)

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
