"""One browser and one door for all tests of a worker; what they do to it, they tell apart by the page's path."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from support.browser import chromium
from support.shop import Shop, open_shop

if TYPE_CHECKING:
    from playwright.sync_api import Browser


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


@pytest.fixture(scope="session")
def one_shop(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    with (
        pytest.MonkeyPatch.context() as patch,
        open_shop(tmp_path_factory.mktemp("shop") / "home", browser, patch.setenv) as shop,
    ):
        yield shop


@pytest.fixture
def shop(one_shop: Shop) -> Iterator[Shop]:
    yield one_shop
    one_shop.leave()
    errors, one_shop.errors = one_shop.errors, []
    assert errors == []
