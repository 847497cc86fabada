"""Every change of membership in a stretch of history, exact to the microsecond.

Each profile's events are folded in the order of time with the engine's own accumulators, and asked again exactly when
they say that the answer could change. A group is a person as of the end, with everything that its identifiers ever
had: who an event belongs to follows from the claims up to the instant that is asked about, so an anonymous past joins
its first claimant at the claim, and two persons become one at the bond.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any, Final, NamedTuple

from innkeeper.audiences.ask import zone_of
from innkeeper.audiences.flips_accounts import NO_ACCOUNTS, Past, Tie
from innkeeper.audiences.live import compile_live
from innkeeper.audiences.memories import MEMORY_EVENTS, Kept, standing_memory
from innkeeper.audiences.merges import NEWEST, Merges, Said, settle
from innkeeper.audiences.nodes import ACCOUNT, Expression
from innkeeper.audiences.owners import Owners
from innkeeper.audiences.spoken import Spoken, remember
from innkeeper.audiences.types import MISSING, Accumulator, Condition, Held
from innkeeper.audiences.values import reader
from innkeeper.events.accounts import LEFT, UPDATED
from innkeeper.events.reserved import without_reserved
from innkeeper.events.retention import CARRIED
from innkeeper.events.types import Event
from innkeeper.identity.spans import ALWAYS
from innkeeper.kernel.errors import InternalError
from innkeeper.kernel.json import loads
from innkeeper.kernel.time import FOREVER, Instant

#: Rows of all groups, each group together; *holder* has what is under the identifier, but for the time before anybody
#: had claimed it. kind: 0 an event, 1 the first input of what a holder has, 2 that a holder claims an identifier,
#: 3 that a role in an object is held under an identifier, said at that instant.
HISTORY_SQL: Final = """
WITH had AS (
  SELECT identifier, claimant, ts AS claimed_at, since, until FROM turns WHERE ts <= $until AND identifier <> ''
), joined AS (
  SELECT identifier, min(claimed_at) AS joined_at FROM had GROUP BY identifier
), held AS (
  SELECT coalesce(h.claimant, e.identifier) AS holder, e.identifier, e.ts, e.source, e.message_id, e.name,
    e.properties, e.traits, e.is_input, j.joined_at
  FROM events AS e
  LEFT JOIN had AS h ON h.identifier = e.identifier AND e.ts >= h.since AND e.ts < h.until
  LEFT JOIN joined AS j ON j.identifier = e.identifier
  WHERE e.ts <= $until
), happened AS (
  SELECT holder, identifier, ts, 0 AS kind, joined_at, source, message_id, name, properties, traits, is_input FROM held
  WHERE (is_input AND list_contains($names, name))
    OR (source = 'innkeeper' AND name = 'Facts Carried')
    OR ($traits AND traits <> '{}' AND (is_input OR name = 'Traits Updated'))
  UNION ALL
  SELECT holder, identifier, min(ts), 1, min(joined_at), NULL, NULL, NULL, NULL, NULL, NULL
  FROM held WHERE is_input OR (source = 'innkeeper' AND name = 'Facts Carried') GROUP BY holder, identifier
  UNION ALL
  SELECT claimant, identifier, min(claimed_at), 2, NULL, NULL, NULL, NULL, NULL, NULL, NULL
  FROM had GROUP BY claimant, identifier
  UNION ALL
  SELECT coalesce(h.claimant, t.identifier), t.identifier, t.said, 3, j.joined_at, NULL, NULL, NULL, NULL, NULL, NULL
  FROM (SELECT unnest($told::VARCHAR[]) AS identifier, unnest($said::BIGINT[]) AS said) AS t
  LEFT JOIN had AS h ON h.identifier = t.identifier AND t.said >= h.since AND t.said < h.until
  LEFT JOIN joined AS j ON j.identifier = t.identifier
), person AS (
  SELECT unnest($identifiers::VARCHAR[]) AS holder, unnest($subjects::VARCHAR[]) AS subject
)
SELECT coalesce(person.subject, happened.holder) AS belongs, happened.*
FROM happened LEFT JOIN person ON person.holder = happened.holder
ORDER BY belongs, ts, kind, source, message_id
"""


class Holder(NamedTuple):
    """What a role is held under: an identifier, and the instant of the word that says so."""

    identifier: str
    said: Instant


class Told(NamedTuple):
    """From an instant on a holder has this of an object, or nothing (no roles)."""

    at: Instant
    type: str
    id: str
    held: Held


class Flip(NamedTuple):
    """A profile's membership changed."""

    at: Instant
    subject: str
    member: bool


