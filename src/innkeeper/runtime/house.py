"""What the HTTP application works with: a served home, its door, and who may come in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from innkeeper.kernel.time import Clock
from innkeeper.runtime.access import Doorman
from innkeeper.runtime.fetching import Fetch, fetch
from innkeeper.runtime.import_jobs import Imports
from innkeeper.runtime.ingest import Door
from innkeeper.runtime.sessions import Sessions
from innkeeper.runtime.webhook_intake import Webhooks
from innkeeper.runtime.writer import Writer
from innkeeper.store.access import Access
from innkeeper.store.log import Log


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """A home that is being served.

    Attributes:
        home: Its folder.
        log: The door's log, the only one that may be written.
        clock: The time of day.
        door: Takes events.
        imports: Take files.
        webhooks: Take what other programs send in a form of their own.
        doorman: Who may use the API.
        sessions: Who is logged in.
        health: How the parts are.
        rest: Within it the engine does not run, so that `state.db` may be written.
        relay: Whether what is sent out is sent, and how often its process had to be started again; None: nothing is.
    """

    home: Path
    log: Log
    clock: Clock
    door: Door
    imports: Imports
    webhooks: Webhooks
    doorman: Doorman
    sessions: Sessions
    health: Callable[[], dict[str, Any]]
    rest: Callable[[], AbstractContextManager[None]]
    relay: Callable[[], dict[str, Any] | None]


@contextmanager
def opened(
    home: Path,
    log: Log,
    clock: Clock,
    *,
    health: Callable[[], dict[str, Any]] = lambda: {"ready": True},
    rest: Callable[[], AbstractContextManager[None]] = nullcontext,
    relay: Callable[[], dict[str, Any] | None] = lambda: None,
    writer: Writer | None = None,
    get: Fetch = fetch,
) -> Iterator[House]:
    """A home's house with its door open; closed at the end, with all that waits written.

    Args:
        home: Folder of the workspace, which the caller holds.
        log: Its log, to write.
        clock: The time of day.
        health: How the parts are.
        rest: Keeps the engine at rest; without one there is no engine.
        relay: How the relay is; without one there is none.
        writer: Writes the log for the door.
        get: Fetches over HTTP what webhooks need.
    """
    with ExitStack() as closing:
        door = Door(home, log, clock, writer=writer)
        closing.callback(door.stop)
        access = Access.open(home)
        closing.callback(access.close)
        webhooks = Webhooks(home, door, get=get)
        closing.callback(webhooks.close)
        imports = Imports(home, door.writer, clock)
        closing.callback(imports.stop)
        door.start()
        imports.start()
        yield House(
            home=home, log=log, clock=clock, door=door, imports=imports, webhooks=webhooks,
            doorman=Doorman(access, clock), sessions=Sessions(access, clock), health=health, rest=rest, relay=relay,
        )  # fmt: skip
