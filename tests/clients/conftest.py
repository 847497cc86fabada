"""One `innkeeper up` for all SDKs of a worker; each has a source and persons of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from clients.harness import Running, up


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with up(tmp_path_factory.mktemp("clients") / "home") as found:
        yield found
