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


#: In 208 the desk's late word on a stay was never told to anybody; in 219 a browser changes hands between the beginning
#: of an enrollment and its mail; in 247 journeys say a trait twice at one instant, under two identifiers.
@pytest.mark.parametrize("seed", [*range(SEED, SEED + 5), 208, 219, 247])
def test_everything_is_as_if_they_had_never_come(seed: int, tmp_path: Path) -> None:
    print(f"seed {seed}, {FAMILIES} histories")
    check(FullCase(seed, families=FAMILIES), tmp_path, compare=compare)
