"""The seal: moves the tail's oldest rows into an immutable Parquet segment; compaction merges small segments.

The order of every change: the new file under a temporary name, read back and compared, synced, renamed; its hash index
likewise; then the manifest that names it, which is the moment of the change; then the copy of the manifest in `log.db`
together with the trimmed tail; last the sweep of what nobody names. A kill in between leaves either garbage that the
next sweep removes, or rows both in a segment and in the tail, which every reader tells by `sealed_through` and the next
seal trims. Not here: reading (`log.py`, `bulk.py`), judging damage (`doctor.py`).
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator, Sequence, Set
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from innkeeper.kernel.errors import OperationFailed, UsageError
from innkeeper.kernel.failpoints import failpoint
from innkeeper.store import duck, files, manifest, sqlite
from innkeeper.store.columns import fixed_sql, segments_sql
from innkeeper.store.manifest import FOLDER, Manifest, Segment
from innkeeper.store.segment_files import Typed, add_typed_columns, common_properties, write_segment
from innkeeper.store.verify import damage

#: DuckDB spills to the home's scratch folder beyond it.
_MEMORY: Final = "512MB"
_TRIM_CHUNK: Final = 25_000
_ASIDE: Final = "forgotten"
READERS_LOCK: Final = "readers.lock"
#: Name of a segment: first place, last place, generation; one of carried facts says so.
NAME: Final = re.compile(r"(\d+)-(\d+)-(\d+)(-carried)?\.(?:parquet|hash)")
_SEAL_LOCK: Final = "seal.lock"
_ENDINGS: Final = (".parquet", ".hash", ".ndjson", files.TEMPORARY)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """When to seal and to merge.

    Attributes:
        seal_rows: The tail is sealed when it holds as many rows.
        filling_rows: The same while a file is imported, see `Log.filling`.
        segment_rows: A segment holds at most as many rows.
        fan_in: As many neighbours of one size are merged into one.
        seal_age: When a row has waited longer (microseconds since it arrived), `Log.seal` seals it with its elders.
    """

    seal_rows: int = 200_000
    filling_rows: int = 1_000_000
    segment_rows: int = 4_000_000
    fan_in: int = 5
    seal_age: int = 24 * 3600 * 1_000_000


class Sealer:
    """Changes the sealed part of a home's log; one at a time over all processes, by a lock."""

    def __init__(self, home: Path, database: sqlite3.Connection, sizes: Sizes, *, threads: int | None = None) -> None:
        self.home, self.folder, self.database, self.sizes = home, home / FOLDER, database, sizes
        self.threads = threads
        self.database_path = home / "log.db"

    def seal(self, *, least: int) -> int:
        """Seal while the tail holds at least *least* rows; how many rows were sealed."""
        with self._alone():
            listed, sealed = self._sealed(self._finish(), least)
            self._sweep(listed)
        return sealed

    def compact(self) -> int:
        """Merge runs of small neighbours until there are none; how many merges were made.

        A damaged segment is left as it is, for the doctor.
        """
        merges = 0
        unsound: set[str] = set()
        with self._alone():
            listed = self._finish()
            while run := run_to_merge(listed.segments, self.sizes, unsound):
                found = {part.file for part in run if damage(self.home, part, deep=True) is not None}
                if found:
                    unsound |= found
                    continue
                listed = self._merge(listed, run)
                merges += 1
            self._sweep(listed)
            if merges:
                failpoint("compact.swept")
        return merges

    def recover(self) -> Manifest:
        """Complete what a killed seal left and sweep its garbage; the manifest."""
        with self._alone():
            listed = self._finish()
            self._sweep(listed)
            return listed

    def forget(self, name: str) -> Segment:
        """Take a damaged segment out of the log and put its files aside in `HOME/forgotten`; what it was.

        Its events are then no longer known: importing their source again brings them back.

        Raises:
            UsageError: There is no such segment, or it is sound.
        """
        with self._alone():
            listed = self._finish()
            found = [segment for segment in listed.segments if segment.file == name]
            if not found:
                raise UsageError(
                    f"the log has no segment '{name}'", code="unknown-segment", fix="innkeeper doctor names the damaged"
                )
            if damage(self.home, found[0], deep=True) is None:
                raise UsageError(
                    f"the segment '{name}' is sound; its events stay", code="segment-sound", fix="nothing needs doing"
                )
            self._list(listed, [segment for segment in listed.segments if segment.file != name], "forget")
            aside = self.home / _ASIDE
            files.make_folder(aside)
            with files.translated(aside):
                for file in (found[0].file, found[0].index):
                    if (self.folder / file).exists():
                        (self.folder / file).replace(aside / file)
        return found[0]

    @contextmanager
    def _alone(self) -> Iterator[None]:
        files.make_folder(self.folder)
        with files.translated(self.folder), files.FileLock(self.folder / _SEAL_LOCK) as lock:
            lock.wait()
            yield

    def _finish(self) -> Manifest:
        listed = restore(self.home, self.database)
        if not listed.segments and self.stranded(listed):
            raise manifest.lost(self.home)
        with sqlite.translated(self.database_path):
            oldest = self.database.execute("SELECT min(seq) FROM tail").fetchone()[0]
            recorded = self.database.execute("SELECT value FROM meta WHERE key = 'generation'").fetchone()[0]
        if recorded < listed.generation or (oldest is not None and oldest <= listed.sealed_through):
            self._trim(listed, "")
        return listed

    def _sweep(self, listed: Manifest) -> None:
        """Remove files that the manifest does not name; while somebody reads, leave them to the next sweep.

        A segment is only removed when its events are seen to be elsewhere: should manifest and copy both be lost, the
        segments are all there is.
        """
        with files.translated(self.folder):
            garbage = [path for path in leftovers(self.folder, listed) if self._is_elsewhere(path, listed)]
            if garbage:
                with files.FileLock(self.folder / READERS_LOCK) as readers:
                    if readers.try_alone():
                        for path in garbage:
                            path.unlink(missing_ok=True)
            for path in (self.home / duck.SCRATCH).glob("*"):
                if duck.is_orphan(path):
                    path.unlink(missing_ok=True)

    def stranded(self, listed: Manifest) -> list[Path]:
        """Segments that the manifest does not name though their events are nowhere else."""
        if not self.folder.is_dir():
            return []
        return [
            path
            for path in leftovers(self.folder, listed)
            if path.name.endswith(".parquet") and not self._is_elsewhere(path, listed)
        ]

    def _is_elsewhere(self, path: Path, listed: Manifest) -> bool:
        found = NAME.match(path.name)
        if found is None or found[4] or path.name.endswith(files.TEMPORARY):
            # What carried facts are made of is there as long as the manifest does not name them.
            return True
        first, last = int(found[1]), int(found[2])
        if last <= listed.sealed_through:
            return True
        with sqlite.translated(self.database_path):
            here = self.database.execute("SELECT 1 FROM tail WHERE seq = ?", (last,)).fetchone()
        return first > listed.sealed_through and here is not None

    def _waiting(self, sealed_through: int) -> tuple[int, int]:
        """How many rows of the tail are not sealed, at most one segment's, and the place of the last of them."""
        with sqlite.translated(self.database_path):
            row = self.database.execute(
                "SELECT count(*), coalesce(max(seq), 0) FROM (SELECT seq FROM tail WHERE seq > ? ORDER BY seq LIMIT ?)",
                (sealed_through, self.sizes.segment_rows),
            ).fetchone()
        return int(row[0]), int(row[1])

    def _sealed(self, listed: Manifest, least: int) -> tuple[Manifest, int]:
        """The manifest when the tail holds fewer than *least* rows, and how many were sealed for that."""
        sealed = 0
        while True:
            waiting, upto = self._waiting(listed.sealed_through)
            if waiting == 0 or waiting < least:
                return listed, sealed
            listed = self._seal_through(listed, upto)
            sealed += waiting

    def _seal_through(self, listed: Manifest, upto: int) -> Manifest:
        after = listed.sealed_through
        stem = _stem(after + 1, upto, listed.generation + 1)
        with duck.translated(self.folder):
            engine = duck.connect(self.home, memory=_MEMORY, threads=self.threads)
            try:
                scratch = duck.scratch_file(self.home, "seal")
                with sqlite.translated(self.database_path):
                    duck.stage(engine, "staged", self.database, scratch, after=after, upto=upto)
                failpoint("seal.exported")
                typed = common_properties(engine, "staged")
                typed = add_typed_columns(engine, fixed_sql("staged"), "sealed", typed)
                segment = write_segment(engine, self.home, "sealed", stem, typed, "seal")
            finally:
                engine.close()
        return self._list(listed, (*listed.segments, segment), "seal")

    def _merge(self, listed: Manifest, run: Sequence[Segment]) -> Manifest:
        stem = _stem(run[0].first_seq, run[-1].last_seq, listed.generation + 1)
        with duck.translated(self.folder):
            engine = duck.connect(self.home, memory=_MEMORY, threads=self.threads)
            try:
                typed = Typed(_union(segment.numbers for segment in run), _union(segment.texts for segment in run))
                typed = add_typed_columns(engine, segments_sql(self.home, run, []), "merged", typed)
                segment = write_segment(engine, self.home, "merged", stem, typed, "compact")
            finally:
                engine.close()
        if segment.rows != sum(part.rows for part in run):
            raise OperationFailed(
                f"merging {len(run)} segments gave {segment.rows} rows instead of {sum(part.rows for part in run)}",
                code="segment-unsound", where=str(self.folder / segment.file), fix="run: innkeeper doctor",
            )  # fmt: skip
        gone = {part.file for part in run}
        kept = [part for part in listed.segments if part.file not in gone]
        return self._list(listed, sorted((*kept, segment), key=lambda part: part.first_seq), "compact")

    def _list(self, listed: Manifest, segments: Sequence[Segment], change: str) -> Manifest:
        new = msgspec.structs.replace(listed, generation=listed.generation + 1, segments=tuple(segments))
        manifest.save(self.home, new)
        failpoint(f"{change}.listed")
        self._trim(new, change)
        return new

    def _trim(self, listed: Manifest, change: str) -> None:
        """Record the manifest in `log.db` and delete the sealed rows, in pieces that keep no writer waiting."""
        with sqlite.transaction(self.database, self.database_path) as database:
            database.execute(
                "INSERT INTO manifest (one, generation, body) VALUES (1, ?, ?) "
                "ON CONFLICT (one) DO UPDATE SET generation = excluded.generation, body = excluded.body",
                (listed.generation, listed.encode()),
            )
            database.execute("UPDATE meta SET value = ? WHERE key = 'generation'", (listed.generation,))
            # A place is never used again, not even where `log.db` was lost and made anew.
            database.execute(
                "UPDATE meta SET value = max(value, ?) WHERE key = 'next_seq'", (listed.sealed_through + 1,)
            )
        if change == "compact":
            failpoint("compact.recorded")
        while True:
            with sqlite.transaction(self.database, self.database_path) as database:
                edge = database.execute(
                    "SELECT seq FROM tail WHERE seq <= ? ORDER BY seq LIMIT 1 OFFSET ?",
                    (listed.sealed_through, _TRIM_CHUNK),
                ).fetchone()
                upto = listed.sealed_through if edge is None else edge[0]
                database.execute("DELETE FROM tail WHERE seq <= ?", (upto,))
            if change == "seal":
                failpoint("seal.trimming")
            if edge is None:
                break
        if change == "seal":
            failpoint("seal.trimmed")


