"""The demo plays in a home of its own, tells the same story twice, and never touches anything else."""

from __future__ import annotations

import mailbox
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from innkeeper.cli.main import cli
from innkeeper.kernel.errors import InnkeeperError, UsageError
from innkeeper.kernel.json import loads
from innkeeper.runtime.demo import MARK, prepare

ARGUMENTS = ["demo", "--exit", "--end", "2026-11-22", "--guests", "12", "--seed", "3"]


def _run(home: Path, *arguments: str) -> str:
    result = CliRunner().invoke(cli, ["--home", str(home), *arguments])
    if isinstance(result.exception, InnkeeperError):
        raise result.exception
    assert result.exit_code == 0, (result.output, result.exception)
    return result.stdout


def _without_paths(told: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in told.items() if name not in ("home", "mail", "page")}


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """A demo of twelve guests, and its JSON document."""
    home = tmp_path_factory.mktemp("demo") / "home"
    return home, loads(_run(home, "--json", *ARGUMENTS))


def test_the_demo_tells_everything_in_one_document(played: tuple[Path, dict[str, Any]]) -> None:
    home, told = played
    assert told["balance"]["difference"] == 0
    assert told["balance"]["planned"] > 20
    assert told["run"]["until"] == told["end"] == "2026-11-22T00:00:00Z"
    assert sum(told["stages"].values()) == told["profiles"]
    assert {journey["journey"] for journey in told["journeys"]} >= {"welcome", "pre-arrival", "win-back"}
    assert {line["voice"] for line in told["story"]["lines"]} >= {"guest", "house", "letter"}
    mails = mailbox.Maildir(told["mail"], create=False)
    assert len(mails) == told["balance"]["ends"]["accepted"]
    page = (home / "overview.html").read_text(encoding="utf-8")
    assert told["story"]["lines"][0]["text"] in page


def test_a_second_demo_starts_anew_and_tells_the_same(played: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    told = _run(tmp_path, *ARGUMENTS)
    for expected in ("Profiles per stage", "pre-arrival", "What was not sent", "difference 0", "The story of", "mails"):
        assert expected in told
    (tmp_path / "stray").mkdir()
    assert _without_paths(loads(_run(tmp_path, "--json", *ARGUMENTS))) == _without_paths(played[1])
    assert not (tmp_path / "stray").exists()


def test_reports_and_stages_of_the_demo(played: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    home, told = played
    assert loads(_run(home, "--json", "stage", "count"))["stages"] == {"none": 0} | told["stages"]
    earlier = loads(_run(home, "--json", "stage", "count", "--at", "2026-03-01T00:00:00Z"))
    assert 0 < earlier["profiles"] < told["profiles"]
    page = tmp_path / "page.html"
    assert loads(_run(home, "--json", "report", "overview", str(page)))["difference"] == 0
    assert page.read_text(encoding="utf-8") == (home / "overview.html").read_text(encoding="utf-8")
    subject = told["story"]["id"]
    _run(home, "report", "overview", str(page), "--profile", subject)
    assert f"Profile {subject}" in page.read_text(encoding="utf-8")
    with pytest.raises(UsageError, match="no profile 'nobody'"):
        _run(home, "report", "overview", str(page), "--profile", "nobody")
    with pytest.raises(InnkeeperError, match="cannot be written"):
        _run(home, "report", "overview", str(tmp_path / "nowhere" / "page.html"))


def test_a_home_that_is_no_demo_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(UsageError, match="not a demo's home"):
        prepare(tmp_path)
    assert [entry.name for entry in tmp_path.iterdir()] == ["mine.txt"]
    file = tmp_path / "mine.txt"
    with pytest.raises(UsageError):
        prepare(file)


def test_only_a_demos_own_home_is_emptied_and_links_are_not_followed(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept").write_text("kept")
    home = tmp_path / "home"
    home.mkdir()
    (home / MARK).write_text("{}")
    (home / "link").symlink_to(outside)
    (home / "log.db").write_text("old")
    prepare(home)
    assert sorted(entry.name for entry in home.iterdir()) == [MARK, "lock"]
    assert (outside / "kept").read_text() == "kept"
