"""Imports of files that were sent to a served home: one after the other, beside the events that come live.

What has not ended when the door closes, or dies, is begun anew with the next one: what was accepted before is a
duplicate then. How a file comes in is `uploads.py`, how it is imported `import_beside.py`.
"""

from __future__ import annotations

import os
import re
import shutil
import threading
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Final, NamedTuple

import structlog

from innkeeper.events.limits import check_source
from innkeeper.kernel.errors import InnkeeperError, InternalError, Invalid, OperationFailed, UsageError
from innkeeper.kernel.time import Clock, format_instant
from innkeeper.runtime.import_beside import Beside, Halted
from innkeeper.runtime.imports import Order, mapping_of
from innkeeper.runtime.uploads import Upload, Uploads
from innkeeper.runtime.writer import Writer
from innkeeper.store import files
from innkeeper.store.imports import OPEN, Counts, Import, ImportTable, Standing

#: How many files may wait.
MOST_OPEN: Final = 10
#: The name by which errors call the mapping.
MAPPING: Final = "mapping.yaml"
#: How often an import is begun that takes the door down with it.
_MOST_BEGUN: Final = 3
_RETRY_SECONDS: Final = 5.0
_LONGEST_NAME: Final = 100
#: Where the mapping lies: no file is stored under a name like this.
_MAPPING_FILE: Final = "~mapping.yaml"
_HARMFUL: Final = re.compile(r"[^A-Za-z0-9._-]+")

logger = structlog.get_logger()


class Wish(NamedTuple):
    """What is to become of a file: its name tells its kind, *mapping* is the text of one."""

    name: str
    source: str = "import"
    mapping: str | None = None


