"""A provider that misbehaves on request and keeps a history of its own, flushed to disk before it answers.

The history is the provider's side of the story: the checker compares it with the ledger and believes neither alone.
"""

from __future__ import annotations

import json
import os
import random
import signal
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from innkeeper.channels.contract import Outgoing, Result

Behaviour = Literal[
    "accept", "refuse", "later", "hang", "drop_answer", "unsure", "break_before", "die_before", "die_at", "die_after"
]
#: What a provider may do without taking the process down.
MILD: tuple[Behaviour, ...] = ("accept", "accept", "accept", "refuse", "later", "drop_answer", "unsure")


class Broken(Exception):
    """The connection broke."""


class FakeProvider:
    """Behaves as *behave* says, by delivery id and attempt (from 1).

    accept; refuse; later (not now); hang (until `release` is set); drop_answer (accepts, then the connection breaks);
    unsure (accepts, and says that it does not know); break_before (the connection breaks before the last byte);
    die_before, die_at, die_after (SIGKILL before committing, between commitment and last byte, after the last byte).
    """

    name = "fake"
    is_remote = False

    def __init__(
        self, history: Path, behave: Callable[[str, int], Behaviour] = lambda *_: "accept", *, settles: bool = False
    ) -> None:
        self.history, self.behave, self.settles = history, behave, settles
        self.release = threading.Event()
        self.attempts: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._most = 0
        self._inside = 0

    def open(self) -> None:
        """Count the attempts of earlier lives."""
        self.attempts = Counter(entry["id"] for entry in read_history(self.history) if entry["what"] == "asked")

    def send(self, outgoing: Outgoing, committing: Callable[[], None]) -> Result:
        """Do what the behaviour says."""
        delivery = outgoing.delivery_id
        with self._lock:
            self.attempts[delivery] += 1
            behaviour = self.behave(delivery, self.attempts[delivery])
        self._note(delivery, "asked")
        match behaviour:
            case "refuse":
                return Result(outcome="rejected", reason="550")
            case "later":
                return Result(outcome="retry", reason="450")
            case "die_before":
                os.kill(os.getpid(), signal.SIGKILL)
            case "break_before":
                raise Broken("before the last byte")
            case "hang":
                self.release.wait(60)
        committing()
        if behaviour == "die_at":
            os.kill(os.getpid(), signal.SIGKILL)
        self._note(delivery, "accepted")
        match behaviour:
            case "die_after":
                os.kill(os.getpid(), signal.SIGKILL)
            case "drop_answer":
                return Result(outcome="in_doubt", reason="connection lost after the last byte")
            case "unsure":
                raise Broken("after the last byte")
        return Result(outcome="accepted", provider_id=f"p-{delivery}")

    def settle(self, delivery_id: str) -> Result | None:
        """By its history, when it settles."""
        if not self.settles:
            return None
        accepted = any(
            entry["id"] == delivery_id and entry["what"] == "accepted" for entry in read_history(self.history)
        )
        return Result(outcome="accepted") if accepted else Result(outcome="retry", reason="never came")

    def probe(self) -> str:
        """It could always send."""
        return "a fake"

    def close(self) -> None:
        """Nothing to let go of."""

    def _note(self, delivery: str, what: str) -> None:
        line = json.dumps({"id": delivery, "what": what}).encode() + b"\n"
        descriptor = os.open(self.history, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            os.write(descriptor, line)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def read_history(path: Path) -> list[dict[str, str]]:
    """What the provider has written down; a line cut off by a kill is left out."""
    if not path.exists():
        return []
    lines = path.read_bytes().split(b"\n")
    return [json.loads(line) for line in lines[:-1] if line.endswith(b"}")]


def seeded(seed: int, choices: tuple[Behaviour, ...]) -> Callable[[str, int], Behaviour]:
    """A behaviour drawn from *choices* by seed, delivery and attempt; from the fourth attempt on all is well."""

    def behave(delivery: str, attempt: int) -> Behaviour:
        if attempt > 3:
            return "accept"
        return random.Random(f"{seed}/{delivery}/{attempt}").choice(choices)

    return behave
