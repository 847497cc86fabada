"""Who may ask what of the API: every route, role and kind of token, from the description of the application.

What a role may do is read from `roles.py`; that a route asks for its permission is what is tested, and what an answer
says to who asks for something that is not there (A12). Wrong tokens are not counted: nobody guesses one of 160 bits.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.api import CANARY, CASES, ask, path_of, real, served
from support.door import Answer, Served, basic

from innkeeper.runtime.roles import PERMISSIONS, ROLES
from innkeeper.web.api import PREFIX

ROUTES = sorted(CASES)
NAMES = [f"{method} {path}" for method, path in ROUTES]
EVERY = pytest.mark.parametrize(("method", "path"), ROUTES, ids=NAMES)
NOT_LET_IN = (401, 403)
#: Names of what is there.
CANARIES = (
    "canary-guest", "canary-account", "canary-house", "canary-user", "canary-source", "canary-booking",
    "canary-guest@example.com",
)  # fmt: skip
#: What is asked for beside them.
FOREIGN = (
    "CANARY-GUEST", "user_id:", "email:canary", ":", "..", " ", "%00", "\0", "*", "canary%", "' OR 1=1 --", "x" * 2_000,
    "ünknown", "\U0001f9ff", "-1", "null",
)  # fmt: skip


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("api") / "home") as found:
        yield found


@pytest.fixture(scope="module")
def permissions(door: Served) -> dict[tuple[str, str], str]:
    """What each route says that it needs."""
    return {
        (method.upper(), path.removeprefix(PREFIX)): operation["x-permission"]
        for path, methods in door.call("GET", "/openapi.json").json["paths"].items()
        for method, operation in methods.items()
        if "x-permission" in operation
    }


@pytest.fixture(scope="module")
def tokens(door: Served) -> dict[str, str]:
    """A token of a user of each role, and of one who has each permission alone, or all others."""
    made = {role: _token(door, f"user-{role}", role) for role in ROLES}
    for permission in PERMISSIONS:
        name = permission.replace(":", ".")
        made[f"only {permission}"] = _token(door, f"only-{name}", "owner", permission)
        made[f"all but {permission}"] = _token(door, f"but-{name}", "owner", *(set(PERMISSIONS) - {permission}))
    return made


@pytest.fixture(scope="module")
def dead(door: Served) -> dict[str, str]:
    """Tokens that open nothing."""
    made = {"ended": _token(door, "gone-token", "owner"), "of a user who has left": _token(door, "gone", "owner")}
    assert door.ask("DELETE", "/tokens/gone-token").status == 200
    assert door.ask("DELETE", "/users/gone").status == 200
    narrowed = _token(door, "fallen", "owner", "access:manage")
    assert door.ask("POST", "/users/fallen/role", {"role": "viewer"}).status == 200
    assert door.ask("GET", "/users", token=narrowed).status == 403
    made |= {
        "empty": "", "garbage": "garbage", "not ASCII": "ink_\xe9\xff", "endless": "ink_" + "a" * 5_000,
        "of a source": door.key("canary-source"), "its hash": door.house.doorman.access.tokens()[0].hash.hex(),
        "cut short": door.house.doorman.local_token[:-1], "with more": door.house.doorman.local_token + "a",
    }  # fmt: skip
    return made


def _token(door: Served, name: str, role: str, *scopes: str) -> str:
    assert door.ask("POST", "/users", {"name": name, "role": role}).status == 201
    told = door.ask("POST", "/tokens", {"name": name, "user": name, "scopes": list(scopes)})
    assert told.status == 201, told.text
    return str(told.json["token"])


def harmless(door: Served, method: str, path: str, **headers: str) -> Answer:
    """A request that is right but for its ids or its body, so that it changes nothing, whoever sends it."""
    case = CASES[method, path]
    body = None if method in ("GET", "DELETE") else {"no such field": 1}
    parts = case.unknown or case.known
    told = {name.replace("_", "-"): value for name, value in headers.items()}
    data = b"" if body is None else json.dumps(body).encode()
    return door.call(method, PREFIX + path_of(path, parts, case.query), data, told)


@EVERY
def test_a_role_may_do_what_its_permissions_say_and_nothing_else(
    door: Served, permissions: dict[tuple[str, str], str], tokens: dict[str, str], method: str, path: str
) -> None:
    needed = permissions[method, path]
    expected = {
        **{role: needed in ROLES[role] for role in ROLES},
        f"only {needed}": True, f"all but {needed}": False,
        **{f"only {other}": False for other in PERMISSIONS if other != needed},
    }  # fmt: skip
    for who, may in expected.items():
        answer = harmless(door, method, path, Authorization=f"Bearer {tokens[who]}")
        if may:
            assert answer.status not in NOT_LET_IN, who
            assert answer.status < 500, who
        else:
            assert (answer.status, answer.json["code"]) == (403, "not-allowed"), who
            assert needed in answer.json["detail"]
            assert CANARY not in answer.text.decode()


@EVERY
def test_without_a_token_in_force_nothing_is_told(door: Served, dead: dict[str, str], method: str, path: str) -> None:
    good = door.house.doorman.local_token
    headers: dict[str, dict[str, str]] = {
        **{name: {"Authorization": f"Bearer {token}"} for name, token in dead.items()},
        "none": {}, "as Basic": {"Authorization": basic(good)}, "bare": {"Authorization": good},
        "as a write key": {"X-Write-Key": good},
    }  # fmt: skip
    for name, told in headers.items():
        answer = harmless(door, method, path, **told)
        assert (answer.status, answer.json["code"]) == (401, "bad-token"), name
        assert answer.headers["www-authenticate"] == "Bearer"
        assert CANARY not in answer.text.decode()


def test_a_token_of_the_api_sends_no_events(door: Served, tokens: dict[str, str]) -> None:
    before = len(door.events())
    for token in (tokens["owner"], door.house.doorman.local_token):
        for told in ({"Authorization": f"Bearer {token}"}, {"Authorization": basic(token)}, {"X-Write-Key": token}):
            assert door.call("POST", "/v1/track", b'{"userId":"x","event":"Login"}', told).status == 401
    assert len(door.events()) == before


@pytest.fixture(scope="module")
def listed(door: Served, permissions: dict[tuple[str, str], str]) -> dict[str, str]:
    """What the lists under each permission tell anyway."""
    told: dict[str, str] = dict.fromkeys(PERMISSIONS, "")
    for (method, path), permission in permissions.items():
        if method == "GET" and "{" not in path:
            told[permission] += ask(door, method, path, {}).text.decode()
    return told


UNKNOWN = [route for route in ROUTES if CASES[route].unknown]


@pytest.mark.parametrize(("method", "path"), UNKNOWN, ids=[f"{method} {path}" for method, path in UNKNOWN])
def test_what_is_not_there_is_404_and_nothing_else_is_named(
    door: Served, permissions: dict[tuple[str, str], str], tokens: dict[str, str], listed: dict[str, str],
    method: str, path: str,
) -> None:  # fmt: skip
    """A12: near ids, ids of other kinds, and shapes of paths; a canary may be named to who may list it anyway."""
    needed = permissions[method, path]
    case = CASES[method, path]
    varied = next(name for name, value in case.unknown.items() if value != case.known[name])
    # A source of the other kind is there too, and hears why it takes no such thing.
    there = {case.known[varied]} | ({"canary-source"} if path.startswith("/sources/") else set())
    foreign = {*CANARIES, *FOREIGN} - there
    for unknown in (case.unknown, *(case.unknown | {varied: each} for each in sorted(foreign))):
        answer = ask(door, method, path, unknown, token=tokens[f"only {needed}"])
        assert (answer.status, answer.json["title"]) == (404, "There is no such thing"), (unknown, answer.text)
        asked = "".join(unknown.values())
        named = [name for name in CANARIES if name in answer.text.decode() and name not in asked]
        assert [name for name in named if name not in listed[needed]] == [], unknown


def test_every_case_is_a_right_request(tmp_path: Path) -> None:
    """So that a refusal in the tests above is due to what they changed."""
    with served(tmp_path / "home") as door:
        for (method, path), case in CASES.items():
            if case.by_session:
                continue  # test_sessions.py
            answer = ask(door, method, path, real(door, case))
            assert 200 <= answer.status < 300, (method, path, answer.text)
            assert answer.headers["content-type"].partition(";")[0] == case.media
            if case.media == "application/json":
                assert isinstance(answer.json, dict)


def test_what_no_role_but_the_owners_may_do() -> None:
    """Publishing, privacy, access and the audit are never an editor's, and who reads does not write (A41)."""
    has = {permission: {role for role in ROLES if permission in ROLES[role]} for permission in PERMISSIONS}
    assert has["access:manage"] == has["sources:manage"] == has["subscriptions:manage"] == {"owner"}
    assert has["events:import"] == has["definitions:publish"] == {"owner", "approver"}
    assert has["privacy:manage"] == has["audit:read"] == {"owner", "privacy-officer"}
    assert has["session:own"] == set(ROLES)
    writes = {permission for permission in PERMISSIONS if not permission.endswith(":read")} - {"session:own"}
    assert not writes & ROLES["viewer"]