class Imports:
    """The imports of one home; `start` it, `stop` it before the writer."""

    def __init__(self, home: Path, writer: Writer, clock: Clock) -> None:
        self.home, self.uploads = home, Uploads(home)
        self._writer, self._clock = writer, clock
        self._table = ImportTable.open(home)
        #: Who holds it decides what becomes of an import.
        self._turn = threading.Condition()
        self._closing = False
        self._running: tuple[int, Beside] | None = None
        self._thread = threading.Thread(target=self._run, name="imports", daemon=True)

    def start(self) -> None:
        """Go on with what has not ended, and remove what belongs to nothing."""
        folder = self.uploads.folder
        files.make_folder(folder)
        meant = {str(each.id) for each in self._table.open_ones()}
        with files.translated(folder):
            for entry in folder.iterdir():
                if not entry.is_dir():
                    entry.unlink()
                elif entry.name not in meant:
                    shutil.rmtree(entry)
        self._thread.start()

    def stop(self) -> None:
        """End what runs, so that it is begun anew with the next start."""
        with self._turn:
            self._closing = True
            if self._running is not None:
                self._running[1].halt()
            self._turn.notify_all()
        if self._thread.is_alive():
            self._thread.join()
        self._table.close()

    @property
    def is_full(self) -> bool:
        """Whether as many are open as may be."""
        return len(self._table.open_ones()) >= MOST_OPEN

    def begin(self, upload: Upload, actor: str, wish: Wish) -> dict[str, Any]:
        """Take a file that was received, to be imported when its turn comes; its import, as it stands.

        Raises:
            UsageError, Invalid: The file, its source or its mapping cannot be right; nothing is kept of it.
        """
        check_source(wish.source)
        name = _shown(wish.name)
        ready = upload.path.with_suffix(".ready")
        with files.translated(ready):
            ready.mkdir(mode=0o700)
        try:
            self._make_ready(upload, ready, name, wish)
            with self._turn:
                number = self._table.add(
                    self._clock.now(), actor, name, wish.source, wish.mapping, upload.size
                )  # fmt: skip
                os.replace(ready, self._folder(number))
                files.sync_folder(self.uploads.folder)
                self._turn.notify_all()
        except BaseException:
            shutil.rmtree(ready, ignore_errors=True)
            raise
        return self.show(number)

    def _make_ready(self, upload: Upload, ready: Path, name: str, wish: Wish) -> None:
        """A folder with all that an import needs, or what is wrong with it."""
        with files.translated(ready):
            os.replace(upload.path, ready / _harmless(name))
            if wish.mapping is not None:
                (ready / _MAPPING_FILE).write_text(wish.mapping, encoding="utf-8")
                files.sync_file(ready / _MAPPING_FILE)
        try:
            mapping_of(_order(ready, name, wish.source))
        except InnkeeperError as error:
            raise _named(error, ready, name) from error

    def listing(self, before: int, limit: int) -> list[dict[str, Any]]:
        """Imports before a number, the newest first."""
        running = self._running
        return [self._told(each, running) for each in self._table.newest(before, limit)]

    def show(self, number: int) -> dict[str, Any]:
        """One import.

        Raises:
            UsageError: There is none of this number.
        """
        running = self._running
        return self._told(self._table.get(number), running)

    def rejects(self, number: int) -> Path:
        """The file of the lines that were refused.

        Raises:
            UsageError: There is no such import, it has not ended, no line was refused, or the file was let go.
        """
        found = self._table.get(number)
        path = None if found.rejects is None else self.home / "rejects" / found.rejects
        if found.state in OPEN or path is None or not path.is_file():
            why = "has not ended" if found.state in OPEN else "has no refused lines that are kept"
            raise UsageError(f"import {number} {why}", code="unknown-rejects", fix=f"see GET /api/v1/imports/{number}")
        return path

    def cancel(self, number: int) -> dict[str, Any]:
        """End an import, at once where it does not run; what it has put into the log stays, and so does one that ended.

        Raises:
            UsageError: There is none of this number.
        """
        with self._turn:
            one = self._table.get(number)
            if one.state in OPEN and self._running is not None and self._running[0] == number:
                self._table.cancelling(number)
                self._running[1].halt()
            elif one.state in OPEN:
                self._end(one._replace(state="cancelling"), one.counts, None)
        return self.show(number)

    def _told(self, one: Import, running: tuple[int, Beside] | None) -> dict[str, Any]:
        """An import, and what ran before it was read: so one that has ended since is told with the counts it had."""
        if one.state in ("running", "cancelling") and (running is None or running[0] != one.id):
            # It has begun since, and perhaps ended.
            with self._turn:
                one, running = self._table.get(one.id), self._running
        live = running is not None and running[0] == one.id and one.state in OPEN
        counts = running[1].counts() if running is not None and live else one.counts
        told: dict[str, Any] = {
            "id": str(one.id), "state": one.state, "name": one.name, "source": one.source, "actor": one.actor,
            "created_at": format_instant(one.created_at),
            "ended_at": None if one.ended_at is None else format_instant(one.ended_at),
            "bytes": {"done": counts.done, "of": one.size},
        }  # fmt: skip
        told |= {name: value for name, value in counts._asdict().items() if name != "done"}
        return told | {"rejects_file": one.rejects, "error": one.error}

    def _run(self) -> None:
        while True:
            try:
                number = self._next()
                if number is None:
                    return
                self._import(number)
            except InnkeeperError as error:
                # The table cannot be read or written. What waits is begun anew when the disk may have room again.
                logger.error("imports wait", action="import", reason=error.code)
                with self._turn:
                    self._turn.wait_for(lambda: self._closing, _RETRY_SECONDS)

    def _next(self) -> int | None:
        """The next import, when there is one; None when the door closes."""
        with self._turn:
            while not self._closing:
                if waiting := self._table.open_ones():
                    return waiting[0].id
                self._turn.wait()
        return None

    def _import(self, number: int) -> None:
        with self._turn:
            one = self._table.get(number)
            if one.state not in OPEN:
                # It was cancelled when its turn had just come.
                return
            if one.state == "cancelling" or one.begun >= _MOST_BEGUN:
                self._end(one, one.counts, None if one.state == "cancelling" else _TOO_OFTEN)
                return
            try:
                beside = self._begun(one)
            except OSError as unwritable:
                self._end(one, one.counts, files.translate(unwritable, self.home))
                return
            self._running = number, beside
        try:
            error = self._outcome(beside)
            with self._turn:
                one = self._table.get(number)
                if isinstance(error, Halted) and one.state == "running":
                    self._table.put_back(number)
                else:
                    self._end(one, beside.counts(), error)
        finally:
            self._running = None

    def _begun(self, one: Import) -> Beside:
        """An import that begins, without what it refused when it was begun before."""
        if one.rejects is not None:
            (self.home / "rejects" / one.rejects).unlink(missing_ok=True)
        order = _order(self._folder(one.id), one.name, one.source)
        self._table.begin(one.id, self._clock.now())
        return Beside(
            order, self._writer, size=one.size, room=self.uploads.room, refusing=partial(self._table.refusing, one.id)
        )

    def _outcome(self, beside: Beside) -> Exception | None:
        """Run an import; why it did not come to its end."""
        try:
            beside.run(self.home, self._clock)
        except (InnkeeperError, Halted) as error:
            return error
        except Exception as bug:  # noqa: BLE001 - one import must not end all that follow; the log has the place
            logger.error("a bug", action="import", reason=type(bug).__name__)
            return _BUG
        return None

    def _end(self, one: Import, counts: Counts, error: Exception | None) -> None:
        """Write down what became of an import, and remove its file."""
        state: Standing = "cancelled" if one.state == "cancelling" else "done" if error is None else "failed"
        told = None
        if state == "failed" and isinstance(error, InnkeeperError):
            told = _error(_named(error, self._folder(one.id), one.name))
        self._table.end(one.id, state, self._clock.now(), counts, told)
        shutil.rmtree(self._folder(one.id), ignore_errors=True)

    def _folder(self, number: int) -> Path:
        return self.uploads.folder / str(number)


