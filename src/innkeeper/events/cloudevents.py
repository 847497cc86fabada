"""CloudEvents 1.0 in JSON: what the envelope says becomes a message; pure, used as `Parser.translate`.

`type` is the event's name, `id` with `source` its message id (the specification makes the pair unique), `time` its
timestamp, `data` its properties. Whose event it is say `subject` (a user id) or the extension attributes `userid` and
`anonymousid`. The rest of the envelope stays in `context.cloudevent`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from innkeeper.events.limits import Refused

_TAKEN: Final = ("type", "id", "source", "time", "data", "subject", "userid", "anonymousid")


def translate(value: dict[str, Any]) -> dict[str, Any]:
    """The message of one CloudEvent.

    Raises:
        Refused: It is not a CloudEvent 1.0 with data that is an object.

    >>> told = translate({"specversion": "1.0", "id": "7", "source": "/shop", "type": "Order Completed",
    ...                   "subject": "u1", "data": {"total": 9}})
    >>> told["event"], told["userId"], told["messageId"], told["properties"], told["context"]
    ('Order Completed', 'u1', '/shop 7', {'total': 9}, {'cloudevent': {'specversion': '1.0', 'source': '/shop'}})
    """
    if value.get("specversion") != "1.0":
        raise Refused("not-a-cloudevent", "'specversion' must be \"1.0\"", '"specversion": "1.0"')
    for key in ("id", "source", "type"):
        if not isinstance(value.get(key), str) or not value[key]:
            raise Refused("not-a-cloudevent", f"a CloudEvent needs '{key}' as a text", f'"{key}": "…"')
    if "data_base64" in value:
        raise Refused("not-an-object", "'data_base64' is not taken: 'data' must be an object", '"data": {}')
    rest = {key: each for key, each in value.items() if key not in _TAKEN}
    message = {
        "type": "track", "event": value["type"], "messageId": f"{value['source']} {value['id']}",
        "userId": value.get("userid") or (None if value.get("anonymousid") else value.get("subject")),
        "anonymousId": value.get("anonymousid"), "timestamp": value.get("time"), "properties": value.get("data"),
        "context": {"cloudevent": rest | {"source": value["source"]}},
    }  # fmt: skip
    return {key: each for key, each in message.items() if each is not None}


def binary(attributes: Mapping[str, str]) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """As `translate`, where the envelope stands in the headers of a request (*attributes*) and the body is the data."""
    return lambda data: translate({**attributes, "data": data})
