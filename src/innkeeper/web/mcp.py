"""MCP over HTTP: `POST /mcp`, one message a request, answered with JSON. No session, no stream.

Tokens, permissions, limits and audit are those of the API (`guard.py`); each tool asks for its own permission. The
protocol: `mcp_messages.py`.
"""

from __future__ import annotations

import ipaddress
from functools import partial
from typing import Any, Final
from urllib.parse import urlsplit

from litestar import Response, post
from litestar.types import ControllerRouterHandler

from innkeeper.kernel.json import dumps_bytes
from innkeeper.runtime import audit
from innkeeper.runtime.access import Actor
from innkeeper.web.api import Api, Busy
from innkeeper.web.guard import actor_of, no_token
from innkeeper.web.mcp_messages import (
    HEADER_MISMATCH,
    INVALID_PARAMS,
    INVALID_REQUEST,
    MODERN,
    NO_METHOD,
    PARSE_ERROR,
    UNSUPPORTED_VERSION,
    VERSION_KEY,
    WITH_HANDSHAKE,
    Call,
    Refused,
    answer,
    failure,
    read,
    unsupported,
)
from innkeeper.web.mcp_tools import Toolbox
from innkeeper.web.problems import problem
from innkeeper.web.requests import Desk, Http

_VERSION: Final = "mcp-protocol-version"
#: The status that an error has; of a request of the time of the handshake only where it is no message at all.
_ALWAYS: Final = {PARSE_ERROR: 400, INVALID_REQUEST: 400, HEADER_MISMATCH: 400, UNSUPPORTED_VERSION: 400}
_MODERN: Final = {**_ALWAYS, INVALID_PARAMS: 400, NO_METHOD: 404}


def route(api: Api, desk: Desk) -> ControllerRouterHandler:
    """The route; the nouns' routes must be made by then."""
    tools, house = Toolbox(api), api.house

    def work(call: Call, actor: Actor, body: bytes) -> dict[str, Any]:
        tool = tools.named(call.tool)
        if tool is None or not tool.is_draft:
            return answer(tools, call, actor)

        def note(status: int) -> None:
            audit.record(
                house.doorman.access, at=house.clock.now(), actor=actor.name, action="POST", noun="definitions",
                about=f"/mcp {tool.name}", body=body, status=status,
            )  # fmt: skip

        note(audit.BEGUN)
        told = answer(tools, call, actor)
        note(422 if told.get("result", {"isError": True})["isError"] else 200)
        return told

    @post("/mcp", status_code=200)
    async def mcp(request: Http) -> Response[bytes]:
        if not _may_ask(request.headers.get("origin")):
            return problem(403, "bad-origin", "a page of another origin may not ask here", "ask from a program")
        actor = actor_of(request, house.doorman)
        if actor is None:
            return no_token()
        body = await desk.read_raw(request)
        try:
            call = read(body)
        except Refused as refused:
            return _told(failure(refused, None), _ALWAYS)
        wrong = _headers_lie(request, call)
        if wrong is not None:
            return _told(failure(wrong, call.id), _MODERN)
        if call.id is None:
            return Response(b"", status_code=202)
        try:
            told = await api.read(partial(work, call, actor, body))
        except Busy:
            return problem(429, "busy", "as many questions as may run at once do", "ask again in a moment")
        return _told(told, _ALWAYS if call.version is None else _MODERN)

    return mcp


def _may_ask(origin: str | None) -> bool:
    """Programs name no origin; a page may ask where it is this machine's own.

    A page whose name is made to lead here (DNS rebinding) has the origin of that name, so the names that count are
    those that cannot be made to.
    """
    if origin is None:
        return True
    try:
        host = urlsplit(origin).hostname or ""
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _headers_lie(request: Http, call: Call) -> Refused | None:
    """What the headers say against the body; who stands between may have gone by them."""
    said = request.headers.get(_VERSION)
    if call.version is None and (said is None or said in WITH_HANDSHAKE):
        return None
    if call.id is None:
        return None if said in MODERN else unsupported(str(said))
    if call.version is None:
        if said in MODERN:
            return Refused(INVALID_PARAMS, f"params._meta must carry {VERSION_KEY}")
        return unsupported(str(said))
    expected = {_VERSION: call.version, "mcp-method": call.method}
    if isinstance(call.tool, str):
        expected["mcp-name"] = call.tool
    for name, value in expected.items():
        if request.headers.get(name) != value:
            return Refused(HEADER_MISMATCH, f"the header {name} must say what the body says: {value!r}")
    return None


def _told(message: dict[str, Any], statuses: dict[int, int]) -> Response[bytes]:
    status = statuses.get(message["error"]["code"], 200) if "error" in message else 200
    return Response(dumps_bytes(message), status_code=status, media_type="application/json")
