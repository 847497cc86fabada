"""Webhooks over HTTP: the recipes field by field, and what becomes of what is forged, sent again, or broken."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from support.door import NOW, Answer, Served, opened, reopened
from support.webhooks import CERTIFICATE, SECRET, SENDERS, TOPIC, URL, Sent, amazon, notification, sns
from support.workspace import Workspace, message

from innkeeper.events.signatures import SCHEMES
from innkeeper.events.types import Event
from innkeeper.kernel.errors import OperationFailed
from innkeeper.kernel.time import SECOND, FixedClock, format_instant, parse_instant
from innkeeper.runtime import sources, webhooks

ROOT = Path(__file__).resolve().parents[2]
RECIPES = ROOT / "examples" / "webhooks"
AT = parse_instant(NOW) // SECOND
#: One event about somebody, with what a webhook's mapping has besides.
PLAIN = "event: { value: Happened }\nuserId: who\ntimestamp: at\nproperties: { number: number }\n"
BODY = {"who": "c1", "at": "2026-11-25T11:00:00Z", "number": 7}


def declare(home: Path, scheme: str, mapping: str | Path, name: str = "shop") -> dict[str, Any]:
    """Declare a source's webhooks; the secret is in SHOP_SECRET."""
    file = mapping if isinstance(mapping, Path) else home / "mapping.yaml"
    if isinstance(mapping, str):
        file.write_text(mapping)
    needs = SCHEMES[scheme].needs
    wish = webhooks.Wish(
        scheme=scheme, mapping=webhooks.read_mapping(file), secret_env="SHOP_SECRET" if "secret" in needs else None,
        url=URL if "url" in needs else None, topic=TOPIC if "topic" in needs else None,
    )  # fmt: skip
    return webhooks.declare(home, name, wish)


def post(served: Served, request: Sent, path: str = "/v1/webhooks/shop") -> Answer:
    query = f"?{urlencode(request.query)}" if request.query else ""
    return served.call("POST", path + query, request.body, request.headers)


def send(served: Served, scheme: str, body: object, *, at: int = AT, secret: str = SECRET) -> Answer:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return post(served, SENDERS[scheme](raw, at, secret))


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    monkeypatch.setenv("SHOP_SECRET", SECRET)
    with opened(tmp_path) as found:
        yield found


def told(event: Event) -> dict[str, Any]:
    """Every field that a mapping can fill."""
    found = {
        "source": event.source, "type": event.type, "event": event.name, "messageId": event.message_id,
        "userId": event.user_id, "anonymousId": event.anonymous_id, "timestamp": format_instant(event.timestamp),
        "properties": event.properties, "traits": event.traits, "context": event.context, "extra": event.extra,
    }  # fmt: skip
    return {key: value for key, value in found.items() if value not in (None, {})}


