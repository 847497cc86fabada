"""Addresses become networks before an event is written, and the id of an event without one is of what was sent."""

from __future__ import annotations

import ipaddress
import json
import random
from pathlib import Path
from typing import Any

import pytest
from support.workspace import Workspace, event, jsonl

from innkeeper.events.minimise import IP_KEYS, Minimise, network_of
from innkeeper.events.parse import Made, Parser
from innkeeper.events.types import LogRow
from innkeeper.kernel.json import loads

PLAIN = {"type": "track", "event": "E", "userId": "u", "messageId": "m", "timestamp": "2026-01-01T00:00:00Z"}


def row(minimise: Minimise | None = None, **changes: Any) -> LogRow:
    parser = Parser(source="s", received_at=0) if minimise is None else Parser(
        source="s", received_at=0, minimise=minimise
    )  # fmt: skip
    line = json.dumps({key: value for key, value in (PLAIN | changes).items() if value is not ...}).encode()
    made, general = parser.parse(line), parser.parse_any(line)
    assert made == general
    assert isinstance(made, LogRow), made
    return made


def context(minimise: Minimise | None = None, **given: Any) -> Any:
    return loads(row(minimise, context=given).context)


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("203.0.113.77", "203.0.113.0"),
        ("203.0.113.0", "203.0.113.0"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1::"),
        ("::ffff:203.0.113.77", "203.0.113.0"),
        ("::FFFF:CB00:714D", "203.0.113.0"),
        ("fe80::1%eth0", "fe80::"),
        ("203.0.113.77:5000", "203.0.113.0"),
        ("[2001:db8:1:2::1]:443", "2001:db8:1::"),
        ("2002:cb00:714d:1::1", "2002:cb00:7100::"),
        ("64:ff9b::cb00:714d", "64:ff9b::"),
        ("203.0.113.77, 198.51.100.9", "203.0.113.0, 198.51.100.0"),
        ("0.0.0.0", "0.0.0.0"),
        (None, None),
    ],
)
def test_an_address_becomes_its_network(sent: object, kept: object) -> None:
    assert context(ip=sent, locale="pt") == {"ip": kept, "locale": "pt"}


@pytest.mark.parametrize(
    "sent",
    [
        "localhost", "", "999.1.1.1", "203.0.113", 3405803853, {"v4": "203.0.113.7"}, True, "203.0.113.7, and more",
        ["203.0.113.7", 4], "x" * 500, "203.0.113.7/32",
    ],
)  # fmt: skip
def test_what_is_no_address_is_left_out(sent: object) -> None:
    assert context(ip=sent, locale="pt") == {"locale": "pt"}


@pytest.mark.parametrize("key", sorted(IP_KEYS))
def test_every_spelling_at_every_depth(key: str) -> None:
    deep: dict[str, Any] = {
        "device": {key: "203.0.113.7", "id": "d"},
        "hops": [{key: "203.0.113.8"}, ["a", {key: "203.0.113.9"}]],
    }
    assert context(None, **deep) == {
        "device": {key: "203.0.113.0", "id": "d"},
        "hops": [{key: "203.0.113.0"}, ["a", {key: "203.0.113.0"}]],
    }
    beside = row(None, **{key: "203.0.113.7"})
    assert loads(beside.extra) == {key: "203.0.113.0"}


def test_words_of_the_sender_are_left_alone() -> None:
    made = row(type="identify", event=..., traits={"ip": "203.0.113.7"}, properties={"ip": "203.0.113.7"})
    assert (loads(made.traits), loads(made.properties)) == ({"ip": "203.0.113.7"}, {"ip": "203.0.113.7"})


def test_as_the_policy_says() -> None:
    sent = {"ip": "203.0.113.7", "userAgent": "Firefox", "page": {"url": "/"}}
    assert context(Minimise(ip="drop"), **sent) == {"userAgent": "Firefox", "page": {"url": "/"}}
    assert context(Minimise(ip="keep"), **sent) == sent
    assert context(Minimise(user_agent="drop"), **sent) == {"ip": "203.0.113.0", "page": {"url": "/"}}
    assert context(Minimise(ip="keep", user_agent="drop"), **sent) == {"ip": "203.0.113.7", "page": {"url": "/"}}
    assert row(Minimise(ip="drop"), context={"ip": "203.0.113.7"}).context == "{}"


def test_the_message_id_is_of_the_content_as_sent() -> None:
    ids = {
        row(minimise, messageId=..., context={"ip": "203.0.113.7"}).message_id
        for minimise in (Minimise(), Minimise(ip="keep"), Minimise(ip="drop", user_agent="drop"))
    }
    assert len(ids) == 1
    assert ids != {row(messageId=..., context={"ip": "203.0.113.8"}).message_id}


def test_a_mapped_row_too() -> None:
    made = Made("track", "E", None, "u", None, 0, {}, {}, {"ip": "203.0.113.7"})
    rows = [Parser(source="s", received_at=0, minimise=Minimise(ip=ip)).made(made) for ip in ("truncate", "keep")]
    assert [loads(each.context) for each in rows if isinstance(each, LogRow)] == [
        {"ip": "203.0.113.0"}, {"ip": "203.0.113.7"},
    ]  # fmt: skip
    assert len({each.message_id for each in rows if isinstance(each, LogRow)}) == 1


def test_random_addresses_against_the_networks_of_the_standard_library() -> None:
    seed = 20261124
    draw = random.Random(seed)
    for _ in range(2_000):
        four = ipaddress.IPv4Address(draw.getrandbits(32))
        assert network_of(str(four)) == str(ipaddress.ip_network(f"{four}/24", strict=False).network_address), seed
        six = ipaddress.IPv6Address(draw.getrandbits(128))
        if six.sixtofour is None and six.ipv4_mapped is None:
            kept = str(ipaddress.ip_network(f"{six}/48", strict=False).network_address)
            assert network_of(str(six)) == kept, seed
            assert network_of(kept) == kept, seed


def test_an_import_follows_the_applied_policy(tmp_path: Path) -> None:
    sent = [event("Login", "u1", "2026-01-01T00:00:00Z", id="a") | {"context": {"ip": "203.0.113.7"}}]
    for number, policy in enumerate(["", "minimise: {ip: keep}\n", "minimise: {ip: drop, user_agent: drop}\n"]):
        workspace = Workspace(tmp_path / str(number))
        if policy:
            workspace.apply({"policies.yaml": policy})
        workspace.cli("import", str(jsonl(tmp_path / "events.jsonl", sent)))
        found = workspace.cli("events", "list")["events"][0]["context"]
        assert found == [{"ip": "203.0.113.0"}, {"ip": "203.0.113.7"}, {}][number]
