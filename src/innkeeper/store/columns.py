"""The columns of an event in DuckDB: the fixed ones, and the typed ones of its properties.

A property path `total` gives up to three columns: `"n:total"`, millionths exactly as `kernel.numbers.to_micro`;
`"s:total"`, the text of a JSON string; `"j:total"`, the JSON text of any value but null. Segments store the first two
for common properties; `segments_sql` derives what a segment does not store, so that nobody sees the difference.

Numbers. JSON texts in the log are as `kernel.json.dumps` writes them, so that a number with a point or an exponent is
a double in Python too. DuckDB prints a double with the fewest digits that read back the same, as Python's `repr`
does, and its cast from text to DECIMAL rounds half away from zero: both sides give the same millionths. Integers keep
all digits.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
from pathlib import Path
from typing import Final

from innkeeper.events.types import ENGINE_SOURCE, RECEIPTS
from innkeeper.kernel.errors import OperationFailed
from innkeeper.store.manifest import FOLDER, Segment

#: Columns of every segment and of the view `events`, in this order.
EVENT_COLUMNS: Final = (
    "seq", "source", "message_id", "type", "name", "user_id", "anonymous_id", "identifier", "ts", "received_at",
    "properties", "traits", "context", "extra", "is_input",
)  # fmt: skip

#: Whose event it is, in the SQL of DuckDB and of SQLite.
IDENTIFIER: Final = (
    "CASE WHEN user_id IS NOT NULL THEN 'user_id:' || user_id ELSE 'anonymous_id:' || coalesce(anonymous_id, '') END"
)

Path_ = tuple[str, ...]


def text_sql(value: str) -> str:
    """A text as an SQL literal."""
    return "'" + value.replace("'", "''") + "'"


def name_sql(value: str) -> str:
    """A name as a quoted SQL identifier."""
    return '"' + value.replace('"', '""') + '"'


def fixed_sql(table: str) -> str:
    """The fixed columns of rows staged as in `log.db`'s tail."""
    receipts = ", ".join(text_sql(name) for name in sorted(RECEIPTS))
    made = {
        "identifier": IDENTIFIER,
        "ts": "timestamp",
        "is_input": f"((source <> {text_sql(ENGINE_SOURCE)} OR name IN ({receipts})) "
        "AND (user_id IS NOT NULL OR anonymous_id IS NOT NULL))",
    }
    listed = ", ".join(f"{made[name]} AS {name}" if name in made else name for name in EVENT_COLUMNS)
    return f"SELECT {listed} FROM {table}"  # noqa: S608


def value_sql(path: Path_, column: str = "properties") -> str:
    """JSON text of the value at a path; SQL NULL where it is absent, null, or inside something that is no object."""
    expression = column
    quoted = ""
    for part in path:
        if part in ("", "*"):
            # A quoted JSONPath cannot name these two; a pointer can, and neither can be taken for a place in an array.
            expression = f"json_extract({_extract(expression, quoted)}, {text_sql('/' + part)})"
            quoted = ""
        else:
            escaped = part.replace("\\", "\\\\").replace('"', '\\"')
            quoted += f'."{escaped}"'
    return f"nullif(CAST({_extract(expression, quoted)} AS VARCHAR), 'null')"


def _extract(expression: str, quoted: str) -> str:
    return f"json_extract({expression}, {text_sql('$' + quoted)})" if quoted else expression


def micro_sql(json_text: str) -> str:
    """Millionths (HUGEINT) of a JSON text that is a number below the limit; else NULL."""
    wide = f"TRY_CAST({json_text} AS DECIMAL(38, 6))"
    limit = "CAST('1000000000000000000000000000000' AS DECIMAL(38, 6))"
    return (
        f"coalesce(CAST(CAST(TRY_CAST({json_text} AS DECIMAL(18, 6)) AS DECIMAL(25, 6)) * 1000000 AS HUGEINT), "
        f"CASE WHEN {wide} > -{limit} AND {wide} < {limit} "
        f"THEN CAST(replace(CAST({wide} AS VARCHAR), '.', '') AS HUGEINT) END)"
    )


def string_sql(json_text: str) -> str:
    """The text of a JSON text that is a string; else NULL."""
    return f"CASE WHEN starts_with({json_text}, '\"') THEN json_extract_string({json_text}, '$') END"


def typed_sql(path: Path_, kinds: Iterable[str] = "nsj") -> list[str]:
    """Select items that derive the typed columns of a path from the JSON."""
    value, name = value_sql(path), ".".join(path)
    made = {"n": micro_sql(value), "s": string_sql(value), "j": value}
    return [f"{made[kind]} AS {name_sql(f'{kind}:{name}')}" for kind in kinds]


def segments_sql(home: Path, segments: Sequence[Segment], paths: Sequence[Path_]) -> str:
    """A query of all rows of segments, with the fixed columns and the typed ones of *paths*."""
    stored = {segment.file: [_stored(segment, path) for path in paths] for segment in segments}
    ordered = sorted(segments, key=lambda segment: stored[segment.file])
    branches = []
    for kept, group in groupby(ordered, key=lambda segment: stored[segment.file]):
        listed = ", ".join(text_sql(str((home / FOLDER / segment.file).resolve())) for segment in group)
        items = list(EVENT_COLUMNS)
        for path, kinds in zip(paths, kept, strict=True):
            items += _from_stored(path, kinds)
        branches.append(f"SELECT {', '.join(items)} FROM read_parquet([{listed}], union_by_name = true)")  # noqa: S608
    return " UNION ALL ".join(branches)


def _stored(segment: Segment, path: Path_) -> str:
    """Which columns a segment has for a path: `n`, `s`, and `!` when it has no values of another kind."""
    if len(path) != 1:
        return ""
    has = {"n": path[0] in segment.numbers, "s": path[0] in segment.texts}
    pure = any(has.values()) and path[0] in segment.pure
    return "".join(kind for kind, there in has.items() if there) + ("!" if pure else "")


def _from_stored(path: Path_, kinds: str) -> list[str]:
    """The three columns of a path: as stored, known to be NULL, or derived from the JSON."""
    name = ".".join(path)
    columns = {kind: name_sql(f"{kind}:{name}") for kind in "nsj"}
    derived = dict(zip("nsj", typed_sql(path), strict=True))
    made = derived | {kind: columns[kind] for kind in "ns" if kind in kinds}
    if kinds == "n!":
        made["s"] = f"CAST(NULL AS VARCHAR) AS {columns['s']}"
    elif kinds == "s!":
        made["n"] = f"CAST(NULL AS HUGEINT) AS {columns['n']}"
        # The text of a JSON string that to_json writes is the one that json_extract finds.
        text = columns["s"]
        made["j"] = f"CASE WHEN {text} IS NOT NULL THEN CAST(to_json({text}) AS VARCHAR) END AS {columns['j']}"
    return [made[kind] for kind in "nsj"]


def parse_paths(properties: Iterable[str | Path_]) -> list[Path_]:
    """Distinct paths of what was asked for: texts with dots, or tuples of parts.

    Raises:
        OperationFailed: Two differ only in upper and lower case, which column names of DuckDB cannot.
    """
    found: dict[str, Path_] = {}
    for item in properties:
        path = tuple(item.split(".")) if isinstance(item, str) else tuple(item)
        name = ".".join(path)
        other = found.setdefault(name.casefold(), path)
        if other != path:
            raise OperationFailed(
                f"the properties '{'.'.join(other)}' and '{name}' cannot be asked of in one question",
                code="property-case-clash", fix="ask in two questions, or spell the property one way in new events",
            )  # fmt: skip
    return list(found.values())
