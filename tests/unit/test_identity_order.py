"""Profiles do not depend on the order of arrival (I13): permuted and late histories end alike, as the oracle says."""

from __future__ import annotations

import os
import random

import pytest
from oracle.identity_order import compare_orders

SEED = int(os.environ.get("INNKEEPER_SEED", "20261122"))


@pytest.mark.parametrize("part", range(10))
def test_any_order_makes_the_same_profiles(part: int) -> None:
    found = sum(compare_orders(SEED + 30 * part + number) for number in range(30))
    print(f"seed {SEED + 30 * part}: 30 histories, {found} profiles")


@pytest.mark.torture
def test_any_order_makes_the_same_profiles_ten_thousand_times() -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}, 10,000 histories")
    for number in range(10_000):
        try:
            compare_orders(seed + number)
        except Exception as error:
            raise AssertionError(f"compare_orders({seed + number}) fails") from error
