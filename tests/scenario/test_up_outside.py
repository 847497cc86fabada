"""What `up` shows to the outside: its figures, its log, its certificate; and how it stands too many requests."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from support.door import Served, basic, opened
from support.workspace import Workspace

from innkeeper.events.types import LogRow
from innkeeper.kernel.errors import UsageError
from innkeeper.runtime import http_server, relay_process, subscriptions
from innkeeper.runtime.outward import Selection
from innkeeper.runtime.tls import Certificate
from innkeeper.runtime.writer import Writer
from innkeeper.store.log import Appended, Log
from innkeeper.web import metrics

TOKEN = "a-token-of-the-metrics"


@contextmanager
def up(home: Path, *options: str, **environment: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """`innkeeper up` in a process of its own: its URL, and the process with its log in `stderr`."""
    process = subprocess.Popen(
        [sys.executable, "-m", "innkeeper", "--home", str(home), "up", "--json", "--port", "0", *options],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ | environment,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())["url"], process
    finally:
        process.terminate()
        process.wait(60)


def figures(text: str) -> dict[str, float]:
    """The lines of the text format; a line that is none fails."""
    found = {}
    for line in text.splitlines():
        if not line.startswith("# "):
            name, _, value = line.rpartition(" ")
            assert name not in found
            found[name] = float(value)
    return found


def test_metrics_open_with_the_token_alone_and_say_what_was_done(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "home")
    key = workspace.cli("source", "create", "shop", "--kind", "server")["write_key"]
    canaries = [f"canary{number:02d}zq" for number in range(50)]
    with up(workspace.home, INNKEEPER_METRICS_TOKEN=TOKEN) as (url, process):

        def get(path: str, body: bytes | None = None, **headers: str) -> tuple[int, str]:
            try:
                with urllib.request.urlopen(urllib.request.Request(url + path, body, headers), timeout=60) as answer:
                    return answer.status, answer.read().decode()
            except urllib.error.HTTPError as failed:
                return failed.code, failed.read().decode()

        for canary in canaries:
            event = {"type": "track", "event": canary, "userId": canary, "messageId": canary}
            body = json.dumps({"batch": [event, event, {"type": canary}]}).encode()
            assert get("/v1/batch", body, Authorization=basic(key))[0] == 200
            assert get(f"/{canary}", body)[0] == 404
        assert get("/metrics")[0] == 401
        assert get("/metrics", Authorization="Bearer nothing")[0] == 401
        status, text = get("/metrics", Authorization=f"Bearer {TOKEN}")
        assert status == 200
        process.send_signal(signal.SIGHUP)
        assert get("/health")[0] == 200
    assert process.stderr is not None
    log = process.stderr.read()
    found = figures(text)
    assert found['innkeeper_events_total{source="shop",became="accepted"}'] == 50
    assert found['innkeeper_events_total{source="shop",became="duplicate"}'] == 50
    assert found['innkeeper_events_total{source="shop",became="bad-type"}'] == 50
    assert found['innkeeper_requests_total{route="/v1/",status="200"}'] == 50
    assert found['innkeeper_requests_total{route="other",status="404"}'] == 50
    assert found["innkeeper_queue_events"] == found["innkeeper_queue_bytes"] == 0
    assert 1 <= found["innkeeper_commits_total"] <= 50
    assert found["innkeeper_log_bytes"] > 4_000
    assert found["innkeeper_memory_bytes"] > 10_000_000
    assert not [canary for canary in canaries if canary in text + log]


def test_without_a_token_there_are_no_metrics_and_a_weak_one_is_refused(tmp_path: Path) -> None:
    with opened(tmp_path / "home") as served:
        assert served.call("GET", "/metrics").status == 404
    refused = Workspace(tmp_path / "other").shell("up", env={"INNKEEPER_METRICS_TOKEN": "short"})
    assert (refused.returncode, "at least 16" in refused.stderr) == (2, True)


def test_sources_beyond_the_limit_are_one_label(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "MOST_SOURCES", 2)
    with opened(tmp_path) as served:
        for number in range(5):
            served.door.became[f"s{number}", "accepted"] = 1
        assert metrics._events(served.door) == [
            ((("source", "other"), ("became", "accepted")), 3),
            ((("source", "s0"), ("became", "accepted")), 1),
            ((("source", "s1"), ("became", "accepted")), 1),
        ]


INJECTIONS = [
    f"{begin}{brk}{text}"
    for begin in ("", "customer-7")
    for brk in ("\n", "\r\n", "\u2028", "\x1b[2K", "\x00", "\x0b")
    for text in ('{"level":"error","event":"x"}', "error: gone", "\x1b]0;t\x07", "%s%n", "${jndi:ldap://x}")
]


def test_a34_nothing_breaks_a_line_of_the_log() -> None:
    """Sixty texts as values of a record, as what an exception says, and as a library's message."""
    code = (
        "import json, logging, sys, structlog\n"
        "from innkeeper.runtime.logs import begin, told_of\n"
        "begin('json', 'door')\n"
        "for text in json.load(sys.stdin):\n"
        "    structlog.get_logger().error('x', reason=text)\n"
        "    try:\n        raise ValueError(text)\n"
        "    except ValueError as error:\n"
        "        structlog.get_logger().error('y', **told_of(error))\n"
        "        logging.getLogger('lib').exception('z %s', text)\n"
        "raise ValueError(text)\n"
    )
    assert len(INJECTIONS) == 60
    ran = subprocess.run([sys.executable, "-c", code], input=json.dumps(INJECTIONS), capture_output=True, text=True)
    lines = ran.stderr.split("\n")[:-1]
    records = [json.loads(line) for line in lines]
    assert len(records) == 181
    assert all({"event", "level", "at", "process"} <= record.keys() for record in records)
    assert not [each for record in records for each in record.values() if not each.isprintable()]
    assert "customer-7" not in "".join(line for line in lines if '"event": "x"' not in line)