class History:
    """The question: an expanded expression over a stretch of time.

    *told*: what each holder has of objects, in the order of time; needed when the expression reads objects.
    *accounts*: what accounts were, and the words that make members; needed when it reads them.
    """

    def __init__(
        self, expression: Expression, *, begin: Instant, until: Instant, owners: Owners, zone: str = "UTC",
        merges: Merges = NEWEST, told: Mapping[Holder, Sequence[Told]] | None = None, accounts: Past = NO_ACCOUNTS,
    ) -> None:  # fmt: skip
        self.condition: Condition = compile_live(expression)
        self.begin, self.until, self.zone, self.merges = begin, until, zone, merges
        self.told: Mapping[Holder, Sequence[Told]] = told or {}
        self.accounts = accounts
        self.subjects = owners.subjects(until)
        self.timeline = owners.timeline(until)

    @property
    def parameters(self) -> dict[str, Any]:
        """The values of `HISTORY_SQL`."""
        names = sorted({summary.event for summary in self.condition.accumulators})
        if self.condition.memories:
            names = sorted({*names, *MEMORY_EVENTS})
        if self.accounts.words:
            names = sorted({*names, "Grouped", LEFT, UPDATED})
        return {
            "until": self.until, "names": names, "traits": bool(self.condition.traits),
            "told": [each.identifier for each in self.told], "said": [each.said for each in self.told],
            "identifiers": list(self.subjects), "subjects": list(self.subjects.values()),
        }  # fmt: skip

    def flips(self, rows: Iterable[tuple[Any, ...]]) -> list[Flip]:
        """All changes in (begin, until], sorted by instant and subject, from the rows of `HISTORY_SQL`."""
        found: list[Flip] = []
        for _, group in groupby(rows, key=itemgetter(0)):
            found.extend(self._group(list(group)))
        return sorted(found)

    def _group(self, rows: list[tuple[Any, ...]]) -> Iterator[Flip]:
        parts: dict[tuple[str, str], _Part] = {}
        for _, holder, identifier, ts, kind, joined_at, *rest in rows:
            part = parts.get((holder, identifier))
            if part is None:
                part = parts[holder, identifier] = _Part(holder, identifier, self.timeline.get(holder, []))
            part.take(ts, kind, joined_at, rest)
        for subject in sorted({subject for part in parts.values() for subject in part.subjects()}):
            own = [part for part in parts.values() if subject in part.subjects()]
            yield from _Profile(subject, own, self).flips()


class _Part:
    """What one holder has of one identifier: its events, and whose they are when.

    Attributes:
        joined_at: Until then the identifier stood for itself: nobody had claimed it.
        claimed_at: From when on the identifier is one of the holder's.
        holders: Of what is held under the identifier, that which is the holder's.
        eras: The subjects that the holder is under, each from an instant on; before, its own.
    """

    def __init__(self, holder: str, identifier: str, eras: list[tuple[Instant, str]]) -> None:
        self.holder, self.identifier, self.eras = holder, identifier, eras
        self.events: list[Event] = []
        self.first: Instant = FOREVER
        self.joined_at: Instant = ALWAYS
        self.claimed_at: Instant = ALWAYS if holder == identifier else FOREVER
        self.holders: list[Holder] = []

    def take(self, ts: Instant, kind: int, joined_at: Instant | None, rest: list[Any]) -> None:
        """One row of the history."""
        source, message_id, name, properties, traits, is_input = rest
        if kind == 2:
            self.claimed_at = ts
            return
        if joined_at is not None:
            self.joined_at = joined_at
        if kind == 1:
            self.first = ts
        elif kind == 3:
            self.holders.append(Holder(self.identifier, ts))
        else:
            self.events.append(
                Event(
                    source=source, message_id=message_id, type="track" if is_input else "", name=name, timestamp=ts,
                    received_at=ts, properties=loads(properties), traits=loads(traits),
                )
            )  # fmt: skip

    def subjects(self) -> set[str]:
        """Every subject that it is ever under."""
        return {self.holder, self.identifier, *(subject for _, subject in self.eras)}

    def edges(self) -> list[Instant]:
        """When what it belongs to changes."""
        return [self.first, self.joined_at, self.claimed_at, *(at for at, _ in self.eras)]

    def subject(self, now: Instant) -> str:
        """Whom it belongs to at an instant."""
        return self.identifier if now < self.joined_at else self._person(now)

    def _person(self, now: Instant) -> str:
        return next((subject for at, subject in reversed(self.eras) if at <= now), self.holder)

    def known(self, subject: str, now: Instant) -> bool:
        """Whether a profile is known under the identifier at an instant."""
        return self.claimed_at <= now and self._person(now) == subject


