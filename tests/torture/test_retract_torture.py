"""Retraction over random histories, by the thousand; every seed is printed."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.retraction import Case, check
from support.retraction_full import FullCase, compare
from support.retraction_live import check_live
from support.retraction_many import ManyCase
from support.retraction_many import compare as compare_many
from support.retraction_two import TwoBad, check_two

from innkeeper.runtime import fanout

pytestmark = pytest.mark.torture
SEED = 20261125


@pytest.mark.parametrize("number", range(100))
def test_a_retracted_import_never_came(number: int, tmp_path: Path) -> None:
    print(f"seed {SEED + number}, 10 histories")
    check(Case(SEED + number, families=10), tmp_path)


@pytest.mark.parametrize("number", range(60))
def test_everything_is_as_if_they_had_never_come(number: int, tmp_path: Path) -> None:
    print(f"seed {SEED + 1_000 + number}, 6 histories")
    check(FullCase(SEED + 1_000 + number, families=6), tmp_path, compare=compare)


@pytest.mark.parametrize("number", range(60))
def test_what_many_hear_is_as_if_it_had_never_been_told(number: int, tmp_path: Path) -> None:
    print(f"seed {SEED + 2_000 + number}, 4 histories")
    check(ManyCase(SEED + 2_000 + number, families=4), tmp_path, compare=compare_many)


@pytest.mark.parametrize("number", range(60))
def test_whom_up_tells_later_hears_it_then(number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fanout, "PAGE", 2)
    print(f"seed {SEED + 3_000 + number}, 4 histories")
    check_live(ManyCase(SEED + 3_000 + number, families=4), tmp_path)


@pytest.mark.parametrize("number", range(40))
def test_two_retractions_are_lifted_one_by_one(number: int, tmp_path: Path) -> None:
    print(f"seed {SEED + 4_000 + number}, 3 histories")
    check_two(TwoBad(SEED + 4_000 + number, families=3), tmp_path)
