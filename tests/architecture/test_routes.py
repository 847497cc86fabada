"""Every route of the application says who may ask it, and the test of permissions asks every route of the API."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from litestar import Litestar
from litestar.handlers import BaseRouteHandler
from support.api import CASES

from innkeeper.kernel.time import FixedClock, parse_instant
from innkeeper.runtime.house import opened
from innkeeper.runtime.roles import PERMISSIONS, ROLES
from innkeeper.store.log import Log
from innkeeper.store.state import State
from innkeeper.web import app as application
from innkeeper.web.api import PREFIX
from innkeeper.web.description import template
from innkeeper.web.metrics import Meter
from innkeeper.web.requests import Desk

#: What may be asked without a token or a key: it tells of nobody and of no workspace.
OPEN = {
    "/",
    "/health",
    "/ready",
    "/innkeeper.js",
    "/docs",
    "/openapi.json",
    "/openapi",
    "/openapi/openapi.json",
    "/openapi/{path}",
    "/api/v1/session",
}


@pytest.fixture(scope="module")
def handlers(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, str, BaseRouteHandler]]:
    """Method, path and handler of every route."""
    home = tmp_path_factory.mktemp("home")
    State.open(home, create=True).close()
    with Log.open(home) as log, opened(home, log, FixedClock(parse_instant("2026-01-01T00:00:00Z"))) as house:
        return list(_of(application.make_routes(house, Desk(house.door), Meter(), None)))


def _of(app: Litestar) -> Iterator[tuple[str, str, BaseRouteHandler]]:
    for route in app.routes:
        for handler in getattr(route, "route_handlers", [getattr(route, "route_handler", None)]):
            assert handler is not None
            for method in getattr(handler, "http_methods", {"ANY"}) - {"OPTIONS"}:
                yield method, template(route.path), handler


def test_every_route_says_who_may_ask_it(handlers: list[tuple[str, str, BaseRouteHandler]]) -> None:
    for method, path, handler in handlers:
        said = [name for name in ("permission", "open", "key") if handler.opt.get(name)]
        assert len(said) == 1, (method, path, said)
    assert {path for _, path, handler in handlers if handler.opt.get("open")} == OPEN


def test_every_permission_opens_something(handlers: list[tuple[str, str, BaseRouteHandler]]) -> None:
    asked = {handler.opt["permission"] for _, _, handler in handlers if "permission" in handler.opt}
    assert asked == set(PERMISSIONS)
    assert set().union(*ROLES.values()) == set(PERMISSIONS)


def test_every_route_of_the_api_has_a_case(handlers: list[tuple[str, str, BaseRouteHandler]]) -> None:
    """A12: what is not in the table is tested by nobody."""
    routes = {(method, path.removeprefix(PREFIX)) for method, path, handler in handlers if "permission" in handler.opt}
    assert routes == set(CASES)
    for (method, path), case in CASES.items():
        parts = {part[1:-1] for part in path.split("/") if part.startswith("{")}
        assert set(case.known) == parts, (method, path)
        assert set(case.unknown) in (parts, set()), (method, path)
        assert bool(case.unknown) == bool(parts), (method, path)
