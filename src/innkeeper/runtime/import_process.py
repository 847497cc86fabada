"""A file read by a process of its own, so that its lines are parsed on one core while another writes the log.

`read_elsewhere` is the side of the import, `main` the other: run as a module, this file takes a pickled
`Job` on its standard input and answers on its standard output with portions in file order, then with None, or with the
error that ended the reading. It writes to the job's scratch folder and nowhere else.
"""

from __future__ import annotations

import fcntl
import os
import pickle
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import IO, Final

from innkeeper.events.types import LogRow
from innkeeper.kernel.errors import InnkeeperError, OperationFailed
from innkeeper.runtime.import_read import Job, rare_collections, read_file
from innkeeper.runtime.import_sink import Portion

#: A smaller file is read before a process has started (0.2 s).
WORTH_BYTES: Final = 2 * 1024 * 1024
#: Room for a portion, so that the reader can go on while the one before is written.
_PIPE_BYTES: Final = 1024 * 1024
#: How much a reader beside a door lets it go first.
_NICE: Final = 10
# The class's own `_make` takes three times as long, and this runs once for every event.
_new_row = partial(tuple.__new__, LogRow)


class _Ended(Exception):
    """The answers broke off."""


def is_worth_it(file: Path) -> bool:
    """Whether a file is large enough to be read by a process of its own, and a core is there for it."""
    return file.stat().st_size >= WORTH_BYTES and len(os.sched_getaffinity(0)) > 1


def read_elsewhere(
    job: Job, put: Callable[[Portion], None], *, begun: Callable[[subprocess.Popen[bytes]], None] = lambda _: None
) -> None:
    """As `read_file`, in a process of its own; it ends when this returns or raises.

    Args:
        job, put: As of `read_file`.
        begun: Told of the process, which may be killed to end the reading.

    Raises:
        OperationFailed: The process died; what it had found before was handed on.
    """
    command = [sys.executable, "-m", "innkeeper.runtime.import_process"]
    # In a session of its own: Ctrl-C on a terminal is for the import, which then ends its reader.
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
    ) as process, rare_collections():  # fmt: skip
        try:
            begun(process)
            assert process.stdin is not None
            assert process.stdout is not None
            _enlarge(process.stdout)
            # A process that is gone already is found out when it should answer.
            with suppress(BrokenPipeError), process.stdin as channel:
                pickle.dump(job, channel)
            for portion in _received(process.stdout):
                put(portion)
        except _Ended as error:
            raise _died(job.file, process.wait()) from error
        finally:
            process.kill()


def _enlarge(pipe: IO[bytes]) -> None:
    if hasattr(fcntl, "F_SETPIPE_SZ"):
        with suppress(OSError):
            fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)


def _received(channel: IO[bytes]) -> Iterator[Portion]:
    while True:
        try:
            message = pickle.load(channel)
        except (EOFError, pickle.UnpicklingError) as error:
            raise _Ended from error
        if message is None:
            return
        if isinstance(message, Exception):
            raise message
        portion, columns = message
        yield portion._replace(rows=list(map(_new_row, zip(*columns, strict=True))))


def _send(channel: IO[bytes], portion: Portion) -> None:
    # By columns: pickle takes ten times as long over so many small named tuples.
    columns = list(zip(*portion.rows, strict=True))
    pickle.dump((portion._replace(rows=()), columns), channel, protocol=pickle.HIGHEST_PROTOCOL)
    channel.flush()


def _died(file: Path, status: int) -> OperationFailed:
    how = f"was killed by signal {-status}" if status < 0 else f"ended with status {status}"
    return OperationFailed(
        f"the process that reads {file} {how}",
        code="reader-died",
        fix="see whether the machine is short of memory, then import the file again: what was accepted is a duplicate",
    )


def main() -> None:
    """Read the file of the job on standard input."""
    job: Job = pickle.load(sys.stdin.buffer)
    if job.room is not None:
        os.nice(_NICE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (job.room, job.room))
    # What a library may print must not get between the portions.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    # A broken pipe: the import is gone, and nobody wants the rest.
    with suppress(BrokenPipeError), answers:
        try:
            read_file(job, lambda portion: _send(answers, portion))
            pickle.dump(None, answers)
        except (InnkeeperError, OSError) as error:
            pickle.dump(error, answers)


if __name__ == "__main__":
    main()
