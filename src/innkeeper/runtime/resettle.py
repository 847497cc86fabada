"""Who is who, made anew from everything that was taken: when the rules have changed, or an older Innkeeper kept it.

The tables are written in one transaction; then every profile that holds what belongs elsewhere now is brought apart and
together, unannounced. Repeated whole when it was cut off, which changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from innkeeper import lifecycle
from innkeeper.audiences.owners import telling_sql
from innkeeper.events.types import ENGINE_SOURCE, LogRow, from_row
from innkeeper.identity.evidence import Evidence, evidence_of
from innkeeper.identity.namespaces import IdentityRules
from innkeeper.identity.persons import newest_words, resolve
from innkeeper.identity.spans import Turn, turns_of, within_limit
from innkeeper.kernel.ids import digest
from innkeeper.kernel.json import canonical
from innkeeper.profiles.copies import roles
from innkeeper.profiles.transfer import contents, runs
from innkeeper.runtime import moving
from innkeeper.runtime.identities import Change
from innkeeper.runtime.recall import Recall
from innkeeper.runtime.record import COLUMNS, not_later
from innkeeper.store.identity import IdentityTables
from innkeeper.store.state import Cursor, State

if TYPE_CHECKING:
    from innkeeper.runtime.engine import Engine
    from innkeeper.store.bulk import Bulk

_RULES = "identity_rules"


def is_settled(state: State, rules: IdentityRules) -> bool:
    """Whether who is who is kept under these rules."""
    known = state.meta(_RULES)
    if known is None and state.cursor() is None:
        with state.transaction():
            state.set_meta(_RULES, _digest(rules))
        return True
    return known == _digest(rules)


def resettle(engine: Engine, bulk: Bulk, cursor: Cursor) -> None:
    """Make the tables anew under the engine's rules, and bring the profiles to them."""
    rules = engine.world.identity
    engine.identities.adopt(rules)
    evidence = list(_evidence(engine, bulk, cursor, rules))
    tables = IdentityTables(engine.state.connection)
    with engine.state.transaction():
        tables.clear()
        _write(tables, evidence, rules)
        engine.state.set_meta(_RULES, _digest(rules))
        engine.state.connection.execute("DELETE FROM links")
    memory, engine.memory = engine.memory, _borrowing(engine, bulk)
    try:
        _bring_together(engine)
    finally:
        engine.memory = memory


def _borrowing(engine: Engine, bulk: Bulk) -> Any:
    memory = engine.memory
    return memory.borrowing(bulk) if isinstance(memory, Recall) else memory


def _digest(rules: IdentityRules) -> str:
    """A name of the rules that is the same in every process."""
    told = {
        "fan_in": rules.fan_in,
        "namespaces": [
            [each.name, each.owner, each.paths, each.limit, sorted(each.blocked), sorted(each.sources or ["*"])]
            for each in rules.namespaces.values()
        ],
        "sources": [
            [name, sorted(each.verifies), each.may_link, each.vouches] for name, each in sorted(rules.sources.items())
        ],
    }
    return digest(canonical(told))


def _evidence(engine: Engine, bulk: Bulk, cursor: Cursor, rules: IdentityRules) -> Iterator[Evidence]:
    telling, named = telling_sql(rules)
    sql = (
        f"SELECT {COLUMNS} FROM every_event WHERE source <> $engine AND is_input AND {telling}"  # noqa: S608 – bound
        f" AND (list_contains($fresh, seq) OR (seq <= $last AND {not_later()}))"
    )
    values = {
        "engine": ENGINE_SOURCE, "last": cursor.seq, "at": cursor.timestamp, "source": cursor.source,
        "message_id": cursor.message_id,
        "fresh": sorted(engine.state.taken_seqs(cursor.position)) if cursor.position else [],
    }  # fmt: skip
    for page in bulk.stream(sql, named | values):
        for event in engine.counted(from_row(row[0], LogRow(*row[1:])) for row in page):
            for each in evidence_of(event, rules):
                if not each.reason:
                    yield each


