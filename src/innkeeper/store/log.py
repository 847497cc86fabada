"""The log: every event once, in the order of arrival; an append that returns is on disk.

`HOME/log.db` holds the hot tail, `HOME/segments` the sealed rest. `append` is for one process at a time (ingest);
reading is for any. JSON parts of a row must be texts as `kernel.json.dumps` writes them. Next in the flow:
`segments.py` seals, `sealed.py` reads what is sealed, `bulk.py` answers questions over everything.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from itertools import chain
from operator import attrgetter
from pathlib import Path
from typing import Any, Final, NamedTuple

from innkeeper.events.types import Event, LogRow
from innkeeper.kernel.errors import InnkeeperError, OperationFailed
from innkeeper.kernel.failpoints import failpoint
from innkeeper.kernel.time import SystemClock
from innkeeper.store import files, manifest, sqlite
from innkeeper.store.gone import GoneMessages
from innkeeper.store.hashes import message_hashes
from innkeeper.store.letting_go import Leaving, LettingGo
from innkeeper.store.manifest import Manifest
from innkeeper.store.sealed import KnownMessages, SealedReader, to_event
from innkeeper.store.sealing import BackgroundSeal
from innkeeper.store.segments import Sealer, Sizes, restore

FILE: Final = "log.db"
_ROW: Final = (
    "seq, source, message_id, type, name, user_id, anonymous_id, timestamp, received_at, properties, traits, context, "
    "extra"
)
#: Rows that one statement inserts at most: SQLite works on them without Python's lock, so the door parses meanwhile.
#: Row by row the writer would wait for the lock after each of them.
_TOGETHER: Final = 100


@cache
def _insert_sql(rows: int) -> str:
    marks = ", ".join(["(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"] * rows)
    return f"INSERT INTO tail ({_ROW}) VALUES {marks} ON CONFLICT (message_id, source) DO NOTHING"  # noqa: S608


_READ: Final = f"SELECT {_ROW} FROM tail WHERE seq > ? ORDER BY seq LIMIT ?"  # noqa: S608
_key: Final = attrgetter("source", "message_id")
#: SQLite's own limit of bound values is 32,766.
_VARIABLES: Final = 10_000


class Appended(NamedTuple):
    """What became of a batch: rows taken, rows that were already there, the newest place of the log, and which rows of
    the batch were already there."""

    accepted: int
    duplicates: int
    last_seq: int
    repeated: frozenset[int] = frozenset()


class Log:
    """The log of one home; made by `Log.open`."""

    def __init__(
        self, home: Path, database: sqlite3.Connection, *, read_only: bool, sizes: Sizes, seals_apart: bool
    ) -> None:
        self.home, self.path, self.read_only, self.sizes = home, home / FILE, read_only, sizes
        self._database = database
        self._mutex = threading.RLock()
        self._sealed = SealedReader(home)
        self._finder = SealedReader(home)
        self._known, self._gone = KnownMessages(home), GoneMessages(home)
        self._background = BackgroundSeal(home, sizes, apart=seals_apart)
        self._stream: Iterator[list[tuple[Any, ...]]] | None = None
        self._streamed: list[tuple[Any, ...]] = []
        self._stream_at = -1
        self._broken: OperationFailed | None = None

    @classmethod
    def open(cls, home: Path, *, read_only: bool = False, sizes: Sizes | None = None, seals_apart: bool = False) -> Log:
        """The log of a home, made where there is none yet; with *read_only* it is then empty.

        *seals_apart*: seals beside the appends are done by a process of their own (`seal_process.py`).

        Raises:
            OperationFailed: The store is damaged, newer, or not ours to use.
        """
        if not read_only:
            files.make_folder(home)
        database = _empty(home) if read_only and _is_absent(home) else sqlite.connect(home / FILE, read_only=read_only)
        try:
            log = cls(home, database, read_only=read_only, sizes=sizes or Sizes(), seals_apart=seals_apart)
            if read_only:
                sqlite.readable(database, "log", home / FILE)
                log._sealed.reload(restore(home, database, write=False))
            else:
                sqlite.migrate(database, "log", home / FILE)
                log._sealed.reload(Sealer(home, database, log.sizes).recover())
            log._background.tail_is(log._count_tail())
        except BaseException:
            database.close()
            raise
        return log

    def append(self, rows: Sequence[LogRow]) -> Appended:
        """Write rows in one transaction; on disk when it returns. Rows whose (source, message_id) is known are skipped.

        Raises:
            OperationFailed: Nothing of the batch was written.
        """
        if not rows:
            return Appended(0, 0, self.last_seq())
        with self._mutex:
            if self._broken is not None:
                raise self._broken
            with self._stopping_at_failed_sync(), sqlite.transaction(self._database, self.path) as database:
                listed = self._follow(database)
                known = self._already_sealed(rows, listed)
                fresh = [row for row in rows if _key(row) not in known] if known else rows
                first = int(database.execute("SELECT value FROM meta WHERE key = 'next_seq'").fetchone()[0])
                before = database.total_changes
                _insert(database, fresh, first)
                accepted = database.total_changes - before
                repeated = _repeated(database, rows, known, first) if accepted < len(rows) else frozenset()
                next_seq = first + len(fresh)
                if accepted:
                    database.execute("UPDATE meta SET value = ? WHERE key = 'next_seq'", (next_seq,))
                failpoint("append.begun")
            failpoint("append.committed")
        if accepted:
            self._background.grown(accepted)
        return Appended(accepted, len(rows) - accepted, self.last_seq(), repeated)

    def _follow(self, database: sqlite3.Connection) -> Manifest:
        """The manifest that fits the tail as this transaction sees it."""
        generation = database.execute("SELECT value FROM meta WHERE key = 'generation'").fetchone()[0]
        if self._sealed.manifest.generation < generation:
            self._sealed.reload(manifest.load(self.home))
        return self._sealed.manifest

    def _already_sealed(self, rows: Sequence[LogRow], listed: Manifest) -> set[tuple[str, str]]:
        """Keys of the batch that stand in segments: found by hash, confirmed in the segments themselves."""
        if not listed.segments:
            return set()
        self._known.follow(listed)
        places = self._known.places(message_hashes(map(_key, rows)))
        if not places:
            return self._went(rows, listed)
        return self._confirmed(places).intersection(map(_key, rows)) | self._went(rows, listed)

    def _went(self, rows: Sequence[LogRow], listed: Manifest) -> set[tuple[str, str]]:
        """Keys of the batch that were let go: they do not come back."""
        if not listed.gone:
            return set()
        self._gone.follow(listed)
        return self._gone.known(rows)

    def _confirmed(self, places: list[int]) -> set[tuple[str, str]]:
        with self._finder as reader:
            return reader.keys(places)

    def last_seq(self) -> int:
        """The newest place that holds an event; 0 in an empty log."""
        with self._mutex, self._snapshot() as listed:
            newest = self._database.execute("SELECT max(seq) FROM tail").fetchone()[0]
            return int(newest) if newest is not None else listed.sealed_through

    def count(self) -> int:
        """How many events the log holds."""
        with self._mutex, self._snapshot() as listed:
            return listed.events + self._count_tail(listed.sealed_through)

    def read(self, after: int, limit: int) -> list[Event]:
        """Events behind a place, in the order of the log; fewer than *limit* only at its end."""
        rows: list[tuple[Any, ...]] = []
        with self._mutex:
            while len(rows) < limit:
                with self._snapshot() as listed:
                    sealed_through = listed.sealed_through
                    if after >= sealed_through:
                        rows += self._database.execute(_READ, (after, limit - len(rows))).fetchall()
                        break
                part = self._next_sealed(after, limit - len(rows))
                rows += part
                after = part[-1][0] if part else sealed_through
        return [to_event(row) for row in rows]

    def get(self, seqs: Iterable[int]) -> dict[int, Event]:
        """Events at places of the log; places that hold none are left out."""
        wanted = sorted(set(seqs))
        found: dict[int, Event] = {}
        with self._mutex:
            with self._snapshot():
                for at in range(0, len(wanted), _VARIABLES):
                    part = wanted[at : at + _VARIABLES]
                    marks = ", ".join("?" * len(part))
                    for row in self._database.execute(f"SELECT {_ROW} FROM tail WHERE seq IN ({marks})", part):  # noqa: S608
                        found[row[0]] = to_event(row)
            missing = [seq for seq in wanted if seq not in found]
            if missing and missing[0] <= self._sealed.manifest.sealed_through:
                with self._finder as reader:
                    found.update((row[0], to_event(row)) for row in reader.by_place(missing))
        return found

    def seal(self, *, force: bool = False) -> int:
        """Seal the tail if it is large or old (all of it with *force*), merge small segments; rows sealed.

        Other threads may append meanwhile.

        Raises:
            OperationFailed: Nothing was lost; the tail keeps what is not sealed.
        """
        self._background.join()
        least = self._due(force)
        return self._background.seal_now(least) if least is not None else 0

    @contextmanager
    def filling(self) -> Iterator[None]:
        """While the block runs, the tail may grow longer: its reader needs the core that a seal would take.

        A seal of many rows is also cheaper than many of few. What is due at the end, `seal` does.
        """
        self._background.begin_at = self.sizes.filling_rows
        try:
            yield
        finally:
            self._background.begin_at = self.sizes.seal_rows

    def tend(self) -> None:
        """Start a seal in the background if one is due, as `append` does; cheap enough to be called every second.

        What goes wrong in it is logged and stands in `seal_error`: it stops nobody.
        """
        least = self._due(force=False)
        if least is not None:
            self._background.start(least)

    def _due(self, force: bool) -> int | None:
        """From how many rows on the tail is to be sealed now; None when it is not."""
        if force:
            return 1
        with self._mutex, sqlite.translated(self.path):
            row = self._database.execute("SELECT received_at FROM tail ORDER BY seq LIMIT 1").fetchone()
        old = row is not None and row[0] < SystemClock().now() - self.sizes.seal_age
        if not self._background.is_due(old=old):
            return None
        return 1 if old else self.sizes.seal_rows

    def let_go(self, leaving: Leaving) -> None:
        """Take sealed rows out of the log; see `letting_go.py`. Appends wait meanwhile.

        Raises:
            OperationFailed: Nothing was changed.
        """
        self._background.join()
        with self._mutex:
            self._end_stream()
            listed = LettingGo(self.home, self._database, self.sizes).let_go(leaving)
            self._sealed.reload(listed)
            self._background.tail_is(self._count_tail())

    @property
    def seal_error(self) -> InnkeeperError | None:
        """Why the last seal in the background failed; None when it did not."""
        return self._background.error

    def close(self) -> None:
        """Wait for a seal that is under way; close the files."""
        self._background.join()
        self._end_stream()
        self._sealed.close()
        self._finder.close()
        self._known.close()
        self._gone.close()
        self._database.close()

    def __enter__(self) -> Log:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def _stopping_at_failed_sync(self) -> Iterator[None]:
        """After a failed fsync nobody knows what is on disk: no more appends until the log is opened anew."""
        try:
            yield
        except OperationFailed as error:
            if error.code == "disk-sync-failed":
                self._broken = error
            raise

    @contextmanager
    def _snapshot(self) -> Iterator[Manifest]:
        """One consistent view of tail and manifest; rows of the tail up to `sealed_through` are copies."""
        with sqlite.translated(self.path):
            self._database.execute("BEGIN")
            try:
                yield self._follow(self._database)
            finally:
                self._database.execute("ROLLBACK")

    def _count_tail(self, after: int = 0) -> int:
        with sqlite.translated(self.path):
            return int(self._database.execute("SELECT count(*) FROM tail WHERE seq > ?", (after,)).fetchone()[0])

    def _next_sealed(self, after: int, limit: int) -> list[tuple[Any, ...]]:
        """The next rows of the segments behind a place; a sequential reader goes on in the same sorted stream."""
        if self._stream is None or self._stream_at != after:
            self._end_stream()
            self._sealed.hold()
            self._stream = self._sealed.by_order(after_seq=after)
        while len(self._streamed) < limit:
            part = next(self._stream, None)
            if part is None:
                rows = self._streamed
                self._end_stream()
                return rows
            self._streamed += part
        rows, self._streamed = self._streamed[:limit], self._streamed[limit:]
        self._stream_at = rows[-1][0]
        return rows

    def _end_stream(self) -> None:
        self._stream, self._streamed, self._stream_at = None, [], -1
        self._sealed.release()


def _insert(database: sqlite3.Connection, rows: Sequence[LogRow], first: int) -> None:
    """Put rows at the places from *first* on; one whose message is there already leaves its place empty."""
    numbered = [(seq, *row) for seq, row in enumerate(rows, first)]
    for begin in range(0, len(numbered), _TOGETHER):
        part = numbered[begin : begin + _TOGETHER]
        database.execute(_insert_sql(len(part)), list(chain.from_iterable(part)))


def _repeated(
    database: sqlite3.Connection, rows: Sequence[LogRow], known: set[tuple[str, str]], first: int
) -> frozenset[int]:
    """Which rows of a batch were there before: those that are sealed, and those that took no place from *first* on."""
    taken = {seq for (seq,) in database.execute("SELECT seq FROM tail WHERE seq >= ?", (first,))}
    places = [number for number, row in enumerate(rows) if _key(row) not in known]
    new = {number for seq, number in enumerate(places, first) if seq in taken}
    return frozenset(range(len(rows))) - new


def _is_absent(home: Path) -> bool:
    """Whether nothing was ever written to the log of a home; one that lost its file is damaged, not empty."""
    return not (home / FILE).exists() and not manifest.path_of(home).exists() and home.is_dir()


def _empty(home: Path) -> sqlite3.Connection:
    database = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    sqlite.migrate(database, "log", home / FILE)
    return database
