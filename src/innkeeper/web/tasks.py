"""Tasks over the API: the work that journeys ask people to do, who has it, and how it ended."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

import msgspec
from litestar import Request
from litestar.params import FromPath, FromQuery, JSONBody
from litestar.types import ControllerRouterHandler

from innkeeper.runtime import tasks
from innkeeper.web.api import Api, asking
from innkeeper.web.paging import USUAL, cut

_ONE: Final = {
    "id": "5b1e…", "user_id": "ana", "queue": "desk", "title": "Call her", "state": "claimed", "assignee": "maria",
    "outcome": "", "note": "", "done_by": None, "done_at": None,
}  # fmt: skip


class Claim(msgspec.Struct, forbid_unknown_fields=True):
    """Who takes it; without a name, who asks."""

    by: str | None = None


class Assignment(msgspec.Struct, forbid_unknown_fields=True):
    """Who shall do it; null: nobody has it."""

    to: str | None


class Ending(msgspec.Struct, forbid_unknown_fields=True):
    """How it ended, in a word (reached, no answer), and in a note; *by*: who did it, without a name, who asks."""

    outcome: str = ""
    note: Annotated[str, msgspec.Meta(max_length=tasks.LONGEST_NOTE)] = ""
    by: str | None = None


def routes(api: Api) -> list[ControllerRouterHandler]:
    """The routes."""
    return [*_read(api), *_write(api)]


def _read(api: Api) -> list[ControllerRouterHandler]:
    @api.get("/tasks", "tasks:read", {"tasks": [_ONE], "next": None})
    def list_tasks(
        queue: FromQuery[str | None] = None,
        standing: FromQuery[Literal["open", "claimed", "done", "closed", "all"]] = "all",
        assignee: FromQuery[str | None] = None, profile: FromQuery[str | None] = None,
        limit: FromQuery[int] = USUAL, cursor: FromQuery[str | None] = None,
    ) -> dict[str, Any]:  # fmt: skip
        """The work that journeys ask people to do, oldest first: open, claimed by somebody, done or closed."""
        chosen = None if standing == "all" else standing
        found = tasks.listing(api.home, queue=queue, standing=chosen, assignee=assignee, profile=profile)
        return dict(cut("tasks", found, limit, cursor, lambda row: [row["created_at"], row["id"]]))

    @api.get("/tasks/{id:str}", "tasks:read", _ONE)
    def show_task(id: FromPath[str]) -> dict[str, Any]:
        """One task: what is to be done and for whom, who has it, how it ended."""
        return tasks.show(api.home, id)

    return [list_tasks, show_task]


def _write(api: Api) -> list[ControllerRouterHandler]:
    clock = api.clock

    @api.post("/tasks/{id:str}/claim", "tasks:write", _ONE)
    def claim_task(request: Request[Any, Any, Any], id: FromPath[str], data: JSONBody[Claim]) -> dict[str, Any]:
        """Take a task; refused where somebody else has it."""
        return tasks.claim(api.home, id, data.by or asking(request).name, clock)

    @api.post("/tasks/{id:str}/assign", "tasks:write", _ONE)
    def assign_task(id: FromPath[str], data: JSONBody[Assignment]) -> dict[str, Any]:
        """Give a task to somebody, or back to nobody, whoever has it."""
        return tasks.assign(api.home, id, data.to, clock)

    @api.post("/tasks/{id:str}/done", "tasks:write", _ONE | {"state": "done", "outcome": "reached"})
    def finish_task(request: Request[Any, Any, Any], id: FromPath[str], data: JSONBody[Ending]) -> dict[str, Any]:
        """Write down that a task is done, with its outcome and a note; the customer's event is Task Done."""
        who = data.by or asking(request).name
        with api.writing():
            return tasks.finish(api.home, id, who, outcome=data.outcome, note=data.note, clock=clock)

    return [claim_task, assign_task, finish_task]
