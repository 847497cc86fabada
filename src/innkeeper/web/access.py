"""Users, tokens, sources and the audit over the API."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from litestar import Request
from litestar.params import FromPath, FromQuery, JSONBody
from litestar.types import ControllerRouterHandler

from innkeeper.kernel.errors import UsageError
from innkeeper.kernel.time import DAY
from innkeeper.runtime import access, audit, sources
from innkeeper.runtime.passwords import LONGEST
from innkeeper.runtime.roles import PERMISSIONS, ROLES
from innkeeper.runtime.sessions import set_password
from innkeeper.store.sources import Kind
from innkeeper.web.api import Api, GraceDays
from innkeeper.web.paging import USUAL, after, most, page

Role = Literal["owner", "editor", "approver", "viewer", "front-line", "privacy-officer"]


class NewUser(msgspec.Struct, forbid_unknown_fields=True):
    """A user and what they may do."""

    name: str
    role: Role


class NewRole(msgspec.Struct, forbid_unknown_fields=True):
    """What a user may do from now on."""

    role: Role


class GivenPassword(msgspec.Struct, forbid_unknown_fields=True):
    """What a user logs in with from now on."""

    password: Annotated[str, msgspec.Meta(max_length=LONGEST)]


class NewToken(msgspec.Struct, forbid_unknown_fields=True):
    """A token of a user; *scopes* narrow what it may do; *days*: how long it lasts, a hundred years at most."""

    name: str
    user: str
    scopes: list[str] = []
    days: Annotated[int, msgspec.Meta(ge=1, le=36_500)] | None = None


class NewSource(msgspec.Struct, forbid_unknown_fields=True):
    """A source; public: its key stands in pages and apps."""

    name: str
    kind: Kind


def routes(api: Api) -> list[ControllerRouterHandler]:
    """The routes."""
    return [*_users(api), *_audit(api), *_tokens(api), *_sources(api)]


def _users(api: Api) -> list[ControllerRouterHandler]:
    store, clock = api.house.doorman.access, api.house.clock
    told = {"user": "ana@example.com", "role": "editor", "active": True}

    @api.get("/roles", "access:manage", {"roles": {"viewer": ["workspace:read"]}, "permissions": {}})
    def list_roles() -> dict[str, Any]:
        """Every role with its permissions, and what each permission opens."""
        return {"roles": {name: sorted(role) for name, role in ROLES.items()}, "permissions": PERMISSIONS}

    @api.get("/users", "access:manage", {"users": [told]})
    def list_users() -> dict[str, Any]:
        """Everybody who may use the API."""
        return {"users": [access.user_told(each, clock.now()) for each in store.users()]}

    @api.post("/users", "access:manage", told, status=201)
    def add_user(data: JSONBody[NewUser]) -> dict[str, Any]:
        """A new user."""
        return access.add_user(store, data.name, data.role, clock)

    @api.post("/users/{name:str}/role", "access:manage", told)
    def set_role(name: FromPath[str], data: JSONBody[NewRole]) -> dict[str, Any]:
        """Give a user another role; their tokens follow at once, their sessions end."""
        return access.set_role(store, name, data.role, clock)

    @api.post(
        "/users/{name:str}/password", "access:manage", {"user": "ana@example.com", "sessions_ended": 1}, secret=True,
        password=True,
    )  # fmt: skip
    def give_password(
        request: Request[Any, Any, Any], name: FromPath[str], data: JSONBody[GivenPassword]
    ) -> dict[str, Any]:
        """Give another user a password, to log in with; their sessions end. One's own: POST /session/password."""
        if request.scope["state"]["actor"].name == name:
            raise UsageError(
                "one's own password is changed with the one in force", code="own-password",
                fix="POST /api/v1/session/password",
            )  # fmt: skip
        return set_password(store, name, data.password, clock)

    @api.delete("/users/{name:str}", "access:manage", told | {"active": False})
    def end_user(name: FromPath[str]) -> dict[str, Any]:
        """From now on a user may do nothing, with none of their tokens and sessions."""
        return access.end_user(store, name, clock)

    return [list_roles, list_users, add_user, set_role, give_password, end_user]


