"""Events in: the addresses that the clients of Customer.io's Track API call. What they mean: `events/customerio.py`."""

from __future__ import annotations

from typing import Final
from urllib.parse import unquote

from litestar import Response, delete, post, put
from litestar.params import FromPath
from litestar.types import ControllerRouterHandler

from innkeeper.events import customerio as dialect
from innkeeper.web.requests import Desk, Http

_CUSTOMER: Final = "/api/v1/customers/{person:str}"


def routes(desk: Desk) -> list[ControllerRouterHandler]:
    """The routes."""
    return [*_people(desk), *_devices(desk), *_many(desk)]


def _people(desk: Desk) -> list[ControllerRouterHandler]:
    @put(_CUSTOMER, status_code=200)
    async def identify(request: Http, person: FromPath[str]) -> Response[bytes]:
        return await desk.take(request, translate=dialect.identify(unquote(person)), body_is="event")

    @delete(_CUSTOMER, status_code=200)
    async def forget(request: Http, person: FromPath[str]) -> Response[bytes]:
        return await desk.take(request, translate=dialect.deleted, body_is="event")

    @post(f"{_CUSTOMER}/events", status_code=200)
    async def event(request: Http, person: FromPath[str]) -> Response[bytes]:
        return await desk.take(request, translate=dialect.event(unquote(person)), body_is="event")

    @post("/api/v1/events", status_code=200)
    async def anonymous_event(request: Http) -> Response[bytes]:
        return await desk.take(request, translate=dialect.event(None), body_is="event")

    @post(f"{_CUSTOMER}/suppress", status_code=200)
    async def suppress(request: Http, person: FromPath[str]) -> Response[bytes]:
        return await desk.take(request, translate=dialect.suppressed(unquote(person), now_is=True), body_is="event")

    @post(f"{_CUSTOMER}/unsuppress", status_code=200)
    async def unsuppress(request: Http, person: FromPath[str]) -> Response[bytes]:
        return await desk.take(request, translate=dialect.suppressed(unquote(person), now_is=False), body_is="event")

    @post("/api/v1/merge_customers", status_code=200)
    async def merge(request: Http) -> Response[bytes]:
        return await desk.take(request, translate=dialect.merge, body_is="event")

    return [identify, forget, event, anonymous_event, suppress, unsuppress, merge]


def _devices(desk: Desk) -> list[ControllerRouterHandler]:
    @put(f"{_CUSTOMER}/devices", status_code=200)
    async def add(request: Http, person: FromPath[str]) -> Response[bytes]:
        return await desk.take(request, translate=dialect.device(unquote(person)), body_is="event")

    @delete(f"{_CUSTOMER}/devices/{{token:str}}", status_code=200)
    async def remove(request: Http, person: FromPath[str], token: FromPath[str]) -> Response[bytes]:
        translate = dialect.device_deleted(unquote(person), unquote(token))
        return await desk.take(request, translate=translate, body_is="event")

    return [add, remove]


def _many(desk: Desk) -> list[ControllerRouterHandler]:
    @post(["/api/v2/batch", "/api/v2/entity"], status_code=200)
    async def batch(request: Http) -> Response[bytes]:
        return await desk.take(request, translate=dialect.entity)

    return [batch]
