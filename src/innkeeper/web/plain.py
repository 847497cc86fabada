"""A request as the server hands it over, without a framework's work on it: what the desk asks of one, and no more."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Protocol
from urllib.parse import parse_qsl

from litestar.types import Receive, Scope


class Asked(Protocol):
    """What the desk needs of a request; Litestar's own has it too."""

    @property
    def headers(self) -> Any:
        """The headers by their names in small letters: a mapping."""

    @property
    def query_params(self) -> Any:
        """The parameters of the address: a mapping."""

    def stream(self) -> AsyncIterator[bytes]:
        """The body, piece by piece."""


class Gone(Exception):
    """Who was sending has left in the middle."""


class Plain:
    """One request."""

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self._scope, self._receive = scope, receive
        self.headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}

    @property
    def query_params(self) -> dict[str, str]:
        """The parameters of the address; of two with one name the last."""
        query = self._scope["query_string"]
        return dict(parse_qsl(query.decode("latin-1"), keep_blank_values=True)) if query else {}

    async def stream(self) -> AsyncIterator[bytes]:
        """The body, piece by piece.

        Raises:
            Gone: The connection ended before the body did.
        """
        more = True
        while more:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise Gone
            if piece := message["body"]:  # type: ignore[typeddict-item]
                yield piece
            more = message["more_body"]  # type: ignore[typeddict-item]
