"""A bad import is retracted from lives of members of accounts and of people who ask for items, and lifted.

The oracle is another workspace that never saw the events. `make torture` does the same a hundred times over.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from support.retraction import check
from support.retraction_live import check_live
from support.retraction_many import ManyCase, compare

from innkeeper.runtime import fanout

SEED = 20261125
FAMILIES = 2


#: In 59 a receipt is waited for while a page is told; in 70 an account is only named when new definitions come.
@pytest.mark.parametrize("seed", [SEED, 59, 70])
def test_what_many_hear_is_as_if_it_had_never_been_told(seed: int, tmp_path: Path) -> None:
    print(f"seed {seed}, {FAMILIES} histories")
    check(ManyCase(seed, families=FAMILIES), tmp_path, compare=compare)


def test_whom_up_tells_later_hears_it_then_in_both_worlds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fanout, "PAGE", 2)
    print(f"seed {SEED}, {FAMILIES} histories")
    assert check_live(ManyCase(SEED, families=FAMILIES), tmp_path) > 0
