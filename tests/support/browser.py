"""A real Chromium, driven by Playwright, and a small server of pages; tests are skipped where there is no Chromium."""

from __future__ import annotations

import importlib.util
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser

#: Without a sandbox, because tests may run as root; without the calls home that a closed network refuses.
FLAGS: Final = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
]  # fmt: skip
_NAMES: Final = ("chromium", "chromium-browser", "google-chrome")


def chromium_path() -> Path:
    """The Chromium of this machine; the test is skipped where there is none."""
    if importlib.util.find_spec("playwright") is None:
        pytest.skip("playwright is not installed: make dev")
    found = next(filter(None, map(shutil.which, _NAMES)), None)
    if found is None:
        pytest.skip("there is no Chromium (on Debian: apt install chromium)")
    return Path(found)


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser with nothing in it; each test takes a context of its own."""
    path = chromium_path()
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def serve_pages(page: str, headers: dict[str, str]) -> Iterator[str]:
    """A server that answers every path with *page*, but `/plain` with an empty one; its address."""

    class Pages(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = b"<!doctype html>" if self.path.startswith("/plain") else page.encode()
            self.send_response(200)
            for name, value in {"Content-Type": "text/html; charset=utf-8", **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Pages) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()
