"""The SDKs of browsers, in jsdom and in a real Chromium: a stranger, a login, another one, a log-out.

Who somebody is, is what these SDKs remember, so the expectation follows a little machine of its own: the user, their
traits, and the browser's id, of which only the SDK knows the value.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Final

import pytest
from clients.browsing import PATH, REFERRER, RUDDER, SEARCH, SEGMENT, TITLE, in_chromium, in_jsdom
from clients.gate import Gate, Passed, gate
from clients.harness import INSTANT, UUID, Call, Like, Played, Running, eventually, instant_in, text_like
from clients.repertoire import PROPERTIES
from clients.sdks import versions

from innkeeper.events.parse import NAMES

if TYPE_CHECKING:
    from playwright.sync_api import Browser

CAMPAIGN: Final = {"source": "newsletter", "medium": "email", "name": "Nov é"}
_MESSAGE_IDS: Final = {SEGMENT: rf"ajs-next-\d{{13}}-{UUID}", RUDDER: UUID}
_OBJECT: Final = Like("an object", lambda value: isinstance(value, dict))
_NUMBER: Final = Like("a number", lambda value: isinstance(value, int))
_TEXT: Final = text_like(r"(?s).+")


def _calls(me: str, package: str) -> list[Call]:
    told: list[Call] = [
        {"do": "page", "name": "Home", "category": "Docs", "properties": {"shelf": 1}},
        {"do": "page"},
        {"do": "track", "event": "Product Viewed", "properties": PROPERTIES},
        {"do": "identify", "traits": {"visits": 1}},
        {"do": "identify", "userId": f"{me}-ana", "traits": {"first_name": "Åna", "address": {"city": "São Paulo"}}},
        {"do": "track", "event": "Order Completed"},
        {"do": "screen", "name": "Inbox", "category": "App", "properties": {"unread": 2}},
        {"do": "group", "groupId": f"{me}-acme", "traits": {"name": "Acmé", "seats": 12}},
        {
            "do": "track", "event": "Order Shipped", "properties": {"n": 1},
            "options": {"integrations": {"Mail": False}, "context": {"coupon": "x"}},
        },
        {"do": "identify", "userId": f"{me}-bob", "traits": {"plan": "free"}},
        {"do": "alias", "userId": f"{me}-bobby"},
        {"do": "reset"},
        {"do": "track", "event": "Visited"},
        {"do": "alias", "userId": f"{me}-late"},
    ]  # fmt: skip
    return [call for call in told if package == SEGMENT or call["do"] != "screen"]


class Remembered:
    """What an SDK remembers of its user, and so what it says of each call."""

    def __init__(self, package: str) -> None:
        self.package = package
        self.user: str | None = None
        self.traits: dict[str, Any] = {}
        self.session_begins = True

    def event(self, call: Call, anonymous: str) -> dict[str, Any]:
        """The fields of the event of a call that depend on it and on what was before."""
        kind, user, extra = call["do"], self.user, {}
        if kind == "identify":
            # Who somebody says they are later, they were before; somebody else is somebody else.
            same = self.user is None or "userId" not in call
            kept = self.traits if same else {}
            self.session_begins |= not same
            self.user, self.traits = call.get("userId", self.user), {**kept, **call["traits"]}
            user = self.user
        elif kind == "group":
            extra = {"groupId": call["groupId"], "traits": call["traits"]}
        elif kind == "alias":
            extra = {"previousId": self.user or anonymous}
            # Segment's SDK goes on to say who the user is now, also here.
            user = (self.user if self.package == SEGMENT else None) or call["userId"]
        traits = self.traits if kind == "identify" or self.package == RUDDER else {}
        return {"userId": user, "anonymousId": anonymous, "traits": traits, "extra": extra}

    def reset(self) -> None:
        """Log out."""
        self.user, self.traits, self.session_begins = None, {}, True


def _segment(remembered: Remembered, page: dict[str, Any]) -> dict[str, Any]:
    library = {"name": "analytics.js", "version": f"next-{versions()[SEGMENT]}"}
    context = {
        "page": page, "userAgent": _TEXT, "locale": "en-US", "timezone": "Europe/Lisbon", "library": library,
        "campaign": CAMPAIGN,
    }  # fmt: skip
    bundled = {"bundled": ["Segment.io"], "unbundled": [], "bundledIds": []}
    return {"context": context, "extra": {"integrations": {}, "sentAt": INSTANT, "_metadata": bundled}}


def _rudder(remembered: Remembered, page: dict[str, Any]) -> dict[str, Any]:
    library = {"name": "RudderLabs JavaScript SDK", "version": versions()[RUDDER]}
    context = {
        "page": page, "userAgent": _TEXT, "locale": "en-US", "timezone": "GMT+0000", "campaign": CAMPAIGN,
        "library": library | {"variant": "bundled"},
        "app": library | {"namespace": "com.rudderlabs.javascript", "installType": "npm"},
        "os": _OBJECT, "screen": _OBJECT, "sessionId": _NUMBER, "traits": remembered.traits,
    }  # fmt: skip
    if remembered.session_begins:
        context["sessionStart"] = True
    remembered.session_begins = False
    return {"context": context, "extra": {"channel": "web", "integrations": {"All": True}, "sentAt": INSTANT}}


def _page(package: str, pages: str) -> dict[str, Any]:
    page = {"path": PATH, "referrer": REFERRER, "search": SEARCH, "title": TITLE, "url": pages + PATH + SEARCH}
    if package == SEGMENT:
        return page
    first = {"initial_referrer": REFERRER, "initial_referring_domain": "search.example"}
    return page | first | {"referring_domain": "search.example", "tab_url": page["url"]}


def _expected(package: str, me: str, page: dict[str, Any], calls: list[Call], played: Played) -> list[dict[str, Any]]:
    """The events of the calls."""
    remembered, events = Remembered(package), []
    for call, span, anonymous in zip(calls, played.spans, played.answers, strict=True):
        if call["do"] == "reset":
            remembered.reset()
            continue
        said = remembered.event(call, anonymous)
        adds = (_segment if package == SEGMENT else _rudder)(remembered, page)
        properties = (page if call["do"] == "page" else {}) | call.get("properties", {})
        options = call.get("options", {})
        integrations = {"integrations": options["integrations"]} if "integrations" in options else {}
        wanted = said | {
            "source": me, "messageId": text_like(_MESSAGE_IDS[package]), "type": call["do"],
            "event": call.get("event") or NAMES[call["do"]], "timestamp": instant_in(*span), "retracted": False,
            "properties": properties | {key: call[key] for key in ("name", "category") if key in call},
            "context": adds["context"] | options.get("context", {}),
            "extra": adds["extra"] | said["extra"] | integrations,
        }  # fmt: skip
        if package == RUDDER:
            # It leaves out what is null.
            wanted["properties"].pop("coupon", None)
        events.append(wanted)
    return events


def _opened(
    request: pytest.FixtureRequest, where: str, pages: str, package: str, **setting: Any
) -> AbstractContextManager[Played]:
    if where == "jsdom":
        return in_jsdom(pages, package, **setting)
    return in_chromium(request.getfixturevalue("browser"), pages, package, **setting)


@pytest.mark.parametrize("where", ["jsdom", "chromium"])
@pytest.mark.parametrize("package", [SEGMENT, RUDDER])
def test_all_that_a_page_says_is_in_the_log(
    request: pytest.FixtureRequest, running: Running, pages: str, where: str, package: str
) -> None:
    me, key = running.source()
    calls = _calls(me, package)
    with _opened(request, where, pages, package, calls=calls, url=running.url, key=key) as played:
        wanted = _expected(package, me, _page(package, pages), calls, played)
        eventually(lambda: len(running.events(me)), len(wanted))
    events = sorted(running.events(me), key=lambda event: event["timestamp"])
    for event, expected in zip(events, wanted, strict=True):
        if (where, package) == ("chromium", SEGMENT):
            expected["context"]["userAgentData"] = _OBJECT
        assert event == expected | {"seq": event["seq"], "receivedAt": INSTANT}
    assert len({event["messageId"] for event in events}) == len(events)
    people = _people(package, me, played)
    eventually(lambda: {who: running.identifiers(who) for who in people}, people)


def _people(package: str, me: str, played: Played) -> dict[str, list[str]]:
    """By what each of them is known.

    Segment's SDK gives a browser a new id when somebody else logs in and when they log out; RudderStack's does not, so
    there all share the browser, one after the other.
    """
    ana, bob, late = f"{me}-ana", f"{me}-bob", f"{me}-late"
    first, second, last = played.answers[0], played.answers[-5], played.answers[-1]
    assert len({first, second, last}) == (3 if package == SEGMENT else 1)
    aliases = [f"anonymous_id:{bob}", f"user_id:{bob}by"] if package == RUDDER else []
    return {
        ana: [f"anonymous_id:{first}", f"user_id:{ana}"],
        bob: sorted([f"anonymous_id:{second}", f"user_id:{bob}", *aliases]),
        late: [f"anonymous_id:{last}", f"user_id:{late}"],
    }


#: How else the SDKs can be told to send, and the address that they then call.
WAYS: Final = {
    "one by one": (SEGMENT, {}, "/v1/t"),
    "in batches": (
        SEGMENT,
        {"integrations": {"Segment.io": {"deliveryStrategy": {"strategy": "batching", "config": {"timeout": 100}}}}},
        "/v1/b",
    ),
    "one at a time": (RUDDER, {}, "/v1/track"),
    "many at a time": (RUDDER, {"queueOptions": {"batch": {"enabled": True, "flushInterval": 100}}}, "/v1/batch"),
}  # fmt: skip


@pytest.mark.parametrize("way", WAYS)
def test_what_a_page_sends_again_is_in_the_log_once(running: Running, browser: Browser, pages: str, way: str) -> None:
    """Requests fly side by side, so who of them is refused, and in what order they end, is theirs."""
    package, options, address = WAYS[way]
    me, key = running.source()
    calls = [{"do": "track", "event": "Tick", "properties": {"n": n}} for n in range(3)]
    with gate(running.url, faults=["busy", "lost"]) as found:

        def acknowledged() -> set[bytes]:
            return {name for request in _sent(found) if request.status == 200 for name in request.message_ids}

        url = f"http://127.0.0.1:{found.port}"
        with in_chromium(browser, pages, package, calls=calls, url=url, key=key, options=options):
            eventually(lambda: len(acknowledged()), 3)
        events = running.events(me)
        assert sorted(event["messageId"].encode() for event in events) == sorted(acknowledged())
    assert sorted(event["properties"]["n"] for event in events) == [0, 1, 2]
    assert {request.path for request in _sent(found)} == {address}
    assert sorted(request.status for request in _sent(found) if request.status != 200) == [429, 503]


def _sent(found: Gate) -> list[Passed]:
    return [request for request in found.passed if request.method == "POST"]
