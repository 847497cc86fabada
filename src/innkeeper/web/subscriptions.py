"""Who is told of what happens, over the API. The work: `runtime/subscriptions.py`."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from litestar.params import FromPath, FromQuery, JSONBody
from litestar.types import ControllerRouterHandler

from innkeeper.kernel.time import DAY
from innkeeper.runtime import subscriptions
from innkeeper.runtime.outward import Selection
from innkeeper.web.api import Api, GraceDays, instant_of
from innkeeper.web.paging import USUAL, most

_MANAGE: Final = "subscriptions:manage"
_ONE: Final = {
    "subscription": "crm", "url": "https://crm.example.com/hooks", "events": ["Audience Entered"], "incoming": [],
    "audiences": [], "where": "", "include": [], "allow_private": False, "state": "active", "delivered": 12,
    "waiting": 0, "given_up": 0, "error": "",
}  # fmt: skip


class NewSubscription(msgspec.Struct, forbid_unknown_fields=True):
    """A receiver and what it is told; *since*: also what came since then."""

    name: str
    url: str
    events: list[str] = []
    incoming: list[str] = []
    audiences: list[str] = []
    where: str = ""
    include: list[str] = []
    since: str | None = None
    allow_private: bool = False

    def selection(self) -> Selection:
        """What it is told.

        Raises:
            UsageError: A name is none, or the condition is none.
        """
        return Selection.read(
            events=self.events, incoming=self.incoming, audiences=self.audiences, where=self.where,
            include=self.include,
        )  # fmt: skip


class Again(msgspec.Struct, forbid_unknown_fields=True):
    """Since when everything is told again; without it, what was given up."""

    since: str | None = None


def routes(api: Api) -> list[ControllerRouterHandler]:
    """The routes."""
    return [*_receivers(api), *_telling(api)]


def _receivers(api: Api) -> list[ControllerRouterHandler]:
    home, clock = api.home, api.house.clock

    @api.get("/subscriptions", _MANAGE, {"subscriptions": [_ONE]})
    def list_subscriptions() -> dict[str, Any]:
        """The subscriptions, and how far each has come."""
        return {"subscriptions": subscriptions.listing(home)}

    @api.post("/subscriptions", _MANAGE, _ONE | {"secret": "whsec_…"}, status=201, secret=True)
    def create_subscription(data: JSONBody[NewSubscription]) -> dict[str, Any]:
        """A new subscription, with the secret by which its receiver knows us, which is shown this once."""
        return subscriptions.create(
            home, data.name, data.url, data.selection(), clock, private=data.allow_private,
            since=instant_of(data.since),
        )  # fmt: skip

    @api.get("/subscriptions/{name:str}", _MANAGE, _ONE)
    def show_subscription(name: FromPath[str]) -> dict[str, Any]:
        """One subscription: what it is told, how far it has come, what goes wrong."""
        return subscriptions.show(home, name)

    @api.delete("/subscriptions/{name:str}", _MANAGE, {"removed": "crm"})
    def remove_subscription(name: FromPath[str]) -> dict[str, Any]:
        """Forget a subscription, and what waits for it."""
        subscriptions.remove(home, name)
        return {"removed": name}

    @api.post("/subscriptions/{name:str}/rotate-secret", _MANAGE, {"secret": "whsec_…"}, secret=True)
    def rotate_secret(name: FromPath[str], grace_days: GraceDays = 1) -> dict[str, Any]:
        """A new secret; for the time of grace every notice has a signature by each."""
        secret = subscriptions.rotate(home, name, grace_days * DAY, clock)
        return {"subscription": name, "secret": secret}

    return [list_subscriptions, create_subscription, show_subscription, remove_subscription, rotate_secret]


def _telling(api: Api) -> list[ControllerRouterHandler]:
    home, clock = api.home, api.house.clock

    @api.post("/subscriptions/{name:str}/pause", _MANAGE, _ONE | {"state": "paused"})
    def pause_subscription(name: FromPath[str]) -> dict[str, Any]:
        """Tell it nothing for now; what happens meanwhile waits."""
        subscriptions.set_state(home, name, active=False)
        return subscriptions.show(home, name)

    @api.post("/subscriptions/{name:str}/resume", _MANAGE, _ONE)
    def resume_subscription(name: FromPath[str]) -> dict[str, Any]:
        """Go on, with everything that has waited."""
        subscriptions.set_state(home, name, active=True)
        return subscriptions.show(home, name)

    @api.post("/subscriptions/{name:str}/test", _MANAGE, {"subscription": "crm", "taken": True}, looks=True)
    def test_subscription(name: FromPath[str]) -> dict[str, Any]:
        """Post a notice that says nothing, now; whether it was taken, or why not."""
        result = subscriptions.test(home, name, clock)
        return {"subscription": name, "taken": result.outcome == "told", "reason": result.reason}

    @api.post("/subscriptions/{name:str}/redeliver", _MANAGE, {"subscription": "crm"})
    def redeliver_notices(name: FromPath[str], data: JSONBody[Again]) -> dict[str, Any]:
        """Tell again, under the same ids: what was given up, or everything since a time."""
        return subscriptions.redeliver(home, name, instant_of(data.since))

    @api.get("/subscriptions/{name:str}/failures", _MANAGE, {"failures": [{"seq": 7, "attempts": 3, "error": "500"}]})
    def list_failures(name: FromPath[str], limit: FromQuery[int] = USUAL) -> dict[str, Any]:
        """What was not taken at the first attempt, the newest first."""
        return {"failures": subscriptions.failures(home, name, most(limit))}

    return [pause_subscription, resume_subscription, test_subscription, redeliver_notices, list_failures]
