"""Every change of membership in a stretch of history, exact to the microsecond.

Each profile's events are folded in the order of time with the engine's own accumulators, and asked again exactly when
they say that the answer could change. A group is what can share identifiers: a user, and the anonymous ids that were
linked with that user first. An anonymous id belongs to its user from the instant of the link; when it is linked with a
second user it stands alone again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any, Final, NamedTuple

from innkeeper.audiences.ask import zone_of
from innkeeper.audiences.live import compile_live
from innkeeper.audiences.memories import MEMORY_EVENTS, Kept, standing_memory
from innkeeper.audiences.merges import NEWEST, Merges, Said, settle
from innkeeper.audiences.nodes import Expression
from innkeeper.audiences.spoken import Spoken, remember
from innkeeper.audiences.types import MISSING, Accumulator, Condition, Held
from innkeeper.audiences.values import reader
from innkeeper.events.reserved import without_reserved
from innkeeper.events.retention import CARRIED
from innkeeper.events.types import Event
from innkeeper.kernel.errors import InternalError
from innkeeper.kernel.ids import ANONYMOUS, USER
from innkeeper.kernel.json import loads
from innkeeper.kernel.time import FOREVER, Instant

#: Rows of all groups, each group together. kind: 0 an event, 1 the first input of an identifier, 2 a link.
HISTORY_SQL: Final = """
WITH firsts AS (
  SELECT 'anonymous_id:' || anonymous_id AS identifier, 'user_id:' || arg_min(user_id, row(ts, user_id)) AS owner
  FROM links WHERE ts <= $until GROUP BY anonymous_id
), happened AS (
  SELECT identifier, ts, 0 AS kind, source, message_id, name, properties, traits, is_input, NULL AS linked
  FROM events
  WHERE ts <= $until
    AND ((is_input AND list_contains($names, name))
      OR (source = 'innkeeper' AND name = 'Facts Carried')
      OR ($traits AND traits <> '{}' AND (is_input OR name = 'Traits Updated')))
  UNION ALL
  SELECT identifier, min(ts), 1, NULL, NULL, NULL, NULL, NULL, NULL, NULL
  FROM events WHERE ts <= $until AND (is_input OR (source = 'innkeeper' AND name = 'Facts Carried'))
  GROUP BY identifier
  UNION ALL
  SELECT 'anonymous_id:' || anonymous_id, ts, 2, NULL, NULL, NULL, NULL, NULL, NULL, user_id
  FROM links WHERE ts <= $until
)
SELECT coalesce(firsts.owner, happened.identifier) AS belongs, happened.*
FROM happened LEFT JOIN firsts ON firsts.identifier = happened.identifier
ORDER BY belongs, ts, kind, source, message_id
"""


class Told(NamedTuple):
    """From an instant on an identifier has this of an object, or nothing (no roles)."""

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

    *told*: by identifier, what it has of objects, in the order of time; needed when the expression reads objects.
    """

    def __init__(
        self, expression: Expression, *, begin: Instant, until: Instant, zone: str = "UTC", merges: Merges = NEWEST,
        told: Mapping[str, Sequence[Told]] | None = None,
    ) -> None:  # fmt: skip
        self.condition: Condition = compile_live(expression)
        self.begin, self.until, self.zone, self.merges = begin, until, zone, merges
        self.told: Mapping[str, Sequence[Told]] = told or {}

    @property
    def parameters(self) -> dict[str, Any]:
        """The values of `HISTORY_SQL`."""
        names = sorted({summary.event for summary in self.condition.accumulators})
        if self.condition.memories:
            names = sorted({*names, *MEMORY_EVENTS})
        return {"until": self.until, "names": names, "traits": bool(self.condition.traits)}

    def flips(self, rows: Iterable[tuple[Any, ...]]) -> list[Flip]:
        """All changes in (begin, until], sorted by instant and subject, from the rows of `HISTORY_SQL`."""
        found: list[Flip] = []
        for belongs, group in groupby(rows, key=itemgetter(0)):
            found.extend(self._group(str(belongs), list(group)))
        return sorted(found)

    def _group(self, belongs: str, rows: list[tuple[Any, ...]]) -> Iterator[Flip]:
        identifiers: dict[str, _Identifier] = {}
        for _, identifier, ts, kind, *rest in rows:
            if identifier not in identifiers:
                identifiers[identifier] = _Identifier(identifier)
            identifiers[identifier].take(ts, kind, rest)
        for one in identifiers.values():
            one.settle()
        for subject in sorted({*identifiers, belongs}):
            own = [one for one in identifiers.values() if one.name == subject or subject == belongs]
            yield from _Profile(subject, own, self).flips()


class _Identifier:
    """One identifier's events, and when it belongs to whom."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.events: list[Event] = []
        self.first: Instant = FOREVER
        self.links: dict[str, Instant] = {}
        self.joins: Instant = FOREVER
        self.leaves: Instant = FOREVER

    def take(self, ts: Instant, kind: int, rest: list[Any]) -> None:
        """One row of the history."""
        source, message_id, name, properties, traits, is_input, linked = rest
        if kind == 1:
            self.first = ts
        elif kind == 2:
            self.links.setdefault(linked, ts)
        else:
            self.events.append(
                Event(
                    source=source, message_id=message_id, type="track" if is_input else "", name=name, timestamp=ts,
                    received_at=ts, properties=loads(properties), traits=loads(traits),
                )
            )  # fmt: skip

    def settle(self) -> None:
        """Find out when it joins its user and when it leaves again; all rows have been taken."""
        instants = sorted(self.links.values())
        if instants:
            self.joins = instants[0]
            self.leaves = instants[1] if len(instants) > 1 else FOREVER

    def belongs(self, subject: str, now: Instant) -> bool:
        """Whether it is the subject's at an instant."""
        if self.name.startswith(USER):
            return True
        joined = self.joins <= now < self.leaves
        return joined if subject != self.name else not joined


