"""Events in: the addresses that the SDKs of Segment, RudderStack and Dittofeed call, and CloudEvents."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import unquote

from litestar import Response, post
from litestar.types import ControllerRouterHandler

from innkeeper.events import cloudevents
from innkeeper.web.requests import Desk, Http

#: The short addresses of Segment's browser SDK.
_SHORT: Final = {"track": "t", "identify": "i", "page": "p", "screen": "s", "group": "g", "alias": "a"}
_BATCHES: Final = ["/v1/batch", "/v1/b", "/v1/import", "/api/public/apps/batch", "/beacon/v1/batch"]


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
