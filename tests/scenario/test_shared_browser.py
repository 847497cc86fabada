"""What is held under a browser that two people use: each has what was said while it was theirs, through the engine."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Any

from scenario.test_items import STRATEGY as SHOP
from scenario.test_items import update, wish
from scenario.test_object_journeys import hotel
from support.owners import check_owners
from support.workspace import Workspace, event, identify

from innkeeper.kernel.time import parse_instant
from innkeeper.lifecycle import decode, encode
from innkeeper.runtime.replay import replay
from innkeeper.runtime.retract import lift, retract
from innkeeper.store.state import State

ON_CONFIRMED = (
    "enter: { object: booking, on: created, when: booking.status = 'confirmed' }\nkey: booking\npurpose: stay\n"
    "reentry: never\nsteps: [{ send: guide }, { wait: 9 days }, { send: day-before }]\n"
)
HAS_ONE = "any(booking, status = 'confirmed')"


def booked(at: str, id_: str, **more: Any) -> Any:
    """Somebody on the phone who is not logged in books."""
    return event("Booking Confirmed", None, at, anonymous="phone", booking_id=id_, room=id_, **more)


def login(who: str, at: str) -> Any:
    """Somebody logs in on the phone."""
    return event("Login", who, at, anonymous="phone")


#: On the phone a logs in, then b.
BOTH = [login("a", "2026-05-02T00:00:00Z"), login("b", "2026-05-10T00:00:00Z")]


def owners(workspace: Workspace) -> dict[str, list[str]]:
    """Whose bookings are whose, as the engine has it."""
    found = {}
    with State.open(workspace.home, readonly=True) as state:
        for page in state.pages():
            for subject, body in page:
                shelf = decode(body).objects.get("booking", {})
                found[subject.partition(":")[2]] = sorted(shelf)
    return {who: ids for who, ids in found.items() if ids}


def entered(workspace: Workspace) -> list[tuple[str, str]]:
    """Which bookings have begun a journey, and for whom."""
    with State.open(workspace.home, readonly=True) as state:
        rows = state.connection.execute("SELECT key, subject FROM enrollments ORDER BY key, subject, entered_at")
        return [(key, subject.partition(":")[2]) for key, subject in rows]


def mailed(workspace: Workspace) -> list[tuple[str, str]]:
    """The mails that went out: the booking, to whom."""
    with State.open(workspace.home, readonly=True) as state:
        rows = state.connection.execute(
            "SELECT key, address FROM deliveries WHERE state = 'accepted' ORDER BY planned_at, key"
        )
        return [(key, address.partition("@")[0]) for key, address in rows]


def test_each_has_what_was_booked_while_the_phone_was_theirs(tmp_path: Path) -> None:
    workspace = hotel(tmp_path, journeys={"new": ON_CONFIRMED})
    workspace.add(*BOTH)
    workspace.add(*(booked(f"2026-05-{day:02}T12:00:00Z", f"b{day}") for day in (1, 3, 10, 11)))
    workspace.run("2026-05-12T00:00:00Z", deliver="file")
    assert owners(workspace) == {"a": ["b1", "b3"], "b": ["b10", "b11"]}
    assert sorted(mailed(workspace)) == [("b1", "a"), ("b10", "b"), ("b11", "b"), ("b3", "a")]
    assert workspace.cli("audience", "list", HAS_ONE)["ids"] == ["a", "b"]
    assert workspace.cli("audience", "list", HAS_ONE, "--at", "2026-05-10T06:00:00Z")["ids"] == ["a"]
    assert replay(workspace.home).different == 0


def test_a_word_after_the_second_login_hands_the_booking_over(tmp_path: Path) -> None:
    workspace = hotel(tmp_path, journeys={"new": ON_CONFIRMED})
    changed = event("Booking Changed", None, "2026-05-11T00:00:00Z", anonymous="phone", booking_id="b3", room="b3")
    workspace.add(*BOTH, booked("2026-05-03T00:00:00Z", "b3"), changed)
    workspace.run("2026-05-10T12:00:00Z")
    assert owners(workspace) == {"a": ["b3"]}
    workspace.run("2026-05-12T00:00:00Z")
    assert owners(workspace) == {"b": ["b3"]}
    [exited] = workspace.outputs("Journey Exited")
    assert exited[2]["reason"] == "role_lost"
    assert entered(workspace) == [("b3", "a"), ("b3", "b")]
    assert replay(workspace.home).different == 0


def test_a_late_login_takes_bookings_and_their_runs_along(tmp_path: Path) -> None:
    workspace = hotel(tmp_path, journeys={"new": ON_CONFIRMED})
    workspace.add(*BOTH, *(booked(f"2026-05-{day:02}T12:00:00Z", f"b{day}") for day in (3, 6)))
    workspace.run("2026-05-12T00:00:00Z", deliver="file")
    assert mailed(workspace) == [("b3", "a"), ("b6", "a")]
    # The phone was b's from the fifth on: what was begun for the second booking goes on for b, and nothing comes twice.
    workspace.add(event("Login", "b", "2026-05-05T00:00:00Z", anonymous="phone"), received_at="2026-05-12T00:00:00Z")
    workspace.run("2026-05-20T00:00:00Z", deliver="file")
    assert owners(workspace) == {"a": ["b3"], "b": ["b6"]}
    assert mailed(workspace) == [("b3", "a"), ("b6", "a"), ("b3", "a"), ("b6", "b")]
    assert workspace.outputs("Journey Exited")[0][2]["outcome"] == "finished"
    assert workspace.cli("audience", "list", HAS_ONE)["ids"] == ["a", "b"]
    assert replay(workspace.home).different == 0


def test_a_retracted_login_gives_the_bookings_back_and_lifting_takes_them_again(tmp_path: Path) -> None:
    workspace = hotel(tmp_path, journeys={"new": ON_CONFIRMED})
    workspace.add(BOTH[0], booked("2026-05-03T00:00:00Z", "b3"), booked("2026-05-11T00:00:00Z", "b11"))
    workspace.add(BOTH[1], source="bad")
    workspace.run("2026-05-12T00:00:00Z")
    assert owners(workspace) == {"a": ["b3"], "b": ["b11"]}
    told = retract(workspace.home, "bad", begin=at("2026-05-01"), end=at("2026-06-01"), do=True)
    assert owners(workspace) == {"a": ["b11", "b3"]}
    assert workspace.cli("audience", "list", HAS_ONE)["ids"] == ["a"]
    lift(workspace.home, told["retraction"], do=True)
    assert owners(workspace) == {"a": ["b3"], "b": ["b11"]}
    assert workspace.cli("audience", "list", HAS_ONE)["ids"] == ["a", "b"]
    assert replay(workspace.home).different == 0


def test_a_removed_link_gives_the_bookings_back(tmp_path: Path) -> None:
    workspace = hotel(tmp_path, journeys={"new": ON_CONFIRMED})
    workspace.add(*BOTH, booked("2026-05-03T00:00:00Z", "b3"), booked("2026-05-11T00:00:00Z", "b11"))
    workspace.run("2026-05-12T00:00:00Z")
    away = event("Link Removed", "b", "2026-05-12T00:00:00Z", a="b", b="anonymous_id:phone")
    workspace.add(away, received_at="2026-05-12T00:00:00Z")
    workspace.run("2026-05-13T00:00:00Z")
    assert owners(workspace) == {"a": ["b11", "b3"]}
    assert workspace.cli("audience", "list", HAS_ONE)["ids"] == ["a"]
    assert replay(workspace.home).different == 0


def test_a_store_of_an_older_innkeeper_is_put_right(tmp_path: Path) -> None:
    workspace = hotel(tmp_path, journeys={"new": ON_CONFIRMED})
    workspace.add(*BOTH, booked("2026-05-03T00:00:00Z", "b3"), booked("2026-05-11T00:00:00Z", "b11"))
    workspace.run("2026-05-12T00:00:00Z")
    # Until then the browser's first owner had everything that was held under it.
    with State.open(workspace.home) as state:
        bodies = state.bodies(["user_id:a", "user_id:b"])
        a, b = (decode(bodies[f"user_id:{who}"]) for who in "ab")
        a.objects["booking"] |= b.objects.pop("booking")
        rows = [(encode(each), each.subject) for each in (a, b)]
        with state.transaction() as connection:
            connection.executemany("UPDATE subjects SET body = ? WHERE subject = ?", rows)
            connection.execute((files("innkeeper.store") / "sql" / "state_0012.sql").read_text())
    assert owners(workspace) == {"a": ["b11", "b3"]}
    workspace.run("2026-05-13T00:00:00Z")
    assert owners(workspace) == {"a": ["b3"], "b": ["b11"]}


def test_holders_of_an_older_store_are_told_since_when(tmp_path: Path) -> None:
    workspace = hotel(tmp_path, journeys={"new": ON_CONFIRMED})
    workspace.add(*BOTH, booked("2026-05-03T00:00:00Z", "b3"), booked("2026-05-11T00:00:00Z", "b11"))
    workspace.run("2026-05-12T00:00:00Z")
    since = since_when(workspace)
    assert since == {"b3": at("2026-05-03"), "b11": at("2026-05-11")}
    settle = (files("innkeeper.store") / "sql" / "state_0013.sql").read_text().partition("DELETE")
    with State.open(workspace.home) as state:
        bodies = {subject: decode(body) for page in state.pages() for subject, body in page}
        for each in bodies.values():
            for copy in each.objects.get("booking", {}).values():
                copy.said.clear()
        with state.transaction() as connection:
            rows = [(encode(each), subject) for subject, each in bodies.items()]
            connection.executemany("UPDATE subjects SET body = ? WHERE subject = ?", rows)
            connection.execute(settle[1] + settle[2])
    assert since_when(workspace) == {}
    workspace.run("2026-05-13T00:00:00Z")
    assert since_when(workspace) == since


def since_when(workspace: Workspace) -> dict[str, int]:
    """Since when the phone's bookings are held, as their holders have it."""
    with State.open(workspace.home, readonly=True) as state:
        profiles = [decode(body) for page in state.pages() for _, body in page]
    held = [(id_, copy.said) for each in profiles for id_, copy in each.objects.get("booking", {}).items()]
    return {id_: said["anonymous_id:phone"] for id_, said in held if said}


