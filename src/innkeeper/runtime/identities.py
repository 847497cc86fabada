"""What each new piece of evidence changes in who is who: as little as it can, and the same in any order.

What evidence means is pure (`identity/`); what is stored is read by `identity_reading.py`. An event without new
evidence costs nothing here. What a change does to the profiles is `moving.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from innkeeper.events.types import Event
from innkeeper.identity.evidence import Evidence
from innkeeper.identity.namespaces import IdentityRules
from innkeeper.identity.persons import Persons, resolve
from innkeeper.identity.spans import ALWAYS, Turn, before, is_new, put, turns_of, within_limit
from innkeeper.kernel.ids import USER
from innkeeper.kernel.time import Instant
from innkeeper.runtime.identity_reading import BondKey, IdentityReader
from innkeeper.store.identity import IdentityTables, Pair

Key = tuple[Instant, str, str, str]


@dataclass(slots=True)
class Change:
    """What an event changes.

    Attributes:
        subjects: The profiles that it concerns.
        identifiers: What may belong elsewhere now.
        evidence: Why.
        apart: The profiles that came apart of each other, once they have been moved (`moving.py`).
    """

    subjects: set[str] = field(default_factory=set)
    identifiers: set[str] = field(default_factory=set)
    evidence: list[Evidence] = field(default_factory=list)
    apart: set[str] = field(default_factory=set)


class Identities(IdentityReader):
    """Who is who, kept up to date as events are taken.

    Args:
        tables, rules: See `IdentityReader`.
        recall: All claims on an identifier that have been taken, from the log.
        last: When a claimant claimed an identifier last, as far as that is known.
    """

    def __init__(
        self,
        tables: IdentityTables,
        rules: IdentityRules,
        *,
        recall: Callable[[str], Iterable[Evidence]],
        last: Callable[[str, str], Instant | None],
    ) -> None:
        super().__init__(tables, rules)
        self._recall, self._last = recall, last
        self._saying: tuple[Evidence, ...] = ()
        #: The pairs that the event taken last was the first to claim.
        self.first_claims: set[tuple[str, str]] = set()

    def touched(self, event: Event) -> set[str]:
        """Every subject that taking an event may change."""
        subjects = {self.owner(event.identifier, event.timestamp)}
        for each in self.evidence(event):
            if not self.in_spans(each.a):
                if self._is_new_bond(each):
                    subjects.update(self.subject(one) for one in self._concerned(each))
            elif self._is_new_claim(each):
                subjects |= {self.owner(each.a, ALWAYS), self.subject(each.b)}
                subjects.update(self.subject(turn.claimant) for turn in self._turns[each.a])
                if self._displaces(each):
                    subjects |= self._rivals(each.b)
        return subjects

    def parts(self, word: Evidence) -> bool:
        """Whether a word that takes a link away is news, and the link holds."""
        known = self._word(word.pair)
        if known is not None and known.key >= word.key:
            return False
        if self.in_spans(word.a):
            return any(turn.claimant == word.b and not turn.reason for turn in self._of(word.a))
        return any(not bond.reason for bond in self.tables.bonds([word.pair, word.pair[::-1]]))

    # Taking

    def take(self, event: Event) -> Change | None:
        """Take what an event says; what it changes, None for nothing."""
        change: Change | None = None
        self._saying = self.evidence(event)
        self.first_claims.clear()
        for each in self._saying:
            in_spans = self.in_spans(each.a)
            if not (self._is_new_claim(each) if in_spans else self._is_new_bond(each)):
                continue
            change = change or Change()
            change.evidence.append(each)
            reworded = each.kind in ("added", "removed") and self._say(each)
            if in_spans:
                self._claim(each, change, reworded)
            else:
                self._bond(each, change, reworded)
        return change

    def _say(self, word: Evidence) -> bool:
        """Note an explicit word; whether it changes what holds of the pair."""
        known = self._word(word.pair)
        if known is not None and known.key >= word.key:
            return False
        self._said[word.pair] = self._dirty_words[word.pair] = word
        return known is None or known.kind != word.kind

    def _word(self, pair: Pair) -> Evidence | None:
        if pair not in self._said and self._has["words"]:
            word = self.tables.word(pair)
            if word is not None:
                self._said[pair] = word
        return self._said.get(pair)

    def _removed(self, pair: Pair) -> bool:
        word = self._word(pair)
        return word is not None and word.kind == "removed"

    # Claims

    def _is_new_claim(self, claim: Evidence) -> bool:
        if claim.kind in ("added", "removed"):
            word = self._word(claim.pair)
            return word is None or word.key < claim.key or (claim.kind == "added" and is_new(self._of(claim.a), claim))
        return is_new(self._of(claim.a), claim)

    def _of(self, identifier: str) -> list[Turn]:
        if identifier not in self._turns:
            self.know([identifier])
        return self._turns[identifier]

    def _claim(self, claim: Evidence, change: Change, reworded: bool) -> None:
        identifier, claimant = claim.a, claim.b
        turns = self._of(identifier)
        change.identifiers.add(identifier)
        change.subjects |= {self.owner(identifier, ALWAYS), identifier, self.subject(claimant)}
        change.subjects.update(self.subject(turn.claimant) for turn in turns)
        known = [turn for turn in turns if turn.claimant == claimant]
        earlier = bool(known) and (*claim.key, claim.b) < known[0].key
        if claim.kind != "removed" and is_new(turns, claim):
            displaces, late = not known and self._displaces(claim), not known and self._too_late(claim)
            self._put(turns, claim, known[0].reason if known else "limit" if late else "")
            self._mark(identifier)
            if not known:
                self.first_claims.add((identifier, claimant))
                if self._removed(claim.pair):
                    self._judge(identifier, claimant, "removed")
                elif displaces:
                    self._limit(claimant, identifier.partition(":")[0], change)
        if reworded:
            self._judge(identifier, claimant, "removed" if claim.kind == "removed" else "")
        if reworded or earlier:
            self._limit(claimant, identifier.partition(":")[0], change)

    def _put(self, turns: list[Turn], claim: Evidence, reason: str) -> None:
        last = before(turns, claim)
        if last is not None:
            until = self._last(last.claimant, claim.a)
            if until is None or until >= claim.at:
                # It may fall into a stretch that its owner claimed again: only the log has all claims.
                reasons = {turn.claimant: turn.reason for turn in turns} | {claim.b: reason}
                said = [each for each in self._saying if each.a == claim.a and each.kind != "removed" and each <= claim]
                made = turns_of([*self._recall(claim.a), *said])
                turns[:] = [turn._replace(reason=reasons.get(turn.claimant, "")) for turn in made]
                return
        put(turns, claim, reason)

    def _judge(self, identifier: str, claimant: str, reason: str) -> None:
        turns = self._of(identifier)
        turns[:] = [turn._replace(reason=reason) if turn.claimant == claimant else turn for turn in turns]
        self._mark(identifier)

    def _full(self, claim: Evidence) -> bool:
        """Whether a claimant has as many of a namespace as it may."""
        namespace = claim.a.partition(":")[0]
        limit = self.rules.limit(namespace)
        asked = (claim.b, namespace)
        if asked not in self._counts:
            self._counts[asked] = self.tables.count_claimed(*asked)
        known = self._counts[asked] + len(self._changed_by.get(claim.b, ()))
        return known >= limit and len(self._accepted(claim)) >= limit

    def _accepted(self, claim: Evidence) -> list[tuple[Key, str]]:
        """What a claimant has of a namespace, and when it was first claimed."""
        prefix = claim.a.partition(":")[0] + ":"
        own = self.claimed(claim.b, counting=True).items()
        return [(min(turns).key, name) for name, turns in own if name.startswith(prefix)]

    def _too_late(self, claim: Evidence) -> bool:
        """Whether a new claim comes after as many as its claimant may have."""
        return self._full(claim) and ((*claim.key, claim.b), claim.a) > max(self._accepted(claim))

    def _displaces(self, claim: Evidence) -> bool:
        """Whether a new claim comes before one that will be too many then."""
        return self._full(claim) and ((*claim.key, claim.b), claim.a) < max(self._accepted(claim))

    def _limit(self, claimant: str, namespace: str, change: Change) -> None:
        """Judge again which identifiers of a namespace one may claim: the first ones, as many as the limit allows."""
        own = {
            name: min(turns)
            for name, turns in self.claimed(claimant).items()
            if name.startswith(namespace + ":") and turns[0].reason != "removed"
        }
        too_many = within_limit(((turn.key, name) for name, turn in own.items()), self.rules.limit(namespace))
        for name, turn in own.items():
            reason = "limit" if name in too_many else ""
            if turn.reason != reason:
                self._of(name)
                change.identifiers.add(name)
                change.subjects.update({name, self.owner(name, ALWAYS)})
                change.subjects.update(self.subject(each.claimant) for each in self._of(name))
                self._judge(name, claimant, reason)

    def _rivals(self, claimant: str) -> set[str]:
        """Whoever else has, or would have, what one claims."""
        found: set[str] = set()
        names = list(self.claimed(claimant))
        self.know(names)
        for name in names:
            found.update((name, *(self.subject(turn.claimant) for turn in self._turns[name])))
        return found

    # Bonds

    def _is_new_bond(self, bond: Evidence) -> bool:
        if bond.kind in ("added", "removed"):
            word = self._word(bond.pair)
            if word is None or word.key < bond.key:
                return True
            if bond.kind == "removed":
                return False
        known = self._bonds.get((bond.a, bond.b, bond.kind))
        return known is None or bond.key < known.key

    def _concerned(self, bond: Evidence) -> set[str]:
        """The identifiers whose person a new bond may change."""
        mine = {*self.members(self.subject(bond.a)), *self.members(self.subject(bond.b))}
        fresh = (bond.a, bond.b, bond.kind) not in self._bonds and bond.kind not in ("added", "removed")
        return mine if fresh and self._in_order(bond, mine) else self._closure(mine)

    def _bond(self, bond: Evidence, change: Change, reworded: bool) -> None:
        if bond.kind == "removed" and not reworded:
            return
        mine = self._concerned(bond)
        known = self._bonds.get((bond.a, bond.b, bond.kind))
        fresh = known is None and not reworded
        if bond.kind != "removed" and (known is None or bond.key < known.key):
            reason = "removed" if self._removed(bond.pair) else ""
            self._keep(bond._replace(reason=reason))
            if reason and not reworded:
                return
        if fresh and bond.kind != "added" and self._in_order(bond, mine):
            persons = self._persons(mine, besides=bond)
            if reason := persons.take(bond, self.rules):
                self._keep(bond._replace(reason=reason))
                return
        else:
            persons = self._resolve(mine)
        self._rename(mine, persons, change)

    def _in_order(self, bond: Evidence, members: Iterable[str]) -> bool:
        """Whether a bond comes after all others that touch some identifiers."""
        own, newest = (bond.a, bond.b, bond.kind), ALWAYS
        for each in members:
            if any(key != own and self._dirty_bonds[key] > bond for key in self._touched.get(each, ())):
                return False
            if self._has["bonds"] and (at := self.tables.newest_bond(each)) is not None:
                newest = max(newest, at)
        return newest < bond.at

    def _touching(self, identifiers: Iterable[str]) -> list[Evidence]:
        """All bonds that touch some identifiers, with what this tick has made of them."""
        wanted = set(identifiers)
        found: dict[BondKey, Evidence] = {}
        if self._has["bonds"]:
            found = {(each.a, each.b, each.kind): each for each in self.tables.bonds_of(wanted)}
        for each in wanted:
            found |= {key: self._dirty_bonds[key] for key in self._touched.get(each, ())}
        return list(found.values())

    def _closure(self, identifiers: Iterable[str]) -> set[str]:
        """Everything that bonds connect with some identifiers, whether they count or not."""
        fresh, found = set(identifiers), set[str]()
        while fresh:
            found |= fresh
            fresh = {each for bond in self._touching(fresh) for each in (bond.a, bond.b)} - found
        return found

    def _resolve(self, identifiers: set[str]) -> Persons:
        bonds = self._touching(identifiers)
        if self._has["words"]:
            for pair, word in self.tables.words(identifiers).items():
                self._said.setdefault(pair, word)
        words = {pair: word.kind == "added" for pair, word in self._said.items()}
        bare = [each._replace(reason="") for each in bonds]
        persons = resolve(bare, words, self.rules)
        reasons = dict(persons.refused)
        for old, new in zip(bonds, bare, strict=True):
            reason = reasons.get(new, "")
            if old.reason != reason:
                self._keep(new._replace(reason=reason))
        return persons

    def _persons(self, members: set[str], besides: Evidence) -> Persons:
        """The persons that are among some identifiers now, but for one bond."""
        groups: dict[str, list[str]] = {}
        for each in sorted(members):
            groups.setdefault(self.subject(each), []).append(each)
        users = {each for each in members if each.startswith(USER)}
        stored = self.tables.aliases(users) if self._has["bonds"] else []
        aliases = [each for each in stored if (each.a, each.b, each.kind) not in self._dirty_bonds]
        aliases += [self._dirty_bonds[key] for each in users for key in self._touched.get(each, ())]
        renamed = {each.a: each.b for each in aliases if each.kind == "alias" and not each.reason and each != besides}
        return Persons.of(groups.values(), renamed)

    def _keep(self, bond: Evidence) -> None:
        key = (bond.a, bond.b, bond.kind)
        self._bonds[key] = self._dirty_bonds[key] = bond
        for each in (bond.a, bond.b):
            self._touched.setdefault(each, set()).add(key)

    def _rename(self, identifiers: set[str], persons: Persons, change: Change) -> None:
        """Give identifiers the subjects that came of it."""
        before = {each: self.subject(each) for each in identifiers}
        after = {each: persons.subject(each) for each in identifiers}
        moved = {each for each in identifiers if before[each] != after[each]}
        groups: dict[str, list[str]] = {subject: [] for subject in before.values()}
        for each in sorted(identifiers):
            groups.setdefault(after[each], []).append(each)
            self._subjects[each] = after[each]
            self._dirty_persons.add(each)
        self._members |= groups
        for each in sorted(moved):
            change.subjects |= {before[each], after[each]}
            change.identifiers |= {each, *self.claimed(each)}
