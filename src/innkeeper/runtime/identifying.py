"""The engine's side of who is who: lets evidence change it, moves the profiles, and says under whom things are stored.

What changes is `identities.py`, what that does to profiles `moving.py`; what a late claim divides is found again by
`recall.py`. Called by `engine.py` for every event.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING

from innkeeper.events.types import Event
from innkeeper.identity.evidence import Evidence, evidence_of
from innkeeper.identity.spans import ALWAYS
from innkeeper.kernel.ids import ANONYMOUS, USER
from innkeeper.kernel.time import FOREVER, Instant
from innkeeper.objects.fold import decode, role_said_at
from innkeeper.profiles.copies import Role, roles
from innkeeper.profiles.state import ProfileState
from innkeeper.runtime import moving
from innkeeper.runtime.identities import Change, Identities
from innkeeper.runtime.recall import Fresh, Memory
from innkeeper.store.identity import IdentityTables
from innkeeper.store.things import ThingKey

if TYPE_CHECKING:
    from innkeeper.runtime.engine import Engine

_EVENTS = ("live", "late", "history")


class Identification:
    """Keeps who is who for one engine."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.identities = Identities(
            IdentityTables(engine.state.connection), engine.world.identity, recall=self._claims, last=self._last_claim
        )

    def take(self, event: Event, taken_at: Instant, *, announce: bool) -> Change | None:
        """Take what an event says about who is who, and move what belongs elsewhere now."""
        change = self.identities.take(event)
        if change is not None:
            change.apart = moving.move(self.engine, change, taken_at, announce=announce)
        return change

    def holder(self, role: Role) -> str:
        """Whose a role in a thing is: of whoever had its identifier when the word was said that gives it.

        A member of an account is the identifier, whoever has it: its first owner has what is told of the account.
        """
        if role.kind != "object" or not self.identities.in_spans(role.identifier):
            return self.identities.owner(role.identifier, ALWAYS)
        return self.identities.owner(role.identifier, self._said_at(role))

    def _said_at(self, role: Role) -> Instant:
        body = self.engine.things.body(ThingKey(role.kind, role.type, role.id))
        return role_said_at(decode(body), role.name)

    def tell_since_when(self, state: ProfileState, identifiers: Collection[str]) -> None:
        """Let a profile know since when it has its roles in objects under some identifiers that change hands.

        Its copies know when it was last told; a role may have been said again since, with nothing new to tell.
        """
        for copies in state.objects.values():
            for copy in copies.values():
                copy.said = {name: at for name, at in copy.said.items() if name not in identifiers}
        for role in roles(state):
            if role.kind == "object" and role.identifier in identifiers and self.identities.in_spans(role.identifier):
                said, at = state.objects[role.type][role.id].said, self._said_at(role)
                said[role.identifier] = max(at, said.get(role.identifier, at))

    def stamp(self, state: ProfileState, identifier: str, at: Instant) -> str:
        """The identifier that what a profile says at an instant is stored under: one that is its own at that instant.

        A browser may have gone to somebody else since; an address is nothing that events are stored under.
        """
        if identifier.startswith(USER) or (
            identifier.startswith(ANONYMOUS) and self.identities.owner(identifier, at) == state.subject
        ):
            return identifier
        own = [each for each in state.facts if self.identities.owner(each, at) == state.subject]
        users = [each for each in own if each.startswith(USER)]
        if state.subject.startswith(USER):
            users.append(state.subject)
        return min(users or own or list(state.facts), default=identifier)

    def note_claims(self, event: Event) -> None:
        """Remember when each claimant claimed last, so that a claim that is not late needs no log."""
        engine = self.engine
        for each in self.identities.evidence(event):
            if self.identities.in_spans(each.a) and each.kind != "removed":
                state = engine.cache.get(self.identities.subject(each.b))
                facts = None if state is None else state.facts.get(each.b)
                if state is None or facts is None:
                    continue
                # Claimed before, and nothing noted: only the log knows when last.
                unknown = FOREVER if (each.a, each.b) not in self.identities.first_claims else ALWAYS
                last = facts.claims.get(each.a, unknown)
                facts.claims[each.a] = max(last, event.timestamp)
                engine.pending.dirty.add(state.subject)

    def recall(self, identifiers: Iterable[str]) -> list[Event]:
        """Everything that was taken under some identifiers, from the log."""
        return self.engine.as_recalled(self._memory().under(identifiers, self._fresh()))

    def _last_claim(self, claimant: str, identifier: str) -> Instant | None:
        state = self.engine.state_if_any(self.identities.subject(claimant))
        facts = None if state is None else state.facts.get(claimant)
        return None if facts is None else facts.claims.get(identifier)

    def _claims(self, identifier: str) -> Iterable[Evidence]:
        for event in self.engine.counted(self._memory().naming(identifier, self._fresh())):
            for each in evidence_of(event, self.identities.rules):
                if each.a == identifier and not each.reason and each.kind != "removed":
                    yield each

    def _memory(self) -> Memory:
        if self.engine.memory is None:
            raise AssertionError("an engine that takes late claims needs the log")
        return self.engine.memory

    def _fresh(self) -> Fresh:
        """What was taken and is not committed."""
        pending = self.engine.pending
        return {row.seq for row in pending.taken if row.mode in _EVENTS}, pending.outbox
