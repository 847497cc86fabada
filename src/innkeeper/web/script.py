"""The browser script at `/innkeeper.js`: one file, `static/innkeeper.js`, as it was written, in three codings."""

from __future__ import annotations

import gzip
import re
import sys
from hashlib import sha256
from importlib.resources import files
from typing import Any, Final, NamedTuple

from litestar import Request, Response, route
from litestar.types import ControllerRouterHandler

_HEADERS: Final = {
    "Content-Type": "text/javascript; charset=utf-8",
    # An hour; after it a browser goes on with what it has while it asks.
    "Cache-Control": "public, max-age=3600, stale-while-revalidate=86400",
    "Vary": "Accept-Encoding",
    "X-Content-Type-Options": "nosniff",
    # Pages of any origin load it, also those that let in only what says it may be (COEP).
    "Cross-Origin-Resource-Policy": "cross-origin",
}
#: The codings that are offered, the best first.
_CODINGS: Final = ("zstd", "gzip")
_REFUSED: Final = re.compile(r"q=0(\.0*)?")


class _Form(NamedTuple):
    body: bytes
    headers: dict[str, str]


def routes() -> list[ControllerRouterHandler]:
    """The route."""
    forms = _forms((files("innkeeper.web") / "static" / "innkeeper.js").read_bytes())

    @route("/innkeeper.js", http_method=["GET", "HEAD"], sync_to_thread=False)
    def script(request: Request[Any, Any, Any]) -> Response[bytes]:
        form = forms[_coding(request.headers.get("accept-encoding", ""))]
        known = request.headers.get("if-none-match", "")
        if known.strip() == "*" or form.headers["ETag"] in known.replace("W/", "").replace(" ", "").split(","):
            return Response(b"", status_code=304, headers=form.headers)
        return Response(form.body, status_code=200, headers=form.headers)

    return [script]


def _forms(text: bytes) -> dict[str, _Form]:
    """The answer in each coding, each with an ETag of its own: a strong one stands for exact bytes."""
    bodies = {"": text, "gzip": gzip.compress(text, 9, mtime=0), "zstd": _zstd(text)}
    version = sha256(text).hexdigest()[:20]
    made = {}
    for coding, body in bodies.items():
        own = {"ETag": f'"{version}-{coding}"', "Content-Encoding": coding} if coding else {"ETag": f'"{version}"'}
        made[coding] = _Form(body, _HEADERS | own)
    return made


def _zstd(text: bytes) -> bytes:
    if sys.version_info >= (3, 14):
        from compression import zstd
    else:
        from backports import zstd

    return zstd.compress(text, 19)


def _coding(accepted: str) -> str:
    """The best coding that the browser names.

    >>> _coding("gzip, deflate, br, zstd"), _coding("gzip"), _coding("zstd;q=0, GZIP;q=0.5"), _coding("*")
    ('zstd', 'gzip', 'gzip', '')
    """
    named = set()
    for each in accepted.lower().split(","):
        name, _, weight = each.partition(";")
        if not _REFUSED.fullmatch(weight.strip()):
            named.add(name.strip())
    return next((coding for coding in _CODINGS if coding in named), "")
