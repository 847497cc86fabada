"""The HTTP application: for now health and readiness. One file per noun joins it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from litestar import Litestar, Response, get

Health = Callable[[], dict[str, Any]]


def make_app(health: Health) -> Litestar:
    """The application over a function that tells how the parts are.

    `GET /health` answers 200 while this process lives; `GET /ready` answers 200 while the engine does too, else 503.
    """

    @get("/health", sync_to_thread=False)
    def live() -> dict[str, Any]:
        return {"status": "ok"}

    @get("/ready", sync_to_thread=True)
    def ready() -> Response[dict[str, Any]]:
        told = health()
        return Response(told, status_code=200 if told["ready"] else 503)

    return Litestar(route_handlers=[live, ready], openapi_config=None)
