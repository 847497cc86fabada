"""Random requests to every route of the API by the thousand: never a 5xx (A26)."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest
from support.api import CASES, served
from support.garbage import send

SEED = int(os.environ.get("INNKEEPER_SEED", "1"))
ROUNDS = 100


@pytest.mark.torture
def test_random_requests_never_fail_on_our_side(tmp_path: Path) -> None:
    print(f"seed {SEED}: {ROUNDS} rounds of {len(CASES)} random requests (INNKEEPER_SEED={SEED} repeats them)")
    chance = random.Random(SEED)
    with served(tmp_path / "home") as door:
        for number in range(ROUNDS):
            for method, path in CASES:
                answer, body = send(door, chance, method, path)
                assert answer.status < 500, (number, method, path, body[:500], answer.text)
