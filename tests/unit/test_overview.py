"""The overview: its figures out of a state, its page that asks nobody for anything, and a story in plain words."""

from __future__ import annotations

import re
import sqlite3
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from innkeeper.kernel.time import DAY, HOUR, parse_instant
from innkeeper.measurement.html import Html, number, tag
from innkeeper.measurement.overview import (
    Balance,
    Day,
    JourneyFigures,
    Overview,
    Refusal,
    StageCounts,
    Story,
    StoryLine,
    describe,
)
from innkeeper.measurement.overview_page import render
from innkeeper.measurement.story import Happening, tell
from innkeeper.store import overview as figures
from innkeeper.store.state import State

END = parse_instant("2026-11-22T00:00:00Z")
EVIL = '<script>alert("x")</script>'


def _overview(name: str = "Harbour House") -> Overview:
    return Overview(
        workspace=name, zone="Europe/Lisbon", since=END - 2 * DAY, until=END, events=12_345, profiles=3,
        tasks={"concierge": 2}, stages=("loyal", name, "new"),
        stage_counts=[StageCounts(at=END - DAY, counts={"new": 2}), StageCounts(at=END, counts={name: 1, "new": 2})],
        journeys=[
            JourneyFigures(name=name, entered=4, open=1, outcomes={"goal": 2, "left": 1}, deliveries={"accepted": 3},
                           refused={"cap": 1}, tasks=2)
        ],
        refusals=[Refusal(outcome="deny", gate="cap", reason=name, purpose=name, candidates=1)],
        days=[Day(day=f"2026-11-2{day}", sent={"service": 2}, capped=1, deferred=0) for day in (0, 1)],
        hours=[0] * 10 + [3] + [0] * 13, quiet=("21:30", "08:00"),
        balance=Balance(planned=4, ends={"accepted": 3}, open={"planned": 1}),
        story=Story(id=name, name=name, lines=[StoryLine(at=END, voice="letter", text=name, detail=name)]),
    )  # fmt: skip


class _Page(HTMLParser):
    """Collects what a page would fetch or run, its texts, and whether its elements nest."""

    def __init__(self) -> None:
        super().__init__()
        self.fetches: list[str] = []
        self.stack: list[str] = []
        self.texts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag not in {"script", "iframe", "object", "embed", "link", "img", "base"}
        self.fetches += [
            value or "" for key, value in attrs if key in {"src", "href", "xlink:href", "action", "srcset"}
        ]
        assert not [key for key, _ in attrs if key.startswith("on")]
        if tag != "meta":
            self.stack.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag != "meta":
            self.stack.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.stack.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def _parsed(page: str) -> _Page:
    parser = _Page()
    parser.feed(page)
    parser.close()
    return parser


@pytest.mark.parametrize("name", ["Harbour House", EVIL, "a & b \"c\" 'd' </style>"])
def test_the_page_fetches_nothing_runs_nothing_and_escapes_everything(name: str) -> None:
    page = render(_overview(name))
    parsed = _parsed(page)
    assert parsed.fetches == []
    assert parsed.stack == []
    assert name in "".join(parsed.texts)
    assert not re.findall(r"url\(|@import|https?://", page)
    assert "default-src 'none'" in page.replace("&#x27;", "'")


def test_the_page_shows_its_figures() -> None:
    texts = " ".join("".join(_parsed(render(_overview())).texts).split())
    for expected in ("12 345", "It balances", "4 planned = 3 accepted + 1 still planned", "21:30 to 08:00"):
        assert expected in texts.replace("\u202f", " ")


def test_a_ledger_that_does_not_balance_is_not_hidden() -> None:
    broken = Balance(planned=5, ends={"accepted": 3}, open={})
    assert broken.difference == 2


def test_an_empty_workspace_still_gives_a_page() -> None:
    empty = Overview(
        workspace="w", zone="UTC", since=0, until=0, events=0, profiles=0, tasks={}, stages=(), stage_counts=(),
        journeys=(), refusals=(), days=(), hours=[0] * 24, quiet=None, balance=Balance(planned=0, ends={}, open={}),
    )  # fmt: skip
    assert _parsed(render(empty)).stack == []


def test_html_escapes_texts_and_attributes_once() -> None:
    assert tag("p", EVIL, tag("b", "&")) == Html("<p>&lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt;<b>&amp;</b></p>")
    assert tag("i", title='"<') == '<i title="&quot;&lt;"></i>'
    assert number(1000) == "1\u202f000"


def _at(hours: int, name: str, *, own: bool = False, **properties: Any) -> Happening:
    return Happening(at=END + hours * HOUR, own=own, type="track", name=name, properties=properties, traits={})


def test_a_story_joins_the_views_of_one_visit_and_says_why() -> None:
    lines = tell(
        [
            _at(0, "Page Viewed", title="Rooms"), _at(0, "Room Viewed", room="river suite"),
            _at(0, "Page Viewed", title="rooms"), _at(5, "Page Viewed", title="Spa"),
            _at(6, "Stage Changed", own=True, before=None, stage="awareness"),
            _at(7, "Decision Made", own=True, message="m", outcome="allow", reason="", facts={}),
            _at(7, "Decision Made", own=True, message="m", outcome="deny", reason="cap", facts={"at_most": 3}),
            _at(8, "Step Reached", own=True, step="0"), _at(9, "Message Sent", own=True, message="n", journey="j"),
            _at(9, "Task Created", own=True, queue="desk", title="Call her", body="now"),
        ],
        "UTC",
    )  # fmt: skip
    assert [(line.voice, line.text) for line in lines] == [
        ("guest", "looked at the site"), ("guest", "looked at the site"), ("house", "stage: none → awareness"),
        ("refused", "‘m’ not sent: had enough letters already"), ("letter", "‘n’ sent"),
        ("task", "task for desk: Call her"),
    ]  # fmt: skip
    assert lines[0].detail == "3 views: Rooms, river suite"
    assert lines[3].detail == "at most 3"


