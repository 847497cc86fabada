"""What a change of who is who does to the profiles: parts come apart, move, and join.

Facts and process entries are handed over as they are, under the identifiers that they were made under; only where one
stretch of a browser's facts has to be divided are they made anew from the log. Called by `engine.py` when
`identities.py` says that an event changes something.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING

from innkeeper import lifecycle
from innkeeper.events.types import Event
from innkeeper.identity.spans import ALWAYS
from innkeeper.kernel.time import FOREVER, Instant
from innkeeper.profiles.copies import Role, roles
from innkeeper.profiles.state import Enrollment, Facts, ProfileState, used_owner
from innkeeper.profiles.transfer import contents, join, runs, split
from innkeeper.runtime.identities import Change
from innkeeper.store.identity import Merge
from innkeeper.store.projections import Move

if TYPE_CHECKING:
    from innkeeper.runtime.engine import Engine


def move(engine: Engine, change: Change, now: Instant, *, announce: bool) -> set[str]:
    """Bring the profiles that a change concerns to what holds now; the subjects that came apart, on both sides.

    This is the one place where identifiers are taken apart. What only the profile that they were together has brought
    about stays as it is here.
    """
    moving = _Moving(engine, change, now, announce)
    moving.run()
    return moving.apart


class _Moving:
    def __init__(self, engine: Engine, change: Change, now: Instant, announce: bool) -> None:
        self.engine, self.change, self.announce = engine, change, announce
        self.identities = engine.identities
        engine.fetch(change.subjects)
        self.identities.know(change.identifiers)
        self.states = {name: engine.cache[name] for name in sorted(change.subjects) if name in engine.cache}
        self.at = max([now, *(state.last_at for state in self.states.values())])
        self.pieces: dict[str, list[ProfileState]] = {}
        #: Identifiers whose facts were made anew: what else was made under them goes by its instant.
        self.divided: set[str] = set()
        #: The subjects that are not as they were, with the audiences that they were in together with others.
        self.disturbed: dict[str, set[str]] = {}
        self.gone: dict[str, list[Enrollment]] = {}
        self.apart: set[str] = set()

    def run(self) -> None:
        """Take apart what has to be, join what belongs together, and let those look again that are not as they were."""
        made = self._make_anew()
        for name, state in self.states.items():
            self._take_apart(name, state)
        for subject in sorted(self.pieces):
            for piece in self.pieces[subject]:
                self._join(subject, piece)
        used = self._used(made)
        for (subject, identifier), facts in made.items():
            state = self.engine.state_of(subject)
            state.facts[identifier] = facts
            state.used |= used.get(identifier, {})
            self.disturbed.setdefault(subject, set())
        names = sorted(self.change.subjects | self.disturbed.keys())
        present = [self.engine.cache[name] for name in names if name in self.engine.cache]
        for state in present:
            self._give_back_numbers(state)
        for state in present:
            self._settle(state)

    def _used(self, made: Iterable[tuple[str, str]]) -> dict[str, dict[str, int]]:
        """By identifier whose facts were made anew, the names that a revision has used up."""
        found: dict[str, dict[str, int]] = {identifier: {} for _, identifier in made}
        for state in self.states.values():
            for name, number in state.used.items():
                if used_owner(name) in found:
                    found[used_owner(name)][name] = number
        return found

    def _owner(self, identifier: str, at: Instant, here: str) -> str:
        return self.identities.owner(identifier, at) if identifier in self.change.identifiers else here

    def _targets(self, identifier: str, facts: Facts) -> set[str]:
        """Whose a profile's facts of a span-owned identifier are now."""
        stretches = self.identities.stretches(identifier)
        owners = {span.claimant for span in stretches if span.since <= facts.last and span.until > facts.since}
        return owners or {identifier}

    # Facts

    def _make_anew(self) -> dict[tuple[str, str], Facts]:
        """Make the facts anew that cannot be handed over whole; by subject and identifier."""
        made: dict[tuple[str, str], Facts] = {}
        for identifier in sorted(self.change.identifiers):
            if not self.identities.in_spans(identifier):
                continue
            holders = [(name, state) for name, state in self.states.items() if identifier in state.facts]
            targets = [self._targets(identifier, state.facts[identifier]) for _, state in holders]
            if sum(map(len, targets)) == len(set().union(*targets)) and all(len(each) == 1 for each in targets):
                continue
            for name, state in holders:
                del state.facts[identifier]
                self.disturbed.setdefault(name, set())
            made |= self._from_the_log(identifier)
            self.divided.add(identifier)
            self._restate(identifier)
            for name, _ in holders:
                for subject in sorted(set().union(*targets) - {name}):
                    self._move_rows(name, subject, identifier)
        return made

    def _restate(self, identifier: str) -> None:
        """Have the words written anew of everybody who has had an identifier."""
        self.engine.fetch(span.claimant for span in self.identities.stretches(identifier))
        self.engine.pending.restated[identifier] = self.at

    def _from_the_log(self, identifier: str) -> dict[tuple[str, str], Facts]:
        by_owner: dict[str, list[Event]] = {}
        for event in self.engine.identification.recall([identifier]):
            by_owner.setdefault(self.identities.owner(identifier, event.timestamp), []).append(event)
        found = {(owner, identifier): lifecycle.remade(events, self.engine.world) for owner, events in by_owner.items()}
        return {key: facts for key, facts in found.items() if facts is not None}

    # Profiles

    def _take_apart(self, name: str, state: ProfileState) -> None:
        home = self._owner(name, ALWAYS, name)
        goes, role_goes = self._destinations(state, home), partial(self._holder, here=home)
        run_goes = partial(self._owner, here=home)
        found = {goes(*each) for each in contents(state)} | {run_goes(*each) for each in runs(state)}
        found |= {role_goes(each) for each in roles(state)}
        for subject in sorted(found - {home}):
            self._release(state, subject, goes, run_goes, role_goes)
        self.engine.identification.tell_since_when(state, self.change.identifiers)
        if home != name:
            del self.engine.cache[name]
            self.disturbed.pop(name, None)
            self.pieces.setdefault(home, []).append(state)

    def _destinations(self, state: ProfileState, home: str) -> Callable[[str, Instant], str]:
        """Where facts and memberships go. Under a browser these go with its facts, if they are whole."""
        with_facts = {
            identifier: self._owner(identifier, facts.since, home)
            for identifier, facts in state.facts.items()
            if identifier not in self.divided
        }

        def goes(identifier: str, at: Instant) -> str:
            return with_facts.get(identifier) or self._owner(identifier, at, home)

        return goes

    def _holder(self, role: Role, here: str) -> str:
        return self.engine.identification.holder(role) if role.identifier in self.change.identifiers else here

    def _release(
        self,
        state: ProfileState,
        subject: str,
        goes: Callable[[str, Instant], str],
        run_goes: Callable[[str, Instant], str],
        role_goes: Callable[[Role], str],
    ) -> None:
        members = set(state.memberships)
        apart = split(
            state, subject, lambda identifier, at: goes(identifier, at) == subject,
            lambda identifier, at: run_goes(identifier, at) == subject,
            lambda role: role_goes(role) == subject, self.at,
        )  # fmt: skip
        self.engine.identification.tell_since_when(apart, self.change.identifiers)
        for each in (state.subject, subject):
            self.disturbed.setdefault(each, set()).update(members)
        self._note("apart", state.subject, subject)
        self.apart |= {state.subject, subject}
        made = {identifier for identifier, _ in (*contents(apart), *runs(apart))}
        held = {each.identifier for each in roles(apart)}
        for identifier in sorted(self.change.identifiers | made | held):
            self._move_rows(state.subject, subject, identifier)
        self.pieces.setdefault(subject, []).append(apart)

    def _move_rows(self, before: str, after: str, identifier: str) -> None:
        moves = self.engine.pending.moves
        if not self.identities.in_spans(identifier):
            if self.identities.subject(identifier) == after:
                moves.append(Move(before, after, identifier))
            return
        stretches = self.identities.stretches(identifier)
        if not stretches and identifier == after:
            moves.append(Move(before, after, identifier))
        for span in stretches:
            if span.claimant == after:
                whole = span.since == ALWAYS and span.until == FOREVER
                moves.append(Move(before, after, identifier, *(() if whole else span[:2])))
                if not whole:
                    self._restate(identifier)

    def _join(self, subject: str, piece: ProfileState) -> None:
        engine, whole = self.engine, piece.subject
        engine.fetch([subject])
        known = subject in engine.cache
        self.disturbed.setdefault(subject, set())
        if subject == whole and not known:
            engine.remember_numbers(piece)
            engine.cache[subject] = piece
            return
        if whole != subject:
            engine.pending.dirty.discard(whole)
            engine.pending.gone.add(whole)
            engine.pending.moves.append(Move(whole, subject))
            self.disturbed[subject] |= self.disturbed.pop(whole, set())
            if known:
                self._note("joined", subject, whole)
        self.gone.setdefault(subject, []).extend(join(engine.state_of(subject), piece))

    def _give_back_numbers(self, state: ProfileState) -> None:
        """Names that have left a profile take along how many inputs they had taken, so that they go on counting."""
        for name in list(state.numbers):
            owner = self.identities.owner(name, ALWAYS)
            if owner != state.subject and (other := self.engine.cache.get(owner)) is not None:
                number = state.numbers.pop(name)
                if name == owner:
                    other.inputs = max(other.inputs, number)
                else:
                    other.numbers[name] = max(other.numbers.get(name, 0), number)
                self.engine.pending.dirty |= {state.subject, owner}

    def _settle(self, state: ProfileState) -> None:
        """Note what a profile is known as now, and look again if it is not as it was."""
        subject, engine = state.subject, self.engine
        if lifecycle.known_as(state, self.identities.identifiers(subject), self.at, engine.world):
            engine.pending.dirty.add(subject)
        if subject in self.disturbed:
            engine.pending.gone.discard(subject)
            engine.prepare(state, self.at)
            outputs = lifecycle.settle(
                state, self.at, engine.world, members=self.disturbed[subject], gone=self.gone.get(subject, ()),
                announce=self.announce,
            )  # fmt: skip
            engine.emit(state, self.at, outputs)

    def _note(self, what: str, subject: str, other: str) -> None:
        for each in self.change.evidence[:1]:
            self.engine.pending.merges.append(
                Merge(self.at, what, subject, other, each.kind, each.a, each.b, *each.key)
            )
