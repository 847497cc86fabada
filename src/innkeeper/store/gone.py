"""Messages that went by retention are still known: their hashes stay, so that importing them again brings none back.

A file per run (or several, of at most `MOST` rows), in the form of a hash index: the second half of the MD5 of
`source NUL message_id` is what is looked for, its first half stands where an index has the place. The content is gone,
so there is nothing to confirm a hit against: both halves must fit.
"""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from innkeeper.events.types import LogRow
from innkeeper.store import files, hashes
from innkeeper.store.hashes import Asked, HashIndex
from innkeeper.store.manifest import FOLDER, Gone, Manifest

#: As many rows as a file holds at most: they pass through memory as Python's integers.
MOST: Final = 2_000_000


class GoneMessages:
    """Answers which messages went; opens nothing before a manifest names a file."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self._indexes: dict[str, HashIndex] = {}

    def follow(self, listed: Manifest) -> None:
        """Open the files that the manifest names.

        Raises:
            OperationFailed: One is missing or damaged; it cannot be made again.
        """
        named = {each.file: each for each in listed.gone}
        for name in self._indexes.keys() - named.keys():
            self._indexes.pop(name).close()
        for name, each in named.items():
            if name not in self._indexes:
                self._indexes[name] = HashIndex(self.home / FOLDER / name, rows=each.rows)

    def known(self, rows: Sequence[LogRow]) -> set[tuple[str, str]]:
        """The keys of those rows that went."""
        if not self._indexes:
            return set()
        wanted: dict[tuple[int, int], tuple[str, str]] = {}
        for row in rows:
            key = f"{row.source}\0{row.message_id}".encode()
            found = hashlib.md5(key, usedforsecurity=False).digest()
            halves = int.from_bytes(found[8:], "little"), int.from_bytes(found[:8], "little")
            wanted[halves] = row.source, row.message_id
        asked = Asked([low for low, _ in wanted])
        hits = {hit for index in self._indexes.values() for hit in index.places(asked)}
        return {wanted[hit] for hit in hits if hit in wanted}

    def close(self) -> None:
        """Unmap everything."""
        for index in self._indexes.values():
            index.close()
        self._indexes.clear()


def found(home: Path) -> tuple[Gone, ...]:
    """The files that lie there, for a manifest that has to be made again."""
    made = []
    for path in sorted((home / FOLDER).glob("gone-*.hash")):
        with files.translated(path), path.open("rb") as file:
            made.append(Gone(file=path.name, rows=hashes.rows_of(file.read(32))))
    return tuple(made)


def write(home: Path, name: str, pairs: Iterable[tuple[int, int]]) -> Gone:
    """Write a file of (second half, first half), rising; on disk when it returns."""
    lows, highs = array("Q"), array("Q")
    for low, high in pairs:
        lows.append(low)
        highs.append(high)
    rows = len(lows)
    files.write_atomically(home / FOLDER / name, hashes.encode(lows, highs))
    return Gone(file=name, rows=rows)
