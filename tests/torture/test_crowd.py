"""Ten thousand connections that say nothing, or stop in the middle, beside clients that send (A39)."""

from __future__ import annotations

import http.client
import json
import os
import resource
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from support.door import basic
from support.workspace import Workspace

CROWD = 10_000
REQUESTS = 500


@pytest.mark.torture
def test_a39_ten_thousand_idle_connections_keep_nobody_out(tmp_path: Path) -> None:
    """Everything that is sent meanwhile is acknowledged, and the door lives; how long it takes is told, not judged."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    number = min(CROWD, most - 200)
    workspace = Workspace(tmp_path / "home")
    key = workspace.cli("source", "create", "shop", "--kind", "server")["write_key"]
    process = subprocess.Popen(
        [sys.executable, "-m", "innkeeper", "--home", str(workspace.home), "up", "--json", "--port", "0"],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    crowd: list[socket.socket] = []
    try:
        assert process.stdout is not None
        port = int(json.loads(process.stdout.readline())["url"].rpartition(":")[2])
        alone, before = _send(port, key, "alone"), _resident_mib(process.pid)
        head = f"POST /v1/page HTTP/1.1\r\nHost: x\r\nX-Write-Key: {key}\r\n".encode()
        for place in range(number):
            crowd.append(socket.create_connection(("127.0.0.1", port), timeout=60))
            crowd[-1].sendall((b"", head, head + b"Content-Length: 100\r\n\r\n{")[place % 3])
        among = _send(port, key, "among")
        print(
            f"seed none: {number} connections; p99 of {REQUESTS} acknowledgements {alone:.1f} ms alone,"
            f" {among:.1f} ms among them; memory {before} MiB, then {_resident_mib(process.pid)} MiB"
        )
    finally:
        for each in crowd:
            each.close()
        process.terminate()
        assert process.wait(60) == 0


def _send(port: int, key: str, name: str) -> float:
    """Single events, each acknowledged; the 99th percentile of their times in milliseconds."""
    taken = []
    for number in range(REQUESTS):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        body = json.dumps({"anonymousId": "a", "messageId": f"{name}{number}"})
        began = time.perf_counter()
        connection.request("POST", "/v1/page", body, {"Authorization": basic(key)})
        answer = connection.getresponse()
        assert (answer.status, json.loads(answer.read())["accepted"]) == (200, 1)
        taken.append((time.perf_counter() - began) * 1_000)
        connection.close()
    return sorted(taken)[int(REQUESTS * 0.99)]


def _resident_mib(pid: int) -> int:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return round(pages * os.sysconf("SC_PAGE_SIZE") / 2**20)
