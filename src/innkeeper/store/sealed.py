"""Reading the sealed part of the log: events by place, in order, by key. The tail is `log.py`'s.

A reader holds `segments/readers.lock` shared for as long as it has files open, so that no sweep takes them away.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, LiteralString

from innkeeper.events.types import Event, LogRow, from_row
from innkeeper.kernel.errors import OperationFailed
from innkeeper.store import duck, files, manifest
from innkeeper.store.columns import text_sql
from innkeeper.store.hashes import Asked, HashIndex
from innkeeper.store.manifest import FOLDER, Manifest, Segment
from innkeeper.store.segment_files import write_index
from innkeeper.store.segments import READERS_LOCK
from innkeeper.store.verify import name_damage

if TYPE_CHECKING:
    import duckdb

#: The columns of an event's row, as `to_event` takes them.
ROW_SQL: Final = (
    "seq, source, message_id, type, name, user_id, anonymous_id, ts, received_at, properties, traits, context, extra"
)
_FETCH: Final = 2_000


def to_event(row: Sequence[Any]) -> Event:
    """The event of a row of `ROW_SQL`."""
    return from_row(row[0], LogRow(*row[1:]))


class SealedReader:
    """Reads the segments of a home, of the manifest as it is now; opens nothing before it is asked.

    As a context it holds the files for its length. The engine, which takes 30 ms to make, is kept until `close`.
    """

    def __init__(self, home: Path) -> None:
        self.home = home
        self._lock: files.FileLock | None = None
        self._engine: duckdb.DuckDBPyConnection | None = None
        self._manifest = Manifest()

    @property
    def manifest(self) -> Manifest:
        """The manifest as last loaded."""
        return self._manifest

    def reload(self, listed: Manifest) -> None:
        """Go on with a newer manifest."""
        self._manifest = listed

    def hold(self) -> None:
        """Keep the files from being swept; reads the manifest anew."""
        if self._lock is None:
            folder = self.home / FOLDER
            files.make_folder(folder)
            self._lock = files.FileLock(folder / READERS_LOCK)
            self._lock.share()
            self._manifest = manifest.load(self.home)

    def release(self) -> None:
        """Let sweeps go on; no stream may be read any more."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def close(self) -> None:
        """Let go of everything."""
        self.release()
        if self._engine is not None:
            self._engine.close()
            self._engine = None

    def __enter__(self) -> SealedReader:
        self.hold()
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def stream(
        self,
        segments: Sequence[Segment],
        condition: LiteralString,
        parameters: Sequence[Any],
        order: LiteralString,
        columns: LiteralString,
    ) -> Iterator[list[tuple[Any, ...]]]:
        """Rows of segments that meet a condition, in an order, in pieces.

        Raises:
            OperationFailed: A segment is missing or damaged; the error names it.
        """
        if not segments:
            return
        listed = ", ".join(text_sql(str((self.home / FOLDER / segment.file).resolve())) for segment in segments)
        sql = f"SELECT {columns} FROM read_parquet([{listed}], union_by_name = true) WHERE {condition} ORDER BY {order}"  # noqa: S608
        with name_damage(self.home, segments), duck.translated(self.home / FOLDER):
            if self._engine is None:
                self._engine = duck.connect(self.home)
            cursor = self._engine.cursor()
            try:
                result = cursor.execute(sql, list(parameters))
                while rows := result.fetchmany(_FETCH):
                    yield rows
            finally:
                cursor.close()

    def by_place(self, places: Sequence[int]) -> list[tuple[Any, ...]]:
        """The rows at places of the log, in the order of the log."""
        return self._at(places, ROW_SQL)

    def keys(self, places: Sequence[int]) -> set[tuple[str, str]]:
        """The (source, message_id) at places of the log."""
        return set(self._at(places, "source, message_id"))

    def _at(self, places: Sequence[int], columns: LiteralString) -> list[Any]:
        wanted = sorted(set(places))
        rows: list[Any] = []
        for segment in self._manifest.segments:
            inside = wanted[bisect_left(wanted, segment.first_seq) : bisect_right(wanted, segment.last_seq)]
            if inside:
                condition = "seq IN (SELECT unnest(?::BIGINT[]))"
                for part in self.stream([segment], condition, [inside], "seq", columns):
                    rows += part
        return rows

    def by_order(self, *, after_seq: int) -> Iterator[list[tuple[Any, ...]]]:
        """All rows behind a place, in the order of the log."""
        for segment in [segment for segment in self._manifest.segments if segment.last_seq > after_seq]:
            yield from self.stream([segment], "seq > ?", [after_seq], "seq", ROW_SQL)


class KnownMessages:
    """Answers which keys are already sealed; never trusts a hash alone."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self._indexes: dict[str, HashIndex] = {}

    def follow(self, listed: Manifest) -> None:
        """Open the indexes of new segments, make lost or damaged ones again, forget replaced ones.

        Raises:
            OperationFailed: An index is lost and its segment is, too.
        """
        wanted = {segment.index: segment for segment in listed.segments}
        for name in [name for name in self._indexes if name not in wanted]:
            self._indexes.pop(name).close()
        for name, segment in wanted.items():
            if name not in self._indexes:
                self._indexes[name] = self._open(segment)

    def _open(self, segment: Segment) -> HashIndex:
        path = self.home / FOLDER / segment.index
        with suppress(OperationFailed):
            return HashIndex(path, rows=segment.rows)
        rebuild_index(self.home, segment)
        return HashIndex(path, rows=segment.rows)

    def __bool__(self) -> bool:
        return bool(self._indexes)

    def places(self, hashes: Sequence[int]) -> list[int]:
        """Places of the log whose message may be one of the asked."""
        asked = Asked(hashes)
        return [place for index in self._indexes.values() for _, place in index.places(asked)]

    def close(self) -> None:
        """Unmap everything."""
        for index in self._indexes.values():
            index.close()
        self._indexes.clear()


def rebuild_index(home: Path, segment: Segment) -> None:
    """Make the hash index of a segment again."""
    with name_damage(home, [segment]), duck.translated(home / FOLDER / segment.file):
        engine = duck.connect(home)
        try:
            write_index(engine, home, segment)
        finally:
            engine.close()
