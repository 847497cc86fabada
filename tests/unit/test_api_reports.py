"""The overview over the API: its figures against other routes, its page against the command's, whose story is told."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from support.api import served
from support.door import Served

from innkeeper.cli.main import cli


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("api") / "home") as found:
        assert found.ask("POST", "/users", {"name": "vi", "role": "viewer"}).status == 201
        yield found


def test_the_figures_are_those_of_the_other_routes(door: Served) -> None:
    told = door.ask("GET", "/reports/overview?profile=ann").json
    status = door.ask("GET", "/status").json
    assert told["profiles"] == status["profiles"] == 4
    assert told["balance"] == door.ask("GET", "/deliveries/balance").json
    stages = door.ask("GET", "/stages").json["stages"]
    assert {name or "none": number for name, number in told["stage_counts"][-1]["counts"].items()} == stages
    (journey,) = told["journeys"]
    assert journey["entered"] == status["journeys"]["welcome"]["entered"]
    assert sum(told["tasks"].values()) == len(door.ask("GET", "/tasks").json["tasks"])
    assert (told["since"], told["until"]) == ("2026-01-01T10:00:00Z", "2026-01-08T00:00:00Z")
    assert told["story"]["id"] == "ann"
    assert told["story"]["lines"][0]["at"] >= told["since"]


def test_the_page_is_the_commands(door: Served, tmp_path: Path) -> None:
    file = tmp_path / "overview.html"
    done = CliRunner().invoke(cli, ["--home", str(door.home), "report", "overview", str(file), "--profile", "ann"])
    assert done.exit_code == 0, done.output
    page = door.ask("GET", "/reports/overview?profile=ann", Accept="text/html,*/*")
    assert page.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert page.text == file.read_bytes()


def test_a_story_is_told_to_who_may_read_customers(door: Served) -> None:
    def token(name: str, *scopes: str) -> str:
        return str(door.ask("POST", "/tokens", {"name": name, "user": "vi", "scopes": list(scopes)}).json["token"])

    narrow, whole = token("narrow", "workspace:read"), token("whole")
    assert door.ask("GET", "/reports/overview", token=whole).json["story"]["lines"]
    told = door.ask("GET", "/reports/overview", token=narrow)
    assert (told.status, told.json["story"]) == (200, None)
    assert "@example.com" not in told.text.decode()
    for accept in ("text/html", "application/json"):
        refused = door.ask("GET", "/reports/overview?profile=ann", token=narrow, Accept=accept)
        assert (refused.status, refused.json["code"]) == (403, "not-allowed")
    assert door.ask("GET", "/reports/overview?profile=nobody").status == 404
