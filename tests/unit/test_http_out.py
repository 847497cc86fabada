"""The one way out: where it does not go, whatever a URL or a name says, watched at the socket (A7, A8)."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import httpcore
import pytest
from hostile.urls import PUBLIC, hiding_urls, inner_addresses
from support.connects import connects

from innkeeper.channels.http_out import MOST_ANSWER_BYTES, Answer, CallFailed, HttpOut
from innkeeper.channels.public_addresses import Address, refusal
from innkeeper.channels.targets import Target, read_target
from innkeeper.kernel.errors import UsageError

HERE = ip_address("127.0.0.1")


class Receiver(BaseHTTPRequestHandler):
    """Answers by the path: what it is asked for."""

    seen: list[tuple[str, dict[str, str], bytes]]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.seen.append((self.path, {name.lower(): value for name, value in self.headers.items()}, body))
        if self.path == "/moved":
            self.send_response(302)
            self.send_header("Location", "http://169.254.169.254/")
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif self.path == "/endless":
            self.send_response(200)
            self.end_headers()
            for _ in range(64):
                self.wfile.write(b"x" * 4_096)
        elif self.path == "/silent":
            self.server.silent.wait(20)  # type: ignore[attr-defined]
            self.close_connection = True
        else:
            self.send_response(202)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"ok")

    def log_message(self, *_: object) -> None:
        """Nothing."""


@contextmanager
def receiving(context: ssl.SSLContext | None = None) -> Iterator[tuple[int, type[Receiver]]]:
    """A receiver on this machine: its port, and what it has seen."""
    handler = type("Handler", (Receiver,), {"seen": [], "protocol_version": "HTTP/1.1"})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    server.silent = threading.Event()  # type: ignore[attr-defined]
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server.server_address[1], handler
    finally:
        server.silent.set()  # type: ignore[attr-defined]
        server.shutdown()
        thread.join()
        server.server_close()


def leading_to(*answers: Sequence[Address]) -> Callable[[str, int], Awaitable[Sequence[Address]]]:
    """A name server: its answers in their order, the last one for ever."""
    left = list(answers)

    async def resolve(_: str, __: int) -> Sequence[Address]:
        return left.pop(0) if len(left) > 1 else left[0]

    return resolve


class Nowhere(httpcore.AsyncNetworkBackend):
    """Notes where a connection would go, and makes none."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def connect_tcp(self, host: str, *_: Any, **__: Any) -> httpcore.AsyncNetworkStream:
        """Note it."""
        self.asked.append(host)
        raise httpcore.ConnectError

    async def connect_unix_socket(self, *_: Any, **__: Any) -> httpcore.AsyncNetworkStream:
        """Never asked."""
        raise AssertionError

    async def sleep(self, seconds: float) -> None:
        """Never asked."""
        raise AssertionError


def call(url: str | Target, *, seconds: float = 20, body: bytes = b"{}", **how: Any) -> Answer:
    """One call."""
    target = read_target(url) if isinstance(url, str) else url

    async def once() -> Answer:
        client = HttpOut(**how)
        try:
            return await client.call("POST", target, headers={"X-Test": "1"}, body=body, seconds=seconds)
        finally:
            await client.close()

    return asyncio.run(once())


def codes(urls: Sequence[str], **how: Any) -> list[str]:
    """What comes of calling each: the code of the failure."""

    async def all_of_them() -> list[str]:
        client = HttpOut(**how)
        told = []
        for url in urls:
            try:
                answer = await client.call("POST", read_target(url), headers={}, body=b"{}", seconds=20)
                told.append(str(answer.status))
            except CallFailed as failed:
                told.append(failed.code)
        await client.close()
        return told

    return asyncio.run(all_of_them())


@pytest.mark.parametrize("many", ["alone", "behind a public one", "before a public one"])
def test_a_name_that_leads_inside_is_not_called(many: str) -> None:
    addresses = inner_addresses()
    assert len(addresses) >= 150
    before = [PUBLIC[0]] if many == "behind a public one" else []
    after = [PUBLIC[0]] if many == "before a public one" else []
    resolve = leading_to(*([*before, each, *after] for each in addresses))
    with connects() as seen:
        told = codes(["http://hooks.example.com/"] * len(addresses), resolve=resolve)
    assert dict(zip(addresses, told, strict=True)) == dict.fromkeys(addresses, "address-refused")
    assert seen == []


@pytest.mark.parametrize(("scheme", "port"), [("http", ""), ("https", ""), ("http", ":8080")])
def test_an_address_inside_is_not_called_by_its_own_name(scheme: str, port: str) -> None:
    hosts = [f"[{each}]" if each.version == 6 else str(each) for each in inner_addresses() if "%" not in str(each)]
    with connects() as seen:
        told = codes([f"{scheme}://{host}{port}/" for host in hosts])
    assert dict(zip(hosts, told, strict=True)) == dict.fromkeys(hosts, "address-refused")
    assert seen == []


def test_localhost_is_looked_up_and_refused() -> None:
    with connects() as seen, pytest.raises(CallFailed) as failed:
        call("http://localhost/")
    assert failed.value.code == "address-refused"
    assert seen == []


def test_private_receivers_are_called_on_purpose_and_links_and_clouds_never() -> None:
    allowed = [each for each in inner_addresses() if refusal(each, private=True) is None]
    assert {str(each) for each in allowed} >= {"10.0.0.1", "127.0.0.1", "192.168.0.1", "::1", "fc00::1"}
    for text in ("169.254.169.254", "fd00:ec2::254", "fe80::1", "0.0.0.0", "::", "224.0.0.1", "::ffff:127.0.0.1"):
        assert refusal(ip_address(text), private=True) is not None, text
    private = ("10.", "127.", "172.", "192.168.", "198.1", "100.", "fc", "fd", "::1")
    assert all(str(each).startswith(private) for each in allowed)


