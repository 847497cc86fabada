"""The SDKs of Segment's kind: how each is driven, and what it adds to what it is told."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any, Final

from clients.harness import CLIENTS, UUID, Call
from clients.repertoire import Adds


@cache
def versions() -> dict[str, str]:
    """The versions of the packages that are installed, by their names."""
    pins = (CLIENTS.parents[1] / "requirements" / "clients.txt").read_text().split()
    node: dict[str, str] = json.loads((CLIENTS / "package.json").read_text())["dependencies"]
    return node | dict(pin.split("==") for pin in pins)


@dataclass(frozen=True, slots=True)
class Sdk:
    """One SDK.

    Attributes:
        package: Its name in its registry.
        driver: The file that drives it.
        adds: What it puts into the event of a call.
        message_id: What its message ids look like.
        date: How it writes a date.
        setting: What its driver is told beside.
    """

    package: str
    driver: str
    adds: Callable[[Call], Adds]
    date: Callable[[str], str]
    message_id: str = UUID
    setting: dict[str, Any] | None = None


def _python_date(date: str) -> str:
    return datetime.fromisoformat(date).isoformat()


def _segment_python(call: Call) -> Adds:
    library = {"name": "analytics-python", "version": versions()["segment-analytics-python"]}
    # A page without a name is said to have none.
    absent = {key: None for key in ("name", "category") if call["do"] == "page" and key not in call}
    return Adds({"library": library}, absent)


def _rudder_python(call: Call) -> Adds:
    added = _segment_python(call)
    library = {"name": "analytics-python", "version": versions()["rudder-sdk-python"]}
    traits = {"traits": call.get("traits", {})} if call["do"] == "identify" else {}
    integrations = {} if "integrations" in call else {"integrations": {"All": True}}
    return Adds({"library": library, **traits}, {"channel": "server", **added.extra, **integrations})


SDKS: Final = [
    Sdk("segment-analytics-python", "segment_python.py", _segment_python, _python_date),
    Sdk("segment-analytics-python", "segment_python.py", _segment_python, _python_date, setting={"gzip": True}),
    Sdk("rudder-sdk-python", "rudder_python.py", _rudder_python, _python_date),
    Sdk("rudder-sdk-python", "rudder_python.py", _rudder_python, _python_date, setting={"gzip": False}),
]
