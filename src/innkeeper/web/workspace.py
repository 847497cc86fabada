"""The workspace as a whole over the API: counts, stages, journeys, what arrives, the log."""

from __future__ import annotations

from typing import Any

from litestar.params import FromPath, FromQuery
from litestar.types import ControllerRouterHandler

from innkeeper.kernel.time import format_instant
from innkeeper.runtime import status
from innkeeper.runtime.catalog import account_traits, event_names, event_properties, traits
from innkeeper.runtime.definitions import workspace_of
from innkeeper.runtime.events_read import newest
from innkeeper.runtime.stages import NothingToCount, count_stages
from innkeeper.store.bulk import Bulk
from innkeeper.store.queries import journey_counts
from innkeeper.store.state import State
from innkeeper.web.api import Api, instant_of
from innkeeper.web.paging import after, most, page


def routes(api: Api) -> list[ControllerRouterHandler]:
    """The routes."""
    return [*_counts(api), *_arrivals(api)]


def _counts(api: Api) -> list[ControllerRouterHandler]:
    @api.get("/status", "workspace:read", {"profiles": 2000, "events": 91000, "stages": {}, "armed": True})
    def show_status() -> dict[str, Any]:
        """Counts by stage, journey and step, the lag of each part, and whether sending is armed."""
        return status.look(api.home)

    @api.get("/stages", "workspace:read", {"at": "2026-05-01T09:00:00Z", "stages": {"loyal": 40}, "profiles": 40})
    def list_stages(at: FromQuery[str | None] = None) -> dict[str, Any]:
        """Profiles per stage, in the order of stages.yaml, computed over all that is now known."""
        try:
            instant, counts, gone = count_stages(api.home, instant_of(at))
        except NothingToCount:
            return {"at": at, "stages": {}, "profiles": 0}
        named = {name or "none": number for name, number in counts.items()}
        warnings = {"warnings": [problem.as_dict() for problem in gone]} if gone else {}
        return {"at": format_instant(instant), "stages": named, "profiles": sum(counts.values())} | warnings

    @api.get("/journeys", "workspace:read", {"journeys": {"welcome": {"entered": 9, "active": 2, "steps": {"1": 2}}}})
    def list_journeys() -> dict[str, Any]:
        """Per journey: entered, active, ends by outcome, and how many wait at each step."""
        with State.open(api.home, readonly=True) as state:
            return {"journeys": journey_counts(state.connection)}

    return [show_status, list_stages, list_journeys]


def _arrivals(api: Api) -> list[ControllerRouterHandler]:
    @api.get("/log", "events:read", {"events": [{"seq": 7, "event": "Login", "userId": "ana"}], "next": None})
    def list_events(
        last: FromQuery[int] = 20, source: FromQuery[str | None] = None, name: FromQuery[str | None] = None,
        cursor: FromQuery[str | None] = None,
    ) -> dict[str, Any]:  # fmt: skip
        """The newest events of the log, newest last; the cursor leads to those before them."""
        before = after(cursor, int)
        found = newest(api.home, most(last) + 1, source, name, before=None if before is None else before[0])
        # One more than asked for, and the newest stand last: pages go back in time.
        told = dict(page("events", found[::-1], last, lambda row: [row["seq"]]))
        return told | {"events": told["events"][::-1]}

    @api.get("/catalog/events", "workspace:read", {"events": [{"name": "Login", "count": 40}]})
    def list_event_names() -> dict[str, Any]:
        """Which events arrive: how often, from where, since when."""
        with Bulk.open(api.home) as bulk:
            return {"events": event_names(bulk, workspace_of(api.home))}

    @api.get("/catalog/events/{name:str}", "workspace:read", {"name": "Login", "properties": []})
    def show_event_name(name: FromPath[str]) -> dict[str, Any]:
        """An event's properties, with types and how often they are told."""
        with Bulk.open(api.home) as bulk:
            return event_properties(bulk, workspace_of(api.home), name)

    @api.get("/catalog/traits", "workspace:read", {"traits": [{"name": "plan"}], "account_traits": []})
    def list_traits() -> dict[str, Any]:
        """All traits of customers and accounts, declared or not."""
        with Bulk.open(api.home) as bulk:
            workspace = workspace_of(api.home)
            return {"traits": traits(bulk, workspace), "account_traits": account_traits(bulk, workspace)}

    return [list_events, list_event_names, show_event_name, list_traits]
