"""Files that are imported: what kind they are, and how their bytes are read, gzipped or not."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final, Literal, cast

from innkeeper.kernel.errors import UsageError

FileKind = Literal["jsonl", "csv", "parquet"]
_ENDINGS: dict[str, FileKind] = {
    ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "jsonl", ".csv": "csv", ".tsv": "csv", ".parquet": "parquet",
    ".pq": "parquet",
}  # fmt: skip
_GZIP = b"\x1f\x8b"
#: How many times as large as it is a file may be when it is unpacked, and how large any may be: more is made to harm.
MOST_RATIO: Final = 100
FREE_BYTES: Final = 64 * 1024 * 1024


def kind_of(path: Path) -> FileKind:
    """What a file is, by its name, else by its first bytes.

    Raises:
        UsageError: There is no such file, it cannot be read, or nothing tells what it is.
    """
    start = _first_bytes(path)
    if start.startswith(b"PAR1"):
        return "parquet"
    name = path.name.lower().removesuffix(".gz")
    for ending, kind in _ENDINGS.items():
        if name.endswith(ending):
            return kind
    if start.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{"):
        return "jsonl"
    raise UsageError(
        f"{path} is of no known kind",
        code="unknown-file-kind",
        fix=f"name it with one of: {' '.join(_ENDINGS)} (.gz behind it for a gzipped one)",
    )


def _first_bytes(path: Path) -> bytes:
    with translated(path):
        if path.is_dir():
            raise IsADirectoryError(21, "it is a folder")
        with path.open("rb") as file:
            return file.read(64)


@contextmanager
def opened(path: Path) -> Iterator[tuple[IO[bytes], Callable[[], int]]]:
    """A file's bytes, unpacked when gzipped, and a way to ask how many bytes of the file itself were read."""
    with translated(path), path.open("rb") as raw:
        packed = raw.read(2) == _GZIP
        raw.seek(0)
        if packed:
            with _Unpacked(path, raw) as unpacked:
                yield cast(IO[bytes], unpacked), raw.tell
        else:
            yield raw, raw.tell


class _Unpacked(gzip.GzipFile):
    """A gzipped file; of one that grows without end no more is read than its size allows."""

    def __init__(self, path: Path, raw: IO[bytes]) -> None:
        super().__init__(fileobj=raw)
        self._path, self._most = path, max(FREE_BYTES, MOST_RATIO * path.stat().st_size)
        self._out = 0

    def read(self, size: int | None = -1) -> bytes:
        """The next bytes.

        Raises:
            UsageError: The file is far larger than it looks.
        """
        data = super().read(size)
        self._out += len(data)
        if self._out > self._most:
            raise UsageError(
                f"{self._path} is more than {MOST_RATIO} times as large when it is unpacked", code="too-dense",
                fix="unpack it, and import what comes of it, if it is meant so",
            )  # fmt: skip
        return data


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Turn what the system says about an unreadable file into words for the person who named it."""
    try:
        yield
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise UsageError(
            f"{path} is damaged: {error}",
            code="unreadable-file",
            fix="what was read before the damage is in the log; import a whole copy, the rest will be duplicates",
        ) from error
    except (FileNotFoundError, PermissionError, IsADirectoryError) as error:
        raise UsageError(
            f"{path} cannot be read: {error.strerror}", code="unreadable-file", fix="check the name and its rights"
        ) from error