def test_a_story_says_why_an_enrollment_or_a_plan_by_an_object_went() -> None:
    lost = {"journey": "j", "key": "b1", "reason": "role_lost"}
    lines = tell(
        [
            _at(0, "Journey Exited", own=True, outcome="left", **lost),
            _at(1, "Step Replanned", own=True, step="enter", to=None, **lost | {"from": "2026-06-07T09:00:00Z"}),
            _at(2, "Journey Exited", own=True, journey="j", key="b1", outcome="exit", reason="booking.a_b = 'cap'"),
        ],
        "UTC",
    )
    assert [(line.text, line.detail) for line in lines] == [
        ("journey j: ended early", "for b1, has no role in it any more"),
        ("journey j: the beginning is dropped, has no role in it any more", "for b1: from 7 Jun 2026 09:00"),
        ("journey j: left by an exit", "for b1, booking.a_b = 'cap'"),
    ]


def test_a_story_says_what_was_skipped_and_why() -> None:
    past = {"journey": "j", "key": "b1", "date": "booking.arrival", "until": "2026-06-07T09:00:00Z"}
    lines = tell(
        [
            _at(0, "Steps Skipped", own=True, step="1", skipped=["2", "3", "4"], messages=["m"], **past),
            _at(1, "Steps Skipped", own=True, step="1", skipped=["2"], messages=[], **past),
            _at(2, "Steps Skipped", own=True, step="enter", skipped=[], messages=[], **past),
        ],
        "UTC",
    )
    assert {line.detail for line in lines} == {"for b1, by booking.arrival its time was 7 Jun 2026 09:00: past"}
    assert [line.text for line in lines] == [
        "journey j: ‘m’ and 2 more steps skipped", "journey j: 1 step skipped", "journey j does not begin",
    ]  # fmt: skip


def test_values_are_described_in_local_time_and_without_structure() -> None:
    told = describe({"arrival": "2026-07-01T14:00:00Z", "total": 412.0, "products": [1], "gift": True}, "Europe/Lisbon")
    assert told == "arrival 1 Jul 2026 15:00, total 412, gift yes"


@pytest.fixture
def connection(tmp_path: Path) -> sqlite3.Connection:
    """A state with two profiles, three deliveries and three decisions."""
    state = State.open(tmp_path, create=True)
    db = state.connection
    for number_, (subject, outcome) in enumerate((("user_id:a", "goal"), ("user_id:a", None), ("user_id:b", "exit"))):
        db.execute(
            "INSERT INTO enrollments (id, subject, identifier, journey, version, entered_at, outcome)"
            " VALUES (?, ?, ?, 'welcome', '1', 0, ?)",
            (str(number_), subject, subject, outcome),
        )
    for number_, (subject, state_, at, quiet) in enumerate(
        (
            ("user_id:a", "accepted", END - HOUR, '{"zone": "Asia/Shanghai"}'),
            ("user_id:a", "planned", END - HOUR, None),
            ("user_id:b", "expired", END - DAY, None),
        )
    ):
        db.execute(
            "INSERT INTO deliveries (id, subject, identifier, message, channel, purpose, kind, journey, version,"
            " enrollment, step, address, planned_at, not_before, expires_at, quiet, context, state, state_at)"
            " VALUES (?, ?, ?, 'm', 'email', 'p', 'service', 'welcome', '1', 'e', '0', 'x', ?, 0, 0, ?, '{}', ?, 0)",
            (str(number_), subject, subject, at, quiet, state_),
        )
    for step, outcome, gate, reason in (("0", "deny", "cap", "cap"), ("1", "defer", "quiet_hours", "quiet_hours"),
                                        ("2", "allow", "", "")):  # fmt: skip
        db.execute(
            "INSERT INTO decisions (enrollment, step, occurrence, gate, reason, outcome, subject, identifier, "
            " message, channel, purpose, journey, version, facts, refusing, first_at, last_at, count)"
            " VALUES ('e', ?, 0, ?, ?, ?, 'user_id:b', 'user_id:b', 'm', 'email', 'p', 'welcome', '1', '{}', 0, ?, 0,"
            " 7)",
            (step, gate, reason, outcome, END - HOUR),
        )
    return db


def test_figures_of_a_state(connection: sqlite3.Connection) -> None:
    (welcome, other) = figures.journeys(connection, ["other"])
    assert (welcome.entered, welcome.open, welcome.outcomes) == (3, 1, {"goal": 1, "exit": 1})
    assert (welcome.deliveries, welcome.refused) == ({"accepted": 1, "planned": 1, "expired": 1}, {"cap": 1})
    assert (other.name, other.entered) == ("other", 0)
    assert figures.balance(connection).difference == 0
    assert [(one.outcome, one.reason, one.candidates) for one in figures.refusals(connection)] == [
        ("defer", "quiet_hours", 1), ("deny", "cap", 1),
    ]  # fmt: skip
    assert figures.eventful(connection) == "user_id:b"


def test_days_and_hours_are_local(connection: sqlite3.Connection) -> None:
    days = figures.days(connection, "Asia/Shanghai", END - 2 * DAY, END)
    assert [day.day for day in days] == ["2026-11-20", "2026-11-21", "2026-11-22"]
    assert [(day.sent.get("service", 0), day.capped, day.deferred) for day in days] == [(0, 0, 0), (0, 0, 0), (1, 1, 1)]
    assert figures.hours(connection)[7] == 1
