"""What the engine knew of one customer at a past instant: a replay of that customer's inputs alone, in memory.

Everybody who ever shared an identifier with the customer is replayed too, because links move facts between them.
"""

from __future__ import annotations

from pathlib import Path

from innkeeper import lifecycle
from innkeeper.kernel.errors import UsageError
from innkeeper.kernel.time import FOREVER, Instant, format_instant
from innkeeper.profiles.state import ProfileState
from innkeeper.runtime import definitions as applied
from innkeeper.runtime.about import events_about, every_fold
from innkeeper.runtime.checkpoint import Checkpoint, checkpoints, folder_of
from innkeeper.runtime.identity_reading import IdentityReader
from innkeeper.runtime.replay import Again
from innkeeper.store import things
from innkeeper.store.accounts import ever_members, words_of
from innkeeper.store.bulk import Bulk
from innkeeper.store.copying import copy_states
from innkeeper.store.identity import IdentityTables
from innkeeper.store.log import Log
from innkeeper.store.retractions import joined
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
    identifiers = set().union(*joined(state.connection, [identifier]))
    accounts = sorted({word.account for words in words_of(state, identifiers).values() for word in words})
    # What an account was then is what all its members had done by then.
    identifiers.update(member for account in accounts for member in ever_members(state, account))
    begin = _begin(home, at)
    with Bulk.open(home) as bulk, State.in_memory() as scratch:
        seqs = {
            seq
            for (seq,) in bulk.rows(
                "SELECT seq FROM every_event WHERE seq IS NOT NULL AND (list_contains($identifiers, identifier)"
                " OR name = 'Item Updated' OR list_contains($accounts, json_extract_string(context, '$.groupId')))",
                {"identifiers": sorted(identifiers), "accounts": accounts},
            )
        }
        if begin is not None:
            copy_states(folder_of(home, begin) / "state.db", scratch, identifiers)
        seqs |= _about_things(bulk, state, identifiers)
        again = Again(home, log, state, scratch, identifiers=identifiers, begin=begin)
        again.play(lambda row: row.taken_at <= at and (row.seq in seqs or row.mode not in _EVENTS), until=at)
        return _profile(scratch, identifier, again.engine.world), again.engine.world


def _begin(home: Path, at: Instant) -> Checkpoint | None:
    """The newest checkpoint at or before an instant; None: everything is there from the beginning."""
    found = checkpoints(home)
    before = [each for each in found if each.clock <= at]
    if found and not before:
        raise UsageError(
            f"what was known at {format_instant(at)} cannot be made again: inputs of that time went by retention",
            code="past-is-gone",
            fix=f"ask from {format_instant(found[0].clock)} on; decisions that were recorded: innkeeper decision list",
        )
    return before[-1] if before else None


def _about_things(bulk: Bulk, state: State, identifiers: set[str]) -> set[int]:
    """Events of whomever about the things that one of the identifiers has ever had a role in."""
    wanted = things.told_of(state, identifiers)
    return {event.seq for event in events_about(bulk, every_fold(state), wanted)}


_EVENTS = ("live", "late", "history")
