"""Links that are taken away after a life together: two profiles, each as if the link had never been stated.

The oracle is another workspace whose events never state the link: the same events, under the user alone.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.retraction import Case, compare
from support.workspace import Workspace

from innkeeper.identity.links import Link
from innkeeper.kernel.ids import anonymous, user
from innkeeper.runtime import definitions
from innkeeper.runtime.as_if import Recorded
from innkeeper.runtime.engine import Engine
from innkeeper.runtime.revise import make_real, unlink
from innkeeper.store.bulk import Bulk
from innkeeper.store.ledger import balance
from innkeeper.store.state import State

SEED = 20261126


class Linked(Case):
    """A case without a bad import, from which some links are taken."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed, families=10)
        pairs = {
            (one["anonymousId"], one["userId"])
            for phase in self.phases[:2]
            for _, one in phase
            if one["anonymousId"] and one["userId"]
        }
        self.removed = set(self.chance.sample(sorted(pairs), (len(pairs) + 1) // 2))
        self.audiences = {}

    def is_bad(self, source: str, one: Any) -> bool:
        """None is."""
        return False

    def never_linked(self) -> None:
        """Take the links out of the events."""
        for phase in self.phases:
            for _, one in phase:
                if (one["anonymousId"], one["userId"]) in self.removed:
                    one["anonymousId"] = None


@pytest.mark.parametrize("number", range(10))
def test_as_if_the_link_had_never_been(number: int, tmp_path: Path) -> None:
    print(f"seed {SEED + number}, 10 histories")
    case, other = Linked(SEED + number), Linked(SEED + number)
    other.never_linked()
    real, oracle = case.workspace(tmp_path / "real"), case.workspace(tmp_path / "oracle")
    for phase in range(2):
        case.phase(real, phase, without=False)
        other.phase(oracle, phase, without=False)
    _take_away(real, case)
    compare(real, oracle, case)


def _take_away(space: Workspace, case: Linked) -> None:
    links = [Link(anonymous(device), user(who)) for device, who in sorted(case.removed)]
    with State.open(space.home) as state, Bulk.open(space.home) as bulk:
        engine = Engine(state, definitions.world(state), delivery="later")
        cursor = state.cursor()
        assert cursor is not None
        recorded = Recorded(bulk, state, engine.next_position)
        make_real(engine, recorded, unlink(engine, links, "test"), 0, cursor.clock, cursor)
        assert balance(state.connection)["difference"] == 0