class _Profile:
    """One profile's way through time; what a condition reads of it at the instant it stands at."""

    def __init__(self, subject: str, identifiers: list[_Identifier], history: History) -> None:
        self.subject, self.history = subject, history
        self.all = identifiers
        self.here: list[_Identifier] = []
        self.folded: dict[str, dict[str, Any]] = {one.name: {} for one in identifiers}
        self.said: dict[str, dict[str, Spoken]] = {one.name: {} for one in identifiers}
        self.kept: dict[str, dict[str, Kept]] = {one.name: {} for one in identifiers}
        self.merged: dict[str, Any] = {}
        self.traits: dict[str, Any] = {}
        self.held: dict[str, dict[tuple[str, str], Held]] = {one.name: {} for one in identifiers}
        self.by_event: dict[str, list[Accumulator]] = {}
        for summary in history.condition.accumulators:
            self.by_event.setdefault(summary.event, []).append(summary)

    def flips(self) -> Iterator[Flip]:
        """The changes of membership after the beginning."""
        begin, until = self.history.begin, self.history.until
        events = sorted(
            ((event, one.name) for one in self.all for event in one.events), key=lambda pair: pair[0].timestamp
        )
        news = sorted(
            ((each.at, one.name, each) for one in self.all for each in self.history.told.get(one.name, ())),
            key=itemgetter(0),
        )
        edges = {edge for one in self.all for edge in (one.first, one.joins, one.leaves) if begin < edge <= until}
        moments = [*(event.timestamp for event, _ in events), *(at for at, _, _ in news)]
        instants = sorted({begin, *edges, *(at for at in moments if begin < at <= until)})
        position, heard, member = 0, 0, False
        for index, instant in enumerate(instants):
            while position < len(events) and events[position][0].timestamp <= instant:
                self.fold(*events[position])
                position += 1
            while heard < len(news) and news[heard][0] <= instant:
                _, name, each = news[heard]
                self.held[name][each.type, each.id] = each.held
                heard += 1
            following = instants[index + 1] if index + 1 < len(instants) else until + 1
            for at, now_member in self.answers(instant, following):
                if now_member is not member and at > begin:
                    yield Flip(at, self.subject, now_member)
                member = now_member

    def answers(self, instant: Instant, following: Instant) -> Iterator[tuple[Instant, bool]]:
        """The answer at an instant and whenever time alone could change it, up to the following one."""
        self.stand(instant)
        if not any(one.first <= instant for one in self.here):
            yield instant, False
            return
        while instant < following:
            holds, recheck = self.history.condition.evaluate(self, instant)
            if recheck <= instant:
                raise InternalError("a condition wants to be asked again in the past", code="recheck-passed")
            yield instant, holds
            instant = recheck

    def fold(self, event: Event, identifier: str) -> None:
        """Take one event of one identifier."""
        if event.type:
            states = self.folded[identifier]
            for summary in self.by_event.get(event.name, ()):
                states[summary.key] = summary.add(states.get(summary.key), event)
        elif event.name == CARRIED:
            self.resume(event.properties["accumulators"], self.folded[identifier])
        if event.name in MEMORY_EVENTS:
            remember(self.kept[identifier], event)
        said = self.said[identifier]
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
        self.here = [one for one in self.all if one.belongs(self.subject, instant)]
        self.merged = {}
        told: dict[str, list[Said]] = {}
        for one in self.here:
            for name, spoken in self.said[one.name].items():
                told.setdefault(name, []).append(spoken.said())
        self.traits = {name: settle(name, said, self.history.merges).value for name, said in told.items()}

    def accumulated(self, accumulator: Accumulator) -> Any:
        """See `FactsReader`."""
        key = accumulator.key
        if key not in self.merged:
            state: Any = None
            for one in self.here:
                state = accumulator.merge(state, self.folded[one.name].get(key))
            self.merged[key] = state
        return self.merged[key]

    def trait(self, path: tuple[str, ...]) -> Any:
        """See `FactsReader`."""
        return reader(path)(self.traits)

    def memory(self, path: tuple[str, ...]) -> Any:
        """See `FactsReader`."""
        kept = [self.kept[one.name][path[0]] for one in self.here if path[0] in self.kept[one.name]]
        found = standing_memory(kept)
        return MISSING if found is None else reader(path)({path[0]: found[0].value})

    def identifier(self, namespace: str) -> str | None:
        """See `FactsReader`."""
        if namespace == "user_id":
            return self.subject[len(USER) :] if self.subject.startswith(USER) else None
        own = [one.name[len(ANONYMOUS) :] for one in self.here if one.name.startswith(ANONYMOUS)]
        return min(own, default=None) if namespace == "anonymous_id" else None

    def account(self, path: tuple[str, ...]) -> Any:
        """See `FactsReader`; `runtime/audience.py` refuses what reads accounts."""
        return MISSING

    def stage(self) -> str | None:
        """See `FactsReader`; the expression is expanded, so nobody asks."""
        return None

    def in_audience(self, name: str) -> bool:
        """See `FactsReader`; the expression is expanded, so nobody asks."""
        return False

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
        found: dict[str, Held] = {}
        for one in self.here:
            for (type_, id_), held in self.held[one.name].items():
                if type_ == of and held.roles:
                    before = found.get(id_)
                    roles = held.roles if before is None else tuple(sorted({*before.roles, *held.roles}))
                    found[id_] = Held(held.values, roles)
        return list(found.values())
