"""Schemathesis on every operation of the API at length: never a 5xx, always as it is described."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from support.api import CASES
from support.described import LOGIN, described_api

SEED = int(os.environ.get("INNKEEPER_SEED", "1"))
EXAMPLES = 60


@pytest.mark.torture
def test_answers_are_as_described(tmp_path: Path) -> None:
    print(f"seed {SEED} (INNKEEPER_SEED={SEED} repeats it): {EXAMPLES} requests of each kind to each operation")
    with described_api(tmp_path / "home") as described:
        for method, path in [*CASES, LOGIN]:
            described.storm(method, path, examples=EXAMPLES, seed=SEED)
        told = ", ".join(f"{number} of {status}" for status, number in sorted(described.answered.items()))
        print(f"seed {SEED}: {described.answered.total()} answers: {told}")
