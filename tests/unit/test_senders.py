"""What a public key may do, and what not: the attempts of the security catalogue, A16 to A21, against a real door.

The oracle is what the workspace knows: after everything that an attacker sent has been taken and the engine has run,
the victim is as they were.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jwt
import pytest
from hostile.senders import BROWSER, VICTIM, Attempt, merges, polluting, reserved, words
from support.door import NOW, Served, opened, reopened
from support.workspace import BASE, Workspace, message

from innkeeper.kernel.time import SECOND, parse_instant
from innkeeper.runtime import sources
from innkeeper.runtime.user_tokens import by_secret

SECRET = "a secret of the house, long enough for HS256"
AT = parse_instant(NOW)
CLAIMS = {"sub": "me", "aud": "web", "exp": 2**40}
STRATEGY = BASE | {
    "strategy.yaml": BASE["strategy.yaml"] + "identity: {namespaces: {crm: {owner: person, from: [traits.crm]}}}\n",
    "messages/hello.md": message("Hello"),
    "journeys/paid.yaml": "enter: {event: Paid, trust: server}\nsteps:\n  - send: hello\n",
    "journeys/own.yaml": "enter: {event: Asked, trust: user}\nsteps:\n  - send: hello\n",
    "journeys/any.yaml": "enter: {event: Looked}\nsteps:\n  - send: hello\n",
}  # fmt: skip


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with pytest.MonkeyPatch.context() as patch, opened(tmp_path_factory.mktemp("home")) as found:
        patch.setenv("WEB_SECRET", SECRET)
        sources.set_user_tokens(found.home, "web", by_secret("WEB_SECRET"))
        yield found


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    monkeypatch.setenv("WEB_SECRET", SECRET)
    with opened(tmp_path / "home") as found:
        sources.set_user_tokens(found.home, "web", by_secret("WEB_SECRET"))
        yield found


def token(user: str, **claims: Any) -> str:
    told = {"sub": user, "aud": "web", "exp": AT // SECOND + 600} | claims
    return jwt.encode({key: value for key, value in told.items() if value is not ...}, SECRET, algorithm="HS256")


def batch(served: Served, messages: list[dict[str, Any]], *, source: str = "web", **headers: str) -> Any:
    return served.send("/v1/batch", {"batch": messages}, source=source, **headers).json


def settle(home: Path) -> Workspace:
    """Everything in the log is taken."""
    workspace = Workspace(home)
    workspace.apply(STRATEGY)
    workspace.run("2026-11-26T00:00:00Z")
    return workspace


def start(served: Served) -> None:
    """The victim, as the house's own server knows them."""
    known = {"email": "victim@example.com", "plan": "pro", "crm": VICTIM}
    said = [
        {"type": "identify", "userId": VICTIM, "anonymousId": "victims-browser", "traits": known, "messageId": "s1"},
        {"type": "identify", "userId": "other", "traits": {"email": "other@example.com"}, "messageId": "s2"},
    ]
    assert batch(served, said, source="shop")["accepted"] == 2


def facts(workspace: Workspace) -> Any:
    told = workspace.cli("profile", "show", VICTIM)
    kept = ("identifiers", "traits", "consents", "suppressions", "accounts", "memories", "households")
    return {key: told[key] for key in kept if key in told}


@pytest.mark.parametrize("attempts", [merges, words, polluting])
def test_a16_a17_a19_a_public_key_changes_nothing_about_anybody(served: Served, attempts: Any, tmp_path: Path) -> None:
    start(served)
    made: list[Attempt] = list(attempts())
    for attempt in made:
        told = batch(served, attempt.messages)
        assert (told["rejected"] == len(attempt.messages)) is attempt.refused, (attempt, told)
        assert told["rejected"] in (0, len(attempt.messages))
    print(f"{attempts.__name__}: {len(made)} attempts")
    calm_home = tmp_path / "calm"
    with opened(calm_home) as calm:
        start(calm)
    served.door.keep_counts()
    # Both homes are read when no door writes them any more.
    served.log.seal()
    assert len(made) >= {"merges": 80, "words": 90, "polluting": 40}[attempts.__name__]
    assert facts(_after(served.home, tmp_path / "copy")) == facts(settle(calm_home))


def _after(home: Path, copy: Path) -> Workspace:
    """What the engine makes of a home that a door still holds: in a copy."""
    import shutil

    shutil.copytree(home, copy)
    (copy / "lock").unlink(missing_ok=True)
    return settle(copy)


