"""Mails into a Maildir, each once: written, flushed, renamed into `new/`, and put down in the provider's own record.

The record `accepted.jsonl` and the names in the Maildir (which hold the delivery id) tell at restart what became of a
delivery that was under way. A mail that its reader deleted is still in the record.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from innkeeper.channels.contract import Outgoing, Result
from innkeeper.channels.group import GroupCommit
from innkeeper.channels.mime import Sender, compose
from innkeeper.content.errors import UnsafeHeader
from innkeeper.kernel.errors import OperationFailed
from innkeeper.kernel.failpoints import failpoint
from innkeeper.kernel.json import dumps, loads
from innkeeper.kernel.time import SECOND, format_instant

_FOLDERS = ("tmp", "new", "cur")
_RECORD = "accepted.jsonl"
_DISK_FIX = "make room on the disk (df -h) and see that the folder is writable; the delivery is tried again"


class FileProvider:
    """The provider `file` over one Maildir."""

    name = "file"
    settles = True
    is_remote = False

    def __init__(self, maildir: Path, sender: Sender) -> None:
        self.maildir, self.sender = maildir, sender
        self._accepted: set[str] = set()
        self._guard = threading.Lock()
        self._record = -1
        self._new = -1
        self._group: GroupCommit[tuple[str, str]] = GroupCommit(self._write_down)

    def open(self) -> None:
        """Make the Maildir, read what was accepted, drop what a crash left half-written."""
        try:
            for folder in _FOLDERS:
                (self.maildir / folder).mkdir(parents=True, exist_ok=True)
            for left in (self.maildir / "tmp").glob("*.innkeeper"):
                left.unlink()
            self._record = os.open(self.maildir / _RECORD, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
            self._new = os.open(self.maildir / "new", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            self._accepted = self._read_record()
            # What a crash left in new/ may not be on disk, nor in the record; after this it is.
            os.fsync(self._new)
            missing = sorted(self._in_maildir() - self._accepted)
            if missing:
                self._write_down([(delivery, "") for delivery in missing])
            _flush_folder(self.maildir)
        except OSError as error:
            raise self._failed(error) from error

    def send(self, outgoing: Outgoing, committing: Callable[[], None]) -> Result:
        """Put one mail into the Maildir; a delivery that is there already is accepted and not written again."""
        try:
            mail = compose(outgoing, self.sender)
        except UnsafeHeader as error:
            return Result(outcome="rejected", reason=error.code)
        name = f"{outgoing.at // SECOND}.{outgoing.delivery_id}.innkeeper"
        temporary = self.maildir / "tmp" / name
        try:
            if not self._has(outgoing.delivery_id):
                _write_flushed(temporary, mail)
                failpoint("file.written")
            committing()
            if not self._has(outgoing.delivery_id):
                temporary.rename(self.maildir / "new" / name)
                failpoint("file.renamed")
                self._group.commit((outgoing.delivery_id, format_instant(outgoing.at)))
                failpoint("file.recorded")
        except OSError as error:
            raise self._failed(error) from error
        return Result(outcome="accepted", provider_id=name)

    def settle(self, delivery_id: str) -> Result | None:
        """Whether the mail is in the Maildir or the record; it is never unknown."""
        # The folders too: a flush that failed after the rename leaves a mail that the record does not have.
        if self._has(delivery_id) or delivery_id in self._in_maildir():
            return Result(outcome="accepted", reason="settled")
        return Result(outcome="retry", reason="not accepted before the stop")

    def probe(self) -> str:
        """Where the mails are; to write there is `open`'s matter."""
        return f"mails go into {self.maildir}"

    def close(self) -> None:
        """Close the record."""
        for descriptor in (self._record, self._new):
            if descriptor >= 0:
                os.close(descriptor)
        self._record = self._new = -1

    def _has(self, delivery_id: str) -> bool:
        with self._guard:
            return delivery_id in self._accepted

    def _write_down(self, items: Sequence[tuple[str, str]]) -> None:
        os.fsync(self._new)
        lines = "".join(dumps({"delivery_id": delivery, "at": at}) + "\n" for delivery, at in items)
        _write_all(self._record, lines.encode())
        os.fsync(self._record)
        with self._guard:
            self._accepted.update(delivery for delivery, _ in items)

    def _read_record(self) -> set[str]:
        text = (self.maildir / _RECORD).read_bytes()
        if text and not text.endswith(b"\n"):
            # A line that a crash cut off: its mail is in new/ by name. The next line must not be glued to it.
            _write_all(self._record, b"\n")
        accepted: set[str] = set()
        for line in text.splitlines():
            try:
                accepted.add(loads(line)["delivery_id"])
            except (ValueError, KeyError, TypeError):
                continue  # the line that was cut off
        return accepted

    def _in_maildir(self) -> set[str]:
        names = (entry.name for folder in ("new", "cur") for entry in os.scandir(self.maildir / folder))
        return {name.split(".")[1] for name in names if ".innkeeper" in name and name.count(".") >= 2}

    def _failed(self, error: OSError) -> OperationFailed:
        return OperationFailed(f"the Maildir cannot be written: {error}", code="maildir", where=str(self.maildir),
                               fix=_DISK_FIX)  # fmt: skip


def _write_flushed(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
    try:
        _write_all(descriptor, content)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _write_all(descriptor: int, content: bytes) -> None:
    view = memoryview(content)
    while view:
        view = view[os.write(descriptor, view) :]


def _flush_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
