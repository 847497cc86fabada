"""A run about a booking, and all that it has made, is of one person: whoever had the browser when it was booked.

The browser changes hands between that word and the date at which the run begins. The oracle is a table of who had it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from scenario.test_object_journeys import hotel
from scenario.test_shared_browser import BOTH, at, booked, login, mailed
from support.owners import check_owners
from support.sharing import Life, check
from support.workspace import Workspace, event

from innkeeper.cli.main import cli
from innkeeper.runtime.replay import replay
from innkeeper.runtime.retract import lift, retract

BEFORE = (
    "key: booking\nenter: { object: booking, at: arrival - 3 days }\npurpose: stay\n"
    "steps: [{ task: { queue: desk, title: Call } }, { send: guide }, { wait: { until: booking.arrival } }]\n"
)
#: The bookings of one phone: b3 is made while a has it, b11 after b has logged in; both runs begin after that.
BOOKINGS = [
    booked("2026-05-03T12:00:00Z", "b3", arrival="2026-05-23T00:00:00Z"),
    booked("2026-05-11T12:00:00Z", "b11", arrival="2026-05-23T00:00:00Z"),
]
EVERYTHING = ("run", "role", "delivery", "decision", "task")


def asked(workspace: Workspace, *arguments: str) -> Any:
    """What a command answers."""
    done = CliRunner().invoke(cli, ["--home", str(workspace.home), "--json", *arguments])
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def named(workspace: Workspace) -> dict[str, dict[str, set[str]]]:
    """By booking, whom every command names for every kind of thing that came of it."""
    found: dict[str, dict[str, set[str]]] = {}

    def note(key: str, kind: str, who: str) -> None:
        found.setdefault(key, {}).setdefault(kind, set()).add(who)

    for who in "abc":
        shown = CliRunner().invoke(cli, ["--home", str(workspace.home), "--json", "profile", "show", who])
        told = json.loads(shown.stdout) if shown.exit_code == 0 else {"objects": [], "enrollments": []}
        for row in told["objects"]:
            note(row["id"], "role", who)
        for row in told["enrollments"]:
            note(row["key"], "run", who)
        for kind, rows in (("delivery", "deliveries"), ("task", "tasks")):
            for row in told.get(rows, ()):
                note(row["key"], kind, who)
    for kind, noun, rows in (
        ("delivery", "ledger", "deliveries"), ("decision", "decision", "decisions"), ("task", "task", "tasks"),
    ):  # fmt: skip
        for row in asked(workspace, noun, "list")[rows]:
            note(row["key"], kind, row["user_id"])
    return found


def all_of(*without: str, **owners: str) -> dict[str, dict[str, set[str]]]:
    """Everything about a booking is one person's."""
    return {key: {kind: {who} for kind in EVERYTHING if kind not in without} for key, who in owners.items()}


def begun(folder: Path, *events: Any) -> Workspace:
    """Both bookings are made, and their runs have begun."""
    workspace = hotel(folder, journeys={"before": BEFORE})
    workspace.add(*BOOKINGS, *events)
    workspace.run("2026-05-21T00:00:00Z", deliver="file")
    return workspace


def test_a_late_login_between_word_and_date_moves_all_or_nothing(tmp_path: Path) -> None:
    workspace = begun(tmp_path, *BOTH)
    assert named(workspace) == all_of(b3="a", b11="b")
    assert sorted(mailed(workspace)) == [("b11", "b"), ("b3", "a")]
    # c had the phone for a while before b: neither booking was made then, although both runs began after it.
    workspace.add(login("c", "2026-05-08T00:00:00Z"), received_at="2026-05-21T00:00:00Z")
    workspace.run("2026-05-21T12:00:00Z", deliver="file")
    assert named(workspace) == all_of(b3="a", b11="b")
    # And on the day of the first booking: it is c's, with all that has come of it.
    workspace.add(login("c", "2026-05-03T00:00:00Z"), received_at="2026-05-21T12:00:00Z")
    workspace.run("2026-05-22T00:00:00Z", deliver="file")
    assert named(workspace) == all_of(b3="c", b11="b")
    assert len(mailed(workspace)) == 2
    assert check_owners(workspace) == 2
    assert replay(workspace.home).different == 0


def test_a_phone_that_nobody_had_logged_in_on(tmp_path: Path) -> None:
    workspace = begun(tmp_path)
    check_owners(workspace)
    for who, when in (("b", "2026-05-10T00:00:00Z"), ("a", "2026-05-02T00:00:00Z")):
        workspace.add(login(who, when), received_at="2026-05-21T00:00:00Z")
        workspace.run("2026-05-21T12:00:00Z" if who == "b" else "2026-05-22T00:00:00Z", deliver="file")
        # Nobody had an address by then.
        assert named(workspace) == all_of("delivery", b3=who, b11="b")
    check_owners(workspace)
    assert replay(workspace.home).different == 0


def test_a_retracted_login_and_a_removed_link_take_everything_along(tmp_path: Path) -> None:
    workspace = hotel(tmp_path, journeys={"before": BEFORE})
    workspace.add(*BOOKINGS, BOTH[0])
    workspace.add(BOTH[1], source="bad")
    workspace.run("2026-05-21T00:00:00Z", deliver="file")
    assert named(workspace) == all_of(b3="a", b11="b")
    told = retract(workspace.home, "bad", begin=at("2026-05-01"), end=at("2026-06-01"), do=True)
    assert named(workspace) == all_of(b3="a", b11="a")
    lift(workspace.home, told["retraction"], do=True)
    assert named(workspace) == all_of(b3="a", b11="b")
    away = event("Link Removed", "a", "2026-05-21T00:00:00Z", a="a", b="anonymous_id:phone")
    workspace.add(away, received_at="2026-05-21T00:00:00Z")
    workspace.run("2026-05-22T00:00:00Z", deliver="file")
    assert named(workspace) == all_of(b3="b", b11="b")
    check_owners(workspace)
    assert replay(workspace.home).different == 0


def test_a_run_stays_with_the_word_that_it_began_by_and_the_next_holder_has_one_of_their_own(tmp_path: Path) -> None:
    workspace = hotel(tmp_path, journeys={"before": BEFORE})
    again = event("Booking Changed", None, "2026-05-06T12:00:00Z", anonymous="phone", booking_id="b3", room="b3")
    workspace.add(BOTH[0], BOOKINGS[0], again)
    workspace.run("2026-05-21T00:00:00Z", deliver="file")
    assert named(workspace) == all_of(b3="a")
    # The phone was b's when the booking was said again, with nothing new in it: it is b's since then.
    workspace.add(login("b", "2026-05-05T00:00:00Z"), received_at="2026-05-21T00:00:00Z")
    workspace.run("2026-05-22T00:00:00Z", deliver="file")
    both = {kind: {"a", "b"} for kind in EVERYTHING} | {"role": {"b"}}
    assert named(workspace) == {"b3": both}
    assert mailed(workspace) == [("b3", "a"), ("b3", "b")]
    check_owners(workspace)
    assert replay(workspace.home).different == 0


@pytest.mark.parametrize("seed", range(20261125, 20261128))
def test_random_lives_on_shared_browsers(seed: int, tmp_path: Path) -> None:
    print(f"seed {seed}")
    assert check(Life(seed, size=30), tmp_path / "home") > 20
