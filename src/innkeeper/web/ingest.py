"""Events in: the addresses that the SDKs of Segment, RudderStack and Dittofeed call, and CloudEvents.

Messages of Segment's form are most of all requests, and Litestar's work on one takes as long as ours. So a POST to
exactly one of their addresses goes straight to the desk; everything about it else (a slash at the end, another method)
goes through the routes to the same end.
"""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import unquote

from litestar import Response, post
from litestar.enums import ScopeType
from litestar.types import ASGIApp, ControllerRouterHandler, Receive, Scope, Send

from innkeeper.events import cloudevents
from innkeeper.web.answers import told_of
from innkeeper.web.plain import Gone, Plain
from innkeeper.web.requests import Desk, Http

#: The short addresses of Segment's browser SDK.
_SHORT: Final = {"track": "t", "identify": "i", "page": "p", "screen": "s", "group": "g", "alias": "a"}
_BATCHES: Final = ["/v1/batch", "/v1/b", "/v1/import", "/api/public/apps/batch", "/beacon/v1/batch"]
_KIND_AT: Final[dict[str, str | None]] = dict.fromkeys(_BATCHES) | {
    f"/v1/{name}": kind for kind, short in _SHORT.items() for name in (kind, short)
}


def straight_to(desk: Desk, app: ASGIApp) -> ASGIApp:
    """The application, with the shorter way for the addresses that are called most."""

    async def straight(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP or scope["method"] != "POST" or scope["path"] not in _KIND_AT:
            await app(scope, receive, send)
            return
        try:
            response = await desk.take(Plain(scope, receive), kind=_KIND_AT[scope["path"]])
        except Gone:
            return
        except Exception as failed:  # noqa: BLE001 - answered and logged as the application does it
            response = told_of(failed)
        headers = [(name.lower().encode(), value.encode()) for name, value in response.headers.items()]
        headers += [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(response.content))]
        await send({"type": "http.response.start", "status": response.status_code or 200, "headers": headers})
        await send({"type": "http.response.body", "body": response.content, "more_body": False})

    return straight


def routes(desk: Desk) -> list[ControllerRouterHandler]:
    """The routes."""

    @post(_BATCHES, status_code=200)
    async def batch(request: Http) -> Response[bytes]:
        return await desk.take(request)

    @post(["/cloudevents", "/v1/cloudevents"], status_code=200)
    async def cloud(request: Http) -> Response[bytes]:
        if attributes := _attributes(request):
            return await desk.take(request, translate=cloudevents.binary(attributes), body_is="event")
        return await desk.take(request, translate=cloudevents.translate, body_is="list")

    return [batch, cloud, *(_single(desk, kind, short) for kind, short in _SHORT.items())]


def _single(desk: Desk, kind: str, short: str) -> Any:
    @post([f"/v1/{kind}", f"/v1/{short}"], status_code=200, name=f"one {kind}")
    async def single(request: Http) -> Response[bytes]:
        return await desk.take(request, kind=kind)

    return single


def _attributes(request: Http) -> dict[str, str]:
    """The envelope of a CloudEvent in binary mode: headers that begin with `ce-`; none in the other modes."""
    found = {name[3:]: unquote(value) for name, value in request.headers.items() if name.startswith("ce-")}
    kind = request.headers.get("content-type")
    return {**found, "datacontenttype": kind} if found and kind else found
