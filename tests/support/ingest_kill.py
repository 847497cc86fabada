"""Kills `innkeeper up` while clients send over HTTP, again and again; then asks the log for everything acknowledged.

The clients keep their own record: a batch is in it, synced, only after its 200 has been read. They are threads that
send, and send again under the same message ids what was not acknowledged, as SDKs do.
"""

from __future__ import annotations

import http.client
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from innkeeper.kernel.errors import OperationFailed
from innkeeper.kernel.failpoints import VARIABLE
from innkeeper.runtime.lock import hold
from innkeeper.store.log import Log
from support.door import basic, zipped
from support.workspace import Workspace

CLIENTS = 4
#: What a kill over HTTP can fall into; "" is a random moment.
PLACES = ("append.begun", "append.committed", "")


@dataclass
class Killed:
    """What happened."""

    seed: int
    done: int = 0
    acknowledged: int = 0
    sent_again: int = 0
    where: Counter[str] = field(default_factory=Counter)


class Client(threading.Thread):
    """Sends batches until the door is gone; what was acknowledged is in its record before it goes on."""

    def __init__(self, port: int, key: str, record: Path, draw: random.Random, number: int) -> None:
        super().__init__(daemon=True)
        self.port, self.key, self.record, self.draw, self.number = port, key, record, draw, number
        self.unanswered: list[str] = []
        self.wrong: AssertionError | None = None

    def run(self) -> None:
        """One life of the door; an answer that it must not give is kept for who waits."""
        try:
            self._live()
        except AssertionError as error:
            self.wrong = error

    def _live(self) -> None:
        with self.record.open("a") as history:
            while True:
                count = self.draw.choice([1, 1, 5, 40])
                ids = self.unanswered or [f"{self.number}-{self.draw.getrandbits(64):016x}" for _ in range(count)]
                self.unanswered = ids
                if not self._send(ids):
                    return
                history.write(json.dumps(ids) + "\n")
                history.flush()
                os.fsync(history.fileno())
                self.unanswered = []

    def _send(self, ids: list[str]) -> bool:
        """Whether the door has said 200."""
        batch = [{"type": "track", "event": "Seen", "userId": f"u{id[-2:]}", "messageId": id} for id in ids]
        body = json.dumps({"batch": batch}).encode()
        packed = self.draw.random() < 0.5
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(
                "POST", "/v1/batch", zipped(body) if packed else body, {"Authorization": basic(self.key)}
            )
            answer = connection.getresponse()
            told = json.loads(answer.read())
            assert answer.status == 200, told
            assert told["accepted"] + told["duplicates"] == len(ids)
            return True
        except (OSError, http.client.HTTPException, ValueError):
            return False
        finally:
            connection.close()


def kill_the_door(folder: Path, *, kills: int, seed: int) -> Killed:
    """Open the door, send, kill it, *kills* times; then everything acknowledged is in the log, once.

    A kill comes after so many acknowledgements, or at a failpoint's n-th pass: how fast the machine is does not matter.
    """
    draw, told = random.Random(seed), Killed(seed)
    workspace = Workspace(folder / "home")
    key = workspace.cli("source", "create", "shop", "--kind", "server")["write_key"]
    records = [folder / f"client-{number}.jsonl" for number in range(CLIENTS)]
    pending: list[list[str]] = [[] for _ in records]
    while told.done < kills:
        place = PLACES[told.done % len(PLACES)]
        clients = _one_life(workspace, key, records, pending, place, draw)
        pending = [client.unanswered for client in clients]
        told.sent_again += sum(map(len, pending))
        told.done += 1
        told.where[place or "at random"] += 1
    told.acknowledged = check(workspace, records, pending)
    return told


def _one_life(
    workspace: Workspace, key: str, records: list[Path], pending: list[list[str]], place: str, draw: random.Random
) -> list[Client]:
    _wait_until_free(workspace.home)
    environment = {**os.environ, VARIABLE: f"{place}:{draw.randrange(1, 30)}" if place else ""}
    process = subprocess.Popen(
        [sys.executable, "-m", "innkeeper", "--home", str(workspace.home), "up", "--json", "--port", "0"],
        stdout=subprocess.PIPE, text=True, env=environment,
    )  # fmt: skip
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, "the door did not open"
    port = int(json.loads(line)["url"].rpartition(":")[2])
    clients = [
        Client(port, key, record, random.Random(draw.getrandbits(32)), number) for number, record in enumerate(records)
    ]
    for client, ids in zip(clients, pending, strict=True):
        client.unanswered = ids
        client.start()
    if not place:
        enough = _size(records) + draw.randrange(1, 3_000)
        while _size(records) < enough and all(client.is_alive() for client in clients):
            time.sleep(0.001)
        process.kill()
    assert process.wait(timeout=120) == -signal.SIGKILL
    process.stdout.close()
    for client in clients:
        client.join()
        if client.wrong is not None:
            raise client.wrong
    return clients


def _wait_until_free(home: Path) -> None:
    """The engine of the door that was killed ends its last tick first, and holds the home until then."""
    while True:
        try:
            with hold(home):
                return
        except OperationFailed:
            time.sleep(0.01)


def _size(records: list[Path]) -> int:
    return sum(record.stat().st_size for record in records if record.exists())


def check(workspace: Workspace, records: list[Path], pending: list[list[str]]) -> int:
    """I1 and I2 for what was sent over HTTP; how many events were acknowledged."""
    acknowledged = [id for record in records for line in record.read_text().splitlines() for id in json.loads(line)]
    with Log.open(workspace.home) as log:
        stored = Counter(event.message_id for event in log.read(0, 10_000_000) if event.source == "shop")
    assert set(stored.values()) == {1}, "I2: sent again, it is there once"
    assert set(acknowledged) <= set(stored), "I1: everything acknowledged is there"
    surplus = set(stored) - set(acknowledged) - {id for ids in pending for id in ids}
    assert surplus == set(), "and nothing that nobody sent"
    return len(acknowledged)
