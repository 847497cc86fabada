"""A gate before the door, as a proxy is: it speaks TLS where a client insists on it, and goes wrong as often as
it is told to: it is too busy, or it loses the answer to a request that arrived."""

from __future__ import annotations

import datetime
import http.client
import ipaddress
import re
import ssl
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Final, Literal
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

#: `busy`: 429 without asking the door. `lost`: the door took it, and the client hears 503.
Fault = Literal["busy", "lost"]
_ANSWERS: Final = {"busy": 429, "lost": 503}


@dataclass(frozen=True, slots=True)
class Passed:
    """A request that came to the gate, and how it was answered."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    status: int

    @property
    def message_ids(self) -> set[bytes]:
        """Of the messages that it brought, in the JSON of Segment and RudderStack."""
        return set(re.findall(rb'"messageId":\s*"([^"]+)"', self.body))


@dataclass(frozen=True, slots=True)
class Gate:
    """A gate that is open.

    Attributes:
        port: Where it listens.
        passed: The requests that came, but preflights.
    """

    port: int
    passed: list[Passed] = field(default_factory=list)


@contextmanager
def gate(url: str, *, faults: Iterable[Fault] = (), certificate: Path | None = None) -> Iterator[Gate]:
    """A gate before *url*; its first requests that bring something meet *faults*, one each."""
    ahead = iter(faults)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _pass(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            fault = next(ahead, None) if self.command == "POST" else None
            status, headers, answer = (429, [], b"") if fault == "busy" else _ask(url, self, body)
            if fault is not None:
                status, answer = _ANSWERS[fault], b'{"code": "fault", "message": "as told"}'
                headers = [("Retry-After", "1"), ("Access-Control-Allow-Origin", "*")]
            if self.command != "OPTIONS":
                told = {name.lower(): value for name, value in self.headers.items()}
                found.passed.append(Passed(self.command, self.path, told, body, status))
            self.send_response(status)
            for name, value in [*headers, ("Content-Length", str(len(answer)))]:
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(answer)

        do_GET = do_POST = do_PUT = do_DELETE = do_OPTIONS = _pass

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            server.socket = context.wrap_socket(server.socket, server_side=True)
        server.daemon_threads = True
        found = Gate(server.server_address[1])
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield found
        finally:
            server.shutdown()
            thread.join()


def _ask(url: str, request: BaseHTTPRequestHandler, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=30)
    try:
        connection.request(request.command, request.path, body, dict(request.headers.items()))
        answer = connection.getresponse()
        headers = [pair for pair in answer.getheaders() if pair[0].lower() not in ("content-length", "connection")]
        return answer.status, headers, answer.read()
    finally:
        connection.close()


def certify(folder: Path) -> Path:
    """A certificate of 127.0.0.1 with its key, in one file; whoever trusts the file trusts the gate."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "a gate of a test")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / "gate.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return path
