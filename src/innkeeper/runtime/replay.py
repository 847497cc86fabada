"""`replay`: makes every output again from the log, in the recorded order of inputs, and compares with what was written.

It works in a scratch store beside the real one, which it only reads. Where inputs went by retention it begins from the
oldest checkpoint behind which nothing is missing.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

import msgspec

from innkeeper import lifecycle
from innkeeper.events.retention import CARRIED
from innkeeper.events.types import ENGINE_SOURCE, Event
from innkeeper.identity.retraction import is_control
from innkeeper.kernel.errors import OperationFailed
from innkeeper.kernel.time import BEGINNING, Instant, format_instant
from innkeeper.runtime import definitions as applied
from innkeeper.runtime.adopt import adopt, end_history
from innkeeper.runtime.checkpoint import Checkpoint, checkpoints, folder_of
from innkeeper.runtime.checkpoints import renew
from innkeeper.runtime.engine import Engine
from innkeeper.runtime.fanout import Page
from innkeeper.runtime.lock import hold
from innkeeper.runtime.recall import Begin, Recall
from innkeeper.runtime.resettle import is_settled
from innkeeper.runtime.work import Item, Mode
from innkeeper.store.bulk import Bulk
from innkeeper.store.copying import copy_states
from innkeeper.store.log import Log
from innkeeper.store.state import REFUSED, REVISION, Cursor, Receipt, State, TakenRow
from innkeeper.strategy.types import Definitions

_PAGE = 2_000
_SHOWN = 20


@dataclass(slots=True)
class Difference:
    """An output that is not the same twice; `recorded` or `made` is None where one side lacks it."""

    message_id: str
    recorded: str | None
    made: str | None


@dataclass(slots=True)
class Replay:
    """How a replay went; *begins_at*: from which instant on, None: from the beginning."""

    begins_at: Instant | None = None
    inputs: int = 0
    outputs: int = 0
    different: int = 0
    examples: list[Difference] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """The JSON form."""
        return {
            "from": None if self.begins_at is None else format_instant(self.begins_at),
            "inputs": self.inputs,
            "outputs": self.outputs,
            "different": self.different,
            "examples": [
                {"messageId": one.message_id, "recorded": one.recorded, "made": one.made} for one in self.examples
            ],
        }


def replay(home: Path) -> Replay:
    """Play the recorded order of inputs again and compare all outputs.

    Raises:
        OperationFailed: The home is in use, or an event of the recorded order is missing from the log.
    """
    scratch = home / "replay"
    shutil.rmtree(scratch, ignore_errors=True)
    with hold(home):
        scratch.mkdir()
        try:
            with Log.open(home) as log, State.open(home) as real, State.open(scratch, create=True) as state:
                renew(home, real, log)
                # A revision plays everything that came before it: it is done again only from the beginning.
                known = [each for each in checkpoints(home) if each.position >= real.last_revision()]
                begin = next(iter(known), None)
                if begin is not None:
                    copy_states(folder_of(home, begin) / "state.db", state)
                again = Again(home, log, real, state, begin=begin)
                again.play()
                return again.compare()
        finally:
            shutil.rmtree(scratch, ignore_errors=True)


class Again:
    """The recorded order of inputs, played into a scratch store.

    Args:
        home, log, real: The workspace, which is only read; no log where `_events` knows better.
        scratch: Where the states and outputs go.
        identifiers: Only these customers' inputs are played; None: everybody's.
        begin: The checkpoint whose states the scratch store holds; None: it is empty.
    """

    def __init__(
        self,
        home: Path,
        log: Log | None,
        real: State,
        scratch: State,
        *,
        identifiers: set[str] | None = None,
        begin: Checkpoint | None = None,
    ) -> None:
        self.home, self.log, self.real, self.scratch = home, log, real, scratch
        self.identifiers, self.begin = identifiers, begin
        self.report = Replay(begins_at=None if begin is None else begin.clock)
        self._unlinked: set[int] = set()
        self.engine = self._make_engine()
        if begin is not None and real.last_revision():
            self._know_deliveries(begin)
        self.cursor = Cursor(clock=BEGINNING, timestamp=BEGINNING)

    def _make_engine(self) -> Engine:
        begin = self.begin
        world = (
            lifecycle.World.build(Definitions(version="none"))
            if begin is None
            else applied.world(self.real, begin.definitions)
        )
        engine = Engine(
            self.scratch,
            world,
            delivery="replay",
            was_virtual=self._was_virtual,
            log=lambda: Bulk.open(self.home),
            memory=Recall(
                self.home,
                self.scratch,
                again=True,
                begin=None if begin is None else Begin(self.real, begin.position, begin.seq),
            ),
        )
        is_settled(self.scratch, world.identity)
        return engine

    def _know_deliveries(self, begin: Checkpoint) -> None:
        """An enrollment that a revision has put back may plan again what was planned before the checkpoint."""
        rows = self.real.connection.execute(
            "SELECT * FROM deliveries WHERE planned_at <= ? AND (state, reason) <> ('cancelled', 'retracted')",
            (begin.clock,),
        )
        marks = ", ".join("?" * len(rows.description))
        with self.scratch.transaction() as connection:
            connection.executemany(f"INSERT INTO deliveries VALUES ({marks})", rows)  # noqa: S608
            self.scratch.set_meta("revised", "yes")

    def play(self, wanted: Callable[[TakenRow], bool] | None = None, *, until: Instant | None = None) -> None:
        """Take the wanted inputs in their order, then let every timer go off up to *until* (None: the clock)."""
        for rows in self._pages():
            if wanted is not None:
                rows = [row for row in rows if wanted(row)]
            for kind, group in groupby(rows, key=_kind):
                self._take(kind, list(group))
            self.report.inputs += len(rows)
        end = self.real.clock() if until is None else until
        if end is not None:
            self._settle(end)

    def _pages(self) -> Iterator[list[TakenRow]]:
        after = 0 if self.begin is None else self.begin.position
        while rows := self.real.taken(after, _PAGE):
            after = rows[-1].position
            yield rows

    def _events(self, seqs: list[int]) -> dict[int, Event]:
        return {} if self.log is None else self.log.get(seqs)

    def _take(self, kind: str, rows: list[TakenRow]) -> None:
        if kind == "event":
            # A word that was taken by a revision stands right after it.
            rows = [row for row in rows if row.seq not in self._unlinked]
            events = self._events([row.seq for row in rows])
            missing = [row.seq for row in rows if row.seq not in events]
            if missing:
                raise _gap(missing)
            items = [Item(events[row.seq], row.taken_at, _mode(row)) for row in rows]
            self.engine.tick(items, BEGINNING, self.cursor)
        elif kind == "fanout":
            for row in rows:
                self.engine.tell_again(msgspec.json.decode(row.reason or "", type=Page), row.taken_at)
        elif kind == "receipt":
            for row in rows:
                receipt = self._receipt(row)
                if receipt.reason == "virtual":
                    continue  # heard when it was planned
                if self.identifiers is None or receipt.identifier in self.identifiers:
                    self.engine.take_receipts([receipt], None, self.cursor)
        elif kind == REVISION:
            for row in rows:
                self._revise(row)
        else:
            for row in rows:
                self._turn(row)

    def _revise(self, row: TakenRow) -> None:
        """Do a revision again, at its place: what was taken before it is known, what came after is not."""
        from innkeeper.runtime.as_if import Recorded
        from innkeeper.runtime.revise import revise
        from innkeeper.runtime.unlink import unlink_again

        if row.outcome == REFUSED:
            return
        if self.begin is not None:
            raise OperationFailed(
                "a revision cannot be done again from a checkpoint, and inputs before it went by retention",
                code="past-is-gone", where=f"position {row.position}", fix="run: innkeeper run --until now",
            )  # fmt: skip
        self._settle(row.taken_at)
        event = self._events([row.seq]).get(row.seq)
        if event is None:
            raise _gap([row.seq])
        with Bulk.open(self.home) as bulk:
            if is_control(event):
                recorded = Recorded(bulk, self.real, row.position, row.seq)
                revise(self.engine, recorded, event, row.taken_at, None, identifiers=self.identifiers)
            else:
                self._unlinked.add(row.seq)
                recorded = Recorded(bulk, self.real, row.position + 2, row.seq + 1)
                unlink_again(self.engine, recorded, Item(event, row.taken_at, "late"), self.identifiers)

    def _turn(self, row: TakenRow) -> None:
        cursor = msgspec.json.decode(row.reason or "", type=Cursor)
        if row.mode == "history_end":
            end_history(self.engine, row.taken_at, cursor)
            return
        self._settle(row.taken_at)
        self.engine.world = self._world(row.seq)
        with self._asked() as bulk:
            begun = 0 if self.begin is None else self.begin.seq
            adopt(self.engine, bulk, row.seq, cursor, identifiers=self.identifiers, upto=row.taken_at, begun=begun)

    def _world(self, number: int) -> lifecycle.World:
        return applied.world(self.real, number)

    def _asked(self) -> AbstractContextManager[Bulk]:
        return Bulk.open(self.home)

    def _settle(self, until: Instant) -> None:
        while due := self.scratch.due(until, _PAGE):
            self.engine.tick([], until, self.cursor, due=[subject for _, subject in due])
        self.engine.wake_all(until)

    def _receipt(self, row: TakenRow) -> Receipt:
        found = self.real.connection.execute(
            "SELECT id, subject, identifier, message, channel, purpose, journey, key FROM deliveries WHERE id = ?",
            (row.delivery,),
        ).fetchone()
        if found is None:
            raise OperationFailed(f"the ledger lacks the delivery {row.delivery}", code="ledger-gap")
        return Receipt(
            found[0], row.subject or found[1], found[2], found[3], found[4], found[5], found[6], found[7],
            row.outcome or "", row.reason or "", row.taken_at, row.taken_at,
        )  # fmt: skip

    def _was_virtual(self, delivery_id: str) -> bool:
        row = self.real.connection.execute("SELECT reason FROM deliveries WHERE id = ?", (delivery_id,)).fetchone()
        return row is not None and row[0] == "virtual"

    # Comparing

    def compare(self) -> Replay:
        made = self.scratch.connection.execute(
            "SELECT message_id, name, properties, traits FROM outbox ORDER BY message_id"
        )
        with Bulk.open(self.home) as bulk:
            recorded = _flat(
                bulk.stream(
                    "SELECT message_id, name, properties, traits FROM every_event WHERE source = $source"
                    " AND name <> $carried AND (seq IS NULL OR seq > $after) ORDER BY message_id",
                    {
                        "source": ENGINE_SOURCE,
                        "carried": CARRIED,
                        "after": 0 if self.begin is None else self.begin.seq,
                    },
                )
            )
            self._merge(recorded, iter(made))
        return self.report

    def _merge(self, recorded: Iterator[tuple[str, ...]], made: Iterator[tuple[str, ...]]) -> None:
        left, right = next(recorded, None), next(made, None)
        while left is not None or right is not None:
            self.report.outputs += 1
            if left is not None and right is not None and left[0] == right[0]:
                if left != right:
                    self._differ(left[0], left, right)
                left, right = next(recorded, None), next(made, None)
            elif right is None or (left is not None and left[0] < right[0]):
                assert left is not None
                self._differ(left[0], left, None)
                left = next(recorded, None)
            else:
                self._differ(right[0], None, right)
                right = next(made, None)

    def _differ(self, message_id: str, recorded: tuple[str, ...] | None, made: tuple[str, ...] | None) -> None:
        self.report.different += 1
        if len(self.report.examples) < _SHOWN:
            self.report.examples.append(
                Difference(
                    message_id,
                    None if recorded is None else " ".join(recorded[1:]),
                    None if made is None else " ".join(made[1:]),
                )
            )


def _gap(missing: list[int]) -> OperationFailed:
    return OperationFailed(
        f"the log lacks the events with seq {missing[:5]} that were taken", code="log-gap", fix="run: innkeeper doctor"
    )


def _kind(row: TakenRow) -> str:
    return "event" if row.mode in ("live", "late", "history") else row.mode


def _mode(row: TakenRow) -> Mode:
    match row.mode:
        case "history":
            return "history"
        case "late":
            return "late"
        case _:
            return "live"


def _flat(pages: Iterator[list[tuple[Any, ...]]]) -> Iterator[tuple[str, ...]]:
    for page in pages:
        yield from page
