"""Customer.io's own SDKs, whose calls are of another kind: each makes its event, or its caller is told why not.

Both insist on TLS, so a gate that speaks it stands before the door, as a proxy does.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest
from clients.gate import certify, gate
from clients.harness import UUID, Call, Like, Running, eventually, instant_in, play, text_like
from clients.repertoire import PROPERTIES

from innkeeper.kernel.time import SECOND, format_instant
from innkeeper.runtime.customer import look

#: What an id may hold beside letters; in an address it is one piece all the same.
ODD: Final = "/ü+1 50% ?#&=@x"
NO_ADDRESS: Final = "there is no such address"
WHEN: Final = 1_763_630_999
#: Of an event with a time and without an id: what says the same is the same.
OF_CONTENT: Final = text_like(r"[0-9a-f]{32}-0")
_AT: Final = format_instant(WHEN * SECOND)


class Said(NamedTuple):
    """A call, and what follows: of each of its events the fields that are not as in `_event`, or why it is refused."""

    call: Call
    events: tuple[dict[str, Any], ...]
    refused: str


def said(call: Call, *events: dict[str, Any], refused: str = "") -> Said:
    """A call with what follows."""
    return Said(call, events, refused)


def python(me: str) -> list[Said]:
    """All methods of the Python SDK."""
    ana, bob, odd, old = f"{me}-ana", f"{me}-bob", f"{me}{ODD}", f"{me}@old.example.com"
    traits = {"email": f"{me}@example.com", "plan": "pro", "first_name": "Åna"}

    def named(method: str, *given: Any, **rest: Any) -> Call:
        return {"do": method, "with": list(given), "named": rest}

    def track(name: str, **more: Any) -> dict[str, Any]:
        return {"event": name, "userId": ana} | more

    operations = [
        {"type": "person", "action": "identify", "identifiers": {"id": bob}, "attributes": {"plan": "free"}},
        {
            "type": "person", "action": "event", "identifiers": {"id": bob}, "name": "Booked", "timestamp": WHEN,
            "id": f"{me}-7", "attributes": PROPERTIES,
        },
    ]  # fmt: skip
    return [
        said(
            named("identify", ana, created_at={"$date": "2023-11-14T22:13:20Z"}, **traits),
            {"type": "identify", "event": "Identified", "userId": ana, "traits": traits | {"created_at": 1700000000}},
        ),
        said(named("identify", odd), {"type": "identify", "event": "Identified", "userId": odd}),
        said(named("track", ana, "Booked", PROPERTIES), track("Booked", properties=PROPERTIES)),
        said(
            named("track", ana, "Booked", {"n": 1}, id=f"{me}-1", timestamp=WHEN),
            track("Booked", properties={"n": 1}, messageId=f"{me}-1", timestamp=_AT),
        ),
        said(named("track", ana, "Booked", {"n": 1}, id=f"{me}-1", timestamp=WHEN)),
        said(named("track", odd, "Booked"), track("Booked", userId=odd)),
        said(
            named("track_anonymous", f"{me}-browser", "Looked", {"room": "garden"}),
            track("Looked", userId=None, anonymousId=f"{me}-browser", properties={"room": "garden"}),
        ),
        said(named("track_anonymous", None, "Looked"), refused="neither 'userId' nor 'anonymousId'"),
        said(
            named("pageview", ana, "https://x.example/y", referrer="https://z.example"),
            track("Page Viewed", type="page", properties={"name": "https://x.example/y", "referrer": "https://z.example"}),
        ),
        said(
            named("backfill", ana, "Stayed", WHEN, nights=3),
            track("Stayed", timestamp=_AT, properties={"nights": 3}, messageId=OF_CONTENT),
        ),
        said(
            named("add_device", ana, "tok/1", "ios", last_used=WHEN),
            track(
                "Device Created or Updated", properties={"last_used": WHEN},
                context={"device": {"token": "tok/1", "type": "ios"}},
            ),
        ),
        said(named("delete_device", ana, "tok/1"), track("Device Deleted", context={"device": {"token": "tok/1"}})),
        said(named("suppress", odd), track("Suppressed", userId=odd, properties={"reason": "customer.io"})),
        said(named("suppress", ana), track("Suppressed", properties={"reason": "customer.io"})),
        said(named("unsuppress", ana), track("Unsuppressed")),
        said(
            named("merge_customers", "id", ana, "email", old),
            {"type": "alias", "event": "Aliased", "userId": ana, "extra": {"previousId": old}},
        ),
        said(
            named("batch", operations),
            {"type": "identify", "event": "Identified", "userId": bob, "traits": {"plan": "free"}},
            track("Booked", userId=bob, timestamp=_AT, messageId=f"{me}-7", properties=PROPERTIES),
        ),
        said(named("delete", ana), refused="a person is not deleted"),
        said(named("send_email", {"transactional_message_id": "3", "to": "x@example.com"}), refused=NO_ADDRESS),
    ]  # fmt: skip


def node(me: str) -> list[Said]:
    """All methods of the Node SDK."""
    ana, bob, odd, old = f"{me}-ana", f"{me}-bob", f"{me}{ODD}", f"{me}@old.example.com"
    traits = {"email": f"{me}@example.com", "plan": "pro", "first_name": "Åna"}

    def given(method: str, *arguments: Any) -> Call:
        return {"do": method, "with": list(arguments)}

    def track(name: str, **more: Any) -> dict[str, Any]:
        return {"event": name, "userId": ana} | more

    return [
        said(
            given("identify", ana, traits), {"type": "identify", "event": "Identified", "userId": ana, "traits": traits}
        ),
        said(given("identify", odd, {}), {"type": "identify", "event": "Identified", "userId": odd}),
        said(given("track", ana, {"name": "Booked", "data": PROPERTIES}), track("Booked", properties=PROPERTIES)),
        said(
            given("track", ana, {"name": "Booked", "data": {"n": 1}, "id": f"{me}-1", "timestamp": WHEN}),
            track("Booked", properties={"n": 1}, messageId=f"{me}-1", timestamp=_AT),
        ),
        said(given("track", ana, {"name": "Booked", "data": {"n": 1}, "id": f"{me}-1", "timestamp": WHEN})),
        said(
            given("trackAnonymous", f"{me}-browser", {"name": "Looked", "data": {"room": "garden"}}),
            track("Looked", userId=None, anonymousId=f"{me}-browser", properties={"room": "garden"}),
        ),
        said(given("trackAnonymous", "", {"name": "Looked"}), refused="neither 'userId' nor 'anonymousId'"),
        said(
            given("trackPageView", ana, "https://x.example/y"),
            track("Page Viewed", type="page", properties={"name": "https://x.example/y"}),
        ),
        said(
            given("addDevice", ana, "tok/1", "ios", {"last_used": WHEN, "os": "19"}),
            track(
                "Device Created or Updated", properties={"last_used": WHEN, "attributes": {"os": "19"}},
                context={"device": {"token": "tok/1", "type": "ios"}},
            ),
        ),
        said(given("deleteDevice", ana, "tok/1"), track("Device Deleted", context={"device": {"token": "tok/1"}})),
        said(given("suppress", odd), track("Suppressed", userId=odd, properties={"reason": "customer.io"})),
        said(given("suppress", bob), track("Suppressed", userId=bob, properties={"reason": "customer.io"})),
        said(given("unsuppress", bob), track("Unsuppressed", userId=bob)),
        said(
            given("mergeCustomers", "id", ana, "email", old),
            {"type": "alias", "event": "Aliased", "userId": ana, "extra": {"previousId": old}},
        ),
        said(given("destroy", ana), refused="a person is not deleted"),
        said(given("trackPush", {"event": "opened", "delivery_id": "d", "device_id": "tok/1"}), refused=NO_ADDRESS),
        said(
            given("sendEmail", {"transactional_message_id": "3", "identifiers": {"id": ana}, "to": "x@y.z"}),
            refused=NO_ADDRESS,
        ),
    ]  # fmt: skip


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return certify(tmp_path_factory.mktemp("certificate"))


@pytest.mark.parametrize(("driver", "made"), [("customerio_python.py", python), ("customerio_node.mjs", node)])
def test_every_method_makes_its_event_or_is_refused(
    running: Running, certificate: Path, driver: str, made: Any
) -> None:
    me, key = running.source()
    told: list[Said] = made(me)
    with gate(running.url, certificate=certificate) as found:
        played = play(
            driver, [each.call for each in told], key=key, port=found.port,
            env={"REQUESTS_CA_BUNDLE": str(certificate), "NODE_EXTRA_CA_CERTS": str(certificate)},
        )  # fmt: skip
    for each, answer in zip(told, played.answers, strict=True):
        assert (each.refused in answer and "40" in answer) if each.refused else answer["success"], (each, answer)
    wanted = [
        _event(fields, me, instant_in(*span))
        for each, span in zip(told, played.spans, strict=True)
        for fields in each.events
    ]
    arrived = running.events(me)
    assert [{**event, "seq": 0} for event in arrived] == wanted
    assert len({event["messageId"] for event in arrived}) == len(arrived)
    ana, old = f"{me}-ana", f"{me}@old.example.com"
    eventually(
        lambda: running.identifiers(ana),
        [f"anonymous_id:{old}", f"user_id:{ana}", f"user_id:{old}"],
    )
    assert [_is_suppressed(running, who) for who in (f"{me}{ODD}", ana)] == [True, False]


def _is_suppressed(running: Running, who: str) -> bool:
    return any(each["suppressed"] for each in look(running.workspace.home, who, None, 0)["suppressions"])


def _event(fields: dict[str, Any], me: str, when: Like) -> dict[str, Any]:
    return {
        "seq": 0, "source": me, "messageId": text_like(UUID), "type": "track", "anonymousId": None, "timestamp": when,
        "receivedAt": when, "properties": {}, "traits": {}, "context": {}, "extra": {}, "retracted": False,
    } | fields  # fmt: skip
