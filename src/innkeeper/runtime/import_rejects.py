"""The rejects file of an import: what was refused, where it stood and why, one JSON object a line.

It is made with the first refusal, readable by its owner only, and never replaces a file. Its name says which file was
imported and when; of the imported file's name only harmless characters are kept.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final

from innkeeper.events.limits import Refusal
from innkeeper.kernel.errors import OperationFailed
from innkeeper.kernel.json import dumps_bytes
from innkeeper.kernel.time import Instant, to_datetime

#: How much of a refused line is kept; the rest is in the imported file.
MAX_TEXT = 64 * 1024
#: How many bytes are written before it is asked again whether there is room for more.
_AT_ONCE: Final = 4 * 1024**2
_HARMLESS = re.compile(r"[^A-Za-z0-9._-]+")


class Rejects:
    """Takes refused lines.

    Attributes:
        count: How many lines were refused.
        path: The file; None as long as nothing was refused.
        allow: Told how many bytes are needed, it says how many may be written, or raises where there is no room.
    """

    def __init__(self, home: Path, imported: Path, at: Instant) -> None:
        self.count = 0
        self.path: Path | None = None
        self._home, self._imported, self._at = home, imported, at
        self.allow: Callable[[int], int] = lambda _: _AT_ONCE
        self._allowed = 0
        self._file: BinaryIO | None = None

    def add(self, line: int, refusal: Refusal, text: str) -> None:
        """One refused line: its number, counted from 1, the reason, and the line itself."""
        record: dict[str, object] = {"line": line, "code": refusal.code, "reason": refusal.reason, "fix": refusal.fix}
        record["text"] = text[:MAX_TEXT]
        if len(text) > MAX_TEXT:
            record["cut_after"] = MAX_TEXT
        written = dumps_bytes(record) + b"\n"
        if len(written) > self._allowed:
            if self._file is not None:
                self._file.flush()
            self._allowed = min(self.allow(len(written)), _AT_ONCE)
        self._allowed -= len(written)
        self.count += 1
        if self._file is None:
            self._file = self._make()
        self._file.write(written)

    def close(self) -> None:
        """Put everything on disk."""
        if self._file is not None:
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
            self._file = None

    def _make(self) -> BinaryIO:
        folder = self._home / "rejects"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        stem = _HARMLESS.sub("-", self._imported.name).strip(".-")[:60] or "import"
        moment = to_datetime(self._at).strftime("%Y%m%dT%H%M%SZ")
        for number in range(1, 10_000):
            path = folder / (f"{stem}-{moment}.jsonl" if number == 1 else f"{stem}-{moment}-{number}.jsonl")
            try:
                descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            except FileExistsError:
                continue
            self.path = path
            return os.fdopen(descriptor, "wb")
        raise OperationFailed(f"there are too many rejects files in {folder}", code="unwritable", fix="move them away")


@contextmanager
def rejects_for(home: Path, imported: Path, at: Instant) -> Iterator[Rejects]:
    """The rejects of one import, on disk when the block is left."""
    rejects = Rejects(home, imported, at)
    try:
        yield rejects
    finally:
        rejects.close()
