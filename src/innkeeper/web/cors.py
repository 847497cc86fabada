"""Pages of any origin may send events: what browsers ask before they do, and the headers that let them read the answer.

`Authorization` is named, because a wildcard does not cover it. No credentials are let in: a key is not a cookie.
"""

from __future__ import annotations

from typing import Final

from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send

_ORIGIN: Final = (b"access-control-allow-origin", b"*")
#: When to come again is what a page cannot read unless it is named.
_EXPOSED: Final = (b"access-control-expose-headers", b"retry-after")
#: What the SDKs of browsers send; RudderStack's adds those that begin with `rsa-` when it tries again.
_HEADERS: Final = (
    b"authorization, content-type, content-encoding, x-write-key, x-user-token, x-retry-count, anonymousid, sentat, "
    b"rsa-recovered, rsa-retry-attempt, rsa-retry-reason, rsa-since-first-attempt, rsa-since-last-attempt"
)
_PREFLIGHT: Final = [
    _ORIGIN,
    (b"access-control-allow-methods", b"GET, POST, PUT, DELETE, OPTIONS"),
    (b"access-control-allow-headers", _HEADERS),
    (b"access-control-max-age", b"86400"),
    (b"content-length", b"0"),
]


def open_to_pages(app: ASGIApp) -> ASGIApp:
    """The application, answering preflights and marking its answers."""

    async def opened(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP:
            await app(scope, receive, send)
            return
        if scope["method"] == "OPTIONS":
            await send({"type": "http.response.start", "status": 204, "headers": _PREFLIGHT})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
            return

        async def marked(message: Message) -> None:
            # Not what needs a permission, gives a session or is for programs: a page of another origin has no business
            # with it.
            opt = scope["route_handler"].opt if scope.get("route_handler") else {}
            closed = any(map(opt.get, ("permission", "own_origin", "programs")))
            if message["type"] == "http.response.start" and not closed:
                message["headers"] = [*message["headers"], _ORIGIN, _EXPOSED]
            await send(message)

        await app(scope, receive, marked)

    return opened
