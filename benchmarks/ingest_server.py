"""The server that `bench_ingest` loads: `python -m benchmarks.ingest_server door|unread|routed|bare HOME`.

It prints its port and, of the door, a key. `door` is the door of `innkeeper up` without an engine beside it. `unread`
is C0: the same server receives the body and answers 202, looking at nothing; `routed` does so in a route of the web
framework. `bare` is C1 behind that server: each request one row of a plain table, with a unique index, in group commits
of whatever gathered meanwhile.
"""

from __future__ import annotations

import sqlite3
import sys
import threading
import time
from collections.abc import Sequence
from itertools import count
from pathlib import Path
from typing import Any

from litestar import Litestar, Request, post
from litestar.types import ASGIApp

from benchmarks.bench_import import BARE_INSERT, BARE_TABLE
from innkeeper.events.types import LogRow
from innkeeper.kernel.time import SystemClock
from innkeeper.runtime import sources
from innkeeper.runtime.house import opened
from innkeeper.runtime.http_server import make_server
from innkeeper.runtime.serve import listen_on
from innkeeper.runtime.writer import Writer
from innkeeper.store.log import Appended, Log
from innkeeper.store.state import State
from innkeeper.web.app import make_app


def main() -> None:
    """Serve until the process is ended."""
    mode, home = sys.argv[1], Path(sys.argv[2])
    if mode == "unread":
        _serve(_over(None), "")
        return
    if mode == "routed":
        _serve(_routed(), "")
        return
    if mode == "bare":
        writer = Writer(_BareLog(home / "bare.db"))
        writer.start()
        _serve(_over(writer), "")
        writer.stop()
        return
    key = sources.create(home, "bench", "server", SystemClock()).keys["write"]
    State.open(home, create=True).close()
    with Log.open(home, seals_apart=True) as log, opened(home, log, SystemClock()) as house:
        _serve(make_app(house), key)


class _BareLog:
    """A plain table with a unique index."""

    def __init__(self, path: Path) -> None:
        self._database = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._database.execute("PRAGMA journal_mode = WAL")
        self._database.execute("PRAGMA synchronous = FULL")
        self._database.execute(BARE_TABLE)
        self._database.execute("CREATE UNIQUE INDEX tail_message ON tail (message_id, source)")

    def append(self, rows: Sequence[LogRow]) -> Appended:
        """One commit."""
        self._database.execute("BEGIN IMMEDIATE")
        self._database.executemany(BARE_INSERT + " ON CONFLICT DO NOTHING", rows)
        self._database.execute("COMMIT")
        return Appended(len(rows), 0, 0)


def _over(writer: Writer | None) -> ASGIApp:
    """Receives bodies; with a writer each becomes a row, unread."""
    numbers = count()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            for told in ("startup", "shutdown"):
                await receive()
                await send({"type": f"lifespan.{told}.complete"})
            return
        body, more = b"", True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        if writer is not None:
            await writer.write(
                [LogRow("bench", str(next(numbers)), "track", "Order Completed", "u", None, 0, 0, body.decode())]
            )
        headers = [(b"content-length", b"0")]
        await send({"type": "http.response.start", "status": 202, "headers": headers})
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    return app


def _routed() -> ASGIApp:
    """Receives bodies in a route."""

    @post(["/v1/batch", "/v1/track"], status_code=202)
    async def unread(request: Request[Any, Any, Any]) -> None:
        await request.body()

    return Litestar([unread], openapi_config=None, logging_config=None)


def _serve(app: Any, key: str) -> None:
    with listen_on("127.0.0.1", 0) as listener:
        server = make_server(app)

        def announce() -> None:
            while not server.started:
                time.sleep(0.01)
            print(f"{listener.getsockname()[1]} {key}", flush=True)

        threading.Thread(target=announce, daemon=True).start()
        server.run(sockets=[listener])


if __name__ == "__main__":
    main()
