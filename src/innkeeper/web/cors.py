"""Pages of any origin may send events: what browsers ask before they do, and the headers that let them read the answer.

That holds for the addresses that browsers send to, by how they begin; with the API, the figures and all else a page of
another origin has no business. `Authorization` is named, because a wildcard does not cover it. No credentials are let
in: a key is not a cookie.
"""

from __future__ import annotations

from typing import Final

from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send

#: What browsers send to and load: events, the settings of SDKs, the script.
_FOR_PAGES: Final = ("/v1/", "/beacon/", "/cloudevents", "/sourceConfig", "/api/public/", "/innkeeper.js")
_ORIGIN: Final = (b"access-control-allow-origin", b"*")
#: When to come again is what a page cannot read unless it is named.
_EXPOSED: Final = (b"access-control-expose-headers", b"retry-after")
#: What the SDKs of browsers send; RudderStack's adds those that begin with `rsa-` when it tries again.
_HEADERS: Final = (
    b"authorization, content-type, content-encoding, x-write-key, x-user-token, x-retry-count, anonymousid, sentat, "
    b"rsa-recovered, rsa-retry-attempt, rsa-retry-reason, rsa-since-first-attempt, rsa-since-last-attempt"
)
_EMPTY: Final = (b"content-length", b"0")
_PREFLIGHT: Final = [
    _ORIGIN,
    (b"access-control-allow-methods", b"GET, POST, PUT, DELETE, OPTIONS"),
    (b"access-control-allow-headers", _HEADERS),
    (b"access-control-max-age", b"86400"),
    _EMPTY,
]


def open_to_pages(app: ASGIApp) -> ASGIApp:
    """The application, answering preflights and marking its answers."""

    async def opened(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP:
            await app(scope, receive, send)
            return
        is_for_pages = scope["path"].startswith(_FOR_PAGES)
        if scope["method"] == "OPTIONS":
            headers = _PREFLIGHT if is_for_pages else [_EMPTY]
            await send({"type": "http.response.start", "status": 204, "headers": headers})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
            return

        async def marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], _ORIGIN, _EXPOSED]
            await send(message)

        await app(scope, receive, marked if is_for_pages else send)

    return opened
