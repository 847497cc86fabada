"""The API does what its own description says, for whatever is sent: Schemathesis on every operation, no 5xx."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.api import CASES
from support.described import LOGIN, Described, described_api

EXAMPLES, SEED = 4, 4


@pytest.fixture(scope="module")
def described(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Described]:
    with described_api(tmp_path_factory.mktemp("api") / "home") as found:
        yield found


def test_every_operation_is_asked(described: Described) -> None:
    assert described.operations() == {*CASES, LOGIN}


def test_good_answers_hold_what_their_examples_show(tmp_path: Path) -> None:
    with described_api(tmp_path / "home") as described:
        for (method, path), case in CASES.items():
            status, told, example = described.known(method, path)
            assert (status < 300) != case.by_session, (method, path, told)
            if status < 300:
                assert set(example) <= set(told), (method, path)


@pytest.mark.parametrize(("method", "path"), [*CASES, LOGIN], ids=str)
def test_answers_are_as_described(described: Described, method: str, path: str) -> None:
    assert described.storm(method, path, examples=EXAMPLES, seed=SEED) >= 2