def _write(tables: IdentityTables, evidence: list[Evidence], rules: IdentityRules) -> None:
    said = newest_words(evidence)
    words = {pair: word.kind == "added" for pair, word in said.items()}
    tables.put_words(said.items())
    spans: dict[str, list[Evidence]] = {}
    bonds: dict[tuple[str, str, str], Evidence] = {}
    for each in sorted(evidence):
        if each.kind == "removed":
            continue
        if rules.namespace(each.a).owner == "spans":
            spans.setdefault(each.a, []).append(each)
        else:
            bonds.setdefault((each.a, each.b, each.kind), each)
    persons = resolve(bonds.values(), words, rules)
    reasons = dict(persons.refused)
    tables.put_bonds(each._replace(reason=reasons.get(each, "")) for each in bonds.values())
    tables.put_persons(persons.everyone().items())
    turns = {identifier: turns_of(claims) for identifier, claims in spans.items()}
    removed = {(identifier, turn.claimant) for identifier, own in turns.items() for turn in own
               if words.get(_pair(identifier, turn.claimant)) is False}  # fmt: skip
    too_many = _too_many(turns, removed, rules)
    for identifier, own in turns.items():
        judged = [
            turn._replace(
                reason="removed" if (identifier, turn.claimant) in removed
                else "limit" if (identifier, turn.claimant) in too_many else ""
            )
            for turn in own
        ]  # fmt: skip
        tables.replace_turns(identifier, [], judged)


def _pair(a: str, b: str) -> tuple[str, str]:
    return (a, b) if a < b else (b, a)


def _too_many(
    turns: dict[str, list[Turn]], removed: set[tuple[str, str]], rules: IdentityRules
) -> set[tuple[str, str]]:
    firsts: dict[tuple[str, str], dict[str, Turn]] = {}
    for identifier, own in turns.items():
        for turn in own:
            if (identifier, turn.claimant) not in removed:
                firsts.setdefault((turn.claimant, identifier.partition(":")[0]), {}).setdefault(identifier, turn)
    return {
        (identifier, claimant)
        for (claimant, namespace), own in firsts.items()
        for identifier in within_limit(((turn.key, name) for name, turn in own.items()), rules.limit(namespace))
    }


def _bring_together(engine: Engine) -> None:
    """Move what belongs elsewhere, and note what everybody is known as."""
    names = [subject for page in engine.state.pages() for subject, _ in page]
    for start in range(0, len(names), 1_000):
        page = names[start : start + 1_000]
        bodies = engine.state.bodies(page)
        for name in page:
            if name in bodies:
                _bring(engine, name)


def _bring(engine: Engine, name: str) -> None:
    engine.begin()
    engine.fetch([name])
    state = engine.cache.get(name)
    if state is None:
        return
    who = engine.identities
    held = dict.fromkeys([name, *(identifier for identifier, _ in (*contents(state), *runs(state)))])
    given = [each.identifier for each in roles(state)]
    who.know([*held, *given])
    engine.identification.tell_since_when(state, given)
    moved = {each for each in held if _elsewhere(engine, each, state.subject, state)}
    moved |= {each.identifier for each in roles(state) if engine.identification.holder(each) != name}
    if moved:
        change = Change(subjects={name, *_targets(engine, moved)}, identifiers=moved)
        moving.move(engine, change, state.last_at, announce=False)
    else:
        lifecycle.known_as(state, who.identifiers(name), state.last_at, engine.world)
        engine.pending.dirty.add(name)
    engine.commit()


def _elsewhere(engine: Engine, identifier: str, subject: str, state: lifecycle.ProfileState) -> bool:
    who = engine.identities
    if not who.in_spans(identifier):
        return who.subject(identifier) != subject
    facts = state.facts.get(identifier)
    owners = {
        span.claimant
        for span in who.stretches(identifier)
        if facts is None or (span.since <= facts.last and span.until > facts.since)
    }
    return bool(owners or identifier != subject) and owners != {subject}


def _targets(engine: Engine, identifiers: Iterable[str]) -> set[str]:
    who, found = engine.identities, set[str]()
    for each in identifiers:
        owners = {span.claimant for span in who.stretches(each)} if who.in_spans(each) else {who.subject(each)}
        found |= owners or {each}
    return found
