"""`innkeeper import FILE` beside a served home: the file goes to its API, and the import is followed to its end."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final

from innkeeper.cli.served import ask, is_served, raise_told, send

if TYPE_CHECKING:
    from innkeeper.runtime.import_intake import Progress
    from innkeeper.runtime.imports import Imported, Order

#: How often the import is asked for: seldom enough to cost nothing, often enough for a small file.
_LOOK_SECONDS: Final = (0.05, 0.5)


def import_beside(home: Path, order: Order, progress: Progress) -> Imported | None:
    """Import a file into a served home, by its API; None where nobody serves it.

    Raises:
        UsageError, OperationFailed: As an import without a server.
    """
    if not is_served(home):
        return None
    from innkeeper.events.limits import check_source
    from innkeeper.runtime.imports import Imported, mapping_of

    check_source(order.source)
    mapping = mapping_of(order)
    size = order.file.stat().st_size
    query = {"name": order.file.name, "source": order.source}
    if mapping is not None and order.mapping is not None:
        query["mapping"] = order.mapping.read_text(encoding="utf-8-sig")
    with order.file.open("rb") as file:
        one = send(home, ("imports",), query, _Sent(file, size, progress), size)
    if one is None:
        return None
    one = _followed(home, one, progress)
    if one["error"] is not None:
        _raise(one["error"], order.mapping)
    if one["state"] == "cancelled":
        _cancelled(one)
    rejects = one["rejects_file"]
    return Imported(
        rejects_file=None if rejects is None else home / "rejects" / rejects,
        **{name: one[name] for name in _COUNTS},
    )


_COUNTS: Final = ("read", "events", "accepted", "duplicates", "rejected", "skipped", "seconds")


class _Sent:
    """A file that tells how much of it has been sent: the first half of the progress."""

    def __init__(self, file: IO[bytes], size: int, progress: Progress) -> None:
        self._file, self._size, self._progress = file, size, progress
        self._sent = 0

    def read(self, size: int, /) -> bytes:
        """The next bytes."""
        data = self._file.read(size)
        self._sent += len(data)
        self._progress(self._sent, 2 * self._size)
        return data


def _followed(home: Path, one: dict[str, Any], progress: Progress) -> dict[str, Any]:
    """An import, when it has ended; Ctrl-C cancels it."""
    from innkeeper.kernel.errors import OperationFailed

    parts = ("imports", one["id"])
    pause, longest = _LOOK_SECONDS
    try:
        while one["state"] in ("waiting", "running", "cancelling"):
            time.sleep(pause)
            pause = min(2 * pause, longest)
            found = ask(home, "GET", parts)
            if found is None:
                raise OperationFailed(
                    f"the workspace at {home} is not served any more; the import goes on when it is",
                    code="no-answer", fix="start it again: innkeeper up",
                )  # fmt: skip
            one = found
            size = one["bytes"]["of"]
            progress(size + one["bytes"]["done"], 2 * size)
    except KeyboardInterrupt:
        ask(home, "DELETE", parts)
        raise
    return one


def _raise(error: dict[str, Any], mapping: Path | None) -> None:
    from innkeeper.kernel.errors import Invalid

    try:
        raise_told(error["status"], error)
    except Invalid as invalid:
        raise Invalid([replace(each, file=str(mapping)) for each in invalid.problems]) from invalid


def _cancelled(one: dict[str, Any]) -> None:
    from innkeeper.kernel.errors import OperationFailed

    raise OperationFailed(
        f"the import was cancelled; {one['accepted']:,} events were taken before and stay", code="cancelled",
        fix="import the file again: what was taken counts as a duplicate",
    )  # fmt: skip
