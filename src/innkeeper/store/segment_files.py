"""Writing one segment: a Parquet file that was read back before anybody relies on it, and its hash index.

Which rows go in and when the file counts is decided in `segments.py`.
"""

from __future__ import annotations

from array import array
from itertools import islice
from operator import gt
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from innkeeper.kernel.errors import OperationFailed
from innkeeper.kernel.failpoints import failpoint
from innkeeper.store import files, hashes
from innkeeper.store.columns import EVENT_COLUMNS, micro_sql, name_sql, string_sql, text_sql
from innkeeper.store.duck import run
from innkeeper.store.manifest import FOLDER, Segment

if TYPE_CHECKING:
    import duckdb

#: Small enough that the rows of one identifier are found without reading much else.
_ROW_GROUP: Final = 100_000
#: A property gets a typed column when so many sampled rows have it as a number or text, in a segment at most so many.
_COMMON_SHARE: Final = 0.005
_TYPED_MOST: Final = 32
_SAMPLE: Final = 10_000
_BIGINT: Final = 2**63 - 1


class Typed(NamedTuple):
    """Names of the top-level properties with typed columns; as in `Segment`."""

    numbers: tuple[str, ...]
    texts: tuple[str, ...]
    pure: tuple[str, ...] = ()


def common_properties(engine: duckdb.DuckDBPyConnection, table: str) -> Typed:
    """Names of the top-level properties that deserve a column of numbers, and of texts.

    Looks at a sample. Names that differ only in case share no table in DuckDB: such names get no column.
    """
    rows = run(engine, f"SELECT count(*) FROM {table}")[0][0]  # noqa: S608
    step = max(1, rows // _SAMPLE)
    found = run(
        engine,
        f"""
        WITH sample AS (SELECT properties FROM {table} WHERE seq % {step:d} = 0),
             pairs AS (SELECT unnest(json_keys(properties)) AS name, properties FROM sample)
        SELECT name, count(*),
               count(*) FILTER (json_type(properties, '$."' || name || '"') IN ('BIGINT', 'UBIGINT', 'DOUBLE')),
               count(*) FILTER (json_type(properties, '$."' || name || '"') = 'VARCHAR')
        FROM pairs WHERE regexp_full_match(name, '[A-Za-z_][A-Za-z0-9_ ]{{0,63}}')
        GROUP BY name ORDER BY 2 DESC, 1
        """,  # noqa: S608
    )
    least = max(1, int(rows / step * _COMMON_SHARE))
    spelled: dict[str, int] = {}
    for name, *_ in found:
        spelled[name.casefold()] = spelled.get(name.casefold(), 0) + 1
    kept = [row for row in found if spelled[row[0].casefold()] == 1][:_TYPED_MOST]
    return Typed(tuple(row[0] for row in kept if row[2] >= least), tuple(row[0] for row in kept if row[3] >= least))


def add_typed_columns(engine: duckdb.DuckDBPyConnection, source: str, table: str, typed: Typed) -> Typed:
    """Make *table* of the rows of the query *source* with typed columns; what fitted.

    Numbers are BIGINT. A property with a number beyond it gets no column in this segment; the JSON has them all.
    """
    names = sorted({*typed.numbers, *typed.texts})
    # One look at the JSON for all properties: each json_extract of its own would parse it again.
    paths = ", ".join(text_sql(f'$."{name}"') for name in names)
    items = [f"{micro_sql(_picked(names, name))} AS {name_sql(f'n:{name}')}" for name in typed.numbers]
    items += [f"{string_sql(_picked(names, name))} AS {name_sql(f's:{name}')}" for name in typed.texts]
    items += [f"nullif({_picked(names, name)}, 'null') IS NOT NULL AS {name_sql(f'there:{name}')}" for name in names]
    picked = f", json_extract(properties, [{paths}]) AS picked" if names else ""
    listed = ", ".join([*EVENT_COLUMNS, *items])
    run(engine, f"CREATE TABLE wide AS SELECT {listed} FROM (SELECT *{picked} FROM ({source}))")  # noqa: S608
    fitting = tuple(name for name in typed.numbers if not _any(engine, f"abs({name_sql(f'n:{name}')}) > {_BIGINT}"))
    pure = tuple(
        name
        for kind, some in (("n", fitting), ("s", typed.texts))
        for name in some
        if not _any(engine, f"{name_sql(f'there:{name}')} AND {name_sql(f'{kind}:{name}')} IS NULL")
    )
    columns = [*EVENT_COLUMNS]
    columns += [f"CAST({name_sql(f'n:{name}')} AS BIGINT) AS {name_sql(f'n:{name}')}" for name in fitting]
    columns += [name_sql(f"s:{name}") for name in typed.texts]
    run(engine, f"CREATE VIEW {table} AS SELECT {', '.join(columns)} FROM wide")  # noqa: S608
    return Typed(fitting, typed.texts, pure)


def _picked(names: list[str], name: str) -> str:
    return f"CAST(picked[{names.index(name) + 1}] AS VARCHAR)"


def _any(engine: duckdb.DuckDBPyConnection, condition: str) -> bool:
    return bool(run(engine, f"SELECT 1 FROM wide WHERE {condition} LIMIT 1"))  # noqa: S608


def write_segment(
    engine: duckdb.DuckDBPyConnection, home: Path, table: str, stem: str, typed: Typed, change: str
) -> Segment:
    """Write the rows of *table* as segment *stem*, with its index; both are on disk under their names.

    Args:
        engine: Holds the table.
        home: The workspace's folder.
        table: Has the event columns and the typed ones.
        stem: Of the names of the files.
        typed: Names of the typed columns.
        change: `seal` or `compact`; prefix of the failpoints.

    Raises:
        OperationFailed: The file that was written does not read back as the rows that went in.
    """
    path = home / FOLDER / f"{stem}.parquet"
    temporary = path.with_name(path.name + files.TEMPORARY)
    run(
        engine,
        f"COPY (SELECT * FROM {table} ORDER BY identifier, ts, seq) TO {text_sql(str(temporary.resolve()))} "  # noqa: S608
        f"(FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE {_ROW_GROUP})",
    )
    written = f"read_parquet({text_sql(str(temporary.resolve()))})"
    summary = _summary(engine, table)
    if _summary(engine, written) != summary:
        raise OperationFailed(
            "the segment that was written does not read back as it should; nothing was changed",
            code="segment-unsound", where=str(path), fix="check the disk and the memory of this machine",
        )  # fmt: skip
    files.sync_file(temporary)
    failpoint(f"{change}.written")
    files.publish(temporary, path)
    failpoint(f"{change}.renamed")
    rows, _, first_seq, last_seq, first_at, last_at = summary
    segment = Segment(
        file=path.name, rows=rows, bytes=path.stat().st_size, sha256=files.checksum(path), first_seq=first_seq,
        last_seq=last_seq, first_at=first_at, last_at=last_at, numbers=typed.numbers,
        texts=typed.texts, pure=typed.pure,
    )  # fmt: skip
    write_index(engine, home, segment, table)
    if change == "seal":
        failpoint("seal.indexed")
    return segment


def _summary(engine: duckdb.DuckDBPyConnection, table: str) -> tuple[int, ...]:
    columns = ", ".join(EVENT_COLUMNS)
    row = run(
        engine,
        f"SELECT count(*), bit_xor(hash({columns})), min(seq), max(seq), min(ts), max(ts) FROM {table}",  # noqa: S608
    )[0]
    return tuple(row)


def write_index(engine: duckdb.DuckDBPyConnection, home: Path, segment: Segment, table: str | None = None) -> None:
    """Write a segment's hash index, from *table* or from the segment itself."""
    source = table or f"read_parquet({text_sql(str((home / FOLDER / segment.file).resolve()))})"
    rows = run(
        engine,
        "SELECT list(h), list(seq) FROM (SELECT md5_number_lower(source || chr(0) || message_id) AS h, seq "  # noqa: S608
        f"FROM {source} ORDER BY h, seq)",
    )
    values, places = rows[0]
    if any(map(gt, values, islice(values, 1, None))):
        # DuckDB promises no order to an aggregate, though it keeps it.
        values, places = zip(*sorted(zip(values, places, strict=True)), strict=True)
    files.write_atomically(home / FOLDER / segment.index, hashes.encode(array("Q", values), array("Q", places)))
