"""One browser and one door for the tests of a module, which tell apart what they do by the page's path.

Not for the whole session: while Playwright is open, its event loop runs in this thread, and nobody else's can.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from support.browser import chromium
from support.shop import Shop, open_shop

if TYPE_CHECKING:
    from playwright.sync_api import Browser


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


@pytest.fixture(scope="module")
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