def pem(folder: Path, name: str) -> tuple[Path, Path]:
    """A certificate of localhost, signed by itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key())
        .serial_number(x509.random_serial_number()).not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=9))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    kept = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    files = folder / f"{name}.pem", folder / f"{name}.key"
    files[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    files[1].write_bytes(key.private_bytes(serialization.Encoding.PEM, *kept))
    return files


def served_name(port: int, **how: Any) -> str:
    """The name on the certificate that a port shows."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    for name, value in how.items():
        setattr(context, name, value)
    with (
        socket.create_connection(("127.0.0.1", port), timeout=60) as raw,
        context.wrap_socket(raw, server_hostname="localhost") as connection,
    ):
        connection.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert connection.recv(1_000).startswith(b"HTTP/1.1 200")
        shown = x509.load_der_x509_certificate(connection.getpeercert(binary_form=True) or b"")
        return str(shown.subject.rfc4514_string())


def test_tls_with_own_files_that_are_read_again_on_sighup(tmp_path: Path) -> None:
    one, two = pem(tmp_path, "one"), pem(tmp_path, "two")
    with up(tmp_path / "home", "--tls-cert", str(one[0]), "--tls-key", str(one[1])) as (url, process):
        assert url.startswith("https://127.0.0.1:")
        port = int(url.rpartition(":")[2])
        assert served_name(port) == "CN=one"
        with pytest.raises(ssl.SSLError), pytest.warns(DeprecationWarning, match="TLSv1_1"):
            served_name(port, maximum_version=ssl.TLSVersion.TLSv1_1)
        for old, new in zip(one, two, strict=True):
            old.write_bytes(new.read_bytes())
        process.send_signal(signal.SIGHUP)
        while served_name(port) == "CN=one":
            time.sleep(0.01)
        one[1].write_text("nothing")
        process.send_signal(signal.SIGHUP)
        assert served_name(port) == "CN=two"
    assert process.stderr is not None
    assert "bad-certificate" in process.stderr.read()


def test_a39_who_says_nothing_instead_of_a_handshake_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_server, "HEADER_SECONDS", 0.2)
    with opened(tmp_path / "home", certificate=Certificate(*pem(tmp_path, "one"))) as served:
        for begun in (b"", b"\x16\x03\x01"):
            with socket.create_connection(("127.0.0.1", served.port), timeout=60) as silent:
                silent.sendall(begun)
                assert silent.recv(100) == b""


def test_a_relay_that_dies_is_shown_and_started_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relay_process, "_LOOK_SECONDS", 0)
    keeper = relay_process.RelayKeeper(tmp_path, "json")
    with opened(tmp_path, relay=keeper.health, metrics_token=TOKEN) as served:

        def shown() -> tuple[Any, dict[str, float]]:
            text = served.call("GET", "/metrics", b"", {"Authorization": f"Bearer {TOKEN}"}).text.decode()
            found = {name: value for name, value in figures(text).items() if "relay" in name}
            return served.call("GET", "/health").json, found

        keeper.tend()
        assert shown() == ({"status": "ok"}, {})
        wanted = Selection.read(events=["Stage Changed"])
        subscriptions.create(tmp_path, "crm", "http://127.0.0.1:9999/", wanted, served.clock, private=True, since=None)
        try:
            keeper.tend()
            up = {"innkeeper_relay_up": 1, "innkeeper_relay_restarts_total": 0}
            assert shown() == ({"status": "ok", "relay": {"up": True, "restarts": 0}}, up)
            assert keeper._process is not None
            keeper._process.kill()
            keeper._process.wait()
            assert shown()[0] == {"status": "relay-down", "relay": {"up": False, "restarts": 0}}
            assert shown()[1]["innkeeper_relay_up"] == 0
            keeper._wait = 0
            keeper.tend()
            assert shown()[0] == {"status": "ok", "relay": {"up": True, "restarts": 1}}
        finally:
            keeper.stop()


