"""Takes rows out of the sealed log, and words on traits out of rows: the segments that hold them are written anew
without them, and what is carried of them becomes a segment of its own, all in one new generation of the manifest.

What the tail holds by then is sealed first: nobody appends meanwhile. The order is the seal's: new files under
temporary names, read back, synced, renamed; then the manifest, which is the moment of the change; then its copy in
`log.db`; last the sweep. After a kill there is the old log or the new one. Which rows go is decided in `due.py`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from innkeeper.kernel.errors import OperationFailed
from innkeeper.kernel.failpoints import failpoint
from innkeeper.store import duck, gone, manifest, sqlite
from innkeeper.store.columns import fixed_sql, segments_sql
from innkeeper.store.manifest import Ended, Gone, LetGo, Manifest, Segment
from innkeeper.store.segment_files import Typed, add_typed_columns, common_properties, write_segment
from innkeeper.store.segments import Sealer

if TYPE_CHECKING:
    import duckdb

_MEMORY: Final = "1GB"
_CHANGE: Final = "retain"
_THINNED: Final = {"seq": "BIGINT", "traits": "VARCHAR", "context": "VARCHAR", "extra": "VARCHAR"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaving:
    """What goes.

    Attributes:
        rows: A Parquet file of `seq`, and of the halves of the message's hash, `low` and `high`; NULL: not to be kept.
        carried: Rows as in the tail, without `seq`, that come in their place; JSON lines.
        thinned: Rows that stay, by `seq`, with the `traits`, `context` and `extra` that they have from now on; JSON
            lines.
        let_go: What the new manifest says about it.
        ended: And about the words on traits.
    """

    rows: Path
    carried: Path
    thinned: Path
    let_go: tuple[LetGo, ...]
    ended: tuple[Ended, ...] = ()


class LettingGo(Sealer):
    """The sealer's fourth change, after seal, compact and forget."""

    def let_go(self, leaving: Leaving) -> Manifest:
        """Take rows out of the log; the new manifest.

        Raises:
            OperationFailed: What was written does not read back; nothing has gone.
        """
        with self._alone():
            listed, _ = self._sealed(self._finish(), 1)
            first = self._next_place(listed)
            with duck.translated(self.folder):
                engine = duck.connect(self.home, memory=_MEMORY)
                try:
                    new = self._written(engine, listed, leaving, first)
                finally:
                    engine.close()
            manifest.save(self.home, new)
            failpoint("retain.listed")
            self._trim(new, _CHANGE)
            failpoint("retain.trimmed")
            self._sweep(new)
            failpoint("retain.swept")
        return new

    def _next_place(self, listed: Manifest) -> int:
        with sqlite.translated(self.database_path):
            place = self.database.execute("SELECT value FROM meta WHERE key = 'next_seq'").fetchone()[0]
        return max(int(place), listed.sealed_through + 1)

    def _written(self, engine: duckdb.DuckDBPyConnection, listed: Manifest, leaving: Leaving, first: int) -> Manifest:
        generation = listed.generation + 1
        duck.run(engine, "CREATE TABLE leaving AS SELECT * FROM read_parquet(?)", [str(leaving.rows.resolve())])
        duck.load(engine, "brought", leaving.carried)
        duck.load(engine, "thinned", leaving.thinned, _THINNED)
        segments: list[Segment] = []
        for segment in listed.segments:
            segments += self._rest(engine, segment, generation)
        if duck.run(engine, "SELECT count(*) FROM brought")[0][0]:
            place = f"{first - 1:d} + row_number() OVER (ORDER BY message_id)"
            duck.run(engine, f"CREATE TABLE placed AS SELECT * REPLACE ({place} AS seq) FROM brought")  # noqa: S608
            segments.append(
                self._segment(engine, fixed_sql("placed"), common_properties(engine, "placed"), f"{generation}-carried")
            )
        failpoint("retain.carried")
        new = self._hashes(engine, generation)
        failpoint("retain.hashed")
        return msgspec.structs.replace(
            listed, generation=generation, segments=tuple(segments), let_go=leaving.let_go, gone=(*listed.gone, *new),
            ended=leaving.ended,
        )  # fmt: skip

    def _rest(self, engine: duckdb.DuckDBPyConnection, segment: Segment, generation: int) -> Sequence[Segment]:
        """A segment as it is where nothing of it goes, else what is left of it."""
        inside = "SELECT count(*) FROM {} WHERE seq BETWEEN ? AND ?"
        leaving, thinned = (
            duck.run(engine, inside.format(table), [segment.first_seq, segment.last_seq])[0][0]
            for table in ("leaving", "thinned")
        )
        if not (leaving or thinned):
            return [segment]
        if leaving == segment.rows:
            return []
        replaced = ", ".join(f"coalesce(t.{name}, s.{name}) AS {name}" for name in ("traits", "context", "extra"))
        rest = (
            f"SELECT s.* REPLACE ({replaced}) FROM ({segments_sql(self.home, [segment], [])}) AS s "  # noqa: S608
            "LEFT JOIN thinned AS t ON t.seq = s.seq WHERE s.seq NOT IN (SELECT seq FROM leaving)"
        )
        new = self._segment(engine, rest, Typed(segment.numbers, segment.texts), str(generation))
        if new.rows != segment.rows - leaving:
            raise OperationFailed(
                f"{segment.file} without {leaving} rows has {new.rows} instead of {segment.rows - leaving}; nothing "
                "was changed",
                code="segment-unsound", where=str(self.folder / new.file), fix="run: innkeeper doctor",
            )  # fmt: skip
        return [new]

    def _segment(self, engine: duckdb.DuckDBPyConnection, source: str, typed: Typed, ending: str) -> Segment:
        typed = add_typed_columns(engine, source, "kept", typed)
        first, last = duck.run(engine, "SELECT min(seq), max(seq) FROM kept")[0]
        try:
            return write_segment(engine, self.home, "kept", f"{first:012d}-{last:012d}-{ending}", typed, _CHANGE)
        finally:
            duck.run(engine, "DROP VIEW kept")
            duck.run(engine, "DROP TABLE wide")

    def _hashes(self, engine: duckdb.DuckDBPyConnection, generation: int) -> Iterator[Gone]:
        pairs = "SELECT low, high FROM leaving WHERE low IS NOT NULL ORDER BY low, high"
        number, cursor = 0, engine.execute(pairs)
        made: list[Gone] = []
        while rows := cursor.fetchmany(gone.MOST):
            made.append(gone.write(self.home, f"gone-{generation}-{number}.hash", rows))
            number += 1
        return iter(made)
