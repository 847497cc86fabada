"""Subscriptions, webhooks, user tokens and passwords over the API: as the commands do it, in the audit, once."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.api import MAPPING
from support.door import Served, opened
from support.logging_in import PASSWORD, Page, hotel, logged_in
from support.receiver import receiving

from innkeeper.runtime import sources, subscriptions

OUTPUTS = {"events": ["Audience Entered"]}


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    with opened(tmp_path) as found:
        yield found


def test_a_subscription_lives_over_the_api(served: Served) -> None:
    with receiving() as receiver:
        body = OUTPUTS | {"name": "crm", "url": receiver.url, "allow_private": True}
        made = served.ask("POST", "/subscriptions", body)
        assert (made.status, made.json["secret"][:6]) == (201, "whsec_")
        assert served.ask("POST", "/subscriptions", body).json["code"] == "subscription-exists"
        assert served.ask("POST", "/subscriptions/crm/test").json == {
            "subscription": "crm",
            "taken": True,
            "reason": "",
        }
        assert len(receiver.taken) == 1
    assert not served.ask("POST", "/subscriptions/crm/test").json["taken"]
    assert served.ask("POST", "/subscriptions/crm/pause").json["state"] == "paused"
    assert subscriptions.show(served.home, "crm")["state"] == "paused"
    assert served.ask("POST", "/subscriptions/crm/resume").json["state"] == "active"
    assert served.ask("POST", "/subscriptions/crm/redeliver", {}).json == {"subscription": "crm", "again": 0}
    again = served.ask("POST", "/subscriptions/crm/redeliver", {"since": "2026-01-01T00:00:00Z"})
    assert (again.status, again.json["from"]) == (200, "2026-01-01T00:00:00Z")
    assert served.ask("GET", "/subscriptions/crm/failures").json == {"failures": []}
    other = served.ask("POST", "/subscriptions/crm/rotate-secret?grace_days=0").json["secret"]
    assert other != made.json["secret"]
    shown = served.ask("GET", "/subscriptions/crm").json
    assert served.ask("GET", "/subscriptions").json == {"subscriptions": [shown]}
    assert "secret" not in json.dumps(shown)
    assert served.ask("DELETE", "/subscriptions/crm").json == {"removed": "crm"}
    assert served.ask("GET", "/subscriptions/crm").status == 404


def test_a_receiver_in_a_private_network_has_to_be_allowed(served: Served) -> None:
    told = served.ask("POST", "/subscriptions", OUTPUTS | {"name": "crm", "url": "http://127.0.0.1:1099/"})
    assert (told.status, told.json["code"]) == (422, "address-refused")
    assert subscriptions.listing(served.home) == []


def test_its_secret_is_told_once(served: Served) -> None:
    body = OUTPUTS | {"name": "crm", "url": "http://127.0.0.1:1099/", "allow_private": True}
    assert served.ask("POST", "/subscriptions", body, Idempotency_Key="k").status == 201
    again = served.ask("POST", "/subscriptions", body, Idempotency_Key="k")
    assert (again.status, again.json["code"]) == (409, "answered-once")


def test_webhooks_are_declared_tried_and_ended(served: Served) -> None:
    payload = {"body": '{"who":"c1","at":"2026-11-25T11:00:00Z"}'}
    assert served.ask("POST", "/sources/shop/test", payload).json["code"] == "no-webhook"
    drafted = served.ask("POST", "/sources/shop/test", payload | {"mapping": MAPPING}).json
    assert [(each["event"], each["userId"]) for each in drafted["events"]] == [("Happened", "c1")]
    made = served.ask("POST", "/sources/shop/webhook", {"scheme": "address", "mapping": MAPPING}).json
    assert made["shown_once"]
    before = len(served.events())
    assert served.call("POST", made["path"], payload["body"].encode()).status == 200
    assert [each.name for each in served.events()[before:]] == ["Happened"]
    assert served.ask("POST", "/sources/shop/test", payload).json["events"][0]["event"] == "Happened"
    assert len(served.events()) == before + 1
    wrong = served.ask("POST", "/sources/shop/webhook", {"scheme": "address", "mapping": "evnt: x\n", "file": "m.yaml"})
    assert (wrong.status, wrong.json["code"]) == (422, "invalid")
    assert wrong.json["errors"][0]["file"] == "m.yaml"
    assert served.ask("DELETE", "/sources/shop/webhook").json == {"source": "shop", "scheme": None}
    assert served.call("POST", made["path"], payload["body"].encode()).status == 401


def test_an_unknown_scheme_is_refused_with_the_nearest(served: Served) -> None:
    told = served.ask("POST", "/sources/shop/webhook", {"scheme": "stipe", "mapping": MAPPING})
    assert 400 <= told.status < 500
    assert "stripe" in told.json["fix"]


def test_user_tokens_are_declared_and_ended(served: Served) -> None:
    for body in ({}, {"rs256": "x", "hs256_env": "X"}):
        assert served.ask("POST", "/sources/web/user-tokens", body).json["code"] == "bad-signing"
    assert served.ask("POST", "/sources/web/user-tokens", {"rs256": "no key"}).json["code"] == "bad-public-key"
    told = served.ask("POST", "/sources/web/user-tokens", {"hs256_env": "SECRET"}).json
    assert told == {"source": "web", "user_tokens": "HS256"}
    assert sources.show(served.home, "web", served.clock)["user_tokens"] == "HS256"
    assert served.ask("DELETE", "/sources/web/user-tokens").json == {"source": "web", "user_tokens": None}
    assert sources.show(served.home, "web", served.clock)["user_tokens"] is None


def test_an_owner_gives_a_password_and_it_is_kept_nowhere(tmp_path: Path) -> None:
    given = "another five words of sense"
    with hotel(tmp_path) as served:
        theirs, owner = logged_in(served, "cy"), logged_in(served)
        told = owner.ask("POST", "/users/cy/password", {"password": given})
        assert told.json == {"user": "cy", "sessions_ended": 1}
        assert theirs.ask("GET", "/session").status == 401
        assert Page(served).ask("POST", "/session", {"user": "cy", "password": PASSWORD}).status == 401
        assert Page(served).ask("POST", "/session", {"user": "cy", "password": given}).status == 200
        mine = owner.ask("POST", "/users/ana/password", {"password": given})
        assert (mine.status, mine.json["code"]) == (422, "own-password")
        assert owner.ask("POST", "/users/cy/password", {"password": "short"}).json["code"] == "weak-password"
        entries = [each["about"] for each in served.ask("GET", "/audit").json["entries"]]
        assert entries.count("/api/v1/users/cy/password") == 4
        assert served.ask("GET", "/audit/verify").json["holds"]
        for path in served.home.iterdir():
            assert not path.is_file() or given.encode() not in path.read_bytes()
