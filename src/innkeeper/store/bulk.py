"""Bulk questions: everything that has happened, asked of DuckDB in memory, over the segments, the tail and the outbox.

A `Bulk` is one consistent picture, taken when it is opened; any process may take one while others write. It reads the
outbox first, then the tail and the manifest in one snapshot: what moves on meanwhile is seen in both places and counted
once, never in neither. The columns are made in `columns.py`; the SQL of questions is the asker's.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from innkeeper.events.retention import CARRIED
from innkeeper.events.types import ENGINE_SOURCE
from innkeeper.kernel.time import FOREVER, Instant
from innkeeper.store import duck, files, manifest, retractions, sqlite
from innkeeper.store.columns import Path_, fixed_sql, parse_paths, segments_sql, text_sql, typed_sql
from innkeeper.store.manifest import FOLDER, LetGo, Manifest
from innkeeper.store.segments import READERS_LOCK, Sealer, Sizes, restore
from innkeeper.store.verify import name_damage, require_sound

if TYPE_CHECKING:
    import duckdb

Parameters = Sequence[Any] | Mapping[str, Any]

#: DuckDB spills to the home's scratch folder beyond it.
MEMORY: Final = "2GB"

_PENDING: Final = (
    "json_object('source', ?, 'message_id', message_id, 'type', 'track', 'name', name, 'user_id', user_id, "
    "'anonymous_id', anonymous_id, 'timestamp', taken_at, 'received_at', taken_at, 'properties', properties, "
    "'traits', traits, 'context', '{}', 'extra', '{}')"
)
_CHUNK: Final = 4_000
# What was carried of raw events that went, one row for each identifier and stretch.
_CARRIED: Final = (
    f"SELECT identifier, ts, properties FROM events WHERE source = '{ENGINE_SOURCE}' AND name = '{CARRIED}'"  # noqa: S608
)


class Bulk:
    """Answers SQL over `events`, and over `carried` where raw events went; made by `Bulk.open`.

    `events` leaves out what is retracted, `every_event` has it too. Both have the columns of `EVENT_COLUMNS` and, for
    each property path asked for, `"n:PATH"`, `"s:PATH"` and `"j:PATH"` (columns.py). Outputs that are not in the log
    yet have seq NULL.
    """

    def __init__(self, home: Path, engine: duckdb.DuckDBPyConnection, listed: Manifest, closing: ExitStack) -> None:
        self.home, self._engine, self._manifest, self._closing = home, engine, listed, closing

    @classmethod
    def open(
        cls, home: Path, *, properties: Iterable[str | Path_] = (), memory: str = MEMORY,
        identifiers: Collection[str] | None = None,
    ) -> Bulk:  # fmt: skip
        """A picture of the home's events as they are now.

        Args:
            home: The workspace's folder.
            properties: Paths of properties that get columns: `total`, `address.city`, or tuples of parts.
            memory: What DuckDB may use before it spills.
            identifiers: The picture has their events alone, and is taken in a fraction of the time.

        Raises:
            OperationFailed: A segment is missing or damaged; the error names it and the way out.
        """
        paths = parse_paths(properties)
        with ExitStack() as closing:
            files.make_folder(home / FOLDER)
            closing.enter_context(files.FileLock(home / FOLDER / READERS_LOCK)).share()
            engine = closing.enter_context(duck.connect(home, memory=memory))
            with duck.translated(home):
                pending = _load_outbox(home, engine, identifiers)
                listed = _load_tail(home, engine, identifiers)
                require_sound(home, listed.segments)
                with name_damage(home, listed.segments):
                    _make_views(home, engine, listed, paths, identifiers, pending=pending)
            return cls(home, engine, listed, closing.pop_all())

    def rows(self, sql: str, parameters: Parameters = ()) -> list[tuple[Any, ...]]:
        """All rows of a question; values are bound, by place (`?`) or by name (`$name`).

        Raises:
            OperationFailed: A segment is damaged (it is named), or the disk or the memory is full.
        """
        return [row for piece in self.stream(sql, parameters) for row in piece]

    def stream(self, sql: str, parameters: Parameters = (), *, size: int = 10_000) -> Iterator[list[tuple[Any, ...]]]:
        """The rows of a question in pieces of *size*; several streams may be under way at once.

        Raises:
            OperationFailed: As `rows`.
        """
        with name_damage(self.home, self._manifest.segments), duck.translated(self.home):
            cursor = self._engine.cursor()
            try:
                result = cursor.execute(sql, parameters or None)
                while piece := result.fetchmany(size):
                    yield piece
            finally:
                cursor.close()

    @property
    def let_go(self) -> tuple[LetGo, ...]:
        """What the log no longer has."""
        return self._manifest.let_go

    def close(self) -> None:
        """Let go of the files and the memory."""
        self._closing.close()

    def __enter__(self) -> Bulk:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _load_outbox(home: Path, engine: duckdb.DuckDBPyConnection, identifiers: Collection[str] | None) -> Instant | None:
    """Make the table `pending` of the outputs in `state.db`; the earliest timestamp among them."""
    scratch = duck.scratch_file(home, "outbox")
    try:
        with files.translated(scratch), scratch.open("wb") as file:
            for lines in _outbox_lines(home / "state.db", identifiers):
                file.write(lines)
        duck.load(engine, "pending", scratch)
    finally:
        scratch.unlink(missing_ok=True)
    earliest: Instant | None = duck.run(engine, "SELECT min(timestamp) FROM pending")[0][0]
    return earliest


def _outbox_lines(path: Path, identifiers: Collection[str] | None) -> Iterator[bytes]:
    if not path.is_file():
        return
    condition, bound = duck.of_identifiers(identifiers)
    database = sqlite.connect(path, read_only=True)
    try:
        if not sqlite.readable(database, "state", path):
            return
        with sqlite.translated(path):
            sql = f"SELECT {_PENDING} FROM outbox WHERE {condition}"  # noqa: S608
            rows = database.execute(sql, (ENGINE_SOURCE, *bound))
            while piece := rows.fetchmany(_CHUNK):
                yield "".join(f"{line}\n" for (line,) in piece).encode()
    finally:
        database.close()


def _load_tail(home: Path, engine: duckdb.DuckDBPyConnection, identifiers: Collection[str] | None) -> Manifest:
    """Make the table `tail` of what is not sealed; the manifest that says so."""
    path, scratch = home / "log.db", duck.scratch_file(home, "tail")
    if path.is_file():
        database = sqlite.connect(path, read_only=True)
        try:
            if sqlite.readable(database, "log", path):
                with sqlite.translated(path):
                    database.execute("BEGIN")
                    # The snapshot begins with its first read. A manifest that is read after it is at least as new.
                    database.execute("SELECT value FROM meta WHERE key = 'generation'").fetchone()
                    listed = restore(home, database, write=False)
                    if not listed.segments and Sealer(home, database, Sizes()).stranded(listed):
                        raise manifest.lost(home)
                    duck.stage(
                        engine, "tail", database, scratch, after=listed.sealed_through, upto=FOREVER,
                        identifiers=identifiers,
                    )  # fmt: skip
                return listed
        finally:
            database.close()
    scratch.touch()
    duck.load(engine, "tail", scratch)
    scratch.unlink()
    listed = manifest.load(home)
    if not listed.segments and any((home / FOLDER).glob("*.parquet")):
        raise manifest.lost(home)
    return listed


def _make_views(
    home: Path, engine: duckdb.DuckDBPyConnection, listed: Manifest, paths: Sequence[Path_],
    identifiers: Collection[str] | None, *, pending: Instant | None,
) -> None:  # fmt: skip
    typed = [item for path in paths for item in typed_sql(path)]
    fresh = f"SELECT *{''.join(f', {item}' for item in typed)} FROM"
    duck.run(engine, f"CREATE TABLE hot AS {fresh} ({fixed_sql('tail')})")
    if pending is not None:
        # An output that is in the log already stays in the outbox until the engine trims it: it is counted once.
        recent = [segment for segment in listed.segments if segment.last_at >= pending]
        logged = "SELECT message_id FROM hot WHERE source = $engine"
        if recent:
            logged += f" UNION ALL SELECT message_id FROM ({segments_sql(home, recent, [])}) WHERE source = $engine"  # noqa: S608
        duck.run(
            engine,
            f"INSERT INTO hot {fresh} ({fixed_sql('pending')}) WHERE message_id NOT IN ({logged})",
            {"engine": ENGINE_SOURCE},
        )
    sealed = f" UNION ALL {segments_sql(home, listed.segments, paths)}" if listed.segments else ""
    if sealed and identifiers is not None:
        names = ", ".join(map(text_sql, sorted(identifiers))) or "NULL"
        sealed = (
            f" UNION ALL SELECT * FROM ({segments_sql(home, listed.segments, paths)}) WHERE identifier IN ({names})"  # noqa: S608
        )
    duck.run(engine, f"CREATE VIEW every_event AS SELECT * FROM hot{sealed}")  # noqa: S608
    counted = retractions.leave_out(home, engine)
    where = f" WHERE {counted}" if counted else ""
    duck.run(engine, f"CREATE VIEW events AS SELECT * FROM every_event{where}")  # noqa: S608
    if listed.let_go:
        duck.run(engine, f"CREATE VIEW carried AS {_CARRIED}")
    duck.run(engine, "DROP TABLE tail")
    duck.run(engine, "DROP TABLE pending")
