"""Retention over the API: what is due, and letting it go."""

from __future__ import annotations

from typing import Any, Final

from litestar.types import ControllerRouterHandler

from innkeeper.runtime import retention
from innkeeper.web.api import Api

_REPORT: Final = {
    "at": "2026-11-25T08:00:00Z", "dry_run": True, "declared": True, "goes": 12, "lines": [], "bytes_before": 1048576,
    "bytes_after": None,
}  # fmt: skip


def routes(api: Api) -> list[ControllerRouterHandler]:
    """The routes."""

    @api.get("/retention", "privacy:manage", _REPORT)
    def show_retention() -> dict[str, Any]:
        """What is kept for how long, and what of it is due."""
        return retention.survey(api.home, clock=api.house.clock).as_dict()

    @api.post("/retention", "privacy:manage", _REPORT | {"dry_run": False, "bytes_after": 524288}, long=True)
    def let_go() -> dict[str, Any]:
        """Let go what is due; events are taken meanwhile, but for the moment in which the log changes."""
        with api.writing(at_rest=True):
            return retention.retain(api.home, clock=api.house.clock).as_dict()

    return [show_retention, let_go]
