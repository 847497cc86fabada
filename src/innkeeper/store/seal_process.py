"""The seal in a process of its own: `python -m innkeeper.store.seal_process HOME ORDER`, for the door of `up`.

Sorting 200,000 events takes some hundred MiB for some seconds. A process gives them back when it ends, and does not
hold up who parses meanwhile. One that is killed leaves what any killed seal leaves; one that outlives its door ends its
seal, and whoever opens the log next waits for it (`segments.py`).
"""

from __future__ import annotations

import signal
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from innkeeper.kernel.errors import InnkeeperError, InternalError, OperationFailed
from innkeeper.kernel.json import dumps, loads
from innkeeper.store import sqlite
from innkeeper.store.segments import Sealer, Sizes


def seal(home: Path, sizes: Sizes, *, least: int, merge: bool, threads: int | None) -> int:
    """Seal while the tail holds at least *least* rows, and *merge*; how many rows were sealed."""
    database = sqlite.connect(home / "log.db")
    try:
        sealer = Sealer(home, database, sizes, threads=threads)
        sealed = sealer.seal(least=least)
        if merge:
            sealer.compact()
    finally:
        database.close()
    return sealed


def seal_apart(home: Path, sizes: Sizes, *, least: int, merge: bool, threads: int | None) -> int:
    """The same by another process, and the same errors.

    Raises:
        OperationFailed: The other process was killed, or could not be started.
    """
    order = {"sizes": asdict(sizes), "least": least, "merge": merge, "threads": threads}
    command = [sys.executable, "-m", "innkeeper.store.seal_process", str(home), dumps(order)]
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, check=False)
    except OSError as error:
        raise OperationFailed(f"no process for the seal: {error.strerror}", code="seal-not-begun") from error
    # A process that ends before it has read its order says nothing.
    told: dict[str, Any] = loads(done.stdout) if done.returncode in (0, 1) and done.stdout else {}
    if "sealed" in told:
        return int(told["sealed"])
    if "code" not in told:
        raise OperationFailed(f"the seal's process ended with {done.returncode}", code="seal-ended", where=str(home))
    kind = InternalError if told.pop("bug") else OperationFailed
    raise kind(**told)


def main() -> None:
    """Carry out an order and print what came of it; Ctrl-C and SIGTERM are for who waits for it."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    order = loads(sys.argv[2].encode())
    sizes = Sizes(**order.pop("sizes"))
    try:
        told: dict[str, Any] = {"sealed": seal(Path(sys.argv[1]), sizes, **order)}
    except InnkeeperError as error:
        told = {"message": error.message, "code": error.code, "where": error.where, "fix": error.fix}
        told["bug"] = isinstance(error, InternalError)
    except Exception as error:  # noqa: BLE001 - told to the process that waits, without a text that may quote an event
        told = {"message": "a bug in the seal", "code": type(error).__name__, "where": "", "fix": "", "bug": True}
    sys.stdout.buffer.write(dumps(told).encode() + b"\n")
    sys.stdout.flush()
    sys.exit(0 if "sealed" in told else 1)


if __name__ == "__main__":
    main()
