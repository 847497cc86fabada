"""A bad import is retracted from lives with bookings, memories, double opt-in, homes and merged traits, and lifted.

The oracle is another workspace that never saw the events.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from support.retraction import check
from support.retraction_full import FullCase, compare

SEED = 20261125
FAMILIES = 4


@pytest.mark.parametrize("number", range(5))
def test_everything_is_as_if_they_had_never_come(number: int, tmp_path: Path) -> None:
    print(f"seed {SEED + number}, {FAMILIES} histories")
    check(FullCase(SEED + number, families=FAMILIES), tmp_path, compare=compare)