def test_bad_certificate_files_and_proxies_are_refused_with_2(tmp_path: Path) -> None:
    one, two = pem(tmp_path, "one"), pem(tmp_path, "two")
    locked = tmp_path / "locked.key"
    key = serialization.load_pem_private_key(one[1].read_bytes(), None)
    locked.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.BestAvailableEncryption(b"x")
        )
    )
    for certificate, other, said in (
        (one[0], two[1], "does not belong"), (one[0], tmp_path / "no", "No such file"), (one[1], one[1], "be read"),
        (one[0], locked, "be read"), (tmp_path, one[1], "be read"),
    ):  # fmt: skip
        with pytest.raises(UsageError, match=said) as caught:
            Certificate(certificate, other)
        assert (caught.value.code, caught.value.exit_code) == ("bad-certificate", 2)
    workspace = Workspace(tmp_path / "home")
    for options in (["--tls-cert", str(one[0])], ["--behind-proxy", "everybody"], ["--behind-proxy", ""]):
        assert workspace.shell("up", *options).returncode == 2


def test_a_forwarded_header_is_believed_of_the_named_proxies_alone(tmp_path: Path) -> None:
    for proxies, protocol in ("", "http"), ("10.0.0.1", "http"), ("10.0.0.1, 127.0.0.0/8", "https"):
        workspace, options = Workspace(tmp_path / f"home{len(proxies)}"), ("--behind-proxy", proxies)
        key = workspace.cli("source", "create", "web", "--kind", "public")["write_key"]
        with up(workspace.home, *(options if proxies else ())) as (url, _):
            asked = urllib.request.Request(f"{url}/v1/projects/{key}/settings", headers={"X-Forwarded-Proto": "https"})
            told = json.load(urllib.request.urlopen(asked, timeout=60))
        assert told["integrations"]["Segment.io"]["protocol"] == protocol


_ROUNDS = 5


class Gated:
    """A log that lets one commit through at a time, as a disk that is slower than what comes."""

    def __init__(self, log: Log) -> None:
        self.log, self.gate = log, threading.Semaphore(0)
        self.most = 0

    def append(self, rows: list[LogRow]) -> Appended:
        """As the log, after a ticket."""
        self.gate.acquire()
        self.most = max(self.most, len(rows))
        return self.log.append(rows)


def test_three_times_what_the_log_takes_is_429_and_loses_nothing(tmp_path: Path) -> None:
    """An open loop of thrice as many requests as one round of the log takes: what has no room is sent away at once."""
    with Log.open(tmp_path) as log:
        gated = Gated(log)
        room = 20
        with opened(tmp_path, writer=Writer(gated, most_rows=room)) as served:  # type: ignore[arg-type]
            told: list[tuple[str, int, bool]] = []
            for round_ in range(_ROUNDS):
                asyncio.run(_flood(served, told, gated, round_, 3 * room))
    statuses = {status for _, status, _ in told}
    taken = {message for message, status, _ in told if status == 200}
    assert statuses == {200, 429}
    assert all(retry for _, status, retry in told if status == 429)
    assert gated.most <= room
    with Log.open(tmp_path, read_only=True) as log:
        assert {event.message_id for event in log.read(0, 10_000)} == taken
    # Every round the queue was filled, and no more.
    assert _ROUNDS * room <= len(taken) <= _ROUNDS * 2 * room


async def _flood(served: Served, told: list[tuple[str, int, bool]], gated: Gated, round_: int, number: int) -> None:
    """So many requests at once; the log gets its tickets when all that can be refused were."""
    refused = asyncio.Semaphore(0)

    async def one(message: str) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
        body = json.dumps({"type": "track", "event": "E", "userId": "u", "messageId": message}).encode()
        head = f"POST /v1/track HTTP/1.1\r\nHost: x\r\nAuthorization: {basic(served.key())}\r\n"
        writer.write(head.encode() + f"Content-Length: {len(body)}\r\n\r\n".encode() + body)
        answer = await reader.readuntil(b"\r\n\r\n")
        writer.close()
        told.append((message, int(answer.split()[1]), b"retry-after" in answer))
        if b" 429 " in answer:
            refused.release()

    sent = [asyncio.ensure_future(one(f"{round_}-{each}")) for each in range(number)]
    # As many as have room are with the log at most, as many wait.
    for _ in range(number // 3):
        await refused.acquire()
    while not all(each.done() for each in sent):
        gated.gate.release()
        await asyncio.sleep(0.005)
    while gated.gate.acquire(blocking=False):
        pass
