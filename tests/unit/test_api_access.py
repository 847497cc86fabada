"""Users, tokens and the audit over the API: what is kept of a token, what ends it, and that the chain tells of every
change to the record."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from support.door import NOW, Served, opened

from innkeeper.kernel.time import DAY, FixedClock, parse_instant
from innkeeper.runtime import audit
from innkeeper.store.access import FILE


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(parse_instant(NOW))


@pytest.fixture
def door(tmp_path: Path, clock: FixedClock) -> Iterator[Served]:
    with opened(tmp_path / "home", clock=clock) as found:
        yield found


def user(door: Served, name: str, role: str) -> None:
    assert door.ask("POST", "/users", {"name": name, "role": role}).status == 201


def token(door: Served, name: str, **more: Any) -> str:
    answer = door.ask("POST", "/tokens", {"name": name, "user": "ana", **more})
    assert answer.status == 201, answer.text
    return str(answer.json["token"])


def opens(door: Served, told: str, path: str = "/status") -> int:
    return door.ask("GET", path, token=told).status


def test_a_token_is_shown_once_and_kept_nowhere(door: Served) -> None:
    user(door, "ana", "editor")
    made = token(door, "laptop")
    assert opens(door, made) == 200
    assert made.startswith("ink_")
    assert len(made) == 4 + 40
    listed = door.ask("GET", "/tokens").text.decode() + door.ask("GET", "/audit").text.decode()
    secrets = [made[8:], door.house.doorman.local_token[8:]]
    assert not any(each in listed for each in secrets)
    files = [path for path in door.home.rglob("*") if path.is_file()]
    assert {"access.db", "access.db-wal"} <= {path.name for path in files}
    for path in files:
        assert not any(each.encode() in path.read_bytes() for each in secrets), path
    assert (door.home / FILE).stat().st_mode & 0o077 == 0


def test_what_ends_a_token_ends_it_at_once(door: Served, clock: FixedClock) -> None:
    user(door, "ana", "owner")
    one, two, short = token(door, "one"), token(door, "two"), token(door, "short", days=2)
    assert [opens(door, each) for each in (one, two, short)] == [200] * 3
    clock.instant += 2 * DAY - 1
    assert opens(door, short) == 200
    clock.instant += 1
    assert [opens(door, each) for each in (one, two, short)] == [200, 200, 401]
    # Who ends their own token has its answer yet.
    assert door.ask("DELETE", "/tokens/one", token=one).json == {"token": "one", "in_force": False}
    assert [opens(door, each) for each in (one, two)] == [401, 200]
    assert door.ask("DELETE", "/tokens/one").json["code"] == "unknown-token"
    assert door.ask("DELETE", "/users/ana").json["active"] is False
    assert opens(door, two) == 401


def test_a_role_reaches_its_tokens_at_once_and_scopes_only_narrow_it(door: Served) -> None:
    user(door, "ana", "editor")
    whole, narrow = token(door, "whole"), token(door, "narrow", scopes=["events:read", "customers:read"])
    assert [opens(door, each, "/log") for each in (whole, narrow)] == [200, 200]
    assert [opens(door, each, "/status") for each in (whole, narrow)] == [200, 403]
    assert door.ask("POST", "/users/ana/role", {"role": "viewer"}).status == 200
    assert [opens(door, each, "/log") for each in (whole, narrow)] == [403, 403]
    assert [opens(door, each, "/profiles") for each in (whole, narrow)] == [200, 200]
    assert door.ask("POST", "/users/ana/role", {"role": "owner"}).status == 200
    assert [opens(door, each, "/users") for each in (whole, narrow)] == [200, 403]


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"scopes": ["access:manage"]}, "bad-scope"), ({"scopes": ["custmers:read"]}, "bad-scope"),
        ({"scopes": "customers:read"}, "bad-request"), ({"user": "nobody"}, "unknown-user"),
        ({"name": "a b"}, "bad-token"), ({"name": ""}, "bad-token"), ({"name": "taken"}, "token-exists"),
        ({"days": 0}, "bad-request"), ({"days": -1}, "bad-request"), ({"days": 10**30}, "bad-request"),
        ({"days": 36_501}, "bad-request"), ({"days": 1.5}, "bad-request"),
    ],
)  # fmt: skip
def test_a_token_that_cannot_be_is_refused(door: Served, more: dict[str, Any], code: str) -> None:
    user(door, "ana", "editor")
    token(door, "taken")
    answer = door.ask("POST", "/tokens", {"name": "t", "user": "ana"} | more)
    assert (400 <= answer.status < 500, answer.json["code"]) == (True, code)
    assert len(door.ask("GET", "/tokens").json["tokens"]) == 1


def test_every_write_is_in_the_audit_twice_and_a_read_never(door: Served) -> None:
    user(door, "ana", "front-line")
    told = token(door, "desk")
    done = [
        ("POST", "/users", {"name": "ana", "role": "owner"}, None, 409),
        ("POST", "/users", {"name": "bob"}, None, 400),
        ("POST", "/profiles/nobody/notes", {"text": "canary"}, told, 404),
        ("DELETE", "/users/ana", None, None, 200),
    ]  # fmt: skip
    expected = [("local", "POST", "users", "/api/v1/users", 201), ("local", "POST", "tokens", "/api/v1/tokens", 201)]
    for method, path, body, as_, status in done:
        assert door.ask(method, path, body, token=as_).status == status
        noun = path.split("/")[1]
        expected.append(("local" if as_ is None else "ana", method, noun, f"/api/v1{path}", status))
    # These do not come as far as the routes.
    for method, path, as_ in (
        ("GET", "/users", None), ("GET", "/profiles/x", told), ("POST", "/users", told), ("POST", "/users", "x")
    ):  # fmt: skip
        door.ask(method, path, {} if method == "POST" else None, token=as_)
    rows = door.ask("GET", "/audit").json["entries"]
    told_rows = [tuple(each[name] for name in ("actor", "action", "noun", "about", "status")) for each in rows]
    assert told_rows == [(*each[:4], status) for each in expected for status in (0, each[4])]
    assert [each["seq"] for each in rows] == list(range(1, len(rows) + 1))
    assert "canary" not in (door.home / FILE).read_bytes().decode("latin-1")
    assert audit.verify(door.home) == {
        "entries": len(rows), "holds": True, "broken_at": None, "last_hash": rows[-1]["hash"]
    }  # fmt: skip


Change = Callable[[sqlite3.Connection], Any]


def _set(assignment: str, seq: int = 3) -> Change:
    return lambda database: database.execute(f"UPDATE audit SET {assignment} WHERE seq = {seq}")


def _swap(database: sqlite3.Connection) -> None:
    for old, new in ((3, -1), (4, 3), (-1, 4)):
        database.execute("UPDATE audit SET seq = ? WHERE seq = ?", (new, old))


def _insert(database: sqlite3.Connection) -> None:
    database.execute("UPDATE audit SET seq = -seq - 1 WHERE seq >= 3")
    database.execute("UPDATE audit SET seq = -seq WHERE seq < 0")
    database.execute("INSERT INTO audit SELECT 3, at, actor, action, noun, about, nonce, sealed, body, status, hash"
                     " FROM audit WHERE seq = 2")  # fmt: skip


def _remove(seq: int, *, close_up: bool) -> Change:
    def change(database: sqlite3.Connection) -> None:
        database.execute("DELETE FROM audit WHERE seq = ?", (seq,))
        if close_up:
            database.execute("UPDATE audit SET seq = 1 - seq WHERE seq > ?", (seq,))
            database.execute("UPDATE audit SET seq = -seq WHERE seq < 0")

    return change


TAMPERED: list[tuple[str, Change, int]] = [
    ("at", _set("at = at + 1"), 3), ("actor", _set("actor = 'bob'"), 3), ("action", _set("action = 'DELETE'"), 3),
    ("noun", _set("noun = 'tokens'"), 3), ("about", _set("about = '/api/v1/users/bob'"), 3),
    ("about without its nonce", _set("about = '/api/v1/users/bob', nonce = ''"), 3),
    ("about emptied alone", _set("about = ''"), 3), ("nonce", _set("nonce = '00'"), 3),
    ("nonce emptied alone", _set("nonce = ''"), 3), ("sealed", _set("sealed = '00'"), 3),
    ("body", _set("body = ''"), 3), ("status", _set("status = 403", 4), 4), ("begun", _set("status = 200", 3), 3),
    ("hash", _set("hash = '00'"), 3),
    ("the hash of its neighbour", _set("hash = (SELECT hash FROM audit WHERE seq = 2)"), 3),
    ("the first", _set("actor = 'bob'", 1), 1), ("the last", _set("actor = 'bob'", 6), 6),
    ("swapped", _swap, 3), ("inserted", _insert, 3), ("removed", _remove(3, close_up=False), 3),
    ("removed and closed up", _remove(3, close_up=True), 3), ("the first removed", _remove(1, close_up=True), 1),
    ("numbered anew", _set("seq = 7", 6), 6),
]  # fmt: skip


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with six entries."""
    home = tmp_path_factory.mktemp("chain") / "home"
    with opened(home) as door:
        for name in ("ana", "bob", "cy"):
            user(door, name, "viewer")
    return home


