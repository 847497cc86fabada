"""Files that survive a power cut: written under a temporary name, synced, renamed, the folder synced.

Also the advisory locks between processes, and the operating system's errors in words that people can act on. What is in
the files is not known here.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from innkeeper.kernel.errors import OperationFailed

#: End of the names of files that are not finished.
TEMPORARY: Final = ".tmp"

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_DENIED = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})


def translate(error: OSError, where: str | Path) -> OperationFailed:
    """What people read instead of an `OSError`; raise it `from` the error."""
    text = error.strerror or str(error)
    if error.errno in _FULL:
        return OperationFailed(
            text, code="disk-full", where=str(where), fix="make room on the disk (df -h) and call again"
        )
    if error.errno in _DENIED:
        return OperationFailed(
            text, code="store-read-only", where=str(where), fix="make the folder and its files ours to read and write"
        )
    if error.errno == errno.ENOENT:
        return OperationFailed(text, code="file-missing", where=str(where), fix="run: innkeeper doctor")
    return OperationFailed(text, code="disk-error", where=str(where), fix="mend the disk, then run: innkeeper doctor")


@contextmanager
def translated(where: str | Path) -> Iterator[None]:
    """Turns every `OSError` inside into an `OperationFailed`."""
    try:
        yield
    except OSError as error:
        raise translate(error, where) from error


def make_folder(path: Path) -> None:
    """Make a folder and its parents, on disk when it returns."""
    if path.is_dir():
        return
    with translated(path):
        path.mkdir(parents=True, exist_ok=True)
        sync_folder(path.parent)


def make_private(path: Path) -> None:
    """Make a file, if it is not there, for its owner's eyes alone.

    One that is there is not opened: closing it would take away the locks that SQLite holds on it in this process.
    """
    if not path.exists():
        with translated(path), suppress(FileExistsError):
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))


def sync_file(path: Path) -> None:
    """Put a file's content on disk."""
    with translated(path):
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def sync_folder(path: Path) -> None:
    """Put a folder's names on disk."""
    sync_file(path)


def write_atomically(path: Path, content: bytes) -> None:
    """Replace a file by one with *content*: after a crash there is the old one or the new one, whole."""
    temporary = path.with_name(path.name + TEMPORARY)
    with translated(path):
        try:
            with temporary.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
        except OSError:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise
        publish(temporary, path)


def publish(temporary: Path, path: Path) -> None:
    """Give a finished and synced file its name."""
    with translated(path):
        os.replace(temporary, path)
        sync_folder(path.parent)


def checksum(path: Path) -> str:
    """SHA-256 of a file, hexadecimal."""
    with translated(path), path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class FileLock:
    """An advisory lock between processes on a file; let go when closed, or when its process ends in any way."""

    def __init__(self, path: Path) -> None:
        with translated(path):
            self._handle: int | None = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)

    def share(self) -> None:
        """Hold it together with other readers; waits while it is held alone."""
        self._take(fcntl.LOCK_SH)

    def wait(self) -> None:
        """Hold it alone; waits for the others."""
        self._take(fcntl.LOCK_EX)

    def try_alone(self) -> bool:
        """Hold it alone if nobody else holds it now."""
        try:
            self._take(fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _take(self, how: int) -> None:
        if self._handle is None:
            raise ValueError("the lock is closed")
        fcntl.flock(self._handle, how)

    def close(self) -> None:
        """Let go."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None

    def __enter__(self) -> FileLock:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
