"""Events whose name only looks like one that the engine understands: taken, without its effect, and told everywhere."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.door import Served, opened
from support.workspace import Workspace, event

from innkeeper.audiences.catalog import BUILT_IN_EVENTS
from innkeeper.events.lookalikes import looks_like
from innkeeper.runtime import sources

ALIKE = ["consent given", "Consent Given ", "\tCONSENT GIVEN", " Consent Given"]
OTHERS = ["Consent Given", "Login", "ConsentGiven", "Consent  Given", "Consent Given!", "order completed", "Suppressed"]


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    with opened(tmp_path) as found:
        yield found


def track(name: str, number: int) -> dict[str, Any]:
    return {"type": "track", "userId": "ann", "event": name, "messageId": f"m-{number}"}


def test_no_name_that_the_engine_understands_looks_like_another() -> None:
    assert [name for name in BUILT_IN_EVENTS if looks_like(name)] == []
    assert {looks_like(name) for name in ALIKE} == {"Consent Given"}
    assert [name for name in OTHERS if looks_like(name)] == []


def test_the_answer_and_the_debugger_say_what_it_looks_like(served: Served) -> None:
    names = [name for pair in zip(ALIKE, OTHERS, strict=False) for name in pair]
    told = served.send("/v1/batch", {"batch": [track(name, number) for number, name in enumerate(names)]}).json
    assert (told["accepted"], told["rejected"], told["refused"]) == (len(names), 0, [])
    assert [each["index"] for each in told["warnings"]] == [0, 2, 4, 6]
    for each in told["warnings"]:
        assert each["code"] == "looks-like"
        assert "'Consent Given'" in each["message"]
        assert "'Consent Given'" in each["fix"]
    assert [each.name for each in served.events()] == names
    seen = served.call("GET", "/v1/sources/shop/debug", b"", {"Authorization": f"Bearer {served.key()}"}).json["events"]
    assert [each["event"] for each in seen if each.get("code") == "looks-like"] == ALIKE
    assert {each["became"] for each in seen} == {"accepted"}


def test_an_answer_without_such_a_name_has_no_warnings(served: Served) -> None:
    assert "warnings" not in served.send("/v1/track", track("Consent Given", 1)).json
    assert "warnings" in served.send("/v1/track", track("consent given", 2)).json


def test_they_are_counted_by_source_and_are_no_refusals(served: Served) -> None:
    for number, name in enumerate(ALIKE):
        assert served.send("/v1/track", track(name, number)).status == 200
    served.send("/v1/track", track("Login", 9))
    served.send("/v1/track", {"anonymousId": "a", "event": "consent given"}, source="web")
    served.door.keep_counts()
    shop, web = (sources.show(served.home, name, served.clock) for name in ("shop", "web"))
    assert (shop["names_alike"], shop["accepted"], shop["refused"], shop["errors"]) == (4, 5, 0, [])
    assert (web["names_alike"], web["accepted"]) == (1, 1)


def test_doctor_names_them_also_where_they_came_from_a_file(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "home")
    workspace.add(
        *(event(name, "ann", f"2026-01-0{number}T10:00:00Z", id=f"m-{number}")
          for number, name in enumerate(["consent given", "consent given", "Consent Given", "Login"], 1)),
        source="crm",
    )  # fmt: skip
    told = json.loads(workspace.shell("--json", "doctor").stdout)
    (found,) = (each for each in told["findings"] if each["code"] == "looks-like")
    assert told["ok"]
    assert found["state"] == "note"
    assert found["message"].startswith("2 events of 'crm': 'consent given'")
    assert "'Consent Given'" in found["fix"]
