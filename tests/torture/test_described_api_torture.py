"""Schemathesis on every operation of the API at length: never a 5xx, always as it is described."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from support.api import CASES
from support.described import LOGIN, Described, described_api

SEED = int(os.environ.get("INNKEEPER_SEED", "1"))
EXAMPLES = int(os.environ.get("INNKEEPER_EACH", "60"))
OPERATIONS = [*CASES, LOGIN]


@pytest.fixture(scope="module")
def described(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Described]:
    with described_api(tmp_path_factory.mktemp("api") / "home") as found:
        yield found


@pytest.mark.torture
@pytest.mark.parametrize("noun", sorted({path.split("/")[1] for _, path in OPERATIONS}))
def test_answers_are_as_described(described: Described, noun: str) -> None:
    answers = sum(
        described.storm(method, path, examples=EXAMPLES, seed=SEED)
        for method, path in OPERATIONS
        if path.split("/")[1] == noun
    )
    print(f"seed {SEED}: {answers} answers about {noun} (INNKEEPER_SEED={SEED} asks the same)")
    assert answers >= EXAMPLES
