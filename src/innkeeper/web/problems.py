"""Errors of the API: problem documents (RFC 9457) with the code, what is wrong and how to mend it.

The addresses for events answer in the form that SDKs expect instead (`answers.py`).
"""

from __future__ import annotations

from typing import Any, Final

import structlog
from litestar import Request, Response
from litestar.exceptions import HTTPException

from innkeeper.kernel.errors import InnkeeperError, InternalError, Invalid, OperationFailed, UsageError
from innkeeper.kernel.json import dumps_bytes
from innkeeper.web.api import Busy

MEDIA: Final = "application/problem+json"
_TITLES: Final = {
    400: "The request cannot be understood", 401: "It is not known who asks", 403: "This may not be done",
    404: "There is no such thing", 405: "This address does not take that method", 408: "It took too long",
    409: "It conflicts with what is there", 412: "It was changed meanwhile", 413: "The request is too large",
    415: "This media type is not taken", 422: "What was sent is not valid", 428: "A condition is needed",
    429: "Too much at once", 500: "A bug in Innkeeper", 503: "It cannot be done now",
    507: "There is no room for it",
}  # fmt: skip
#: What to do where an error does not say more.
_FIXES: Final = {
    400: "send what /docs shows of this address, as JSON", 408: "send the body without a pause",
    413: "send it in parts", 429: "send it again in a moment", 500: "look into the log, and report it",
    503: "send it again in a moment", 507: "make room on the disk",
}  # fmt: skip
#: What the codes of our errors begin or end with, and the status that says the same.
_BEGINS: Final = {"unknown-": 404, "no-home": 404, "no-retraction": 404, "bad-": 400}
_ENDS: Final = {
    "-exists": 409, "-in-use": 409, "-conflict": 409, "already-lifted": 409, "changed-meanwhile": 409,
    "past-is-gone": 409, "draft-published": 409, "task-ended": 409, "stale-draft": 412,
}  # fmt: skip
#: What looks like one of them and is not: it is about what was sent.
_EXACT: Final = {"unknown-file-kind": 422}

_TEXT: Final = {"type": "string"}
_FIELDS: Final = dict.fromkeys(("type", "title", "detail", "code", "fix"), _TEXT) | {"status": {"type": "integer"}}
#: How the API's description tells of them.
SCHEMA: Final = {
    "type": "object", "title": "Problem", "required": list(_FIELDS),
    "properties": _FIELDS | {"errors": {"type": "array", "items": {"type": "object"}}},
}  # fmt: skip
_RETRY: Final = {"Retry-After": {"description": "Seconds until it may be sent again", "schema": {"type": "string"}}}
_WHO: Final = {"WWW-Authenticate": {"description": "The scheme: Bearer", "schema": {"type": "string"}}}
_HEADERS: Final = {401: _WHO, 429: _RETRY, 503: _RETRY}

logger = structlog.get_logger()


def problem(
    status: int, code: str, detail: str, fix: str = "", *, retry_after: int = 1, **more: Any
) -> Response[bytes]:
    """A problem document; *retry_after*: seconds, told where it may be sent again."""
    body = {
        "type": f"urn:innkeeper:problem:{code}", "title": _TITLES.get(status, "It failed"), "status": status,
        "detail": detail, "code": code, "fix": fix or _FIXES.get(status, "see /docs"), **more,
    }  # fmt: skip
    headers = {"Retry-After": str(retry_after)} if status in (429, 503) else {}
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return Response(dumps_bytes(body), status_code=status, media_type=MEDIA, headers=headers)


def responses() -> dict[str, Any]:
    """The answers to what is not done, for the API's description: by status, and `other`."""
    content = {MEDIA: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    told = {
        str(status): {"description": title, "content": content}
        | ({"headers": _HEADERS[status]} if status in _HEADERS else {})
        for status, title in _TITLES.items()
    }
    return told | {"other": {"description": "What is wrong, and how to mend it", "content": content}}


def _ours(_: Request[Any, Any, Any], failed: InnkeeperError) -> Response[bytes]:
    if isinstance(failed, Invalid):
        errors = [each.as_dict() for each in failed.problems]
        return problem(422, failed.code, failed.message, "mend each of the errors", errors=errors)
    if isinstance(failed, InternalError):
        return _bug(_, failed)
    return problem(_status(failed), failed.code, failed.message, failed.fix)


def _status(failed: InnkeeperError) -> int:
    if failed.code in _EXACT:
        return _EXACT[failed.code]
    for part, status in _ENDS.items():
        if failed.code.endswith(part):
            return status
    if isinstance(failed, OperationFailed):
        return 503
    for part, status in _BEGINS.items():
        if failed.code.startswith(part):
            return status
    return 422 if isinstance(failed, UsageError) else 503


def _http(_: Request[Any, Any, Any], failed: HTTPException) -> Response[bytes]:
    status = failed.status_code
    code = {404: "not-found", 405: "method-not-allowed"}.get(status, "bad-request")
    extra = failed.extra if isinstance(failed.extra, list) else []
    wrong = [f"{each.get('key', '')}: {each.get('message', '')}" for each in extra if isinstance(each, dict)]
    return problem(status, code, "; ".join(wrong) or failed.detail, "see /docs")


def _busy(_: Request[Any, Any, Any], __: Busy) -> Response[bytes]:
    return problem(429, "busy", "as many requests as may run at once do", "send it again in a moment")


def _bug(_: Request[Any, Any, Any], failed: Exception) -> Response[bytes]:
    # The place, not the text: it may hold what a customer sent.
    logger.error("a bug", action="answer", reason=type(failed).__name__)
    return problem(500, "internal", "a bug in Innkeeper; its log says where")


EXCEPTIONS: Final[dict[int | type[Exception], Any]] = {
    Busy: _busy, InnkeeperError: _ours, HTTPException: _http, Exception: _bug,
}  # fmt: skip
