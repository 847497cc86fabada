"""What holds for every route of the API: who asks, what they may do, one answer per Idempotency-Key, the audit.

One layer around the routes, so that none can do without. A route says its permission when it is made (`api.py`).
"""

from __future__ import annotations

import asyncio
import hashlib
from typing import Any, Final, NamedTuple

import anyio.to_thread
from litestar import Request, Response
from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from innkeeper.kernel.json import dumps_bytes, loads
from innkeeper.kernel.time import DAY, Clock
from innkeeper.runtime import audit
from innkeeper.runtime.access import Actor, Doorman
from innkeeper.runtime.bodies import BadBody, check_json
from innkeeper.runtime.sessions import Sessions
from innkeeper.runtime.uploads import Upload, Uploads
from innkeeper.store.access import Remembered
from innkeeper.web.browser import refuse_other_than_json, refuse_strangers_page, refuse_without_token, secret_of
from innkeeper.web.plain import Gone, Plain
from innkeeper.web.problems import problem
from innkeeper.web.requests import BODY_SECONDS

#: How large a request to the API may be; events and files have limits of their own.
MOST_BYTES: Final = 1024 * 1024
#: How long an Idempotency-Key may be.
LONGEST_KEY: Final = 255
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
#: What was refused before its work began; like what failed on our side, it may be sent again under the same key.
_NOT_BEGUN: Final = (400, 429)
#: Headers of an answer that are kept with it.
_KEPT: Final = (b"content-type", b"etag")

_Answer = tuple[int, list[tuple[bytes, bytes]], bytes]


class _Sent(NamedTuple):
    """What came with a request: *kept* is what its digest is made of."""

    body: bytes
    kept: bytes
    upload: Upload | None = None


class Guard:
    """Made once for all routes."""

    def __init__(self, doorman: Doorman, sessions: Sessions, uploads: Uploads, clock: Clock) -> None:
        self._doorman, self._sessions, self._uploads, self._clock = doorman, sessions, uploads, clock
        doorman.access.forget_unfinished()

    def around(self, app: ASGIApp) -> ASGIApp:
        """The routes, guarded."""

        async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] != ScopeType.HTTP:
                await app(scope, receive, send)
                return
            request: Request[Any, Any, Any] = Request(scope, receive, send)
            found = self._who(request)
            if isinstance(found, Response):
                await _respond(found, request)
                return
            if found is None:
                await _enter(app, request)
                return
            scope["state"]["actor"] = found
            if scope["method"] in _SAFE:
                await app(scope, receive, send)
            else:
                await self._write(app, request, found)

        return guarded

    def _who(self, request: Request[Any, Any, Any]) -> Actor | Response[bytes] | None:
        """Who it is; what a request is answered that may not go on; None: the route lets in whom it does not know."""
        opt = request.scope["route_handler"].opt
        if opt.get("open"):
            return refuse_other_than_json(request) or refuse_strangers_page(request)
        bearer = request.headers.get("authorization", "").lower().startswith("bearer ")
        found = actor_of(request, self._doorman) if bearer else self._of_session(request)
        if found is None:
            return no_token()
        if isinstance(found, Response):
            return found
        needed = str(opt["permission"])
        if needed not in found.permissions:
            return problem(
                403, "not-allowed", f"this needs the permission '{needed}', which {found.name} does not have here",
                "ask an owner: innkeeper user role, innkeeper token add --scope",
            )  # fmt: skip
        return found

    def _of_session(self, request: Request[Any, Any, Any]) -> Actor | Response[bytes] | None:
        """Whose session's cookie came; what changes something must come from our own page."""
        secret = secret_of(request)
        actor = None if secret is None else self._sessions.actor(secret)
        if actor is None or request.method in _SAFE:
            return actor
        return refuse_strangers_page(request) or refuse_without_token(request, actor.csrf or "") or actor

    async def _write(self, app: ASGIApp, request: Request[Any, Any, Any], actor: Actor) -> None:
        """A request that changes something: its body whole, its answer kept, and both in the audit."""
        try:
            sent = await self._sent(request)
        except BadBody as bad:
            await _respond(problem(bad.status, bad.code, bad.message), request)
            return
        except Gone:
            return
        try:
            answer = await self._answered(app, request, actor, sent)
        finally:
            if sent.upload is not None:
                # Whoever has taken it has moved it away.
                sent.upload.path.unlink(missing_ok=True)
        if isinstance(answer, Response):
            await _respond(answer, request)
        else:
            await _tell(request, answer)

    async def _sent(self, request: Request[Any, Any, Any]) -> _Sent:
        """What came with a request, whole.

        Raises:
            BadBody: It is too large, too slow, or no JSON where it should be.
            Gone: Who was sending a file has left in the middle.
        """
        opt = request.scope["route_handler"].opt
        if opt["upload"]:
            upload = await self._uploads.receive(Plain(request.scope, request.receive).stream(), request.content_length)
            return _Sent(b"", upload.digest, upload)
        body = await _body(request)
        # A digest of a password, without salt and cost, would be guessed at once.
        return _Sent(body, b"" if opt["password"] else body)

    async def _answered(
        self, app: ASGIApp, request: Request[Any, Any, Any], actor: Actor, sent: _Sent
    ) -> _Answer | Response[bytes]:
        """The answer to a request that is whole: an earlier one, or that of the routes, which is kept."""
        kept = sent.kept
        request.scope["state"]["upload"] = sent.upload
        key = request.headers.get("idempotency-key") if request.method == "POST" else None
        if key is not None:
            answered = await anyio.to_thread.run_sync(self._earlier, request, actor, key, kept)
            if answered is not None:
                return answered
        await anyio.to_thread.run_sync(self._note, request, actor, kept, audit.BEGUN)
        answer = await _answer_of(app, request.scope, sent.body)
        await anyio.to_thread.run_sync(self._keep, request, actor, key, kept, answer)
        return answer

    def _earlier(self, request: Request[Any, Any, Any], actor: Actor, key: str, body: bytes) -> Response[bytes] | None:
        """What was answered to the same request before; None: nothing, and from now on it is being worked on."""
        if not key or len(key) > LONGEST_KEY:
            return problem(
                400,
                "bad-idempotency-key",
                f"Idempotency-Key must have 1 to {LONGEST_KEY} characters",
                "choose a fresh one for each request: a UUID",
            )
        digest = hashlib.sha256(f"{request.url.path}?{request.url.query}\0".encode() + body).hexdigest()
        now = self._clock.now()
        found = self._doorman.access.begin_request(actor.name, key, digest, now, now - DAY)
        return None if found is None else _again(found, digest)

    def _keep(
        self, request: Request[Any, Any, Any], actor: Actor, key: str | None, body: bytes, answer: _Answer
    ) -> None:
        status, headers, told = answer
        if key is not None:
            kept = dumps_bytes(
                {"headers": [[name.decode(), value.decode()] for name, value in headers if name in _KEPT]}
            )
            told = b"" if request.scope["route_handler"].opt["secret"] and status < 400 else told
            again = status >= 500 or status in _NOT_BEGUN
            self._doorman.access.end_request(actor.name, key, None if again else (status, kept + b"\0" + told))
        self._note(request, actor, body, status)

    def _note(self, request: Request[Any, Any, Any], actor: Actor, body: bytes, status: int) -> None:
        audit.record(
            self._doorman.access, at=self._clock.now(), actor=actor.name, action=request.method,
            noun=str(request.scope["route_handler"].opt["noun"]), about=request.url.path, body=body, status=status,
        )  # fmt: skip