_TOO_OFTEN: Final = OperationFailed(
    f"it was begun {_MOST_BEGUN} times, and each time the server ended in the middle",
    code="import-fatal", fix="see the server's log; import the file on the command line: innkeeper import FILE",
)  # fmt: skip
_BUG: Final = InternalError("a bug in Innkeeper; its log says where", code="internal")


def _order(folder: Path, name: str, source: str) -> Order:
    mapping = folder / _MAPPING_FILE
    return Order(file=folder / _harmless(name), mapping=mapping if mapping.exists() else None, source=source)


def _shown(name: str) -> str:
    """The name of a file as it is shown, without folders.

    Raises:
        UsageError: It can name none.
    """
    last = name.replace("\\", "/").rpartition("/")[2].strip()
    if not last.strip(".") or len(last) > _LONGEST_NAME or not last.isprintable():
        raise UsageError(
            f"{name[:_LONGEST_NAME]!r} cannot name a file: 1 to {_LONGEST_NAME} printable characters are needed",
            code="bad-name", fix="send its name with its ending: ?name=orders.csv",
        )  # fmt: skip
    return last


def _harmless(name: str) -> str:
    """The name under which a file lies on the disk."""
    return _HARMFUL.sub("-", name)


def _named(error: InnkeeperError, folder: Path, name: str) -> InnkeeperError:
    """An error with the names that whoever sent the file knows, instead of those of the disk."""

    def told(text: str) -> str:
        return text.replace(str(folder / _harmless(name)), name).replace(str(folder / _MAPPING_FILE), MAPPING)

    if isinstance(error, Invalid):
        return Invalid([replace(each, message=told(each.message), file=told(each.file)) for each in error.problems])
    return type(error)(told(error.message), code=error.code, where=told(error.where), fix=told(error.fix))


def _error(error: InnkeeperError) -> dict[str, Any]:
    """The JSON form; *status* is what a request of the same fate is answered."""
    status = 422 if isinstance(error, UsageError) else 503 if isinstance(error, OperationFailed) else 500
    body: dict[str, Any] = {"status": status, "code": error.code, "detail": error.message, "fix": error.fix}
    return body | ({"errors": [each.as_dict() for each in error.problems]} if isinstance(error, Invalid) else {})
