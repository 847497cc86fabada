"""How fast events come in, against bare SQLite that writes the same rows.

Bare: one `executemany` per batch into a table with the same columns and the same unique index, WAL,
`synchronous=FULL`, the same batches, nothing else. Where there are older events, bare has them in its table as well, so
that both find duplicates among all of them; the ratio to bare in an empty table stands beside. Message ids are random,
as those of SDKs are. Innkeeper's figures hold everything until the last event is on disk: parsing, the search for
duplicates, what is sealed beside it. The second figure holds the rest of the seal, too.
"""

from __future__ import annotations

import gc
import os
import shutil
import sqlite3
import time
from collections.abc import Iterator, Sequence
from hashlib import blake2b
from itertools import islice
from pathlib import Path
from uuid import UUID

from benchmarks.harness import Row, Scale, Table, progress, ratio, scratch
from benchmarks.workload import present
from innkeeper.events.types import LogRow
from innkeeper.kernel.json import dumps_bytes, loads
from innkeeper.kernel.time import format_instant
from innkeeper.runtime.import_sink import BATCH_ROWS
from innkeeper.runtime.imports import Order, import_file
from innkeeper.store.log import Log
from innkeeper.store.segments import Sizes

_EVENTS = 500_000
_OLDER = 5_000_000
_CUSTOMERS = 50_000
_TARGET = 0.5
_TURNS = 3
#: As the log's own connection has it.
_CACHE_KIB = 32_768
_PROPERTIES = ("total", "product", "path")
_MAPPING = """
event: event
type: {value: track}
messageId: message_id
userId: user_id
timestamp: happened
properties: {total: total, product: product, path: path}
"""
_TABLE = """
CREATE TABLE IF NOT EXISTS tail (
  seq INTEGER PRIMARY KEY, source TEXT NOT NULL, message_id TEXT NOT NULL, type TEXT NOT NULL, name TEXT NOT NULL,
  user_id TEXT, anonymous_id TEXT, timestamp INTEGER NOT NULL, received_at INTEGER NOT NULL, properties TEXT NOT NULL,
  traits TEXT NOT NULL, context TEXT NOT NULL, extra TEXT NOT NULL)
"""
_INSERT = (
    "INSERT INTO tail (source, message_id, type, name, user_id, anonymous_id, timestamp, received_at, properties, "
    "traits, context, extra) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)


def run(scale: Scale) -> Table:
    """Measure append, JSONL and Parquet, into an empty home and into one with older sealed events."""
    table = Table(title="Import")
    events, older = scale.of(_EVENTS, least=10_000), scale.of(_OLDER, least=50_000)
    judged = scale.factor >= 0.2
    with scratch("import") as folder:
        progress(f"making {events:,} events")
        rows = [row._replace(message_id=_random_id(row.message_id)) for row in present(_CUSTOMERS, events)]
        jsonl, parquet, mapping = write_files(folder, rows)
        for label, before in (("an empty log", 0), (f"{older:,} older sealed events", older)):
            if before:
                progress(f"sealing {before:,} older events")
                fill(folder / "old", rows, before)
                fill_bare(folder / "bare-old.db", rows, before)
            for what, file in (("append, rows ready", None), ("JSONL", jsonl), ("Parquet", parquet)):
                progress(f"{what} into {label}")
                taken, bares, empties = [], [], []
                for turn in range(_TURNS):
                    empties.append(append_bare(folder / "bare.db", rows))
                    bares.append(append_bare(folder / "bare-old.db", rows, keep=True) if before else empties[-1])
                    home = folder / ("old" if before else f"new-{what[:2]}-{turn}")
                    source = f"{what[:2]}{turn}"
                    if file is None:
                        taken.append(append_rows(home, [row._replace(source=source) for row in rows]))
                    else:
                        taken.append(import_one(home, file, mapping, source, events))
                (best, whole), bare = min(taken), min(bares)
                beside = f"; {min(empties) / best:.2f} of bare in an empty table" if before else ""
                table.rows.append(
                    Row(
                        what=f"{what}: {events:,} events into {label}",
                        measured=f"{events / best:,.0f} events/s ({events / whole:,.0f} with the wait for the seal"
                        f"{beside})",
                        bare=f"{events / bare:,.0f} events/s", ratio=ratio(bare, best),
                        target=f"at least {_TARGET}", met=bare / best >= _TARGET if judged else None,
                    )
                )  # fmt: skip
    table.notes.append(
        f"Batches of {BATCH_ROWS:,}. The best of {_TURNS} turns each; bare takes its turns between them, so that both "
        "meet the same other work. An event counts when it is on disk. Beside appends "
        f"the seal goes on, on another core; while a file comes in, it waits for {Sizes().filling_rows:,} rows or for "
        "the end of the file. The command ends with it."
    )
    return table


def append_bare(path: Path, rows: Sequence[LogRow], *, keep: bool = False) -> float:
    """Write the rows as plainly as the same promises allow; the seconds it took.

    *keep*: the file is there with older rows, and stays as it is: what is written is written to a copy.
    """
    copy = path.with_suffix(".copy")
    if keep:
        shutil.copyfile(path, copy)
        os.sync()
    connection = _open_bare(copy)
    begin = time.perf_counter()
    for at in range(0, len(rows), BATCH_ROWS):
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany(_INSERT, rows[at : at + BATCH_ROWS])
        connection.execute("COMMIT")
    taken = time.perf_counter() - begin
    connection.close()
    copy.unlink()
    return taken


def _open_bare(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
    connection.execute(_TABLE)
    connection.execute("CREATE UNIQUE INDEX IF NOT EXISTS tail_message ON tail (message_id, source)")
    return connection


def fill_bare(path: Path, rows: Sequence[LogRow], events: int) -> None:
    """Put so many older events into a bare table."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute(_TABLE)
    connection.execute("BEGIN")
    connection.executemany(_INSERT, _older(rows, events))
    connection.execute("COMMIT")
    connection.close()
    _open_bare(path).close()


def _random_id(name: str) -> str:
    return str(UUID(bytes=blake2b(name.encode(), digest_size=16).digest()))


def _older(rows: Sequence[LogRow], events: int) -> Iterator[LogRow]:
    for number in range(events):
        turn, place = divmod(number, len(rows))
        row = rows[place]
        yield row._replace(source="older", message_id=_random_id(f"{turn}-{row.message_id}"))


def append_rows(home: Path, rows: Sequence[LogRow]) -> tuple[float, float]:
    """Append rows that are ready to the log; the seconds until the last was on disk, and until the log was closed."""
    with Log.open(home) as log:
        begin = time.perf_counter()
        for at in range(0, len(rows), BATCH_ROWS):
            assert log.append(rows[at : at + BATCH_ROWS]).duplicates == 0
        taken = time.perf_counter() - begin
    return taken, time.perf_counter() - begin


def import_one(home: Path, file: Path, mapping: Path, source: str, events: int) -> tuple[float, float]:
    """Import a file as the command does; the seconds until the last event was on disk, and until the end."""
    begin = time.perf_counter()
    order = Order(file=file, mapping=mapping if file.suffix == ".parquet" else None, source=source)
    done = import_file(home, order, progress=lambda done, of: None)
    assert done.accepted == events, done
    return done.seconds, time.perf_counter() - begin


def fill(home: Path, rows: Sequence[LogRow], events: int) -> None:
    """Put so many older events into the segments of a home."""
    with Log.open(home) as log:
        source = _older(rows, events)
        while batch := list(islice(source, BATCH_ROWS)):
            log.append(batch)
        log.seal(force=True)


def write_files(folder: Path, rows: Sequence[LogRow]) -> tuple[Path, Path, Path]:
    """The same events as JSONL and as Parquet, and the mapping of the latter."""
    import duckdb

    jsonl, flat, parquet, mapping = (folder / name for name in ("e.jsonl", "flat.jsonl", "e.parquet", "mapping.yaml"))
    with jsonl.open("wb") as lines, flat.open("wb") as columns:
        for row in rows:
            properties = loads(row.properties)
            message = {
                "type": "track", "messageId": row.message_id, "userId": row.user_id, "event": row.name,
                "timestamp": format_instant(row.timestamp), "properties": properties,
            }  # fmt: skip
            lines.write(dumps_bytes(message) + b"\n")
            columns.write(
                dumps_bytes(
                    {
                        "event": row.name, "message_id": row.message_id, "user_id": row.user_id,
                        "happened": message["timestamp"], **{key: properties.get(key) for key in _PROPERTIES},
                    }
                )
                + b"\n"
            )  # fmt: skip
    with duckdb.connect() as engine:
        engine.execute(
            "CREATE TABLE flat AS SELECT * FROM read_ndjson(?, columns = {event: 'VARCHAR', message_id: 'VARCHAR', "
            "user_id: 'VARCHAR', happened: 'VARCHAR', total: 'DOUBLE', product: 'VARCHAR', path: 'VARCHAR'})",
            [str(flat)],
        ).fetchall()
        engine.table("flat").write_parquet(str(parquet))
    mapping.write_text(_MAPPING, encoding="utf-8")
    gc.collect()
    return jsonl, parquet, mapping