def test_public_addresses_are_called() -> None:
    for address in PUBLIC:
        nowhere = Nowhere()
        with pytest.raises(CallFailed) as failed:
            call("https://hooks.example.com/", resolve=leading_to([address]), network=nowhere)
        assert (failed.value.code, nowhere.asked) == ("no-answer", [str(address)])


def test_the_address_that_was_looked_at_is_the_one_that_is_called() -> None:
    """The name server changes its mind after its first answer: what counts is what was looked at."""
    nowhere = Nowhere()
    asked = 0

    async def rebinding(_: str, __: int) -> Sequence[Address]:
        nonlocal asked
        asked += 1
        return [PUBLIC[0] if asked == 1 else HERE]

    for expected in ("no-answer", "address-refused"):
        with pytest.raises(CallFailed) as failed:
            call("http://rebind.example.com/", resolve=rebinding, network=nowhere)
        assert failed.value.code == expected
    assert nowhere.asked == [str(PUBLIC[0])]


@pytest.mark.parametrize("url", hiding_urls())
def test_a_url_that_hides_where_it_leads_is_refused(url: str) -> None:
    with pytest.raises(UsageError) as refused:
        read_target(url)
    assert refused.value.code == "bad-url"


def test_there_are_enough_of_them() -> None:
    assert len(set(hiding_urls())) >= 60


def test_a_plain_url_is_read() -> None:
    assert read_target("http://[2606:4700::1111]:8080?x") == Target(
        scheme="http", host="2606:4700::1111", port=8080, path="/?x"
    )
    assert read_target("https://A.example.com").authority == "a.example.com"
    assert read_target("https://xn--bcher-kva.example:8443/a%20b?c=d").authority == "xn--bcher-kva.example:8443"


def test_a_request_arrives_whole_and_its_answer_is_told() -> None:
    with receiving() as (port, receiver), connects() as seen:
        answer = call(f"http://127.0.0.1:{port}/in?x=1", private=True, body=b'{"a":1}')
    path, headers, body = receiver.seen[0]
    assert (answer.status, answer.body, path, body) == (202, b"ok", "/in?x=1", b'{"a":1}')
    assert (headers["host"], headers["x-test"]) == (f"127.0.0.1:{port}", "1")
    assert seen == [("127.0.0.1", port)], "the watcher sees what connects"


def test_a_redirect_is_an_answer() -> None:
    with receiving() as (port, _), connects() as seen:
        answer = call(f"http://127.0.0.1:{port}/moved", private=True)
    assert (answer.status, seen) == (302, [("127.0.0.1", port)])


def test_an_answer_is_read_only_so_far() -> None:
    with receiving() as (port, _):
        assert len(call(f"http://127.0.0.1:{port}/endless", private=True).body) == MOST_ANSWER_BYTES


def test_who_does_not_answer_is_given_up() -> None:
    with receiving() as (port, _), pytest.raises(CallFailed) as failed:
        call(f"http://127.0.0.1:{port}/silent", private=True, seconds=0.2)
    assert failed.value.code == "timeout"


def test_a_name_server_that_hangs_holds_up_nobody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    hangs = threading.Event()
    asked: list[str] = []
    look_up = socket.getaddrinfo

    def getaddrinfo(host: str, *more: Any, **named: Any) -> Any:
        asked.append(host)
        if host == "slow.example.com":
            hangs.wait(30)
            raise socket.gaierror
        return look_up(host, *more, **named)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)

    async def many(port: int) -> list[Any]:
        client = HttpOut(private=True)

        def one(host: str) -> Any:
            target = read_target(f"http://{host}:{port}/")
            return client.call("POST", target, headers={}, body=b"{}", seconds=25)

        waiting = [asyncio.ensure_future(one("slow.example.com")) for _ in range(300)]
        answers = [(await one("127.0.0.1")).status for _ in range(3)]
        hangs.set()
        failed = await asyncio.gather(*waiting, return_exceptions=True)
        await client.close()
        assert {each.code for each in failed if isinstance(each, CallFailed)} == {"no-such-host"}
        return answers

    with receiving() as (port, _):
        assert asyncio.run(many(port)) == [202] * 3
    assert asked.count("slow.example.com") == 1


def test_environment_does_not_send_us_through_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9/")
    with receiving() as (port, _):
        assert call(f"http://127.0.0.1:{port}/", private=True).status == 202


def test_a_certificate_is_checked_against_the_name(tmp_path: Path) -> None:
    trust, serving = certificates(tmp_path, "hooks.example.com")
    here = leading_to([HERE])
    with receiving(serving) as (port, receiver):
        answer = call(f"https://hooks.example.com:{port}/", private=True, resolve=here, trust=trust)
        assert answer.status == 202
        assert receiver.seen[0][1]["host"] == f"hooks.example.com:{port}"
        for name, by in (("other.example.com", trust), ("hooks.example.com", ssl.create_default_context())):
            with pytest.raises(CallFailed) as failed:
                call(f"https://{name}:{port}/", private=True, resolve=here, trust=by)
            assert failed.value.code == "tls"
    assert len(receiver.seen) == 1


def certificates(folder: Path, name: str) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Who trusts a certificate that was just made for a name, and who shows it."""
    from datetime import UTC, datetime, timedelta

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    plain = serialization.NoEncryption()
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    (folder / "both.pem").write_bytes(private + pem)
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(folder / "both.pem")
    return ssl.create_default_context(cadata=pem.decode()), serving