class _Profile:
    """One profile's way through time; what a condition reads of it at the instant it stands at."""

    def __init__(self, subject: str, parts: list[_Part], history: History) -> None:
        self.subject, self.history, self.all = subject, history, parts
        self.now: Instant = history.begin
        self.here: list[_Part] = []
        self.folded: dict[int, dict[str, Any]] = {id(part): {} for part in parts}
        self.said: dict[int, dict[str, Spoken]] = {id(part): {} for part in parts}
        self.kept: dict[int, dict[str, Kept]] = {id(part): {} for part in parts}
        self.held: dict[int, dict[tuple[str, str, Holder], Held]] = {id(part): {} for part in parts}
        self.ties: dict[int, dict[str, Tie]] = {id(part): {} for part in parts}
        self.accounts: list[Held] = []
        self.merged: dict[str, Any] = {}
        self.traits: dict[str, Any] = {}
        self.by_event: dict[str, list[Accumulator]] = {}
        for summary in history.condition.accumulators:
            self.by_event.setdefault(summary.event, []).append(summary)

    def flips(self) -> Iterator[Flip]:
        """The changes of membership after the beginning."""
        begin, until = self.history.begin, self.history.until
        events = sorted(
            ((event, part) for part in self.all for event in part.events), key=lambda pair: pair[0].timestamp
        )
        told = self.history.told
        news = sorted(
            ((each.at, part, holder, each) for part in self.all for holder in part.holders for each in told[holder]),
            key=itemgetter(0),
        )
        kept = self.history.merges.kept
        edges = {edge for part in self.all for edge in part.edges()}
        # A word on a trait with a retention ends at an instant.
        edges |= {event.timestamp + kept[name] for event, _ in events for name in kept.keys() & event.traits.keys()}
        moments = [*(event.timestamp for event, _ in events), *(at for at, *_ in news)]
        past = self.history.accounts
        words = [past.words.get((event.source, event.message_id)) for event, _ in events]
        for account in {word.account for word in words if word is not None}:
            moments += past.moments(account)
        instants = sorted({begin, *(at for at in (*edges, *moments) if begin < at <= until)})
        position, heard, member = 0, 0, False
        for index, instant in enumerate(instants):
            while position < len(events) and events[position][0].timestamp <= instant:
                self.fold(*events[position])
                position += 1
            while heard < len(news) and news[heard][0] <= instant:
                _, part, holder, each = news[heard]
                self.held[id(part)][each.type, each.id, holder] = each.held
                heard += 1
            following = instants[index + 1] if index + 1 < len(instants) else until + 1
            for at, now_member in self.answers(instant, following):
                if now_member is not member and at > begin:
                    yield Flip(at, self.subject, now_member)
                member = now_member

    def answers(self, instant: Instant, following: Instant) -> Iterator[tuple[Instant, bool]]:
        """The answer at an instant and whenever time alone could change it, up to the following one."""
        self.stand(instant)
        if not any(part.first <= instant for part in self.here):
            yield instant, False
            return
        while instant < following:
            holds, recheck = self.history.condition.evaluate(self, instant)
            if recheck <= instant:
                raise InternalError("a condition wants to be asked again in the past", code="recheck-passed")
            yield instant, holds
            instant = recheck

    def fold(self, event: Event, part: _Part) -> None:
        """Take one event."""
        if event.type:
            states = self.folded[id(part)]
            for summary in self.by_event.get(event.name, ()):
                states[summary.key] = summary.add(states.get(summary.key), event)
        elif event.name == CARRIED:
            self.resume(event.properties["accumulators"], self.folded[id(part)])
        if event.name in MEMORY_EVENTS:
            remember(self.kept[id(part)], event)
        word = self.history.accounts.words.get((event.source, event.message_id))
        if word is not None:
            tie = self.ties[id(part)].get(word.account, Tie())
            stamp = (event.timestamp, event.source, event.message_id)
            self.ties[id(part)][word.account] = tie.after(word, stamp)
        said = self.said[id(part)]
        for name, value in without_reserved(event.traits).items():
            said.setdefault(name, Spoken()).take(value, event)

    def resume(self, totals: dict[str, Any], states: dict[str, Any]) -> None:
        """Go on from what raw events that are gone had added up to."""
        for summary in self.history.condition.accumulators:
            total = totals.get(summary.key)
            if total is not None:
                states[summary.key] = summary.merge(states.get(summary.key), summary.resume(total))

    def stand(self, instant: Instant) -> None:
        """Bring together what belongs to the profile at an instant."""
        self.now = instant
        self.here = [part for part in self.all if part.subject(instant) == self.subject]
        self.merged = {}
        self.accounts = self.history.accounts.accounts([self.ties[id(part)] for part in self.here], instant)
        told: dict[str, list[Said]] = {}
        for part in self.here:
            for name, spoken in self.said[id(part)].items():
                if (said := spoken.said(name, instant, self.history.merges)) is not None:
                    told.setdefault(name, []).append(said)
        self.traits = {name: settle(name, said, self.history.merges).value for name, said in told.items()}

    def accumulated(self, accumulator: Accumulator) -> Any:
        """See `FactsReader`."""
        key = accumulator.key
        if key not in self.merged:
            state: Any = None
            for part in self.here:
                state = accumulator.merge(state, self.folded[id(part)].get(key))
            self.merged[key] = state
        return self.merged[key]

    def trait(self, path: tuple[str, ...]) -> Any:
        """See `FactsReader`."""
        return reader(path)(self.traits)

    def memory(self, path: tuple[str, ...]) -> Any:
        """See `FactsReader`."""
        kept = [self.kept[id(part)][path[0]] for part in self.here if path[0] in self.kept[id(part)]]
        found = standing_memory(kept)
        return MISSING if found is None else reader(path)({path[0]: found[0].value})

    def identifier(self, namespace: str) -> str | None:
        """See `FactsReader`."""
        prefix = namespace + ":"
        if self.subject.startswith(prefix):
            return self.subject[len(prefix) :]
        if namespace == "user_id":
            return None
        known = (part.identifier for part in self.all if part.known(self.subject, self.now))
        return min((name[len(prefix) :] for name in known if name.startswith(prefix)), default=None)

    def account(self, path: tuple[str, ...]) -> Any:
        """See `FactsReader`."""
        if not self.accounts:
            return MISSING
        own = self.accounts[0]
        return reader(path)({**own.values, "role": own.roles[0]})

    def stage(self) -> str | None:
        """See `FactsReader`; the expression is expanded, so nobody asks."""
        return None

    def in_audience(self, name: str) -> bool:
        """See `FactsReader`; the expression is expanded, so only audiences of accounts are asked about."""
        return bool(self.accounts) and name in self.accounts[0].audiences

    def zone(self) -> str:
        """See `FactsReader`."""
        return zone_of(self.traits.get("timezone"), self.traits.get("country"), self.history.zone)

    def entry(self, path: tuple[str, ...]) -> Any:
        """See `FactsReader`; there is no entry event outside journeys."""
        return MISSING

    def about(self, parts: tuple[str, ...]) -> Any:
        """See `FactsReader`; there is no enrollment outside journeys."""
        return MISSING

    def objects(self, of: str) -> list[Held]:
        """See `FactsReader`; an object that is held under several identifiers is one."""
        if of == ACCOUNT:
            return self.accounts
        found: dict[str, Held] = {}
        for part in self.here:
            for (type_, id_, _), held in self.held[id(part)].items():
                if type_ == of and held.roles:
                    before = found.get(id_)
                    roles = held.roles if before is None else tuple(sorted({*before.roles, *held.roles}))
                    found[id_] = Held(held.values, roles)
        return list(found.values())