def _audit(api: Api) -> list[ControllerRouterHandler]:
    store = api.house.doorman.access

    @api.get("/audit", "audit:read", {"entries": [{"seq": 1, "actor": "ana", "action": "POST"}], "next": None})
    def list_audit(limit: FromQuery[int] = USUAL, cursor: FromQuery[str | None] = None) -> dict[str, Any]:
        """Every write, oldest first."""
        last = after(cursor, int)
        rows = [audit.told(each) for each in store.entries(0 if last is None else last[0], most(limit) + 1)]
        return dict(page("entries", rows, limit, lambda row: [row["seq"]]))

    @api.get("/audit/verify", "audit:read", {"entries": 120, "holds": True, "broken_at": None, "last_hash": "5f2c…"})
    def verify_audit() -> dict[str, Any]:
        """Whether every entry stands as it was written. The last hash is worth keeping elsewhere."""
        return audit.verify(api.home)

    return [list_audit, verify_audit]


def _tokens(api: Api) -> list[ControllerRouterHandler]:
    store, clock = api.house.doorman.access, api.house.clock

    @api.get("/tokens", "access:manage", {"tokens": [{"name": "ci", "user": "ana", "in_force": True}]})
    def list_tokens() -> dict[str, Any]:
        """Every token, without the tokens themselves."""
        return {"tokens": [access.token_told(each, clock.now()) for each in store.tokens()]}

    @api.post("/tokens", "access:manage", {"name": "ci", "user": "ana", "token": "ink_…"}, status=201, secret=True)
    def add_token(data: JSONBody[NewToken]) -> dict[str, Any]:
        """A new token, which is shown this once."""
        lasts = None if data.days is None else data.days * DAY
        return access.add_token(store, data.user, data.name, clock, scopes=data.scopes, lasts=lasts)

    @api.delete("/tokens/{name:str}", "access:manage", {"token": "ci", "in_force": False})
    def end_token(name: FromPath[str]) -> dict[str, Any]:
        """End a token at once."""
        return access.end_token(store, name, clock)

    return [list_tokens, add_token, end_token]


def _sources(api: Api) -> list[ControllerRouterHandler]:
    keys = {"source": "shop", "kind": "server", "write_key": "srv_…"}

    @api.get("/sources", "sources:manage", {"sources": [{"source": "shop", "kind": "server", "accepted": 12}]})
    def list_sources() -> dict[str, Any]:
        """Every source with its keys and counts."""
        return {"sources": sources.listing(api.home, api.house.clock)}

    @api.get("/sources/{name:str}", "sources:manage", {"source": "shop", "kind": "server", "errors": []})
    def show_source(name: FromPath[str]) -> dict[str, Any]:
        """One source: its keys, what became of its events, the last error of each kind."""
        return sources.show(api.home, name, api.house.clock)

    @api.post("/sources", "sources:manage", keys, status=201, secret=True)
    def create_source(data: JSONBody[NewSource]) -> dict[str, Any]:
        """A new source and its keys, which are shown this once."""
        return sources.create(api.home, data.name, data.kind, api.house.clock).as_dict()

    @api.post("/sources/{name:str}/rotate", "sources:manage", keys, secret=True)
    def rotate_source(name: FromPath[str], grace_days: GraceDays = 1) -> dict[str, Any]:
        """A new key; the old one goes on for the time of grace."""
        return sources.rotate(api.home, name, grace_days * DAY, api.house.clock).as_dict()

    @api.post("/sources/{name:str}/revoke", "sources:manage", {"source": "shop", "revoked": 1})
    def revoke_source(name: FromPath[str]) -> dict[str, Any]:
        """End every key of a source at once."""
        return {"source": name, "revoked": sources.revoke(api.home, name, api.house.clock)}

    return [list_sources, show_source, create_source, rotate_source, revoke_source]
