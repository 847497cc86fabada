"""One writer per home: a file lock that names its holder, released by the system when the process dies."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from innkeeper.kernel.errors import OperationFailed


@contextmanager
def hold(home: Path) -> Iterator[int]:
    """Hold a home for writing; makes the folder when it is missing. Yields the lock's file descriptor: a child process
    that is handed it holds the home too, for as long as it lives.

    Raises:
        OperationFailed: Another process holds it; the message names its pid.
    """
    try:
        home.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OperationFailed(f"{home} cannot be made: {error}", code="home-unusable") from error
    descriptor = os.open(home / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.pread(descriptor, 64, 0).decode(errors="replace").strip() or "unknown"
            raise OperationFailed(
                f"the workspace at {home} is in use by the process with pid {holder}",
                code="home-in-use",
                fix="wait until it has finished, or stop it",
            ) from error
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield descriptor
    finally:
        os.close(descriptor)
