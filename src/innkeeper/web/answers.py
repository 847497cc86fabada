"""Answers: success as clients expect it, and errors, always JSON with `code` and `message`, whatever went wrong."""

from __future__ import annotations

from typing import Any, Final, cast

import structlog
from litestar import MediaType, Request, Response
from litestar.exceptions import HTTPException

from innkeeper.events import lookalikes
from innkeeper.kernel.errors import InnkeeperError
from innkeeper.kernel.json import dumps_bytes
from innkeeper.runtime.bodies import BadBody
from innkeeper.runtime.debugger import TooManyWatchers
from innkeeper.runtime.ingest import Taken
from innkeeper.runtime.writer import Full

_RETRY_SECONDS: Final = {429: "1", 503: "5"}
#: The least codes that a client of ours has to tell apart.
_CODES: Final = {404: "not-found", 405: "method-not-allowed"}

logger = structlog.get_logger()


def error(status: int, code: str, message: str, **more: Any) -> Response[bytes]:
    """An error; one that passes says when to come again."""
    headers = {"Retry-After": _RETRY_SECONDS[status]} if status in _RETRY_SECONDS else {}
    # Customer.io's client for Node tells its caller what stands in `meta`, and else "Unknown error".
    body = dumps_bytes({"success": False, "code": code, "message": message, **more, "meta": {"error": message}})
    return Response(body, status_code=status, media_type=MediaType.JSON, headers=headers)


def answer(taken: Taken, *, alone: bool) -> Response[bytes]:
    """What became of a request: 200 with the refused events listed, and names that may be mistakes; 400 where the only
    one is refused."""
    if alone and taken.refused:
        _, refusal = taken.refused[0]
        return error(400, refusal.code, refusal.reason, fix=refusal.fix)
    told = {
        "success": True, "accepted": taken.accepted, "duplicates": taken.duplicates, "rejected": len(taken.refused),
        "refused": [
            {"index": place, "code": refusal.code, "message": refusal.reason, "fix": refusal.fix}
            for place, refusal in taken.refused
        ],
    }  # fmt: skip
    if taken.alike:
        told["warnings"] = [
            {"index": place, "code": lookalikes.CODE, "message": alike.told, "fix": alike.fix}
            for place, alike in taken.alike
        ]
    return Response(dumps_bytes(told), status_code=200, media_type=MediaType.JSON)


def unauthorized() -> Response[bytes]:
    """No key that came with the request opens anything."""
    return error(401, "bad-key", "no key of this workspace came with the request, or it was revoked")


def _bad_body(_: Request[Any, Any, Any], bad: BadBody) -> Response[bytes]:
    return error(bad.status, bad.code, bad.message)


def _full(_: Request[Any, Any, Any], __: Full) -> Response[bytes]:
    return error(429, "busy", "the log does not keep up; send it again in a moment")


def _watched(_: Request[Any, Any, Any], __: TooManyWatchers) -> Response[bytes]:
    return error(429, "too-many-watchers", "as many watch this source as may")


def _not_written(_: Request[Any, Any, Any], failed: InnkeeperError) -> Response[bytes]:
    logger.error("not written", action="ingest", reason=failed.code)
    return error(503, failed.code, "nothing was written; send it again")


def _http(_: Request[Any, Any, Any], failed: HTTPException) -> Response[bytes]:
    status = failed.status_code
    return error(status, _CODES.get(status, "failed"), "there is no such address" if status == 404 else failed.detail)


def _bug(_: Request[Any, Any, Any], failed: Exception) -> Response[bytes]:
    # The place, not the text: it may hold what a customer sent.
    logger.error("a bug", action="answer", reason=type(failed).__name__)
    return error(500, "internal", "a bug in Innkeeper; its log says where")


EXCEPTIONS: Final[dict[int | type[Exception], Any]] = {
    BadBody: _bad_body, Full: _full, TooManyWatchers: _watched, InnkeeperError: _not_written, HTTPException: _http,
    Exception: _bug,
}  # fmt: skip


def told_of(failed: Exception) -> Response[bytes]:
    """What is answered where a request failed; the same for every way in."""
    handler = next(EXCEPTIONS[kind] for kind in type(failed).__mro__ if kind in EXCEPTIONS)
    return cast("Response[bytes]", handler(None, failed))
