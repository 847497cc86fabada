"""What makes a request our own page's: the session's cookie, and the signs by which another site's page is known.

A cookie goes along with requests that another site's page makes in somebody's browser. `SameSite=Strict` keeps most of
them away, but not a page of another port or subdomain; so the browser must also say that the page is of our origin, and
the page must repeat a token that only it could read. Who it is, is decided in `guard.py`.
"""

from __future__ import annotations

import secrets
from typing import Any, Final
from urllib.parse import urlsplit

from litestar import Request, Response
from litestar.datastructures import Cookie

from innkeeper.runtime.sessions import LONGEST, Browser
from innkeeper.web.problems import problem

COOKIE: Final = "innkeeper_session"
_PORTS: Final = {"http": 80, "https": 443}
_SECOND: Final = 1_000_000


def secret_of(request: Request[Any, Any, Any]) -> str | None:
    """What the session's cookie holds; None: there is none, or there are two that differ.

    Another host of the same domain can add a cookie to ours.
    """
    found: set[str] = set()
    for name, value in request.scope["headers"]:
        if name == b"cookie":
            for part in value.decode("latin-1").split(";"):
                key, _, held = part.strip().partition("=")
                if key == COOKIE:
                    found.add(held)
    return found.pop() if len(found) == 1 else None


def cookie(request: Request[Any, Any, Any], secret: str) -> Cookie:
    """The session's cookie; with an empty *secret* the one that takes it away."""
    return Cookie(
        key=COOKIE, value=secret, max_age=LONGEST // _SECOND if secret else 0, path="/", httponly=True,
        samesite="strict", secure=request.scope["scheme"] == "https",
    )  # fmt: skip


def browser_of(request: Request[Any, Any, Any]) -> Browser:
    """Where a request comes from; behind a proxy that is believed, whom the proxy names."""
    client = request.scope["client"]
    return Browser("" if client is None else client[0], request.headers.get("user-agent", ""))


def refuse_strangers_page(request: Request[Any, Any, Any]) -> Response[bytes] | None:
    """What a page of another origin is answered; None: it is ours. A request that does not say so is another's."""
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    ours = (site in (None, "same-origin")) and (origin is None or _is_own(request, origin))
    if ours and (site is not None or origin is not None):
        return None
    return problem(
        403, "other-origin", "it is not said that this comes from a page of this address",
        "send Origin with this scheme, host and port; behind a proxy: innkeeper up --behind-proxy ADDRESS, and the"
        " proxy passes Host on; programs use a token instead: innkeeper token add",
    )  # fmt: skip


def refuse_without_token(request: Request[Any, Any, Any], csrf: str) -> Response[bytes] | None:
    """What a request is answered that does not repeat the session's token; None: it does."""
    sent = request.headers.get("x-csrf-token", "")
    if secrets.compare_digest(sent.encode("latin-1", "replace"), csrf.encode()):
        return None
    return problem(
        403, "bad-csrf", "the header X-CSRF-Token is missing or not this session's", "read it: GET /api/v1/session"
    )


def refuse_other_than_json(request: Request[Any, Any, Any]) -> Response[bytes] | None:
    """What a form is answered, which any page may send without asking first; None: it is JSON."""
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media == "application/json":
        return None
    return problem(415, "not-json", "only application/json is taken", "send Content-Type: application/json")


def _is_own(request: Request[Any, Any, Any], origin: str) -> bool:
    scheme = str(request.scope["scheme"])
    host = request.headers.get("host")
    sent = _place(origin)
    return host is not None and sent is not None and sent == _place(f"{scheme}://{host}")


def _place(origin: str) -> tuple[str, str, int] | None:
    """Scheme, host and port of an origin; None: it is none."""
    try:
        parts = urlsplit(origin)
        port = parts.port or _PORTS[parts.scheme]
    except (ValueError, KeyError):
        return None
    if not parts.hostname or origin.count("/") != 2 or "@" in origin or parts.query or parts.fragment:
        return None
    return parts.scheme, parts.hostname, port
