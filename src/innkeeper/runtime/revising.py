"""A revision under way in an engine: what `revise.py` and `unlink.py` may do to it while its transaction is open."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from innkeeper.events import outputs as o
from innkeeper.kernel.time import Instant
from innkeeper.profiles.state import ProfileState
from innkeeper.runtime.account_desk import Change
from innkeeper.runtime.work import Item
from innkeeper.store.projections import to_outbox
from innkeeper.store.state import Connection

if TYPE_CHECKING:
    from innkeeper.runtime.engine import Engine


class Revising:
    """A revision under way: puts profiles, in a transaction that its engine holds open."""

    def __init__(self, engine: Engine, connection: Connection, position: int) -> None:
        self.connection, self.position = connection, position
        self._engine = engine

    def put(
        self,
        state: ProfileState,
        at: Instant,
        outputs: Sequence[o.Output],
        *,
        said: Sequence[tuple[Instant, o.Output]] = (),
        gone: bool = False,
    ) -> None:
        """Say *outputs* for a profile, and put it as it is.

        Args:
            state: The profile.
            at: Now.
            outputs: What is said now.
            said: What counts from an instant of its own on, and is said after those.
            gone: It has no row any more.
        """
        engine = self._engine
        for index, (instant, output) in enumerate(said, len(outputs)):
            stamped = engine.identification.stamp(state, output.identifier, instant)
            engine._next.outbox.append(to_outbox(instant, state.subject, state.inputs, index, output, stamped))
        engine._cache[state.subject] = state
        engine._emit(state, at, outputs)
        if gone:
            engine._next.gone.add(state.subject)

    def say(self, account: str, state: ProfileState, outputs: list[o.Output]) -> None:
        """Say *outputs* for an account, at its last instant."""
        self._engine._emit_account(Change(account, state, state.last_at, state.inputs, outputs, ()))

    def take(self, item: Item) -> None:
        """Note that an event is taken by this: the other world has heard it, and here it changes nothing more."""
        self._engine._pass_over(item)

    def drop(self, subject: str) -> None:
        """A profile is part of another one now."""
        self._engine._next.gone.add(subject)

    def write(self) -> None:
        """Write what was put so far, and let go of its memory."""
        self._engine._write(self.connection, None)
        self._engine._forget()
