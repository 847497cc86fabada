"""A command beside a served home: what it does when whoever serves it is gone, or goes away in the middle."""

from __future__ import annotations

import json
import os
import socket
import threading
from pathlib import Path

from support.workspace import Workspace, identify

from innkeeper.runtime.serve import DOOR, listen_on


def told(workspace: Workspace, port: int) -> None:
    door = {"url": f"http://127.0.0.1:{port}", "pid": os.getpid(), "token": "ink_x", "certificate": None}
    (workspace.home / DOOR).write_text(json.dumps(door))


def guest(home: Path) -> Workspace:
    workspace = Workspace(home)
    workspace.add(identify("ana", "2026-01-01T10:00:00Z"))
    workspace.run("2026-01-02T00:00:00Z")
    return workspace


def test_where_nobody_listens_any_more_the_command_does_the_work(tmp_path: Path) -> None:
    workspace = guest(tmp_path)
    with listen_on("127.0.0.1", 0) as listener:
        # Bound, so that nobody else gets the port, and not listening.
        told(workspace, listener.getsockname()[1])
        assert workspace.cli("profile", "note", "ana", "likes tea")["events"][0]["event"] == "Staff Note Added"


def test_an_answer_that_does_not_come_is_told(tmp_path: Path) -> None:
    workspace = guest(tmp_path)
    with listen_on("127.0.0.1", 0) as listener:
        listener.listen()
        thread = threading.Thread(target=_hang_up, args=(listener,))
        thread.start()
        told(workspace, listener.getsockname()[1])
        failed = workspace.shell("--json", "profile", "note", "ana", "likes tea")
        thread.join()
    assert (failed.returncode, json.loads(failed.stdout)["errors"][0]["code"]) == (1, "no-answer")


def _hang_up(listener: socket.socket) -> None:
    connection, _ = listener.accept()
    connection.recv(1)
    connection.close()
