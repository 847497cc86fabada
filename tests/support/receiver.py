"""A receiver of webhooks on this machine: answers as it is told to, and keeps what it has taken."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

#: Says what is answered: a status, or a status and headers; None: nothing, ever.
Answers = Callable[[dict[str, Any]], int | tuple[int, dict[str, str]] | None]


@dataclass
class Receiver:
    """What came, in its order: every request, and the notices that were answered with 2xx."""

    url: str = ""
    answers: Answers = lambda _: 204
    asked: list[dict[str, Any]] = field(default_factory=list)
    taken: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    closing: threading.Event = field(default_factory=threading.Event)

    def ids(self) -> list[str]:
        """The ids of what was taken."""
        return [notice["id"] for notice in self.taken]


@contextmanager
def receiving(answers: Answers = lambda _: 204) -> Iterator[Receiver]:
    """A receiver that listens."""
    receiver = Receiver(answers=answers)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            notice = json.loads(body)
            receiver.asked.append(notice)
            answer = receiver.answers(notice)
            if answer is None:
                receiver.closing.wait(60)
                self.close_connection = True
                return
            status, more = answer if isinstance(answer, tuple) else (answer, {})
            if 200 <= status < 300:
                receiver.headers.append({name.lower(): value for name, value in self.headers.items()})
                receiver.bodies.append(body)
                receiver.taken.append(notice)
            self.send_response(status)
            for name, value in {**more, "Content-Length": "0"}.items():
                self.send_header(name, value)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        def handle_error(self, *_: object) -> None:
            """Whoever called may be killed meanwhile."""

    server = Server(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    receiver.url = f"http://127.0.0.1:{server.server_address[1]}/hooks"
    try:
        yield receiver
    finally:
        receiver.closing.set()
        server.shutdown()
        thread.join()
        server.server_close()
