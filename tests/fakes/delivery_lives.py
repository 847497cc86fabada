"""Lives of a deliverer, each ended by SIGKILL or by having nothing left to do.

Run as a program it is the cradle: a process with everything loaded and one thread, which forks a life for every line it
reads and answers how that ended. `Lives` is the test's end of it.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes
from pathlib import Path
from typing import Any

from fakes.checker import violations
from fakes.ledger import DEFINITIONS, NOON, consent, open_state, plan, planned, suppression
from fakes.provider import Behaviour, Broken, FakeProvider, read_history, seeded
from fakes.smtp import Server
from innkeeper.channels import DEFAULT_EMAIL, make_provider
from innkeeper.channels.contract import ChannelConfig, Provider
from innkeeper.content.compose import render_message
from innkeeper.kernel import failpoints
from innkeeper.kernel.time import DAY
from innkeeper.runtime.deliver import Deliverer
from innkeeper.store.state import State

SLOTS = 4
DEADLY: tuple[Behaviour, ...] = ("accept",) * 40 + ("refuse", "later", "die_before", "die_at", "die_after")
FAILPOINTS = [name for name in failpoints.FAILPOINTS if name.startswith(("deliver.", "file."))]


def live(home: Path, kind: str, seed: int) -> None:
    """Recover, then deliver until nothing is open."""
    with State.open(home) as state:
        provider = _provider(home, kind, seed)
        provider.open()
        deliverer = Deliverer(state, DEFINITIONS, {"email": provider}, slots=SLOTS)
        deliverer.recover()
        deliverer.deliver()
        deliverer.close()


def _provider(home: Path, kind: str, seed: int) -> Provider:
    name, _, port = kind.partition(":")
    match name:
        case "file":
            return make_provider(DEFAULT_EMAIL, home)
        case "smtp":
            settings = {"host": "localhost", "port": int(port), "security": "none", "from": "desk@hotel.example"}
            return make_provider(ChannelConfig(name="email", provider="smtp", settings=settings), home)
        case _:
            return FakeProvider(home / "history", seeded(seed, DEADLY), settles=name == "settling")


def _cradle(home: Path, kind: str, seed: int) -> None:
    # Everything a life needs is loaded and compiled once, here.
    render_message(DEFINITIONS.messages["welcome"], {"profile": {"first_name": "x"}, "workspace": {"name": "x"}})
    for line in sys.stdin:
        order = json.loads(line)
        pid = os.fork()
        if pid == 0:
            failpoints.arm(order["failpoint"])
            try:
                live(home, kind, seed)
            except Broken:
                os._exit(3)
            except BaseException as error:  # noqa: BLE001 - printed, and the exit code fails the test
                sys.stderr.write(f"{type(error).__name__}: {error}\n")
                sys.stderr.flush()
                os._exit(1)
            os._exit(0)
        if order["after_ms"] is not None:
            time.sleep(order["after_ms"] / 1000)
            os.kill(pid, signal.SIGKILL)
        sys.stdout.write(json.dumps(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])) + "\n")
        sys.stdout.flush()


class Lives:
    """A workspace with planned deliveries, and the cradle of its lives."""

    def __init__(
        self, home: Path, kind: str, process: subprocess.Popen[str], ids: list[str], server: Server | None
    ) -> None:
        self.home, self.kind, self.ids, self.server = home, kind, ids, server
        self.kills = 0
        self._process = process

    def end(self, failpoint: str = "", after_ms: float | None = None) -> int:
        """One life; its exit code (negative: the signal that ended it)."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"failpoint": failpoint, "after_ms": after_ms}) + "\n")
        self._process.stdin.flush()
        code = int(self._process.stdout.readline())
        self.kills += code == -signal.SIGKILL
        return code

    def end_well(self) -> None:
        """Lives until one of them finds nothing left to do."""
        for _ in range(200):
            code = self.end()
            assert code in (0, -signal.SIGKILL), f"exit code {code}"
            if code == 0:
                return
        raise AssertionError("it never comes to rest")

    def accepted(self) -> list[str]:
        """The acceptances by the provider's own account."""
        if self.server is not None:
            # Who was killed may have said the last word of a mail that the server is still reading.
            self.server.wait_until_left()
            return [delivery_of(content) for _, content in self.server.accepted]
        if self.kind != "file":
            return [entry["id"] for entry in read_history(self.home / "history") if entry["what"] == "accepted"]
        folders = (self.home / "mail" / folder for folder in ("new", "cur"))
        return [mail.name.split(".")[1] for folder in folders for mail in folder.iterdir()]

    def violations(self) -> list[str]:
        """What is wrong now."""
        doubts = 0 if self.kind in ("file", "settling") else SLOTS * self.kills
        return violations(self.home, self.ids, self.accepted(), in_doubt_at_most=doubts)


def delivery_of(content: bytes) -> str:
    """The delivery that a mail is."""
    return str(message_from_bytes(content)["X-Innkeeper-Delivery"])


@contextmanager
def lives(home: Path, kind: str, seed: int, count: int, server: Server | None = None) -> Iterator[Lives]:
    """A workspace with *count* planned deliveries of all kinds; kind: file, settling, fake, or smtp to the *server*."""
    if server is not None:
        kind = f"{kind}:{server.port}"
    ids = [f"d-{number}" for number in range(count)]
    with open_state(home) as state:
        rng = random.Random(seed)
        for number in range(count):
            kind_of = rng.choice(["marketing", "service", "transactional"])
            changes: dict[str, Any] = {"expires_at": NOON + 30 * DAY, "kind": kind_of}
            if rng.random() < 0.05:
                changes["context"] = {"profile": {}}
            plan(state, planned(number, **changes))
            if rng.random() < 0.05:
                plan(state, suppression(number, True) if rng.random() < 0.5 else consent(number, False))
    root = Path(__file__).resolve().parents[2]
    environment = {**os.environ, "PYTHONPATH": f"{root / 'src'}:{root / 'tests'}"}
    process = subprocess.Popen(
        [sys.executable, "-m", "fakes.delivery_lives", str(home), kind, str(seed)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment,
    )  # fmt: skip
    try:
        yield Lives(home, kind, process, ids, server)
    finally:
        process.kill()
        process.communicate()


def kill_often(
    home: Path, kind: str, seed: int, *, kills: int, count: int, server: Server | None = None
) -> Lives:  # fmt: skip
    """Kill at every failpoint once, then at random times, *kills* in all; then let it come to rest and check."""
    rng = random.Random(seed)
    with lives(home, kind, seed, count, server) as found:
        points = [name for name in failpoints.FAILPOINTS if name.startswith(("deliver.", f"{kind}."))]
        # A round claims and records once, but sends often.
        orders: list[tuple[str, float | None]] = [
            (f"{name}:{1 if name in ('deliver.claimed', 'deliver.recorded') else rng.randint(1, 6)}", None)
            for name in points
        ]
        rng.shuffle(orders)
        # Where everything may be recorded comes last, and then at random: such a life may find its end unkilled.
        orders.sort(key=lambda order: order[0].startswith("deliver.recorded"))
        while len(orders) < kills:
            orders.append(("", rng.uniform(0, 120)))
        for failpoint, after in orders:
            if found.end(failpoint, after) == 0:
                break
        found.end_well()
        wrong = found.violations()
        assert wrong == [], f"seed {seed}, {found.kills} kills: {wrong}"
        return found


if __name__ == "__main__":
    _cradle(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
