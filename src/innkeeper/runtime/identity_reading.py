"""Who is who, as a tick sees it: what is stored, read in a few look-ups, with what the tick has changed laid over it.

Everything that a tick may ask is read before it begins. What an event changes is `identities.py`; what is stored is
`store/identity.py`.
"""

from __future__ import annotations

from collections.abc import Iterable

from innkeeper.events.types import Event
from innkeeper.identity.evidence import Evidence, evidence_of
from innkeeper.identity.namespaces import IdentityRules
from innkeeper.identity.spans import Span, Turn, owner_at, spans
from innkeeper.kernel.time import Instant
from innkeeper.store.identity import IdentityTables, Pair

#: A bond's two identifiers and its kind.
BondKey = tuple[str, str, str]


class IdentityReader:
    """Who is who, as of everything that was taken.

    Args:
        tables: The stored state; it is only read until `write`.
        rules: The rules in force.
    """

    def __init__(self, tables: IdentityTables, rules: IdentityRules) -> None:
        self.tables = tables
        self.adopt(rules)

    def adopt(self, rules: IdentityRules) -> None:
        """Go by these rules from now on."""
        self.rules = rules
        self._spans_owned = tuple(name + ":" for name, each in rules.namespaces.items() if each.owner == "spans")
        self.forget()

    def forget(self) -> None:
        """Begin a tick: nothing is known but what is stored."""
        self._turns: dict[str, list[Turn]] = {}
        self._stretches: dict[str, list[Span]] = {}
        self._stored: dict[str, list[Turn]] = {}
        self._bonds: dict[BondKey, Evidence | None] = {}
        self._said: dict[Pair, Evidence] = {}
        self._subjects: dict[str, str] = {}
        self._members: dict[str, list[str]] = {}
        self._evidence: dict[int, tuple[Event, tuple[Evidence, ...]]] = {}
        self._changed: set[str] = set()
        self._changed_by: dict[str, set[str]] = {}
        self._counts: dict[tuple[str, str], int] = {}
        self._dirty_bonds: dict[BondKey, Evidence] = {}
        self._touched: dict[str, set[BondKey]] = {}
        self._dirty_words: dict[Pair, Evidence] = {}
        self._dirty_persons: set[str] = set()
        self._has = {table: self.tables.any(table) for table in ("bonds", "words", "persons")}

    # Asking

    def load(self, events: Iterable[Event]) -> None:
        """Read what taking some events may ask."""
        wanted: set[str] = set()
        people: set[str] = set()
        pairs: set[Pair] = set()
        for event in events:
            identifier = event.identifier
            (wanted if self.in_spans(identifier) else people).add(identifier)
            for each in self.evidence(event):
                people.add(each.b)
                if self.in_spans(each.a):
                    wanted.add(each.a)
                else:
                    people.add(each.a)
                    pairs.add((each.a, each.b))
        self.know(wanted)
        self.know(people)
        if pairs:
            self._know_bonds(pairs)

    def know(self, identifiers: Iterable[str]) -> None:
        """Read the turns of span-owned identifiers and the persons of the others, and of who claims them."""
        asked = set(identifiers)
        fresh = [each for each in asked if self.in_spans(each) and each not in self._turns]
        if fresh:
            found = self.tables.turns(fresh)
            for each in fresh:
                self._turns[each] = found.get(each, [])
                self._stored[each] = list(self._turns[each])
        people = {each for each in asked if not self.in_spans(each)}
        people.update(turn.claimant for each in fresh for turn in self._turns[each])
        unknown = people - self._subjects.keys()
        if unknown:
            found_people = self.tables.persons(unknown) if self._has["persons"] else {}
            for each in unknown:
                self._subjects[each] = found_people.get(each, each)

    def evidence(self, event: Event) -> tuple[Evidence, ...]:
        """What an event says that may count."""
        known = self._evidence.get(id(event))
        if known is None:
            found = evidence_of(event, self.rules)
            if found:
                found = tuple(sorted(each for each in found if not each.reason))
            self._evidence[id(event)] = known = (event, found)
        return known[1]

    def in_spans(self, identifier: str) -> bool:
        """Whether an identifier is owned in spans."""
        return identifier.startswith(self._spans_owned)

    def subject(self, identifier: str) -> str:
        """The name of the profile of a person's identifier."""
        if identifier not in self._subjects:
            self.know([identifier])
        return self._subjects[identifier]

    def stretches(self, identifier: str) -> list[Span]:
        """Who has a span-owned identifier when; by subject, covering all of time. Empty: it is its own."""
        if identifier not in self._stretches:
            if identifier not in self._turns:
                self.know([identifier])
            self._stretches[identifier] = spans(self._turns[identifier])
        return [span._replace(claimant=self.subject(span.claimant)) for span in self._stretches[identifier]]

    def owner(self, identifier: str, at: Instant) -> str:
        """The subject that what was made under an identifier at an instant belongs to."""
        if not self.in_spans(identifier):
            return self.subject(identifier)
        claimant = self._claimant(identifier, at)
        return identifier if claimant is None else self.subject(claimant)

    def holder(self, identifier: str, at: Instant) -> str:
        """The identifier of a person that had another one at an instant; one that nobody has is its own holder."""
        return (self._claimant(identifier, at) if self.in_spans(identifier) else None) or identifier

    def _claimant(self, identifier: str, at: Instant) -> str | None:
        if identifier not in self._stretches:
            self.stretches(identifier)
        return owner_at(self._stretches[identifier], at)

    def members(self, subject: str) -> list[str]:
        """The identifiers that are one person under a subject."""
        if subject not in self._members:
            found = self.tables.members([subject]).get(subject) if self._has["persons"] else None
            self._members[subject] = found or [subject]
        return self._members[subject]

    def claimed(self, claimant: str, *, counting: bool = False) -> dict[str, list[Turn]]:
        """The turns of one claimant by identifier, whether they count or not; *counting*: only those that do."""
        found: dict[str, list[Turn]] = {}
        for identifier, turn in self.tables.claimed(claimant, counting=counting):
            if identifier not in self._changed:
                found.setdefault(identifier, []).append(turn)
        for identifier in sorted(self._changed_by.get(claimant, ())):
            own = [turn for turn in self._turns[identifier] if turn.claimant == claimant]
            if own and not (counting and own[0].reason):
                found[identifier] = own
        return found

    def identifiers(self, subject: str) -> list[str]:
        """Everything that a profile is known as: who is one person, and what they claim."""
        found = set() if self.in_spans(subject) else set(self.members(subject))
        for member in sorted(found):
            found.update(name for name, turns in self.claimed(member).items() if not turns[0].reason)
        return sorted(found | {subject})

    def _know_bonds(self, pairs: Iterable[Pair]) -> None:
        if self._has["bonds"]:
            for bond in self.tables.bonds(pairs):
                self._bonds.setdefault((bond.a, bond.b, bond.kind), bond)

    def _mark(self, identifier: str) -> None:
        """Note that the turns of an identifier are not as they are stored."""
        self._changed.add(identifier)
        self._stretches.pop(identifier, None)
        for turn in self._turns[identifier]:
            self._changed_by.setdefault(turn.claimant, set()).add(identifier)

    # Writing

    def write(self) -> None:
        """Write what this tick has changed, in its transaction."""
        for identifier in sorted(self._changed):
            turns = self._turns[identifier]
            if turns != self._stored[identifier]:
                self.tables.replace_turns(identifier, self._stored[identifier], turns)
                self._stored[identifier] = list(turns)
        self.tables.put_bonds(self._dirty_bonds.values())
        self.tables.put_words(self._dirty_words.items())
        self.tables.put_persons(
            (each, self._subjects[each] if len(self.members(self._subjects[each])) > 1 else None)
            for each in sorted(self._dirty_persons)
        )
        for name, rows in (
            ("bonds", self._dirty_bonds), ("words", self._dirty_words), ("persons", self._dirty_persons),
        ):  # fmt: skip
            self._has[name] = self._has[name] or bool(rows)
        self._dirty_bonds, self._dirty_words, self._dirty_persons, self._touched = {}, {}, set(), {}
