"""Retraction over random histories, by the thousand; every seed is printed."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.retraction import Case, check

pytestmark = pytest.mark.torture
SEED = 20261125


@pytest.mark.parametrize("number", range(100))
def test_a_retracted_import_never_came(number: int, tmp_path: Path) -> None:
    print(f"seed {SEED + number}, 10 histories")
    check(Case(SEED + number, families=10), tmp_path)
