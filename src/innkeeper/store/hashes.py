"""The hash index of a segment: which (source, message_id) may be in it, and at which place of the log.

A file of sorted 64-bit hashes with their places, and a bitmap before it that answers most questions with one look. A
hit is never trusted: `log.py` confirms it against the segment itself. It is derived from the segment and made again
at will.

The hash is the second half of the MD5 of `source NUL message_id`, little-endian: DuckDB's `md5_number_lower` gives
the same number, so that an index is made without moving texts into Python. MD5 spreads well and is no secret here.

Layout, little-endian: magic (8 bytes), rows, bits (log2 of the bitmap's bits), CRC-32 of what follows (u64 each), the
bitmap, hashes (u64 each, rising), places (u64 each).
"""

from __future__ import annotations

import mmap
import struct
import sys
import zlib
from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import compress
from operator import and_, itemgetter
from pathlib import Path
from typing import Final

from innkeeper.kernel.errors import OperationFailed
from innkeeper.store import files

try:
    # Python's own, which does not take twice as long to begin a digest as the one of OpenSSL.
    from _md5 import md5  # type: ignore[import-not-found,unused-ignore]
except ImportError:
    from hashlib import md5

_MAGIC: Final = b"INNHASH1"
_HEAD: Final = struct.Struct("<8sQQQ")
#: At least this many bits of the bitmap a row; one in 16 strangers passes it and is then looked up.
_BITS_A_ROW: Final = 16


def message_hash(source: str, message_id: str) -> int:
    """The hash of a message's key.

    >>> message_hash("import", "order-1")
    127649019440472035
    """
    digest = md5(f"{source}\0{message_id}".encode(), usedforsecurity=False).digest()
    return int.from_bytes(digest[8:], "little")


def message_hashes(keys: Iterable[tuple[str, str]]) -> list[int]:
    """The hashes of many keys (source, message_id), quickly."""
    words = array(
        "Q",
        b"".join([md5(f"{source}\0{name}".encode(), usedforsecurity=False).digest() for source, name in keys]),
    )
    if sys.byteorder == "big":
        words.byteswap()
    return words[1::2].tolist()


def encode(hashes: array[int], places: array[int]) -> bytes:
    """The file of an index: rising hashes and the place of each."""
    rows = len(hashes)
    bits = max(10, (rows * _BITS_A_ROW - 1).bit_length())
    bitmap = bytearray(1 << (bits - 3))
    shift = 64 - bits + 3
    for value in hashes:
        bitmap[value >> shift] |= 1 << (value & 7)
    if sys.byteorder == "big":
        hashes, places = hashes[:], places[:]
        hashes.byteswap()
        places.byteswap()
    body = b"".join((bitmap, hashes.tobytes(), places.tobytes()))
    return _HEAD.pack(_MAGIC, rows, bits, zlib.crc32(body)) + body


class Asked:
    """Hashes that all indexes are asked about, with what a look into a bitmap needs of them, worked out once.

    The looks of a batch are a few calls of C; one by one in Python they took twice as long.
    """

    def __init__(self, hashes: Sequence[int]) -> None:
        # The first is nobody's and has no bit: `itemgetter` gives a tuple for two places or more.
        self._hashes = [0, *hashes]
        self._bits = [0, *[1 << (value & 7) for value in hashes]]
        self._pickers: dict[int, Callable[[memoryview], tuple[int, ...]]] = {}

    def possible(self, bitmap: memoryview, shift: int) -> Iterator[int]:
        """Which of the hashes a bitmap may hold; one in 16 of the others passes too."""
        pick = self._pickers.get(shift)
        if pick is None:
            pick = self._pickers[shift] = itemgetter(*[value >> shift for value in self._hashes])
        return compress(self._hashes, map(and_, pick(bitmap), self._bits))


class HashIndex:
    """An opened index; its file is mapped, not read.

    Raises:
        OperationFailed: The file is missing (`file-missing`) or damaged (`index-damaged`).
    """

    def __init__(self, path: Path, *, rows: int) -> None:
        self.path = path
        with files.translated(path), path.open("rb") as file:
            size = path.stat().st_size
            if size < _HEAD.size:
                raise self._damaged("it is too short")
            self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        self._view = memoryview(self._map)
        magic, count, bits, crc = _HEAD.unpack_from(self._view)
        body = self._view[_HEAD.size :]
        if magic != _MAGIC or count != rows or not 10 <= bits <= 60 or len(body) != (1 << (bits - 3)) + 16 * count:
            raise self._damaged("its head does not fit the segment")
        if zlib.crc32(body) != crc:
            raise self._damaged("its checksum does not fit")
        split = 1 << (bits - 3)
        self._shift = 64 - bits + 3
        self._bitmap = body[:split]
        self._hashes = body[split : split + 8 * count].cast("Q")
        self._places = body[split + 8 * count :].cast("Q")

    def _damaged(self, why: str) -> OperationFailed:
        return OperationFailed(
            f"the hash index is damaged: {why}", code="index-damaged", where=str(self.path), fix="run: innkeeper doctor"
        )

    def places(self, asked: Asked) -> Iterator[tuple[int, int]]:
        """Every (hash, place) of the index whose hash is asked for."""
        table, places, rows = self._hashes, self._places, len(self._hashes)
        for value in asked.possible(self._bitmap, self._shift):
            at = bisect_left(table, value)
            while at < rows and table[at] == value:
                yield value, places[at]
                at += 1

    def close(self) -> None:
        """Unmap the file."""
        for view in (self._bitmap, self._hashes, self._places):
            view.release()
        self._view.release()
        self._map.close()
