"""Customers over the API: listed, shown whole, why a message did or did not come; their links and notes."""

from __future__ import annotations

from typing import Any

import msgspec
from litestar.params import FromPath, FromQuery, JSONBody
from litestar.types import ControllerRouterHandler

from innkeeper.kernel.errors import UsageError
from innkeeper.kernel.ids import display_id
from innkeeper.runtime import customer, explaining, finding, links, notes
from innkeeper.store.state import State
from innkeeper.web.api import Api, instant_of
from innkeeper.web.paging import USUAL, after, most, page

_LINK = {"a": "ana", "b": "anonymous_id:9f3a", "counts": True, "reason": "", "merges": [], "changes": []}


class NewLink(msgspec.Struct, forbid_unknown_fields=True):
    """Two identifiers, each a user id or namespace:value; *reason* is kept with the link."""

    a: str
    b: str
    reason: str = ""


class NewNote(msgspec.Struct, forbid_unknown_fields=True):
    """What a customer said: a text, and what the house shall remember; *by*: who writes it; *at*: when it was heard."""

    text: str = ""
    by: str | None = None
    memories: dict[str, str] = {}
    at: str | None = None


def routes(api: Api) -> list[ControllerRouterHandler]:
    """The routes."""
    return [*_read(api), *_write(api)]


def _read(api: Api) -> list[ControllerRouterHandler]:
    @api.get("/profiles", "customers:read", {"profiles": [{"id": "ana", "stage": "loyal"}], "next": None})
    def list_profiles(
        stage: FromQuery[str | None] = None, search: FromQuery[str | None] = None, limit: FromQuery[int] = USUAL,
        cursor: FromQuery[str | None] = None,
    ) -> dict[str, Any]:  # fmt: skip
        """Customers with their stage, in the order of their ids; *search*: by identifier, name or mail address."""
        if search is not None:
            if stage is not None or cursor is not None:
                raise UsageError(
                    "a search has no stage and no pages", code="bad-search", fix="send 'search' and 'limit' alone"
                )
            return {**finding.search(api.home, search, min(most(limit), finding.MOST)), "next": None}
        last = after(cursor, str)
        with State.open(api.home, readonly=True) as state:
            found = state.subjects_after("" if last is None else last[0], most(limit) + 1, stage)
        rows = [{"id": display_id(subject), "stage": stage or None, "subject": subject} for subject, stage in found]
        told = page("profiles", rows, limit, lambda row: [row["subject"]])
        for row in told["profiles"]:
            del row["subject"]
        return dict(told)

    @api.get("/profiles/{id:str}", "customers:read", {"id": "ana", "stage": "loyal", "traits": [], "timeline": []})
    def show_profile(id: FromPath[str], at: FromQuery[str | None] = None, lines: FromQuery[int] = 20) -> dict[str, Any]:
        """All that is known of a customer, and where it comes from; the last *lines* of what happened."""
        return customer.look(api.home, id, instant_of(at), most(lines))

    @api.get("/profiles/{id:str}/links", "customers:read", {"id": "ana", "identifiers": [], "links": [], "merges": []})
    def list_links(id: FromPath[str]) -> dict[str, Any]:
        """What makes these identifiers one customer: all evidence, also what was refused, with its reason."""
        return links.links_of(api.home, id)

    @api.get("/profiles/{id:str}/explain", "customers:read", {"id": "ana", "allowed": False, "gate": "consent"})
    def explain_message(id: FromPath[str], message: FromQuery[str], at: FromQuery[str | None] = None) -> dict[str, Any]:
        """Why a customer got, gets or does not get a message: every gate with the facts it sees."""
        return explaining.why(api.home, id, message, instant_of(at))

    return [list_profiles, show_profile, list_links, explain_message]


def _write(api: Api) -> list[ControllerRouterHandler]:
    @api.post("/links", "customers:write", _LINK)
    def add_link(data: JSONBody[NewLink]) -> dict[str, Any]:
        """Two identifiers belong together: of one person, or a browser and its owner from now on."""
        with api.writing(at_rest=True):
            return links.say(api.home, data.a, data.b, added=True, why=data.reason).as_dict()

    @api.post("/links/remove", "customers:write", _LINK)
    def remove_link(data: JSONBody[NewLink]) -> dict[str, Any]:
        """Two identifiers do not belong together: as if nobody had ever said so."""
        with api.writing(at_rest=True):
            return links.say(api.home, data.a, data.b, added=False, why=data.reason).as_dict()

    @api.post("/profiles/{id:str}/notes", "customers:write", {"events": [{"event": "Staff Note Added"}]})
    def write_note(id: FromPath[str], data: JSONBody[NewNote]) -> dict[str, Any]:
        """Write down what a customer said; the engine takes it with its next tick."""
        if not data.text.strip() and not data.memories:
            raise UsageError("there is nothing to write", code="empty-note", fix='send "text" or "memories"')
        with api.writing():
            return notes.write_note(
                api.home, id, data.text.strip(), by=data.by, memories=data.memories, at=instant_of(data.at),
                clock=api.house.clock,
            )  # fmt: skip

    return [add_link, remove_link, write_note]
