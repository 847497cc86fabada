"""Guessing passwords (A30): tries are counted before the password is looked at, and answers tell nothing apart."""

from __future__ import annotations

import hashlib
import json
import random
import sqlite3
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
from support.door import Served, reopened
from support.logging_in import COST, PASSWORD, Page, hotel, logged_in, wait

from innkeeper.kernel.errors import UsageError
from innkeeper.kernel.time import MINUTE
from innkeeper.runtime import passwords
from innkeeper.runtime.access import add_token, add_user, end_user
from innkeeper.runtime.sessions import MOST_TRIES, TRIES_WITHIN, Browser, Refused, set_password
from innkeeper.store.access import FILE, Access
from innkeeper.store.sessions import Sessions


@pytest.fixture(scope="module")
def open_hotel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with hotel(tmp_path_factory.mktemp("home")) as served:
        yield served


@pytest.fixture
def served(open_hotel: Served) -> Served:
    wait(open_hotel)
    return open_hotel


def tries(served: Served, user: str, count: int, password: str = "not the password") -> list[int]:
    return [Page(served).log_in(user, password).status for _ in range(count)]


def is_full(served: Served, user: str, address: str) -> bool:
    """Whether a right password is not even looked at."""
    found = served.house.sessions.log_in(user, PASSWORD, Browser(address, ""))
    return isinstance(found, Refused) and found.until is not None


def test_the_eleventh_try_is_refused_even_with_the_right_password(served: Served) -> None:
    assert tries(served, "ana", 10) == [401] * 10
    refused = Page(served).log_in("ana")
    assert (refused.status, refused.json["code"]) == (429, "too-many-tries")
    assert int(refused.headers["retry-after"]) == TRIES_WITHIN // 1_000_000
    assert "set-cookie" not in refused.headers


def test_a_login_that_works_counts_and_sets_nothing_back(served: Served) -> None:
    assert tries(served, "ana", 9) == [401] * 9
    assert Page(served).log_in("ana").status == 200
    assert Page(served).log_in("ana").status == 429


def test_tries_go_on_counting_in_a_new_session(served: Served) -> None:
    page = logged_in(served, "bo")
    assert [page.log_in("ana", "wrong").status for _ in range(9)] == [401] * 9
    fresh = Page(served)
    assert fresh.log_in("ana").status == 429


def test_tries_are_kept_over_a_restart(tmp_path: Path) -> None:
    with hotel(tmp_path) as served:
        assert tries(served, "ana", 10) == [401] * 10
    with reopened(tmp_path, served.keys, clock=served.clock) as again:
        assert Page(again).log_in("ana").status == 429
        wait(again)
        assert Page(again).log_in("ana").status == 200


@pytest.mark.parametrize(("before", "status"), [(1, 429), (0, 200)])
def test_there_is_room_again_exactly_after_fifteen_minutes(served: Served, before: int, status: int) -> None:
    tries(served, "ana", 10)
    wait(served, TRIES_WITHIN - before)
    assert Page(served).log_in("ana").status == status


def test_what_is_refused_does_not_count(served: Served) -> None:
    tries(served, "ana", 10)
    wait(served, 10 * MINUTE)
    assert tries(served, "ana", 5) == [429] * 5
    wait(served, 5 * MINUTE)
    assert Page(served).log_in("ana").status == 200


def test_one_address_has_ten_tries_over_all_accounts(served: Served) -> None:
    assert [Page(served).log_in(f"guess-{n}", "wrong").status for n in range(10)] == [401] * 10
    assert Page(served).log_in("cy").status == 429
    assert not is_full(served, "cy", "203.0.113.1")


def test_one_account_has_ten_tries_over_all_addresses(served: Served) -> None:
    for n in range(10):
        served.house.sessions.log_in("ana", "wrong", Browser(f"203.0.113.{n}", ""))
    assert is_full(served, "ana", "203.0.113.99")
    assert not is_full(served, "bo", "203.0.113.99")


