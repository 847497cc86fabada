"""Drafts of the strategy over the API: made, read, changed file by file, checked, compared and published.

What changes or publishes one names its ETag, which stands for the draft and for the strategy below it: what somebody
has read is what is done. What a draft means: `runtime/drafts.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Final, Literal

import msgspec
from litestar import Request, Response
from litestar.params import FromPath, FromQuery, HeaderParameter, JSONBody
from litestar.types import ControllerRouterHandler

from innkeeper.runtime import drafts
from innkeeper.runtime.channel_probe import check_openable
from innkeeper.runtime.drafts import Seen
from innkeeper.web.api import Api, asking
from innkeeper.web.paging import USUAL, cut
from innkeeper.web.problems import problem

IfMatch = Annotated[str | None, HeaderParameter(name="If-Match")]

_SUMMARY: Final = {
    "draft": "draft-4f1c09a7d2", "title": "A welcome", "author": "bo@example.com", "state": "open", "base": 3,
    "in_force": 3, "paths": ["journeys/welcome.yaml"],
}  # fmt: skip
_ONE: Final = {**_SUMMARY, "files": {"journeys/welcome.yaml": "…"}, "conflicts": [], "etag": '"1.3"'}
_CHANGES: Final = {"added": ["journeys/welcome"], "changed": [], "removed": []}


class NewDraft(msgspec.Struct, forbid_unknown_fields=True):
    """Files by their paths, null where one goes; *whole*: they are all of the strategy, what is not among them goes."""

    files: dict[str, str | None] = {}
    title: str = ""
    whole: bool = False


class ChangedFiles(msgspec.Struct, forbid_unknown_fields=True):
    """Files by their paths, each with its whole new text; null where one goes."""

    files: dict[str, str | None]


class Publishing(msgspec.Struct, forbid_unknown_fields=True):
    """*allow_unknown*: names that nobody has seen are warnings."""

    allow_unknown: bool = False


def routes(api: Api) -> list[ControllerRouterHandler]:
    """The routes."""
    return [*_read(api), *_write(api), _publish(api)]


def _read(api: Api) -> list[ControllerRouterHandler]:
    @api.get("/drafts", "definitions:draft", {"drafts": [_SUMMARY], "next": None})
    def list_drafts(
        standing: FromQuery[Literal["open", "published", "all"]] = "all", limit: FromQuery[int] = USUAL,
        cursor: FromQuery[str | None] = None,
    ) -> dict[str, Any]:  # fmt: skip
        """Drafts of the strategy, oldest first: whose they are, which files they change, what became of them."""
        found = [each for each in drafts.listing(api.home) if standing in ("all", each["state"])]
        return dict(cut("drafts", found, limit, cursor, lambda row: [row["created_at"], row["draft"]]))

    @api.get("/drafts/{id:str}", "definitions:draft", _ONE)
    def show_draft(id: FromPath[str]) -> Response[Any]:
        """One draft with its files, and which of them were applied otherwise since it was made."""
        return _told(drafts.look(api.home, id))

    @api.get("/drafts/{id:str}/check", "definitions:draft", {"errors": [], "warnings": []})
    def check_draft(id: FromPath[str], allow_unknown: FromQuery[bool] = False) -> Response[Any]:
        """Every error of the strategy that a draft would make, with file, line, column and what to do."""
        seen = drafts.look(api.home, id)
        found = drafts.check(api.home, seen, allow_unknown=allow_unknown)
        told = {name: [each.as_dict() for each in getattr(found, name)] for name in ("errors", "warnings")}
        return _tagged(told, seen)

    @api.get("/drafts/{id:str}/plan", "definitions:draft", {**_CHANGES, "diffs": {}})
    def plan_draft(id: FromPath[str], allow_unknown: FromQuery[bool] = False) -> Response[Any]:
        """What publishing a draft would change in the strategy in force."""
        seen = drafts.look(api.home, id)
        changes = drafts.plan(api.home, seen, allow_unknown=allow_unknown)
        return _tagged({**changes.as_dict(), "diffs": changes.diffs}, seen)

    return [list_drafts, show_draft, check_draft, plan_draft]


def _write(api: Api) -> list[ControllerRouterHandler]:
    @api.post("/drafts", "definitions:draft", _ONE, status=201)
    def create_draft(request: Request[Any, Any, Any], data: JSONBody[NewDraft]) -> Response[Any]:
        """Keep a draft over the strategy in force; nothing is in force before it is published."""
        who, now = asking(request).name, api.clock.now()
        return _told(drafts.create(api.home, who, data.title, data.files, now, whole=data.whole))

    @api.post("/drafts/{id:str}/files", "definitions:draft", _ONE)
    def change_draft(
        request: Request[Any, Any, Any], id: FromPath[str], data: JSONBody[ChangedFiles], if_match: IfMatch = None
    ) -> Response[Any]:
        """Change files of a draft; one sent as its base has it is no longer part of it. If-Match names its ETag."""
        who, now = asking(request).name, api.clock.now()
        return _matching(if_match, lambda tag: _told(drafts.change(api.home, id, who, data.files, tag, now)))

    @api.post("/drafts/{id:str}/rebase", "definitions:draft", _ONE)
    def rebase_draft(request: Request[Any, Any, Any], id: FromPath[str], if_match: IfMatch = None) -> Response[Any]:
        """Settle conflicts in the draft's favour: its files hold over what was applied since. If-Match as above."""
        who, now = asking(request).name, api.clock.now()
        return _matching(if_match, lambda tag: _told(drafts.rebase(api.home, id, who, tag, now)))

    @api.delete("/drafts/{id:str}", "definitions:draft", {"draft": "draft-4f1c09a7d2", "discarded": True})
    def discard_draft(id: FromPath[str], if_match: IfMatch = None) -> Response[Any]:
        """Throw a draft away. If-Match names its ETag."""

        def discard(tag: str) -> Response[Any]:
            drafts.discard(api.home, id, tag)
            return Response({"draft": id, "discarded": True})

        return _matching(if_match, discard)

    return [create_draft, change_draft, rebase_draft, discard_draft]


def _publish(api: Api) -> ControllerRouterHandler:
    @api.post("/drafts/{id:str}/publish", "definitions:publish", {**_CHANGES, "number": 4})
    def publish_draft(
        request: Request[Any, Any, Any], id: FromPath[str], data: JSONBody[Publishing], if_match: IfMatch = None
    ) -> Response[Any]:
        """Put in force what a draft makes of the strategy. If-Match names the ETag that its plan was told with."""
        who, now = asking(request).name, api.clock.now()

        def publish(tag: str) -> Response[Any]:
            found = drafts.look(api.home, id)
            if found.tag == tag and not drafts.check(api.home, found, allow_unknown=data.allow_unknown).errors:
                check_openable(api.home, found.files)
            with api.writing(at_rest=True):
                told, seen = drafts.publish(api.home, id, who, tag, now, allow_unknown=data.allow_unknown)
            return _tagged(told, seen)

        return _matching(if_match, publish)

    return publish_draft


def _matching(if_match: str | None, work: Callable[[str], Response[Any]]) -> Response[Any]:
    if if_match is None:
        return problem(428, "if-match-needed", "this needs If-Match", "send the ETag of GET /drafts/ID")
    return work(if_match)


def _told(seen: Seen) -> Response[Any]:
    return _tagged(seen.as_dict(), seen)


def _tagged(told: dict[str, Any], seen: Seen) -> Response[Any]:
    return Response(told, headers={"ETag": seen.tag})
