"""What every route does with a request: read its body under limits, find its key, hand its events to the door."""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections.abc import Callable, Iterator
from typing import Any, Final, Literal
from urllib.parse import unquote

from litestar import Request as HttpRequest
from litestar import Response

from innkeeper.events.arrival import read_sent_at
from innkeeper.runtime.bodies import MOST_BYTES, BadBody, Envelope, Sent, open_envelope, open_list, too_large, unpack
from innkeeper.runtime.ingest import Door, Request, Translate
from innkeeper.runtime.writer import Full
from innkeeper.web.answers import answer, unauthorized
from innkeeper.web.plain import Asked

Http = HttpRequest[Any, Any, Any]

#: How long a body may take, and how much of unfinished bodies is held at once.
BODY_SECONDS: Final = 10.0
MOST_UNREAD_BYTES: Final = 64 * 1024 * 1024
_LONGEST_KEY: Final = 512

Body = Literal["envelope", "list", "event"]
_OPEN: Final[dict[Body, Callable[[bytes], Sent]]] = {
    "envelope": open_envelope, "list": open_list, "event": lambda body: Sent([body], Envelope()),
}  # fmt: skip


class Desk:
    """Takes requests in; one for all routes."""

    def __init__(self, door: Door) -> None:
        self.door = door
        self._held = 0

    async def read(self, http: Asked) -> bytes:
        """The body, unpacked.

        Raises:
            BadBody: It is too large, too slow, or cannot be unpacked.
            Full: Too much is being read at once.
        """
        return unpack(await self.read_raw(http), http.headers.get("content-encoding", ""))

    async def read_raw(self, http: Asked) -> bytes:
        """The body, byte by byte as it came.

        Raises:
            BadBody: It is too large, or too slow.
            Full: Too much is being read at once.
        """
        body = bytearray()
        try:
            async with asyncio.timeout(BODY_SECONDS):
                async for chunk in http.stream():
                    body += chunk
                    self._held += len(chunk)
                    if len(body) > MOST_BYTES:
                        raise too_large()
                    if self._held > MOST_UNREAD_BYTES:
                        raise Full
        except TimeoutError as error:
            raise BadBody(408, "too-slow", f"the body did not come within {BODY_SECONDS:.0f} seconds") from error
        finally:
            self._held -= len(body)
        return bytes(body)

    async def take(
        self, http: Asked, *, kind: str | None = None, translate: Translate | None = None, body_is: Body = "envelope"
    ) -> Response[bytes]:
        """Take the events of a request.

        Args:
            http: The request.
            kind: The type of an event that comes alone and does not say its own.
            translate: Makes messages of another dialect's events.
            body_is: An event or an envelope around a batch; an event or a bare list of them; one event, whatever its
                fields are called.
        """
        body = await self.read(http)
        sent = _OPEN[body_is](body or b"{}")
        envelope = sent.envelope
        sender = self.door.keyring.sender(keys(http, envelope.write_key, envelope.api_key))
        if sender is None:
            return unauthorized()
        if not body and body_is != "event":
            raise BadBody(400, "empty-body", "the body is empty; send an event as a JSON object, or a batch of them")
        alone = envelope.batch is None
        if alone and translate is None and kind is not None and envelope.type is None:
            translate = _typed(kind)
        token = http.headers.get("x-user-token") or envelope.user_token
        request = Request(
            lines=sent.lines, translate=translate, token=token if isinstance(token, str) else None,
            sent_at=read_sent_at(envelope.sent_at) or read_sent_at(http.headers.get("sentat")),
            opts_out=http.headers.get("sec-gpc", "").strip() == "1" or envelope.gpc is True,
        )  # fmt: skip
        return answer(await self.door.take(sender, request), alone=alone)


def keys(http: Asked, *of_body: object) -> Iterator[str]:
    """What may be the key of a request, in the order in which it is looked for.

    The user of Basic, then its password (clients of Customer.io send a site and a key), `X-Write-Key`, the body, the
    address; at last the header as it stands, because some clients send their key bare.
    """
    said = http.headers.get("authorization", "")[:_LONGEST_KEY]
    scheme, _, rest = said.partition(" ")
    rest = rest.strip()
    if scheme.lower() == "basic":
        yield from filter(None, _basic(rest))
    if scheme.lower() == "bearer":
        yield rest
    found = (http.headers.get("x-write-key"), *of_body, http.query_params.get("writeKey"))
    yield from (each[:_LONGEST_KEY] for each in found if isinstance(each, str) and each)
    yield from filter(None, (rest, said))


def _basic(text: str) -> list[str]:
    try:
        user, _, password = base64.b64decode(text, validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        return []
    return [user, unquote(user), password]


def _typed(kind: str) -> Translate:
    return lambda value: value if value.get("type") is not None else {**value, "type": kind}
