"""The contract that the SDKs people use force on a server: its nine points, and their requests byte for byte."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.door import NOW, Served, basic, opened, zipped

from innkeeper.events.types import Event
from innkeeper.kernel.time import format_instant, parse_instant

TRACK = {"type": "track", "userId": "u1", "event": "Login", "timestamp": "2026-11-25T11:00:00Z"}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with opened(tmp_path_factory.mktemp("home")) as found:
        yield found


def track(id: str, **more: Any) -> dict[str, Any]:
    return TRACK | {"messageId": id} | more


@pytest.mark.parametrize(
    "content_type",
    ["application/json", "text/plain", "application/x-www-form-urlencoded", "application/octet-stream", "nonsense", ""],
)
@pytest.mark.parametrize("coding", ["", "gzip", "identity", "bare gzip", "named only"])
def test_1_the_content_type_says_nothing_and_gzip_is_recognised(served: Served, content_type: str, coding: str) -> None:
    id = f"1-{content_type}-{coding}"
    body = json.dumps({"batch": [track(id, anonymousId=None)]}).encode()
    headers = {"Content-Type": content_type} if content_type else {}
    if coding in ("gzip", "identity"):
        headers["Content-Encoding"] = coding
    elif coding == "named only":
        headers["Content-Encoding"] = "gzip"
    answer = served.call(
        "POST", "/v1/batch", zipped(body) if "gzip" in coding else body,
        headers | {"Authorization": basic(served.key())},
    )  # fmt: skip
    assert answer.status == 200
    assert (served.last().message_id, served.last().anonymous_id) == (id, None)


def test_1_limits_of_a_body_and_of_an_event(served: Served) -> None:
    large = track("large", properties={"x": "a" * (32 * 1024)})
    answer = served.send("/v1/batch", {"batch": [large, track("beside")]})
    assert answer.status == 200
    assert [(each["index"], each["code"]) for each in answer.json["refused"]] == [(0, "too-large")]
    assert served.last().message_id == "beside"
    assert served.send("/v1/batch", b"[" + b" " * 500 * 1024 + b"]").status == 413
    assert served.send("/v1/batch", {"batch": [{}] * 2_501}).json["code"] == "too-many-events"
    assert served.send("/v1/batch", {"batch": [{}] * 2_500}).status == 200


def test_2_success_is_200_and_says_so(served: Served) -> None:
    for path, body in {"/v1/track": track("2-a"), "/v1/batch": {"batch": [track("2-b")]}}.items():
        answer = served.send(path, body)
        assert (answer.status, answer.json["success"]) == (200, True)
        assert answer.headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    ("method", "path", "body", "headers", "status"),
    [
        ("POST", "/v1/track", b"{}", {}, 401),
        ("POST", "/v1/track", b"{}", {"Authorization": "Basic !!"}, 401),
        ("POST", "/v1/track", b"{", {"Authorization": "KEY"}, 400),
        ("POST", "/v1/track", b"{}", {"Authorization": "KEY"}, 400),
        ("POST", "/v1/batch", b'{"batch":{}}', {"Authorization": "KEY"}, 400),
        ("POST", "/v1/batch", b'{"batch":[nan]}', {"Authorization": "KEY"}, 400),
        ("POST", "/v1/batch", b"\xff\xfe", {"Authorization": "KEY"}, 400),
        ("POST", "/v1/batch", b"{}", {"Authorization": "KEY", "Content-Encoding": "br"}, 415),
        ("POST", "/v1/nothing", b"{}", {"Authorization": "KEY"}, 404),
        ("GET", "/v1/track", b"", {}, 405),
        ("GET", "/v1/projects/WRONG/settings", b"", {}, 404),
        ("GET", "/v1/sources/shop/debug", b"", {}, 401),
    ],
)
def test_3_every_error_is_json_with_code_and_message(
    served: Served, method: str, path: str, body: bytes, headers: dict[str, str], status: int
) -> None:
    told = {name: basic(served.key()) if value == "KEY" else value for name, value in headers.items()}
    answer = served.call(method, path, body, told)
    assert answer.status == status
    assert answer.json["code"]
    assert answer.json["message"]
    assert answer.headers["access-control-allow-origin"] == "*"


def test_4_a_bad_event_does_not_fail_its_batch(served: Served) -> None:
    bad: list[Any] = [{}, 5, None, "x", [], {"type": "track"}, track("", event=""), {**track("q"), "type": "Track"}]
    batch = [each for number, one in enumerate(bad) for each in (one, track(f"4-{number}"))]
    answer = served.send("/v1/batch", {"batch": batch})
    assert answer.status == 200
    assert (answer.json["accepted"], answer.json["rejected"]) == (len(bad), len(bad))
    assert [each["index"] for each in answer.json["refused"]] == list(range(0, len(batch), 2))
    assert all(each["code"] and each["message"] for each in answer.json["refused"])
    kept = [event.message_id for event in served.events()][-len(bad) :]
    assert kept == [f"4-{number}" for number in range(len(bad))]


def test_5_the_key_is_found_wherever_clients_put_it(served: Served) -> None:
    key = served.key()
    bare = base64.b64encode(f"{key}:".encode()).decode()
    ways: list[tuple[dict[str, str], dict[str, str], str]] = [
        ({"Authorization": basic(key)}, {}, ""),
        ({"Authorization": basic("site", key)}, {}, ""),
        ({"Authorization": f"Bearer {key}"}, {}, ""),
        ({"Authorization": f"Basic {key}"}, {}, ""),
        ({"Authorization": key}, {}, ""),
        ({"Authorization": f"basic {bare}"}, {}, ""),
        ({"X-Write-Key": key}, {}, ""),
        ({}, {"writeKey": key}, ""),
        ({}, {"api_key": key}, ""),
        ({}, {}, f"?writeKey={key}"),
        ({"Authorization": basic("WRONG")}, {"writeKey": key}, ""),
    ]
    for number, (headers, beside, query) in enumerate(ways):
        answer = served.call(
            "POST", "/v1/batch" + query, json.dumps({"batch": [track(f"5-{number}")]} | beside).encode(), headers
        )
        assert answer.status == 200, (headers, answer.text)
        alone = served.call("POST", "/v1/t" + query, json.dumps(track(f"5-{number}-alone") | beside).encode(), headers)
        assert alone.status == 200, (headers, alone.text)
        assert key not in str(served.last())
    for path in ("/v1/batch", "/v1/t"):
        assert served.call("POST", path, json.dumps({"writeKey": key[:-1]}).encode()).status == 401


def test_6_a_preflight_names_the_headers(served: Served) -> None:
    for path in ("/v1/t", "/v1/p", "/v1/i", "/v1/batch", "/v1/projects/x/settings"):
        asked = {"Origin": "https://shop.example", "Access-Control-Request-Headers": "authorization"}
        answer = served.call("OPTIONS", path, b"", asked | {"Access-Control-Request-Method": "POST"})
        assert answer.status in (200, 204)
        allowed = {each.strip() for each in answer.headers["access-control-allow-headers"].split(",")}
        assert {"authorization", "content-type"} <= allowed
        # RudderStack's SDK adds these when it tries again; without them the browser lets no second try through.
        assert {"rsa-recovered", "rsa-retry-attempt", "rsa-retry-reason"} <= allowed
        assert answer.headers["access-control-allow-origin"] == "*"
        assert int(answer.headers["access-control-max-age"]) > 600
        assert "access-control-allow-credentials" not in answer.headers


HOUR_BEHIND = "2026-11-25T11:00:00Z"


@pytest.mark.parametrize(
    ("said", "envelope", "headers", "expected"),
    [
        ({"timestamp": "2026-11-25T10:00:00Z"}, {}, {}, "2026-11-25T10:00:00Z"),
        ({"timestamp": "2026-11-25T10:00:00.123456Z"}, {}, {}, "2026-11-25T10:00:00.123456Z"),
        ({"timestamp": None, "originalTimestamp": "2026-11-25T10:00:00Z"}, {}, {}, "2026-11-25T10:00:00Z"),
        ({"timestamp": None}, {}, {}, NOW),
        ({"timestamp": "2026-11-25T10:00:00Z"}, {"sentAt": HOUR_BEHIND}, {}, "2026-11-25T11:00:00Z"),
        ({"timestamp": "2026-11-25T10:00:00Z", "sentAt": HOUR_BEHIND}, {}, {}, "2026-11-25T11:00:00Z"),
        ({"timestamp": "2026-11-25T10:00:00Z"}, {}, {"SentAt": HOUR_BEHIND}, "2026-11-25T11:00:00Z"),
        ({"timestamp": "2026-11-25T12:30:00Z"}, {"sentAt": "2026-11-25T13:00:00Z"}, {}, "2026-11-25T11:30:00Z"),
        ({"timestamp": "2026-11-25T11:59:59Z"}, {"sentAt": "2026-11-25T11:59:56Z"}, {}, "2026-11-25T11:59:59Z"),
        ({"timestamp": "2026-11-25T10:00:00Z"}, {"sentAt": "9999-11-25T12:00:00Z"}, {}, "2026-11-25T10:00:00Z"),
        ({"timestamp": "1970-01-01T00:10:00Z"}, {"sentAt": "1970-01-01T01:00:00Z"}, {}, "2026-11-25T11:10:00Z"),
        ({"timestamp": "2026-11-25T12:00:00.000001Z"}, {}, {}, NOW),
        ({"timestamp": "2036-11-25T12:00:00Z"}, {}, {}, NOW),
        ({"timestamp": "2026-11-25T10:00:00Z"}, {"sentAt": "rubbish"}, {"SentAt": "x"}, "2026-11-25T10:00:00Z"),
        ({"timestamp": "2026-11-25T10:00:00Z"}, {"sentAt": 5}, {}, "2026-11-25T10:00:00Z"),
    ],
)  # fmt: skip
def test_7_times_are_set_right_and_never_later_than_the_arrival(
    served: Served, said: dict[str, Any], envelope: dict[str, Any], headers: dict[str, str], expected: str
) -> None:
    id = f"7-{json.dumps([said, envelope, headers])}"
    body = json.dumps({"batch": [track(id) | said]} | envelope).encode()
    answer = served.call("POST", "/v1/batch", body, {"Authorization": basic(served.key())} | headers)
    assert answer.json["accepted"] == 1
    event = served.last()
    assert event.message_id == id
    assert format_instant(event.timestamp) == expected
    assert event.received_at == parse_instant(NOW)
    original = said["timestamp"] or said.get("originalTimestamp")
    changed = original is not None and original != expected
    assert event.extra.get("originalTimestamp") == (original if changed else None)


def test_7_messages_without_id_and_time_are_each_their_own(served: Served) -> None:
    body = {"batch": [{"type": "track", "userId": "u1", "event": "Again"}] * 3}
    assert served.send("/v1/batch", body).json["accepted"] == 3
    dated = {"batch": [{"type": "track", "userId": "u1", "event": "Again", "timestamp": HOUR_BEHIND}] * 3}
    told = served.send("/v1/batch", dated).json
    assert (told["accepted"], told["duplicates"]) == (1, 2)


def test_8_identity_as_browsers_send_it(served: Served) -> None:
    batch = [
        {"type": "identify", "anonymousId": "an2", "userId": "u8", "messageId": "8-a", "traits": {"plan": "pro"}},
        {"type": "alias", "userId": "u9", "previousId": "u8", "messageId": "8-b"},
        {"type": "identify", "userId": "u8", "context": {"traits": {"email": "a@b.c"}}, "messageId": "8-c"},
    ]
    assert served.send("/v1/batch", {"batch": batch}).json["accepted"] == 3
    first, second, third = served.events()[-3:]
    assert (first.user_id, first.anonymous_id, first.traits) == ("u8", "an2", {"plan": "pro"})
    assert (second.user_id, second.extra) == ("u9", {"previousId": "u8"})
    assert (third.user_id, third.traits) == ("u8", {"email": "a@b.c"})


def test_9_message_ids_are_opaque_and_belong_to_their_source(served: Served) -> None:
    ids = [
        "9e107d9d-372b-4a2c",
        "node-next-1795288844228-9",
        "ajs-next-1795288879174-x",
        "a2CdEf01234567890_-xyz",
        "é",
    ]
    body = {"batch": [track(id) for id in ids]}
    assert served.send("/v1/batch", body).json["accepted"] == len(ids)
    again = served.send("/v1/batch", body).json
    assert (again["accepted"], again["duplicates"]) == (0, len(ids))
    elsewhere = {"batch": [{"type": "track", "anonymousId": "a", "event": "Login", "messageId": id} for id in ids]}
    assert served.send("/v1/batch", elsewhere, source="web").json["accepted"] == len(ids)


RECORDED: list[tuple[str, str, dict[str, str], str, list[tuple[str, str | None, str | None, str, dict[str, Any]]]]] = [
    (
        "segment-analytics-python 2.4.0", "/v1/batch", {"Content-Type": "application/json"},
        '{"batch":[{"integrations":{},"anonymousId":null,"timestamp":"2026-11-21T19:19:41.970+00:00","context":{"library":'
        '{"name":"analytics-python","version":"2.4.0"}},"type":"identify","userId":"u1","traits":{"email":"a@b.c","plan":'
        '"pro"},"messageId":"ede4247e-1"},{"integrations":{},"anonymousId":null,"timestamp":"2026-11-21T19:19:41.970+00:00",'
        '"context":{},"type":"track","userId":"u1","event":"Order Completed","properties":{"total":9.5,"products":'
        '[{"product_id":"p1"}]},"messageId":"ede4247e-2"},{"type":"page","userId":"u1","anonymousId":null,"category":"Docs",'
        '"name":"Home","properties":{},"timestamp":"2026-11-21T19:19:41.970+00:00","messageId":"ede4247e-3"},{"type":"group",'
        '"userId":"u1","groupId":"acme","traits":{"seats":5},"timestamp":"2026-11-21T19:19:41.970+00:00","messageId":'
        '"ede4247e-4"},{"type":"alias","previousId":"anon1","userId":"u1","timestamp":"2026-11-21T19:19:41.970+00:00",'
        '"messageId":"ede4247e-5"}],"sentAt":"2026-11-25T12:00:00+00:00","writeKey":"WRITEKEY"}',
        [
            ("identify", "u1", None, "Identified", {}),
            ("track", "u1", None, "Order Completed", {"total": 9.5, "products": [{"product_id": "p1"}]}),
            ("page", "u1", None, "Page Viewed", {"name": "Home", "category": "Docs"}),
            ("group", "u1", None, "Grouped", {}), ("alias", "u1", None, "Aliased", {}),
        ],
    ),
    (
        "@segment/analytics-node 3.1.0", "/v1/batch", {"Content-Type": "application/json"},
        '{"batch":[{"timestamp":"2026-11-21T19:20:44.228Z","integrations":{},"event":"Order Completed","type":"track",'
        '"properties":{"total":9.5},"context":{"ip":"203.0.113.1","library":{"name":"@segment/analytics-node","version":'
        '"3.1.0"}},"userId":"u1","messageId":"node-next-1795288844228-22d1","_metadata":{"nodeVersion":"v20.20.2",'
        '"jsRuntime":"node"}}],"writeKey":"WRITEKEY","sentAt":"2026-11-25T12:00:00Z"}',
        [("track", "u1", None, "Order Completed", {"total": 9.5})],
    ),
    (
        "analytics-next 1.84.3", "/v1/t", {"Content-Type": "text/plain"},
        '{"timestamp":"2026-11-25T11:59:59.174Z","integrations":{"Segment.io":true},"event":"Order Completed","type":'
        '"track","properties":{"total":9.5},"context":{"page":{"path":"/checkout","referrer":"","search":"?utm_source=newsletter",'
        '"title":"Shop","url":"https://shop.example/checkout"},"userAgent":"Mozilla/5.0","locale":"en-US","library":{"name":'
        '"analytics.js","version":"npm:next-1.84.3"},"campaign":{"source":"newsletter","medium":"email","name":"nov"},'
        '"timezone":"UTC"},"messageId":"ajs-next-1795288879174-a","userId":"u1","anonymousId":"da7b2e17-b","writeKey":'
        '"WRITEKEY","sentAt":"2026-11-25T11:59:59.178Z","_metadata":{"bundled":["Segment.io"],"unbundled":[],"bundledIds":[]}}',
        [("track", "u1", "da7b2e17-b", "Order Completed", {"total": 9.5})],
    ),
    (
        "rudder-sdk-node 3.0.13", "/v1/batch",
        {"Content-Type": "application/x-www-form-urlencoded", "Content-Encoding": "gzip"},
        '{"batch":[{"userId":"u1","traits":{"email":"a@b.c"},"context":{"traits":{"email":"a@b.c"},"library":{"name":"x"}},'
        '"type":"identify","channel":"server","_metadata":{"nodeVersion":"20"},"originalTimestamp":"2026-11-25T11:59:59.644Z",'
        '"messageId":"r1","sentAt":"2026-11-25T11:59:59.645Z"}],"timestamp":"2026-11-25T11:59:59.645Z","sentAt":'
        '"2026-11-25T11:59:59.645Z"}',
        [("identify", "u1", None, "Identified", {})],
    ),
    (
        "rudder-sdk-python 2.1.9", "/v1/batch", {"Content-Type": "application/json", "Content-Encoding": "gzip"},
        '{"batch":[{"integrations":{"All":true},"anonymousId":null,"timestamp":"2026-11-25T11:59:59.644+00:00","context":'
        '{"traits":{"email":"a@b.c"},"library":{"name":"y"}},"type":"identify","userId":"u1","messageId":"r2","channel":'
        '"server"}]}',
        [("identify", "u1", None, "Identified", {})],
    ),
    (
        "dittofeed sdk-node 0.1.2", "/api/public/apps/batch", {"Content-Type": "application/json"},
        '{"batch":[{"messageId":"081b15e3-1","type":"identify","userId":"u1","traits":{"email":"a@b.c"}},{"messageId":'
        '"081b15e3-2","type":"track","userId":"u1","event":"Order Completed","properties":{"total":9.5}}]}',
        [("identify", "u1", None, "Identified", {}), ("track", "u1", None, "Order Completed", {"total": 9.5})],
    ),
]  # fmt: skip


@pytest.mark.parametrize("recorded", RECORDED, ids=[each[0] for each in RECORDED])
def test_recorded_requests_arrive_field_by_field(served: Served, recorded: Any) -> None:
    _, path, headers, body, expected = recorded
    data = body.encode()
    sent = json.loads(body)
    sent = sent.get("batch", [sent])
    if headers.get("Content-Encoding") == "gzip":
        data = zipped(data)
    before = len(served.events())
    answer = served.call("POST", path, data, headers | {"Authorization": basic(served.key())})
    assert (answer.status, answer.json["accepted"]) == (200, len(expected))
    arrived = served.events()[before:]
    assert [(e.type, e.user_id, e.anonymous_id, e.name, e.properties) for e in arrived] == expected
    for event, said in zip(arrived, sent, strict=True):
        _as_sent(event, said)


def _as_sent(event: Event, said: dict[str, Any]) -> None:
    """Everything else is there as it was sent; of an address its network, of a key nothing."""
    assert event.message_id == said["messageId"]
    time = said.get("timestamp") or said.get("originalTimestamp") or NOW
    assert event.timestamp == parse_instant(time)
    context = dict(said.get("context") or {})
    if "ip" in context:
        context["ip"] = "203.0.113.0"
    assert event.context == context
    if event.type == "identify":
        assert event.traits == {"email": "a@b.c"} | said.get("traits", {})
    known = {
        "type", "messageId", "userId", "anonymousId", "timestamp", "originalTimestamp", "context", "properties",
        "event", "writeKey", *(("name", "category") if event.type == "page" else ()),
        *(("traits",) if event.type == "identify" else ()),
    }  # fmt: skip
    assert event.extra == {key: value for key, value in said.items() if key not in known}


def test_what_browser_sdks_ask_before_they_send(served: Served) -> None:
    key = served.key("web")
    settings = served.call("GET", f"/v1/projects/{key}/settings").json
    assert settings["integrations"]["Segment.io"]["apiKey"] == key
    assert settings["integrations"]["Segment.io"]["apiHost"] == f"127.0.0.1:{served.port}/v1"
    for path in ("/sourceConfig/", "/sourceConfig"):
        for query in (f"&writeKey={key}", "&writeKey=another", ""):
            config = served.call("GET", f"{path}?p=npm&v=3.34.1{query}", b"", {"Authorization": basic(key)})
            assert (config.status, config.json["source"]["enabled"]) == (200, True)
            assert config.json["source"]["writeKey"] == key
            assert config.json["source"]["destinations"] == []
        assert served.call("GET", f"{path}?writeKey=another").status == 401


def test_every_address_takes_its_type(served: Served) -> None:
    more: dict[str, dict[str, Any]] = {
        "track": {"event": "Login"}, "identify": {"traits": {}}, "page": {"name": "Home"}, "screen": {"name": "Home"},
        "group": {"groupId": "g"}, "alias": {"previousId": "p"},
    }  # fmt: skip
    for kind, fields in more.items():
        for address in (kind, kind[0]):
            assert served.send(f"/v1/{address}", {"userId": "u1"} | fields).status == 200
            assert served.last().type == kind
    for path in ("/v1/batch", "/v1/b", "/v1/import", "/api/public/apps/batch", "/beacon/v1/batch"):
        assert served.send(path, {"batch": [track(f"of {path}")]}).json["accepted"] == 1
    single = track("alone", messageId="address-and-type", event="Login", type="page")
    assert served.send("/v1/track", single).status == 200
    assert served.last().type == "page", "what it says itself goes before its address"


def test_the_log_is_where_it_was_sent(served: Served, tmp_path: Path) -> None:
    assert {event.source for event in served.events()} <= {"shop", "web"}
