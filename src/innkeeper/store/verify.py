"""Whether the segments are what the manifest says; names the one that is not.

A checksum is computed once for a file as it is (size and time of its last change); what was found sound is remembered
in `segments/verified.json`, which may be deleted. `doctor.py` computes all of them anew.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import msgspec

from innkeeper.kernel.errors import InnkeeperError, OperationFailed
from innkeeper.store import files
from innkeeper.store.manifest import FOLDER, Segment

_REMEMBERED: Final = "verified.json"

RECOVERY: Final = (
    "run: innkeeper doctor; a segment cannot be remade: put the file back from a backup, or import the source files of "
    "that time again (what is still there is recognised as duplicate)"
)


def damage(home: Path, segment: Segment, *, deep: bool) -> str | None:
    """What is wrong with a segment's file; None where nothing is.

    Args:
        home: The workspace's folder.
        segment: As listed.
        deep: Whether to compute the checksum too.
    """
    path = home / FOLDER / segment.file
    try:
        size = path.stat().st_size
        if size != segment.bytes:
            return f"it has {size} bytes instead of {segment.bytes}"
        if deep and files.checksum(path) != segment.sha256:
            return "its checksum does not fit: bits have changed"
    except FileNotFoundError:
        return "the file is missing"
    except OSError as error:
        return f"it cannot be read: {error.strerror}"
    except OperationFailed as error:
        return f"it cannot be read: {error.message}"
    return None


def damaged(home: Path, segment: Segment, why: str) -> OperationFailed:
    """The error about a segment that cannot be used."""
    return OperationFailed(
        f"the segment {segment.file} (seq {segment.first_seq} to {segment.last_seq}, {segment.rows} events) "
        f"is damaged: {why}",
        code="segment-damaged", where=str(home / FOLDER / segment.file), fix=RECOVERY,
    )  # fmt: skip


def require_sound(home: Path, segments: Sequence[Segment]) -> None:
    """Check sizes, and the checksum of each file that has changed since it was last checked.

    Raises:
        OperationFailed: A segment is missing or damaged; the error names it.
    """
    path = home / FOLDER / _REMEMBERED
    known: dict[str, list[object]] = {}
    with suppress(OSError, msgspec.DecodeError):
        known = msgspec.json.decode(path.read_bytes(), type=dict[str, list[object]])
    seen: dict[str, list[object]] = {}
    for segment in segments:
        stamp: list[object] = [segment.sha256, segment.bytes, 0]
        with suppress(OSError):
            stamp[2] = (home / FOLDER / segment.file).stat().st_mtime_ns
        why = damage(home, segment, deep=known.get(segment.file) != stamp)
        if why is not None:
            raise damaged(home, segment, why)
        seen[segment.file] = stamp
    if seen != known:
        # Only saves time; where it cannot be written, the checksums are computed again.
        with suppress(InnkeeperError, OSError):
            files.write_atomically(path, msgspec.json.encode(seen))


@contextmanager
def name_damage(home: Path, segments: Sequence[Segment]) -> Iterator[None]:
    """Turns an error inside into one that names the damaged segment, where there is one."""
    try:
        yield
    except InnkeeperError as error:
        for segment in segments:
            why = damage(home, segment, deep=True)
            if why is not None:
                raise damaged(home, segment, why) from error
        raise
