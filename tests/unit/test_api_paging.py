"""Lists page by page: all pages together are the list, also when rows come and go in between."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.api import EXPRESSION, path_of, served
from support.door import Served
from support.workspace import Workspace, event, identify

from innkeeper.kernel.errors import UsageError
from innkeeper.store.state import State
from innkeeper.web.paging import MOST, after, cut, most, page

#: Every list that has pages, and the name of its rows.
LISTS = [
    ("/profiles", {}, "profiles"), ("/audiences/members", {"expression": EXPRESSION}, "ids"),
    ("/deliveries", {}, "deliveries"), ("/objects/booking", {}, "objects"), ("/accounts", {}, "accounts"),
    ("/items", {}, "items"), ("/tasks", {}, "tasks"), ("/drafts", {}, "drafts"),
    ("/decisions", {"order": "made"}, "decisions"), ("/households", {}, "households"), ("/audit", {}, "entries"),
]  # fmt: skip
PAGED = pytest.mark.parametrize(("path", "query", "name"), LISTS, ids=[each[0] for each in LISTS])


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("api") / "home") as found:
        for number in range(3):
            path = f"audiences/a{number}.yaml"
            assert found.ask("POST", "/drafts", {"files": {path: "when: did('Login')\n"}}).status == 201
        yield found


def walk(door: Served, path: str, query: dict[str, str], name: str, limit: int) -> Iterator[list[Any]]:
    """Page after page."""
    cursor: str | None = None
    while True:
        asked = query | {"limit": str(limit)} | ({} if cursor is None else {"cursor": cursor})
        answer = door.ask("GET", path_of(path, {}, asked))
        assert answer.status == 200, answer.text
        yield answer.json[name]
        cursor = answer.json["next"]
        if cursor is None:
            return


@PAGED
@pytest.mark.parametrize("limit", [1, 2, 3])
def test_all_pages_together_are_the_list(door: Served, path: str, query: dict[str, str], name: str, limit: int) -> None:
    whole = door.ask("GET", path_of(path, {}, query)).json
    assert whole[name]
    assert whole["next"] is None
    pages = list(walk(door, path, query, name, limit))
    assert [row for each in pages for row in each] == whole[name]
    assert {len(each) for each in pages[:-1]} <= {limit}


# A cursor is looked at after the question about an audience is answered, which takes its time.
@pytest.mark.parametrize(("path", "query", "name"), [each for each in LISTS if each[2] != "ids"])
def test_a_cursor_that_is_none_of_its_list_is_told_so(
    door: Served, path: str, query: dict[str, str], name: str
) -> None:
    keys: list[Any] = [
        [], {}, None, "a", 5, [None], [[]], [{}], [True], [1.5], [10**30], [-(10**30)], ["a", "b"], ["a", "b", "c"],
        [1, 2], ["a"], [1], ["a", 1], ["2026-01-01T00:00:00Z", "x"], ["\0"], [""],
    ]  # fmt: skip
    cursors = [base64.urlsafe_b64encode(json.dumps(each).encode()).decode().rstrip("=") for each in keys]
    cursors += ["", "x", "%", "ünknown", "=" * 50, base64.urlsafe_b64encode(b"\xff\xfe").decode()]
    for cursor in cursors:
        answer = door.ask("GET", path_of(path, {}, query | {"cursor": cursor}))
        assert answer.status in (200, 400), (cursor, answer.text)
        assert answer.status == 200 or answer.json["code"].startswith("bad-"), answer.text
    for key in (keys[0], keys[2], keys[6], keys[8]):
        wrong = base64.urlsafe_b64encode(json.dumps(key).encode()).decode().rstrip("=")
        if key != [] or path in ("/profiles", "/deliveries", "/audit", "/decisions"):
            assert door.ask("GET", path_of(path, {}, query | {"cursor": wrong})).json["code"] == "bad-cursor", key


@PAGED
def test_how_much_a_page_may_hold(door: Served, path: str, query: dict[str, str], name: str) -> None:
    for limit in ("0", "-1", str(MOST + 1), str(10**30)):
        answer = door.ask("GET", path_of(path, {}, query | {"limit": limit}))
        assert (answer.status, answer.json["code"]) == (400, "bad-limit"), limit
    assert door.ask("GET", path_of(path, {}, query | {"limit": "many"})).json["code"] == "bad-request"
    assert door.ask("GET", path_of(path, {}, query | {"limit": str(MOST)})).status == 200


def test_rows_that_come_in_between_neither_repeat_nor_skip_others(tmp_path: Path) -> None:
    """The engine goes on while somebody reads page by page: guests before and behind the cursor, more deliveries."""
    with served(tmp_path / "home") as door:
        space = Workspace(door.home)
        for path, name, key in (("/profiles", "profiles", "id"), ("/deliveries", "deliveries", "id")):
            before = [row[key] for row in door.ask("GET", path).json[name]]
            seen: list[str] = []
            for number, rows in enumerate(walk(door, path, {}, name, 1)):
                seen += [row[key] for row in rows]
                if number < 2:
                    # One sorts before all that is there, the other behind.
                    guests = [f"{letter}{name}{number}" for letter in ("0", "z")]
                    at = f"2026-01-{9 + number + 10 * (name == 'deliveries'):02}T10:00:00Z"
                    space.add(*(identify(who, at, email=f"{who}@example.com") for who in guests))
                    space.add(*(event("Order Completed", who, at, total=500) for who in guests))
                    space.run(at.replace("T10", "T12"), deliver="file")
            after = [row[key] for row in door.ask("GET", path).json[name]]
            assert len(after) >= len(before) + 4
            # Those with a 0 came before the cursor; deliveries are in the order of their times, so none does.
            assert seen == [each for each in after if name == "deliveries" or not each.startswith("0")]
            assert set(before) <= set(seen)


def test_the_log_is_read_back_page_by_page_while_it_grows(tmp_path: Path) -> None:
    with served(tmp_path / "home") as door:
        whole = door.ask("GET", "/log?last=1000").json
        assert whole["next"] is None
        seen: list[Any] = []
        cursor = ""
        while True:
            told = door.ask("GET", f"/log?last=7{cursor}").json
            assert len(told["events"]) <= 7
            seen = told["events"] + seen
            # What comes meanwhile is newer than all that is still to be told.
            assert door.send("/v1/track", {"type": "track", "userId": "ann", "event": "Login"}, source="canary-source")
            if told["next"] is None:
                break
            cursor = f"&cursor={told['next']}"
        assert seen == whole["events"]
        assert len(seen) > 14


def test_decisions_that_are_renewed_keep_their_place(tmp_path: Path) -> None:
    with served(tmp_path / "home") as door:
        before = door.ask("GET", "/decisions?order=made").json["decisions"]
        assert [each["first_at"] for each in before] == sorted(each["first_at"] for each in before)
        seen: list[Any] = []
        for number, rows in enumerate(walk(door, "/decisions", {"order": "made"}, "decisions", 1)):
            seen += rows
            if number == 0:
                last = before[-1]
                with State.open(door.home) as state, state.transaction() as connection:
                    renewed = "UPDATE decisions SET last_at = last_at + 1, count = count + 1 WHERE enrollment = ?"
                    connection.execute(renewed, (last["enrollment"],))
        names = ("enrollment", "step", "gate", "reason")
        assert [[each[name] for name in names] for each in seen] == [[each[name] for name in names] for each in before]
        assert seen[-1]["count"] == before[-1]["count"] + 1
        assert len(before) == len(door.ask("GET", "/decisions").json["decisions"]) > 2
        for query in ("order=newest&cursor=WzEsImEiLCJhIiwxLCJhIiwiYSJd", "order=made&at=2026-01-01T00:00:00Z"):
            assert door.ask("GET", f"/decisions?{query}").json["code"] == "bad-order"


Ids = st.sets(st.text("abcé\U0001f9ff", max_size=3), max_size=6)


@settings(max_examples=50)
@given(Ids, st.integers(1, 3), st.lists(st.tuples(Ids, Ids), max_size=5))
def test_who_stays_for_the_whole_walk_is_told_once(
    there: set[str], limit: int, changes: list[tuple[set[str], set[str]]]
) -> None:
    """The law of a cursor, over rows that come and go between any two pages."""
    stays, cursor, seen = set(there), None, list[str]()
    for more, gone in [*changes, *[(set[str](), set[str]())] * 40]:
        told = cut("rows", [{"id": id} for id in there], limit, cursor, lambda row: [row["id"]])
        assert len(told["rows"]) <= limit
        seen += [row["id"] for row in told["rows"]]
        cursor = told["next"]
        if cursor is None:
            break
        there = (there | more) - gone
        stays -= gone
    assert cursor is None
    assert seen == sorted(set(seen))
    assert stays <= set(seen)


def test_a_page_says_where_the_next_one_begins() -> None:
    rows = [{"id": f"{number}"} for number in range(3)]
    told = page("rows", rows, 2, lambda row: [row["id"]])
    assert (told["rows"], after(told["next"], str)) == (rows[:2], ["1"])
    assert page("rows", rows[:2], 2, lambda row: [row["id"]])["next"] is None
    assert (most(1), most(MOST)) == (1, MOST)
    with pytest.raises(UsageError, match="another list"):
        after(told["next"], int)
