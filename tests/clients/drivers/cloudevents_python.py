"""Drives cloudevents, the SDK of the specification: it makes the request, and the caller sends it as they like."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.request import Request, urlopen

from clients.drivers.common import Call, Setting, main
from cloudevents.core.bindings.http import HTTPMessage, to_binary_event, to_structured_event
from cloudevents.core.v1.event import CloudEvent


def opened(setting: Setting) -> Callable[[Call], Any]:
    def make(call: Call) -> Any:
        events = [CloudEvent(each["attributes"], each.get("data")) for each in call["events"]]
        message = _batch(events) if call["do"] == "batch" else _MODES[call["do"]](events[0])
        headers = message.headers | {"Authorization": f"Bearer {setting['key']}"}
        with urlopen(Request(setting["url"] + "/cloudevents", message.body, headers), timeout=30) as answer:
            return json.load(answer)

    return make


def _batch(events: list[CloudEvent]) -> HTTPMessage:
    """The SDK has no batches: a JSON array of what it makes of each."""
    body = b"[%s]" % b",".join(to_structured_event(event).body for event in events)
    return HTTPMessage({"content-type": "application/cloudevents-batch+json"}, body)


_MODES = {"structured": to_structured_event, "binary": to_binary_event}


if __name__ == "__main__":
    main(opened)
