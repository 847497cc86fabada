"""The SDKs of Segment's kind: how each is driven, and what it adds to what it is told."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any, Final

from clients.harness import CLIENTS, INSTANT, UUID, Call, text_like
from clients.repertoire import Adds


@cache
def versions() -> dict[str, str]:
    """The versions of the packages that are installed, by their names."""
    pins = (CLIENTS.parents[1] / "requirements" / "clients.txt").read_text().split()
    node: dict[str, str] = json.loads((CLIENTS / "package.json").read_text())["dependencies"]
    return node | dict(pin.split("==") for pin in pins)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sdk:
    """One SDK.

    Attributes:
        package: Its name in its registry.
        driver: The file that drives it.
        adds: What it puts into the event of a call.
        message_id: What its message ids look like.
        date: How it writes a date.
        has: The methods that it has.
        sends_again: Whether it does after 429 and 503.
        says_when: Whether it says when an event happened; otherwise it happened when it came.
        zips: Whether it compresses unless told otherwise.
        key: What its user makes of a write key.
    """

    package: str
    driver: str
    adds: Callable[[Call], Adds]
    date: Callable[[str], str] = str
    message_id: str = UUID
    has: Collection[str] = ("identify", "track", "page", "screen", "group", "alias", "flush")
    sends_again: bool = True
    says_when: bool = True
    zips: bool = False
    key: Callable[[str], str] = str


def _python_date(date: str) -> str:
    return datetime.fromisoformat(date).isoformat()


def _segment_python(call: Call) -> Adds:
    library = {"name": "analytics-python", "version": versions()["segment-analytics-python"]}
    # A page without a name is said to have none.
    absent = {key: None for key in ("name", "category") if call["do"] == "page" and key not in call}
    return Adds({"library": library}, {"integrations": {}, **absent})


def _rudder_python(call: Call) -> Adds:
    library = {"name": "analytics-python", "version": versions()["rudder-sdk-python"]}
    said = _segment_python(call).extra | {"channel": "server", "integrations": {"All": True}}
    return Adds({"library": library} | _traits_beside(call), said)


def _node(package: str) -> Callable[[Call], Adds]:
    def adds(_: Call) -> Adds:
        runtime = {"nodeVersion": text_like(r"v?\d+\.\d+\.\d+"), "jsRuntime": "node"}
        # One of them has a version of its own for this.
        beta = "1.0.0-beta.22" if package == "@customerio/cdp-analytics-node" else versions()[package]
        library = {"name": package, "version": beta}
        return Adds({"library": library}, {"integrations": {}, "_metadata": runtime})

    return adds


def _rudder_node(call: Call) -> Adds:
    library = {"name": "analytics-node", "version": versions()["@rudderstack/rudder-sdk-node"]}
    said = {"channel": "server", "_metadata": {"nodeVersion": text_like(r"\d+\.\d+\.\d+")}, "sentAt": INSTANT}
    # Its own clock, which counts where nobody said when.
    if "timestamp" in call:
        said["originalTimestamp"] = INSTANT
    return Adds({"library": library} | _traits_beside(call), said)


def _traits_beside(call: Call) -> dict[str, Any]:
    return {"traits": call.get("traits", {})} if call["do"] == "identify" else {}


def _basic(key: str) -> str:
    return "Basic " + b64encode(f"{key}:".encode()).decode()


_NODE_ID: Final = rf"node-next-\d{{13}}-{UUID}"

SDKS: Final = [
    Sdk(package="segment-analytics-python", driver="segment_python.py", adds=_segment_python, date=_python_date),
    Sdk(package="rudder-sdk-python", driver="rudder_python.py", adds=_rudder_python, date=_python_date, zips=True),
    *[
        Sdk(package=package, driver="segment_node.mjs", adds=_node(package), message_id=_NODE_ID)
        for package in ("@segment/analytics-node", "@customerio/cdp-analytics-node")
    ],
    Sdk(package="@rudderstack/rudder-sdk-node", driver="rudder_node.mjs", adds=_rudder_node, zips=True),
    Sdk(
        package="@dittofeed/sdk-node", driver="dittofeed_node.mjs", adds=lambda _: Adds({}, {}), key=_basic,
        has=("identify", "track", "page", "screen", "flush"), sends_again=False, says_when=False,
    ),
]  # fmt: skip
