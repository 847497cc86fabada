"""What every driver in Python does: read the calls, make them, say when."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

Setting = dict[str, Any]
Call = dict[str, Any]


def main(opened: Callable[[Setting], Callable[[Call], Any]]) -> None:
    """Carry out what standard input says; *opened* makes of the setting a function that makes one call."""
    setting = json.load(sys.stdin, object_hook=_revived)
    make = opened(setting)
    spans, answers = [], []
    for call in setting["calls"]:
        begun = time.time_ns()
        answers.append(make(call))
        spans.append((begun // 1_000_000, time.time_ns() // 1_000_000))
    json.dump({"spans": spans, "answers": answers}, sys.stdout)


def _revived(value: dict[str, Any]) -> Any:
    return datetime.fromisoformat(value["$date"]) if "$date" in value else value


def arguments(call: Call) -> dict[str, Any]:
    """The arguments of a call, named as SDKs in Python name them."""
    return {_snake(key): value for key, value in call.items() if key != "do"}


def _snake(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)
