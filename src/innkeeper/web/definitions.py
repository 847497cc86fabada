"""The strategy over the API: read, checked, compared and published. Publishing needs the version that it replaces."""

from __future__ import annotations

from typing import Annotated, Any, Final

import msgspec
from litestar import Response
from litestar.params import HeaderParameter, JSONBody
from litestar.types import ControllerRouterHandler

from innkeeper.kernel.errors import Invalid, UsageError
from innkeeper.runtime import definitions
from innkeeper.runtime.channel_probe import check_openable
from innkeeper.runtime.known import known_names
from innkeeper.runtime.writing import writing
from innkeeper.store.state import State
from innkeeper.strategy.inventory import compare
from innkeeper.strategy.load import Examination, examine
from innkeeper.web.api import Api
from innkeeper.web.problems import problem

IfMatch = Annotated[str | None, HeaderParameter(name="If-Match")]

_FILES: Final = {"strategy.yaml": "name: hotel\nzone: Europe/Lisbon\n"}
_CHANGES: Final = {"added": ["journeys/welcome"], "changed": [], "removed": []}


class Draft(msgspec.Struct, forbid_unknown_fields=True):
    """The files of a strategy folder, by their paths in it; *allow_unknown*: names nobody has seen are warnings."""

    files: dict[str, str]
    allow_unknown: bool = False


def routes(api: Api) -> list[ControllerRouterHandler]:
    """The routes."""

    @api.get("/definitions", "workspace:read", {"number": 3, "files": _FILES})
    def show_definitions() -> Response[dict[str, Any]]:
        """The strategy in force, file by file; its ETag is what publishing has to name."""
        with State.open(api.home, readonly=True) as state:
            number, files = definitions.number(state), definitions.applied_files(state)
        return Response({"number": number, "files": files}, headers={"ETag": _tag(number)})

    @api.post("/definitions/check", "definitions:draft", {"errors": [], "warnings": []})
    def check_definitions(data: JSONBody[Draft]) -> dict[str, Any]:
        """Every error of a draft at once, with file, line, column and what to do."""
        found = _examined(api, data)
        warnings = [each.as_dict() for each in found.warnings]
        return {"errors": [each.as_dict() for each in found.errors], "warnings": warnings}

    @api.post("/definitions/plan", "definitions:draft", {**_CHANGES, "diffs": {}})
    def plan_definitions(data: JSONBody[Draft]) -> dict[str, Any]:
        """What publishing a draft would change."""
        _valid(api, data)
        with State.open(api.home, readonly=True) as state:
            changes = compare(definitions.applied_files(state), data.files)
        return {**changes.as_dict(), "diffs": changes.diffs}

    @api.post("/definitions/publish", "definitions:publish", _CHANGES, refusals=(412, 428))
    def publish_definitions(data: JSONBody[Draft], if_match: IfMatch = None) -> Response[Any]:
        """Make a draft the workspace's own; If-Match names the ETag of the strategy that it replaces."""
        if if_match is None:
            return problem(428, "if-match-needed", "publishing needs If-Match", "send the ETag of GET /definitions")
        _valid(api, data)
        check_openable(api.home, data.files)
        with api.writing(at_rest=True), writing(api.home) as (_, state):
            number = definitions.number(state)
            if if_match != _tag(number):
                return problem(
                    412, "changed-meanwhile", "another strategy is in force by now", "read it, and publish again"
                )
            changes = compare(definitions.applied_files(state), data.files)
            warnings = definitions.put_in_force(api.home, state, data.files, api.house.clock.now())
            number = definitions.number(state)
        return Response(changes.as_dict() | warnings, headers={"ETag": _tag(number)})

    return [show_definitions, check_definitions, plan_definitions, publish_definitions]


def _examined(api: Api, draft: Draft) -> Examination:
    if not draft.files:
        raise UsageError("the draft has no files", code="empty-draft", fix='send {"files": {"strategy.yaml": "…"}}')
    return examine(draft.files, known=known_names(api.home), allow_unknown=draft.allow_unknown)


def _valid(api: Api, draft: Draft) -> None:
    found = _examined(api, draft)
    if found.errors:
        raise Invalid(found.errors)


def _tag(number: int) -> str:
    return f'"{number}"'
