"""Logging in and out from a browser, and one's own sessions, over the API. The work: `runtime/sessions.py`."""

from __future__ import annotations

from typing import Annotated, Any, Final

import msgspec
from litestar import Request, Response
from litestar.params import FromPath, JSONBody
from litestar.types import ControllerRouterHandler

from innkeeper.kernel.time import SECOND, Clock
from innkeeper.runtime.access import Actor
from innkeeper.runtime.passwords import LONGEST
from innkeeper.runtime.sessions import Begun, Refused
from innkeeper.web.api import Api, asking
from innkeeper.web.browser import browser_of, cookie
from innkeeper.web.problems import problem

_OWN: Final = "session:own"
_SELF: Final = {"user": "ana@example.com", "permissions": ["customers:read"], "session": "5f2c…", "csrf": "9b1d…"}
_ONE: Final = {
    "id": "5f2c…", "began_at": "2026-11-25T08:00:00Z", "seen_at": "2026-11-25T09:30:00Z",
    "ends_at": "2026-11-25T21:30:00Z", "agent": "Mozilla/5.0 …", "current": True,
}  # fmt: skip

Name = Annotated[str, msgspec.Meta(max_length=100)]
Password = Annotated[str, msgspec.Meta(max_length=LONGEST)]


class Login(msgspec.Struct, forbid_unknown_fields=True):
    """Who, and their password."""

    user: Name
    password: Password


class NewPassword(msgspec.Struct, forbid_unknown_fields=True):
    """The password in force, and the one that replaces it."""

    current: Password
    password: Password


def routes(api: Api) -> list[ControllerRouterHandler]:
    """The routes."""
    sessions, clock = api.house.sessions, api.house.clock

    @api.enter("/session", _SELF)
    def log_in(request: Request[Any, Any, Any], data: JSONBody[Login]) -> Response[Any]:
        """Log in: the session's cookie, and the token that its requests repeat in X-CSRF-Token."""
        return _answer(request, sessions.log_in(data.user, data.password, browser_of(request)), clock)

    @api.get("/session", _OWN, _SELF)
    def show_session(request: Request[Any, Any, Any]) -> Response[Any]:
        """Who one is, what one may do, and the token of the session; none where one came with a token of the API."""
        return Response(_self(asking(request)), headers=_NOT_KEPT)

    @api.delete("/session", _OWN, {"session": "5f2c…", "ended": True})
    def log_out(request: Request[Any, Any, Any]) -> Response[Any]:
        """Log out: the session ends, and the browser forgets its cookie."""
        actor = asking(request)
        sessions.end(actor.name, actor.session)
        return Response({"session": actor.session, "ended": True}, cookies=[cookie(request, "")])

    @api.post("/session/password", _OWN, _SELF, secret=True, password=True)
    def change_password(request: Request[Any, Any, Any], data: JSONBody[NewPassword]) -> Response[Any]:
        """Choose another password: every session ends, and a new one begins here."""
        changed = sessions.change_password(asking(request), data.current, data.password, browser_of(request))
        return _answer(request, changed, clock)

    @api.get("/sessions", _OWN, {"sessions": [_ONE]})
    def list_sessions(request: Request[Any, Any, Any]) -> dict[str, Any]:
        """One's sessions, oldest first."""
        return {"sessions": sessions.listing(asking(request))}

    @api.delete("/sessions/{id:str}", _OWN, {"session": "5f2c…", "ended": True})
    def end_session(request: Request[Any, Any, Any], id: FromPath[str]) -> dict[str, Any]:
        """End one of one's sessions, such as one on a machine left behind."""
        sessions.end(asking(request).name, id)
        return {"session": id, "ended": True}

    return [log_in, show_session, log_out, change_password, list_sessions, end_session]


_NOT_KEPT: Final = {"Cache-Control": "no-store"}


def _answer(request: Request[Any, Any, Any], found: Begun | Refused, clock: Clock) -> Response[Any]:
    if isinstance(found, Begun):
        return Response(_self(found.actor), headers=_NOT_KEPT, cookies=[cookie(request, found.secret)])
    if found.until is None:
        return problem(
            401, "wrong-login", "the name and the password do not belong together", "innkeeper user password NAME"
        )
    seconds = -(-max(0, found.until - clock.now()) // SECOND)
    return problem(
        429, "too-many-tries", "there were too many tries to log in, with this name or from this address",
        "wait, or set the password anew: innkeeper user password NAME", retry_after=max(1, seconds),
    )  # fmt: skip


def _self(actor: Actor) -> dict[str, Any]:
    return {
        "user": actor.name, "permissions": sorted(actor.permissions), "session": actor.session, "csrf": actor.csrf,
    }  # fmt: skip
