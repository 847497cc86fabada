"""The workspace as a whole over the API: counts, stages, journeys, what arrives, tasks, households, the log."""

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
from innkeeper.store import tasks
from innkeeper.store.bulk import Bulk
from innkeeper.store.queries import journey_counts
from innkeeper.store.state import State
from innkeeper.web.api import Api, instant_of
from innkeeper.web.paging import USUAL, cut, most


def routes(api: Api) -> list[ControllerRouterHandler]:
    """The routes."""
    return [*_counts(api), *_arrivals(api), *_work(api)]


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
    @api.get("/log", "events:read", {"events": [{"seq": 7, "event": "Login", "userId": "ana"}]})
    def list_events(
        last: FromQuery[int] = 20, source: FromQuery[str | None] = None, name: FromQuery[str | None] = None
    ) -> dict[str, Any]:
        """The newest events of the log, newest last."""
        return {"events": newest(api.home, most(last), source, name)}

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


def _work(api: Api) -> list[ControllerRouterHandler]:
    @api.get("/tasks", "tasks:read", {"tasks": [{"id": "t1", "queue": "desk", "title": "Call her"}], "next": None})
    def list_tasks(
        queue: FromQuery[str | None] = None, limit: FromQuery[int] = USUAL, cursor: FromQuery[str | None] = None
    ) -> dict[str, Any]:
        """The work that journeys ask people to do, oldest first."""
        with State.open(api.home, readonly=True) as state:
            found = list(tasks.listing(state.connection, queue))
        return dict(cut("tasks", found, limit, cursor, lambda row: [row["created_at"], row["id"]]))

    return [list_tasks]