def actor_of(request: Request[Any, Any, Any], doorman: Doorman) -> Actor | None:
    """Whose bearer token came with a request; None: none that opens anything."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return doorman.actor(token.strip()) if scheme.lower() == "bearer" else None


def no_token() -> Response[bytes]:
    """What a request hears that brings nothing that opens anything."""
    return problem(
        401, "bad-token", "no token that opens anything and no session in force came with the request",
        "innkeeper token add, or log in: POST /api/v1/session",
    )  # fmt: skip


async def _enter(app: ASGIApp, request: Request[Any, Any, Any]) -> None:
    """A login: nobody is known yet, so it is the route that writes the audit, and no answer is kept."""
    try:
        body = await _body(request)
    except BadBody as bad:
        await _respond(problem(bad.status, bad.code, bad.message), request)
    else:
        await _tell(request, await _answer_of(app, request.scope, body))


def _again(found: Remembered, digest: str) -> Response[bytes]:
    if found.digest != digest:
        return problem(
            422, "idempotency-key-reused", "this Idempotency-Key came with another request before", "use a fresh key"
        )
    if found.status is None or found.answer is None:
        return problem(
            409, "in-progress", "the request with this Idempotency-Key is being worked on", "ask again later"
        )
    kept, _, told = found.answer.partition(b"\0")
    if not told:
        return problem(
            409, "answered-once", "this request was done; it is about a secret, so its answer is not kept",
            "end what it made, and make another with a fresh key",
        )  # fmt: skip
    headers = {str(name): str(value) for name, value in loads(kept)["headers"]}
    media = headers.pop("content-type", "application/json")
    return Response(told, status_code=found.status, media_type=media, headers=headers | {"Idempotent-Replayed": "true"})


async def _body(request: Request[Any, Any, Any]) -> bytes:
    """The body, whole.

    Raises:
        BadBody: It is too large, too slow, or no JSON.
    """
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for chunk in request.stream():
                body += chunk
                if len(body) > MOST_BYTES:
                    raise BadBody(413, "too-large", f"at most {MOST_BYTES:,} bytes are taken")
    except TimeoutError as error:
        raise BadBody(408, "too-slow", f"the body did not come within {BODY_SECONDS:.0f} seconds") from error
    if body:
        check_json(bytes(body))
    return bytes(body)


async def _answer_of(app: ASGIApp, scope: Scope, body: bytes) -> _Answer:
    """What the routes answer to a request whose body was read."""
    start: dict[str, Any] = {}
    parts: list[bytes] = []
    sent = False

    async def receive() -> Any:
        nonlocal sent
        if sent:
            return {"type": "http.disconnect"}
        sent = True
        return {"type": "http.request", "body": body or b"{}", "more_body": False}

    async def take(message: Message) -> None:
        if message["type"] == "http.response.start":
            start.update(message)
        elif message["type"] == "http.response.body":
            parts.append(message.get("body", b""))

    await app(scope, receive, take)
    return int(start["status"]), list(start["headers"]), b"".join(parts)


async def _tell(request: Request[Any, Any, Any], answer: _Answer) -> None:
    status, headers, body = answer
    start: Any = {"type": "http.response.start", "status": status, "headers": headers}
    await request.send(start)
    end: Any = {"type": "http.response.body", "body": body, "more_body": False}
    await request.send(end)


async def _respond(response: Response[bytes], request: Request[Any, Any, Any]) -> None:
    await response.to_asgi_response(app=None, request=request)(request.scope, request.receive, request.send)
