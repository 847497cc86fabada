"""Fetches from Amazon SNS: its certificates, and the address that confirms a subscription.

Which addresses these are is checked in `events/signatures/sns.py`, where they lead in `channels/http_out.py`; here: few
bytes, little time, and no more fetches than honest messages need, whoever asks for them.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from typing import Final

from innkeeper.channels.http_out import MOST_ANSWER_BYTES, CallFailed, HttpOut
from innkeeper.channels.targets import read_target
from innkeeper.kernel.errors import OperationFailed
from innkeeper.kernel.time import MINUTE, Clock, Instant

_SECONDS: Final = 5.0
_MOST_A_MINUTE: Final = 10
_MOST_KEPT: Final = 16

#: Address to what is there.
Fetch = Callable[[str], bytes]


def fetch(url: str) -> bytes:
    """What is at an address; called from a thread without an event loop.

    Raises:
        OperationFailed: It does not answer, or with something else than 200 and a short text.
    """
    return asyncio.run(_fetched(url))


async def _fetched(url: str) -> bytes:
    out = HttpOut()
    try:
        answer = await out.call("GET", read_target(url), headers={}, seconds=_SECONDS)
    except CallFailed as error:
        raise _failed(url, error.message) from error
    finally:
        await out.close()
    if answer.status != 200 or len(answer.body) >= MOST_ANSWER_BYTES:
        raise _failed(url, f"status {answer.status}, {len(answer.body):,} bytes")
    return answer.body


def _failed(url: str, why: str) -> OperationFailed:
    return OperationFailed(
        f"{url.partition('?')[0]} cannot be fetched: {why}", code="not-fetched", fix="let this machine reach Amazon SNS"
    )


class Certificates:
    """Certificates by their address, fetched once; from any thread."""

    def __init__(self, get: Fetch, clock: Clock) -> None:
        self._get, self._clock = get, clock
        self._kept: dict[str, bytes] = {}
        self._fetched: deque[Instant] = deque(maxlen=_MOST_A_MINUTE)
        self._one = threading.Lock()

    def of(self, url: str) -> bytes:
        """The certificate at an address.

        Raises:
            OperationFailed: It cannot be fetched, or too many were asked for within a minute.
        """
        with self._one:
            if url in self._kept:
                return self._kept[url]
            now = self._clock.now()
            if len(self._fetched) == _MOST_A_MINUTE and now - self._fetched[0] < MINUTE:
                raise OperationFailed(
                    "too many certificates are asked for", code="too-many-fetches", fix="wait a minute"
                )
            self._fetched.append(now)
            found = self._get(url)
            if len(self._kept) >= _MOST_KEPT:
                self._kept.clear()
            self._kept[url] = found
            return found
