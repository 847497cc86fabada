"""The HTTP application: its routes together, one file per noun beside this one, and what holds for all of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from litestar import Litestar, Response, get
from litestar.types import ASGIApp

from innkeeper.runtime.ingest import Door
from innkeeper.web import customerio, ingest, sources, stream
from innkeeper.web.answers import EXCEPTIONS
from innkeeper.web.cors import open_to_pages
from innkeeper.web.requests import Desk

Health = Callable[[], dict[str, Any]]


def make_app(health: Health, door: Door) -> ASGIApp:
    """The application over the door, and a function that tells how the parts are.

    `GET /health` answers 200 while this process lives; `GET /ready` answers 200 while the engine does too, else 503.
    """

    @get("/health", sync_to_thread=False)
    def live() -> dict[str, Any]:
        return {"status": "ok"}

    @get("/ready", sync_to_thread=True)
    def ready() -> Response[dict[str, Any]]:
        told = health()
        return Response(told, status_code=200 if told["ready"] else 503)

    desk = Desk(door)
    app = Litestar(
        route_handlers=[
            live,
            ready,
            *ingest.routes(desk),
            *customerio.routes(desk),
            *sources.routes(desk),
            *stream.routes(desk),
        ],
        openapi_config=None,
        exception_handlers=EXCEPTIONS,
        logging_config=None,
    )
    return open_to_pages(app)
