"""JSONL in: a file, gzipped or not, read in blocks, its lines parsed one by one. Memory does not grow with the file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import IO

from innkeeper.events.limits import Refusal
from innkeeper.events.parse import Parser
from innkeeper.events.types import LogRow
from innkeeper.runtime.import_files import opened
from innkeeper.runtime.import_sink import Sink

_BLOCK = 1 << 20
_BOM = b"\xef\xbb\xbf"


def import_lines(path: Path, parser: Parser, sink: Sink) -> None:
    """Parse every line of a JSONL file into the sink.

    Raises:
        UsageError: The file cannot be read to its end; what was taken before stays.
    """
    parse, row_type = parser.parse, LogRow
    with opened(path) as (file, position):
        for number, lines in numbered(file):
            answers = list(map(parse, lines))
            rows = [answer for answer in answers if type(answer) is row_type]
            blank = 0
            if len(rows) < len(lines):
                blank = _refuse(answers, lines, number, sink)
            sink.read += len(lines) - blank
            sink.take_all(rows)
            sink.progress(position())


def _refuse(answers: list[LogRow | Refusal], lines: list[bytes], number: int, sink: Sink) -> int:
    """Write the refused lines to the rejects file; returns how many lines are blank and count for nothing."""
    blank = 0
    for offset, (answer, line) in enumerate(zip(answers, lines, strict=True)):
        if type(answer) is not Refusal:
            continue
        if not line.strip():
            blank += 1
        else:
            sink.refuse(number + offset, answer, line.decode("utf-8", "backslashreplace"))
    return blank


def numbered(file: IO[bytes]) -> Iterator[tuple[int, list[bytes]]]:
    """The lines of a file in portions, with the number of the first one of each.

    A line longer than a block is far beyond every limit; its first block stands for it, and the rest is passed over.
    """
    number, rest = 1, b""
    first = True
    while block := file.read(_BLOCK):
        if first:
            block, first = block.removeprefix(_BOM), False
        lines = block.split(b"\n")
        if len(rest) >= _BLOCK:
            if len(lines) == 1:
                continue
            lines[0] = rest
        else:
            lines[0] = rest + lines[0]
        rest = lines.pop()
        if lines:
            yield number, lines
            number += len(lines)
    if rest:
        yield number, [rest]