def test_a_wish_is_told_to_whoever_had_the_browser_when_it_was_made(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "home")
    workspace.apply(SHOP)
    workspace.add(*(identify(who, "2026-01-01T00:00:00Z", email=f"{who}@example.com") for who in ("ann", "bob")))
    workspace.add(
        event("Login", "ann", "2026-01-02T00:00:00Z", anonymous="phone"),
        event("Login", "bob", "2026-01-03T00:00:00Z", anonymous="phone"),
        event("Wanted", None, "2026-01-04T00:00:00Z", anonymous="phone", product_id="soap"),
        wish("Item Requested", "ann", "2026-01-05T00:00:00Z", "soap"),
        update("2026-01-06T00:00:00Z", "soap", stock=5),
    )
    workspace.run("2026-02-01T00:00:00Z", deliver="file")
    with State.open(workspace.home, readonly=True) as state:
        told = state.connection.execute("SELECT subject FROM enrollments WHERE journey = 'back' ORDER BY subject")
        assert [subject for (subject,) in told] == ["user_id:ann", "user_id:bob"]
        [count] = state.connection.execute("SELECT count(*) FROM wishes WHERE settled_at = ?", (at("2026-01-06"),))
        assert count == (2,)
    # The phone was cid's when the wish was made, but bob has heard: what that has begun stays his.
    workspace.add(
        event("Login", "cid", "2026-01-03T12:00:00Z", anonymous="phone"),
        event("Login", "bob", "2026-01-05T00:00:00Z", anonymous="phone"), received_at="2026-02-01T00:00:00Z",
    )  # fmt: skip
    workspace.run("2026-02-02T00:00:00Z", deliver="file")
    with State.open(workspace.home, readonly=True) as state:
        told = state.connection.execute("SELECT subject FROM enrollments WHERE journey = 'back' ORDER BY subject")
        assert [subject for (subject,) in told] == ["user_id:ann", "user_id:bob"]
    check_owners(workspace)
    assert replay(workspace.home).different == 0


