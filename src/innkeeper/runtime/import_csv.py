"""CSV in: every record that is whole is copied to a clean CSV with its line number, the others are refused.

The copy is what `store/tables.py` reads: in it every field is quoted where it must be and every record has all fields,
so a damaged line costs that line and nothing else. A quote that is never closed does not swallow what follows it.
"""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from innkeeper.events.limits import Refusal
from innkeeper.kernel.errors import UsageError, did_you_mean
from innkeeper.runtime.import_files import opened
from innkeeper.runtime.import_lines import numbered
from innkeeper.runtime.import_sink import Sink

#: A record that goes on over more lines or characters than these has a quote that was never closed.
MAX_RECORD_LINES = 1_000
MAX_RECORD_SIZE = 100_000
_DELIMITERS = (",", ";", "\t", "|")


@dataclass(frozen=True, slots=True, kw_only=True)
class CleanCopy:
    """The clean copy of a CSV: where it lies, the names of its columns (after the line number)."""

    path: Path
    names: tuple[str, ...]


class _Unclosed(Exception):
    """A record goes on and on."""


class _Lines:
    """The lines of a CSV as texts for the csv module; remembers those of the record that is being read."""

    def __init__(self, file: IO[bytes], sink: Sink) -> None:
        self._source = ((first + i, line) for first, lines in numbered(file) for i, line in enumerate(lines))
        self._again: deque[tuple[int, str]] = deque()
        self._sink = sink
        self._size = 0
        self.record: list[tuple[int, str]] = []

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        number, text = self._again.popleft() if self._again else self._decoded()
        if self.record:
            self._size += len(text)
            if len(self.record) >= MAX_RECORD_LINES or self._size > MAX_RECORD_SIZE:
                self._again.appendleft((number, text))
                raise _Unclosed
        self.record.append((number, text))
        return text + "\n"

    def begin(self) -> None:
        """The next line begins a record."""
        self.record.clear()
        self._size = 0

    def give_back(self) -> tuple[int, str]:
        """The first line of the record; the others are read again as records of their own."""
        first, *rest = self.record
        self._again.extendleft(reversed(rest))
        return first

    def _decoded(self) -> tuple[int, str]:
        for number, line in self._source:
            try:
                text = line.decode().removesuffix("\r")
            except UnicodeDecodeError as error:
                self._sink.read += 1
                refusal = Refusal("not-utf-8", f"the line is not UTF-8: {error.reason}", "save the file as UTF-8")
                self._sink.refuse(number, refusal, line.decode("utf-8", "backslashreplace"))
                continue
            if len(text) > MAX_RECORD_SIZE or "\x00" in text:
                self._sink.read += 1
                self._sink.refuse(number, _unfit(text), text)
                continue
            return number, text
        raise StopIteration


def _unfit(text: str) -> Refusal:
    if "\x00" in text:
        return Refusal("nul-character", "the line holds the character NUL", "leave it out")
    return Refusal("too-large", f"the line has more than {MAX_RECORD_SIZE:,} characters", "split it")


def clean_copy(path: Path, scratch: Path, delimiter: str | None, sink: Sink) -> CleanCopy:
    """Copy the whole records of a CSV; the others go to the sink's rejects.

    Args:
        path: The CSV, gzipped or not; its first line names the columns.
        scratch: A folder for the copy.
        delimiter: What stands between fields; None: what the first line shows.
        sink: Takes the refusals and counts refused lines as read.

    Raises:
        UsageError: The file cannot be read, or its first line is no header.
    """
    target = scratch / "clean.csv"
    with opened(path) as (file, position), target.open("w", encoding="utf-8", newline="") as out:
        lines = _Lines(file, sink)
        header = _header(path, lines)
        between = delimiter or max(_DELIMITERS, key=header.count)
        names = _names(path, header, between)
        writer = csv.writer(out, lineterminator="\n")
        count = len(names)
        for done, (number, fields) in enumerate(_records(lines, between, sink), 1):
            if len(fields) == count:
                writer.writerow((number, *fields))
            elif fields:
                sink.read += 1
                sink.refuse(number, _width(len(fields), count), between.join(fields))
            if done % 10_000 == 0:
                sink.progress(position())
    return CleanCopy(path=target, names=names)


def _records(lines: _Lines, delimiter: str, sink: Sink) -> Iterator[tuple[int, list[str]]]:
    """The whole records with the number of their first line; blank lines are none."""
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    while True:
        lines.begin()
        try:
            fields = next(reader)
        except StopIteration:
            return
        except (csv.Error, _Unclosed) as error:
            number, text = lines.give_back()
            sink.read += 1
            sink.refuse(number, _broken(error), text)
            reader = csv.reader(lines, delimiter=delimiter, strict=True)
            continue
        if fields:
            yield lines.record[0][0], fields


def _broken(error: Exception) -> Refusal:
    said = str(error)
    if isinstance(error, _Unclosed) or "unexpected end" in said or "field larger" in said:
        return Refusal("unclosed-quote", "a quote of the line is never closed", 'write "" for a quote inside a field')
    return Refusal("bad-csv", f"the line is not CSV: {said[:160]}", 'write "" for a quote inside a quoted field')


def _width(found: int, wanted: int) -> Refusal:
    return Refusal(
        "wrong-width",
        f"the line has {found} fields; the header has {wanted}",
        "quote fields that hold the delimiter; give every line all its fields",
    )


def _header(path: Path, lines: _Lines) -> str:
    header = next(lines, "")
    if not header.strip():
        raise UsageError(f"{path} has no header", code="no-header", fix="its first line must name the columns")
    return header


def _names(path: Path, header: str, delimiter: str) -> tuple[str, ...]:
    try:
        names = next(csv.reader([header], delimiter=delimiter, strict=True))
    except csv.Error as error:
        raise UsageError(f"{path}:1: the header is not CSV: {error}", code="bad-header") from error
    names = [name.strip() for name in names]
    empty = [str(place) for place, name in enumerate(names, 1) if not name]
    if empty:
        raise UsageError(
            f"{path}:1: the header leaves column {', '.join(empty)} without a name", code="bad-header", fix="name it"
        )
    # DuckDB does not tell the case of names apart.
    folded = [name.casefold() for name in names]
    twice = sorted({name for name in names if folded.count(name.casefold()) > 1})
    if twice:
        raise UsageError(
            f"{path}:1: the header names a column twice: {', '.join(twice)}", code="bad-header", fix="rename one"
        )
    if "__line" in folded:
        raise UsageError(
            f"{path}:1: the column name '__line' is taken", code="bad-header", fix=did_you_mean("__line", names)
        )
    return tuple(names)