MAIL = {"email": "jane@example.com"}
MEETING = "https://api.calendly.com/scheduled_events/EV1/invitees/IN1"
JANE = {"email": "Jane@example.com", "name": "Jane Doe", "timezone": "America/New_York"}
#: recipe: payload, headers besides the signature, and the events that must come of it.
EXPECTED: dict[str, tuple[str, dict[str, str], list[dict[str, Any]]]] = {
    "shopify": (
        "shopify-order.json",
        {"X-Shopify-Topic": "orders/create", "Content-Type": "application/json"},
        [
            {
                "type": "track", "event": "Order Completed", "messageId": "order-5208334008572-created",
                "userId": "shopify-7777777777", "timestamp": "2026-11-02T11:55:00Z",
                "properties": {
                    "order_id": "5208334008572", "number": 1042, "total": 64.9, "currency": "USD", "items": 2,
                    "products": [
                        {"sku": "LAMP-B", "name": "Lamp, brass", "quantity": 1, "price": 29.9},
                        {"sku": "BULB", "name": "Bulb", "quantity": 10, "price": 3.5},
                    ],
                },
            },
            {
                "type": "identify", "event": "Identified", "messageId": "order-5208334008572-customer",
                "userId": "shopify-7777777777", "timestamp": "2026-11-02T11:55:00Z",
                "traits": MAIL | {"first_name": "Jane", "last_name": "Doe", "country": "US"},
            },
        ],
    ),
    "stripe": (
        "stripe-invoice-paid.json",
        {"Content-Type": "application/json; charset=utf-8"},
        [
            {
                "type": "track", "event": "Invoice Paid", "messageId": "evt_1Q", "userId": "stripe-cus_9",
                "timestamp": "2026-11-02T11:58:00Z", "traits": MAIL, "context": {"traits": MAIL},
                "properties": {
                    "invoice_id": "in_1Q", "amount_cents": 1999, "amount": 19.99, "currency": "eur",
                    "reason": "subscription_cycle",
                },
            }
        ],
    ),
    "zendesk": (
        "zendesk-ticket-created.json",
        {"Content-Type": "application/json"},
        [
            {
                "type": "track", "event": "Ticket Opened", "messageId": "01JD-7", "userId": "zendesk-6596848315901",
                "timestamp": "2026-11-02T11:57:10Z",
                "properties": {
                    "ticket_id": "35436", "subject": "The lamp flickers", "priority": "high", "channel": "web",
                },
            }
        ],
    ),
    "hubspot": (
        "hubspot-contacts.json",
        {"Content-Type": "application/json"},
        [
            {
                "type": "track", "event": "Contact Created", "userId": "hubspot-65059681032",
                "messageId": "567890123-65059681032-1793620678741", "timestamp": "2026-11-02T11:57:58.741000Z",
                "properties": {"by": "CRM_UI"},
            },
            {
                "type": "identify", "event": "Identified", "userId": "hubspot-65059681032",
                "messageId": "567890124-65059681032-1793620679002", "timestamp": "2026-11-02T11:57:59.002000Z",
                "traits": MAIL,
            },
        ],
    ),
    "calendly": (
        "calendly-invitee-created.json",
        {"Content-Type": "application/json"},
        [
            {
                "type": "track", "event": "Meeting Booked", "messageId": f"invitee.created-{MEETING}",
                "userId": "jane@example.com", "timestamp": "2026-11-02T11:58:00Z",
                "properties": {"meeting_id": MEETING, "kind": "Site visit", "starts": "2026-12-02T15:00:00.000000Z"},
                "traits": JANE, "context": {"traits": JANE},
            }
        ],
    ),
    "twilio": (
        "twilio-call-completed.form",
        {},
        [
            {
                "type": "track", "event": "Call Ended", "messageId": "CA1f-completed", "timestamp": NOW,
                "anonymousId": "tel-+14158675310", "traits": {"phone": "+14158675310"},
                "context": {"traits": {"phone": "+14158675310"}},
                "properties": {"call_id": "CA1f", "status": "completed", "seconds": 185, "direction": "inbound"},
            }
        ],
    ),
}  # fmt: skip


def recipe(served: Served, name: str) -> Answer:
    """Send a recipe's payload, signed."""
    file, headers, _ = EXPECTED[name]
    raw = (RECIPES / "payloads" / file).read_bytes()
    if name == "twilio":
        # What is signed are the fields as they read, not as they are escaped.
        signed = SENDERS[name](raw.replace(b"%2B", b"+"), AT, SECRET)
        return post(served, Sent(raw, signed.headers))
    return post(served, SENDERS[name](raw, AT, SECRET).but(**headers))


@pytest.mark.parametrize("name", EXPECTED)
def test_a_recipe_field_by_field(served: Served, name: str) -> None:
    declare(served.home, name, RECIPES / f"{name}.yaml")
    expected = [{"source": "shop", **event} for event in EXPECTED[name][2]]
    assert recipe(served, name).json["accepted"] == len(expected)
    assert [told(event) for event in served.events()] == expected


def test_every_recipe_has_a_test() -> None:
    assert {path.stem for path in RECIPES.glob("*.yaml")} == set(EXPECTED)


