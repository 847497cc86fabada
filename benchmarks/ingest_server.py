"""The server that `bench_ingest` loads: `python -m benchmarks.ingest_server door|unread HOME`; prints its port.

`door` is the door of `innkeeper up` without an engine beside it; `unread` is C0, the same server and framework, whose
one route answers 202 and looks at nothing.
"""

from __future__ import annotations

import sys
import threading
import time
from pathlib import Path
from typing import Any

from litestar import Litestar, Request, post

from innkeeper.kernel.time import SystemClock
from innkeeper.runtime import sources
from innkeeper.runtime.house import opened
from innkeeper.runtime.http_server import make_server
from innkeeper.runtime.serve import listen_on
from innkeeper.store.log import Log
from innkeeper.store.state import State
from innkeeper.web.app import make_app


def main() -> None:
    """Serve until the process is ended."""
    mode, home = sys.argv[1], Path(sys.argv[2])
    if mode == "unread":
        _serve(Litestar([_unread], openapi_config=None), "")
        return
    key = sources.create(home, "bench", "server", SystemClock()).keys["write"]
    State.open(home, create=True).close()
    with Log.open(home) as log, opened(home, log, SystemClock()) as house:
        _serve(make_app(house), key)


@post(["/v1/batch", "/v1/track"], status_code=202)
async def _unread(request: Request[Any, Any, Any]) -> None:
    async for _ in request.stream():
        pass


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
