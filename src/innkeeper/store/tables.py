"""Tables that are imported, Parquet or CSV, read by DuckDB row after row in bounded memory.

A `Table` knows its columns and what they hold; `rows` streams chosen columns, in file order or sorted by a group. The
CSV is the clean copy that `runtime/import_csv.py` makes, so that nothing is guessed about quotes and broken lines here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from innkeeper.events.mapping_values import Column, ColumnKind
from innkeeper.kernel.errors import OperationFailed, UsageError

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_MEMORY = "1GB"
_INTEGERS = frozenset(
    {"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT", "UHUGEINT"}
)
_NESTED = re.compile(r"(STRUCT|MAP|UNION|LIST|JSON|VARIANT)\b|.*\]\Z")
# A number as JSON writes it; "007", "+1" and "1e3" are texts, and so is what has more digits than a double holds.
_WHOLE = r"-?(0|[1-9][0-9]{0,14})"
_DECIMAL = r"-?(0|[1-9][0-9]{0,14})(\.[0-9]{1,15})?"


class Table:
    """An open table. `rows` gives tuples: the cells asked for, then what is wrong with a cell (or None), then the line.

    Attributes:
        columns: All columns; `index` is not set.
        lines: How many rows there are.
    """

    def __init__(
        self, connection: DuckDBPyConnection, source: str, path: str, line: str, *, written: bool = False
    ) -> None:
        self._connection, self._source, self._path, self._line = connection, source, path, line
        self._written = written
        self._types = self._describe()
        self._pins: dict[str, str] = {}
        self._kinds: dict[str, tuple[ColumnKind, str]] = {name: _native(name, of) for name, of in self._types.items()}
        self.lines = int(self._ask(["SELECT count(*) FROM", source])[0][0])

    @property
    def columns(self) -> list[Column]:
        """What there is to map."""
        return [Column(name=name, kind=kind, written=self._written) for name, (kind, _) in self._kinds.items()]

    def infer(self) -> None:
        """Make a column of texts one of numbers or booleans where every cell of the whole table is one."""
        names = list(self._types)
        checks = ["count(*) AS n"]
        for name in names:
            cell = _quote(name)
            for pattern in (_WHOLE, _DECIMAL, "true|false"):
                checks.append(f"coalesce(bool_and(regexp_full_match({cell}, '{pattern}')), false)")
        found = self._ask(["SELECT", ", ".join(checks), "FROM", self._source])[0][1:]
        for position, name in enumerate(names):
            whole, decimal, truth = found[position * 3 : position * 3 + 3]
            cell = _quote(name)
            if whole:
                self._kinds[name] = ("number", f"CAST({cell} AS BIGINT)")
            elif decimal:
                self._kinds[name] = ("number", f"CAST({cell} AS DOUBLE)")
            elif truth:
                self._kinds[name] = ("boolean", f"CAST({cell} AS BOOLEAN)")

    def pin(self, types: Mapping[str, str]) -> None:
        """Read columns as the types that were declared for them; unknown columns are reported when they are bound."""
        for name, kind in types.items():
            if name not in self._types:
                continue
            cell = _quote(name)
            if kind == "text":
                self._kinds[name] = ("text", _as_text(cell, self._types[name]))
            elif kind != self._kinds[name][0]:
                target = "DOUBLE" if kind == "number" else "BOOLEAN"
                self._kinds[name] = (
                    ("number", _finite(f"TRY_CAST({cell} AS DOUBLE)"))
                    if kind == "number"
                    else ("boolean", f"TRY_CAST({cell} AS BOOLEAN)")
                )
                self._pins[name] = target

    def rows(self, columns: Sequence[Column], sort_by: Sequence[int], size: int) -> Iterator[list[tuple[Any, ...]]]:
        """The rows in portions, in file order, or sorted by the columns at some places and then in file order."""
        picked = [_quote(column.name) if column.exact else self._kinds[column.name][1] for column in columns]
        query = ["SELECT", ", ".join([*picked, self._fault(columns), self._line]), "FROM", self._source]
        if sort_by:
            query += ["ORDER BY", ", ".join(str(index + 1) for index in sort_by), ",", self._line]
        with _readable(self._path):
            cursor = self._connection.cursor()
            try:
                cursor.execute(" ".join(query))
                while portion := cursor.fetchmany(size):
                    yield portion
            finally:
                cursor.close()

    def _fault(self, columns: Sequence[Column]) -> str:
        cases = [
            f"WHEN {_quote(column.name)} IS NOT NULL AND {self._kinds[column.name][1]} IS NULL "
            f"THEN {_literal(column.name)} || ' is no ' || {_literal(self._kinds[column.name][0])}"
            for column in columns
            if column.name in self._pins and not column.exact
        ]
        return f"CASE {' '.join(cases)} END" if cases else "NULL"

    def _describe(self) -> dict[str, str]:
        described = self._ask(["DESCRIBE SELECT * FROM", self._source])
        hidden = {"file_row_number", "__line"}
        return {str(row[0]): str(row[1]) for row in described if row[0] not in hidden}

    def _ask(self, words: Sequence[str]) -> list[tuple[Any, ...]]:
        with _readable(self._path):
            cursor = self._connection.cursor()
            try:
                return cursor.execute(" ".join(words)).fetchall()
            finally:
                cursor.close()


@contextmanager
def open_parquet(path: Path, scratch: Path) -> Iterator[Table]:
    """A Parquet file as a table; *scratch* is a folder for what does not fit into memory."""
    real = path
    if any(mark in str(path) for mark in "*?["):
        # DuckDB would read such a name as a pattern.
        real = scratch / "table.parquet"
        real.symlink_to(path.resolve())
    source = f"read_parquet({_literal(str(real))}, file_row_number = true, hive_partitioning = false)"
    with _connect(scratch) as connection:
        yield Table(connection, source, str(path), "file_row_number + 1")


@contextmanager
def open_clean_csv(path: Path, names: Sequence[str], original: str, scratch: Path) -> Iterator[Table]:
    """A CSV without header and without faults, its first column the line number in the *original* file."""
    columns = ", ".join([f"{_literal('__line')}: 'BIGINT'", *(f"{_literal(name)}: 'VARCHAR'" for name in names)])
    source = (
        f"read_csv({_literal(str(path))}, auto_detect = false, header = false, delim = ',', quote = '\"', "
        f"escape = '\"', nullstr = '', max_line_size = 4000000, columns = {{{columns}}})"
    )
    with _connect(scratch) as connection:
        table = Table(connection, source, original, "__line", written=True)
        table.infer()
        yield table


@contextmanager
def _connect(scratch: Path) -> Iterator[DuckDBPyConnection]:
    import duckdb

    connection = duckdb.connect(":memory:")
    connection.execute("SET enable_progress_bar = false").fetchall()
    try:
        connection.execute("SET TimeZone = 'UTC'").fetchall()
        connection.execute(f"SET memory_limit = '{_MEMORY}'").fetchall()
        connection.execute(f"SET temp_directory = {_literal(str(scratch))}").fetchall()
        yield connection
    finally:
        connection.close()


@contextmanager
def _readable(path: str) -> Iterator[None]:
    """Translate what DuckDB says about a file that it cannot read."""
    import duckdb

    try:
        yield
    except duckdb.Error as error:
        said = str(error).splitlines()[0][:300]
        if "No space left" in said or isinstance(error, duckdb.OutOfMemoryException):
            raise OperationFailed(
                f"there is no room to sort {path}: {said}", code="disk-full", fix="make room on the disk of the home"
            ) from error
        raise UsageError(
            f"{path} cannot be read: {said}", code="unreadable-file", fix="is it whole, and is it what its name says?"
        ) from error


def _native(name: str, duck_type: str) -> tuple[ColumnKind, str]:
    """What a column of DuckDB's type holds, and the expression that reads it."""
    cell = _quote(name)
    if duck_type in _INTEGERS:
        return "number", cell
    if duck_type.startswith("DECIMAL"):
        whole = duck_type.endswith(",0)")
        return "number", f"CAST({cell} AS {'HUGEINT' if whole else 'DOUBLE'})"
    if duck_type == "DOUBLE":
        return "number", _finite(cell)
    if duck_type == "FLOAT":
        # Through its text a single stays the number that was meant: 0.1, not 0.10000000149011612.
        return "number", _finite(f"CAST(CAST({cell} AS VARCHAR) AS DOUBLE)")
    if duck_type == "BOOLEAN":
        return "boolean", cell
    if duck_type == "DATE":
        return "date", f"CAST({cell} AS VARCHAR)"
    if duck_type == "TIMESTAMP WITH TIME ZONE":
        return "instant", f"CASE WHEN isfinite({cell}) THEN epoch_us({cell}) END"
    if duck_type.startswith("TIMESTAMP"):
        return "local", f"CASE WHEN isfinite({cell}) THEN epoch_us(CAST({cell} AS TIMESTAMP)) END"
    if _NESTED.match(duck_type):
        return "json", f"CAST(to_json({cell}) AS VARCHAR)"
    return "text", f"CAST({cell} AS VARCHAR)"


def _as_text(cell: str, duck_type: str) -> str:
    if duck_type in ("DOUBLE", "FLOAT"):
        return (
            f"CASE WHEN {cell} = trunc({cell}) AND abs({cell}) < 1e15 "
            f"THEN CAST(CAST({cell} AS BIGINT) AS VARCHAR) ELSE CAST({cell} AS VARCHAR) END"
        )
    return f"CAST({cell} AS VARCHAR)"


def _finite(expression: str) -> str:
    return f"CASE WHEN isfinite({expression}) THEN {expression} END"


def _quote(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
