"""A browser as the API meets one: it keeps the session's cookie, says where its page is from, repeats the token."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from innkeeper.kernel.time import MINUTE, FixedClock, parse_instant
from innkeeper.runtime import passwords
from innkeeper.runtime.access import add_user
from innkeeper.runtime.sessions import set_password
from support.door import NOW, Answer, Served, opened

PASSWORD = "correct horse battery"
#: The parameters in force; the tests hash cheaply.
COST = passwords.COST
USERS = {"ana": "owner", "bo": "editor", "cy": "viewer"}


class Page:
    """A page of the door's own address, in one browser."""

    def __init__(self, served: Served) -> None:
        self.served, self.cookie, self.csrf = served, "", ""

    def origin(self) -> str:
        """Where the page is from."""
        return f"http://127.0.0.1:{self.served.port}"

    def ask(self, method: str, path: str, body: Any = None, **headers: str | None) -> Answer:
        """A request of the page; a header that is None is left out, `X_CSRF_Token` stands for X-CSRF-Token."""
        told: dict[str, str | None] = {"Origin": self.origin(), "User-Agent": "Testing/1.0"}
        told |= {"Cookie": f"innkeeper_session={self.cookie}"} if self.cookie else {}
        told |= {"X-CSRF-Token": self.csrf} if self.csrf else {}
        told |= {"Content-Type": "application/json"} if body is not None else {}
        told |= {name.replace("_", "-"): value for name, value in headers.items()}
        data = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        sent = {name: value for name, value in told.items() if value is not None}
        answer = self.served.call(method, f"/api/v1{path}", data, sent)
        if "set-cookie" in answer.headers:
            self.cookie = answer.headers["set-cookie"].partition(";")[0].partition("=")[2].strip('"')
        if answer.status == 200 and isinstance(answer.json, dict) and "csrf" in answer.json:
            self.csrf = answer.json["csrf"]
        return answer

    def log_in(self, user: str = "ana", password: str = PASSWORD, **headers: str | None) -> Answer:
        """Try to log in."""
        return self.ask("POST", "/session", {"user": user, "password": password}, **headers)

    def status(self) -> int:
        """What the session opens: 200 while it goes on, else 401."""
        return self.ask("GET", "/session").status


def logged_in(served: Served, user: str = "ana") -> Page:
    """A page of somebody who has just logged in."""
    page = Page(served)
    assert page.log_in(user).status == 200
    return page


@contextmanager
def hotel(home: Path, **how: Any) -> Iterator[Served]:
    """A door with three users who have passwords, hashed cheaply; its clock stands."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(passwords, "COST", passwords.Cost(16, 1, 1))
        with opened(home, clock=FixedClock(parse_instant(NOW)), **how) as served:
            access = served.house.doorman.access
            for name, role in USERS.items():
                add_user(access, name, role, served.clock)
                set_password(access, name, PASSWORD, served.clock)
            yield served


def wait(served: Served, duration: int = 16 * MINUTE) -> None:
    """Let time pass: long enough, unless told otherwise, for tries to be forgotten."""
    assert isinstance(served.clock, FixedClock)
    served.clock.instant += duration
