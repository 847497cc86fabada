"""The API before tests: a small workspace with something of every kind in it, and how each route is asked.

A route of the application that is not in `CASES` fails `tests/architecture`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from secrets import token_hex
from typing import Any
from urllib.parse import quote, urlencode

from innkeeper.kernel.time import FixedClock, parse_instant
from innkeeper.runtime import sources
from innkeeper.store.state import State
from support.door import NOW, Answer, Served, reopened
from support.workspace import BASE, Workspace, event, identify, message

STRATEGY = {
    "strategy.yaml": "name: test\nzone: UTC\ntraits: [plan, email, street]\n"
    "matching: {household: {address: [street]}}\n"
    "events: {Login: [], Order Completed: [total], Booking: [booking_id, room, arrival], Wanted: [product_id]}\n"
    "accounts: {traits: {seats: number}, roles: [admin, member]}\n"
    "objects: {booking: {id: booking_id, roles: {owner: user}, properties: [room], dates: {arrival: UTC},"
    " events: {Booking: confirmed}}}\n",
    "audiences/big.yaml": "when: sum('Order Completed', total) > 100\n",
    "stages.yaml": "- {stage: buyer, when: did('Order Completed')}\n- {stage: new, when: 'true'}\n",
    "catalogs/products.yaml": "kind: product\nwished_by: {event: Wanted, item: product_id}\nitems:\n"
    "  - {id: soap, name: Soap, price: 9.5, stock: 0}\n  - {id: robe, name: Robe, price: 80, stock: 3}\n",
    "messages/hi.md": message("Hi", body="Hi"),
    "messages/stay.md": message("Your stay", purpose="stay", body="Soon"),
    "channels.yaml": "email: {provider: file, from: a@example.com}\n",
    "journeys/welcome.yaml": "enter: {audience: big, change: entered}\nsteps:\n  - send: hi\n"
    "  - task: {queue: desk, title: 'Call {{ profile.id }}'}\n  - wait: 8 days\n  - send: stay\n",
}
EXPRESSION = "did('Order Completed')"
#: What stands in the workspace and must not be told to who asks for something else.
CANARY = "canary"
MATCH = "m-1"
MAPPING = "event: { value: Happened }\nuserId: who\ntimestamp: at\n"
_GUESTS = ("ann", "bob", "cy", "canary-guest")


@dataclass(frozen=True, slots=True)
class Ask:
    """How a route is asked: what fills its path, its query, its body.

    Attributes:
        known: Parts of the path that name something which is there.
        unknown: Parts that name nothing, near to what is there; empty: the path names nothing that could be unknown.
        query: As it is sent.
        body: As it is sent, as JSON.
        headers: Beside the token.
        media: Of a good answer.
        by_session: It is about the session that asks, so that a token gets no good answer.
    """

    known: dict[str, str] = field(default_factory=dict)
    unknown: dict[str, str] = field(default_factory=dict)
    query: dict[str, str] = field(default_factory=dict)
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    media: str = "application/json"
    by_session: bool = False


_GUEST = {"id": "canary-guest"}
_NO_GUEST = {"id": "canary-gues"}
_BOOKING = {"type": "booking", "id": "canary-booking"}
_NO_BOOKING = {"type": "booking", "id": "canary-bookin"}
_ITEM = {"catalog": "products", "id": "soap"}
_EXPRESSION = {"expression": EXPRESSION}
_PERIOD = {"begin": "2026-01-01T00:00:00Z", "until": "2026-02-01T00:00:00Z"}
_DRAFT = {"files": {**BASE, **STRATEGY}}
_A_DRAFT, _NO_DRAFT = {"id": "DRAFT"}, {"id": "draft-canary"}
#: The version of a draft that was just made, over the first strategy.
_OF_DRAFT = {"If-Match": '"1.1"'}
_TASK, _NO_TASK = {"id": "TASK"}, {"id": "canary-task"}
_LINK = {"a": "ann", "b": "anonymous_id:device-ann"}
_USER, _NO_USER = {"name": "canary-user"}, {"name": "canary-use"}
_IMPORT, _NO_IMPORT = {"id": "IMPORT"}, {"id": "999"}
_SOURCE, _NO_SOURCE = {"name": "canary-source"}, {"name": "canary-sourc"}
_PAGE, _NO_PAGE = {"name": "canary-page"}, {"name": "canary-pag"}
_TOLD, _NOT_TOLD, _SPARE = {"name": "canary-receiver"}, {"name": "canary-receive"}, {"name": "SPARE"}
#: Nobody listens there.
_RECEIVER = {"url": "http://127.0.0.1:1099/", "events": ["Audience Entered"], "allow_private": True}

#: Every route of the API, by method and path as the description writes it.
CASES: dict[tuple[str, str], Ask] = {
    ("GET", "/profiles"): Ask(),
    ("GET", "/profiles/{id}"): Ask(_GUEST, _NO_GUEST),
    ("GET", "/profiles/{id}/links"): Ask(_GUEST, _NO_GUEST),
    ("GET", "/profiles/{id}/explain"): Ask(_GUEST, _NO_GUEST, query={"message": "hi"}),
    ("POST", "/links"): Ask(body=_LINK),
    ("POST", "/links/remove"): Ask(body=_LINK),
    ("POST", "/profiles/{id}/notes"): Ask(_GUEST, _NO_GUEST, body={"text": "likes tea"}),
    ("GET", "/audiences/count"): Ask(query=_EXPRESSION),
    ("GET", "/audiences/members"): Ask(query=_EXPRESSION),
    ("GET", "/audiences/flips"): Ask(query=_EXPRESSION | _PERIOD),
    ("GET", "/audiences/explain"): Ask(query=_EXPRESSION),
    ("GET", "/decisions"): Ask(),
    ("GET", "/deliveries"): Ask(),
    ("GET", "/deliveries/balance"): Ask(),
    ("GET", "/deliveries/{id}"): Ask({"id": "DELIVERY"}, {"id": "canary-delivery"}),
    ("GET", "/objects/{type}"): Ask({"type": "booking"}, {"type": "bookin"}),
    ("GET", "/objects/{type}/{id}"): Ask(_BOOKING, _NO_BOOKING),
    ("POST", "/objects/{type}/{id}"): Ask(_BOOKING, {"type": "bookin", "id": "x"}, body={"set": {"room": "7"}}),
    ("POST", "/objects/{type}/{id}/remove"): Ask(_BOOKING, {"type": "bookin", "id": "x"}, body={}),
    ("GET", "/accounts"): Ask(),
    ("GET", "/accounts/{id}"): Ask({"id": "canary-account"}, {"id": "canary-accoun"}),
    ("GET", "/items"): Ask(),
    ("GET", "/items/{catalog}/{id}"): Ask(_ITEM, _ITEM | {"id": "canary-item"}),
    ("POST", "/items/{catalog}/{id}"): Ask(_ITEM, {"catalog": "product", "id": "soap"}, body={"set": {"stock": 2}}),
    ("GET", "/status"): Ask(),
    ("GET", "/stages"): Ask(),
    ("GET", "/journeys"): Ask(),
    ("GET", "/log"): Ask(),
    ("GET", "/catalog/events"): Ask(),
    ("GET", "/catalog/events/{name}"): Ask({"name": "Booking"}, {"name": "Bookin"}),
    ("GET", "/catalog/traits"): Ask(),
    ("GET", "/tasks"): Ask(),
    ("GET", "/tasks/{id}"): Ask(_TASK, _NO_TASK),
    ("POST", "/tasks/{id}/claim"): Ask(_TASK, _NO_TASK, body={}),
    ("POST", "/tasks/{id}/assign"): Ask(_TASK, _NO_TASK, body={"to": "maria"}),
    ("POST", "/tasks/{id}/done"): Ask(_TASK, _NO_TASK, body={"outcome": "reached"}),
    ("GET", "/households"): Ask(),
    ("GET", "/households/{household}"): Ask({"household": "canary-house"}, {"household": "canary-hous"}),
    ("POST", "/households/{household}/answer"): Ask(
        {"household": "canary-house"}, {"household": "canary-hous"}, body={"allowed": True}
    ),
    ("POST", "/households/join"): Ask(body={"id": "ann", "household": "canary-house"}),
    ("POST", "/households/leave"): Ask(body={"id": "cy"}),
    ("GET", "/matches"): Ask(),
    ("GET", "/matches/{id}"): Ask({"id": MATCH}, {"id": "m-9"}),
    ("POST", "/matches/propose"): Ask(body={"kind": "household"}),
    ("POST", "/matches/accept"): Ask(body={"homes": True}),
    ("POST", "/matches/reject"): Ask(body={}),
    ("GET", "/definitions"): Ask(),
    ("POST", "/definitions/check"): Ask(body=_DRAFT),
    ("POST", "/definitions/plan"): Ask(body=_DRAFT),
    ("POST", "/definitions/publish"): Ask(body=_DRAFT, headers={"If-Match": '"1"'}),
    ("GET", "/drafts"): Ask(),
    ("POST", "/drafts"): Ask(body={"files": {"audiences/canary.yaml": "when: did('Login')\n"}}),
    ("GET", "/drafts/{id}"): Ask(_A_DRAFT, _NO_DRAFT),
    ("GET", "/drafts/{id}/check"): Ask(_A_DRAFT, _NO_DRAFT),
    ("GET", "/drafts/{id}/plan"): Ask(_A_DRAFT, _NO_DRAFT),
    ("POST", "/drafts/{id}/files"): Ask(_A_DRAFT, _NO_DRAFT, body={"files": {}}, headers=_OF_DRAFT),
    ("POST", "/drafts/{id}/rebase"): Ask(_A_DRAFT, _NO_DRAFT, body={}, headers=_OF_DRAFT),
    ("DELETE", "/drafts/{id}"): Ask(_A_DRAFT, _NO_DRAFT, headers=_OF_DRAFT),
    ("POST", "/drafts/{id}/publish"): Ask(_A_DRAFT, _NO_DRAFT, body={}, headers=_OF_DRAFT),
    ("GET", "/reports/overview"): Ask(),
    ("GET", "/retractions"): Ask(),
    ("POST", "/retractions"): Ask(body={"source": "shop", "messages": ["wrong"]}),
    ("POST", "/retractions/{name}/lift"): Ask({"name": "RETRACTION"}, {"name": "retraction-9-canary"}, body={}),
    ("GET", "/retention"): Ask(),
    ("POST", "/retention"): Ask(),
    ("POST", "/imports"): Ask(query={"name": "guests.jsonl"}, body=identify("cy", "2026-01-02T10:00:00Z")),
    ("GET", "/imports"): Ask(),
    ("GET", "/imports/{id}"): Ask(_IMPORT, _NO_IMPORT),
    ("GET", "/imports/{id}/progress"): Ask(_IMPORT, _NO_IMPORT, media="text/event-stream"),
    ("GET", "/imports/{id}/rejects"): Ask(_IMPORT, _NO_IMPORT, media="application/x-ndjson"),
    ("DELETE", "/imports/{id}"): Ask(_IMPORT, _NO_IMPORT),
    ("GET", "/session"): Ask(),
    ("DELETE", "/session"): Ask(by_session=True),
    ("POST", "/session/password"): Ask(body={"current": "x", "password": "y"}, by_session=True),
    ("GET", "/sessions"): Ask(),
    ("DELETE", "/sessions/{id}"): Ask({"id": "a-session"}, {"id": "canary-session"}, by_session=True),
    ("GET", "/roles"): Ask(),
    ("GET", "/users"): Ask(),
    ("POST", "/users"): Ask(body={"name": "dora", "role": "viewer"}),
    ("POST", "/users/{name}/role"): Ask(_USER, _NO_USER, body={"role": "viewer"}),
    ("POST", "/users/{name}/password"): Ask(_USER, _NO_USER, body={"password": "four words of a sentence"}),
    ("DELETE", "/users/{name}"): Ask(_USER, _NO_USER),
    ("GET", "/audit"): Ask(),
    ("GET", "/audit/verify"): Ask(),
    ("GET", "/tokens"): Ask(),
    ("POST", "/tokens"): Ask(body={"name": "dora-1", "user": "canary-user"}),
    ("DELETE", "/tokens/{name}"): Ask({"name": "canary-token"}, {"name": "canary-toke"}),
    ("GET", "/sources"): Ask(),
    ("POST", "/sources"): Ask(body={"name": "till", "kind": "server"}),
    ("GET", "/sources/{name}"): Ask(_SOURCE, _NO_SOURCE),
    ("POST", "/sources/{name}/rotate"): Ask(_SOURCE, _NO_SOURCE),
    ("POST", "/sources/{name}/revoke"): Ask(_SOURCE, _NO_SOURCE),
    ("POST", "/sources/{name}/webhook"): Ask(
        _SOURCE, _NO_SOURCE, body={"scheme": "stripe", "mapping": MAPPING, "secret_env": "SECRET"}
    ),
    ("POST", "/sources/{name}/test"): Ask(_SOURCE, _NO_SOURCE, body={"body": "{}", "mapping": MAPPING}),
    ("DELETE", "/sources/{name}/webhook"): Ask(_SOURCE, _NO_SOURCE),
    ("POST", "/sources/{name}/user-tokens"): Ask(_PAGE, _NO_PAGE, body={"hs256_env": "SECRET"}),
    ("DELETE", "/sources/{name}/user-tokens"): Ask(_PAGE, _NO_PAGE),
    ("GET", "/subscriptions"): Ask(),
    ("POST", "/subscriptions"): Ask(body=_RECEIVER | {"name": "crm"}),
    ("GET", "/subscriptions/{name}"): Ask(_TOLD, _NOT_TOLD),
    ("POST", "/subscriptions/{name}/pause"): Ask(_TOLD, _NOT_TOLD),
    ("POST", "/subscriptions/{name}/resume"): Ask(_TOLD, _NOT_TOLD),
    ("POST", "/subscriptions/{name}/test"): Ask(_TOLD, _NOT_TOLD),
    ("POST", "/subscriptions/{name}/redeliver"): Ask(_TOLD, _NOT_TOLD, body={}),
    ("POST", "/subscriptions/{name}/rotate-secret"): Ask(_TOLD, _NOT_TOLD),
    ("GET", "/subscriptions/{name}/failures"): Ask(_TOLD, _NOT_TOLD),
    ("DELETE", "/subscriptions/{name}"): Ask(_SPARE, _NOT_TOLD),
}


def workspace(home: Path) -> Workspace:
    """A home in which every noun of the API has something to tell."""
    made = Workspace(home)
    made.apply(STRATEGY)
    for who in _GUESTS:
        house = {"household": "canary-house"} if who in ("cy", "canary-guest") else {}
        made.add(identify(who, "2026-01-01T10:00:00Z", anonymous=f"device-{who}", email=f"{who}@example.com", **house))
    made.add(
        *(event("Order Completed", who, f"2026-01-0{day}T10:00:00Z", total=60 * day)
          for day, who in enumerate(_GUESTS, 2)),
        event("Order Completed", "bob", "2026-01-03T11:00:00Z", total=90, id="wrong"),
        event("Booking", "ann", "2026-01-03T12:00:00Z", booking_id="b1", room="12", arrival="2026-03-01"),
        event("Booking", "canary-guest", "2026-01-03T12:00:00Z", booking_id="canary-booking", room="14"),
        event("Wanted", "cy", "2026-01-03T13:00:00Z", product_id="soap"),
        event("Deceased Reported", "cy", "2026-01-07T10:00:00Z"),
        _group("ann", "acme", role="admin", seats=12),
        _group("bob", "acme", role="member"),
        _group("canary-guest", "canary-account", role="admin", seats=3),
        source="shop",
    )  # fmt: skip
    made.run("2026-01-08T00:00:00Z", deliver="file")
    with State.open(home) as state, state.transaction() as connection:
        connection.execute(
            "INSERT INTO proposals (id, kind, members, household_id, probability, weight, evidence, state, proposed_at)"
            " VALUES (?, 'person', ?, NULL, 0.9, 3.2, '[]', 'open', 0)",
            (MATCH, '["user_id:ann", "user_id:bob"]'),
        )
    return made


def _group(who: str, account: str, *, role: str, **traits: Any) -> Any:
    return {
        "type": "group", "userId": who, "groupId": account, "timestamp": "2026-01-04T10:00:00Z",
        "messageId": f"group-{who}-{account}", "traits": {"role": role, **traits},
    }  # fmt: skip


@contextmanager
def served(home: Path) -> Iterator[Served]:
    """That home behind its door, with a user, a token and a source whose names are canaries."""
    workspace(home)
    clock = FixedClock(parse_instant(NOW))
    keys = {"canary-source": sources.create(home, "canary-source", "server", clock)}
    sources.create(home, "canary-page", "public", clock)
    with reopened(home, keys, clock=clock) as found:
        for path, body in {
            "/users": {"name": "canary-user", "role": "viewer"},
            "/tokens": {"name": "canary-token", "user": "canary-user"},
            "/subscriptions": _RECEIVER | {"name": "canary-receiver"},
        }.items():
            assert found.ask("POST", path, body).status == 201
        yield found


def path_of(template: str, parts: dict[str, str], query: dict[str, str] | None = None) -> str:
    """A path with its parts filled in, and a query."""
    path = template
    for name, value in parts.items():
        path = path.replace("{" + name + "}", quote(value, safe=""))
    return path + (f"?{urlencode(query)}" if query else "")


def ask(found: Served, method: str, template: str, parts: dict[str, str], **more: Any) -> Answer:
    """A route as its case says, with these parts of the path."""
    case = CASES[method, template]
    return found.ask(method, path_of(template, parts, case.query), case.body, **case.headers, **more)


def drafted(found: Served) -> str:
    """A draft of something that is not in force yet, whatever was published before."""
    files = {f"audiences/canary-{token_hex(4)}.yaml": "when: did('Login')\n"}
    return str(found.ask("POST", "/drafts", {"files": files}).json["draft"])


def real(found: Served, case: Ask) -> dict[str, str]:
    """The parts of a path that are there, with the names that are only known once they are made."""
    made: dict[str, Callable[[], str]] = {
        "TASK": lambda: found.ask("GET", "/tasks?profile=ann").json["tasks"][0]["id"],
        "DELIVERY": lambda: found.ask("GET", "/deliveries").json["deliveries"][0]["id"],
        "IMPORT": lambda: imported(found, b'{"no": "event"}\n')["id"],
        "DRAFT": lambda: drafted(found),
        "SPARE": lambda: spare(found),
        "RETRACTION": lambda: found.ask("POST", "/retractions", _RETRACTION).json["retraction"],
    }
    return {name: made[value]() if value in made else value for name, value in case.known.items()}


def spare(found: Served) -> str:
    """The name of a subscription that may be removed."""
    name = f"spare-{len(found.ask('GET', '/audit?limit=1000').json['entries'])}"
    assert found.ask("POST", "/subscriptions", _RECEIVER | {"name": name}).status == 201
    return name


def imported(found: Served, data: bytes, name: str = "guests.jsonl", **more: str) -> Any:
    """A file that was sent to be imported, when its import has ended."""
    told = upload(found, data, name, **more)
    assert told.status == 202, told.text
    return ended(found, told.json["id"])


def upload(found: Served, data: bytes, name: str = "guests.jsonl", *, key: str = "", **query: str) -> Answer:
    """A file sent to be imported, with the token of the command line."""
    headers = {"Authorization": f"Bearer {found.house.doorman.local_token}"} | ({"Idempotency-Key": key} if key else {})
    return found.call("POST", f"/api/v1/imports?{urlencode({'name': name, **query})}", data, headers)


def ended(found: Served, id: str) -> Any:
    """An import, when it has ended; its progress is followed until then."""
    said = found.ask("GET", f"/imports/{id}/progress").text.decode()
    return json.loads(said.strip().rpartition("data: ")[2])


_RETRACTION = {"source": "shop", "messages": ["wrong"], "do": True}
