"""Pages of other origins (A31): what they send in somebody's browser changes nothing, and logs nobody in."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from litestar import Litestar
from support.door import Served
from support.logging_in import PASSWORD, Page, hotel, logged_in, wait

from innkeeper.runtime.access import add_token
from innkeeper.store.access import Access
from innkeeper.web.api import Api
from innkeeper.web.app import api_routes


@pytest.fixture(scope="module")
def open_hotel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with hotel(tmp_path_factory.mktemp("home")) as served:
        yield served


@pytest.fixture
def served(open_hotel: Served) -> Served:
    wait(open_hotel)
    return open_hotel


def access(served: Served) -> Access:
    return served.house.doorman.access


# Pages of other origins, with the cookie.


def made(page: Page, name: str, **headers: str | None) -> tuple[int, bool]:
    """Let the page make a user: what it was answered, and whether there is one."""
    status = page.ask("POST", "/users", {"name": name, "role": "viewer"}, **headers).status
    return status, any(user.name == name for user in access(page.served).users())


ANOTHER = [
    "null", "http://evil.example", "https://127.0.0.1:{port}", "http://127.0.0.1", "http://127.0.0.1:1",
    "http://localhost:{port}", "http://a.127.0.0.1:{port}", "http://127.0.0.1:{port}.evil.example",
    "http://127.0.0.1:{port}@evil.example", "http://evil@127.0.0.1:{port}", "http://127.0.0.1:{port}/x",
    "127.0.0.1:{port}",
    "ftp://127.0.0.1:{port}", "http://", "http://[", "http://127.0.0.1:{port}, http://evil.example", "*", "",
]  # fmt: skip


@pytest.mark.parametrize("origin", ANOTHER)
def test_another_origin_changes_nothing(served: Served, origin: str) -> None:
    page = logged_in(served)
    told = origin.format(port=served.port)
    assert made(page, "mallory", Origin=told) == (403, False)
    assert made(page, "mallory", Origin=told, Sec_Fetch_Site="same-origin") == (403, False)


@pytest.mark.parametrize("site", ["cross-site", "same-site", "none", "", "same-origin, cross-site", "SAME-ORIGIN"])
def test_another_site_changes_nothing(served: Served, site: str) -> None:
    page = logged_in(served)
    assert made(page, "mallory", Sec_Fetch_Site=site) == (403, False)
    assert made(page, "mallory", Sec_Fetch_Site=site, Origin=None) == (403, False)


def test_who_does_not_say_where_from_changes_nothing(served: Served) -> None:
    assert made(logged_in(served), "mallory", Origin=None) == (403, False)


@pytest.mark.parametrize("token", [None, "", "x", "0" * 64, "another's", "é" * 64, "earlier"])
def test_without_the_sessions_token_nothing_changes(served: Served, token: str | None) -> None:
    page, other = logged_in(served), logged_in(served, "ana")
    earlier = page.csrf
    if token == "earlier":
        page.log_in()
    token = {"another's": other.csrf, "earlier": earlier}.get(token or "", token)
    assert made(page, "mallory", X_CSRF_Token=token) == (403, False)


def test_the_token_counts_in_its_header_alone(served: Served) -> None:
    page = logged_in(served)
    body = {"name": "mallory", "role": "viewer", "csrf": page.csrf, "X-CSRF-Token": page.csrf}
    answer = page.ask("POST", f"/users?x-csrf-token={page.csrf}&csrf={page.csrf}", body, X_CSRF_Token=None)
    assert (answer.status, answer.json["code"]) == (403, "bad-csrf")


@pytest.mark.parametrize("media", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"])
def test_a_form_that_looks_like_json_changes_nothing(served: Served, media: str) -> None:
    page = logged_in(served)
    assert made(page, "mallory", Content_Type=media, X_CSRF_Token=None) == (403, False)
    assert made(page, "mallory", Content_Type=media, Origin="http://evil.example") == (403, False)


@pytest.mark.parametrize(
    "headers",
    [{}, {"Sec_Fetch_Site": "same-origin"}, {"Sec_Fetch_Site": "same-origin", "Origin": None}],
    ids=["origin", "both", "site"],
)
def test_our_own_page_changes_what_it_may(served: Served, headers: dict[str, str | None]) -> None:
    name = f"guest-{served.clock.now()}"
    assert made(logged_in(served), name, **headers) == (201, True)
    assert made(logged_in(served, "cy"), f"{name}-2", **headers) == (403, False)


def test_behind_a_proxy_the_origin_is_that_of_the_proxy(tmp_path: Path) -> None:
    with hotel(tmp_path, proxies=("127.0.0.1",)) as served:
        page = Page(served)
        told = {"Host": "hotel.example", "X_Forwarded_Proto": "https", "Origin": "https://hotel.example"}
        assert page.log_in(**told).status == 200
        assert made(page, "dora", **told) == (201, True)
        assert made(page, "mallory", **told | {"Origin": "http://hotel.example"}) == (403, False)
        assert made(page, "mallory", **told | {"Origin": "https://hotel.example:444"}) == (403, False)


def test_every_route_that_changes_something_asks_for_the_token(served: Served) -> None:
    page, seen = logged_in(served), 0
    for route in Litestar([api_routes(Api(served.home, served.house))]).routes:
        for handler in getattr(route, "route_handlers", ()):
            for method in handler.http_methods - {"GET", "HEAD", "OPTIONS"} if handler.opt.get("permission") else ():
                path = "/".join("x" if part.startswith("{") else part for part in route.path.split("/"))
                answer = page.ask(str(method), path.removeprefix("/api/v1"), b"{}", X_CSRF_Token=None)
                assert (answer.status, answer.json["code"]) == (403, "bad-csrf"), path
                seen += 1
    assert seen > 15


# Pages of other origins, at the login.


def sessions_and_tries(served: Served) -> list[Any]:
    return access(served).rows("SELECT (SELECT count(*) FROM sessions), (SELECT count(*) FROM tries)")


@pytest.mark.parametrize(
    "media",
    [
        None, "", "text/plain", "text/plain; application/json", "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x", "application/jsonp", "application/json-patch+json", "text/json",
        "application/json, text/plain",
    ],
)  # fmt: skip
def test_a_login_is_json_and_no_form(served: Served, media: str | None) -> None:
    before = sessions_and_tries(served)
    answer = Page(served).log_in(Content_Type=media)
    assert (answer.status, answer.json["code"]) == (415, "not-json")
    assert sessions_and_tries(served) == before
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize("origin", [*ANOTHER, None])
def test_no_other_page_logs_somebody_in(served: Served, origin: str | None) -> None:
    before = sessions_and_tries(served)
    answer = Page(served).log_in(Origin=origin and origin.format(port=served.port))
    assert (answer.status, answer.json["code"]) == (403, "other-origin")
    assert Page(served).log_in(Sec_Fetch_Site="cross-site").status == 403
    assert sessions_and_tries(served) == before


def test_no_other_page_may_read_a_login(served: Served) -> None:
    for answer in (Page(served).log_in(), Page(served).log_in(Origin="http://evil.example")):
        assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize(
    "body",
    [
        b"", b"null", b"[]", b"{}", b"{", b'{"user":"ana"}', b'{"user":1,"password":2}',
        b'{"user":null,"password":null}', b'{"user":["ana"],"password":"x"}',
        b'{"user":"ana","password":"x","admin":true}',
        b'{"user":"\\ud800","password":"x"}',
        b"\xff\xfe", json.dumps({"user": "a" * 101, "password": "x"}).encode(),
        json.dumps({"user": "ana", "password": "x" * 1025}).encode(),
    ],
)  # fmt: skip
def test_what_is_no_login_is_told_so(served: Served, body: bytes) -> None:
    before = sessions_and_tries(served)
    answer = Page(served).ask("POST", "/session", body)
    assert answer.status == 400
    assert "ana" not in answer.text.decode()
    assert sessions_and_tries(served) == before
    assert Page(served).ask("POST", "/session", b"x" * (1024 * 1024 + 1), Content_Type="application/json").status == 413


def test_a_login_in_the_address_is_none(served: Served) -> None:
    page = Page(served)
    assert page.ask("GET", f"/session?user=ana&password={PASSWORD.replace(' ', '+')}").status == 401
    assert page.ask("PUT", "/session", {"user": "ana", "password": PASSWORD}).status == 405


def test_a_token_needs_neither_origin_nor_csrf(served: Served) -> None:
    page = logged_in(served, "cy")
    token = add_token(access(served), "ana", f"t-{served.clock.now()}", served.clock)["token"]
    name = f"guest-{served.clock.now()}"
    told: dict[str, str | None] = {"Authorization": f"Bearer {token}", "X_CSRF_Token": None}
    assert made(page, name, **told, Origin="http://evil.example") == (201, True)
    shown = page.ask("GET", "/session", **told).json
    assert (shown["user"], shown["session"], shown["csrf"]) == ("ana", None, None)
    assert page.ask("DELETE", "/session", **told).json["code"] == "unknown-session"
    assert page.status() == 200
