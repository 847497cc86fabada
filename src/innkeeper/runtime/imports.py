"""The import of one file into the log: which reader takes it, in which home, with which counts at the end.

Readers: `import_lines.py` for JSONL; `import_table.py` for Parquet and CSV, with a mapping. Accepted events are on disk
batch by batch, so an import that is stopped loses nothing that was counted, and one that is repeated finds duplicates.
"""

from __future__ import annotations

import errno
import gc
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from innkeeper.events.limits import CLIENT_LIMITS, GROUPED_LIMITS, check_source
from innkeeper.events.mapping import TableMapping
from innkeeper.events.parse import Parser
from innkeeper.kernel.errors import OperationFailed, UsageError
from innkeeper.kernel.located import Findings
from innkeeper.kernel.time import Clock, SystemClock
from innkeeper.runtime.import_files import kind_of
from innkeeper.runtime.import_lines import import_lines
from innkeeper.runtime.import_rejects import rejects_for
from innkeeper.runtime.import_sink import LogWriter, Sink
from innkeeper.runtime.lock import hold

_SCRATCH = "import-"
#: Told how much of how much is done.
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """What became of a file. `read` counts lines; `events` = `accepted` + `duplicates`."""

    read: int
    events: int
    accepted: int
    duplicates: int
    rejected: int
    skipped: int
    rejects_file: Path | None
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What to import, as it was asked for."""

    file: Path
    mapping: Path | None = None
    source: str = "import"


def import_file(home: Path, order: Order, *, progress: Progress, clock: Clock | None = None) -> Imported:
    """Import a file into the workspace at *home*, which is made when it is missing.

    Raises:
        UsageError, Invalid: The call, the file or the mapping is wrong.
        OperationFailed: Another process holds the home, or the store cannot be written.
    """
    from innkeeper.store.log import Log

    check_source(order.source)
    mapping = _mapping(order)
    with hold(home), Log.open(home) as log:
        done = import_into(log, home, order, mapping, progress=progress, clock=clock or SystemClock())
        log.seal()
    return done


def import_into(
    log: LogWriter,
    home: Path,
    order: Order,
    mapping: tuple[TableMapping, Findings] | None,
    *,
    progress: Progress,
    clock: Clock,
) -> Imported:
    """Import a file into an open log; the rejects file and scratch space lie under *home*."""
    from innkeeper.store.occurrences import Occurrences

    started = time.perf_counter()
    now = clock.now()
    with (
        _rare_collections(),
        _disk_told(home),
        _scratch(home) as scratch,
        rejects_for(home, order.file, now) as rejects,
        Occurrences(scratch / "occurrences.db") as occurrences,
    ):
        parser = Parser(source=order.source, received_at=now, occurrence=occurrences.next)
        sink = Sink(log, rejects, lambda done: None)
        try:
            _read(order, mapping, parser, sink, scratch, progress)
        except UsageError:
            # The file broke off: what it held until there is good.
            sink.flush()
            raise
        sink.flush()
    return Imported(
        read=sink.read,
        events=sink.accepted + sink.duplicates,
        accepted=sink.accepted,
        duplicates=sink.duplicates,
        rejected=rejects.count,
        skipped=sink.skipped,
        rejects_file=rejects.path,
        seconds=round(time.perf_counter() - started, 3),
    )


def _mapping(order: Order) -> tuple[TableMapping, Findings] | None:
    """The mapping of a table; None for JSONL."""
    from innkeeper.runtime.import_mapping import load_mapping

    kind = kind_of(order.file)
    if kind == "jsonl":
        if order.mapping is not None:
            raise UsageError(
                f"{order.file} is JSONL, which needs no mapping",
                code="mapping-not-needed",
                fix="leave --mapping out; a mapping is for CSV and Parquet",
            )
        return None
    if order.mapping is None:
        raise UsageError(
            f"{order.file} is a table: a mapping must say which column is what",
            code="mapping-needed",
            fix="write one and name it: --mapping mapping.yaml",
        )
    return load_mapping(order.mapping)


def _read(
    order: Order,
    mapping: tuple[TableMapping, Findings] | None,
    parser: Parser,
    sink: Sink,
    scratch: Path,
    progress: Progress,
) -> None:
    """Put everything that the file holds into the sink."""
    if mapping is None:
        size = order.file.stat().st_size
        sink.progress = lambda done: progress(done, size)
        import_lines(order.file, parser, sink)
        return
    from innkeeper.runtime.import_csv import clean_copy
    from innkeeper.runtime.import_mapping import numbers_asked, tie
    from innkeeper.runtime.import_table import TableReader
    from innkeeper.store.tables import open_clean_csv, open_parquet

    declared, findings = mapping
    parser.limits = GROUPED_LIMITS if declared.group_by else CLIENT_LIMITS
    types = {name: kind for name, (kind, _) in declared.types.items()}
    if kind_of(order.file) == "csv":
        types = dict.fromkeys(numbers_asked(declared), "number") | types
        size = order.file.stat().st_size
        sink.progress = lambda done: progress(done, 2 * size)
        copy = clean_copy(order.file, scratch, declared.delimiter, sink)
        opening = open_clean_csv(copy.path, copy.names, str(order.file), scratch)
    else:
        opening = open_parquet(order.file, scratch)
    with opening as table:
        table.pin(types)
        bound = tie(declared, table.columns, findings)
        lines = table.lines
        sink.progress = lambda done: progress(done, lines)
        TableReader(bound, parser, sink).read(table)


@contextmanager
def _rare_collections() -> Iterator[None]:
    """Let the cycle collector look less often: an import makes millions of tuples and no cycles.

    With the default thresholds it takes a sixth to a quarter of the time of an import.
    """
    before = gc.get_threshold()
    gc.set_threshold(100_000, 50, 50)
    try:
        yield
    finally:
        gc.set_threshold(*before)


@contextmanager
def _disk_told(home: Path) -> Iterator[None]:
    """Say what is wrong with the disk in words; what was accepted is in the log all the same."""
    try:
        yield
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
        raise OperationFailed(
            f"the import cannot write below {home}: {error.strerror}",
            code="disk-full" if full else "disk-error",
            fix="make room on the disk (df -h), then import the file again: what was accepted counts as a duplicate",
        ) from error


@contextmanager
def _scratch(home: Path) -> Iterator[Path]:
    """A folder under the home that is gone afterwards, and so are those that killed imports left."""
    home.mkdir(parents=True, exist_ok=True)
    for left in home.glob(_SCRATCH + "*"):
        shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=_SCRATCH, dir=home, ignore_cleanup_errors=True) as folder:
        yield Path(folder)
