"""Retraction over the API: a dry run unless it is said otherwise."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import msgspec
from litestar.params import FromPath, JSONBody
from litestar.types import ControllerRouterHandler

from innkeeper.runtime import retract
from innkeeper.web.api import Api, instant_of


class NewRetraction(msgspec.Struct, forbid_unknown_fields=True):
    """Whose events, by a period of their timestamps (half open) or by messageIds; nothing is stored without *do*."""

    source: str
    begin: str | None = None
    until: str | None = None
    messages: list[str] | None = None
    do: bool = False


class Lift(msgspec.Struct, forbid_unknown_fields=True):
    """Without *do* nothing is stored."""

    do: bool = False


def routes(api: Api) -> list[ControllerRouterHandler]:
    """The routes."""
    told = {"retraction": "retraction-1-9f3a", "done": False, "events": 12, "different": 3, "entered": []}

    @api.get("/retractions", "privacy:manage", {"retractions": [{"retraction": "retraction-1-9f3a"}]})
    def list_retractions() -> dict[str, Any]:
        """Every retraction, and what became of it."""
        return {"retractions": retract.listing(api.home)}

    @api.post("/retractions", "privacy:manage", told)
    def retract_events(data: JSONBody[NewRetraction]) -> dict[str, Any]:
        """As if these events had never come: what it changes; with *do* it is made so."""
        begin, end = instant_of(data.begin), instant_of(data.until)
        with api.writing(at_rest=True) if data.do else nullcontext():
            return retract.retract(
                api.home, data.source, begin=begin, end=end, messages=data.messages, do=data.do, clock=api.house.clock
            )

    @api.post("/retractions/{name:str}/lift", "privacy:manage", told)
    def lift_retraction(name: FromPath[str], data: JSONBody[Lift]) -> dict[str, Any]:
        """Let the events of a retraction count again: what it changes; with *do* it is made so."""
        with api.writing(at_rest=True) if data.do else nullcontext():
            return retract.lift(api.home, name, do=data.do, clock=api.house.clock)

    return [list_retractions, retract_events, lift_retraction]
