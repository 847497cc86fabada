"""A bad import over random histories is retracted and lifted: everything is as if it had never come, and as if it had.

The oracle is another workspace that never saw the events. `make torture` does the same a hundred times over.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from support.retraction import Case, check

SEED = 20261124
FAMILIES = 10


@pytest.mark.parametrize("number", range(10))
def test_a_retracted_import_never_came(number: int, tmp_path: Path) -> None:
    print(f"seed {SEED + number}, {FAMILIES} histories")
    check(Case(SEED + number, families=FAMILIES), tmp_path)