def restore(home: Path, database: sqlite3.Connection, *, write: bool = True) -> Manifest:
    """The manifest; where its file is lost or damaged, the copy in `log.db`, put back in its place if *write*.

    Raises:
        OperationFailed: The file is damaged and there is no copy.
    """
    with sqlite.translated(home / "log.db"):
        row = database.execute("SELECT generation, body FROM manifest").fetchone()
    try:
        listed = manifest.load(home)
        if row is None or listed.generation >= row[0]:
            return listed
    except OperationFailed as error:
        if row is None or error.code != "manifest-damaged":
            raise
    copy = manifest.decode(row[1])
    if write:
        files.make_folder(home / FOLDER)
        manifest.save(home, copy)
    return copy


def leftovers(folder: Path, listed: Manifest) -> list[Path]:
    """Files among the segments that the manifest does not name."""
    named = {name for segment in listed.segments for name in (segment.file, segment.index)}
    named |= {gone.file for gone in listed.gone}
    return sorted(path for path in folder.iterdir() if path.name not in named and path.name.endswith(_ENDINGS))


def run_to_merge(segments: Sequence[Segment], sizes: Sizes, unsound: Set[str] = frozenset()) -> list[Segment]:
    """The first *fan_in* sound neighbours of one size class that fit into one segment; empty when there are none."""
    for at in range(len(segments) - sizes.fan_in + 1):
        run = list(segments[at : at + sizes.fan_in])
        alike = len({_size_class(segment, sizes) for segment in run}) == 1
        if alike and not any(segment.file in unsound for segment in run):
            total = sum(segment.rows for segment in run)
            if total <= sizes.segment_rows and not any(segment.rows * 2 > sizes.segment_rows for segment in run):
                return run
    return []


def _size_class(segment: Segment, sizes: Sizes) -> int:
    rows, level = sizes.seal_rows * 2, 0
    while segment.rows > rows:
        rows, level = rows * sizes.fan_in, level + 1
    return level


def _stem(first: int, last: int, generation: int) -> str:
    return f"{first:012d}-{last:012d}-{generation}"


def _union(names: Iterator[tuple[str, ...]] | Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    """Names of all, in order; of names that differ only in case none, for they share no table."""
    spelled: dict[str, set[str]] = {}
    for some in names:
        for name in some:
            spelled.setdefault(name.casefold(), set()).add(name)
    return tuple(next(iter(forms)) for forms in spelled.values() if len(forms) == 1)
