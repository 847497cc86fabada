"""The HTTP application: its routes together, one file per noun beside this one, and what holds for all of them."""

from __future__ import annotations

from typing import Any, Final

from litestar import Litestar, Request, Response, Router, get, route
from litestar.enums import HttpMethod
from litestar.exceptions import HTTPException
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.openapi.spec import Components, SecurityScheme
from litestar.types import ASGIApp, ControllerRouterHandler

from innkeeper import __version__
from innkeeper.runtime.house import House
from innkeeper.web import (
    access,
    answers,
    audiences,
    customerio,
    definitions,
    deliveries,
    docs,
    drafts,
    homes,
    imports,
    ingest,
    mcp,
    metrics,
    problems,
    profiles,
    reports,
    retention,
    retractions,
    script,
    sessions,
    source_rules,
    sources,
    stream,
    subscriptions,
    tasks,
    things,
    workspace,
)
from innkeeper.web import webhooks as hooks
from innkeeper.web.api import PREFIX, Api, divided_first
from innkeeper.web.browser import COOKIE
from innkeeper.web.cors import open_to_pages
from innkeeper.web.description import describe
from innkeeper.web.guard import Guard
from innkeeper.web.metrics import Meter
from innkeeper.web.requests import Desk

_TOKEN: Final = SecurityScheme(type="http", scheme="bearer")
_SESSION: Final = SecurityScheme(type="apiKey", security_scheme_in="cookie", name=COOKIE)
_LOOKS: Final = [HttpMethod.GET, HttpMethod.HEAD]
_ABOUT: Final = (
    "Send a token as Authorization: Bearer, or log in and send the session's cookie, with X-CSRF-Token where something"
    " changes. Times are ISO 8601 with a zone. A POST may carry an Idempotency-Key: the"
    " same request under the same key is done once. Errors are problem documents (RFC 9457) with code, detail and fix."
)


def make_app(house: House, *, metrics_token: str | None = None) -> ASGIApp:
    """The application over a served home.

    `GET /health` answers 200 while this process lives; `GET /ready` answers 200 while the engine does too, else 503.
    `GET /metrics` opens with *metrics_token*; None: there is no such address.
    """
    desk, meter = Desk(house.door), Meter()
    app = make_routes(house, desk, meter, metrics_token)
    return meter.over(open_to_pages(ingest.straight_to(desk, divided_first(app))))


def make_routes(house: House, desk: Desk, meter: Meter, metrics_token: str | None) -> Litestar:
    """The routes; each says in its `opt` who may ask: who has a `permission`, who has a `key`, or all: `open`."""

    @route("/health", http_method=_LOOKS, sync_to_thread=False, opt={"open": True})
    def live() -> dict[str, Any]:
        relay = house.relay()
        if relay is None:
            return {"status": "ok"}
        return {"status": "ok" if relay["up"] else "relay-down", "relay": relay}

    @route("/ready", http_method=_LOOKS, sync_to_thread=True, opt={"open": True})
    def ready() -> Response[dict[str, Any]]:
        told = house.health()
        return Response(told, status_code=200 if told["ready"] else 503)

    @get("/", sync_to_thread=False, opt={"open": True})
    def here() -> dict[str, str]:
        return {"name": "Innkeeper", "docs": "/docs", "description": "/openapi.json", "api": PREFIX}

    api = Api(house.home, house)
    taking = [
        *ingest.routes(desk),
        *customerio.routes(desk),
        *sources.routes(desk),
        *hooks.routes(desk, house.webhooks),
        *stream.routes(desk, house.doorman),
    ]
    figures = metrics.route(house, meter, metrics_token)
    app = Litestar(
        route_handlers=[
            Router("/", route_handlers=[here, live, ready], include_in_schema=False),
            Router("/", route_handlers=docs.routes(lambda: describe(app)), include_in_schema=False),
            Router("/", route_handlers=script.routes(), include_in_schema=False, opt={"open": True}),
            Router("/", route_handlers=[figures], include_in_schema=False, opt={"key": True}),
            Router("/", route_handlers=taking, include_in_schema=False, opt={"key": True}),
            api_routes(api),
            Router("/", route_handlers=[mcp.route(api, desk)], include_in_schema=False, opt={"key": True}),
        ],
        openapi_config=OpenAPIConfig(
            title="Innkeeper", version=__version__, description=_ABOUT, path="/openapi",
            # Without one of them named, pages are served that load scripts from other hosts.
            render_plugins=[JsonRenderPlugin()],
            openapi_router=Router("/openapi", route_handlers=[], include_in_schema=False, opt={"open": True}),
            components=Components(security_schemes={"token": _TOKEN, "session": _SESSION}),
            security=[{"token": []}, {"session": []}],
        ),
        exception_handlers={**answers.EXCEPTIONS, HTTPException: _http},
        logging_config=None,
    )  # fmt: skip
    return app


def api_routes(api: Api) -> Router:
    """The typed API."""
    nouns = (
        profiles, homes, audiences, deliveries, things, tasks, workspace, definitions, drafts, reports, retractions,
        retention, imports, access, sessions, source_rules, subscriptions,
    )  # fmt: skip
    handlers: list[ControllerRouterHandler] = [handler for noun in nouns for handler in noun.routes(api)]
    house = api.house
    guard = Guard(house.doorman, house.sessions, house.imports.uploads, house.clock)

    def guarded(app: ASGIApp) -> ASGIApp:
        # A function: what is handed over is copied, and a guard cannot be.
        return guard.around(app)

    return Router(PREFIX, route_handlers=handlers, exception_handlers=problems.EXCEPTIONS, middleware=[guarded])


def _http(request: Request[Any, Any, Any], failed: HTTPException) -> Response[bytes]:
    """An address that is not there answers in the form of its neighbours."""
    if failed.status_code == 404 and request.url.path.startswith(PREFIX):
        # Clients of Customer.io ask here too, and tell their caller what stands in `meta`.
        detail = "there is no such address"
        return problems.problem(404, "not-found", detail, "see /docs", meta={"error": detail})
    near = problems if request.url.path.startswith(PREFIX) else answers
    told: Response[bytes] = near.EXCEPTIONS[HTTPException](request, failed)
    return told
