"""What has been taken so far, found again in the log: when a late claim divides what was summed up as one.

That is rare, so the log is asked, and nothing is kept for it. In a replay only what the replay has taken counts, and of
the engine's own outputs only those that it has made again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

from innkeeper.events.retention import CARRIED
from innkeeper.events.types import ENGINE_SOURCE, Event, LogRow, from_row
from innkeeper.identity.evidence import SPOKEN
from innkeeper.kernel.json import dumps
from innkeeper.runtime.record import COLUMNS, not_later
from innkeeper.store.state import OutboxRow, State

if TYPE_CHECKING:
    from innkeeper.store.bulk import Bulk

#: Events that were taken and not yet committed: their places in the log, and the outputs that came of them.
Fresh = tuple[set[int], Sequence[OutboxRow]]
_UNDER = "list_contains($wanted, identifier)"
# The text of a value may stand in other JSON too; what it means is read afterwards.
_NAMING = (
    "anonymous_id = $value OR ((type = 'alias' OR list_contains($spoken, name) OR $anywhere)"
    " AND contains(concat(extra, properties, traits, context), $text))"
)


class Begin(NamedTuple):
    """Where a replay begins that does not begin at the beginning.

    Attributes:
        state: The recorded state, which says what was taken up to there.
        position, seq: The last input, and the newest row of the log, that are in what it begins with.
    """

    state: State
    position: int
    seq: int


class Memory(Protocol):
    """What the engine needs: everything that was taken so far, by identifier."""

    def under(self, identifiers: Iterable[str], fresh: Fresh) -> list[Event]:
        """Everything that was taken under some identifiers, and what the engine said under them, in order of time."""

    def naming(self, identifier: str, fresh: Fresh) -> list[Event]:
        """Every event that was taken and may say something about an identifier."""


class Recall:
    """Reads the log for the engine.

    Args:
        home: The workspace whose log it is.
        state: The state that says what has been taken.
        again: Whether this is a replay: `state` is a scratch store beside the log's own.
        begin: Where such a replay begins; None: at the beginning.
    """

    def __init__(
        self, home: Path, state: State, *, again: bool = False, bulk: Bulk | None = None, begin: Begin | None = None
    ) -> None:
        self.home, self.state, self.again, self._bulk, self.begin = home, state, again, bulk, begin

    def borrowing(self, bulk: Bulk) -> Recall:
        """The same over a picture of the log that is open already, and in which nothing is missing."""
        return Recall(self.home, self.state, again=self.again, bulk=bulk, begin=self.begin)

    def under(self, identifiers: Iterable[str], fresh: Fresh) -> list[Event]:
        """Everything that was taken under some identifiers, and what the engine said under them, in order of time."""
        wanted = sorted(identifiers)
        found = self._logged(_UNDER, {"wanted": wanted}, fresh)
        found += [event for event in self._said(fresh) if event.identifier in wanted]
        kept = {(event.source, event.message_id): event for event in found if counts(event)}
        return sorted(kept.values(), key=lambda event: (event.timestamp, event.source, event.message_id))

    def naming(self, identifier: str, fresh: Fresh) -> list[Event]:
        """Every event that was taken and may say something about an identifier."""
        namespace, _, value = identifier.partition(":")
        parameters: dict[str, object] = {
            "value": value if namespace == "anonymous_id" else None, "spoken": sorted(SPOKEN),
            "anywhere": namespace != "anonymous_id", "text": dumps(value)[1:-1],
        }  # fmt: skip
        return self._logged(f"(source <> $engine AND ({_NAMING}))", parameters, fresh)

    def _logged(self, where: str, parameters: dict[str, object], fresh: Fresh) -> list[Event]:
        from innkeeper.store.bulk import Bulk

        ask = self._again if self.again else self._ask
        if self._bulk is not None:
            return ask(self._bulk, where, parameters, fresh)
        with Bulk.open(self.home) as bulk:
            return ask(bulk, where, parameters, fresh)

    def _ask(self, bulk: Bulk, where: str, parameters: dict[str, object], fresh: Fresh) -> list[Event]:
        cursor = self.state.cursor()
        seqs = fresh[0] | self.state.taken_seqs(0 if cursor is None else cursor.position)
        taken = "FALSE"
        values: dict[str, object] = {}
        if cursor is not None:
            taken = f"(seq <= $last AND {not_later()})"
            values = {
                "last": cursor.seq, "at": cursor.timestamp, "source": cursor.source, "message_id": cursor.message_id,
            }  # fmt: skip
        sql = (
            f"SELECT {COLUMNS} FROM every_event WHERE {where}"  # noqa: S608 – every value is bound
            f" AND (source = $engine OR list_contains($seqs, seq) OR {taken})"
        )
        return _events(bulk.rows(sql, parameters | values | {"seqs": sorted(seqs), "engine": ENGINE_SOURCE}))

    def _again(self, bulk: Bulk, where: str, parameters: dict[str, object], fresh: Fresh) -> list[Event]:
        own = f"source = $engine AND (name = '{CARRIED}' OR seq <= $made)"
        sql = f"SELECT {COLUMNS} FROM every_event WHERE {where} AND (source <> $engine OR ({own}))"  # noqa: S608
        parameters = parameters | {"made": -1 if self.begin is None else self.begin.seq}
        found = _events(bulk.rows(sql, parameters | {"engine": ENGINE_SOURCE}))
        seqs = [event.seq for event in found if event.source != ENGINE_SOURCE]
        taken = fresh[0] | self.state.which_taken(seqs) | self._before(seqs)
        return [event for event in found if event.source == ENGINE_SOURCE or event.seq in taken]

    def _before(self, seqs: list[int]) -> set[int]:
        """Which events a replay that begins at a checkpoint does not take again, because they are in it."""
        return set() if self.begin is None else self.begin.state.taken_up_to(self.begin.position, seqs)

    def _said(self, fresh: Fresh) -> Iterable[Event]:
        rows = list(fresh[1])
        if self.again:
            rows += self.state.outbox(10**9)
        return map(spoken, rows)


def spoken(row: OutboxRow) -> Event:
    """The event of an output or receipt that is on its way into the log."""
    made = LogRow(
        ENGINE_SOURCE, row.message_id, "track", row.name, row.user_id, row.anonymous_id, row.taken_at, row.taken_at,
        row.properties, row.traits,
    )  # fmt: skip
    return from_row(0, made)


def counts(event: Event) -> bool:
    """Whether an event counts for facts, whoever has said it."""
    return event.is_input or event.name in ("Traits Updated", CARRIED)


def _events(rows: Iterable[tuple[object, ...]]) -> list[Event]:
    return [from_row(int(row[0] or 0), LogRow(*row[1:])) for row in rows]  # type: ignore[call-overload, arg-type]
