"""Who has the browser has what was said on it, over random lives; every seed is printed."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.sharing import Life, check

pytestmark = pytest.mark.torture
SEED = 20261200


@pytest.mark.parametrize("number", range(300))
def test_everything_that_a_word_brings_about_is_of_one_person(number: int, tmp_path: Path) -> None:
    print(f"seed {SEED + number}, 1 history")
    check(Life(SEED + number, size=60), tmp_path / "home")
