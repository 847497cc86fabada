"""Decisions and deliveries over the API: what the gates answered, what was planned, what became of it."""

from __future__ import annotations

from typing import Any, Literal

from litestar.params import FromPath, FromQuery
from litestar.types import ControllerRouterHandler

from innkeeper.kernel.errors import UsageError
from innkeeper.kernel.time import parse_instant
from innkeeper.runtime import explaining
from innkeeper.runtime.decided import decisions_then
from innkeeper.runtime.lookup import subject_of
from innkeeper.store import ledger
from innkeeper.store.queries import decisions_made
from innkeeper.store.state import State
from innkeeper.web.api import Api, instant_of
from innkeeper.web.paging import USUAL, after, most, page


def routes(api: Api) -> list[ControllerRouterHandler]:
    """The routes."""

    told = {"decisions": [{"user_id": "ana", "outcome": "deny", "gate": "consent"}], "next": None}

    @api.get("/decisions", "customers:read", told)
    def list_decisions(
        profile: FromQuery[str | None] = None, message: FromQuery[str | None] = None,
        at: FromQuery[str | None] = None, order: FromQuery[Literal["newest", "made"]] = "newest",
        limit: FromQuery[int] = USUAL, cursor: FromQuery[str | None] = None,
    ) -> dict[str, Any]:  # fmt: skip
        """Decisions, newest first, with the facts that the gates saw; *at*: as they stood then.

        *order=made*: in the order in which they were first made, page by page; one that is renewed keeps its place.
        """
        last = after(cursor, int, str, str, int, str, str)
        if (last is not None and order == "newest") or (at is not None and order == "made"):
            raise UsageError(
                "pages are of order=made, and 'at' is not",
                code="bad-order",
                fix="send order=made with the cursor alone",
            )
        with State.open(api.home, readonly=True) as state:
            subject = None if profile is None else subject_of(state, profile)
            if order == "made":
                key = None if last is None else (last[0], last[1], last[2], last[3], last[4], last[5])
                made = decisions_made(
                    state.connection, subject=subject, message=message, after=key, limit=most(limit) + 1
                )
                keys = {id(row): list(place) for place, row in made}
                return dict(page("decisions", [row for _, row in made], limit, lambda row: keys[id(row)]))
            found = decisions_then(
                api.home, state, subject=subject, message=message, at=instant_of(at), limit=most(limit)
            )
        return {"decisions": found, "next": None}

    @api.get("/deliveries", "customers:read", {"deliveries": [{"user_id": "ana", "state": "accepted"}], "next": None})
    def list_deliveries(
        message: FromQuery[str | None] = None, limit: FromQuery[int] = USUAL, cursor: FromQuery[str | None] = None
    ) -> dict[str, Any]:
        """The deliveries, oldest first."""
        last = after(cursor, str, str)
        place = None if last is None else (parse_instant(last[0]), last[1])
        with State.open(api.home, readonly=True) as state:
            rows = list(ledger.listing(state.connection, message, after=place, limit=most(limit) + 1))
        return dict(page("deliveries", rows, limit, lambda row: [row["planned_at"], row["id"]]))

    @api.get("/deliveries/balance", "workspace:read", {"planned": 3, "ends": {"accepted": 3}, "difference": 0})
    def balance() -> dict[str, Any]:
        """Planned against all ends and what is still open; the difference is zero, always."""
        with State.open(api.home, readonly=True) as state:
            return ledger.balance(state.connection)

    @api.get("/deliveries/{id:str}", "customers:read", {"message": "welcome", "state": "accepted", "decisions": []})
    def show_delivery(id: FromPath[str]) -> dict[str, Any]:
        """Why a message was sent, and what became of it."""
        return explaining.why_delivery(api.home, id)

    return [list_decisions, list_deliveries, balance, show_delivery]
