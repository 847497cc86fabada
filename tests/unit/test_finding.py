"""Customers found by what somebody remembers of them, against a plain reading of who they are."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from support.door import Served, opened
from support.workspace import Workspace, event, identify

from innkeeper.cli.main import cli
from innkeeper.runtime import finding

#: Who there is, and what they say now.
GUESTS = {
    "ana": {"first_name": "Ana", "last_name": "Sousa Lima", "email": "ana@example.com"},
    "anabel": {"first_name": "Anabel", "last_name": "O'Neill", "email": "bell@example.org"},
    "crm-7": {"name": "Zoë Ängström", "email": "Zoe@Example.com", "plan": "anaconda"},
    "bo": {"first_name": "Bo", "last_name": "Anders", "email": "bo@example.com", "phone": "+351 210 000"},
    "x%_": {"first_name": 'The "quote"', "email": "q@example.com"},
}
TEXTS = (
    "ana", "Ana", "ANA", "ana@", "ana@example.com", "anab", "sousa", "lima", "ana lima", "sousa ana", "ana anders",
    "o'n", "zoë", "ängst", "zoe@example.com", "crm", "crm-7", "+351", "bo an", "%%", "x%", "x%_", "the", "nobody",
    "example", "email", "first_name", "anaconda", "dev", "device-ana", "anonymous_id:device-ana", "user_id:an",
    '"quote"', "mara",
)  # fmt: skip


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    home = Workspace(Path(tmp_path_factory.mktemp("finding")) / "home")
    home.apply({"strategy.yaml": "name: test\nzone: UTC\nevents: {Login: []}\n"})
    at = "2026-01-02T10:00:00Z"
    home.add(identify("bo", "2026-01-01T10:00:00Z", first_name="Mara", email="mara@example.com"))
    home.add(*(identify(who, at, anonymous=f"device-{who}", **traits) for who, traits in GUESTS.items()))
    home.add(event("Login", "silent", at))
    home.run("2026-01-03T00:00:00Z")
    with opened(home.home) as found:
        yield found


def expected(text: str) -> set[str]:
    """By the words of the document."""
    found: set[str] = set()
    for who, traits in {**GUESTS, "silent": {}}.items():
        identifiers = [who, f"user_id:{who}", f"device-{who}", f"anonymous_id:device-{who}"]
        starts = {text, text.lower()}
        by_id = any(each.startswith(tuple(starts)) for each in (identifiers if who != "silent" else identifiers[:2]))
        said = [value.casefold() for name, value in traits.items() if name != "plan"]
        words = text.casefold().split()
        by_word = all(any(value.startswith(word) or any(part.startswith(word) for part in value.split())
                          for value in said) for word in words)  # fmt: skip
        if by_id or by_word:
            found.add(who)
    return found


@pytest.mark.parametrize("text", TEXTS)
def test_who_is_found(door: Served, text: str) -> None:
    told = finding.search(door.home, text, 100)
    assert {each["id"] for each in told["profiles"]} == expected(text)
    assert len(told["profiles"]) == len(expected(text))
    assert not told["more"]


def test_some_texts_find_and_some_do_not() -> None:
    """So that the comparison above is not one of nothing with nothing."""
    assert {len(expected(text)) for text in TEXTS} >= {0, 1, 2}


def test_the_surest_come_first(door: Served) -> None:
    told = finding.search(door.home, "ana", 100)["profiles"]
    assert [(each["id"], each["found_by"]) for each in told] == [
        ("ana", "identifier"), ("anabel", "beginning of an identifier")
    ]  # fmt: skip
    by_name = finding.search(door.home, "anders", 100)["profiles"]
    assert by_name == [{"id": "bo", "stage": None, "found_by": "last_name", "value": "Anders"}]
    assert finding.search(door.home, "ana", 1) == {"profiles": told[:1], "more": True}


def test_over_the_api_and_as_a_command(door: Served) -> None:
    told = door.ask("GET", "/profiles?search=ana&limit=1").json
    assert told == {**finding.search(door.home, "ana", 1), "next": None}
    done = CliRunner().invoke(cli, ["--home", str(door.home), "--json", "profile", "find", "ana", "--limit", "1"])
    assert json.loads(done.stdout) == finding.search(door.home, "ana", 1)
    for query in ("search=a", "search=", "search=" + "a" * 201, "search=ana&stage=x", "search=ana&cursor=WyJhIl0"):
        refused = door.ask("GET", f"/profiles?{query}")
        assert (refused.status, refused.json["code"]) == (400, "bad-search"), query


def test_how_much_is_looked_at(door: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    def names(text: str) -> list[Any]:
        return [each["id"] for each in finding.search(door.home, text, 100)["profiles"]]

    assert sorted(names("example.")) == []
    assert names("anders") == ["bo"]
    monkeypatch.setattr(finding, "MOST_EVENTS", 0)
    assert names("anders") == []
    assert names("bo") == ["bo"]
    monkeypatch.setattr(finding, "MOST_EVENTS", 1_000)
    monkeypatch.setattr(finding, "MOST_CANDIDATES", 0)
    assert names("anders") == []
