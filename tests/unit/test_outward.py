"""What is told to the outside, and what is not: ids by default, more only when it is asked for by its name."""

from __future__ import annotations

import json
from typing import Any

import pytest

from innkeeper.events.types import ENGINE_SOURCE, Event
from innkeeper.kernel.errors import Invalid, UsageError
from innkeeper.kernel.time import SECOND
from innkeeper.runtime.outward import OUTPUTS, Selection, notice, notice_id, subject_hash

PERSONAL = ("ana@example.com", "Ana", "Villa Sol")


def said(name: str, source: str = ENGINE_SOURCE, user: str | None = "c1", **properties: Any) -> Event:
    return Event(
        seq=1, source=source, message_id="m1", type="track", name=name, user_id=user, timestamp=SECOND,
        received_at=SECOND, properties=properties, traits={"email": "ana@example.com"},
        context={"ip": "1.2.3.0"}, extra={"x": "Villa Sol"},
    )  # fmt: skip


def matches(event: Event, **selection: Any) -> bool:
    return Selection.read(**selection).matcher()(event)


def test_outputs_are_chosen_by_name() -> None:
    entered = said("Audience Entered", audience="vip")
    assert matches(entered, events=["Audience Entered"])
    assert matches(entered, events=["*"])
    assert not matches(entered, events=["Stage Changed"])
    assert not matches(entered, incoming=["*"]), "an output is not what a source sent"
    assert not matches(said("Facts Carried"), events=["*"]), "what the engine notes for itself is no output"


def test_what_sources_send_is_told_only_when_it_is_asked_for() -> None:
    ordered = said("Order Completed", "shop", total=3)
    assert not matches(ordered, events=["*"])
    assert matches(ordered, incoming=["Order Completed"])
    assert matches(ordered, incoming=["*"], events=["Stage Changed"])
    # A source may use an output's name; it is still what a source said.
    assert not matches(said("Audience Entered", "shop", audience="vip"), events=["*"])


def test_audiences_narrow_the_events_of_audiences_alone() -> None:
    asked = {"events": ["*"], "audiences": ["vip"]}
    assert matches(said("Audience Left", audience="vip"), **asked)
    assert not matches(said("Audience Left", audience="new"), **asked)
    assert matches(said("Stage Changed", stage="loyal"), **asked)


def test_a_condition_over_properties() -> None:
    asked = {"events": ["Stage Changed"], "where": "stage in ('loyal', 'new') and before is missing"}
    assert matches(said("Stage Changed", stage="new", before=None), **asked)
    assert not matches(said("Stage Changed", stage="new", before="loyal"), **asked)


@pytest.mark.parametrize(
    ("selection", "code", "says"),
    [
        ({}, "nothing-selected", "--events"),
        ({"events": ["Audience Enterd"]}, "unknown-output", "Audience Entered"),
        ({"events": ["Order Completed"]}, "unknown-output", "--incoming"),
        ({"events": ["*"], "include": ["email"]}, "bad-include", "traits.NAME"),
        ({"events": ["*"], "include": ["traits."]}, "bad-include", "traits.NAME"),
        ({"incoming": [str(number) for number in range(101)]}, "too-many-names", "*"),
    ],
)
def test_a_bad_selection_says_what_to_do(selection: dict[str, Any], code: str, says: str) -> None:
    with pytest.raises(UsageError) as refused:
        Selection.read(**selection)
    assert refused.value.code == code
    assert says in refused.value.fix


@pytest.mark.parametrize("where", ["stage =", "did('Login')", "traits.x = 1"])
def test_a_condition_sees_properties_alone(where: str) -> None:
    try:
        Selection.read(events=["*"], where=where)
    except Invalid:
        return
    # A dotted path is a property inside a property.
    assert where == "traits.x = 1"


def test_a_selection_is_kept_as_it_was_read() -> None:
    read = Selection.read(events=["*"], incoming=["b", "a"], audiences=["x"], where=" total > 3 ", include=["traits.a"])
    assert Selection.of(json.loads(json.dumps(read.kept()))) == read


def test_an_output_is_told_without_what_is_personal() -> None:
    event = said(
        "Task Created", task_id="t1", queue="desk", title="Call Ana", body="Villa Sol", journey="welcome",
        context={"email": "ana@example.com"},
    )  # fmt: skip
    told = notice(event)
    assert told["data"] == {
        "source": "innkeeper", "userId": "c1", "anonymousId": None,
        "properties": {"task_id": "t1", "queue": "desk", "journey": "welcome"},
    }  # fmt: skip
    assert (told["type"], told["timestamp"]) == ("Task Created", "1970-01-01T00:00:01Z")


@pytest.mark.parametrize("name", sorted(OUTPUTS))
def test_no_output_carries_a_canary_in_a_personal_field(name: str) -> None:
    fields = ("address", "ask", "body", "context", "deceased", "facts", "household", "quiet", "title", "traits")
    text = json.dumps(notice(said(name, **dict.fromkeys(fields, "ana@example.com"))))
    assert not any(word in text for word in PERSONAL)


def test_what_a_source_sent_is_told_by_name_alone() -> None:
    event = said("Order Completed", "shop", total=3, city="Villa Sol")
    assert "properties" not in notice(event)["data"]
    assert notice(event, ["properties.total"])["data"]["properties"] == {"total": 3}
    assert notice(event, ["properties"])["data"]["properties"] == {"total": 3, "city": "Villa Sol"}


def test_traits_are_looked_up_only_when_they_are_asked_for() -> None:
    asked: list[str] = []

    def trait_of(_: Event, name: str) -> str:
        asked.append(name)
        return "pro"

    event = said("Stage Changed", stage="new")
    assert "traits" not in notice(event, [], trait_of)["data"]
    assert notice(event, ["traits.plan"], trait_of)["data"]["traits"] == {"plan": "pro"}
    assert asked == ["plan"]


def test_an_id_is_of_the_event_and_says_nothing_about_it() -> None:
    one, other = said("Stage Changed"), said("Stage Changed", "shop")
    assert notice_id(one) == notice(one)["id"]
    assert notice_id(one) != notice_id(other)
    assert "m1" not in notice_id(one)


def test_whom_an_event_is_about() -> None:
    assert subject_hash(said("a")) == subject_hash(said("b"))
    assert subject_hash(said("a")) != subject_hash(said("a", user="c2"))
    accounts = [subject_hash(said("a", user=None, account_id=name)) for name in ("x", "y")]
    assert len(set(accounts)) == 2
