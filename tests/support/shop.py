"""Pages with our browser script in them, visitors who look at them, and the door that hears of it.

Every page holds the very snippet of `docs/browser.md`, under a Content Security Policy that allows no other inline
script, no style and no `eval`.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar
from urllib.parse import quote

import jwt

from innkeeper.events.types import Event
from innkeeper.kernel.time import SystemClock
from innkeeper.runtime import sources
from innkeeper.runtime.user_tokens import by_secret
from support.browser import serve_pages
from support.door import Served, opened

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

ROOT: Final = Path(__file__).resolve().parents[2]
SECRET: Final = "a secret of the house, long enough for HS256"
#: A test that waits for what never comes ends here; nothing is measured by it.
SECONDS: Final = 60
_LOAD: Final = 'innkeeper.load({ key: "pub_..." });'
_WITH_OPTIONS: Final = """
window.refused = [];
innkeeper.load(Object.assign({ key: "KEY", onRefused: function (told) { refused.push(told); } },
  JSON.parse(decodeURIComponent(location.hash.slice(1)) || "{}")));
"""
Found = TypeVar("Found")


class Shop:
    """What a test holds."""

    def __init__(self, served: Served, browser: Browser, address: str) -> None:
        self.served, self.address = served, address
        self.errors: list[str] = []
        self._browser = browser
        self._contexts: list[BrowserContext] = []

    @property
    def host(self) -> str:
        """The address of the door."""
        return f"http://127.0.0.1:{self.served.port}"

    def visitor(self, *scripts: str) -> BrowserContext:
        """A browser profile of its own, with scripts that run before those of a page."""
        context = self._browser.new_context(locale="de-AT", timezone_id="Europe/Vienna")
        context.set_default_timeout(SECONDS * 1000)
        for script in scripts:
            context.add_init_script(script)
        self._contexts.append(context)
        return context

    def leave(self) -> None:
        """Everybody goes."""
        while self._contexts:
            self._contexts.pop().close()

    def open(self, context: BrowserContext, path: str, **options: Any) -> Page:
        """A page, with options of `load`, once the script is there."""
        page = context.new_page()
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", lambda said: self.errors.append(said.text) if "Content Security" in said.text else None)
        page.goto(f"{self.address}{path}#{quote(json.dumps(options))}")
        page.wait_for_load_state()
        assert page.evaluate("!Array.isArray(innkeeper)")
        return page

    def token(self, user: str, seconds: int = 600) -> str:
        """What the house's login signs."""
        return jwt.encode({"sub": user, "aud": "web", "exp": int(time.time()) + seconds}, SECRET, algorithm="HS256")

    def until(self, find: Callable[[], Found]) -> Found:
        """What is found, once it is; meanwhile the browser's events are heard."""
        end = time.monotonic() + SECONDS
        while not (found := find()):
            assert time.monotonic() < end, "it never came"
            pages = [page for context in self._contexts for page in context.pages]
            pages[0].wait_for_timeout(20) if pages else time.sleep(0.02)
        return found

    def there(self, path: str) -> list[Event]:
        """The events from a page that the log holds."""
        return [each for each in self.served.events() if each.context.get("page", {}).get("path") == path]

    def events(self, path: str, count: int) -> list[Event]:
        """The events from a page, once there are so many."""
        self.until(lambda: len(self.there(path)) >= count)
        return self.there(path)

    def signals(self) -> list[Event]:
        """The opt-outs that the log holds."""
        return [each for each in self.served.events() if each.name == "Opt-Out Signalled"]


@contextmanager
def open_shop(home: Path, browser: Browser, set_variable: Callable[[str, str], None]) -> Iterator[Shop]:
    """A door, and pages at another origin."""
    set_variable("WEB_SECRET", SECRET)
    with opened(home, clock=SystemClock()) as served:
        sources.set_user_tokens(served.home, "web", by_secret("WEB_SECRET"))
        host = f"http://127.0.0.1:{served.port}"
        policy = f"default-src 'none'; script-src 'nonce-once' {host}; connect-src {host}"
        with serve_pages(_page(host, served.key("web")), {"Content-Security-Policy": policy}) as address:
            yield Shop(served, browser, address)


def _page(host: str, key: str) -> str:
    found = re.search(r"```html\n(<script>.*?</script>)", (ROOT / "docs" / "browser.md").read_text(), re.DOTALL)
    assert found is not None
    snippet = found[1].replace("<script>", '<script nonce="once">').replace("https://events.example.com", host)
    assert _LOAD in snippet
    snippet = snippet.replace(_LOAD, _WITH_OPTIONS.replace("KEY", key))
    return f"<!doctype html><html><head><title>A shop</title>{snippet}</head><body></body></html>"