@pytest.mark.parametrize(
    ("first", "then", "full"),
    [
        ("2001:db8::1", "2001:db8::ffff:1", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("192.0.2.1", "192.0.2.2", False),
    ],
)
def test_of_ipv6_a_whole_network_is_one_address(served: Served, first: str, then: str, full: bool) -> None:
    for n in range(10):
        served.house.sessions.log_in(f"guess-{n}", "wrong", Browser(first, ""))
    assert is_full(served, "ana", then) == full


def test_nobody_is_believed_about_his_address(served: Served) -> None:
    for n in range(10):
        assert Page(served).log_in(f"guess-{n}", "x", X_Forwarded_For=f"198.51.100.{n}").status == 401
    assert Page(served).log_in("ana", X_Forwarded_For="198.51.100.77").status == 429


def test_behind_a_proxy_the_sender_is_whom_the_proxy_names(tmp_path: Path) -> None:
    with hotel(tmp_path, proxies=("127.0.0.1",)) as served:
        for n in range(10):
            assert Page(served).log_in(f"guess-{n}", "x", X_Forwarded_For="198.51.100.1").status == 401
        assert Page(served).log_in("ana", X_Forwarded_For="198.51.100.1").status == 429
        assert Page(served).log_in("ana", X_Forwarded_For="198.51.100.2").status == 200


def test_a_key_for_repeats_does_not_repeat_a_login(served: Served) -> None:
    assert [Page(served).log_in("ana", "wrong", Idempotency_Key="k").status for _ in range(10)] == [401] * 10
    assert Page(served).log_in("ana", Idempotency_Key="k").status == 429


def test_guessing_the_password_in_force_counts_as_well(served: Served) -> None:
    page = logged_in(served, "ana")
    body = {"current": "wrong", "password": "four words of a sentence"}
    assert [page.ask("POST", "/session/password", body).status for _ in range(9)] == [401] * 9
    assert page.ask("POST", "/session/password", body | {"current": PASSWORD}).status == 429
    assert page.status() == 200


def test_many_at_once_are_ten(served: Served) -> None:
    found: list[bool] = []

    def one() -> None:
        answer = served.house.sessions.log_in("ana", "wrong", Browser("192.0.2.9", ""))
        found.append(isinstance(answer, Refused) and answer.until is None)

    threads = [threading.Thread(target=one) for _ in range(25)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(found) == MOST_TRIES


def test_the_owner_can_let_somebody_in_again(served: Served) -> None:
    for n in range(10):
        served.house.sessions.log_in("ana", "wrong", Browser(f"203.0.113.{n}", ""))
    assert is_full(served, "ana", "203.0.113.77")
    set_password(served.house.doorman.access, "ana", PASSWORD, served.clock)
    assert not is_full(served, "ana", "203.0.113.77")


@pytest.fixture
def hashing(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, ...]]:
    """What scrypt was called with: the work that a login costs."""
    calls: list[tuple[int, ...]] = []
    real = hashlib.scrypt

    def counted(password: bytes, *, salt: bytes, n: int, r: int, p: int, maxmem: int, dklen: int) -> bytes:
        calls.append((n, r, p, len(salt), dklen))
        return real(password, salt=salt, n=n, r=r, p=p, maxmem=maxmem, dklen=dklen)

    monkeypatch.setattr(hashlib, "scrypt", counted)
    return calls


@pytest.mark.parametrize(
    "name", ["dora", "eve", "nobody", "", "ANA", " ana", "ana ", "ana\0", "a" * 100, "' OR 1=1 --"]
)
def test_no_answer_tells_a_known_name(served: Served, name: str, hashing: list[tuple[int, ...]]) -> None:
    access = served.house.doorman.access
    if not any(user.name == "dora" for user in access.users()):
        add_user(access, "dora", "viewer", served.clock)
        add_user(access, "eve", "viewer", served.clock)
        set_password(access, "eve", PASSWORD, served.clock)
        end_user(access, "eve", served.clock)
    hashing.clear()
    known = Page(served).log_in("ana", "wrong")
    work = list(hashing)
    hashing.clear()
    other = Page(served).log_in(name, PASSWORD)
    assert (known.status, other.status) == (401, 401)
    assert known.json == other.json
    assert known.headers.keys() == other.headers.keys()
    assert hashing == work
    assert len(work) == 1


def test_tries_of_random_hours_against_a_plain_count(tmp_path: Path) -> None:
    """Whatever comes when: a try is taken if, and only if, fewer than ten were taken in the minutes before."""
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    chance, now, taken = random.Random(seed), 0, dict[bytes, list[int]]()
    refused = 0
    with Access.open(tmp_path) as access:
        store = Sessions(access)
        for _ in range(400):
            now += chance.choice([0, 1, MINUTE // 2, MINUTE, 3 * MINUTE])
            who = [chance.choice([b"a", b"b"]), chance.choice([b"x", b"y", b"z"])]
            free = [len([at for at in taken.get(each, []) if at > now - TRIES_WITHIN]) < MOST_TRIES for each in who]
            until = store.begin_try(who, now, most=MOST_TRIES, within=TRIES_WITHIN)
            assert (until is None) == all(free)
            refused += until is not None
            for each in who if until is None else []:
                taken.setdefault(each, []).append(now)
            if until is not None:
                last = {each: [at for at in taken[each] if at > now - TRIES_WITHIN][-MOST_TRIES:] for each in who}
                assert until == max(at[0] + TRIES_WITHIN for at in last.values() if len(at) == MOST_TRIES)
    assert Counter(taken[b"a"])
    assert refused > 20


def test_nothing_that_opens_is_kept_in_plain(served: Served) -> None:
    page = logged_in(served, "ana")
    access = served.house.doorman.access
    token = add_token(access, "ana", "laptop", served.clock)["token"]
    changed = {"current": PASSWORD, "password": "a wholly new sentence"}
    assert page.ask("POST", "/session/password", changed, Idempotency_Key="k").status == 200
    held = b"".join(path.read_bytes() for path in served.home.glob(f"{FILE}*"))
    secrets = [*changed.values(), page.cookie, page.csrf, token]
    assert page.cookie
    assert [secret for secret in secrets if secret.encode() in held] == []
    # A digest that anybody can make again is as good as the password: a computer tries billions in a second.
    body = json.dumps(changed)
    bare = [hashlib.sha256(text.encode()) for text in (*changed.values(), body, f"/api/v1/session/password?\0{body}")]
    assert [one for one in bare if one.digest() in held or one.hexdigest().encode() in held] == []
    assert {one.body for one in access.entries() if one.about == "/api/v1/session/password"} == {""}
    set_password(access, "ana", PASSWORD, served.clock)


def test_the_audit_tells_of_logins_and_not_what_was_typed(tmp_path: Path) -> None:
    with hotel(tmp_path) as served:
        Page(served).log_in("ana", "wrong")
        Page(served).log_in("my secret in the wrong field", "x")
        page = logged_in(served)
        page.ask("DELETE", "/session")
        told = [
            (one.actor, one.action, one.about, one.status, one.body) for one in served.house.doorman.access.entries()
        ]
    assert told == [
        ("ana", "login", "127.0.0.1", 401, ""), ("unknown", "login", "127.0.0.1", 401, ""),
        ("ana", "login", "127.0.0.1", 200, ""), ("ana", "DELETE", "/api/v1/session", 0, ""),
        ("ana", "DELETE", "/api/v1/session", 200, ""),
    ]  # fmt: skip


def test_a_password_is_kept_as_scrypt_says(monkeypatch: pytest.MonkeyPatch) -> None:
    """The parameters in force, against another implementation of RFC 7914."""
    monkeypatch.setattr(passwords, "COST", COST)
    kept = passwords.hashed("pässwörd, quite long")
    form, n, r, p, salt, key = kept.split("$")
    assert form == "scrypt"
    other = Scrypt(salt=bytes.fromhex(salt), length=32, n=int(n), r=int(r), p=int(p))
    assert other.derive("pässwörd, quite long".encode()).hex() == key
    assert 128 * int(n) * int(r) * int(p) >= 2**26
    monkeypatch.setattr(passwords, "COST", passwords.Cost(16, 1, 1))
    assert passwords.hashed("same") != passwords.hashed("same")
    typed = "pässwörd" + " of a Mac"
    decomposed = typed.replace("ä", "a\u0308").replace("ö", "o\u0308")
    assert passwords.matches(decomposed, passwords.hashed(typed))
    assert not passwords.matches("passwörd of a Mac", passwords.hashed(typed))


def test_higher_parameters_reach_a_password_at_its_next_login(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with hotel(tmp_path) as served:
        page = logged_in(served)
        store = Sessions(served.house.doorman.access)
        before = store.password("ana")
        monkeypatch.setattr(passwords, "COST", passwords.Cost(32, 2, 2))
        assert Page(served).log_in("ana", "wrong").status == 401
        assert store.password("ana") == before
        assert logged_in(served).status() == 200
        after = store.password("ana")
        assert after is not None
        assert after.startswith("scrypt$32$2$2$")
        assert page.status() == 200  # the password is the same, so other sessions go on
        assert logged_in(served).status() == 200
        assert store.password("ana") == after


@pytest.mark.parametrize("weak", ["short", "x" * 11, "ab" * 40, "y" * 1025, "ana.long-name", "ANA.LONG-NAME"])
def test_a_password_that_is_guessed_too_soon_is_refused(weak: str) -> None:
    with pytest.raises(UsageError) as refused:
        passwords.check(weak, "ana.long-name")
    assert refused.value.code == "weak-password"
    assert weak not in str(refused.value)


def test_an_older_file_gets_the_tables(tmp_path: Path) -> None:
    first = (Path(passwords.__file__).parents[1] / "store/sql/access_0001.sql").read_text()
    with sqlite3.connect(tmp_path / FILE) as database:
        database.executescript(first)
        database.execute("INSERT INTO users VALUES ('old', 'owner', 1, NULL)")
        database.execute("PRAGMA user_version = 1")
    database.close()
    with Access.open(tmp_path) as access:
        assert [user.name for user in access.users()] == ["old"]
        assert Sessions(access).password("old") is None
