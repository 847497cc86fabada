"""The import of one file into the log: in which home, read by which process, with which counts at the end.

`import_read.py` reads (JSONL: `import_lines.py`; Parquet and CSV, with a mapping: `import_table.py`), a large file in a
process of its own (`import_process.py`); `import_intake.py` writes. Accepted events are on disk batch by batch, so an
import that is stopped loses nothing that was counted, and one that is repeated finds duplicates.
"""

from __future__ import annotations

import errno
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from innkeeper.events.limits import check_source
from innkeeper.events.mapping import TableMapping
from innkeeper.kernel.errors import OperationFailed, UsageError
from innkeeper.kernel.located import Findings
from innkeeper.kernel.time import Clock, SystemClock
from innkeeper.runtime.import_files import kind_of
from innkeeper.runtime.import_intake import Intake, LogWriter, Progress
from innkeeper.runtime.import_process import is_worth_it, read_elsewhere
from innkeeper.runtime.import_read import Job, read_file
from innkeeper.runtime.import_rejects import rejects_for
from innkeeper.runtime.import_sink import Portion
from innkeeper.runtime.lock import hold
from innkeeper.runtime.minimising import minimise_of

_SCRATCH = "import-"

#: Reads a file and hands its portions on.
Read = Callable[[Job, Callable[[Portion], None]], None]


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
    mapping = mapping_of(order)
    with hold(home), Log.open(home) as log:
        with log.filling():
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
    read: Read | None = None,
    begun: Callable[[Intake], None] = lambda _: None,
) -> Imported:
    """Import a file into an open log; the rejects file and scratch space lie under *home*.

    Args:
        log: Takes the events.
        home: Folder of the workspace.
        order, mapping: What to import.
        progress: Told how far it has come.
        clock: The time of day.
        read: Reads the file; None: whatever is quickest here.
        begun: Told who counts, before it begins.
    """
    started = time.perf_counter()
    now = clock.now()
    with _disk_told(home), _scratch(home) as scratch, rejects_for(home, order.file, now) as rejects:
        job = Job(
            file=order.file, source=order.source, received_at=now, mapping=mapping, scratch=scratch,
            minimise=minimise_of(home),
        )  # fmt: skip
        intake = Intake(log, rejects, progress)
        begun(intake)
        if read is None:
            read = read_elsewhere if is_worth_it(order.file) else read_file
        read(job, intake.take)
    return Imported(
        read=intake.read,
        events=intake.accepted + intake.duplicates,
        accepted=intake.accepted,
        duplicates=intake.duplicates,
        rejected=rejects.count,
        skipped=intake.skipped,
        rejects_file=rejects.path,
        seconds=round(time.perf_counter() - started, 3),
    )


def mapping_of(order: Order) -> tuple[TableMapping, Findings] | None:
    """The mapping of a table; None for JSONL.

    Raises:
        UsageError, Invalid: The file or the mapping cannot be read, or one of them is missing.
    """
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