@pytest.mark.parametrize(("name", "change", "broken_at"), TAMPERED, ids=[each[0] for each in TAMPERED])
def test_a_changed_chain_does_not_verify(
    chain: Path, tmp_path: Path, name: str, change: Change, broken_at: int
) -> None:
    """A41."""
    home = _copied(chain, tmp_path)
    assert audit.verify(home)["holds"]
    _write(home, change)
    told = audit.verify(home)
    assert (told["holds"], told["broken_at"]) == (False, broken_at)


def test_what_the_chain_cannot_tell_the_last_hash_does(chain: Path, tmp_path: Path) -> None:
    """Rows cut off at the end, and a chain sealed anew from its beginning, hold; but end in another hash."""
    home = _copied(chain, tmp_path)
    before = audit.verify(home)
    _write(home, lambda database: database.execute("DELETE FROM audit WHERE seq > 4"))
    after = audit.verify(home)
    assert (after["holds"], after["entries"]) == (True, 4)
    assert after["last_hash"] != before["last_hash"]


def test_whom_an_entry_is_about_can_be_erased(chain: Path, tmp_path: Path) -> None:
    home = _copied(chain, tmp_path)
    before = audit.verify(home)
    _write(home, lambda database: database.execute("UPDATE audit SET about = '', nonce = '' WHERE seq IN (3, 4)"))
    assert audit.verify(home) == before


def _copied(chain: Path, to: Path) -> Path:
    return Path(shutil.copytree(chain, to / "home"))


def _write(home: Path, change: Change) -> None:
    with closing(sqlite3.connect(home / FILE)) as database, database:
        change(database)
