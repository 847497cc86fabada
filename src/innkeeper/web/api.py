"""How a route of the API is made: with its permission, what it is about, and an example of its answer.

`api.get("/decisions", "customers:read", example)` and `api.post(...)`, `api.delete(...)` make a handler of a plain
function, which runs in a thread; `api.enter(...)` makes the one that is open, by which people log in, `api.upload(...)`
one whose body is a file. Few run at once: a question over the whole log takes a core, and more of them together would
only make all of them slow.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final
from urllib.parse import unquote

import anyio.to_thread
from anyio import CapacityLimiter
from litestar import Request
from litestar import delete as litestar_delete
from litestar import get as litestar_get
from litestar import post as litestar_post
from litestar.enums import MediaType, ScopeType
from litestar.openapi.datastructures import ResponseSpec
from litestar.openapi.spec import Example
from litestar.params import QueryParameter
from litestar.types import ASGIApp, ControllerRouterHandler, Receive, Scope, Send

from innkeeper.kernel.time import Clock, Instant, SystemClock, parse_instant
from innkeeper.runtime.access import Actor
from innkeeper.runtime.house import House
from innkeeper.runtime.roles import PERMISSIONS
from innkeeper.runtime.writing import lend

PREFIX: Final = "/api/v1"
#: The names of the parts of an address that are given.
_PART: Final = re.compile(r"\{(\w+):str\}")

#: Makes a handler of a function.
Make = Callable[[Callable[..., Any]], ControllerRouterHandler]

#: How many requests of one kind run at once, and how many more may wait for them.
_READS: Final = (4, 12)
_WRITES: Final = (1, 8)
#: What takes minutes has a turn of its own: a note does not wait for it.
_LONG: Final = (1, 2)
#: A login takes 64 MiB, and half a second of a core.
_LOGINS: Final = (1, 8)


def divided_first(app: ASGIApp) -> ASGIApp:
    """The application, dividing the API's addresses before they are decoded: an id may hold a slash.

    Each part is decoded where it is taken: here by `Api`, in `customerio.py` by its routes.
    """

    async def divided(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == ScopeType.HTTP and scope["path"].startswith(f"{PREFIX}/"):
            scope["path"] = scope["raw_path"].decode("latin-1")
        await app(scope, receive, send)

    return divided


class Busy(Exception):
    """As many requests of this kind as may wait do."""


class _Lane:
    """Few run at once, some wait, the others are refused at once; who waits takes no thread."""

    def __init__(self, at_once: int, waiting: int) -> None:
        self._running, self._most = CapacityLimiter(at_once), at_once + waiting
        self._inside = 0

    async def run(self, work: Callable[[], Any]) -> Any:
        """One request's work, in a thread, when its turn comes.

        Raises:
            Busy: Too many wait already.
        """
        if self._inside == self._most:
            raise Busy
        self._inside += 1
        try:
            return await anyio.to_thread.run_sync(work, limiter=self._running)
        finally:
            self._inside -= 1


@dataclass(frozen=True, slots=True)
class Work:
    """What a route does, without HTTP around it.

    Attributes:
        function: As it was written; its docstring says what it answers.
        permission: What it needs.
    """

    function: Callable[..., Any]
    permission: str


class Api:
    """Makes the routes of one house, and remembers what they do (`works`, by the functions' names)."""

    def __init__(self, home: Path, house: House | None = None) -> None:
        """*house*: what routes work with that do more than read the files of *home*."""
        self.home, self._house = home, house
        self.works: dict[str, Work] = {}
        self._reads, self._writes, self._logins = _Lane(*_READS), _Lane(*_WRITES), _Lane(*_LOGINS)
        self._long = _Lane(*_LONG)

    @property
    def house(self) -> House:
        """The house that is served."""
        assert self._house is not None, "a route that needs a served home, made without one"
        return self._house

    @property
    def clock(self) -> Clock:
        """The clock of the house; the time of day where only the files of a home are read."""
        return SystemClock() if self._house is None else self._house.clock

    def get(self, path: str, permission: str, example: Any, *, media: str = MediaType.JSON) -> Make:
        """A route that reads; the function's docstring says what it answers."""
        return functools.partial(self._made, litestar_get, self._reads, path, permission, example, media=media)

    def post(
        self,
        path: str,
        permission: str,
        example: Any,
        *,
        status: int = 200,
        secret: bool = False,
        password: bool = False,
        long: bool = False,
        looks: bool = False,
        refusals: tuple[int, ...] = (),
    ) -> Make:
        """A route that changes something.

        Args:
            path, permission, example: Where it is, what it needs, and what it answers.
            status: Of its answer.
            secret: Its answer must not be kept.
            password: Nor may its body's digest.
            long: It takes minutes; others that write do not wait for it.
            looks: It changes nothing that is stored, so it takes its turn among those that read.
            refusals: Statuses that it refuses with beside the usual ones.
        """
        lane = self._long if long else self._reads if looks else self._writes
        return functools.partial(
            self._made, litestar_post, lane, path, permission, example, status=status, secret=secret,
            password=password, refusals=refusals,
        )  # fmt: skip

    def upload(self, path: str, permission: str, example: Any) -> Make:
        """A route that takes a file: the guard receives it, and the state of the request has it as `upload`."""
        return functools.partial(
            self._made, litestar_post, self._writes, path, permission, example, status=202, upload=True,
            refusals=(507,),
        )  # fmt: skip

    def enter(self, path: str, example: Any) -> Make:
        """The route by which people log in: open, but only to pages of our own origin."""
        return functools.partial(self._made, litestar_post, self._logins, path, None, example, refusals=(415,))

    def delete(self, path: str, permission: str, example: Any) -> Make:
        """A route that ends or removes something."""
        return functools.partial(self._made, litestar_delete, self._writes, path, permission, example)

    @contextmanager
    def writing(self, *, at_rest: bool = False) -> Iterator[None]:
        """Within it the functions that commands call may write; *at_rest*: also `state.db`, while the engine waits."""
        with lend(self.home, self.house.log):
            if at_rest:
                with self.house.rest():
                    yield
            else:
                yield

    async def read(self, work: Callable[[], Any]) -> Any:
        """Something that reads, in a thread, in its turn among the requests that read.

        Raises:
            Busy: Too many wait already.
        """
        return await self._reads.run(work)

    def _made(
        self,
        method: Any,
        lane: _Lane,
        path: str,
        permission: str | None,
        example: Any,
        work: Callable[..., Any],
        *,
        status: int = 200,
        secret: bool = False,
        password: bool = False,
        upload: bool = False,
        refusals: tuple[int, ...] = (),
        media: str = MediaType.JSON,
    ) -> ControllerRouterHandler:
        assert permission is None or permission in PERMISSIONS, permission
        noun = path.split("/")[1]
        if permission is not None:
            self.works[work.__name__] = Work(work, permission)
        entry = {"open": True, "own_origin": True} if permission is None else {"permission": permission}
        opt = {**entry, "noun": noun, "secret": secret, "password": password, "upload": upload, "refusals": refusals}

        parts = _PART.findall(path)

        @functools.wraps(work)
        async def bounded(*args: Any, **kwargs: Any) -> Any:
            kwargs |= {name: unquote(kwargs[name]) for name in parts}
            return await lane.run(functools.partial(work, *args, **kwargs))

        spec = ResponseSpec(
            dict[str, Any], examples=[Example(value=example)], generate_examples=False, media_type=media
        )
        made: ControllerRouterHandler = method(
            path, opt=opt, tags=[noun],
            summary=(work.__doc__ or "").strip().partition("\n")[0], responses={status: spec},
            operation_id=work.__name__, status_code=status,
        )(bounded)  # fmt: skip
        return made


#: How long old keys go on beside new ones.
GraceDays = Annotated[int, QueryParameter(ge=0, le=365)]


def asking(request: Request[Any, Any, Any]) -> Actor:
    """Who makes a request that the guard has let in."""
    actor: Actor = request.scope["state"]["actor"]
    return actor


def instant_of(text: str | None) -> Instant | None:
    """A time of a query; None where none is given.

    Raises:
        UsageError: It is no time with a zone.
    """
    return None if text is None else parse_instant(text)
