"""The reading half of an import: a file's lines become portions, by the reader that its kind and mapping ask for.

It needs nothing but its job, so that `import_process.py` can run it in a process of its own. The writing half is
`import_intake.py`.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from innkeeper.events.limits import CLIENT_LIMITS, GROUPED_LIMITS
from innkeeper.events.mapping import TableMapping
from innkeeper.events.minimise import BY_DEFAULT, Minimise
from innkeeper.events.parse import Parser
from innkeeper.kernel.errors import UsageError
from innkeeper.kernel.located import Findings
from innkeeper.kernel.time import Instant
from innkeeper.runtime.import_files import kind_of
from innkeeper.runtime.import_lines import import_lines
from innkeeper.runtime.import_sink import Portion, Sink


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One file to read.

    Attributes:
        file: Where it lies.
        source: Whose events it holds.
        received_at: When they arrive.
        mapping: Of a table, with what was found wrong in it so far; None for JSONL.
        scratch: A folder to use on the way.
        minimise: What is cut down of its events.
        room: How large its scratch files may get, in bytes, where it is read beside a door that needs the disk and the
            processor more; None: it has the machine.
    """

    file: Path
    source: str
    received_at: Instant
    mapping: tuple[TableMapping, Findings] | None
    scratch: Path
    minimise: Minimise = BY_DEFAULT
    room: int | None = None


def read_file(job: Job, put: Callable[[Portion], None]) -> None:
    """Hand on everything that a file holds, in its order.

    Raises:
        UsageError, Invalid: The file cannot be read to its end, or the mapping does not fit it; what was found before
            was handed on.
    """
    from innkeeper.store.occurrences import Occurrences

    with rare_collections(), Occurrences(job.scratch / "occurrences.db") as occurrences:
        parser = Parser(
            source=job.source, received_at=job.received_at, occurrence=occurrences.next, minimise=job.minimise
        )
        sink = Sink(put)
        try:
            if job.mapping is None:
                sink.total = job.file.stat().st_size
                import_lines(job.file, parser, sink)
            else:
                _read_table(job, *job.mapping, parser, sink)
        except UsageError:
            # The file broke off: what it held until there is good.
            sink.flush()
            raise
        sink.flush()


def _read_table(job: Job, declared: TableMapping, findings: Findings, parser: Parser, sink: Sink) -> None:
    from innkeeper.runtime.import_csv import clean_copy
    from innkeeper.runtime.import_mapping import numbers_asked, tie
    from innkeeper.runtime.import_table import TableReader
    from innkeeper.store.tables import open_clean_csv, open_parquet

    parser.limits = GROUPED_LIMITS if declared.group_by else CLIENT_LIMITS
    types = {name: kind for name, (kind, _) in declared.types.items()}
    if kind_of(job.file) == "csv":
        types = dict.fromkeys(numbers_asked(declared), "number") | types
        sink.total = 2 * job.file.stat().st_size
        copy = clean_copy(job.file, job.scratch, declared.delimiter, sink)
        opening = open_clean_csv(copy.path, copy.names, str(job.file), job.scratch)
    else:
        opening = open_parquet(job.file, job.scratch)
    with opening as table:
        table.pin(types)
        bound = tie(declared, table.columns, findings)
        sink.total = table.lines
        TableReader(bound, parser, sink).read(table)


@contextmanager
def rare_collections() -> Iterator[None]:
    """Let the cycle collector look less often: an import makes millions of tuples and no cycles.

    With the default thresholds it takes a sixth to a quarter of the time of an import.
    """
    before = gc.get_threshold()
    gc.set_threshold(100_000, 50, 50)
    try:
        yield
    finally:
        gc.set_threshold(*before)
