"""Reports over the API: the figures, and as the page that `innkeeper report` writes."""

from __future__ import annotations

from typing import Annotated, Any, Final

from litestar import Request, Response
from litestar.params import FromQuery, HeaderParameter
from litestar.types import ControllerRouterHandler

from innkeeper.measurement.overview_page import render
from innkeeper.runtime.overview import gather
from innkeeper.web.api import Api, asking
from innkeeper.web.problems import problem

Accept = Annotated[str, HeaderParameter(name="Accept")]

#: The page fetches nothing and runs nothing; what customers wrote stands in it.
_PAGE: Final = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox",
    "X-Content-Type-Options": "nosniff", "Cache-Control": "no-store",
}  # fmt: skip
_EXAMPLE: Final = {
    "workspace": "hotel", "since": "2026-01-01T00:00:00Z", "until": "2026-05-01T00:00:00Z", "events": 91000,
    "profiles": 2000, "journeys": [], "stage_counts": [], "balance": {"planned": 3, "difference": 0}, "story": None,
}  # fmt: skip
_STORIES: Final = "customers:read"


def routes(api: Api) -> list[ControllerRouterHandler]:
    """The routes."""

    @api.get("/reports/overview", "workspace:read", _EXAMPLE)
    def report_overview(
        request: Request[Any, Any, Any], profile: FromQuery[str | None] = None, accept: Accept = ""
    ) -> Response[Any]:
        """Stages, journeys, refusals, days, the ledger, and one customer's story where the role may read customers.

        `Accept: text/html` answers with the page.
        """
        may = _STORIES in asking(request).permissions
        if profile is not None and not may:
            return problem(403, "not-allowed", f"a customer's story needs the permission '{_STORIES}'", "leave it out")
        gathered = gather(api.home, profile=profile, with_story=may)
        if accept.partition(",")[0].strip().startswith("text/html"):
            return Response(render(gathered), media_type="text/html; charset=utf-8", headers=_PAGE)
        return Response(gathered.as_dict())

    return [report_overview]
