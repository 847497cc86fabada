"""Drives customerio: the Track API, and of the App API what sends a message."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from clients.drivers.common import Call, Setting, main
from customerio import APIClient, CustomerIO, CustomerIOException


def opened(setting: Setting) -> Callable[[Call], Any]:
    track = CustomerIO("site", setting["key"], host="127.0.0.1", port=setting["port"])
    app = APIClient(setting["key"], url=f"https://127.0.0.1:{setting['port']}")

    def make(call: Call) -> Any:
        client = app if call["do"].startswith("send_") else track
        try:
            answer = getattr(client, call["do"])(*call.get("with", []), **call.get("named", {}))
        except CustomerIOException as error:
            return str(error)
        return answer.json()

    return make


if __name__ == "__main__":
    main(opened)
