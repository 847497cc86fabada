"""A file that comes with a request: streamed to the disk of the home under caps, with a digest, never held in memory.

What was received lies in `HOME/imports` under a temporary name. Whoever takes it moves it away; `import_jobs.py` does.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import mkstemp
from typing import Final

import anyio.to_thread

from innkeeper.kernel.errors import OperationFailed
from innkeeper.runtime.bodies import BadBody
from innkeeper.store import files

FOLDER: Final = "imports"
MOST_BYTES: Final = 8 * 1024**3
#: What must stay free on the disk: the log needs room more than a file that can be sent again.
SPARE_BYTES: Final = 512 * 1024**2
#: How many files come in at once.
MOST_AT_ONCE: Final = 2
#: How long the first bytes may take, and how slowly the others may come.
_PATIENCE_SECONDS: Final = 10.0
_SLOWEST_BYTES: Final = 1024
_BLOCK: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that was received; *digest* is its SHA-256."""

    path: Path
    size: int
    digest: bytes


class Uploads:
    """Receives files of one home; used from one event loop.

    Attributes:
        folder: Where they lie.
        most, spare: How large a file may be, and what must stay free on the disk, in bytes.
    """

    def __init__(self, home: Path, *, most: int = MOST_BYTES, spare: int = SPARE_BYTES) -> None:
        self.folder, self.most, self.spare = home / FOLDER, most, spare
        self._inside = 0

    def room(self) -> int:
        """How many bytes more may be written to the disk."""
        return max(0, shutil.disk_usage(self.folder).free - self.spare)

    async def receive(self, pieces: AsyncIterator[bytes], declared: int | None) -> Upload:
        """The file that comes in pieces, on disk; *declared*: its size, as far as it is known before.

        Raises:
            BadBody: It is too large, too slow, one too many, or the disk has no room for it.
            OperationFailed: The disk cannot be written.
        """
        if self._inside == MOST_AT_ONCE:
            raise BadBody(429, "busy", "as many files as may come in at once do")
        self._inside += 1
        try:
            with files.translated(self.folder):
                self.folder.mkdir(mode=0o700, exist_ok=True)
                self._allow(declared or 0, declared or 0)
                handle, name = mkstemp(prefix="upload-", suffix=files.TEMPORARY, dir=self.folder)
            try:
                with os.fdopen(handle, "wb", buffering=0) as file:
                    return await self._written(Path(name), file.fileno(), pieces)
            except BaseException:
                os.unlink(name)
                raise
        finally:
            self._inside -= 1

    async def _written(self, path: Path, handle: int, pieces: AsyncIterator[bytes]) -> Upload:
        digest, size, block = hashlib.sha256(), 0, bytearray()
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS) as patience:
                begin = loop.time() + _PATIENCE_SECONDS
                async for piece in pieces:
                    size += len(piece)
                    block += piece
                    if len(block) >= _BLOCK:
                        self._allow(size, len(block))
                        # Beside the loop: where the disk is behind, a write waits for it.
                        await anyio.to_thread.run_sync(partial(_write, handle, digest, block))
                        block = bytearray()
                    patience.reschedule(begin + size / _SLOWEST_BYTES)
        except TimeoutError as error:
            raise BadBody(
                408, "too-slow", f"the file came more slowly than {_SLOWEST_BYTES:,} bytes a second"
            ) from error
        self._allow(size, len(block))
        await anyio.to_thread.run_sync(partial(_write, handle, digest, block, sync=True))
        return Upload(path, size, digest.digest())

    def _allow(self, size: int, more: int) -> None:
        """Refuse a file that has got too large, or for which the disk has no room."""
        if size > self.most:
            raise BadBody(413, "too-large", f"a file has at most {self.most:,} bytes; split it")
        if more > self.room():
            raise BadBody(507, "disk-full", f"the disk has no room for it: {self.spare:,} bytes of it stay free")


def _write(handle: int, digest: hashlib._Hash, block: bytearray, *, sync: bool = False) -> None:
    try:
        rest = memoryview(block)
        while rest:
            rest = rest[os.write(handle, rest) :]
        if sync:
            os.fsync(handle)
    except OSError as error:
        raise _unwritable(error) from error
    digest.update(block)


def _unwritable(error: OSError) -> Exception:
    told: OperationFailed = files.translate(error, FOLDER)
    return BadBody(507, "disk-full", "the disk has no room for it") if told.code == "disk-full" else told
