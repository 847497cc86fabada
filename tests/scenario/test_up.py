"""`up`: two processes, one home; what has come due while nobody served goes out, and the log has it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from support.workspace import Workspace, event, identify, message

from innkeeper.kernel.time import SECOND, SystemClock, format_instant
from innkeeper.runtime.replay import replay

STRATEGY = {
    "messages/hello.md": message("Hello"),
    "messages/again.md": message("Again"),
    "journeys/welcome.yaml": "enter: {event: Login}\nsteps:\n  - send: hello\n  - wait: 2 seconds\n  - send: again\n",
}


@contextmanager
def served(workspace: Workspace) -> Iterator[dict[str, Any]]:
    """`innkeeper up --json --port 0`, stopped as a service manager stops it."""
    process = subprocess.Popen(
        [sys.executable, "-m", "innkeeper", "--home", str(workspace.home), "up", "--json", "--port", "0"],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ,
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, "up said nothing"
        yield json.loads(line)
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == 0
        assert process.stdout is not None
        process.stdout.close()


def eventually(holds: Callable[[], bool], seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.1)


def get(url: str) -> dict[str, Any]:
    with urllib.request.urlopen(url, timeout=60) as answer:
        told: dict[str, Any] = json.loads(answer.read())
    return told


def test_up_takes_what_arrived_waits_and_sends(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    workspace.apply(STRATEGY)
    now = SystemClock().now()
    soon = format_instant(now + 4 * SECOND)
    workspace.add(
        identify("u", format_instant(now - 60 * SECOND), email="u@example.com"),
        event("Login", "u", format_instant(now - 30 * SECOND)),
        event("Login", "v", soon),
        received_at=format_instant(now - 20 * SECOND),
    )
    with served(workspace) as answer:
        assert get(answer["url"] + "/health") == {"status": "ok"}
        eventually(lambda: get_ready(answer["url"]) is True)
        refused = workspace.shell("run", "--until", "now")
        assert refused.returncode == 1
        assert str(answer["pid"]) in refused.stderr
        eventually(
            lambda: [row[1:3] for row in workspace.deliveries()] == [("hello", "accepted"), ("again", "accepted")]
        )
        eventually(lambda: len(entered(workspace)) == 2)
    assert entered(workspace)[1][0] >= soon, "an event of the future waits until its time has come"
    names = [name for _, name, _ in workspace.outputs("Message Sent")]
    assert names == ["Message Sent", "Message Sent"]
    assert len(list((tmp_path / "mail" / "new").iterdir())) == 2
    assert replay(workspace.home).different == 0


def entered(workspace: Workspace) -> list[tuple[str, str, dict[str, Any]]]:
    return workspace.outputs("Journey Entered")


def test_the_engine_is_started_again_when_it_dies(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    workspace.apply(STRATEGY)
    with served(workspace) as answer:
        eventually(lambda: get_ready(answer["url"]) is True)
        (first,) = children(answer["pid"])
        os.kill(int(first), signal.SIGKILL)
        # How long there is none is not seen on a busy machine.
        eventually(lambda: children(answer["pid"]) not in ([], [first]) and get_ready(answer["url"]) is True)


def children(pid: int) -> list[str]:
    """The processes that a process has started and that have not ended."""
    command = ["ps", "--ppid", str(pid), "-o", "pid=,stat="]
    listed = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    return [number for number, state in map(str.split, listed.splitlines()) if not state.startswith("Z")]


def get_ready(url: str) -> bool | None:
    try:
        return bool(get(url + "/ready")["ready"])
    except urllib.error.HTTPError as error:
        return bool(json.loads(error.read())["ready"])


def test_control_c_on_a_terminal_stops_both_without_a_word(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    workspace.apply(STRATEGY)
    process = subprocess.Popen(
        [sys.executable, "-m", "innkeeper", "--home", str(tmp_path), "up", "--json", "--port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    url = json.loads(process.stdout.readline())["url"]
    eventually(lambda: get_ready(url) is True)
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (0, "")


def test_the_engine_ends_with_the_door(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    workspace.apply(STRATEGY)
    process = subprocess.Popen(
        [sys.executable, "-m", "innkeeper", "--home", str(tmp_path), "up", "--json", "--port", "0"],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    json.loads(process.stdout.readline())
    process.kill()
    process.wait()
    process.stdout.close()

    def gone() -> bool:
        listed = subprocess.run(["ps", "-e", "-o", "args="], capture_output=True, text=True, check=True).stdout
        return not any("engine_process" in line and str(tmp_path) in line for line in listed.splitlines())

    # The engine may still be starting; then it is gone a moment later, and the home is free.
    eventually(lambda: workspace.shell("run", "--until", "now").returncode == 0)
    eventually(gone)
