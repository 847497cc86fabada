"""The kill test (reliability.md T1): a run under import, seal and delivery dies again and again; then three histories
are compared: the client's (what was acknowledged), the provider's (what it accepted) and the store's.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from innkeeper.kernel.failpoints import FAILPOINTS, VARIABLE
from innkeeper.runtime.replay import replay
from innkeeper.store.bulk import Bulk
from innkeeper.store.log import Log
from support import kill_child
from support.workspace import Workspace

_TESTS = Path(__file__).resolve().parent.parent
#: Reached only by `doctor --forget`, `retention` and `retract`, which this life never calls, and where many are told of
#: a change (fanout_kill.py) or mail goes to a server (test_delivery_kills.py).
ELSEWHERE = {
    "forget.listed", "fanout.computed", "fanout.told",
    *(name for name in FAILPOINTS if name.startswith(("retain.", "revise.", "smtp."))),
}  # fmt: skip


@dataclass
class Kills:
    """What happened."""

    seed: int
    done: int = 0
    where: Counter[str] = field(default_factory=Counter)
    lives: int = 0


def strategy(workspace: Workspace) -> None:
    """Put the strategy of the run scenarios in force."""
    from scenario.test_run import STRATEGY

    workspace.apply(STRATEGY)


def kill_again_and_again(folder: Path, *, kills: int, seed: int, failpoints: bool = True) -> Kills:
    """Live, die, live on, until *kills* processes have been killed; then live to the end, and begin anew if need be."""
    draw = random.Random(seed)
    told = Kills(seed)
    plan = [name for name in FAILPOINTS if name not in ELSEWHERE] if failpoints else []
    draw.shuffle(plan)
    while told.done < kills:
        home = Workspace(folder / f"life-{told.lives}")
        strategy(home)
        history = folder / f"client-{told.lives}.jsonl"
        finished = False
        while not finished and told.done < kills:
            name = plan.pop() if plan else draw.choice(["", "", *(n for n in FAILPOINTS if n not in ELSEWHERE)])
            finished = _live(home.home, history, seed + told.lives, name, draw, told)
            if finished and name and name not in told.where:
                plan.insert(0, name)
        if not finished:
            assert _live(home.home, history, seed + told.lives, None, draw, told)
        check(home, history, seed + told.lives, folder / f"calm-{told.lives}")
        told.lives += 1
    return told


def _live(home: Path, history: Path, seed: int, name: str | None, draw: random.Random, told: Kills) -> bool:
    """One process; whether it lived to its end. *name*: a failpoint, "" for a random moment, None for neither."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(_TESTS), os.environ.get("PYTHONPATH", "")])}
    if name:
        environment[VARIABLE] = f"{name}:{draw.randrange(1, 4)}"
    process = subprocess.Popen(
        [sys.executable, str(_TESTS / "support" / "kill_child.py"), str(home), str(history), str(seed)],
        env=environment, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    if name == "":
        time.sleep(draw.uniform(0.4, 3.0))
        process.kill()
    _, errors = process.communicate(timeout=300)
    if process.returncode == -signal.SIGKILL:
        told.done += 1
        told.where[name or "at random"] += 1
        return False
    assert process.returncode == 0, errors
    return True


def check(workspace: Workspace, history: Path, seed: int, calm_home: Path) -> None:
    """I1 to I3, I5 and I9, and the balance, after everything has come to rest."""
    acknowledged = [message for line in history.read_text().splitlines() for message in json.loads(line)]
    with Bulk.open(workspace.home) as bulk:
        stored = Counter(m for (m,) in bulk.rows("SELECT message_id FROM events WHERE source = 'import'", {}))
    assert stored == Counter(acknowledged), "I1: every acknowledged event once, nothing else"
    _repeat(workspace, seed)
    _provider(workspace)
    report = replay(workspace.home)
    assert report.different == 0, f"I5: {report.as_dict()}"
    calm = Workspace(calm_home)
    strategy(calm)
    kill_child.live(calm.home, calm_home / "client.jsonl", seed)
    made, expected = sorted(workspace.log_lines()), sorted(calm.log_lines())
    assert made == expected, "I5, I9: as in a life without kills, to the instant"


def _repeat(workspace: Workspace, seed: int) -> None:
    before = workspace.log_lines()
    every = [event for batch in kill_child.batches(seed) for event in batch]
    with Log.open(workspace.home) as log:
        count = log.count()
    workspace.add(*every)
    workspace.run(kill_child.END, deliver="file")
    with Log.open(workspace.home) as log:
        assert log.count() == count, "I2: sent again, every event is a duplicate"
    assert workspace.log_lines() == before, "I2: and changes nothing"


def _provider(workspace: Workspace) -> None:
    """I3 and the balance, by the provider's own record and by the mails themselves."""
    lines = (workspace.home / "mail" / "accepted.jsonl").read_text().splitlines()
    accepted = Counter(json.loads(line)["delivery_id"] for line in lines)
    planned = [told["delivery_id"] for _, _, told in workspace.outputs("Delivery Planned")]
    assert len(planned) == len(set(planned))
    assert set(accepted.values()) <= {1}, "I3: accepted twice"
    assert accepted.keys() == set(planned), "I4: everything planned was accepted, nothing else"
    assert len(list((workspace.home / "mail" / "new").iterdir())) == len(planned)
    balance = workspace.cli("ledger", "balance")
    assert balance["difference"] == 0
    assert balance["planned"] == len(planned) == balance["ends"].get("accepted"), balance
