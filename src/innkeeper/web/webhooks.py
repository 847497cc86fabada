"""Webhooks in: what other programs send in a form of their own. What becomes of it: `runtime/webhook_intake.py`."""

from __future__ import annotations

from litestar import MediaType, Response, get, post
from litestar.params import FromPath
from litestar.types import ControllerRouterHandler

from innkeeper.events.signatures import Forged, Received
from innkeeper.runtime.webhook_intake import Webhooks
from innkeeper.web.answers import answer, error, unauthorized
from innkeeper.web.requests import Desk, Http


def routes(desk: Desk, webhooks: Webhooks) -> list[ControllerRouterHandler]:
    """The routes."""

    async def take(request: Http, name: str, token: str) -> Response[bytes]:
        received = Received(
            method=request.method,
            headers={key.lower(): value for key, value in request.headers.items()},
            query={key: str(value) for key, value in request.query_params.items()},
            body=await desk.read_raw(request),
            at=desk.door.clock.now(),
            token=token,
        )
        try:
            outcome = await webhooks.take(name, received)
        except Forged as forged:
            return error(401, forged.code, forged.reason)
        if outcome is None:
            return unauthorized()
        if isinstance(outcome, bytes):
            return Response(outcome, status_code=200, media_type=MediaType.TEXT)
        return answer(outcome, alone=len(outcome.refused) > 0 and outcome.accepted + outcome.duplicates == 0)

    @post("/v1/webhooks/{name:str}", status_code=200)
    async def webhook(request: Http, name: FromPath[str]) -> Response[bytes]:
        return await take(request, name, "")

    @post("/v1/webhooks/{name:str}/{token:str}", status_code=200)
    async def webhook_with_key(request: Http, name: FromPath[str], token: FromPath[str]) -> Response[bytes]:
        return await take(request, name, token)

    @get("/v1/webhooks/{name:str}", sync_to_thread=False)
    def greeting(request: Http, name: FromPath[str]) -> Response[bytes]:
        query = {key: str(value) for key, value in request.query_params.items()}
        try:
            challenge = webhooks.greet(name, query, desk.door.clock.now())
        except Forged as forged:
            return error(403, forged.code, forged.reason)
        if challenge is None:
            return error(404, "not-found", "no source of this name is asked first")
        return Response(
            challenge,
            media_type=MediaType.TEXT,
            headers={"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"},
        )

    return [webhook, webhook_with_key, greeting]
