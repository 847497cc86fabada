"""Links as people see and say them: all evidence of a profile with what became of it, and explicit words.

A word is an event of source `cli`; the engine takes it at the clock, so that the answer is there at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from innkeeper.events.outputs import Retracted
from innkeeper.events.types import ENGINE_SOURCE, Event, LogRow, from_row, to_row
from innkeeper.identity.evidence import LINK_ADDED, LINK_REMOVED, Evidence, evidence_of, identifier_of, pair_of
from innkeeper.identity.namespaces import IdentityRules
from innkeeper.identity.spans import ALWAYS, Span
from innkeeper.kernel.errors import UsageError
from innkeeper.kernel.ids import ANONYMOUS, USER, display_id
from innkeeper.kernel.json import dumps, loads
from innkeeper.kernel.time import FOREVER, Instant, format_instant
from innkeeper.runtime.identity_reading import IdentityReader
from innkeeper.runtime.lookup import identifier_meant, rules_of
from innkeeper.runtime.record import COLUMNS
from innkeeper.runtime.run import run_to_the_clock
from innkeeper.store.bulk import Bulk
from innkeeper.store.identity import IdentityTables, Merge
from innkeeper.store.log import Log
from innkeeper.store.state import State

SOURCE = "cli"
#: Why evidence counts for nothing, in words.
REASONS = {
    "blocked": "the value stands for nobody in particular",
    "source": "this source may not link by this namespace",
    "may_not_link": "this source may not join persons",
    "not_verified": "the address is not verified",
    "two_spans": "neither of the two belongs to a person",
    "two_users": "two user ids are joined by an alias or an explicit link alone",
    "renamed": "an alias has replaced this user id before",
    "limit": "the limit of this namespace is reached",
    "fan_in": "the profile has as many identifiers as one may have",
    "removed": "the link was taken back",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What an explicit word did.

    Attributes:
        a, b: The two identifiers.
        event: The word.
        reason: Why it counts for nothing; empty when it counts.
        merges: What became one or came apart.
        changes: What is different for each profile because the link is as if it had never been, by `Retracted`.
    """

    a: str
    b: str
    event: Event
    reason: str
    merges: tuple[Merge, ...]
    changes: tuple[dict[str, Any], ...]

    def as_dict(self) -> dict[str, Any]:
        """The JSON form."""
        event = self.event
        return {
            "a": self.a, "b": self.b,
            "event": {
                "event": event.name, "messageId": event.message_id, "timestamp": format_instant(event.timestamp),
            },
            "counts": not self.reason, "reason": self.reason, "merges": [merge_told(merge) for merge in self.merges],
            "changes": list(self.changes),
        }  # fmt: skip


def links_of(home: Path, text: str) -> dict[str, Any]:
    """All evidence that concerns a profile, newest first, with what became of it.

    Raises:
        UsageError: Nobody of that id was ever heard of.
    """
    with State.open(home, readonly=True) as state:
        rules = rules_of(state)
        identifier = identifier_meant(text, rules)
        who = IdentityReader(IdentityTables(state.connection), rules)
        subject, clock = who.owner(identifier, FOREVER), state.clock()
        own = {identifier, *who.identifiers(subject)}
        evidence = [
            each
            for each in _evidence(home, own, rules, FOREVER if clock is None else clock)
            if each.a in own or each.b in own
        ]
        if not evidence and not state.bodies([subject]):
            raise _unknown(text)
        known = rules.namespaces
        return {
            "id": display_id(subject, known),
            "identifiers": identifiers(who, subject),
            "links": _told(evidence, state, rules),
            "merges": [merge_told(merge) for merge in who.tables.merges(own)],
        }


def identifiers(who: IdentityReader, subject: str) -> list[dict[str, Any]]:
    """What a profile is known as, and in which stretches of time where that is not always."""
    found: list[dict[str, Any]] = []
    for name in who.identifiers(subject):
        stretches = [span for span in who.stretches(name) if span.claimant == subject] if who.in_spans(name) else []
        found.append({"identifier": name, "spans": [_span(span) for span in _joined(stretches)]})
    return found


def _joined(stretches: list[Span]) -> list[Span]:
    made: list[Span] = []
    for span in stretches:
        if made and made[-1].until == span.since:
            made[-1] = made[-1]._replace(until=span.until)
        else:
            made.append(span)
    return made


def _span(span: Span) -> dict[str, str | None]:
    return {
        "since": None if span.since == ALWAYS else format_instant(span.since),
        "until": None if span.until == FOREVER else format_instant(span.until),
    }


