"""What clients of Customer.io send, made into messages; pure, used as `Parser.translate`.

A person whom only an e-mail address names has that address as user id. Times are seconds since 1970. Not taken:
relationships and objects, which mean what no event here does, and `delete`: who sends it believes that the person is
erased, and no event erases anybody.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from innkeeper.events.limits import Refused
from innkeeper.kernel.time import SECOND, format_instant

Message = dict[str, Any]
Translate = Callable[[Message], Message]

_LATEST_SECOND: Final = 221_000_000_000
_KINDS: Final = {"page": "page", "screen": "screen", "event": "track", None: "track", "": "track"}


def identify(person: str) -> Translate:
    """`PUT /api/v1/customers/{person}`: the body is the person's attributes."""
    return lambda body: _identify({"id": person}, body, body.get("_timestamp"))


def event(person: str | None) -> Translate:
    """`POST /api/v1/customers/{person}/events`, and `/api/v1/events` without a person."""
    return lambda body: _event(
        ({"id": person} if person is not None else {}) | {"anonymous_id": body.get("anonymous_id")},
        body.get("type"), body, body.get("data"),
    )  # fmt: skip


def deleted(_: Message) -> Message:
    """`DELETE /api/v1/customers/{person}`.

    Raises:
        Refused: Always.
    """
    raise Refused(
        "not-taken", "a person is not deleted over this address: nothing was done", "to stop messages, send suppress"
    )


def device(person: str) -> Translate:
    """`PUT /api/v1/customers/{person}/devices`."""
    return lambda body: _device({"id": person}, body.get("device"), "Device Created or Updated", None)


def device_deleted(person: str, token: str) -> Translate:
    """`DELETE /api/v1/customers/{person}/devices/{token}`."""
    return lambda _: _device({"id": person}, {"id": token}, "Device Deleted", None)


def suppressed(person: str, *, now_is: bool) -> Translate:
    """`POST /api/v1/customers/{person}/suppress` and `unsuppress`."""
    return lambda _: _suppressed({"id": person}, now_is, None)


def merge(body: Message) -> Message:
    """`POST /api/v1/merge_customers`: the secondary becomes a part of the primary."""
    return _merge(body.get("primary"), body.get("secondary"))


def entity(value: Message) -> Message:
    """One entry of `POST /api/v2/batch`, or the body of `/api/v2/entity`.

    Raises:
        Refused: It is about something other than a person, or asks for what is not taken.
    """
    kind, action = value.get("type"), value.get("action")
    if kind != "person":
        raise Refused("not-taken", f"'type' is {kind!r}: only persons are taken", '"type": "person"')
    who, said, at = value.get("identifiers"), value.get("attributes"), value.get("timestamp")
    if action == "merge":
        return _merge(value.get("primary"), value.get("secondary"))
    if not isinstance(who, dict):
        raise Refused("no-id", "'identifiers' must be an object", '"identifiers": {"id": "u1"}')
    match action:
        case "identify":
            return _identify(who, said, at)
        case "event" | "page" | "screen":
            return _event(who, action, value, said)
        case "suppress" | "unsuppress":
            return _suppressed(who, action == "suppress", at)
        case "add_device":
            return _device(who, value.get("device"), "Device Created or Updated", at)
        case "delete_device":
            return _device(who, value.get("device"), "Device Deleted", at)
        case "delete":
            return deleted(value)
    raise Refused("not-taken", f"'action' is {action!r}, which is not taken", "send identify, event, page or screen")


def _who(identifiers: Message) -> Message:
    """The ids of a message, and the address where the sender names a person by it."""
    person = identifiers.get("id") or identifiers.get("cio_id") or identifiers.get("email")
    return {"userId": person, "anonymousId": identifiers.get("anonymous_id")}


def _identify(who: Message, attributes: object, at: object) -> Message:
    if not isinstance(attributes, dict | None):
        raise Refused("not-an-object", "the attributes of a person must be an object", '"attributes": {}')
    traits = {key: each for key, each in (attributes or {}).items() if key not in ("anonymous_id", "_timestamp")}
    if (address := who.get("email")) is not None:
        traits.setdefault("email", address)
    ids = _who(who)
    if ids["anonymousId"] is None and attributes:
        ids["anonymousId"] = attributes.get("anonymous_id")
    return _said({"type": "identify", **ids, "traits": traits, "timestamp": _time(at)})


def _event(who: Message, kind: object, value: Message, data: object) -> Message:
    if not isinstance(kind, str | None) or kind not in _KINDS:
        raise Refused("bad-type", f"'type' is {kind!r}; it must be one of: event, page, screen", '"type": "event"')
    name = "event" if _KINDS[kind] == "track" else "name"
    told = {"messageId": value.get("id"), "timestamp": _time(value.get("timestamp")), "properties": data}
    return _said({"type": _KINDS[kind], name: value.get("name"), **_who(who), **told})


def _device(who: Message, told: object, name: str, at: object) -> Message:
    if not isinstance(told, dict) or not told.get("id"):
        raise Refused("no-id", "a device needs its 'id'", '"device": {"id": "…", "platform": "ios"}')
    rest = {key: each for key, each in told.items() if key not in ("id", "platform")}
    context = {"device": _said({"token": told["id"], "type": told.get("platform")})}
    about = {"properties": rest, "context": context}
    return _said({"type": "track", "event": name, **_who(who), "timestamp": _time(at), **about})


def _suppressed(who: Message, now_is: bool, at: object) -> Message:
    name, said = ("Suppressed", {"reason": "customer.io"}) if now_is else ("Unsuppressed", {})
    return _said({"type": "track", "event": name, **_who(who), "timestamp": _time(at), "properties": said})


def _merge(primary: object, secondary: object) -> Message:
    pair = [_who(each).get("userId") if isinstance(each, dict) else None for each in (primary, secondary)]
    if not all(pair):
        raise Refused("no-id", "'primary' and 'secondary' must name a person each", '"primary": {"id": "u1"}')
    return {"type": "alias", "userId": pair[0], "previousId": pair[1]}


def _said(message: Message) -> Message:
    return {key: each for key, each in message.items() if each is not None}


def _time(at: object) -> object:
    """The instant of a number of seconds as a text; anything else as it is, for the parser to judge."""
    if isinstance(at, int | float) and not isinstance(at, bool) and 0 <= at < _LATEST_SECOND:
        return format_instant(round(at * SECOND))
    return at