def test_a17_reserved_names_are_left_out_and_counted(served: Served, tmp_path: Path) -> None:
    made = list(reserved())
    assert len(made) >= 120
    for attempt in made:
        assert batch(served, attempt.messages)["accepted"] == 1
    served.door.keep_counts()
    shown = sources.show(served.home, "web", served.clock)
    assert shown["reserved_left_out"] >= len(made)
    assert shown["refused"] == 0
    traits = _after(served.home, tmp_path / "copy").cli("profile", "show", "anonymous_id:own")["traits"]
    text = json.dumps(traits)
    assert all(f'"{name}"' not in text for name in ("is_admin", "email_verified", "suppressed"))


def test_a16_a_token_speaks_for_its_user_and_for_nobody_else(served: Served, tmp_path: Path) -> None:
    start(served)
    mine = token("me")
    own = {"type": "identify", "userId": "me", "anonymousId": "mine", "traits": {"plan": "basic"}}
    assert batch(served, [own], X_User_Token=mine)["accepted"] == 1
    consent = {"type": "track", "event": "Consent Given", "userId": "me", "properties": {"purpose": "offers"}}
    assert (
        batch(
            served,
            [consent, {"type": "track", "event": "Consent Withdrawn"} | {"anonymousId": "mine"}],
            X_User_Token=mine,
        )["accepted"]
        == 2
    )
    refused: list[dict[str, Any]] = [
        {"type": "identify", "userId": VICTIM, "traits": {"plan": "free"}},
        {"type": "alias", "userId": "me", "previousId": VICTIM},
        {"type": "alias", "userId": VICTIM, "previousId": "me"},
        {"type": "alias", "userId": "me", "previousId": VICTIM, "anonymousId": "mine"},
        {"type": "track", "event": "Consent Given", "userId": VICTIM, "properties": {}},
        {"type": "track", "event": "Unsuppressed", "userId": "me"},
        {"type": "track", "event": "Link Added", "userId": "me", "properties": {"a": "me", "b": VICTIM}},
        {"type": "page", "userId": VICTIM},
    ]  # fmt: skip
    assert batch(served, refused, X_User_Token=mine)["rejected"] == len(refused)
    # What stands beside joins nobody either: only the user and their browser are one.
    beside = {
        "type": "track",
        "event": "Seen",
        "userId": "me",
        "context": {"traits": {"crm": VICTIM, "email": "victim@example.com"}},
    }
    assert batch(served, [beside], X_User_Token=mine)["accepted"] == 1
    after = _after(served.home, tmp_path / "copy")
    told = after.cli("profile", "show", VICTIM)
    assert [each["value"] for each in told["traits"] if each["name"] == "plan"] == ["pro"]
    links = json.dumps(after.cli("profile", "show", "me")["identifiers"])
    assert VICTIM not in links
    assert "anonymous_id:mine" in links


@pytest.mark.parametrize("where", ["header", "envelope", "message", "context"])
def test_a_token_is_found_where_clients_can_put_it_and_is_not_kept(shared: Served, where: str) -> None:
    mine = token("me")
    said: dict[str, Any] = {
        "type": "identify",
        "userId": "me",
        "anonymousId": "mine",
        "messageId": where,
        "traits": {"a": 1},
    }
    body: dict[str, Any] = {"batch": [said]}
    headers = {"X_User_Token": mine} if where == "header" else {}
    if where == "envelope":
        body["userToken"] = mine
    elif where == "message":
        said["userToken"] = mine
    elif where == "context":
        said["context"] = {"userToken": mine}
    answer = shared.send("/v1/batch", body, source="web", **headers)
    assert answer.json["accepted"] == 1, answer.text
    event = shared.last()
    assert (event.user_id, event.traits, event.context, event.extra) == ("me", {"a": 1}, {}, {"trust": "user"})
    assert event.message_id == f"user:me:{where}"


