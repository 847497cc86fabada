"""The manifest: which segments are the sealed part of the log.

`HOME/segments/manifest.json`, replaced as a whole, its generation rising by one each time. A segment that it does not
name is garbage. A copy of the newest one lies in `log.db` (table `manifest`), from which a lost or damaged file is
made again. Next in the flow: `segments.py` writes it, `log.py` and `bulk.py` read it.
"""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Final

import msgspec

from innkeeper.kernel.errors import OperationFailed
from innkeeper.kernel.time import Instant
from innkeeper.store import files

FOLDER: Final = "segments"
NAME: Final = "manifest.json"
VERSION: Final = 1


class Segment(msgspec.Struct, frozen=True, kw_only=True):
    """One immutable Parquet file of the log and its hash index.

    Attributes:
        file: Name in the folder of segments; its hash index has the same stem and ends in `.hash`.
        rows, bytes, sha256: Of the Parquet file.
        first_seq, last_seq: Range of places in the log; no two segments overlap.
        first_at, last_at: Range of timestamps.
        numbers, texts: Top-level properties that have a typed column, `"n:…"` and `"s:…"`.
        pure: Those of them of which the column holds every value: none is of another JSON type.
    """

    file: str
    rows: int
    bytes: int
    sha256: str
    first_seq: int
    last_seq: int
    first_at: Instant
    last_at: Instant
    numbers: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()
    pure: tuple[str, ...] = ()

    @property
    def index(self) -> str:
        """Name of its hash index."""
        return self.file.removesuffix(".parquet") + ".hash"


class LetGo(msgspec.Struct, frozen=True, kw_only=True):
    """Raw events of one name that went.

    Attributes:
        name: Of the events.
        until: None of them with a timestamp up to it is sure to be there.
        keys: The summaries that are carried for them, each with the instant up to which it is not; None: it is whole.
    """

    name: str
    until: Instant
    keys: dict[str, Instant | None] = {}


class Ended(msgspec.Struct, frozen=True, kw_only=True):
    """Words on a trait that went because their time was over.

    Attributes:
        trait: Its name.
        at: The workspace's clock when the last ones went: as of an earlier instant some may be missing.
    """

    trait: str
    at: Instant


class Gone(msgspec.Struct, frozen=True, kw_only=True):
    """A file of the hashes of messages that went: they are known for good, and do not come back."""

    file: str
    rows: int


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """All segments, by place in the log, and what went out of them."""

    version: int = VERSION
    generation: int = 0
    segments: tuple[Segment, ...] = ()
    let_go: tuple[LetGo, ...] = ()
    gone: tuple[Gone, ...] = ()
    ended: tuple[Ended, ...] = ()

    @property
    def sealed_through(self) -> int:
        """The newest place in the log that is sealed; rows of the tail up to it are copies."""
        return self.segments[-1].last_seq if self.segments else 0

    @property
    def events(self) -> int:
        """How many events are sealed."""
        return sum(segment.rows for segment in self.segments)

    def encode(self) -> bytes:
        """The file: the manifest's JSON with its CRC-32 before it, so that damage is seen."""
        body = msgspec.json.format(msgspec.json.encode(self), indent=1)
        return b'{"crc32": "%08x", "manifest":\n%s}\n' % (zlib.crc32(body), body)


class _Envelope(msgspec.Struct):
    crc32: str
    manifest: msgspec.Raw


def decode(content: bytes) -> Manifest:
    """The manifest of a file's content.

    Raises:
        ValueError: It is damaged.
        OperationFailed: A newer Innkeeper wrote it.
    """
    envelope = msgspec.json.decode(content, type=_Envelope)
    body = bytes(envelope.manifest).strip()
    if f"{zlib.crc32(body):08x}" != envelope.crc32:
        raise ValueError("its checksum does not fit")
    version = msgspec.json.decode(body).get("version")
    if isinstance(version, int) and version > VERSION:
        raise OperationFailed(
            f"the manifest has version {version}, this Innkeeper knows versions up to {VERSION}",
            code="store-newer", where=NAME, fix="use the newer Innkeeper that wrote it",
        )  # fmt: skip
    return msgspec.json.decode(body, type=Manifest)


def path_of(home: Path) -> Path:
    """Where a home's manifest lies."""
    return home / FOLDER / NAME


def load(home: Path) -> Manifest:
    """The manifest of a home; empty where nothing was ever sealed.

    Raises:
        OperationFailed: The file is damaged or cannot be read.
    """
    path = path_of(home)
    with files.translated(path):
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            return Manifest()
    try:
        return decode(content)
    except (ValueError, msgspec.DecodeError) as error:
        raise OperationFailed(
            f"the manifest of the segments is damaged: {error}",
            code="manifest-damaged", where=str(path), fix="run: innkeeper doctor",
        ) from error  # fmt: skip


def lost(home: Path) -> OperationFailed:
    """The error about segments that nothing names."""
    return OperationFailed(
        "there are segments, but the manifest that names them is lost",
        code="manifest-missing", where=str(path_of(home)), fix="run: innkeeper doctor, which makes it again",
    )  # fmt: skip


def save(home: Path, manifest: Manifest) -> None:
    """Put a manifest in place, on disk when it returns."""
    files.write_atomically(path_of(home), manifest.encode())
