"""Rows of a table in, events out: one a row, or one for each group of rows. The table is read by `store/tables.py`.

A group is taken whole or not at all: when one of its lines is refused, so are the others, each with that reason,
because an order with a line missing is a wrong order.
"""

from __future__ import annotations

from collections.abc import Iterator
from operator import itemgetter
from typing import Any

from innkeeper.events.limits import Refusal, Refused
from innkeeper.events.mapping_bind import BoundMapping
from innkeeper.events.mapping_values import Row
from innkeeper.events.parse import Parser
from innkeeper.events.types import LogRow
from innkeeper.kernel.json import dumps
from innkeeper.runtime.import_sink import Sink
from innkeeper.store.tables import Table

_PORTION = 4_096
#: A larger group is refused; it would not fit the limit of one event anyway.
MAX_GROUP_LINES = 20_000


class TableReader:
    """Reads one table through one mapping into a sink."""

    def __init__(self, bound: BoundMapping, parser: Parser, sink: Sink) -> None:
        self._bound, self._parser, self._sink = bound, parser, sink
        self._nested = bound.nested

    def read(self, table: Table) -> None:
        """Everything that the table holds."""
        if self._bound.group_by:
            self._read_groups(table)
        else:
            self._read_lines(table)

    def _portions(self, table: Table) -> Iterator[list[Row]]:
        """The rows that the mapping's `where` keeps."""
        keeps, done = self._bound.keeps, 0
        for portion in table.rows(self._bound.columns, self._bound.group_by, _PORTION):
            done += len(portion)
            self._sink.read += len(portion)
            kept = portion if keeps is None else [row for row in portion if self._keeps(row)]
            yield kept
            self._sink.progress(done)

    def _keeps(self, row: Row) -> bool:
        keeps = self._bound.keeps
        try:
            if keeps is None or keeps(row):
                return True
            if row[-2] is not None:
                raise _faulty(row)
        except Refused as refused:
            self._refuse(row, refused.refusal)
            return False
        self._sink.skipped += 1
        return False

    def _read_lines(self, table: Table) -> None:
        event, made, nested = self._bound.event, self._parser.made, self._nested
        for portion in self._portions(table):
            taken: list[LogRow] = []
            for row in portion:
                try:
                    if row[-2] is not None:
                        raise _faulty(row)
                    answer = made(event((row,)), nested=nested)
                except Refused as refused:
                    answer = refused.refusal
                if type(answer) is Refusal:
                    self._refuse(row, answer)
                else:
                    taken.append(answer)  # type: ignore[arg-type]
            self._sink.take_all(taken)

    def _read_groups(self, table: Table) -> None:
        key_of = itemgetter(*self._bound.group_by)
        key: object = None
        rows: list[Row] = []
        too_many = False
        for portion in self._portions(table):
            for row in portion:
                found = key_of(row)
                if found != key or found is None:
                    self._group(rows)
                    key, rows, too_many = found, [], False
                rows.append(row)
                if len(rows) > MAX_GROUP_LINES or (too_many and rows):
                    too_many = True
                    self._refuse_all(rows, _large())
                    rows = []
        self._group(rows)

    def _group(self, rows: list[Row]) -> None:
        if not rows:
            return
        try:
            for row in rows:
                if row[-2] is not None:
                    raise _faulty(row)
            if any(rows[0][index] is None for index in self._bound.group_by):
                raise Refused("no-group", "the column that groups the lines is empty", "leave such lines out: where: …")
            answer = self._parser.made(self._bound.event(rows), nested=self._nested)
        except Refused as refused:
            answer = refused.refusal
        if type(answer) is Refusal:
            self._refuse_group(rows, answer)
        else:
            self._sink.take(answer)  # type: ignore[arg-type]

    def _refuse_group(self, rows: list[Row], why: Refusal) -> None:
        """The line that is wrong gets its reason; the others say which one it was."""
        own = {row[-1]: reason for row in rows if (reason := self._own_fault(row)) is not None} if len(rows) > 1 else {}
        first = next(iter(own), None)
        for row in rows:
            reason = own.get(row[-1], why)
            if first is not None and row[-1] not in own:
                reason = Refusal(why.code, f"line {first} of the same group is refused: {own[first].reason}", why.fix)
            self._refuse(row, reason)

    def _own_fault(self, row: Row) -> Refusal | None:
        try:
            if row[-2] is not None:
                raise _faulty(row)
            self._bound.event((row,))
        except Refused as refused:
            return refused.refusal
        return None

    def _refuse_all(self, rows: list[Row], why: Refusal) -> None:
        for row in rows:
            self._refuse(row, why)

    def _refuse(self, row: Row, why: Refusal) -> None:
        self._sink.refuse(row[-1], why, dumps(self._cells(row)))

    def _cells(self, row: Row) -> dict[str, Any]:
        """What the mapping reads of a line, for the rejects file."""
        columns = sorted(self._bound.columns, key=lambda column: column.exact)
        return {column.name: row[column.index] for column in columns}


def _faulty(row: Row) -> Refused:
    return Refused("bad-cell", f"the column {row[-2]}", "mend the cell, or declare another type under 'types'")


def _large() -> Refusal:
    return Refusal(
        "group-too-large", f"the group has more than {MAX_GROUP_LINES:,} lines", "group by a column that tells more"
    )