def _evidence(home: Path, identifiers: set[str], rules: IdentityRules, until: Instant) -> list[Evidence]:
    """Everything that events say which are stored under some identifiers or name one of them."""
    values = {dumps(each.partition(":")[2])[1:-1] for each in identifiers}
    sql = (
        f"SELECT {COLUMNS} FROM events WHERE is_input AND source <> $engine AND ts <= $until"  # noqa: S608 – bound
        " AND (list_contains($own, identifier) OR list_contains($anonymous, anonymous_id)"
        " OR ((type = 'alias' OR context <> '{}' OR traits <> '{}' OR properties <> '{}')"
        " AND list_bool_or(list_transform($values, lambda value:"
        " contains(concat(extra, properties, traits, context), value)))))"
    )
    asked = {
        "engine": ENGINE_SOURCE, "until": until, "own": sorted(identifiers), "values": sorted(values),
        "anonymous": sorted(each[len(ANONYMOUS) :] for each in identifiers if each.startswith(ANONYMOUS)),
    }  # fmt: skip
    with Bulk.open(home) as bulk:
        events = [from_row(row[0] or 0, LogRow(*row[1:])) for row in bulk.rows(sql, asked)]
    return [each for event in events for each in evidence_of(event, rules)]


def _told(evidence: Iterable[Evidence], state: State, rules: IdentityRules) -> list[dict[str, Any]]:
    groups: dict[tuple[str, str, str, str], list[Evidence]] = {}
    tables = IdentityTables(state.connection)
    judged: dict[tuple[str, str, str], str] = {}
    for each in evidence:
        place = (each.a, each.b, each.kind)
        if place not in judged:
            judged[place] = _judgement(each, tables, rules)
        groups.setdefault((*place, each.reason or judged[place]), []).append(each)
    told = []
    for (a, b, kind, reason), all_of_them in groups.items():
        first, last = min(all_of_them), max(all_of_them)
        told.append(
            {
                "a": a, "b": b, "kind": kind, "counts": not reason, "reason": reason, "times": len(all_of_them),
                "first": _event(first), "last": _event(last),
            }
        )  # fmt: skip
    return sorted(told, key=lambda link: (link["last"]["at"], link["a"], link["b"], link["kind"]), reverse=True)


def _event(each: Evidence) -> dict[str, Any]:
    return {"at": format_instant(each.at), "source": each.source, "messageId": each.message_id, "seq": each.seq}


def _judgement(each: Evidence, tables: IdentityTables, rules: IdentityRules) -> str:
    """What the engine has made of a pair's evidence of a kind."""
    word = tables.word(each.pair)
    if each.kind == "removed":
        return "" if word is not None and word.kind == "removed" else "overruled"
    if word is not None and word.kind == "removed":
        return "removed"
    if rules.namespace(each.a).owner == "spans":
        turns = tables.turns([each.a]).get(each.a, [])
        return next((turn.reason for turn in turns if turn.claimant == each.b), "")
    return next((bond.reason for bond in tables.bonds([(each.a, each.b)]) if bond.kind == each.kind), "")


def merge_told(merge: Merge) -> dict[str, Any]:
    """One line of the log of merges."""
    return {
        "at": format_instant(merge.at), "what": merge.what, "subject": merge.subject, "other": merge.other,
        "evidence": {
            "kind": merge.kind, "a": merge.a, "b": merge.b, "at": format_instant(merge.event_at),
            "source": merge.source, "messageId": merge.message_id,
        },
    }  # fmt: skip


def say(home: Path, a: str, b: str, *, added: bool, why: str) -> Said:
    """Say that two identifiers belong together, or do not, and let the engine take it at the clock.

    Raises:
        UsageError: One is no identifier, nobody knows either, there is nothing to take back, or there is no clock yet.
        OperationFailed: The home is in use.
    """
    said: list[Event] = []

    def append(log: Log, state: State) -> None:
        event = _word(log, state, a, b, added=added, why=why)
        log.append([to_row(event)])
        said.append(event)

    with State.open(home, readonly=True) as state:
        earlier = _merges(state)
    run_to_the_clock(home, append)
    with State.open(home, readonly=True) as state:
        merges = _merges(state)[len(earlier) :]
        rules, tables = rules_of(state), IdentityTables(state.connection)
        one, other = said[0].properties["a"], said[0].properties["b"]
        words = [each for each in evidence_of(said[0], rules) if each.kind in ("added", "removed")]
        reason = words[0].reason or _judgement(words[0], tables, rules) if words else "two_spans"
    changes = () if added else tuple(_changes(home, said[0].message_id))
    return Said(a=one, b=other, event=said[0], reason=reason, merges=tuple(merges), changes=changes)


