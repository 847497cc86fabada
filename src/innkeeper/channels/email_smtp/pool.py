"""Connections to one server: so many at a time, kept for the next mail, and a pause after one could not be had.

A connection that waits long for the answer to a final dot is put aside: it no longer counts, and other mail goes on.
Used from one event loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from innkeeper.channels.email_smtp.connection import Connection, NotReady

#: Mails over one connection; servers tire of more.
_MOST_MAILS: Final = 100
#: Idle for longer it is given up; RFC 5321 lets a server do so after five minutes.
_IDLE_SECONDS: Final = 60.0
#: Put aside at a time, for each that counts.
_ASIDE: Final = 4


class Pool:
    """Up to *most* connections.

    Args:
        make: A connection, not yet open.
        most: How many at a time, besides those put aside.
        rest_seconds: How long no connection is tried after one could not be had.
        told: Called with the reason when that happens.
    """

    def __init__(
        self, make: Callable[[], Connection], most: int, *, rest_seconds: float, told: Callable[[NotReady], None]
    ) -> None:
        self._make, self._most, self._rest_seconds, self._told = make, most, rest_seconds, told
        self._idle: list[Connection] = []
        self._busy: set[Connection] = set()
        self._aside: set[Connection] = set()
        self._leaving: set[asyncio.Task[None]] = set()
        self._opening = 0
        self._resting: tuple[NotReady, float] | None = None
        self._changed = asyncio.Event()

    async def take(self) -> Connection:
        """A connection that is fit for a mail; waits while all are in use.

        Raises:
            NotReady: None can be had.
        """
        while True:
            while self._idle:
                connection = self._idle.pop()
                if connection.is_fit:
                    self._busy.add(connection)
                    return connection
            reason = self._reason_to_rest()
            if reason is not None and not self._busy:
                raise reason
            if reason is None and len(self._busy) + self._opening < self._most:
                return await self._open()
            await self._changed.wait()

    def give_back(self, connection: Connection) -> None:
        """Keep a connection for the next mail, if it is fit and there is room."""
        self._busy.discard(connection)
        self._aside.discard(connection)
        held = len(self._busy) + len(self._idle) + self._opening
        if connection.is_fit and connection.mails < _MOST_MAILS and held < self._most:
            self._idle.append(connection)
            asyncio.get_running_loop().call_later(_IDLE_SECONDS, self._tire, connection, connection.mails)
        else:
            self._leave(connection)
        self._change()

    def put_aside(self, connection: Connection) -> None:
        """Count a connection no longer, unless too many are put aside already."""
        if connection in self._busy and len(self._aside) < _ASIDE * self._most:
            self._busy.remove(connection)
            self._aside.add(connection)
            self._change()

    async def close(self) -> None:
        """Say good-bye on what is idle and break the rest off."""
        for connection in (*self._busy, *self._aside):
            connection.abort()
        await asyncio.gather(*self._leaving, *(connection.quit() for connection in self._idle))
        self._idle.clear()

    async def _open(self) -> Connection:
        connection = self._make()
        self._opening += 1
        try:
            await connection.open()
        except NotReady as error:
            self._resting = error, asyncio.get_running_loop().time() + self._rest_seconds
            self._told(error)
            raise
        finally:
            self._opening -= 1
            self._change()
        self._busy.add(connection)
        return connection

    def _reason_to_rest(self) -> NotReady | None:
        if self._resting is not None and asyncio.get_running_loop().time() >= self._resting[1]:
            self._resting = None
        return self._resting[0] if self._resting is not None else None

    def _tire(self, connection: Connection, mails: int) -> None:
        if connection in self._idle and connection.mails == mails:
            self._idle.remove(connection)
            self._leave(connection)

    def _leave(self, connection: Connection) -> None:
        leaving = asyncio.get_running_loop().create_task(connection.quit())
        # The loop holds its tasks weakly.
        self._leaving.add(leaving)
        leaving.add_done_callback(self._leaving.discard)

    def _change(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()
