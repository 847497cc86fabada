"""Journeys by an object that ask in which role somebody is in it: entry, exit, branch, content."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.workspace import BASE, Workspace, event, identify, message

from innkeeper.kernel.errors import InnkeeperError
from innkeeper.kernel.time import format_instant
from innkeeper.runtime.replay import replay
from innkeeper.store.state import State
from innkeeper.strategy.load import examine

STRATEGY = """
name: test
zone: UTC
events: { Booked: [booking_id, payer, guest, arrival] }
objects:
  booking:
    id: booking_id
    dates: { arrival: }
    roles: { owner: user, payer: payer, guest: guest }
    events: { Booked: confirmed }
"""
HEAD = "key: booking\nenter: { object: booking, at: arrival - 3 days%s }\npurpose: stay\n"


def house(folder: Path, **journeys: str) -> Workspace:
    """A booking of ana, paid by bo, with cy as the guest; and one that is all ana's. Both are for the tenth."""
    one = Workspace(folder)
    one.apply(
        {
            "strategy.yaml": STRATEGY,
            "messages/note.md": message(
                purpose="stay", body="{% if booking.roles contains 'payer' %}Bill{% else %}Key{% endif %}"
            ),
            "channels.yaml": "email: { provider: file, from: a@b.example }\n",
            **{f"journeys/{name}.yaml": f"journey: {name}\n{text}" for name, text in journeys.items()},
        }
    )
    one.add(*(identify(who, "2026-05-01T00:00:00Z", email=f"{who}@x.example") for who in ("ana", "bo", "cy")))
    one.add(booked("b1", payer="bo", guest="cy"), booked("b2", payer="ana", guest="ana"))
    return one


def booked(id_: str, at: str = "2026-05-02T00:00:00Z", **roles: str) -> Any:
    """Ana books, or books anew."""
    return event("Booked", "ana", at, booking_id=id_, arrival="2026-05-10T00:00:00Z", **roles)


def rows(one: Workspace, sql: str) -> list[Any]:
    """What the store has."""
    with State.open(one.home, readonly=True) as state:
        return [(key, subject.partition(":")[2], *rest) for key, subject, *rest in state.connection.execute(sql)]


def test_who_is_entered_is_asked_for_their_role_in_this_object(tmp_path: Path) -> None:
    one = house(
        tmp_path,
        guests=HEAD % ", when: booking.role = 'guest'" + "steps: [{ wait: 9 days }]\n",
        others=HEAD % ", when: booking.role != 'guest'" + "steps: [{ wait: 9 days }]\n",
        mere=HEAD % ", when: \"not booking.role in ('owner', 'payer')\"" + "steps: [{ wait: 9 days }]\n",
    )
    one.run("2026-05-08T00:00:00Z")
    found = rows(one, "SELECT key, subject, journey FROM enrollments ORDER BY journey, key, subject")
    # Ana is everything in b2: each condition holds for her in one of her roles.
    assert found == [
        ("b1", "cy", "guests"), ("b2", "ana", "guests"),
        ("b1", "cy", "mere"), ("b2", "ana", "mere"),
        ("b1", "ana", "others"), ("b1", "bo", "others"), ("b2", "ana", "others"),
    ]  # fmt: skip
    assert replay(one.home).different == 0


def test_branches_and_content_know_the_role(tmp_path: Path) -> None:
    steps = (
        "steps:\n  - branch:\n      - if: booking.role = 'payer' and booking.status = 'confirmed'\n"
        "        steps: [{ task: { queue: bills, title: '{{ booking.roles | join: \"+\" }}' } }]\n"
        "      - else: [{ task: { queue: keys, title: '{{ booking.roles | join: \"+\" }}' } }]\n  - send: note\n"
    )
    one = house(tmp_path, all=HEAD % "" + steps)
    one.run("2026-05-08T00:00:00Z", deliver="file")
    assert rows(one, "SELECT key, subject, queue, title FROM tasks ORDER BY key, subject") == [
        ("b1", "ana", "keys", "owner"), ("b1", "bo", "bills", "payer"), ("b1", "cy", "keys", "guest"),
        ("b2", "ana", "bills", "guest+owner+payer"),
    ]  # fmt: skip
    mails = [path.read_text() for path in (tmp_path / "mail").rglob("*") if path.is_file()]
    assert sorted((who, "Bill" in text) for text in mails for who in ("ana", "bo", "cy") if f"To: {who}@" in text) == [
        ("ana", False), ("ana", True), ("bo", True), ("cy", False),
    ]  # fmt: skip
    assert replay(one.home).different == 0


def test_who_gets_another_role_leaves_at_once(tmp_path: Path) -> None:
    one = house(tmp_path, unpaid=HEAD % "" + "exit: [booking.role = 'payer']\nsteps: [{ wait: 9 days }]\n")
    one.add(booked("b1", "2026-05-08T06:00:00Z", payer="cy", guest="cy"))
    one.run("2026-05-09T00:00:00Z")
    ended = rows(one, "SELECT key, subject, ended_at, outcome FROM enrollments ORDER BY key, subject")
    told = [(key, who, outcome, None if at is None else format_instant(at)) for key, who, at, outcome in ended]
    assert told == [
        ("b1", "ana", None, None), ("b1", "bo", "exit", "2026-05-07T00:00:00Z"),
        ("b1", "cy", "exit", "2026-05-08T06:00:00Z"), ("b2", "ana", "exit", "2026-05-07T00:00:00Z"),
    ]  # fmt: skip
    assert replay(one.home).different == 0


def test_a_role_that_the_type_does_not_declare_is_refused(tmp_path: Path) -> None:
    asked = HEAD % ", when: booking.role = 'gest'" + "steps: [{ wait: 9 days }]\n"
    with pytest.raises(InnkeeperError, match=r"role 'gest' of the object 'booking'(?s:.*)guest"):
        house(tmp_path, one=asked).run("2026-05-08T00:00:00Z")


def test_templates_of_a_journey_by_an_object_may_read_roles() -> None:
    body = "{% if booking.roles contains 'payer' %}Bill{% else %}{{ booking.role }}{% endif %}"
    files = {
        **BASE, "strategy.yaml": STRATEGY, "messages/note.md": message(purpose="stay", body=body),
        "journeys/one.yaml": "journey: one\n" + HEAD % "" + "steps: [{ send: note }]\n",
    }  # fmt: skip
    found = examine(files)
    assert [(each.code, "'role'" in each.message) for each in found.errors] == [("unknown-property", True)]
