"""What the SDKs of Segment's kind are made to say, and the events that have to be in the log afterwards.

A call names the method and its arguments; a date is `{"$date": …}`, which a driver hands to its SDK as a real date.
`expected` computes the event from the call alone. What an SDK adds of its own is said in `sdks.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from clients.harness import Call, Like

from innkeeper.events.parse import NAMES
from innkeeper.kernel.time import format_instant, parse_instant

#: Every kind of JSON value, and texts of several scripts.
PROPERTIES: Final[dict[str, Any]] = {
    "total": 9.5, "count": 3, "large": 9007199254740991, "negative": -0.25, "gift": True, "paid": False, "coupon": None,
    "empty": "", "nothing": {}, "none": [], "title": "Grüße, 世界 🛏️ «ναι»", 'quo"ted\\': "a\nb\tc</script>",
    "products": [{"product_id": "p1", "price": 4.75, "tags": ["a", "b"]}, {"product_id": "p2", "deep": {"er": [[1]]}}],
}  # fmt: skip
_WHEN: Final = "2026-11-20T09:30:00.123Z"
CONTEXT: Final = {
    "ip": "203.0.113.7", "locale": "pt-PT", "campaign": {"source": "newsletter", "name": "Nov é"},
    "page": {"url": "https://shop.example/a?b=ç", "path": "/a"},
}  # fmt: skip


def repertoire(me: str) -> list[Call]:
    """Every method with few and with all arguments: a stranger who logs in, a second one who does not, a group, an
    alias, the same message twice, more events than one request takes. Who is meant begins with *me*."""
    ana, browser, stranger = f"{me}-ana", f"{me}-browser", f"{me}-stranger"
    told: list[Call] = [
        {"do": "page", "anonymousId": browser, "name": "Home", "category": "Docs", "properties": {"title": "Grüße"}},
        {"do": "page", "anonymousId": browser, "properties": {"path": "/plain"}},
        {"do": "track", "anonymousId": browser, "event": "Product Viewed", "properties": PROPERTIES},
        {"do": "track", "anonymousId": stranger, "event": "Product Viewed"},
        {
            "do": "identify", "anonymousId": browser, "userId": ana,
            "traits": {"email": f"{me}@example.com", "first_name": "Åna", "address": {"city": "São Paulo"},
                       "born": {"$date": "1990-05-17T00:00:00.000Z"}},
        },
        {"do": "flush"},
        {"do": "track", "userId": ana, "anonymousId": browser, "event": "Order Completed", "properties": PROPERTIES},
        {
            "do": "track", "userId": ana, "event": "Order Shipped", "properties": {"at": {"$date": _WHEN}},
            "timestamp": {"$date": _WHEN}, "context": CONTEXT, "integrations": {"All": False, "Mail": True},
        },
        {"do": "screen", "userId": ana, "name": "Inbox", "category": "App", "properties": {"unread": 2}},
        {"do": "identify", "userId": ana, "traits": {"plan": "pro"}, "timestamp": {"$date": _WHEN}},
        {"do": "group", "userId": ana, "groupId": f"{me}-acme", "traits": {"name": "Acmé", "seats": 12}},
        {"do": "alias", "userId": ana, "previousId": f"{me}-old"},
        *[{"do": "track", "userId": f"{me}-{n}", "event": "Tick", "properties": {"n": n}} for n in range(60)],
        *[{"do": "track", "userId": ana, "event": "Once", "messageId": f"{me}-1", "timestamp": {"$date": _WHEN}}] * 2,
        {"do": "flush"},
    ]  # fmt: skip
    # By its place each event is found again: requests that are on their way together arrive in any order.
    return [{**call, "context": {**call.get("context", {}), "place": place}} for place, call in enumerate(told)]


@dataclass(frozen=True, slots=True)
class Adds:
    """What an SDK puts into an event beside what it was told."""

    context: dict[str, Any]
    extra: dict[str, Any]


def expected(call: Call, adds: Adds, *, source: str, timestamp: Like, message_id: Like) -> dict[str, Any]:
    """The event that a call makes, whose dates are as the SDK writes them."""
    kind = call["do"]
    context = dict(call["context"])
    if "ip" in context:
        context["ip"] = "203.0.113.0"
    properties = dict(call.get("properties", {}))
    if kind in ("page", "screen"):
        properties |= {key: call[key] for key in ("name", "category") if key in call}
    traits = call.get("traits", {})
    extra: dict[str, Any] = {"integrations": call["integrations"]} if "integrations" in call else {}
    if kind == "group":
        extra |= {"groupId": call["groupId"], "traits": traits}
        traits = {}
    if kind == "alias":
        extra["previousId"] = call["previousId"]
    return {
        "source": source, "messageId": call.get("messageId", message_id), "type": kind,
        "event": call["event"] if kind == "track" else NAMES[kind],
        "userId": call.get("userId"), "anonymousId": call.get("anonymousId"),
        "timestamp": format_instant(parse_instant(call["timestamp"])) if "timestamp" in call else timestamp,
        "properties": properties, "traits": traits, "context": context | adds.context, "extra": adds.extra | extra,
        "retracted": False,
    }  # fmt: skip


def dated(value: Any, date: Callable[[str], str]) -> Any:
    """A value with its dates as an SDK writes them into JSON."""
    if isinstance(value, dict):
        return date(value["$date"]) if "$date" in value else {key: dated(each, date) for key, each in value.items()}
    return [dated(each, date) for each in value] if isinstance(value, list) else value
