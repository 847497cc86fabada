"""Where the readers of an import put what they find: collected into portions, which are handed on in file order.

The readers (`import_lines.py`, `import_table.py`, `import_csv.py`) put rows and refusals in. Who takes the portions is
`import_intake.py`, in this process or, by way of `import_process.py`, in another.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Final, NamedTuple

from innkeeper.events.limits import Refusal
from innkeeper.events.types import LogRow

#: How many rows, and about how many characters of JSON, go into one portion, which is one transaction of the log.
BATCH_ROWS: Final = 5_000
BATCH_SIZE: Final = 8 * 1024 * 1024
_properties = attrgetter("properties")


class Portion(NamedTuple):
    """What was found since the portion before.

    Attributes:
        read: Lines of the file, the refused ones too.
        skipped: Lines that the mapping's `where` left out.
        rows: Events.
        refused: Lines that are not taken: number, reason, text.
        done, of: How far the reading has come, in a unit of the reader's own; 0 when it is not told.
    """

    read: int = 0
    skipped: int = 0
    rows: Sequence[LogRow] = ()
    refused: Sequence[tuple[int, Refusal, str]] = ()
    done: int = 0
    of: int = 0


class Sink:
    """Takes rows and refusals.

    Attributes:
        read, skipped: As in a portion; the readers count them up.
        total: What `progress` comes to at the end.
    """

    def __init__(self, put: Callable[[Portion], None]) -> None:
        self.read = self.skipped = self.total = 0
        self._put = put
        self._rows: list[LogRow] = []
        self._refused: list[tuple[int, Refusal, str]] = []
        self._size = 0

    def take(self, row: LogRow) -> None:
        """One event, handed on with the next `flush` at the latest."""
        self._rows.append(row)
        self._size += len(row.properties)
        self._flush_if_full()

    def take_all(self, rows: list[LogRow]) -> None:
        """Events in their order."""
        at = 0
        while at < len(rows):
            part = rows[at : at + BATCH_ROWS - len(self._rows)]
            at += len(part)
            self._rows += part
            self._size += sum(map(len, map(_properties, part)))
            self._flush_if_full()

    def refuse(self, line: int, refusal: Refusal, text: str) -> None:
        """One line that is not taken."""
        self._refused.append((line, refusal, text))
        self._size += len(text)
        self._flush_if_full()

    def progress(self, done: int) -> None:
        """Tell how far the reading has come."""
        self._put(Portion(done=done, of=self.total))

    def flush(self) -> None:
        """Hand on what was collected."""
        rows, self._rows = self._rows, []
        self._hand_on(rows)

    def _flush_if_full(self) -> None:
        if max(len(self._rows), len(self._refused)) >= BATCH_ROWS or self._size >= BATCH_SIZE:
            self.flush()

    def _hand_on(self, rows: list[LogRow]) -> None:
        portion = Portion(self.read, self.skipped, rows, self._refused)
        self.read = self.skipped = self._size = 0
        self._refused = []
        self._put(portion)
