"""Turning points of a workspace: new definitions over old customers, and the end of a period taken as history.

Both go through every profile in pages. A profile's row carries no mark of its own: the work is repeated whole when it
was cut off, which changes nothing, because facts are functions of the log.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import groupby
from typing import TYPE_CHECKING

from innkeeper import lifecycle
from innkeeper.events.retention import CARRIED
from innkeeper.events.types import ENGINE_SOURCE, Event
from innkeeper.kernel.time import Instant
from innkeeper.profiles.state import ProfileState
from innkeeper.runtime.adopt_accounts import record_all, remake
from innkeeper.runtime.adopt_items import remake_items
from innkeeper.runtime.adopt_things import adopt_objects
from innkeeper.runtime.engine import Engine, subject_row
from innkeeper.runtime.record import taken_events, trait_events
from innkeeper.runtime.resettle import is_settled, resettle
from innkeeper.store.state import Cursor, State

if TYPE_CHECKING:
    from innkeeper.store.bulk import Bulk

_PAGE = 1_000


def end_history(engine: Engine, at: Instant, cursor: Cursor) -> None:
    """Record memberships and stages as they are at *at*, without announcing them."""
    accounts = engine.world.accounts
    views = {} if accounts is None else record_all(engine.state, accounts, at)
    for page in _profiles(engine.state):
        for state in page:
            for account, copy in state.accounts.items():
                copy.view = views.get(account, copy.view)
            lifecycle.record_history(state, at, engine.world, past=True)
        store(engine, page)
    engine.mark("history_end", 0, at, cursor)


def adopt(
    engine: Engine,
    bulk: Bulk,
    number: int,
    cursor: Cursor,
    *,
    identifiers: set[str] | None = None,
    upto: Instant | None = None,
    begun: int = 0,
) -> None:
    """Bring every profile under the engine's world: new conditions learn the past, nothing is announced.

    With *identifiers* only these are looked at, but objects are always folded whole; in a replay *upto* is the instant
    of the turning point, and *begun* the last row of the log before the replay.
    """
    by_then = partial(_by_then, engine, upto=upto, begun=begun)
    engine.identities.adopt(engine.world.identity)
    if not is_settled(engine.state, engine.world.identity):
        resettle(engine, bulk, cursor)
    remake_items(engine, bulk, cursor)
    accounts = remake(engine, bulk, cursor)
    keys = dict(engine.world.profiles.accumulators)
    if keys and engine.state.count_subjects():
        names = sorted({accumulator.event for accumulator, _ in keys.values()})
        accumulate = partial(lifecycle.refold, world=engine.world, keys=set(keys))
        taken = taken_events(bulk, cursor, names, identifiers, upto=upto)
        _refold(engine, engine.counted(by_then(taken)), accumulate)
    if engine.world.retold and engine.state.count_subjects():
        tell = partial(lifecycle.refold_traits, world=engine.world)
        _refold(engine, engine.told_traits(by_then(trait_events(bulk, cursor, identifiers, upto=upto))), tell)
    adopt_objects(engine, bulk, cursor, upto=upto)
    for page in _profiles(engine.state):
        for state in page:
            accounts.give(state)
            lifecycle.record_history(state, max(cursor.clock, state.last_at), engine.world)
        store(engine, page)
    engine.mark("definitions", number, cursor.clock, cursor)


def _by_then(engine: Engine, events: Iterable[Event], *, upto: Instant | None, begun: int) -> Iterable[Event]:
    """Without what the engine said at the very instant of a turning point, and after it: in a replay the log has that.

    What it had said by then the replay has said too.
    """
    if upto is None:
        return events
    rows = engine.state.connection.execute("SELECT message_id FROM outbox WHERE taken_at = ?", (upto,))
    said = {id for (id,) in rows}
    return (
        event
        for event in events
        if event.source != ENGINE_SOURCE
        or event.name == CARRIED
        or event.timestamp < upto
        or event.seq <= begun
        or event.message_id in said
    )


def _refold(engine: Engine, events: Iterable[Event], fold: Callable[[ProfileState, str, list[Event]], None]) -> None:
    for batch in _batches(groupby(events, key=lambda event: event.identifier)):
        owned = _by_owner(engine, batch)
        bodies = engine.state.bodies({subject for subject, _ in owned})
        states = {subject: lifecycle.decode(body) for subject, body in bodies.items()}
        for (subject, identifier), history in owned.items():
            if subject in states:
                fold(states[subject], identifier, history)
        store(engine, list(states.values()))


def _batches(groups: Iterator[tuple[str, Iterator[Event]]]) -> Iterator[dict[str, list[Event]]]:
    batch: dict[str, list[Event]] = {}
    for identifier, events in groups:
        batch[identifier] = list(events)
        if len(batch) >= _PAGE:
            yield batch
            batch = {}
    if batch:
        yield batch


def _by_owner(engine: Engine, batch: dict[str, list[Event]]) -> dict[tuple[str, str], list[Event]]:
    """The events by the profile that they belong to and their identifier."""
    who = engine.identities
    who.forget()
    who.know(batch)
    owned: dict[tuple[str, str], list[Event]] = {}
    for identifier, history in batch.items():
        for event in history:
            owned.setdefault((who.owner(identifier, event.timestamp), identifier), []).append(event)
    return owned


def _profiles(state: State) -> Iterator[list[ProfileState]]:
    for page in state.pages(_PAGE):
        yield [lifecycle.decode(body) for _, body in page]


def store(engine: Engine, states: list[ProfileState]) -> None:
    """Write profiles back in one transaction."""
    with engine.state.transaction():
        engine.state.put_subjects([subject_row(one, engine.world) for one in states])