def test_a_recipe_fills_objects(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An order of Shopify and a ticket of Zendesk, declared as objects, stand there after a run."""
    monkeypatch.setenv("SHOP_SECRET", SECRET)
    with opened(tmp_path) as served:
        declare(tmp_path, "shopify", RECIPES / "shopify.yaml")
        assert recipe(served, "shopify").status == 200
        declare(tmp_path, "zendesk", RECIPES / "zendesk.yaml")
        assert recipe(served, "zendesk").status == 200
    workspace = Workspace(tmp_path)
    strategy = (
        "name: test\nzone: UTC\nobjects:\n"
        "  order: {id: order_id, properties: [total], events: {Order Completed: completed, Order Shipped: shipped}}\n"
        "  ticket: {id: ticket_id, properties: [subject], events: {Ticket Opened: open, Ticket Solved: solved}}\n"
    )
    workspace.apply({"strategy.yaml": strategy})
    workspace.run(NOW)
    order = workspace.cli("object", "show", "order", "5208334008572")
    assert (order["status"], values(order)["total"]) == ("completed", 64.9)
    ticket = workspace.cli("object", "show", "ticket", "35436")
    assert (ticket["status"], values(ticket)["subject"]) == ("open", "The lamp flickers")


def values(thing: dict[str, Any]) -> dict[str, Any]:
    """The properties of an object."""
    return {each["name"]: each["value"] for each in thing["properties"]}


def test_what_is_forged_or_old_or_replayed_has_no_effect(served: Served) -> None:
    declare(served.home, "stripe", PLAIN)
    for answer, code in (
        (send(served, "stripe", BODY, secret="a-secret-of-somebody-else"), "bad-signature"),
        (send(served, "stripe", BODY, at=AT - 301), "too-old"),
        (send(served, "stripe", BODY, at=AT + 301), "too-old"),
        (post(served, Sent(json.dumps(BODY).encode())), "no-signature"),
        (send(served, "github", BODY), "no-signature"),
    ):
        assert (answer.status, answer.json["code"]) == (401, code)
    assert served.events() == []
    assert send(served, "stripe", BODY).json["accepted"] == 1
    assert (again := send(served, "stripe", BODY)).status == 401
    assert again.json["code"] == "replayed"
    # The sender's own second try is signed anew, and is a duplicate.
    assert send(served, "stripe", BODY, at=AT + 1).json["duplicates"] == 1
    assert len(served.events()) == 1
    for unknown in ("/v1/webhooks/web", "/v1/webhooks/nobody", "/v1/webhooks/nobody/key"):
        assert post(served, SENDERS["stripe"](b"{}", AT, SECRET), unknown).status == 401


def test_what_was_replayed_is_known_after_a_restart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_SECRET", SECRET)
    clock = FixedClock(parse_instant(NOW))
    mapping = "event: { value: Mail }\nuserId: event-data.who\nmessageId: event-data.id\n"
    for round_ in range(2):
        manager = opened(tmp_path, clock=clock) if round_ == 0 else reopened(tmp_path, {}, clock=clock)
        with manager as served:
            if round_ == 0:
                declare(tmp_path, "mailgun", mapping)
                assert send(served, "mailgun", {"who": "c1", "id": "1"}).status == 200
            # Mailgun signs no more than time and token: another body behind the same ones is a forgery.
            assert send(served, "mailgun", {"who": "c2", "id": "2"}).json["code"] == "replayed"
            clock.instant += SECOND
    clock.instant += 3_600 * SECOND
    with reopened(tmp_path, {}, clock=clock) as served:
        assert send(served, "mailgun", {"who": "c2", "id": "2"}).json["code"] == "too-old"
        assert [event.user_id for event in served.events()] == ["c1"]


def test_where_no_time_is_signed_a_copy_is_a_duplicate(served: Served) -> None:
    declare(served.home, "shopify", PLAIN)
    assert send(served, "shopify", BODY).json["accepted"] == 1
    assert send(served, "shopify", BODY).json["duplicates"] == 1
    # Equal entries of one request are two events; sent again, two duplicates.
    assert send(served, "shopify", [BODY | {"number": 8}] * 2).json["accepted"] == 2
    assert send(served, "shopify", [BODY | {"number": 8}] * 2).json["duplicates"] == 2


def test_bad_bodies_say_why(served: Served) -> None:
    declare(served.home, "shopify", PLAIN)
    deep = b'{"a":' * 30 + b"1" + b"}" * 30
    for body, status, code in (
        (b"", 400, "not-json"), (b"[1]", 400, "not-an-object"), (b'"text"', 400, "not-an-object"),
        (b'{"who":"c1","who":"c2"}', 400, "duplicate-key"), (b'{"number":NaN}', 400, "not-a-number"),
        (b'{"who":"\\ud800"}', 400, "lone-surrogate"), (deep, 400, "too-deep"), (b'{"who":"\xff"}', 400, "not-utf-8"),
        (b'{"who":"a\\u0000b","at":"2026-11-25T11:00:00Z"}', 400, "nul-character"),
        (b'{"who":"c1"}', 400, "no-timestamp"), (b'{"at":"2026-11-25T11:00:00Z"}', 400, "no-id"),
        (b'{"who":"c1","at":"2026-11-25T11:00:00"}', 400, "naive-time"), (b"x" * 600_000, 413, "too-large"),
        (b"\x1f\x8b\x08garbage", 400, "bad-compression"), (b"[" + b"{}," * 3_000 + b"{}]", 400, "too-many-events"),
    ):  # fmt: skip
        answer = send(served, "shopify", body)
        assert (answer.status, answer.json["code"]) == (status, code)
    assert served.events() == []
    # Of several, the good ones are taken and the others listed.
    answer = send(served, "shopify", [BODY, {"who": "c2"}])
    assert (answer.status, answer.json["accepted"], answer.json["refused"][0]["index"]) == (200, 1, 1)


def test_a_secret_that_is_missing_asks_the_sender_to_come_again(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    declare(served.home, "shopify", PLAIN)
    for value in ("", "short"):
        monkeypatch.setenv("SHOP_SECRET", value)
        answer = send(served, "shopify", BODY, secret=value)
        assert (answer.status, answer.json["code"]) == (503, "no-webhook-secret")
        assert served.door.debugger.last("shop")[-1].code == "no-webhook-secret"
    monkeypatch.setenv("SHOP_SECRET", f"the-next-secret-0123456 {SECRET}")
    assert send(served, "shopify", BODY).status == 200


def test_an_address_is_a_secret_whose_word_changes_nobody(served: Served) -> None:
    path = declare(served.home, "address", PLAIN)["path"]
    key = path.rpartition("/")[2]
    raw = Sent(json.dumps(BODY).encode())
    assert post(served, raw).status == post(served, raw, f"/v1/webhooks/shop/{key[:-1]}").status == 401
    assert post(served, raw, path).json["accepted"] == 1
    assert post(served, Sent(raw.body, {}, {"token": key})).json["duplicates"] == 1
    assert served.last().extra == {"trust": "public"}
    assert key.encode() not in (served.home / "sources.db").read_bytes()
    for mapping in (
        PLAIN.replace("Happened", "Suppressed"), PLAIN.replace("Happened", "Consent Given"),
        PLAIN + "context: { traits: { email: who } }\n", PLAIN + "type: identify\n",
    ):  # fmt: skip
        path = declare(served.home, "address", mapping)["path"]
        assert post(served, raw, path).json["code"] == "not-signed"
        declare(served.home, "github", mapping)
        assert send(served, "github", BODY | {"number": len(mapping)}).status == 200
    assert "trust" not in served.last().extra


def test_sns_confirms_and_brings_news(tmp_path: Path) -> None:
    fetched: list[str] = []

    def get(url: str) -> bytes:
        fetched.append(url)
        return amazon()[1] if url == CERTIFICATE else b"<ok/>"

    mapping = "event: { value: Mail Delivered }\nuserId: Message.mail.to\nmessageId: MessageId\ntimestamp: Timestamp\n"
    with opened(tmp_path, get=get) as served:
        declare(tmp_path, "sns", mapping)
        hello = notification(b"hello", AT, Type="SubscriptionConfirmation", Token="t", SubscribeURL="https://x.example")
        assert post(served, sns(hello | {"TopicArn": TOPIC + "x"})).status == 401
        assert fetched == []
        assert post(served, sns(hello)).status == 200
        assert [url.partition("?")[0] for url in fetched] == [CERTIFICATE, "https://sns.eu-west-1.amazonaws.com/"]
        assert send(served, "sns", {"mail": {"to": "c1"}}).json["accepted"] == 1
        assert send(served, "sns", {"mail": {"to": "c1"}}).json["code"] == "replayed"
        assert (served.last().name, served.last().user_id, len(fetched)) == ("Mail Delivered", "c1", 2)


def test_sns_cannot_be_made_to_fetch_without_end(tmp_path: Path) -> None:
    fetched: list[str] = []

    def get(url: str) -> bytes:
        fetched.append(url)
        raise OperationFailed("nothing there", code="not-fetched")

    with opened(tmp_path, get=get) as served:
        declare(tmp_path, "sns", "event: { value: E }\nuserId: MessageId\nmessageId: MessageId\n")
        for number in range(15):
            url = CERTIFICATE.replace("abc", str(number))
            assert post(served, sns(notification(b"{}", AT, SigningCertURL=url))).status == 503
        assert len(fetched) == 10


def test_slack_is_greeted(served: Served) -> None:
    declare(served.home, "slack", "event: { value: E }\nuserId: event.user\nmessageId: event_id\n")
    answer = send(served, "slack", {"type": "url_verification", "challenge": "abc", "token": "x"})
    assert (answer.status, answer.text) == (200, b"abc")
    assert send(served, "slack", {"event": {"user": "U1"}, "event_id": "Ev1"}).json["accepted"] == 1
    assert [event.user_id for event in served.events()] == ["U1"]


def test_a_sender_who_asks_first_hears_its_challenge(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    file = served.home / "mapping.yaml"
    file.write_text(PLAIN)
    wish = webhooks.Wish(
        scheme="github", mapping=webhooks.read_mapping(file), secret_env="SHOP_SECRET", verify_env="SHOP_TOKEN"
    )
    webhooks.declare(served.home, "shop", wish)
    token = "a-token-of-our-choice"
    right = {"hub.mode": "subscribe", "hub.verify_token": token, "hub.challenge": "1158201444"}

    def asked(query: dict[str, str], name: str = "shop") -> Answer:
        return served.call("GET", f"/v1/webhooks/{name}?{urlencode(query)}")

    assert asked(right).json["code"] == "no-webhook-secret"
    monkeypatch.setenv("SHOP_TOKEN", f"{token} the-one-that-comes-next")
    for each in (token, "the-one-that-comes-next"):
        answer = asked(right | {"hub.verify_token": each})
        assert (answer.status, answer.text) == (200, b"1158201444")
        assert answer.headers["content-type"].startswith("text/plain")
    wrong: list[dict[str, str]]
    wrong = [{"hub.verify_token": each} for each in ("", "a", token[:-1], f"{token} ", "\u00fc", "SHOP_TOKEN", SECRET)]
    wrong += [{"hub.mode": "unsubscribe"}, {"hub.mode": ""}]
    wrong += [{"hub.challenge": each} for each in ("", "<b>", "a b", "x" * 201, "1\n2", "\u0661")]
    for change in wrong:
        refused = asked(right | change)
        assert (refused.status, refused.json["code"]) == (403, "bad-challenge"), change
        assert b"1158201444" not in refused.text
        assert b"<b>" not in refused.text
    assert asked({}).status == 403
    assert asked(right, "web").status == asked(right, "nothing").status == 404
    declare(served.home, "github", PLAIN)
    assert asked(right).status == 404
    assert send(served, "github", BODY).json["accepted"] == 1


def test_what_became_of_them_is_shown(served: Served) -> None:
    declare(served.home, "shopify", PLAIN + "where: number > 3\n")
    for body in (BODY, BODY, BODY | {"number": 1}, {"number": 9}):
        send(served, "shopify", body)
    send(served, "shopify", BODY, secret="a-secret-of-somebody-else")
    seen = served.call("GET", "/v1/sources/shop/debug", b"", {"Authorization": f"Bearer {served.key()}"}).json["events"]
    became = ["accepted", "duplicate", "ignored", "refused", "refused"]
    assert [each["became"] for each in seen] == became
    assert [each.get("code") for each in seen[3:]] == ["no-timestamp", "bad-signature"]
    served.door.keep_counts()
    shown = sources.show(served.home, "shop", served.clock)
    assert (shown["accepted"], shown["duplicates"], shown["ignored"], shown["refused"]) == (1, 1, 1, 2)
    assert shown["webhook"]["scheme"] == "shopify"


def test_a_mapping_that_is_declared_meanwhile_holds_at_once(served: Served) -> None:
    declare(served.home, "shopify", PLAIN)
    assert send(served, "shopify", BODY).status == 200
    declare(served.home, "github", PLAIN.replace("Happened", "Happened Again"))
    assert send(served, "shopify", BODY).status == 401
    assert send(served, "github", BODY).json["accepted"] == 1
    webhooks.withdraw(served.home, "shop")
    assert send(served, "github", BODY).status == 401
    assert [event.name for event in served.events()] == ["Happened", "Happened Again"]


def test_a_journey_that_trusts_servers_begins_with_what_is_signed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOP_SECRET", SECRET)
    mapping = PLAIN.replace("Happened", "Paid")
    with opened(tmp_path) as served:
        path = declare(tmp_path, "address", mapping)["path"]
        assert post(served, Sent(json.dumps(BODY | {"who": "guessed"}).encode()), path).status == 200
        declare(tmp_path, "stripe", mapping)
        assert send(served, "stripe", BODY | {"who": "signed"}).status == 200
    workspace = Workspace(tmp_path)
    journey = "enter: {event: Paid, trust: server}\nsteps:\n  - send: hello\n"
    strategy = "name: test\nzone: UTC\nevents: {Paid: [number]}\n"
    files = {"strategy.yaml": strategy, "journeys/paid.yaml": journey, "messages/hello.md": message()}
    workspace.apply(files)
    workspace.run("2026-11-26T00:00:00Z", now=parse_instant("2026-11-26T00:00:00Z"))
    entered = workspace.cli("ledger", "list", "--message", "hello")["deliveries"]
    decided = workspace.cli("decision", "list")["decisions"]
    assert {each["user_id"] for each in [*entered, *decided]} == {"signed"}