def _changes(home: Path, message_id: str) -> Iterator[dict[str, Any]]:
    sql = (
        "SELECT identifier, properties FROM every_event WHERE source = $engine AND name = $name"
        " AND contains(properties, $id) ORDER BY identifier"
    )
    asked = {"engine": ENGINE_SOURCE, "name": Retracted.event_name, "id": dumps(message_id)}
    with Bulk.open(home) as bulk:
        for identifier, properties in bulk.rows(sql, asked):
            told = loads(properties)
            if told.pop("retraction") == message_id and told.pop("kind") == "unlinked":
                yield {"id": display_id(identifier), **told}


def _merges(state: State) -> list[Merge]:
    rows = state.connection.execute(
        "SELECT at, what, subject, other, kind, a, b, event_at, source, message_id FROM merges ORDER BY rowid"
    )
    return [Merge(*row) for row in rows]


def _word(log: Log, state: State, a: str, b: str, *, added: bool, why: str) -> Event:
    clock, rules = state.clock(), rules_of(state)
    if clock is None:
        raise UsageError(
            "the workspace has no clock yet, so nobody is known", code="no-clock", fix="innkeeper run --until now"
        )
    pair = [_identifier(text, rules) for text in (a, b)]
    if pair[0] == pair[1]:
        raise UsageError(f"'{a}' and '{b}' are one identifier", code="same-identifier", fix="name two")
    user_id, anonymous_id = _stored_under(state, rules, pair, (a, b))
    if not added and not _is_linked(state, pair):
        raise UsageError(f"nothing links '{a}' and '{b}' directly", code="no-link", fix=f"innkeeper profile links {a}")
    properties = {"a": pair[0], "b": pair[1]} | ({"reason": why} if why else {})
    return Event(
        source=SOURCE, message_id=f"link-{log.last_seq() + 1:012d}", type="track",
        name=LINK_ADDED if added else LINK_REMOVED, user_id=user_id, anonymous_id=anonymous_id, timestamp=clock,
        received_at=clock, properties=properties,
    )  # fmt: skip


def _identifier(text: str, rules: IdentityRules) -> str:
    found = identifier_of(text, rules)
    if found is None:
        raise UsageError(
            f"'{text}' is no identifier: its value has no exact form", code="bad-identifier",
            fix="write a user id, or namespace:value, e.g. email:ana@example.com, phone:+351211234567",
        )  # fmt: skip
    if rules.namespace(found).blocks(found.partition(":")[2]):
        raise UsageError(
            f"'{text}' stands for nobody in particular, so nothing is joined by it", code="blocked-identifier",
            fix="name an identifier of one person",
        )  # fmt: skip
    return found


def _stored_under(
    state: State, rules: IdentityRules, pair: list[str], texts: tuple[str, str]
) -> tuple[str | None, str | None]:
    """Under which id the event stands in the log: one of the two, or one of the profile's."""
    who = IdentityReader(IdentityTables(state.connection), rules)
    if all(rules.namespace(each).owner == "spans" for each in pair):
        raise UsageError(
            f"neither '{texts[0]}' nor '{texts[1]}' belongs to a person", code="two-spans",
            fix="link each to a user id, an email or a phone number",
        )  # fmt: skip
    known = [each for each in pair if state.bodies([who.owner(each, FOREVER)])]
    if not known:
        raise _unknown(texts[0])
    candidates = [*known, *(name for each in known for name in who.identifiers(who.owner(each, FOREVER)))]
    for prefix in (USER, ANONYMOUS):
        for each in candidates:
            if each.startswith(prefix):
                value = each[len(prefix) :]
                return (value, None) if prefix == USER else (None, value)
    raise _unknown(texts[0])


def _is_linked(state: State, pair: list[str]) -> bool:
    tables, (a, b) = IdentityTables(state.connection), pair
    turns = tables.turns(pair)
    claimed = any(turn.claimant == other for one, other in ((a, b), (b, a)) for turn in turns.get(one, ()))
    return claimed or bool(tables.bonds([(a, b), (b, a)])) or tables.word(pair_of(a, b)) is not None


def _unknown(text: str) -> UsageError:
    return UsageError(
        f"nobody is known as '{text}'", code="unknown-profile",
        fix="an id is a user id, or namespace:value, e.g. anonymous_id:9f3a; see: innkeeper events list",
    )  # fmt: skip
