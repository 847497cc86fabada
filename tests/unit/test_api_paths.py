"""Ids in addresses, whatever they hold: percent-encoded they mean what they say, and nothing else."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from support.door import Served, opened
from support.workspace import Workspace, event, identify

IDS = (
    "a/b", "a%2Fb", "%", "100%", "a?b=c", "a#b", "a b", "a+b", "Zoë", "\U0001f9ff", "..", ".", "a/../b", "/a", "a/",
    "a//b", "a;b", "a&b", "a:b", "@", "x/links", "links", "[1]", "'", '"', "<b>", "\\", "~",
)  # fmt: skip
STRATEGY = {
    "strategy.yaml": "name: test\nzone: UTC\nevents: {Booking: [booking_id, room]}\n"
    "accounts: {traits: {seats: number}}\n"
    "objects: {booking: {id: booking_id, roles: {owner: user}, properties: [room], events: {Booking: confirmed}}}\n",
    "catalogs/products.yaml": "kind: product\nitems:\n" + "".join(f"  - {{id: {each!r}}}\n" for each in ("a/b", "a b")),
}


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    home = Workspace(Path(tmp_path_factory.mktemp("paths")) / "home")
    home.apply(STRATEGY)
    at = "2026-01-01T10:00:00Z"
    home.add(*(identify(each, at, name=each) for each in IDS))
    home.add(*(event("Booking", each, at, booking_id=each, room="7") for each in IDS))
    home.add(*({"type": "group", "userId": each, "groupId": each, "timestamp": at, "messageId": f"g{each}",
                "traits": {"seats": 1}} for each in IDS))  # fmt: skip
    home.run("2026-01-02T00:00:00Z")
    with opened(home.home) as found:
        yield found


@pytest.mark.parametrize("id", IDS)
def test_an_id_is_what_it_says(door: Served, id: str) -> None:
    part = quote(id, safe="")
    if id in (".", ".."):
        # Clients and proxies take these away before they ask, so they are written out.
        part = part.replace(".", "%2E")
    for path, name in ((f"/profiles/{part}", "id"), (f"/objects/booking/{part}", "id"), (f"/accounts/{part}", "id")):
        answer = door.ask("GET", path)
        assert (answer.status, answer.json[name]) == (200, id), (path, answer.text)
    links = door.ask("GET", f"/profiles/{part}/links")
    assert (links.status, links.json["id"]) == (200, id)
    note = door.ask("POST", f"/profiles/{part}/notes", {"text": "tea"})
    assert (note.status, door.last().user_id) == (200, id)
    assert door.ask("POST", f"/objects/booking/{part}", {"set": {"room": "9"}}).json["id"] == id


def test_items_and_what_is_not_there(door: Served) -> None:
    assert door.ask("GET", "/items/products/a%2Fb").json["item"]["id"] == "a/b"
    assert door.ask("GET", "/items/products/a%20b").json["item"]["id"] == "a b"
    for path in (
        "/profiles/a%252Fb/links/x",
        "/profiles/a%2fc",
        "/profiles/a%ff",
        "/profiles/%zz",
        "/items/products/a+b",
    ):
        assert door.ask("GET", path).status == 404, path
    assert "a/c" in door.ask("GET", "/profiles/a%2Fc").json["detail"]


def test_a_slash_at_the_end_is_none(door: Served) -> None:
    """The address with a slash at its end is the same one; a slash that is encoded belongs to the id."""
    assert door.ask("GET", "/profiles/a%20b/").json["id"] == "a b"
    assert door.ask("GET", "/profiles/a%2F").json["id"] == "a/"
    assert door.ask("GET", "/profiles/").json["profiles"]


def test_no_path_leads_out_of_its_route(door: Served) -> None:
    """Whatever stands in a path: an answer about a customer of that very id, or none."""
    chance, pieces = random.Random(43), ["..", ".", "/", "%2F", "%2E", "%25", "a", "b", "%", "%00", "links", ";", "%5C"]
    told = 0
    for _ in range(150):
        path = "".join(chance.choices(pieces, k=chance.randint(1, 6)))
        answer = door.ask("GET", f"/profiles/{path}")
        assert answer.status in (200, 400, 404, 405), (path, answer.text)
        if answer.status == 200 and "timeline" in answer.json:
            told += 1
            assert quote(answer.json["id"], safe="").lower() in quote(path, safe="%/").lower() or (
                answer.json["id"] in IDS
            ), path
    print(f"seed 43: 150 paths, {told} led to a customer")
    assert told