def test_a_mail_goes_with_its_enrollment_whoever_has_the_browser_by_then(tmp_path: Path) -> None:
    journey = "enter: { event: Booking Confirmed }\npurpose: stay\nsteps: [{ wait: 9 days }, { send: day-before }]\n"
    workspace = hotel(tmp_path, journeys={"later": journey})
    workspace.add(*BOTH, booked("2026-05-03T00:00:00Z", "b3"), identify("c", "2026-05-01T00:00:00Z"))
    workspace.add(event("Login", None, "2026-05-04T00:00:00Z", anonymous="phone"), source="bad")
    workspace.run("2026-05-13T00:00:00Z", deliver="file")
    assert [who for _, who in mailed(workspace)] == ["a"]
    assert made_for(workspace) == {"user_id:a"}
    told = retract(workspace.home, "bad", begin=at("2026-05-01"), end=at("2026-06-01"), do=True)
    lift(workspace.home, told["retraction"], do=True)
    with State.open(workspace.home, readonly=True) as state:
        assert {subject for (subject,) in state.connection.execute("SELECT subject FROM deliveries")} == {"user_id:a"}
        b = decode(state.bodies(["user_id:b"])["user_id:b"])
        assert {name: facts.inputs for name, facts in b.facts.items() if "phone" in name} == {}
    # The phone was c's when the enrollment began: what it has made goes along.
    workspace.add(event("Login", "c", "2026-05-02T12:00:00Z", anonymous="phone"), received_at="2026-05-13T00:00:00Z")
    workspace.run("2026-05-14T00:00:00Z", deliver="file")
    assert made_for(workspace) == {"user_id:c"}
    assert replay(workspace.home).different == 0


def made_for(workspace: Workspace) -> set[str]:
    """Whose the enrollments, deliveries and decisions are."""
    with State.open(workspace.home, readonly=True) as state:
        tables = ("enrollments", "deliveries", "decisions")
        rows = [state.connection.execute("SELECT DISTINCT subject FROM " + table).fetchall() for table in tables]
        return {subject for each in rows for (subject,) in each}


def at(day: str) -> int:
    """A day's first instant."""
    return parse_instant(f"{day}T00:00:00Z")
