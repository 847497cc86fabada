"""Email over SMTP from the command line: `doctor --channels`, and what is said when a secret is missing."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from fakes.smtp import Server
from support.api import STRATEGY, served
from support.workspace import BASE

from innkeeper.cli.main import cli


@pytest.fixture
def home(tmp_path: Path) -> Iterator[tuple[Server, list[str]]]:
    """A workspace whose mail goes to a server; the beginning of a call."""
    server = Server(users={"desk": "s3cret"})
    channels = (
        f"email: {{ provider: smtp, host: localhost, port: {server.port}, security: none, from: a@b.example, "
        "username_env: DESK_USERNAME, password_env: DESK_PASSWORD }\n"
    )
    call = ["--home", str(tmp_path / "home")]
    for words in (["init", str(tmp_path / "shop")], [*call, "apply", str(tmp_path / "shop"), "--yes"]):
        assert CliRunner().invoke(cli, words).exit_code == 0
        (tmp_path / "shop" / "channels.yaml").write_text(channels)
    yield server, call
    server.stop()


@pytest.mark.parametrize(
    ("password", "code", "finding"), [("s3cret", 0, "channel-answers"), ("wr0ng", 1, "channel-login")]
)
def test_doctor_asks_only_when_told_to(
    home: tuple[Server, list[str]], monkeypatch: pytest.MonkeyPatch, password: str, code: int, finding: str
) -> None:
    server, call = home
    monkeypatch.setenv("DESK_USERNAME", "desk")
    monkeypatch.setenv("DESK_PASSWORD", password)
    assert CliRunner().invoke(cli, [*call, "doctor"]).exit_code == 0
    assert server.connections == 0
    asked = CliRunner().invoke(cli, [*call, "--json", "doctor", "--channels"])
    assert (asked.exit_code, [each["code"] for each in json.loads(asked.stdout)["findings"]]) == (code, [finding])
    assert (server.connections, server.accepted) == (1, [])
    assert password not in asked.output


def test_a_missing_secret_is_said_before_anything_is_served(home: tuple[Server, list[str]]) -> None:
    server, call = home
    up = subprocess.run([sys.executable, "-m", "innkeeper", *call, "up", "--port", "0"], capture_output=True, text=True)
    assert (up.returncode, up.stdout) == (1, "")
    assert "DESK_USERNAME is not set" in up.stderr
    assert "fix: set it where Innkeeper runs: export DESK_USERNAME" in up.stderr
    ran = CliRunner().invoke(cli, [*call, "run", "--until", "now", "--deliver", "live"])
    assert (ran.exit_code, "DESK_USERNAME is not set" in str(ran.exception)) == (1, True)
    assert server.connections == 0


def test_a_strategy_that_the_engine_of_up_would_die_of_is_not_published(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    channels = "email: { provider: smtp, host: localhost, from: a@b.example, password_env: DESK_PASSWORD"
    files = {**BASE, **STRATEGY, "channels.yaml": channels + ", username_env: DESK_USERNAME }\n"}
    monkeypatch.setenv("DESK_USERNAME", "desk")
    with served(tmp_path / "home") as door:
        before = door.ask("GET", "/definitions")
        draft = door.ask("POST", "/drafts", {"files": files}).json
        for path, body, tag in (
            ("/definitions/publish", {"files": files}, before.headers["etag"]),
            (f"/drafts/{draft['draft']}/publish", {}, draft["etag"]),
        ):
            refused = door.ask("POST", path, body, If_Match=tag)
            assert (refused.status, refused.json["code"]) == (422, "no-secret")
            assert "DESK_PASSWORD is not set" in refused.json["detail"]
        assert door.ask("GET", "/definitions").json == before.json
        monkeypatch.setenv("DESK_PASSWORD", "s3cret")
        assert door.ask("POST", f"/drafts/{draft['draft']}/publish", {}, If_Match=draft["etag"]).status == 200
