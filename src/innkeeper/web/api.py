"""How a route of the API is made: with its permission, what it is about, and an example of its answer.

`api.get("/decisions", "customers:read", example)` and `api.post(...)`, `api.delete(...)` make a handler of a plain
function, which runs in a thread. Few run at once: a question over the whole log takes a core, and more of them together
would only make all of them slow.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from litestar import Router
from litestar import delete as litestar_delete
from litestar import get as litestar_get
from litestar import post as litestar_post
from litestar.openapi.datastructures import ResponseSpec
from litestar.openapi.spec import Example
from litestar.types import ControllerRouterHandler

from innkeeper.kernel.time import Clock, Instant, parse_instant
from innkeeper.runtime.access import Doorman
from innkeeper.runtime.roles import PERMISSIONS
from innkeeper.runtime.writing import lend
from innkeeper.store.log import Log

PREFIX: Final = "/api/v1"
_AT_ONCE: Final = 4
_PATIENCE_SECONDS: Final = 20.0

Rest = Callable[[], AbstractContextManager[None]]


class Busy(Exception):
    """As many questions as may run at once do."""


@dataclass(frozen=True, slots=True)
class House:
    """What the routes work with.

    Attributes:
        home: Folder of the workspace.
        log: The door's log, the only one that may be written.
        clock: The time of day.
        doorman: Who may come in.
        rest: Within it the engine does not run, so that `state.db` may be written.
    """

    home: Path
    log: Log
    clock: Clock
    doorman: Doorman
    rest: Rest


class Api:
    """Makes the routes of one house."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.home = house.home
        self._room = threading.Semaphore(_AT_ONCE)
        self._pen = threading.Lock()

    def get(self, path: str, permission: str, example: Any) -> Any:
        """A route that reads; the function's docstring says what it answers."""
        return functools.partial(self._made, litestar_get, path, permission, example, {})

    def post(self, path: str, permission: str, example: Any, *, status: int = 200) -> Any:
        """A route that changes something."""
        return functools.partial(self._made, litestar_post, path, permission, example, {"status_code": status})

    def delete(self, path: str, permission: str, example: Any) -> Any:
        """A route that ends or removes something."""
        return functools.partial(self._made, litestar_delete, path, permission, example, {"status_code": 200})

    @contextmanager
    def writing(self, *, at_rest: bool = False) -> Iterator[None]:
        """Within it the functions that commands call may write; *at_rest*: also `state.db`, while the engine waits."""
        with self._pen, lend(self.home, self.house.log):
            if at_rest:
                with self.house.rest():
                    yield
            else:
                yield

    def _made(self, method: Any, path: str, permission: str, example: Any, more: dict[str, Any], work: Any) -> Any:
        assert permission in PERMISSIONS, permission
        noun = path.split("/")[1]

        @functools.wraps(work)
        def bounded(*args: Any, **kwargs: Any) -> Any:
            if not self._room.acquire(timeout=_PATIENCE_SECONDS):
                raise Busy
            try:
                return work(*args, **kwargs)
            finally:
                self._room.release()

        status = more.get("status_code", 200)
        spec = ResponseSpec(dict[str, Any], examples=[Example(value=example)], generate_examples=False)
        return method(
            path, sync_to_thread=True, opt={"permission": permission, "noun": noun}, tags=[noun],
            summary=(work.__doc__ or "").strip().partition("\n")[0], responses={status: spec},
            operation_id=work.__name__, **more,
        )(bounded)  # fmt: skip


def instant_of(text: str | None) -> Instant | None:
    """A time of a query; None where none is given.

    Raises:
        UsageError: It is no time with a zone.
    """
    return None if text is None else parse_instant(text)


def router(handlers: list[ControllerRouterHandler], exceptions: Any, guard: Any) -> Router:
    """The routes under their prefix."""
    return Router(PREFIX, route_handlers=handlers, exception_handlers=exceptions, middleware=[guard])
