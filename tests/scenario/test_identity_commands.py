"""Who is who on the command line and through whole runs: the Segment calls, links added and taken back, limits."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from support.workspace import BASE, Workspace, event, identify, message

from innkeeper import lifecycle
from innkeeper.runtime.links import links_of, say
from innkeeper.runtime.lock import hold
from innkeeper.runtime.replay import replay
from innkeeper.store.state import State


def day(number: int, hour: int = 9) -> str:
    return f"2026-03-{number:02d}T{hour:02d}:00:00Z"


def alias(who: str, previous: str, at: str) -> dict[str, Any]:
    return {"type": "alias", "userId": who, "previousId": previous, "timestamp": at, "messageId": f"alias-{at}"}


def group(who: str, anonymous: str, at: str) -> dict[str, Any]:
    return {"type": "group", "userId": who, "anonymousId": anonymous, "groupId": "acme", "timestamp": at,
            "messageId": f"group-{who}-{at}"}  # fmt: skip


AUDIENCES = {"audiences/seen.yaml": "when: did('Login')\n", "audiences/busy.yaml": "when: count('Login') >= 2\n"}
JOURNEY = "enter: {event: Booking}\nkey: booking_id\nsteps: [{wait: 2 days}, {send: hello}]\npurpose: stay\n"


def workspace(home: Path, *events: Any, identity: str = "", files: dict[str, str] | None = None) -> Workspace:
    made = Workspace(home)
    made.apply({"strategy.yaml": BASE["strategy.yaml"] + identity, **AUDIENCES, **(files or {})})
    made.add(*events)
    return made


def profiles(made: Workspace) -> dict[str, dict[str, list[str]]]:
    """By subject and identifier, the names of the audiences; enough to see who is who."""
    found = {}
    with State.open(made.home, readonly=True) as state:
        for page in state.pages():
            for subject, body in page:
                profile = lifecycle.decode(body)
                found[subject] = {"facts": sorted(profile.facts), "known": sorted({subject, *profile.identifiers})}
    return found


def test_a_visitor_becomes_known_and_a_second_login_begins_a_span_of_its_own(tmp_path: Path) -> None:
    made = workspace(
        tmp_path, event("Login", None, day(1), anonymous="b"), event("Login", "ann", day(2), anonymous="b"),
        event("Login", None, day(3), anonymous="b"), event("Login", "bob", day(4), anonymous="b"),
        event("Login", None, day(5), anonymous="b"),
    )  # fmt: skip
    made.run(day(6))
    found = profiles(made)
    assert found.keys() == {"user_id:ann", "user_id:bob"}
    told = links_of(tmp_path, "ann")
    [mine] = [each["spans"] for each in told["identifiers"] if each["identifier"] == "anonymous_id:b"]
    assert mine == [{"since": None, "until": "2026-03-04T09:00:00Z"}]


def test_each_owner_of_a_shared_browser_has_enrollments_and_messages_of_their_own(tmp_path: Path) -> None:
    journey = "enter: {event: Login}\nreentry: never\nsteps: [{send: hello}]\npurpose: stay\n"
    made = workspace(
        tmp_path, identify("ann", day(1), email="ann@example.com"), identify("bob", day(1), email="bob@example.com"),
        event("Page", "ann", day(1, 10), anonymous="b"), event("Login", None, day(2), anonymous="b"),
        event("Page", "bob", day(3), anonymous="b"), event("Login", None, day(4), anonymous="b"),
        files={"journeys/hi.yaml": journey, "messages/hello.md": message(purpose="stay")},
    )  # fmt: skip
    made.run(day(5), deliver="file")
    with State.open(tmp_path, readonly=True) as state:
        rows = state.connection.execute("SELECT subject, identifier FROM enrollments ORDER BY subject").fetchall()
        sent = state.connection.execute("SELECT subject, address, state FROM deliveries ORDER BY subject").fetchall()
    assert rows == [("user_id:ann", "anonymous_id:b"), ("user_id:bob", "anonymous_id:b")]
    assert sent == [
        ("user_id:ann", "ann@example.com", "accepted"), ("user_id:bob", "bob@example.com", "accepted"),
    ]  # fmt: skip


def test_alias_renames_a_user_and_claims_an_anonymous_past(tmp_path: Path) -> None:
    made = workspace(
        tmp_path, event("Login", None, day(1), anonymous="b"), alias("new", "b", day(2)),
        event("Login", "old", day(1)), alias("new", "old", day(3)),
    )  # fmt: skip
    made.run(day(5))
    assert profiles(made)["user_id:new"]["facts"] == ["anonymous_id:b", "user_id:new", "user_id:old"]
    assert profiles(made).keys() == {"user_id:new"}
    assert replay(tmp_path).different == 0


def test_one_browser_that_was_aliased_to_two_users_does_not_make_them_one(tmp_path: Path) -> None:
    made = workspace(
        tmp_path, event("Login", None, day(1), anonymous="b"), alias("ann", "b", day(2)), alias("bob", "b", day(3)),
        event("Login", "ann", day(4)), event("Login", "bob", day(4)),
    )  # fmt: skip
    made.run(day(5))
    assert profiles(made).keys() == {"user_id:ann", "user_id:bob"}


def test_group_links_no_customers_and_reset_begins_a_new_browser(tmp_path: Path) -> None:
    made = workspace(
        tmp_path, group("ann", "b1", day(1)), group("bob", "b2", day(1)), event("Login", None, day(2), anonymous="b1"),
        event("Login", None, day(3), anonymous="b1-after-reset"),
    )  # fmt: skip
    made.run(day(4))
    assert profiles(made).keys() == {"user_id:ann", "user_id:bob", "anonymous_id:b1-after-reset"}
    made.add(event("Login", "cid", day(5), anonymous="b1-after-reset"))
    made.run(day(6))
    assert profiles(made).keys() == {"user_id:ann", "user_id:bob", "user_id:cid"}


CRM = (
    "sources: {crm: {verifies: [email]}, web: {may_link: false}}\n"
    "identity: {fan_in: 5, namespaces: {email: {limit: 1}}}\n"
)


def test_an_address_joins_where_it_is_verified_and_nowhere_else(tmp_path: Path) -> None:
    made = workspace(tmp_path, identity=CRM)
    made.add(identify("ann", day(1), email="ann@example.com"), source="crm")
    made.add(identify("eve", day(2), email="ann@example.com"), source="web")
    confirmed = event(
        "Double Opt-In Confirmed", None, day(3), anonymous="b", channel="email", address="ann@Example.com"
    )
    made.add(confirmed, source="site")
    made.run(day(4))
    assert profiles(made)["user_id:ann"]["known"] == ["anonymous_id:b", "email:ann@example.com", "user_id:ann"]
    refused = {(link["kind"], link["reason"]) for link in links_of(tmp_path, "eve")["links"] if not link["counts"]}
    assert refused == {("seen", "not_verified")}


def test_an_address_joins_nobody_on_the_word_of_a_source_that_is_not_trusted(tmp_path: Path) -> None:
    made = workspace(tmp_path, identity="sources: {crm: {verifies: [email]}, form: {trust: 0, verifies: [email]}}\n")
    made.add(identify("ann", day(1), email="ann@example.com"), source="crm")
    told = event("Identifier Verified", None, day(2), anonymous="b1", namespace="email", value="ann@example.com")
    made.add(told, identify("eve", day(2), email="eve@example.com"), source="form")
    made.add(event("Double Opt-In Confirmed", None, day(3), anonymous="b2", channel="email", address="ann@example.com"))
    made.run(day(4))
    assert profiles(made)["user_id:ann"]["known"] == ["anonymous_id:b2", "email:ann@example.com", "user_id:ann"]
    assert profiles(made)["user_id:eve"]["known"] == ["user_id:eve"]
    assert made.cli("audience", "list", "did('Double Opt-In Confirmed')")["ids"] == ["ann"]
    assert made.cli("audience", "list", "did('Identifier Verified')")["ids"] == ["anonymous_id:b1"]


def test_a_public_source_claims_browsers_and_joins_nobody(tmp_path: Path) -> None:
    made = workspace(tmp_path, identity=CRM)
    made.add(
        event("Login", "ann", day(1)), event("Login", "bob", day(1)), alias("bob", "ann", day(2)),
        event("Link Added", "bob", day(2), a="ann", b="bob"), event("Login", "bob", day(3), anonymous="x"),
        source="web",
    )  # fmt: skip
    made.run(day(4))
    assert profiles(made).keys() == {"user_id:ann", "user_id:bob"}
    reasons = {link["kind"]: link["reason"] for link in links_of(tmp_path, "ann")["links"]}
    assert reasons == {"alias": "may_not_link", "added": "may_not_link"}


def test_no_more_than_the_cap_follow_one_user_and_it_is_said(tmp_path: Path) -> None:
    made = workspace(tmp_path, identity="identity: {fan_in: 3}\n")
    made.add(*(event("Login", "ann", day(n), anonymous=f"b{n}") for n in range(1, 9)))
    made.add(*(event("Login", None, day(10), anonymous=f"b{n}") for n in range(1, 9)))
    made.run(day(11))
    assert [each for each in profiles(made) if each.startswith("anonymous")] == [
        f"anonymous_id:b{n}" for n in range(4, 9)
    ]
    assert made.cli("status")["refused_links"] == {"limit": 5}
    assert [each["code"] for each in made.cli("doctor")["findings"]] == ["links-refused"]
    reasons = {link["a"]: link["reason"] for link in links_of(tmp_path, "ann")["links"]}
    assert [name for name, reason in sorted(reasons.items()) if reason == "limit"] == [
        f"anonymous_id:b{n}" for n in range(4, 9)
    ]


def state_of(made: Workspace, subject: str) -> dict[str, Any]:
    """A profile without the bookkeeping of inputs."""
    with State.open(made.home, readonly=True) as state:
        found = lifecycle.decode(state.bodies([subject])[subject])
    for facts in found.facts.values():
        # A word on a link is an event of those whom it is about.
        facts.inputs = facts.last = facts.latest = 0
        facts.claims = {}
    return {
        "facts": msgspec.to_builtins(found.facts), "memberships": msgspec.to_builtins(found.memberships),
        "enrollments": [(each.id, each.step, each.due_at) for each in found.enrollments], "stage": found.stage,
        "consents": [msgspec.to_builtins(each.consents) for each in found.facts.values()],
        "reservations": msgspec.to_builtins(found.reservations), "identifiers": found.identifiers,
    }  # fmt: skip


LIVES = (
    event("Login", None, day(1), anonymous="b1"), event("Login", "ann", day(2), anonymous="b1"),
    event("Consent Given", "ann", day(2), purpose="offers", channel="email"),
    identify("ann", day(2), email="ann@example.com", plan="pro"), event("Booking", "ann", day(9), booking_id="1"),
    event("Login", "zoe", day(3), anonymous="b2"), event("Consent Withdrawn", "zoe", day(4), purpose="offers"),
    identify("zoe", day(4), email="zoe@example.com", plan="free"), event("Booking", "zoe", day(9), booking_id="2"),
)  # fmt: skip
FILES = {"journeys/stay.yaml": JOURNEY, "messages/hello.md": message(purpose="stay")}


def test_taking_a_link_back_leaves_two_as_if_they_had_never_been_one(tmp_path: Path) -> None:
    linked, never = (workspace(tmp_path / name, *LIVES, files=FILES) for name in ("linked", "never"))
    for made in (linked, never):
        made.run(day(10))
    joined = say(linked.home, "ann", "zoe", added=True, why="same address")
    assert [merge.what for merge in joined.merges] == ["joined"]
    assert profiles(linked).keys() == {"user_id:ann"}
    apart = say(linked.home, "ann", "zoe", added=False, why="mother and daughter")
    assert [merge.what for merge in apart.merges] == ["apart"]
    for subject in ("user_id:ann", "user_id:zoe"):
        assert state_of(linked, subject) == state_of(never, subject), subject
    for made in (linked, never):
        made.run(day(15))
    sent = [sorted(row["user_id"] for row in made.cli("ledger", "list")["deliveries"]) for made in (linked, never)]
    assert sent == [["ann", "zoe"]] * 2
    for subject in ("user_id:ann", "user_id:zoe"):
        assert state_of(linked, subject)["facts"] == state_of(never, subject)["facts"], subject
    assert replay(linked.home).different == 0


def test_numbers_of_outputs_are_never_used_again(tmp_path: Path) -> None:
    made = workspace(tmp_path, *LIVES, files=FILES)
    made.run(day(10))
    for _ in range(3):
        say(tmp_path, "ann", "zoe", added=True, why="")
        say(tmp_path, "ann", "zoe", added=False, why="")
    made.add(event("Login", "zoe", day(11)), event("Login", "zoe", day(11, 10)))
    made.run(day(15))
    assert replay(tmp_path).different == 0
    names = [row["messageId"] for row in made.cli("events", "list", "--last", "500")["events"]]
    assert len(names) == len(set(names))


def test_the_commands(tmp_path: Path) -> None:
    made = workspace(tmp_path, *LIVES)
    made.run(day(10))
    told = made.cli("link", "add", "ann", "zoe", "--reason", "same phone")
    assert (told["counts"], [merge["what"] for merge in told["merges"]]) == (True, ["joined"])
    shown = made.cli("profile", "show", "zoe")
    assert shown["id"] == "ann"
    assert [each["identifier"] for each in shown["known_as"]] == shown["identifiers"]
    assert [merge["other"] for merge in shown["merges"]] == ["anonymous_id:b1", "user_id:zoe"]
    assert made.cli("audience", "list", "did('Login')", "--id", "anonymous_id")["ids"] == ["anonymous_id:b1"]
    told = made.cli("link", "remove", "anonymous_id:b1", "ann")
    assert [merge["other"] for merge in told["merges"]] == ["anonymous_id:b1"]
    links = made.cli("profile", "links", "anonymous_id:b1")["links"]
    assert {link["kind"]: link["reason"] for link in links} == {"removed": "", "claim": "removed"}


CARDS = (
    "identity: {namespaces: {card: {from: [traits.card, properties.card], limit: 1},"
    " kiosk: {owner: spans, from: context.kiosk}}}\n"
)


def test_declared_namespaces_and_devices_are_found_and_printed(tmp_path: Path) -> None:
    made = workspace(tmp_path, identity=CARDS)
    device = {"context": {"device": {"id": "d1"}, "kiosk": "k1", "externalIds": [{"type": "card", "id": 77}]}}
    made.add(
        event("Login", "ann", day(1)) | device, identify("bob", day(2), card="88"), identify("cid", day(3), card="0")
    )
    made.add(event("Login", None, day(4), anonymous="b", card="77"), identify("bob", day(5), card="99"))
    made.run(day(6))
    everyone = ("audience", "list", "true", "--id")
    assert made.cli(*everyone, "card")["ids"] == ["card:77", "card:88"]
    assert made.cli(*everyone, "device")["ids"] == ["device:d1"]
    assert made.cli(*everyone, "kiosk")["ids"] == ["kiosk:k1"]
    assert made.cli(*everyone, "anonymous_id")["ids"] == ["anonymous_id:b"]
    assert {made.cli("profile", "show", id)["id"] for id in ("card:77", "kiosk:k1", "device:d1", "anonymous_id:b")} == {
        "ann"
    }
    reasons = {link["a"]: link["reason"] for link in links_of(tmp_path, "bob")["links"]}
    assert reasons == {"card:88": "", "card:99": "limit"}


@pytest.mark.parametrize(
    ("call", "code"),
    [
        (("remove", "ann", "zoe"), "no-link"), (("add", "ann", "ann"), "same-identifier"),
        (("add", "ann", "email:nobody"), "bad-identifier"), (("add", "ann", "anonymous_id:null"), "blocked-identifier"),
        (("add", "nobody1", "nobody2"), "unknown-profile"), (("add", "anonymous_id:b1", "device:d"), "two-spans"),
    ],
)  # fmt: skip
def test_wrong_words_on_links(tmp_path: Path, call: tuple[str, ...], code: str) -> None:
    made = workspace(tmp_path, *LIVES)
    made.run(day(10))
    done = made.shell("--json", "link", *call)
    assert done.returncode == 2
    assert [error["code"] for error in json.loads(done.stdout)["errors"]] == [code]


def test_a_held_workspace_is_left_alone(tmp_path: Path) -> None:
    made = workspace(tmp_path, *LIVES)
    made.run(day(10))
    with hold(tmp_path):
        done = made.shell("--json", "link", "add", "ann", "zoe")
    assert done.returncode == 1
    assert "pid" in done.stderr