@pytest.mark.parametrize(
    ("made", "why"),
    [
        (lambda: token("me", exp=AT // SECOND), "ended"),
        (lambda: token("me", exp=...), "needs"),
        (lambda: token("me", aud=...), "needs"),
        (lambda: token("me", sub=...), "needs"),
        (lambda: token(""), "empty"),
        (lambda: token("me", aud="shop"), "aud"),
        (lambda: token("me", aud="web2"), "aud"),
        (lambda: token("me", nbf=AT // SECOND + 1), "yet"),
        (lambda: token("me", exp="soon"), "numbers"),
        (lambda: token("me")[:-2], "not a token"),
        (lambda: "x.y.z", "not a token"),
        (lambda: "a" * 9_000, "characters"),
        (lambda: jwt.encode(CLAIMS, "another secret, also long enough here", algorithm="HS256"), "not a token"),
        (lambda: jwt.encode(CLAIMS, "", algorithm="none"), "not a token"),
        (lambda: jwt.encode(CLAIMS, SECRET + "-" * 40, algorithm="HS512"), "not a token"),
    ],
)  # fmt: skip
def test_a_bad_token_vouches_for_nobody(shared: Served, made: Any, why: str) -> None:
    answer = batch(shared, [{"type": "identify", "userId": "me", "anonymousId": "mine"}], X_User_Token=made())
    assert answer["refused"][0]["code"] == "bad-user-token"
    assert why in answer["refused"][0]["message"]
    # Nor is it taken as if it had come without one.
    assert batch(shared, [{"type": "page", "anonymousId": "mine"}], X_User_Token=made())["rejected"] == 1


def test_a_known_customers_browser_tells_no_traits(served: Served, tmp_path: Path) -> None:
    """What the engine knows counts: the door asks it."""
    start(served)
    assert (
        batch(served, [{"type": "identify", "anonymousId": "victims-browser", "traits": {"plan": "x"}}])["accepted"]
        == 1
    )
    copy = _after(served.home, tmp_path / "copy").home
    with reopened(copy, served.keys, clock=served.clock) as again:
        told = batch(again, [{"type": "identify", "anonymousId": "victims-browser", "traits": {"plan": "free"}}])
        assert told["refused"][0]["code"] == "needs-user-token"
        assert (
            batch(
                again,
                [
                    {
                        "type": "track",
                        "event": "Seen",
                        "anonymousId": "victims-browser",
                        "context": {"traits": {"plan": "free"}},
                    }
                ],
            )["accepted"]
            == 1
        )
        assert again.last().traits == {}
        free = {"type": "identify", "anonymousId": "nobodys-browser", "traits": {"plan": "free"}}
        assert batch(again, [free])["accepted"] == 1
        assert again.last().traits == {"plan": "free"}


def test_a18_a_journey_says_whose_word_begins_it(served: Served, tmp_path: Path) -> None:
    """Thirty: three events, five ways to send them, twice each."""
    may = {"Paid": {"server"}, "Asked": {"server", "user"}, "Looked": {"public", "claiming", "lying", "server", "user"}}
    expected = set()
    for event, trusted in may.items():
        for by in ("public", "claiming", "lying", "user", "server"):
            for number in (1, 2):
                who = f"{event}-{by}-{number}"
                said: dict[str, Any] = {"type": "track", "event": event, "anonymousId": who}
                if by == "lying":
                    said |= {"trust": "server", "context": {"trust": "user"}, "extra": {"trust": "user"}}
                elif by != "public":
                    said["userId"] = f"user of {who}"
                headers = {"X_User_Token": token(f"user of {who}")} if by == "user" else {}
                told = batch(served, [said], source="shop" if by == "server" else "web", **headers)
                assert told["accepted"] == 1
                expected |= {who} if by in trusted else set()
    lines = _after(served.home, tmp_path / "copy").log_lines()
    begun = {identifier.partition(":")[2] for _, identifier, _, name, *_ in lines if name == "Journey Entered"}
    assert {who.removeprefix("user of ") for who in begun} == expected


def test_a20_a_flood_of_browsers_joins_nobody(served: Served, tmp_path: Path) -> None:
    """One user id and many browsers, one browser and many user ids: without tokens nothing is joined at all; with one,
    the fan-in cap of the workspace holds."""
    many = [{"type": "track", "event": "Seen", "userId": VICTIM, "anonymousId": f"b{n}"} for n in range(2_000)]
    users = [{"type": "track", "event": "Seen", "userId": f"u{n}", "anonymousId": BROWSER} for n in range(2_000)]
    assert batch(served, many)["accepted"] == batch(served, users)["accepted"] == 2_000
    mine = token("me")
    signed = [{"type": "identify", "userId": "me", "anonymousId": f"m{n}"} for n in range(150)]
    assert batch(served, signed, X_User_Token=mine)["accepted"] == 150
    after = _after(served.home, tmp_path / "copy")
    me = after.cli("profile", "show", "me")["identifiers"]
    assert len([each for each in me if "anonymous_id" in json.dumps(each)]) <= 100
    assert after.shell("profile", "show", VICTIM).returncode != 0, "nobody has heard of them"


def test_a21_nobody_uses_up_the_message_ids_of_others(served: Served) -> None:
    ids = [f"order-{number}" for number in range(20)]
    poison = [{"type": "track", "event": "Paid", "anonymousId": BROWSER, "messageId": id} for id in ids]
    poison += [one | {"messageId": f"user:me:{one['messageId']}"} for one in poison]
    assert batch(served, poison)["accepted"] == 40
    true = [{"type": "track", "event": "Paid", "userId": "me", "messageId": id} for id in ids]
    assert batch(served, true, source="shop")["accepted"] == 20
    assert batch(served, true, source="shop")["duplicates"] == 20
    # An unsigned event cannot take the form of a signed one's id.
    assert batch(served, true, X_User_Token=token("me"))["accepted"] == 20
