"""Audiences over the API: any expression counted, listed, followed through time and explained."""

from __future__ import annotations

from typing import Any

from litestar.params import FromQuery
from litestar.types import ControllerRouterHandler

from innkeeper.audiences.check import Subject
from innkeeper.kernel.errors import UsageError
from innkeeper.kernel.time import format_instant
from innkeeper.runtime.audience import Asked, Audiences, explained
from innkeeper.web.api import Api, instant_of
from innkeeper.web.paging import USUAL, cut


def routes(api: Api) -> list[ControllerRouterHandler]:
    """The routes."""

    @api.get("/audiences/count", "workspace:read", {"count": 42})
    def count_audience(
        expression: FromQuery[str], at: FromQuery[str | None] = None, of: FromQuery[Subject] = "profile"
    ) -> dict[str, Any]:
        """How many profiles or accounts are members."""
        audiences, asked = _understand(api, expression, of)
        instant = instant_of(at)
        return {"count": audiences.count(asked, instant), **_warnings(audiences, asked, instant_of(at))}

    @api.get("/audiences/members", "customers:read", {"ids": ["ana"], "next": None})
    def list_members(
        expression: FromQuery[str], at: FromQuery[str | None] = None, of: FromQuery[Subject] = "profile",
        id: FromQuery[str | None] = None, limit: FromQuery[int] = USUAL, cursor: FromQuery[str | None] = None,
    ) -> dict[str, Any]:  # fmt: skip
        """Who is a member, page by page; *id*: that identifier of each instead."""
        audiences, asked = _understand(api, expression, of)
        found = audiences.ids(asked, instant_of(at), id)
        told = cut("ids", [{"id": each} for each in found], limit, cursor, lambda row: [row["id"]])
        return {"ids": [row["id"] for row in told["ids"]], "next": told["next"]}

    @api.get("/audiences/flips", "customers:read", {"flips": [{"id": "ana", "at": "2026-05-01T09:00:00Z"}]})
    def list_flips(
        expression: FromQuery[str], begin: FromQuery[str], until: FromQuery[str], of: FromQuery[Subject] = "profile"
    ) -> dict[str, Any]:
        """Every change of membership after *begin* and until *until*, exact to the microsecond."""
        audiences, asked = _understand(api, expression, of)
        since, end = instant_of(begin), instant_of(until)
        assert since is not None
        assert end is not None
        flips = audiences.flips(asked, since, end)
        return {"flips": [{"id": id, "at": format_instant(at), "member": member} for at, id, member in flips]}

    @api.get("/audiences/explain", "workspace:read", {"words": "…", "canonical": "did('Login')", "ast": {}, "sql": ""})
    def explain_audience(expression: FromQuery[str], of: FromQuery[Subject] = "profile") -> dict[str, Any]:
        """An expression in plain words, its canonical form, and the SQL that is asked."""
        audiences, asked = _understand(api, expression, of)
        return explained(audiences, asked, None)

    return [count_audience, list_members, list_flips, explain_audience]


def _understand(api: Api, text: str, of: Subject) -> tuple[Audiences, Asked]:
    if not text.strip():
        raise UsageError("the expression is empty", code="bad-expression", fix="such as: did('Order Completed')")
    audiences = Audiences(api.home)
    return audiences, audiences.understand(text, of=of)


def _warnings(audiences: Audiences, asked: Asked, at: int | None) -> dict[str, Any]:
    found = [*asked.warnings, *audiences.gone(asked, at)]
    return {"warnings": [each.as_dict() for each in found]} if found else {}
