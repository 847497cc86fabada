"""The stores of a home for a command that writes: its own, or, inside the door of a served home, the door's.

A home has one writer of its log. A command line beside nobody holds the home and opens the stores; the same function
called by a request has them lent (`web/`), because the door holds the home already. What only appends to the log may be
called while the engine runs; what writes `state.db` needs the engine at rest (`serve.py`).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Final, NamedTuple

from innkeeper.runtime.lock import hold
from innkeeper.store.log import Log
from innkeeper.store.state import State


class _Lent(NamedTuple):
    home: Path
    log: Log


_LENT: Final[ContextVar[_Lent | None]] = ContextVar("lent", default=None)


@contextmanager
def lend(home: Path, log: Log) -> Iterator[None]:
    """Within, whoever asks for the stores of this home gets the log of the caller, who holds the home."""
    token = _LENT.set(_Lent(home, log))
    try:
        yield
    finally:
        _LENT.reset(token)


@contextmanager
def writing(home: Path, *, readonly_state: bool = False, create: bool = False) -> Iterator[tuple[Log, State]]:
    """The log and the state of a home, to write; with *create* it is made when it is missing.

    Raises:
        OperationFailed: Another process holds the home.
    """
    lent = _LENT.get()
    if lent is not None and lent.home == home:
        with State.open(home, readonly=readonly_state) as state:
            yield lent.log, state
        return
    with hold(home), Log.open(home) as log, State.open(home, readonly=readonly_state, create=create) as state:
        yield log, state
