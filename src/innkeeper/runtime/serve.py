"""`up`: two processes. The door (this one) serves HTTP and writes `log.db`; the engine folds and delivers.

The door restarts an engine that died, and takes it down with itself. Where there are subscriptions, the relay is a
third process (`relay_process.py`).
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog

from innkeeper.kernel.errors import InnkeeperError, InternalError, OperationFailed
from innkeeper.kernel.json import dumps_bytes
from innkeeper.kernel.time import SystemClock
from innkeeper.runtime.channel_probe import open_once
from innkeeper.runtime.house import House, opened
from innkeeper.runtime.lock import hold
from innkeeper.runtime.logs import Form, begin, told_of
from innkeeper.runtime.outlet import drain, forward
from innkeeper.runtime.relay_process import RelayKeeper
from innkeeper.runtime.tls import Certificate
from innkeeper.store.log import Log
from innkeeper.store.state import State

#: Where a served home says who serves it.
DOOR = "door.json"
_PAUSE_SECONDS = 0.1
_RESTART_SECONDS = 1.0
_CALM_SECONDS = 30.0
_COUNTS_SECONDS = 1.0
_MOST_RESTARTS = 5

#: Makes an ASGI application over a served home.
MakeApp = Callable[[House], Any]

if TYPE_CHECKING:
    import uvicorn

logger = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Serving:
    """How a workspace is served.

    Attributes:
        host, port: Where to listen; port 0 picks a free one.
        certificate: What connections are encrypted with; None: they are not.
        proxies: Whose word about where a request came from is believed.
        log: How the log is written.
    """

    host: str
    port: int
    certificate: Certificate | None = None
    proxies: tuple[str, ...] = ()
    log: Form = "json"


def serve(home: Path, make_app: MakeApp, how: Serving, *, ready: Callable[[str], None]) -> None:
    """Serve a workspace until it is stopped (Ctrl-C, SIGTERM).

    Args:
        home: Folder of the workspace; made when it is missing.
        make_app: Makes the HTTP application (`web/app.py`).
        how: Where, and in which way.
        ready: Called once with the URL when requests are answered.

    Raises:
        OperationFailed: The home is in use, the address is taken, a channel lacks something, or the engine keeps dying.
    """
    begin(how.log, "door")
    with (
        hold(home) as held,
        Log.open(home, seals_apart=True) as log,
        _signals_end_the_server(),
        _hang_up_reads_anew(how.certificate),
    ):
        with State.open(home, create=True) as state:
            open_once(home, state)
        with listen_on(how.host, how.port) as listener:
            keeper = _Keeper(home, log, held, how.log)
            host = f"[{how.host}]" if ":" in how.host else how.host
            url = f"{'http' if how.certificate is None else 'https'}://{host}:{listener.getsockname()[1]}"
            with opened(
                home, log, SystemClock(), health=keeper.health, rest=keeper.rest, relay=keeper.relay.health
            ) as house:
                try:
                    keeper.start(house.door.keep_counts)
                    from innkeeper.runtime.http_server import make_server

                    server = make_server(make_app(house), certificate=how.certificate, proxies=how.proxies)
                    with _told(home, url, house.doorman.local_token, how.certificate):
                        _run_http(keeper, server, listener, lambda: ready(url))
                finally:
                    keeper.stop()
    if isinstance(keeper.failure, InternalError):
        # Its text may quote what a customer sent, and what is raised here is printed.
        raise OperationFailed("a bug in Innkeeper; the log above says where", code="door-stops") from keeper.failure
    if keeper.failure is not None:
        raise keeper.failure


@contextmanager
def _signals_end_the_server() -> Iterator[None]:
    """The HTTP server hears SIGTERM and SIGINT, ends, and raises them again: here they have done their work by then."""
    before = {number: signal.signal(number, lambda *_: None) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _told(home: Path, url: str, token: str, certificate: Certificate | None) -> Iterator[None]:
    """Tell the command line where the home is served, and give it a token; whoever may read the file owns the home."""
    path = home / DOOR
    new = path.with_name(f"{DOOR}.new")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        trusted = None if certificate is None else str(certificate.path.absolute())
        file.write(dumps_bytes({"url": url, "pid": os.getpid(), "token": token, "certificate": trusted}))
    os.replace(new, path)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


@contextmanager
def _hang_up_reads_anew(certificate: Certificate | None) -> Iterator[None]:
    """SIGHUP reads the certificate again; without one it is passed over."""

    def read(*_: object) -> None:
        if certificate is None:
            return
        try:
            certificate.read()
            logger.info("certificate read", action="certificate")
        except InnkeeperError as error:
            logger.error("certificate not read", action="certificate", reason=error.code)

    before = signal.signal(signal.SIGHUP, read)
    try:
        yield
    finally:
        signal.signal(signal.SIGHUP, before)


def listen_on(host: str, port: int) -> socket.socket:
    """A socket that is bound to an address; port 0 picks a free one.

    Raises:
        OperationFailed: The address is taken.
    """
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise OperationFailed(
            f"{host}:{port} cannot be listened on: {error.strerror}", code="address-in-use", fix="choose another --port"
        ) from error
    return listener


def _run_http(keeper: _Keeper, server: uvicorn.Server, listener: socket.socket, started: Callable[[], None]) -> None:
    keeper.on_failure = lambda: setattr(server, "should_exit", True)
    if keeper.failure is not None:
        # It failed before there was a server to end.
        keeper.on_failure()

    def announce() -> None:
        while not server.started and not server.should_exit:
            time.sleep(0.01)
        if server.started:
            started()

    threading.Thread(target=announce, daemon=True).start()
    server.run(sockets=[listener])


class _Keeper:
    """Keeps the engine's process alive and moves its outputs into the log."""

    def __init__(self, home: Path, log: Log, held: int, form: Form) -> None:
        self.home, self.log, self.held, self.form = home, log, held, form
        self._keep_counts: Callable[[], None] = lambda: None
        self._counts_kept_at = 0.0
        self.failure: BaseException | None = None
        self.on_failure: Callable[[], object] = lambda: None
        self._engine: subprocess.Popen[bytes] | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._keep, daemon=True)
        #: Who holds it decides what becomes of the engine.
        self._turn = threading.Lock()
        self._deaths: list[float] = []
        self.relay = RelayKeeper(home, form)

    def start(self, keep_counts: Callable[[], None]) -> None:
        self._keep_counts = keep_counts
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(timeout=10)
        self.relay.stop()
        self._end_engine()

    @contextmanager
    def rest(self) -> Iterator[None]:
        """Within it the engine does not run: it ends its tick, and is started again afterwards.

        Raises:
            OperationFailed: The workspace is being closed.
        """
        with self._turn:
            if self._stop.is_set():
                raise OperationFailed("the workspace is being closed", code="closing", fix="send it again")
            self._end_engine()
            self._engine = None
            yield

    def _end_engine(self) -> None:
        engine = self._engine
        if engine is not None and engine.poll() is None:
            engine.terminate()
            try:
                engine.wait(timeout=20)
            except subprocess.TimeoutExpired:
                engine.kill()
                engine.wait()
        # The engine is gone and the home is still held: nobody else writes.
        with State.open(self.home) as state:
            drain(state, self.log)

    def health(self) -> dict[str, Any]:
        """How the parts are: whether the engine runs, and how far its clock is behind."""
        engine = self._engine
        alive = engine is not None and engine.poll() is None
        with State.open(self.home, readonly=True) as state:
            clock, waiting = state.clock(), state.outbox_size()
        lag = None if clock is None else max(0, SystemClock().now() - clock) / 1_000_000
        return {"ready": alive and lag is not None, "engine": alive, "lag_seconds": lag, "outbox": waiting}

    def _keep(self) -> None:
        try:
            with State.open(self.home, readonly=True) as state:
                while not self._stop.is_set():
                    with self._turn:
                        if self._engine is None or self._engine.poll() is not None:
                            self._start_engine()
                        moved = forward(self.home, state, self.log)
                    if not moved:
                        self._stop.wait(_PAUSE_SECONDS)
                    self.log.tend()
                    self.relay.tend()
                    if time.monotonic() - self._counts_kept_at > _COUNTS_SECONDS:
                        self._keep_counts()
                        self._counts_kept_at = time.monotonic()
        except BaseException as error:  # noqa: BLE001 - `serve` raises it: a door without its keeper must not stay open
            told = told_of(error)
            if isinstance(error, InnkeeperError):
                told["reason"] = error.code
            logger.error("door stops", action="stop", **told)
            self.failure = error
            self.on_failure()

    def _start_engine(self) -> None:
        now = time.monotonic()
        if self._engine is not None:
            logger.error("engine ended", action="restart", status=self._engine.returncode)
            self._deaths = [death for death in self._deaths if now - death < _CALM_SECONDS] + [now]
            if len(self._deaths) > _MOST_RESTARTS:
                raise OperationFailed(
                    "the engine ended again and again; its errors are above",
                    code="engine-dies",
                    fix="run: innkeeper doctor",
                )
            self._stop.wait(_RESTART_SECONDS)
        # The engine is told its parent: asked for later, a dead parent's number would already be another's.
        command = [
            sys.executable,
            "-m",
            "innkeeper.runtime.engine_process",
            str(self.home),
            str(os.getpid()),
            self.form,
        ]
        # It holds the home as well: nobody else may write while it finishes its last tick.
        self._engine = subprocess.Popen(command, pass_fds=[self.held])
