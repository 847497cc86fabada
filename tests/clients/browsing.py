"""Pages in which the SDKs of browsers make their calls: in jsdom, and in a real Chromium."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from clients.harness import CLIENTS, Played, node

from innkeeper.kernel.time import SystemClock

if TYPE_CHECKING:
    from playwright.sync_api import Browser

TITLE: Final = "Shop – Grüße"
HTML: Final = f"<!doctype html><title>{TITLE}</title>"
PATH, SEARCH = "/checkout", "?utm_source=newsletter&utm_medium=email&utm_campaign=Nov%20%C3%A9"
REFERRER: Final = "https://search.example/q"
#: Each SDK's script for pages, as its package has it, then what makes the calls.
SCRIPTS: Final = {
    "@segment/analytics-next": "@segment/analytics-next/dist/umd/index.js",
    "@rudderstack/analytics-js": "@rudderstack/analytics-js/dist/npm/modern/bundled/umd/index.js",
}


def _scripts(package: str) -> list[str]:
    return [str(CLIENTS / "node_modules" / SCRIPTS[package]), str(CLIENTS / "drivers" / "player.js")]


@contextmanager
def in_jsdom(pages: str, package: str, **setting: Any) -> Iterator[Played]:
    """The calls, made; the page stays open as long as the context, for what is still on its way."""
    told = {
        "package": package, "html": HTML, "address": pages + PATH + SEARCH, "referrer": REFERRER,
        "scripts": _scripts(package), **setting,
    }  # fmt: skip
    process = subprocess.Popen(
        [node(), str(CLIENTS / "drivers" / "jsdom.mjs")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        env={**os.environ, "TZ": "Europe/Lisbon"},
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdin.write(json.dumps(told) + "\n")
        process.stdin.flush()
        yield _played(json.loads(process.stdout.readline()))
    finally:
        process.stdin.close()
        process.stdout.close()
        process.wait(timeout=30)


@contextmanager
def in_chromium(browser: Browser, pages: str, package: str, **setting: Any) -> Iterator[Played]:
    """As `in_jsdom`; *pages* is where the page comes from, another origin than that of the door."""
    node()
    context = browser.new_context(locale="en-US", timezone_id="Europe/Lisbon")
    try:
        page = context.new_page()
        page.goto(pages + PATH + SEARCH, referer=REFERRER)
        for script in _scripts(package):
            page.add_script_tag(path=script)
        yield _played(page.evaluate("setting => carryOut(setting)", {"package": package, **setting}))
    finally:
        context.close()


def _played(told: dict[str, Any]) -> Played:
    spans = [(begun, ended) for begun, ended in told["spans"]]
    return Played(spans, told["answers"], SystemClock().now() // 1_000)
