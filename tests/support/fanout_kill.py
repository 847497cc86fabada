"""The kill test of fan-outs: a process that tells many of a change dies in the middle again and again; in the end
everybody has been told once of each change, and replay tells the same.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from innkeeper.kernel.failpoints import VARIABLE
from innkeeper.runtime.replay import replay
from support import fanout_child
from support.workspace import Workspace

_TESTS = Path(__file__).resolve().parent.parent
_POINTS = ("fanout.computed", "fanout.told", "fanout.computed", "fanout.told", "tick.written", "tick.committed", "")


@dataclass
class Kills:
    """What happened."""

    seed: int
    done: int = 0
    lives: int = 0
    told: int = 0
    where: Counter[str] = field(default_factory=Counter)


def kill_often(folder: Path, way: str, *, kills: int, seed: int) -> Kills:
    """Live, die, live on, until *kills* processes have been killed; each life is checked at its end."""
    draw, found = random.Random(seed), Kills(seed)
    while found.done < kills:
        home = Workspace(folder / f"{way}-{found.lives}")
        home.apply(fanout_child.STRATEGY)
        life = seed + found.lives
        for _ in range(6):
            point = draw.choice(_POINTS)
            environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(_TESTS), os.environ.get("PYTHONPATH", "")])}
            if point:
                environment[VARIABLE] = f"{point}:{draw.randrange(1, 12)}"
            process = subprocess.Popen(
                [sys.executable, str(_TESTS / "support" / "fanout_child.py"), str(home.home), way, str(life)],
                env=environment, stderr=subprocess.PIPE, text=True,
            )  # fmt: skip
            if not point:
                time.sleep(draw.uniform(0.6, 2.0))
                process.kill()
            _, errors = process.communicate(timeout=300)
            if process.returncode == 0:
                break
            assert process.returncode == -signal.SIGKILL, errors
            found.done += 1
            found.where[point or "at random"] += 1
        fanout_child.live(home.home, way, life)
        calm = Workspace(folder / f"{way}-calm-{found.lives}")
        calm.apply(fanout_child.STRATEGY)
        fanout_child.live(calm.home, way, life)
        found.told += check(home, calm, way)
        found.lives += 1
    return found


def check(home: Workspace, calm: Workspace, way: str) -> int:
    """What was announced, planned and mailed is what a life without kills has; nobody twice, nobody forgotten."""
    mine, theirs = announced(home), announced(calm)
    assert mine == theirs, "everybody was told of everything once"
    assert sum(theirs.values()) > fanout_child.MEMBERS
    report = replay(home.home)
    assert report.different == 0, report.as_dict()
    if way == "run":
        assert sorted(home.log_lines()) == sorted(calm.log_lines()), "at the same instant, in the same words"
    balance = home.cli("ledger", "balance")
    assert balance["difference"] == 0
    return sum(theirs.values())


def announced(home: Workspace) -> Counter[tuple[str, str, str]]:
    """How often each was said to have entered or left what, and how many messages each got."""
    return Counter(
        (line[1] or "", line[3], str(line[4].get("audience", line[4].get("message", ""))))
        for line in ((*each[:4], _properties(each[4])) for each in home.log_lines())
        if line[3] in ("Audience Entered", "Audience Left", "Delivery Planned", "Message Sent", "Task Created")
    )


def _properties(text: str) -> dict[str, object]:
    import json

    found = json.loads(text)
    assert isinstance(found, dict)
    return found
