"""A life of members of accounts as `up` plays it, told page by page, now and then far behind: what a revision makes of
it.

The oracles: the world as if nothing were left out is the real one; and a retraction that is lifted leaves no trace.
"""

from __future__ import annotations

import random
import shutil
from pathlib import Path

from innkeeper.identity.retraction import LeftOut, Retraction
from innkeeper.kernel.time import HOUR, FixedClock, format_instant
from innkeeper.runtime.as_if import Recorded
from innkeeper.runtime.live import Live
from innkeeper.runtime.outlet import drain
from innkeeper.runtime.replay import replay
from innkeeper.runtime.retract import lift, retract
from innkeeper.runtime.revision import batches, concerned
from innkeeper.store.bulk import Bulk
from innkeeper.store.log import Log
from innkeeper.store.state import State
from support import retraction
from support.retraction_many import ManyCase, compare
from support.workspace import Workspace


def check_live(case: ManyCase, folder: Path) -> int:
    """Play a case and compare; how many groups of people were looked at."""
    case.first = case.files | {"channels.yaml": "email: {provider: file, from: a@example.com}\n"}
    space = case.workspace(folder / "home")
    _live(space, case)
    looked = _as_it_is(space)
    if case.listed:
        before = folder / "before"
        shutil.copytree(space.home, before)
        told = retract(space.home, "bad", do=True, **case.which())
        lift(space.home, told["retraction"], do=True)
        compare(space, Workspace(before), case)
        found = replay(space.home)
        assert found.different == 0, found.examples
    return looked


def _live(space: Workspace, case: ManyCase) -> None:
    draw = random.Random(case.chance.random())
    for source in ("bad", "shop"):
        events = [one for phase in case.phases[:2] for name, one in phase if name == source]
        if events:
            space.add(*events, source=source, received_at=format_instant(retraction.START))
    now = retraction.START
    with Log.open(space.home) as log, State.open(space.home) as state:
        live = Live(space.home, log, state, FixedClock(now))
        while now < case.ends[1]:
            for _ in range(draw.choice([1, 1, 3])):
                live.clock = FixedClock(now)
                live.step()
                now += draw.choice([10, 1_000, 1_000_000])
            now += draw.choice([1, 5, 9]) * HOUR
        live.engine.tell_rest(live.cursor.clock)
        live.deliverer.close()
        drain(state, log)


def _as_it_is(space: Workspace) -> int:
    looked = 0
    with State.open(space.home, readonly=True) as state, Bulk.open(space.home) as bulk:
        recorded = Recorded(bulk, state, state.last_position() + 1)
        whom = concerned(recorded, state, Retraction(id="none", source="bad"), LeftOut())
        for batch in batches(recorded, state, whom, LeftOut(), state.clock() or 0):
            for group in batch.groups:
                assert not group.different, group.different
                looked += 1
    return looked
