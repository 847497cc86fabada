"""Files of events over the API: sent, followed while they come in, cancelled; the work: `runtime/import_jobs.py`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from typing import Annotated, Any, Final

import anyio.to_thread
from litestar import Request, Response
from litestar.params import FromPath, FromQuery, QueryParameter
from litestar.response import File, Stream
from litestar.types import ControllerRouterHandler

from innkeeper.kernel.errors import UsageError
from innkeeper.kernel.json import dumps
from innkeeper.runtime.import_jobs import MOST_OPEN, Imports, Wish
from innkeeper.store.imports import OPEN
from innkeeper.web.api import Api
from innkeeper.web.paging import USUAL, after, most, page
from innkeeper.web.problems import problem

#: Ids are numbers that SQLite can hold; before them all is the first page.
_MOST_DIGITS: Final = 15
_LAST: Final = 10**_MOST_DIGITS
#: How often progress is looked at, and how often a comment goes out where there is none.
_LOOK_SECONDS: Final = 0.2
_PATIENCE_SECONDS: Final = 15.0
#: How many follow imports at once; who asks from time to time instead is never refused.
MOST_WATCHERS: Final = 20
_EXAMPLE: Final = {
    "id": "7", "state": "running", "name": "orders.csv", "source": "shop", "actor": "ana",
    "created_at": "2026-11-25T08:00:00Z", "ended_at": None, "bytes": {"done": 524288, "of": 1048576}, "read": 9000,
    "events": 8990, "accepted": 8990, "duplicates": 0, "rejected": 10, "skipped": 0, "seconds": 1.2,
    "rejects_file": "orders.csv-20261125T080000Z.jsonl", "error": None,
}  # fmt: skip

Mapping = Annotated[str | None, QueryParameter(max_length=32 * 1024)]


def routes(api: Api) -> list[ControllerRouterHandler]:
    """The routes."""
    return [*_jobs(api.house.imports, api), *_following(api.house.imports, api)]


def _jobs(imports: Imports, api: Api) -> list[ControllerRouterHandler]:
    @api.upload("/imports", "events:import", _EXAMPLE | {"state": "waiting"})
    def begin_import(
        request: Request[Any, Any, Any], name: FromQuery[str], source: FromQuery[str] = "import",
        mapping: Mapping = None,
    ) -> Response[Any]:  # fmt: skip
        """Import a file of events, which is the body: JSONL, or a CSV or Parquet with a mapping (YAML)."""
        if imports.is_full:
            return problem(429, "too-many-imports", f"{MOST_OPEN} files wait already", "send it when they have ended")
        state = request.scope["state"]
        told = imports.begin(state["upload"], state["actor"].name, Wish(name, source, mapping))
        return Response(told, status_code=202, headers={"Location": f"{request.url.path}/{told['id']}"})

    @api.get("/imports", "events:read", {"imports": [_EXAMPLE], "next": None})
    def list_imports(limit: FromQuery[int] = USUAL, cursor: FromQuery[str | None] = None) -> dict[str, Any]:
        """Every file that was sent, the newest first, with what became of it."""
        last = after(cursor, int)
        rows = imports.listing(_LAST if last is None else last[0], most(limit) + 1)
        return dict(page("imports", rows, limit, lambda row: [int(row["id"])]))

    @api.get("/imports/{id:str}", "events:read", _EXAMPLE)
    def show_import(id: FromPath[str]) -> dict[str, Any]:
        """How far an import has come, or how it ended."""
        return imports.show(_number(id))

    @api.delete("/imports/{id:str}", "events:import", _EXAMPLE | {"state": "cancelling"})
    def cancel_import(id: FromPath[str]) -> dict[str, Any]:
        """End an import; what it has put into the log stays there. One that has ended stays as it is."""
        return imports.cancel(_number(id))

    return [begin_import, list_imports, show_import, cancel_import]


def _following(imports: Imports, api: Api) -> list[ControllerRouterHandler]:
    watching: set[object] = set()

    @api.get("/imports/{id:str}/progress", "events:read", _EXAMPLE, media="text/event-stream")
    def watch_import(id: FromPath[str]) -> Stream | Response[bytes]:
        """How far an import comes, as server-sent events, until it has ended."""
        number = _number(id)
        imports.show(number)
        if len(watching) >= MOST_WATCHERS:
            return problem(429, "too-many-watchers", f"{MOST_WATCHERS} follow imports already", "ask for it by its id")
        told = _progress(imports, number, watching)
        return Stream(told, media_type="text/event-stream", headers={"Cache-Control": "no-store"})

    @api.get("/imports/{id:str}/rejects", "events:read", {"line": 3, "code": "no-id"}, media="application/x-ndjson")
    def get_rejects(id: FromPath[str]) -> File:
        """The lines that were refused, each with its number, the reason and its text; one JSON object a line."""
        path = imports.rejects(_number(id))
        return File(path, filename=path.name, media_type="application/x-ndjson", headers={"Cache-Control": "no-store"})

    return [watch_import, get_rejects]


async def _progress(imports: Imports, number: int, watching: set[object]) -> AsyncIterator[str]:
    me = object()
    watching.add(me)
    before, silent = "", 0.0
    try:
        while True:
            one = await anyio.to_thread.run_sync(partial(imports.show, number))
            told = dumps(one | {"seconds": None})
            if told != before:
                before, silent = told, 0.0
                yield f"data: {dumps(one)}\n\n"
            elif silent >= _PATIENCE_SECONDS:
                silent = 0.0
                yield ": nothing\n\n"
            if one["state"] not in OPEN:
                return
            await asyncio.sleep(_LOOK_SECONDS)
            silent += _LOOK_SECONDS
    finally:
        watching.remove(me)


def _number(id: str) -> int:
    if not (id.isascii() and id.isdigit() and len(id) <= _MOST_DIGITS):
        raise UsageError(f"there is no import '{id[:40]}'", code="unknown-import", fix="see GET /api/v1/imports")
    return int(id)
