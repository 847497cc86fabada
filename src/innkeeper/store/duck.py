"""DuckDB in memory: opened with every door shut but the home's own folders; rows of SQLite moved into it; errors.

Rows travel as a file of JSON lines that SQLite itself writes (`json_object`) and DuckDB reads back: 4 µs a row,
against 10 for a list parameter and 7 for tuples through Python, and nearly all of it outside the interpreter's lock.
No extension is downloaded, no Arrow is needed. Next in the flow: `segments.py`, `bulk.py`; the SQL of columns is in
`columns.py`.
"""

from __future__ import annotations

import os
import re
import sqlite3
import threading
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from innkeeper.kernel.errors import InternalError, OperationFailed
from innkeeper.kernel.json import dumps
from innkeeper.store import files
from innkeeper.store.columns import IDENTIFIER, text_sql
from innkeeper.store.manifest import FOLDER

if TYPE_CHECKING:
    import duckdb

#: Where DuckDB spills what does not fit its memory, and where rows lie on their way to it.
SCRATCH: Final = "tmp"

_CHUNK: Final = 4000
_OWNED: Final = re.compile(r"(?:duckdb_temp_|(?:tail|outbox|seal|leaving|thinned)-)(\d+)[_-]")
_TAIL: Final = (
    "seq", "source", "message_id", "type", "name", "user_id", "anonymous_id", "timestamp", "received_at", "properties",
    "traits", "context", "extra",
)  # fmt: skip
_INTEGERS: Final = frozenset({"seq", "timestamp", "received_at"})


def connect(home: Path, *, memory: str = "1GB", threads: int | None = None) -> duckdb.DuckDBPyConnection:
    """An engine of its own, in memory, that can open nothing but the segments and the scratch folder of a home."""
    import duckdb

    segments, scratch = (home / FOLDER).resolve(), (home / SCRATCH).resolve()
    files.make_folder(segments)
    files.make_folder(scratch)
    connection = duckdb.connect(
        ":memory:",
        config={
            "threads": threads or max(1, len(os.sched_getaffinity(0))),
            "memory_limit": memory,
            "temp_directory": str(scratch),
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
        },
    )
    # Results come back in the order of ORDER BY alone; without this DuckDB keeps every scan in file order, at a price.
    for setting in (
        f"SET allowed_directories = [{text_sql(f'{segments}/')}, {text_sql(f'{scratch}/')}]",
        "SET preserve_insertion_order = false",
        # DuckDB draws a bar on standard output wherever it takes the process for an interactive one.
        "SET enable_progress_bar = false",
        "SET enable_external_access = false",
        "SET lock_configuration = true",
    ):
        connection.execute(setting).fetchall()
    return connection


@contextmanager
def translated(where: str | Path) -> Iterator[None]:
    """Turns DuckDB's errors inside into ones that people can act on.

    Raises:
        OperationFailed: A file cannot be read or written, or memory is short.
        InternalError: The SQL is wrong, which is a bug.
    """
    import duckdb

    try:
        yield
    except (duckdb.IOException, duckdb.HTTPException) as error:
        full = any(word in str(error) for word in ("No space left", "File too large", "Disk quota", "max_temp"))
        raise OperationFailed(
            str(error).strip(), code="disk-full" if full else "disk-error", where=str(where),
            fix="make room on the disk (df -h) and call again" if full else "run: innkeeper doctor",
        ) from error  # fmt: skip
    except duckdb.OutOfMemoryException as error:
        raise OperationFailed(
            str(error).strip(),
            code="no-memory",
            where=str(where),
            fix="make room on the disk for the home's tmp folder",
        ) from error
    except duckdb.Error as error:
        raise InternalError(f"{type(error).__name__}: {error}", code="duckdb", where=str(where)) from error


def run(connection: duckdb.DuckDBPyConnection, sql: str, parameters: Any = None) -> list[tuple[Any, ...]]:
    """All rows of a statement; a result that is not read to its end would keep the connection."""
    return connection.execute(sql, parameters).fetchall()


def scratch_file(home: Path, what: str) -> Path:
    """A name of a file of this process and thread for rows on their way; swept when a kill has left it."""
    return home / SCRATCH / f"{what}-{os.getpid()}-{threading.get_ident()}.ndjson"


def is_orphan(path: Path) -> bool:
    """Whether a file of the scratch folder, ours or DuckDB's own, belongs to a process that is gone."""
    found = _OWNED.match(path.name)
    if found is None:
        return False
    try:
        os.kill(int(found[1]), 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False


def stage(
    engine: duckdb.DuckDBPyConnection, table: str, database: sqlite3.Connection, scratch: Path, *, after: int,
    upto: int, identifiers: Collection[str] | None = None,
) -> int:  # fmt: skip
    """Make a DuckDB table of the tail's rows with after < seq <= upto; how many.

    Args:
        engine: The DuckDB connection.
        table: Name of the table to make; a constant of ours.
        database: A connection to `log.db`; its snapshot, if one is open, is what is read.
        scratch: A file to use on the way; it is gone afterwards.
        after: Exclusive lower bound.
        upto: Inclusive upper bound.
        identifiers: Only their rows; None: everybody's.
    """
    try:
        rows = export(database, scratch, after=after, upto=upto, identifiers=identifiers)
        load(engine, table, scratch)
    finally:
        scratch.unlink(missing_ok=True)
    return rows


def of_identifiers(identifiers: Collection[str] | None) -> tuple[str, tuple[str, ...]]:
    """A condition of SQLite on the columns of events, and what it is bound to: the rows of some, or of everybody."""
    if identifiers is None:
        return "TRUE", ()
    return f"{IDENTIFIER} IN (SELECT value FROM json_each(?))", (dumps(sorted(identifiers)),)  # noqa: S608


def export(
    database: sqlite3.Connection, path: Path, *, after: int, upto: int, identifiers: Collection[str] | None = None
) -> int:
    """Write rows of the tail as JSON lines; how many. *identifiers*: only their rows."""
    condition, bound = of_identifiers(identifiers)
    pairs = ", ".join(f"'{name}', {name}" for name in _TAIL)
    chunk = (
        f"SELECT max(seq), count(*), CAST(group_concat(json_object({pairs}), char(10)) AS BLOB) "  # noqa: S608
        f"FROM (SELECT * FROM tail WHERE seq > ? AND seq <= ? AND {condition} ORDER BY seq LIMIT ?)"
    )
    total = 0
    with files.translated(path), path.open("wb") as file:
        while True:
            last, count, lines = database.execute(chunk, (after, upto, *bound, _CHUNK)).fetchone()
            if not count:
                return total
            file.write(lines)
            file.write(b"\n")
            total, after = total + count, last


def load(
    engine: duckdb.DuckDBPyConnection, table: str, path: Path, types: Mapping[str, str] | None = None
) -> None:  # fmt: skip
    """Make a DuckDB table of a file of JSON lines; *types*: its columns, the tail's unless given."""
    types = dict(types or {name: "BIGINT" if name in _INTEGERS else "VARCHAR" for name in _TAIL})
    if path.stat().st_size == 0:
        columns = ", ".join(f"{name} {kind}" for name, kind in types.items())
        run(engine, f"CREATE TABLE {table} ({columns})")
        return
    run(
        engine,
        f"CREATE TABLE {table} AS SELECT * FROM read_ndjson(?, columns = {types!r}, maximum_object_size = 67108864)",  # noqa: S608
        [str(path.resolve())],
    )
