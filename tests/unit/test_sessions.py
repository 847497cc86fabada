"""Sessions (A31): new at every login, and ended with what they rest on. Pages of other origins: beside this file."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any

import click
import pytest
from support.door import Served, basic, reopened
from support.logging_in import PASSWORD, Page, hotel, logged_in, wait
from support.workspace import Workspace

from innkeeper.cli import user as user_commands
from innkeeper.kernel.time import DAY, HOUR, MINUTE
from innkeeper.runtime.access import end_user, set_role
from innkeeper.runtime.roles import ROLES
from innkeeper.runtime.sessions import IDLE, LONGEST, Browser, Refused, set_password
from innkeeper.store.access import Access
from innkeeper.store.sessions import Sessions

OTHER_PASSWORD = "four words of a sentence"


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


def test_a_login_says_who_one_is(served: Served) -> None:
    page = Page(served)
    answer = page.log_in("bo")
    assert set(answer.json) == {"user", "permissions", "session", "csrf"}
    assert (answer.json["user"], answer.json["permissions"]) == ("bo", sorted(ROLES["editor"]))
    assert answer.headers["cache-control"] == "no-store"
    assert page.ask("GET", "/session").json == answer.json
    assert page.cookie not in answer.text.decode()


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("trusted", [True, False])
def test_the_cookie_is_out_of_reach(tmp_path: Path, scheme: str, trusted: bool) -> None:
    with hotel(tmp_path, proxies=("127.0.0.1",) if trusted else ()) as served:
        page, secure = Page(served), trusted and scheme == "https"
        origin = f"{'https' if secure else 'http'}://127.0.0.1:{served.port}"
        answer = page.log_in(X_Forwarded_Proto=scheme, Origin=origin)
        cookie = SimpleCookie(answer.headers["set-cookie"])["innkeeper_session"]
    assert (cookie["httponly"], cookie["samesite"].lower(), cookie["path"]) == (True, "strict", "/")
    assert (bool(cookie["secure"]), cookie["domain"], int(cookie["max-age"])) == (secure, "", 14 * 24 * 3600)
    assert len(cookie.value) >= 43  # 256 bits


# Fixation.


@pytest.mark.parametrize("planted", ["made-up-by-somebody-else-" * 2, "ended", "another's", ""])
def test_a_cookie_that_was_there_before_is_not_the_session(served: Served, planted: str) -> None:
    if planted == "ended":
        before = logged_in(served)
        planted = before.cookie
        before.ask("DELETE", "/session")
    elif planted == "another's":
        planted = logged_in(served, "cy").cookie
    page = Page(served)
    page.cookie = planted
    assert page.log_in("ana").status == 200
    assert page.cookie != planted
    held = Page(served)
    held.cookie = planted
    assert held.ask("GET", "/session").json.get("user") != "ana"


def test_every_login_is_another_session(served: Served) -> None:
    pages = [logged_in(served, "bo") for _ in range(5)]
    assert len({page.cookie for page in pages}) == len({page.csrf for page in pages}) == 5
    assert [page.status() for page in pages] == [200] * 5


# Ends.


def ended_by_role(served: Served, _: Page) -> None:
    assert served.ask("POST", "/users/bo/role", {"role": "editor"}).status == 200


def ended_by_command(served: Served, _: Page) -> None:
    # As another process does it: with a connection of its own.
    with Access.open(served.home) as other:
        set_role(other, "bo", "viewer", served.clock)


def ended_by_password(served: Served, _: Page) -> None:
    with Access.open(served.home) as other:
        assert set_password(other, "bo", OTHER_PASSWORD, served.clock)["sessions_ended"] >= 2


def ended_by_user_end(served: Served, _: Page) -> None:
    assert served.ask("DELETE", "/users/bo").status == 200


@pytest.mark.parametrize("end", [ended_by_role, ended_by_command, ended_by_password, ended_by_user_end])
def test_sessions_end_with_what_they_rest_on(tmp_path: Path, end: Any) -> None:
    with hotel(tmp_path) as served:
        pages, stays = [logged_in(served, "bo"), logged_in(served, "bo")], logged_in(served, "ana")
        end(served, pages[0])
        assert [page.status() for page in pages] == [401, 401]
        assert stays.status() == 200
        assert Page(served).log_in("bo").status == (200 if end in (ended_by_role, ended_by_command) else 401)
        assert [page.status() for page in pages] == [401, 401]


def test_who_changes_the_password_goes_on_alone_under_a_new_id(tmp_path: Path) -> None:
    with hotel(tmp_path) as served:
        page, others = logged_in(served, "bo"), [logged_in(served, "bo"), logged_in(served, "bo")]
        old = Page(served)
        old.cookie, old.csrf = page.cookie, page.csrf
        body = {"current": PASSWORD, "password": OTHER_PASSWORD}
        assert page.ask("POST", "/session/password", body | {"password": "short"}).json["code"] == "weak-password"
        assert page.ask("POST", "/session/password", body, Idempotency_Key="k").status == 200
        assert [other.status() for other in [*others, old]] == [401] * 3
        assert (page.status(), page.cookie != old.cookie, page.csrf != old.csrf) == (200, True, True)
        repeated = page.ask("POST", "/session/password", body, Idempotency_Key="k")
        assert (repeated.status, repeated.json["code"]) == (409, "answered-once")
        assert Page(served).log_in("bo").status == 401
        assert Page(served).log_in("bo", OTHER_PASSWORD).status == 200


def test_a_password_that_changes_while_it_is_checked_begins_no_session(served: Served) -> None:
    """What ends all sessions cannot come between the check and the beginning."""
    store = Sessions(access(served))
    kept = store.password("cy")
    assert kept is not None
    set_password(access(served), "cy", PASSWORD, served.clock)
    assert served.house.sessions._begin("cy", kept, Browser("", "")) is None
    assert store.of("cy") == []
    assert not store.change_password("cy", kept, "another", served.clock.now())


@pytest.mark.parametrize(("later", "status"), [(IDLE - 1, 200), (IDLE, 401)])
def test_a_session_ends_when_it_is_not_used(served: Served, later: int, status: int) -> None:
    page = logged_in(served)
    wait(served, later)
    assert page.status() == status


@pytest.mark.parametrize(("later", "status"), [(LONGEST - 1, 200), (LONGEST, 401)])
def test_a_session_ends_however_much_it_is_used(served: Served, later: int, status: int) -> None:
    page, begun = logged_in(served), served.clock.now()
    while served.clock.now() + 11 * HOUR < begun + later:
        wait(served, 11 * HOUR)
        assert page.status() == 200
    wait(served, begun + later - served.clock.now())
    assert page.status() == status


def test_ended_sessions_are_forgotten(served: Served) -> None:
    logged_in(served, "cy")
    wait(served, 15 * DAY)
    logged_in(served, "ana")
    assert Sessions(access(served)).of("cy") == []


def test_logging_out(served: Served) -> None:
    page, other = logged_in(served), logged_in(served)
    held = page.cookie
    answer = page.ask("DELETE", "/session")
    assert answer.status == 200
    assert (
        'innkeeper_session=""' in answer.headers["set-cookie"] or "innkeeper_session=;" in answer.headers["set-cookie"]
    )
    assert "Max-Age=0" in answer.headers["set-cookie"]
    page.cookie = held
    assert (page.status(), other.status()) == (401, 200)


def test_ones_sessions_are_listed_and_ended_and_nobody_elses(served: Served) -> None:
    page, other, strangers = logged_in(served, "bo"), logged_in(served, "bo"), logged_in(served, "cy")
    wait(served, 2 * MINUTE)
    found = page.ask("GET", "/sessions").json["sessions"]
    mine = {one["id"]: one for one in found}
    assert [one["current"] for one in found].count(True) == 1
    current = mine[page.ask("GET", "/session").json["session"]]
    assert (current["agent"], current["current"]) == ("Testing/1.0", True)
    assert current["seen_at"] > current["began_at"]
    theirs = strangers.ask("GET", "/session").json["session"]
    assert theirs not in mine
    assert page.ask("DELETE", f"/sessions/{theirs}").status == 404
    assert strangers.status() == 200
    assert page.ask("DELETE", f"/sessions/{other.ask('GET', '/session').json['session']}").status == 200
    assert (page.status(), other.status()) == (200, 401)


def test_sessions_go_on_over_a_restart(tmp_path: Path) -> None:
    with hotel(tmp_path) as served:
        page = logged_in(served)
    with reopened(tmp_path, served.keys, clock=served.clock) as again:
        page.served = again
        assert page.status() == 200


def test_a_bad_token_does_not_fall_back_to_the_cookie(served: Served) -> None:
    page = logged_in(served)
    assert page.ask("GET", "/session", Authorization="Bearer ink_wrong").status == 401
    assert page.ask("GET", "/session", Authorization=basic("somebody", "at the proxy")).status == 200


@pytest.mark.parametrize(
    "cookie", ["{good}x", "{good}; innkeeper_session=x", "", "x" * 5000, "é", '"{good}"', "{good}"]
)
def test_one_cookie_that_is_the_sessions(served: Served, cookie: str) -> None:
    page = logged_in(served)
    told = f"theme=dark; innkeeper_session={cookie.format(good=page.cookie)}; lang=en"
    assert page.ask("GET", "/session", Cookie=told).status == (200 if cookie == "{good}" else 401)


def test_a_session_may_what_its_user_may_at_that_moment(tmp_path: Path) -> None:
    with hotel(tmp_path) as served:
        page = logged_in(served, "cy")
        assert page.ask("GET", "/users").status == 403
        set_role(access(served), "cy", "owner", served.clock)
        again = logged_in(served, "cy")
        assert again.ask("GET", "/users").status == 200
        end_user(access(served), "cy", served.clock)
        assert again.ask("GET", "/users").status == 401
        assert isinstance(served.house.sessions.log_in("cy", PASSWORD, Browser("", "")), Refused)


def test_the_description_names_the_cookie_and_the_open_route(served: Served) -> None:
    told = served.call("GET", "/openapi.json").json
    assert told["components"]["securitySchemes"]["session"] == {
        "type": "apiKey", "in": "cookie", "name": "innkeeper_session",
    }  # fmt: skip
    operations = told["paths"]["/api/v1/session"]
    assert operations["post"]["security"] == []
    assert (operations["get"]["x-permission"], "x-permission" in operations["post"]) == ("session:own", False)
    assert "/api/v1/session/password" in served.call("GET", "/docs").text.decode()


# The command.


def test_the_command_gives_a_password(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    workspace = Workspace(tmp_path / "home")
    workspace.cli("user", "add", "ana", "--role", "owner")
    assert workspace.shell("user", "password", "ana").returncode == 2
    monkeypatch.setenv("ANA_PASSWORD", "short")
    assert (
        "weak-password" in workspace.shell("--json", "user", "password", "ana", "--password-env", "ANA_PASSWORD").stdout
    )
    monkeypatch.setenv("ANA_PASSWORD", PASSWORD)
    told = workspace.cli("user", "password", "ana", "--password-env", "ANA_PASSWORD")
    assert told == {"user": "ana", "sessions_ended": 0}
    for name, variable, code in [("bo", "ANA_PASSWORD", "unknown-user"), ("ana", "NOT_SET", "bad-variable")]:
        refused = workspace.shell("--json", "user", "password", name, "--password-env", variable)
        assert (refused.returncode, json.loads(refused.stdout)["errors"][0]["code"]) == (2, code)
    workspace.cli("user", "end", "ana")
    refused = workspace.shell("--json", "user", "password", "ana", "--password-env", "ANA_PASSWORD")
    assert json.loads(refused.stdout)["errors"][0]["code"] == "user-ended"


def test_on_a_terminal_it_is_asked_for_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dict[str, Any]] = []

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    def prompt(text: str, **how: Any) -> str:
        asked.append({"text": text, **how})
        return PASSWORD

    monkeypatch.setattr("sys.stdin", Terminal())
    monkeypatch.setattr(click, "prompt", prompt)
    assert user_commands._asked("ana") == PASSWORD
    assert asked == [{"text": "Password of ana", "hide_input": True, "confirmation_prompt": True, "err": True}]
