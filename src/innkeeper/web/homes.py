"""Households and proposed matches over the API: who belongs together, and what was decided about it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from litestar.params import FromPath, FromQuery, JSONBody
from litestar.types import ControllerRouterHandler

from innkeeper.identity.read_matching import parse_fields
from innkeeper.runtime import households, matching
from innkeeper.runtime.definitions import workspace_of
from innkeeper.store import proposals
from innkeeper.store.state import State
from innkeeper.web.api import Api
from innkeeper.web.paging import USUAL, cut

_HOME = {"household": "h1", "members": ["ana"], "deceased": [], "answer": None, "held": []}


class Answer(msgspec.Struct, forbid_unknown_fields=True):
    """Whether a home where somebody has died may be written to."""

    allowed: bool


class Member(msgspec.Struct, forbid_unknown_fields=True):
    """Who, and in which household; leaving without one means whichever it was."""

    id: str
    household: str | None = None


class Search(msgspec.Struct, forbid_unknown_fields=True):
    """What is compared (`name`, or `name:kind` of a trait that is not declared), from which probability on."""

    fields: list[str] = []
    threshold: Annotated[float, msgspec.Meta(gt=0, lt=1)] | None = None
    kind: Literal["person", "household", "all"] = "all"


class Decided(msgspec.Struct, forbid_unknown_fields=True):
    """Proposals by their ids; accepting takes also every pair *above* a probability, and every open home."""

    ids: list[str] = []
    above: float | None = None
    homes: bool = False


def routes(api: Api) -> list[ControllerRouterHandler]:
    """The routes."""
    return [*_households(api), *_moves(api), *_matches(api)]


def _households(api: Api) -> list[ControllerRouterHandler]:
    @api.get("/households", "customers:read", {"households": [_HOME], "next": None})
    def list_households(limit: FromQuery[int] = USUAL, cursor: FromQuery[str | None] = None) -> dict[str, Any]:
        """Every household with its members, and whether a question about it is open."""
        with State.open(api.home, readonly=True) as state:
            found = households.listing(state)
        return dict(cut("households", found, limit, cursor, lambda row: [row["household"]]))

    @api.get("/households/{household:str}", "customers:read", _HOME)
    def show_household(household: FromPath[str]) -> dict[str, Any]:
        """One household: members, deaths, and what waits for an answer."""
        with State.open(api.home, readonly=True) as state:
            return households.show(state, household)

    @api.post("/households/{household:str}/answer", "customers:write", {"household": "h1", "answer": "yes"})
    def answer_household(household: FromPath[str], data: JSONBody[Answer]) -> dict[str, Any]:
        """After a death: may we write to the home? Yes lets go what was held, no cancels it."""
        with api.writing():
            households.release(api.home, household, allowed=data.allowed)
        return {"household": household, "answer": "yes" if data.allowed else "no"}

    return [list_households, show_household, answer_household]


def _moves(api: Api) -> list[ControllerRouterHandler]:
    @api.post("/households/join", "customers:write", {"joined": "user:ana", "household": "h1"})
    def join_household(data: JSONBody[Member]) -> dict[str, Any]:
        """Say that somebody lives in a household."""
        with api.writing():
            return {"joined": households.join(api.home, data.id, data.household or ""), "household": data.household}

    @api.post("/households/leave", "customers:write", {"left": "user:ana", "household": "h1"})
    def leave_household(data: JSONBody[Member]) -> dict[str, Any]:
        """Say that somebody has left a household."""
        with api.writing():
            return {"left": households.leave(api.home, data.id, data.household), "household": data.household}

    return [join_household, leave_household]


def _matches(api: Api) -> list[ControllerRouterHandler]:
    @api.get("/matches", "customers:read", {"proposals": [{"id": "m1", "probability": 0.98, "state": "open"}]})
    def list_matches(
        standing: FromQuery[Literal["open", "accepted", "rejected", "all"]] = "open",
        above: FromQuery[float | None] = None,
    ) -> dict[str, Any]:
        """Profiles that may be one, the most probable first."""
        with State.open(api.home, readonly=True) as opened:
            chosen = None if standing == "all" else standing
            return {"proposals": proposals.listing(opened.connection, state=chosen, kind=None, above=above)}

    @api.get("/matches/{id:str}", "customers:read", {"id": "m1", "probability": 0.98, "evidence": []})
    def show_match(id: FromPath[str]) -> dict[str, Any]:
        """The evidence: what each comparison found, and what it weighs."""
        with State.open(api.home, readonly=True) as opened:
            return proposals.one(opened.connection, id)

    @api.post("/matches/propose", "customers:write", {"profiles": 2000, "compared": 812, "proposed": 3}, long=True)
    def propose_matches(data: JSONBody[Search]) -> dict[str, Any]:
        """Find profiles that may be one person, or one home; nobody is joined by it, and what was decided stays."""
        declared = workspace_of(api.home).matching
        chosen = parse_fields(data.fields, declared) if data.fields else None
        found = matching.search(api.home, fields=chosen, threshold=data.threshold, kind=data.kind)
        with api.writing(at_rest=True):
            return matching.keep(api.home, found).as_dict()

    @api.post("/matches/accept", "customers:write", {"accepted": ["m1"]})
    def accept_matches(data: JSONBody[Decided]) -> dict[str, Any]:
        """Join what was proposed: an ordinary link, that can be taken back."""
        with api.writing(at_rest=True):
            done = matching.accept(api.home, data.ids, above=data.above, homes=data.homes)
        return {"accepted": [one["id"] for one in done]}

    @api.post("/matches/reject", "customers:write", {"rejected": ["m1"]})
    def reject_matches(data: JSONBody[Decided]) -> dict[str, Any]:
        """Say that they are not one; they are not proposed again."""
        with api.writing(at_rest=True):
            return {"rejected": [one["id"] for one in matching.reject(api.home, data.ids)]}

    return [list_matches, show_match, propose_matches, accept_matches, reject_matches]
