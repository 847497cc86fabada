"""The relay's process of `up`: `python -m innkeeper.runtime.relay_process HOME PARENT LOG`, and who keeps it
alive.

It is started when a home has its first subscription, and costs nothing before. One that dies harms nobody else: it is
started again, after longer and longer waits.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Final, cast

import structlog

from innkeeper.kernel.errors import InnkeeperError
from innkeeper.runtime.logs import Form, begin
from innkeeper.store import subscriptions
from innkeeper.store.files import FileLock

_LONGEST_WAIT_SECONDS: Final = 60.0
_LOOK_SECONDS: Final = 0.5
_STOP_SECONDS: Final = 10

logger = structlog.get_logger()


class RelayKeeper:
    """Starts the relay's process when there is something to relay, and again when it has ended."""

    def __init__(self, home: Path, form: Form) -> None:
        self._home, self._form = home, form
        self._restarts = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._started_at = self._looked_at = float("-inf")
        self._wait = 1.0

    def health(self) -> dict[str, Any] | None:
        """Whether it runs, and how often it had to be started again; None while there is nothing to relay."""
        process = self._process
        return None if process is None else {"up": process.poll() is None, "restarts": self._restarts}

    def tend(self) -> None:
        """Look after it; cheap enough to be called all the time."""
        now = time.monotonic()
        if now - self._looked_at < _LOOK_SECONDS:
            return
        self._looked_at = now
        if self._process is None:
            if subscriptions.exist(self._home):
                self._start(now)
        elif (status := self._process.poll()) is not None and now - self._started_at > self._wait:
            logger.error("relay ended", action="restart", status=status)
            self._restarts += 1
            calm = now - self._started_at > _LONGEST_WAIT_SECONDS
            self._wait = 1.0 if calm else min(self._wait * 2, _LONGEST_WAIT_SECONDS)
            self._start(now)

    def _start(self, now: float) -> None:
        command = [
            sys.executable, "-m", "innkeeper.runtime.relay_process", str(self._home), str(os.getpid()), self._form,
        ]  # fmt: skip
        self._process, self._started_at = subprocess.Popen(command), now

    def stop(self) -> None:
        """End it."""
        if self._process is None or self._process.poll() is not None:
            return
        self._process.terminate()
        try:
            self._process.wait(timeout=_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def serve_relay(home: Path, parent: int) -> None:
    """Relay while the process *parent* lives and does not ask to stop.

    One relay per home: whoever comes while the last one still ends waits for it.
    """
    from innkeeper.runtime.relay import Relay

    stopping: list[int] = []
    signal.signal(signal.SIGTERM, lambda *_: stopping.append(1))
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def ends() -> bool:
        return bool(stopping) or os.getppid() != parent

    async def relay() -> None:
        one = Relay(home)
        try:
            await one.run(ends)
        finally:
            await one.close()

    with FileLock(home / "relay.lock") as lock:
        while not lock.try_alone():
            if ends():
                return
            time.sleep(0.05)
        asyncio.run(relay())


def main() -> None:
    """Relay for a home while the process PARENT lives; exits 1 with the reason in the log when it cannot go on."""
    begin(cast("Form", sys.argv[3]), "relay")
    try:
        serve_relay(Path(sys.argv[1]), int(sys.argv[2]))
    except InnkeeperError as error:
        # The code and the place; the message may name a customer.
        logger.error("relay cannot go on", action="end", reason=error.code, where=error.where)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
