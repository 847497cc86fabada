"""The `audience` commands on a workspace: count, list, flips, explain; what they print and what they refuse."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

STRATEGY = {
    "strategy.yaml": "name: test\nzone: Europe/Lisbon\nevents: {Order Completed: [total], Login: []}\ntraits: [plan]\n",
    "audiences/loyal.yaml": "name: loyal\nwhen: count('Order Completed') >= 2\n",
    "stages.yaml": "- stage: customer\n  when: did('Order Completed')\n- stage: visitor\n  when: did('Login')\n",
}


def event(day: str, name: str, **fields: Any) -> dict[str, Any]:
    """One line of a Segment-style file."""
    made = {"type": "track", "event": name, "timestamp": f"2026-03-{day}Z", "messageId": f"{day}-{name}-{len(fields)}"}
    return made | fields


EVENTS = [
    event("01T10:00:00", "Login", anonymousId="x"),
    event("02T10:00:00", "Login", anonymousId="y"),
    event("03T10:00:00", "Order Completed", userId="ana", anonymousId="x", properties={"total": 60}),
    event("05T10:00:00", "Order Completed", userId="ana", properties={"total": 40.5}),
    event(
        "06T10:00:00", "Order Completed", userId="ben", properties={"total": "60"}, context={"traits": {"plan": "pro"}}
    ),
]


def call(home: Path, *arguments: str, code: int = 0) -> Any:
    """The JSON answer of a command, which is a document of errors where it fails."""
    done = subprocess.run(
        [sys.executable, "-m", "innkeeper", "--home", str(home), "--json", *arguments],
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == code, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with a strategy and five events."""
    folder = tmp_path_factory.mktemp("audience")
    for name, text in STRATEGY.items():
        path = folder / "strategy" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    lines = folder / "events.jsonl"
    lines.write_text("".join(json.dumps(each) + "\n" for each in EVENTS))
    call(folder / "home", "import", str(lines))
    call(folder / "home", "apply", str(folder / "strategy"), "--yes")
    return folder / "home"


def test_count_and_list(home: Path) -> None:
    assert call(home, "audience", "count", "sum('Order Completed', total) > 100") == {"count": 1}
    assert call(home, "audience", "list", "did('Login')") == {"ids": ["ana", "anonymous_id:y"]}
    before = ("--at", "2026-03-03T09:59:59.999999Z")
    assert call(home, "audience", "list", "did('Login')", *before) == {"ids": ["anonymous_id:x", "anonymous_id:y"]}
    assert call(home, "audience", "list", "did('Login')", "--id", "user_id") == {"ids": ["ana"]}
    assert call(home, "audience", "list", "did('Login')", "--id", "anonymous_id") == {
        "ids": ["anonymous_id:x", "anonymous_id:y"]
    }
    assert call(home, "audience", "list", "stage = 'visitor'") == {"ids": ["anonymous_id:y"]}
    assert call(home, "audience", "list", "in_audience('loyal') or traits.plan = 'pro'") == {"ids": ["ana", "ben"]}


def test_flips(home: Path) -> None:
    period = ("--from", "2026-03-01T00:00:00Z", "--until", "2026-03-31T00:00:00Z")
    assert call(home, "audience", "flips", "did('Login', within => '3 days')", *period)["flips"] == [
        {"id": "anonymous_id:x", "at": "2026-03-01T10:00:00Z", "member": True},
        {"id": "anonymous_id:y", "at": "2026-03-02T10:00:00Z", "member": True},
        {"id": "ana", "at": "2026-03-03T10:00:00Z", "member": True},
        {"id": "anonymous_id:x", "at": "2026-03-03T10:00:00Z", "member": False},
        {"id": "ana", "at": "2026-03-04T10:00:00Z", "member": False},
        {"id": "anonymous_id:y", "at": "2026-03-05T10:00:00Z", "member": False},
    ]
    since = call(home, "audience", "flips", "days_since_last('Order Completed') > 7", *period)["flips"]
    assert since[0] == {"id": "ana", "at": "2026-03-12T10:00:00.000001Z", "member": True}
    today = call(home, "audience", "flips", "did('Order Completed', within => 'today')", *period)["flips"]
    assert [flip["at"] for flip in today if not flip["member"]][:1] == ["2026-03-04T00:00:00Z"]


def test_explain(home: Path) -> None:
    told = call(home, "audience", "explain", "count('Order Completed',within=>'90 days',where=>total>=50)>=3")
    assert told["canonical"] == "count('Order Completed', within => '90 days', where => total >= 50) >= 3"
    assert told["words"] == (
        "the number of 'Order Completed' in the last 90 days where total is at least 50 is at least 3"
    )
    assert told["ast"]["node"] == "compare"
    assert told["sql"].startswith("WITH owned AS")
    assert "Order Completed" not in told["sql"]
    assert "Order Completed" in told["parameters"].values()


@pytest.mark.parametrize(
    ("expression", "code", "fix"),
    [
        ("did('Order Complete')", "unknown-event", "did you mean 'Order Completed'?"),
        ("sum('Order Completed', totl) > 1", "unknown-property", "did you mean 'total'?"),
        ("in_audience('loyl')", "unknown-audience", "did you mean 'loyal'?"),
        ("stage = 'visitr'", "unknown-stage", "did you mean 'visitor'?"),
        ("days_since_last('Login') > 'x'", "type", "a number of days"),
        ("did('Login'", "syntax", "expected"),
    ],
)
def test_what_is_refused(home: Path, expression: str, code: str, fix: str) -> None:
    (error,) = call(home, "audience", "count", expression, code=2)["errors"]
    assert error["code"] == code
    assert fix in error["fix"]


def test_unknown_names_can_be_allowed(home: Path) -> None:
    told = call(home, "audience", "count", "not did('Order Complete')", "--allow-unknown")
    assert told["count"] == 3
    assert [warning["code"] for warning in told["warnings"]] == ["unknown-event"]


def test_wrong_calls(home: Path, tmp_path: Path) -> None:
    login = "did('Login')"
    backwards = ("--from", "2026-03-02T00:00:00Z", "--until", "2026-03-01T00:00:00Z")
    assert refused(home, "list", login, "--id", "emial") == "unknown-namespace"
    assert refused(tmp_path / "none", "count", login) == "no-home"
    assert refused(home, "count", login, "--at", "2026-03-01T00:00:00") == "bad-time"
    assert refused(home, "flips", login, *backwards) == "bad-period"


def refused(home: Path, *arguments: str) -> str:
    (error,) = call(home, "audience", *arguments, code=2)["errors"]
    return str(error["code"])


def test_an_empty_workspace_answers(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    assert call(tmp_path / "home", "audience", "count", "did('Page Viewed')") == {"count": 0}
    assert call(tmp_path / "home", "audience", "list", "true") == {"ids": []}
