"""The API of a served workspace, and commands beside it: what they write is taken, and `replay` finds the same."""

from __future__ import annotations

import json
import stat
import urllib.request
from pathlib import Path
from typing import Any

from scenario.test_up import eventually, served
from support.workspace import BASE, Workspace, event, identify, message

from innkeeper.kernel.time import SECOND, SystemClock, format_instant
from innkeeper.runtime.replay import replay

STRATEGY = {
    "strategy.yaml": BASE["strategy.yaml"].replace("arrival", "arrival, room")
    + "objects:\n  booking:\n    id: booking_id\n    roles: {owner: user}\n    properties: [room]\n"
    + "    events: {Booking: confirmed}\n",
    "messages/hello.md": message("Hello"),
    "journeys/welcome.yaml": "enter: {event: Login}\nsteps:\n  - send: hello\n",
}


def ask(home: Path, path: str) -> Any:
    door = json.loads((home / "door.json").read_text())
    told = {"Authorization": f"Bearer {door['token']}"}
    request = urllib.request.Request(f"{door['url']}/api/v1{path}", headers=told)
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.loads(answer.read())


def test_commands_beside_a_served_workspace(tmp_path: Path) -> None:
    home, now = tmp_path / "home", SystemClock().now()
    workspace = Workspace(home)
    workspace.apply(STRATEGY)
    workspace.add(
        identify("ana", format_instant(now - 60 * SECOND)),
        identify("bo", format_instant(now - 50 * SECOND)),
        event("Login", None, format_instant(now - 40 * SECOND), anonymous="b1"),
    )
    workspace.run(format_instant(now - SECOND))
    changed = tmp_path / "strategy"
    for name, text in {**BASE, **STRATEGY, "journeys/later.yaml": LATER}.items():
        (changed / name).parent.mkdir(parents=True, exist_ok=True)
        (changed / name).write_text(text)
    with served(workspace):
        assert stat.S_IMODE((home / "door.json").stat().st_mode) == 0o600
        noted = workspace.cli("profile", "note", "ana", "--memory", "pillow=soft")
        assert [one["event"] for one in noted["events"]] == ["Memory Noted"]
        assert workspace.cli("link", "add", "ana", "anonymous_id:b1")["merges"][0]["what"] == "joined"
        written = workspace.cli("object", "set", "booking", "b-7", "--role", "owner=ana", "--set", "room=204")
        assert written["accepted"] == 1
        assert workspace.cli("apply", str(changed), "--yes")["added"] == ["journeys/later"]
        eventually(lambda: ask(home, "/objects/booking")["objects"] != [])
        assert ask(home, "/objects/booking/b-7")["roles"][0]["holder"] == "ana"
        assert ask(home, "/profiles/anonymous_id:b1")["id"] == "ana"
        assert [one["id"] for one in ask(home, "/profiles")["profiles"]] == ["ana", "bo"]
        assert ask(home, "/journeys")["journeys"]["welcome"]["entered"] == 1
        assert workspace.cli("link", "remove", "ana", "anonymous_id:b1")["merges"][0]["what"] != "joined"
        assert [one["id"] for one in ask(home, "/profiles")["profiles"]] == ["anonymous_id:b1", "ana", "bo"]
        refused = workspace.shell("--json", "object", "set", "boking", "b-7", "--role", "owner=ana")
        assert refused.returncode == 2
        assert json.loads(refused.stdout)["errors"][0]["code"] == "unknown-object-type"
        assert workspace.cli("audit", "verify")["holds"]
    assert not (home / "door.json").exists()
    assert replay(home).different == 0


LATER = "enter: {event: Login}\nsteps:\n  - wait: 1 day\n"
