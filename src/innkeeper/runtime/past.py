"""What the engine knew of one customer at a past instant: a replay of that customer's inputs alone, in memory.

Everybody who ever shared an identifier with the customer is replayed too, because links move facts between them.
"""

from __future__ import annotations

from pathlib import Path

from innkeeper import lifecycle
from innkeeper.kernel.time import Instant
from innkeeper.profiles.state import ProfileState
from innkeeper.runtime import definitions as applied
from innkeeper.runtime.replay import Again
from innkeeper.store.bulk import Bulk
from innkeeper.store.log import Log
from innkeeper.store.retractions import joined
from innkeeper.store.state import State


def known(home: Path, subject: str, at: Instant | None) -> tuple[ProfileState | None, lifecycle.World, Instant]:
    """A profile as the engine knew it, with the definitions of then, and the instant; *at* None: now.

    The profile is None when the engine knew nobody of that name.
    """
    with Log.open(home, read_only=True) as log, State.open(home, readonly=True) as state:
        clock = state.clock() or 0
        if at is None or at >= clock:
            body = state.bodies([subject]).get(subject)
            world = applied.world(state)
            return (None if body is None else lifecycle.decode(body)), world, clock
        return (*_replayed(home, log, state, subject, at), at)


def _replayed(
    home: Path, log: Log, state: State, subject: str, at: Instant
) -> tuple[ProfileState | None, lifecycle.World]:
    identifiers = set().union(*joined(state.connection, [subject]))
    with Bulk.open(home) as bulk, State.in_memory() as scratch:
        seqs = {
            seq
            for (seq,) in bulk.rows(
                "SELECT seq FROM every_event WHERE seq IS NOT NULL AND list_contains($identifiers, identifier)",
                {"identifiers": sorted(identifiers)},
            )
        }
        again = Again(home, log, state, scratch, identifiers=identifiers)
        again.play(lambda row: row.taken_at <= at and (row.seq in seqs or row.mode not in _EVENTS), until=at)
        body = scratch.bodies([subject]).get(subject)
        return (None if body is None else lifecycle.decode(body)), again.engine.world


_EVENTS = ("live", "late", "history")
