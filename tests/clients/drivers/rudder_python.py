"""Drives rudder-sdk-python."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from clients.drivers.common import Call, Setting, arguments, main
from rudderstack.analytics.client import Client


def opened(setting: Setting) -> Callable[[Call], Any]:
    failures: list[str] = []
    client = Client(
        setting["key"], host=setting["url"], gzip=setting.get("gzip", True), upload_interval=0.1,
        on_error=lambda error, _: failures.append(str(error)),
    )  # fmt: skip

    def make(call: Call) -> Any:
        getattr(client, call["do"])(**({} if call["do"] == "flush" else arguments(call)))
        return list(failures)

    return make


if __name__ == "__main__":
    main(opened)
