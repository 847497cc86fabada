"""What the engine knew of one customer at a past instant: a replay of that customer's inputs alone, in memory.

Everybody who ever shared an identifier with the customer is replayed too, because links move facts between them.
"""

from __future__ import annotations

from pathlib import Path

from innkeeper import lifecycle
from innkeeper.kernel.time import FOREVER, Instant
from innkeeper.profiles.state import ProfileState
from innkeeper.runtime import definitions as applied
from innkeeper.runtime.identity_reading import IdentityReader
from innkeeper.runtime.replay import Again
from innkeeper.store.bulk import Bulk
from innkeeper.store.identity import IdentityTables
from innkeeper.store.log import Log
from innkeeper.store.state import State


def known(home: Path, identifier: str, at: Instant | None) -> tuple[ProfileState | None, lifecycle.World, Instant]:
    """The profile of an identifier as the engine knew it, with the definitions of then, and the instant; None: now.

    The profile is None when the engine knew nobody of that name.
    """
    with Log.open(home, read_only=True) as log, State.open(home, readonly=True) as state:
        clock = state.clock() or 0
        if at is None or at >= clock:
            world = applied.world(state)
            return _profile(state, identifier, world), world, clock
        return (*_replayed(home, log, state, identifier, at), at)


def _profile(state: State, identifier: str, world: lifecycle.World) -> ProfileState | None:
    subject = IdentityReader(IdentityTables(state.connection), world.identity).owner(identifier, FOREVER)
    body = state.bodies([subject]).get(subject)
    return None if body is None else lifecycle.decode(body)


def _replayed(
    home: Path, log: Log, state: State, identifier: str, at: Instant
) -> tuple[ProfileState | None, lifecycle.World]:
    identifiers = everybody(state, identifier)
    with Bulk.open(home) as bulk, State.in_memory() as scratch:
        seqs = {
            seq
            for (seq,) in bulk.rows(
                "SELECT seq FROM events WHERE seq IS NOT NULL AND list_contains($identifiers, identifier)",
                {"identifiers": sorted(identifiers)},
            )
        }
        again = Again(home, log, state, scratch, identifiers=identifiers)
        again.play(lambda row: row.taken_at <= at and (row.seq in seqs or row.mode not in _EVENTS), until=at)
        return _profile(scratch, identifier, again.engine.world), again.engine.world


_EVENTS = ("live", "late", "history")


def everybody(state: State, identifier: str) -> set[str]:
    """The identifiers that evidence connects with one, over any number of steps, whether it counts or not."""
    tables = IdentityTables(state.connection)
    found, fresh = {identifier}, {identifier}
    while fresh:
        near = {each for bond in tables.bonds_of(fresh) for each in (bond.a, bond.b)}
        near.update(turn.claimant for turns in tables.turns(fresh).values() for turn in turns)
        for each in fresh:
            near.update(name for name, _ in tables.claimed(each))
        fresh = near - found
        found |= fresh
    return found
