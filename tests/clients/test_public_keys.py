"""The SDKs of browsers with a public key, in a real Chromium: what it may say alone, and with a user's token."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jwt
import pytest
from clients.browsing import RUDDER, SEGMENT, in_chromium
from clients.harness import SECRET, Call, Running, eventually

if TYPE_CHECKING:
    from playwright.sync_api import Browser


def _calls(me: str) -> list[Call]:
    ana = f"{me}-ana"
    token = jwt.encode({"sub": ana, "aud": me, "exp": 2**40}, SECRET, algorithm="HS256")
    signed = {"options": {"context": {"userToken": token}}}
    return [
        {"do": "track", "event": "Looked"},
        {"do": "identify", "userId": ana, "traits": {"plan": "pro"}},
        {"do": "track", "event": "Claimed"},
        {"do": "group", "groupId": "acme", "traits": {}},
        {"do": "track", "event": "Consent Given", "properties": {"purpose": "news"}},
        {"do": "identify", "userId": ana, "traits": {"plan": "free"}, **signed},
        {"do": "track", "event": "Bought", **signed},
        {"do": "group", "groupId": "acme", "traits": {}, **signed},
        {"do": "track", "event": "Consent Given", "properties": {"purpose": "news"}, **signed},
        {"do": "track", "event": "Suppressed", **signed},
        {"do": "track", "event": "Left"},
    ]


@pytest.mark.parametrize("package", [SEGMENT, RUDDER])
def test_a_public_key_says_what_it_may(running: Running, browser: Browser, pages: str, package: str) -> None:
    me, key = running.source("public")
    ana = f"{me}-ana"
    with in_chromium(browser, pages, package, calls=_calls(me), url=running.url, key=key) as played:
        eventually(lambda: len(running.events(me)), 7)
    events = sorted(running.events(me), key=lambda event: event["timestamp"])
    told = [
        (event["event"], event["userId"], event["extra"].get("claimedUserId"), event["extra"]["trust"])
        for event in events
    ]
    assert told == [
        ("Looked", None, None, "public"), ("Claimed", None, ana, "public"), ("Identified", ana, None, "user"),
        ("Bought", ana, None, "user"), ("Grouped", ana, None, "user"), ("Consent Given", ana, None, "user"),
        ("Left", None, ana, "public"),
    ]  # fmt: skip
    assert {event["anonymousId"] for event in events} == set(played.answers)
    assert _of(events, "Identified")["traits"] == {"plan": "free"}
    assert "userToken" not in str(events)
    eventually(lambda: running.identifiers(ana), [f"anonymous_id:{played.answers[0]}", f"user_id:{ana}"])


def _of(events: list[dict[str, Any]], name: str) -> dict[str, Any]:
    return next(event for event in events if event["event"] == name)


def test_what_a_page_says_as_it_closes_is_in_the_log(running: Running, browser: Browser, pages: str) -> None:
    """RudderStack's SDK can be told to send with beacons, which have no headers: the key stands in the address."""
    me, key = running.source("public")
    calls = [{"do": "track", "event": "Looked", "properties": {"n": n}} for n in range(3)]
    with in_chromium(browser, pages, RUDDER, calls=calls, url=running.url, key=key, options={"useBeacon": True}):
        pass
    eventually(lambda: sorted(event["properties"]["n"] for event in running.events(me)), [0, 1, 2])
