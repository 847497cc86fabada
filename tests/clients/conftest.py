"""One `innkeeper up` for all SDKs of a worker, each with a source and persons of its own; a browser for a module."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from clients.browsing import HTML
from clients.harness import SECRET, SECRET_IN, Running, up
from support.browser import chromium, serve_pages

if TYPE_CHECKING:
    from playwright.sync_api import Browser


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with up(tmp_path_factory.mktemp("clients") / "home", **{SECRET_IN: SECRET}) as found:
        yield found


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


@pytest.fixture(scope="module")
def pages() -> Iterator[str]:
    """Where pages come from: another origin than that of the door."""
    with serve_pages(HTML, {}) as found:
        yield found
