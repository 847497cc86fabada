"""The invented year: the same for the same seed, believable, and readable by the parser of events."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from hashlib import blake2b
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import pytest

from innkeeper.kernel.errors import UsageError
from innkeeper.kernel.json import canonical
from innkeeper.kernel.time import DAY, parse_instant
from innkeeper.runtime.harbour_house import YEAR, generate, write_jsonl
from innkeeper.runtime.harbour_house.dice import Dice

END = parse_instant("2026-11-22T00:00:00Z")


@pytest.fixture(scope="module")
def year() -> list[dict[str, Any]]:
    """A year of 300 guests."""
    return list(generate(7, 300, END))


def _arrived(line: dict[str, Any]) -> int:
    return parse_instant(line.get("sentAt", line["timestamp"]))


def test_the_same_seed_gives_the_same_bytes_on_every_machine() -> None:
    digest = blake2b(digest_size=8)
    for line in generate(7, 20, END):
        digest.update(canonical(line).encode())
    assert digest.hexdigest() == "0205157dece77403"


def test_more_guests_leave_the_first_ones_as_they_are() -> None:
    few = {canonical(line) for line in generate(3, 10, END)}
    many = {canonical(line) for line in generate(3, 40, END)}
    assert few < many
    assert few.isdisjoint({canonical(line) for line in generate(4, 10, END)})


def test_lines_come_in_order_of_arrival_within_the_year_with_ids_of_their_own(year: list[dict[str, Any]]) -> None:
    assert all(_arrived(one) <= _arrived(two) for one, two in pairwise(year))
    assert all(END - YEAR <= parse_instant(line["timestamp"]) <= _arrived(line) < END for line in year)
    assert len({line["messageId"] for line in year}) == len(year)
    late = [line for line in year if "sentAt" in line]
    assert late
    assert all(_arrived(line) - parse_instant(line["timestamp"]) < 4 * DAY for line in late)


def test_the_year_is_believable(year: list[dict[str, Any]]) -> None:
    count = Counter(line.get("event", line["type"]) for line in year)
    assert 30 * 300 < len(year) < 60 * 300
    assert 280 <= len({line["userId"] for line in year if line.get("userId", "").startswith("g")}) <= 300
    assert len({line["userId"] for line in year if line.get("groupId") == "tejo-travel"}) == 4
    assert 0.15 < count["Booking Cancelled"] / count["Booking Confirmed"] < 0.4
    assert 0.5 < count["Checked In"] / count["Booking Confirmed"] < 0.8
    assert count["Checked In"] - 15 <= count["Checked Out"] <= count["Checked In"]
    assert 0.05 < count["Complaint Raised"] / count["Checked In"] < 0.2
    for event in (
        "Booking Changed",
        "Consent Withdrawn",
        "Referral Made",
        "Review Published",
        "Message Opened",
        "group",
    ):
        assert count[event], event
    months = Counter(line["timestamp"][5:7] for line in year if line.get("event") == "Checked In")
    assert sum(months[month] for month in ("09", "10", "05")) > sum(months[month] for month in ("12", "01", "02"))


def test_every_stay_has_its_story_in_order(year: list[dict[str, Any]]) -> None:
    seen: dict[str, dict[str, datetime]] = {}
    for line in year:
        booking = line.get("properties", {}).get("booking_id")
        if booking and line["event"] in ("Booking Confirmed", "Booking Cancelled", "Checked In", "Checked Out"):
            seen.setdefault(booking, {})[line["event"]] = datetime.fromisoformat(line["timestamp"])
    for moments in seen.values():
        assert "Booking Confirmed" in moments
        assert not {"Booking Cancelled", "Checked In"} <= moments.keys()
        order = [moments[event] for event in ("Booking Confirmed", "Checked In", "Checked Out") if event in moments]
        assert order == sorted(order)


def test_people_share_devices_and_some_have_no_address(year: list[dict[str, Any]]) -> None:
    owners: dict[str, set[str]] = {}
    for line in year:
        if "anonymousId" in line:
            owners.setdefault(line["anonymousId"], set()).update({line["userId"]} if "userId" in line else set())
    sizes = Counter(len(users) for users in owners.values())
    assert sizes[0] > 50
    assert sizes[1] > 200
    assert sizes[2] >= 3
    told: dict[str, set[str]] = {}
    for line in year:
        if line["type"] == "identify":
            told.setdefault(line["userId"], set()).update(line["traits"])
    assert any("email" not in traits for traits in told.values())
    locales = {line["traits"].get("locale") for line in year if line["type"] == "identify"}
    assert {"en", "nl", "de", "ru", "zh"} <= locales


def test_the_file_holds_one_message_a_line(tmp_path: Path) -> None:
    written = write_jsonl(tmp_path / "year.jsonl", 1, 5, END)
    assert written == len((tmp_path / "year.jsonl").read_bytes().splitlines()) > 50


def test_an_impossible_number_of_guests_is_refused() -> None:
    with pytest.raises(UsageError, match="0 guests"):
        generate(1, 0, END)


def test_the_dice_are_fair_and_known() -> None:
    dice = Dice(1, "fair")
    throws = Counter(dice.below(6) for _ in range(6000))
    assert all(880 < throws[face] < 1120 for face in range(6))
    assert all(Dice(1, "x").between(3, 5) in (3, 4, 5) for _ in range(5))
    first, again = Dice(2, "same"), Dice(2, "same")
    assert [first.below(1000) for _ in range(20)] == [again.below(1000) for _ in range(20)]
    assert min(islice((dice.decile(range(0, 110, 10)) for _ in iter(int, 1)), 500)) >= 0
