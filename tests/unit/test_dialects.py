"""Customer.io and CloudEvents: what their clients send, and what the log then holds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from support.door import Served, basic, opened

from innkeeper.kernel.time import format_instant


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with opened(tmp_path_factory.mktemp("home")) as found:
        yield found


CUSTOMERIO: list[tuple[str, str, str, dict[str, Any]]] = [
    (
        "PUT", "/api/v1/customers/u1", '{"email":"a@b.c","plan":"pro","created_at":1700000000}',
        {"type": "identify", "user_id": "u1", "traits": {"email": "a@b.c", "plan": "pro", "created_at": 1700000000}},
    ),
    (
        "PUT", "/api/v1/customers/u%201%2B", '{"batch":[1],"type":"x","anonymous_id":"an1"}',
        {"type": "identify", "user_id": "u 1+", "anonymous_id": "an1", "traits": {"batch": [1], "type": "x"}},
    ),
    (
        "POST", "/api/v1/customers/u1/events",
        '{"name":"purchase","data":{"price":23.45},"id":"01HX","timestamp":1700000000}',
        {"type": "track", "name": "purchase", "user_id": "u1", "message_id": "01HX", "properties": {"price": 23.45},
         "at": "2023-11-14T22:13:20Z"},
    ),
    (
        "POST", "/api/v1/customers/u1/events", '{"type":"page","name":"https://x/y","data":{"referrer":".."}}',
        {"type": "page", "name": "Page Viewed", "user_id": "u1", "properties": {"referrer": "..", "name": "https://x/y"}},
    ),
    (
        "POST", "/api/v1/events", '{"name":"view","data":{"page":"/x"},"anonymous_id":"an1"}',
        {"type": "track", "name": "view", "user_id": None, "anonymous_id": "an1", "properties": {"page": "/x"}},
    ),
    (
        "PUT", "/api/v1/customers/u1/devices", '{"device":{"id":"devtok","platform":"ios","last_used":1700000000}}',
        {"name": "Device Created or Updated", "user_id": "u1", "properties": {"last_used": 1700000000},
         "context": {"device": {"token": "devtok", "type": "ios"}}},
    ),
    (
        "DELETE", "/api/v1/customers/u1/devices/devtok", "{}",
        {"name": "Device Deleted", "user_id": "u1", "context": {"device": {"token": "devtok"}}},
    ),
    ("POST", "/api/v1/customers/u1/suppress", "{}", {"name": "Suppressed", "properties": {"reason": "customer.io"}}),
    ("POST", "/api/v1/customers/u1/unsuppress", "", {"name": "Unsuppressed", "user_id": "u1"}),
    (
        "POST", "/api/v1/merge_customers", '{"primary":{"id":"u1"},"secondary":{"email":"a@b.c"}}',
        {"type": "alias", "user_id": "u1", "extra": {"previousId": "a@b.c"}},
    ),
]  # fmt: skip


@pytest.mark.parametrize(("method", "path", "body", "expected"), CUSTOMERIO)
def test_customerio_requests(served: Served, method: str, path: str, body: str, expected: dict[str, Any]) -> None:
    answer = served.call(method, path, body.encode(), {"Authorization": basic("SITE", served.key())})
    assert (answer.status, answer.json["success"]) == (200, True), answer.text
    event = served.last()
    told = {"at": format_instant(event.timestamp)} | {name: getattr(event, name) for name in expected if name != "at"}
    assert {name: told[name] for name in expected} == expected


def test_customerio_batch(served: Served) -> None:
    who = {"id": "u1"}
    batch = [
        {"type": "person", "action": "identify", "identifiers": who, "attributes": {"plan": "pro"}},
        {
            "type": "person",
            "action": "event",
            "identifiers": {"email": "x@y.z"},
            "name": "purchase",
            "attributes": {"a": 1},
        },
        {"type": "person", "action": "page", "identifiers": who, "name": "Home"},
        {"type": "person", "action": "suppress", "identifiers": who},
        {"type": "person", "action": "merge", "primary": who, "secondary": {"id": "u2"}},
        {"type": "person", "action": "add_device", "identifiers": who, "device": {"id": "d"}},
        {"type": "person", "action": "event", "identifiers": {"anonymous_id": "an"}, "name": "seen"},
        {"type": "person", "action": "delete", "identifiers": who},
        {"type": "object", "action": "identify", "identifiers": {"object_id": "o"}},
        {"type": "person", "action": "event", "identifiers": who},
        {"type": "person", "action": "identify"},
        {"type": "person", "action": "merge", "primary": who},
        7,
    ]
    answer = served.send("/api/v2/batch", {"batch": batch})
    assert (answer.status, answer.json["accepted"]) == (200, 7)
    assert [(each["index"], each["code"]) for each in answer.json["refused"]] == [
        (7, "not-taken"), (8, "not-taken"), (9, "no-event-name"), (10, "no-id"), (11, "no-id"), (12, "not-an-object"),
    ]  # fmt: skip
    kept = [(each.type, each.name, each.user_id or each.anonymous_id) for each in served.events()[-7:]]
    assert kept == [
        ("identify", "Identified", "u1"), ("track", "purchase", "x@y.z"), ("page", "Page Viewed", "u1"),
        ("track", "Suppressed", "u1"), ("alias", "Aliased", "u1"), ("track", "Device Created or Updated", "u1"),
        ("track", "seen", "an"),
    ]  # fmt: skip
    assert served.send("/api/v2/entity", batch[0]).json["accepted"] == 1


def test_deleting_a_person_is_refused_and_its_source_shows_it(served: Served) -> None:
    before = len(served.events())
    answer = served.call("DELETE", "/api/v1/customers/u1", b"{}", {"Authorization": basic("SITE", served.key())})
    assert (answer.status, answer.json["code"]) == (400, "not-taken")
    assert "nothing was done" in answer.json["message"]
    assert answer.json["meta"] == {"error": answer.json["message"]}
    assert len(served.events()) == before
    assert served.door.debugger.last("shop")[-1].code == "not-taken"


@pytest.mark.parametrize("person", ["a/b", "../x", "a b", "ü+1 50%", "a%2Fb", "?#", "a;b=c", "c" * 500])
def test_an_id_in_an_address_is_one_piece_whatever_it_holds(served: Served, person: str) -> None:
    key, address = {"Authorization": basic("SITE", served.key())}, f"/api/v1/customers/{quote(person, safe='')}"
    for method, path in (
        ("PUT", address), ("POST", f"{address}/suppress"), ("DELETE", f"{address}/devices/{quote(person, safe='')}"),
    ):  # fmt: skip
        assert served.call(method, path, b"{}", key).status == 200
        assert served.last().user_id == person
    assert served.last().context == {"device": {"token": person}}


CLOUD = {
    "specversion": "1.0", "id": "7", "source": "/shop", "type": "Order Completed", "time": "2026-11-25T10:00:00Z",
    "subject": "u1", "datacontenttype": "application/json", "data": {"total": 9.5},
}  # fmt: skip


def test_cloudevents_structured_and_batched(served: Served) -> None:
    structured = served.send("/cloudevents", CLOUD, Content_Type="application/cloudevents+json; charset=utf-8")
    assert structured.status == 200, structured.text
    event = served.last()
    assert (event.name, event.user_id, event.message_id) == ("Order Completed", "u1", "/shop 7")
    assert (event.properties, format_instant(event.timestamp)) == ({"total": 9.5}, CLOUD["time"])
    about = {"specversion": "1.0", "source": "/shop", "datacontenttype": "application/json"}
    assert (event.context, event.extra) == ({"cloudevent": about}, {})
    batch = [CLOUD, CLOUD | {"source": "/other"}, CLOUD | {"id": "8", "specversion": "0.3"}, CLOUD | {"id": 9},
             CLOUD | {"id": "10", "anonymousid": "an", "subject": "order-3"}, CLOUD | {"id": "11", "data": "text"},
             CLOUD | {"id": "12", "data_base64": "eA=="}]  # fmt: skip
    told = served.send("/v1/cloudevents", batch, Content_Type="application/cloudevents-batch+json").json
    assert (told["accepted"], told["duplicates"]) == (2, 1)
    assert [(each["index"], each["code"]) for each in told["refused"]] == [
        (2, "not-a-cloudevent"), (3, "not-a-cloudevent"), (5, "not-an-object"), (6, "not-an-object"),
    ]  # fmt: skip
    assert (served.last().user_id, served.last().anonymous_id) == (None, "an")


def test_cloudevents_in_binary_mode(served: Served) -> None:
    data = {"total": 9.5, "specversion": "of the data", "writeKey": "of the data too"}
    attributes = {key: value for key, value in CLOUD.items() if key not in ("data", "datacontenttype")} | {"id": "8"}
    headers = {f"CE-{name}": quote(str(value)) for name, value in attributes.items()}
    answer = served.send("/cloudevents", data, Content_Type="application/json", ce_tenant=quote("Grüße"), **headers)
    assert answer.status == 200, answer.text
    event = served.last()
    assert (event.name, event.user_id, event.message_id) == ("Order Completed", "u1", "/shop 8")
    assert (event.properties, format_instant(event.timestamp)) == (data, CLOUD["time"])
    about = {"specversion": "1.0", "source": "/shop", "datacontenttype": "application/json", "tenant": "Grüße"}
    assert event.context == {"cloudevent": about}
    for missing in ("type", "id", "source", "specversion"):
        fewer = {name: value for name, value in headers.items() if name != f"CE-{missing}"}
        assert served.send("/cloudevents", data, **fewer).json["code"] == "not-a-cloudevent"
    assert served.send("/cloudevents", b"[1]", **headers).json["code"] == "not-an-object"
