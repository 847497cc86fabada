"""`GET /v1/stream`: what happens, as server-sent events; `Last-Event-ID` goes on where a watcher was cut off."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Final

from litestar import Response, get
from litestar.response import Stream
from litestar.types import ControllerRouterHandler

from innkeeper.kernel.errors import UsageError
from innkeeper.kernel.json import dumps
from innkeeper.runtime.access import Doorman
from innkeeper.runtime.outward import EVERYTHING, Selection
from innkeeper.runtime.stream import Watching
from innkeeper.web.answers import error, unauthorized
from innkeeper.web.requests import Desk, Http, keys

#: A comment goes out so often, so that who has left is noticed.
_PATIENCE_SECONDS: Final = 15.0
_MOST_DIGITS: Final = 18


def routes(desk: Desk, doorman: Doorman) -> list[ControllerRouterHandler]:
    """The routes."""

    @get("/v1/stream", sync_to_thread=False)
    def stream(request: Http) -> Response[Any] | Stream:
        actor = next(filter(None, map(doorman.actor, keys(request))), None)
        if actor is None:
            return unauthorized()
        if "events:read" not in actor.permissions:
            return error(403, "not-allowed", "the stream needs a token with the permission events:read")
        try:
            selection, after = _selection(request), _after(request)
        except UsageError as wrong:
            return error(400, wrong.code, wrong.message, fix=wrong.fix)
        watching = desk.door.stream.watch(actor.name, selection, after)
        return Stream(_told(watching), media_type="text/event-stream", headers={"Cache-Control": "no-store"})

    return [stream]


def _selection(request: Http) -> Selection:
    """What the address asks for: `events` (all outputs without it), `incoming`, `audience`, `where`, `include`."""

    def names(key: str) -> list[str]:
        found = request.query_params.getall(key, [])
        return [name for each in found for part in str(each).split(",") if (name := part.strip())]

    incoming = names("incoming")
    include = names("include")
    if any(each.startswith("traits.") for each in include):
        raise UsageError(
            "the stream tells no traits", code="bad-include", fix="a subscription does; or ask the profile"
        )
    return Selection.read(
        events=names("events") or ([] if incoming else [EVERYTHING]), incoming=incoming, audiences=names("audience"),
        where=str(request.query_params.get("where", "")), include=include,
    )  # fmt: skip


def _after(request: Http) -> int | None:
    """The place behind which the stream begins; None: now. What a browser sends when it comes back goes first."""
    text = request.headers.get("last-event-id") or request.query_params.get("after")
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS):
        raise UsageError("Last-Event-ID is no place of the log", code="bad-place", fix="send an id as it came, or none")
    return int(text)


async def _told(watching: Watching) -> AsyncIterator[str]:
    try:
        async for told in watching.events(_PATIENCE_SECONDS):
            if told is None:
                yield ": nothing\n\n"
            else:
                # A name with a line break would be two fields; it is in the data as it is.
                name = " ".join(told.name.split())
                yield f"id: {told.seq}\nevent: {name}\ndata: {dumps(told.notice)}\n\n"
    finally:
        watching.close()
