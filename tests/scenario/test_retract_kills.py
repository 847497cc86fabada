"""A kill in the middle of a retraction: afterwards it is whole or not begun, and the next run makes it whole."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.retraction import Case, states
from support.workspace import Workspace

from innkeeper import lifecycle
from innkeeper.kernel.failpoints import VARIABLE
from innkeeper.kernel.time import format_instant
from innkeeper.runtime import revision
from innkeeper.runtime.replay import replay
from innkeeper.store.state import State

SEED = 7
#: Where it is killed, and whether the retraction stands in the store then.
PLACES = {"revise.said": False, "revise.played": False, "revise.written": False, "revise.committed": True}


@pytest.fixture
def home(tmp_path: Path) -> tuple[Case, Workspace]:
    case = Case(SEED, families=4)
    case.by_list = False
    made = case.workspace(tmp_path / "home")
    for number in range(2):
        case.phase(made, number, without=False)
    return case, made


def content(space: Workspace) -> Any:
    """What a retraction changes: profiles and every table that it brings along."""
    tables = ("enrollments", "deliveries", "tasks", "consents", "suppressions", "links", "retractions", "taken")
    with State.open(space.home, readonly=True) as state:
        rows = {
            name: state.connection.execute("SELECT * FROM " + name + " ORDER BY 1, 2").fetchall() for name in tables
        }
    return {subject: lifecycle.encode(state) for subject, state in states(space).items()}, rows


@pytest.mark.parametrize("place", PLACES)
def test_whole_or_not_begun(place: str, home: tuple[Case, Workspace], monkeypatch: pytest.MonkeyPatch) -> None:
    case, space = home
    before = content(space)
    begin, end = (format_instant(each) for each in case.period)
    call = ("retract", "--source", "bad", "--from", begin, "--until", end, "--yes")
    killed = space.shell(*call, env={VARIABLE: place})
    assert killed.returncode == -9, killed.stderr
    assert (content(space) != before) is PLACES[place]
    space.run(format_instant(case.ends[1]), deliver=case.deliver)
    whole = content(space)
    assert len(whole[1]["retractions"]) == 1
    # Said again, it is the same word: nothing more happens.
    assert replay(space.home).different == 0
    monkeypatch.setattr(revision, "BATCH", 1)
    assert replay(space.home).different == 0, "batches of any size say the same"
