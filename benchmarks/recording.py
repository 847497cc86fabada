"""Records what a run of the engine reads and writes, so that the bare work can be done again without the engine.

Watches `State`, `Projections` and the functions that `runtime/` uses of them; nothing in the program knows of it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from cProfile import Profile
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any
from unittest.mock import patch

from benchmarks.harness import peak_mib
from innkeeper import lifecycle
from innkeeper.events.types import Event
from innkeeper.kernel.time import Instant
from innkeeper.runtime import engine as engine_module
from innkeeper.runtime import run as run_module
from innkeeper.runtime.outlet import drain
from innkeeper.runtime.record import ordered_events
from innkeeper.runtime.run import run
from innkeeper.store.bulk import Bulk
from innkeeper.store.log import Log
from innkeeper.store.projections import Projections, to_outbox
from innkeeper.store.state import Cursor, OutboxRow, State, SubjectRow, TakenRow


@dataclass(slots=True)
class Commit:
    """What one transaction wrote."""

    bodies: list[bytes] = field(default_factory=list)
    taken: list[TakenRow] = field(default_factory=list)
    outputs: list[tuple[Any, ...]] = field(default_factory=list)
    projected: list[tuple[Any, ...]] = field(default_factory=list)
    receipts: list[OutboxRow] = field(default_factory=list)
    cursor: Cursor | None = None


@dataclass(slots=True)
class Recording:
    """The operations of a run in their order: (kind, argument), kinds read, due, bodies, commit, drain."""

    until: Instant
    operations: list[tuple[str, Any]] = field(default_factory=list)
    commit: Commit = field(default_factory=Commit)

    def add(self, kind: str, argument: Any) -> None:
        """One more operation; reads that follow each other are one."""
        if kind == "read" and self.operations and self.operations[-1][0] == "read":
            argument += self.operations.pop()[1]
        self.operations.append((kind, argument))

    def commits(self) -> list[Commit]:
        """All commits."""
        return [argument for kind, argument in self.operations if kind == "commit"]

    def woken(self) -> int:
        """How many profiles were looked up because a timer of theirs was due."""
        return sum(argument[2] for kind, argument in self.operations if kind == "due")

    def outputs(self) -> int:
        """How many outputs and receipts were written."""
        return sum(len(commit.outputs) + len(commit.receipts) for commit in self.commits())


def timed_run(home: Path, until: Instant) -> dict[str, Any]:
    """Play the record; the seconds from reading the first event to the last commit.

    Moving the outputs to the log is not counted: it is no part of a tick.
    """
    begun: list[float] = []
    aside: list[float] = []
    ended: list[float] = []

    def begin(*arguments: Any) -> Iterator[Event]:
        begun.append(time.perf_counter())
        return ordered_events(*arguments)

    def put_aside(state: State, log: Log) -> int:
        since = time.perf_counter()
        moved = drain(state, log)
        aside.append(time.perf_counter() - since)
        return moved

    def tell(*_: Any) -> None:
        ended[:] = [time.perf_counter(), sum(aside)]

    with patch.object(run_module, "ordered_events", begin), patch.object(run_module, "drain", put_aside):
        report = run(home, until=until, deliver="none", progress=tell)
    end, drained = ended
    return {
        "seconds": end - begun[0] - drained,
        "events": report.counts.events,
        "ticks": report.counts.ticks,
        "peak_mib": peak_mib(),
    }


def record(home: Path, until: Instant, profile: Profile) -> Recording:
    """Play the record under the profiler, writing down every operation on the store."""
    recording = Recording(until=until)
    with _watched(recording, profile):
        run(home, until=until, deliver="none", progress=lambda *_: None)
    profile.disable()
    return recording


def timed_bare(home: Path, recording: Recording) -> float:
    """Do what was recorded, without the engine; the seconds it took, without getting ready what it writes."""
    taken = 0.0
    with Log.open(home) as log, State.open(home) as state, Bulk.open(home) as bulk:
        cursor = state.cursor()
        if cursor is None:
            raise AssertionError("the workspace has been run before")
        since = time.perf_counter()
        events = ordered_events(bulk, cursor, log.last_seq(), recording.until, set())
        taken += time.perf_counter() - since
        for kind, argument in recording.operations:
            if kind == "drain":
                drain(state, log)
                continue
            states = [lifecycle.decode(body) for body in argument.bodies] if kind == "commit" else []
            since = time.perf_counter()
            match kind:
                case "read":
                    for _ in islice(events, argument):
                        pass
                case "due":
                    state.due(argument[0], argument[1])
                case "bodies":
                    _ = {subject: lifecycle.decode(body) for subject, body in state.bodies(argument).items()}
                case _:
                    _write(state, argument, states)
            taken += time.perf_counter() - since
    return taken


def _write(state: State, commit: Commit, states: list[Any]) -> None:
    rows = [SubjectRow(each.subject, each.next_due_at, each.stage, lifecycle.encode(each)) for each in states]
    outbox = [to_outbox(*arguments) for arguments in commit.outputs]
    projections = Projections()
    for at, subject, output, virtual in commit.projected:
        projections.add(at, subject, output, virtual=virtual)
    with state.transaction() as connection:
        state.put_subjects(rows)
        state.add_taken(commit.taken)
        state.add_outbox(outbox + commit.receipts)
        projections.write(connection)
        if commit.cursor is not None:
            state.set_cursor(commit.cursor)


class _Watcher:
    """Stands between the engine and the store, and writes down what passes, from the first event that is read."""

    def __init__(self, recording: Recording, profile: Profile) -> None:
        self.recording, self.profile, self.begun = recording, profile, False
        self.due, self.bodies, self.transaction = State.due, State.bodies, State.transaction
        self.put_subjects, self.add_taken = State.put_subjects, State.add_taken
        self.add_outbox, self.set_cursor = State.add_outbox, State.set_cursor
        self.project = Projections.add

    def on_reading(self, *arguments: Any) -> Iterator[Event]:
        self.begun = True
        self.profile.enable()
        for event in ordered_events(*arguments):
            self.recording.add("read", 1)
            yield event

    def on_due(self, state: State, until: Instant, limit: int) -> Any:
        found = self.due(state, until, limit)
        self.recording.add("due", (until, limit, len(found)))
        return found

    def on_bodies(self, state: State, subjects: Any) -> Any:
        wanted = list(subjects)
        if self.begun and wanted:
            self.recording.add("bodies", wanted)
        return self.bodies(state, wanted)

    def on_put_subjects(self, state: State, rows: Any) -> None:
        self.recording.commit.bodies += [row[3] for row in rows]
        self.put_subjects(state, rows)

    def on_add_taken(self, state: State, rows: Any) -> None:
        self.recording.commit.taken += rows
        self.add_taken(state, rows)

    def on_add_outbox(self, state: State, rows: Any) -> None:
        self.recording.commit.receipts += [row for row in rows if row.idx < 0]
        self.add_outbox(state, rows)

    def on_set_cursor(self, state: State, cursor: Cursor) -> None:
        self.recording.commit.cursor = cursor
        self.set_cursor(state, cursor)

    @contextmanager
    def on_transaction(self, state: State) -> Iterator[Any]:
        with self.transaction(state) as connection:
            yield connection
        if self.begun:
            self.recording.add("commit", self.recording.commit)
        self.recording.commit = Commit()

    def on_output(self, *arguments: Any) -> OutboxRow:
        self.recording.commit.outputs.append(arguments)
        return to_outbox(*arguments)

    def on_project(self, projections: Projections, at: Instant, subject: str, output: Any, *, virtual: bool) -> None:
        self.recording.commit.projected.append((at, subject, output, virtual))
        self.project(projections, at, subject, output, virtual=virtual)

    def on_drain(self, state: State, log: Log) -> int:
        self.profile.disable()
        before, self.recording.commit = self.recording.commit, Commit()
        place = len(self.recording.operations)
        moved = drain(state, log)
        del self.recording.operations[place:]
        self.recording.add("drain", None)
        self.recording.commit = before
        self.profile.enable()
        return moved


@contextmanager
def _watched(recording: Recording, profile: Profile) -> Iterator[None]:
    """While it lasts, a watcher is in the place of everything through which the engine reaches the store."""
    watcher = _Watcher(recording, profile)
    with ExitStack() as stack:
        for name in ("due", "bodies", "put_subjects", "add_taken", "add_outbox", "set_cursor", "transaction"):
            stack.enter_context(patch.object(State, name, _as_method(getattr(watcher, f"on_{name}"))))
        stack.enter_context(patch.object(Projections, "add", _as_method(watcher.on_project)))
        stack.enter_context(patch.object(engine_module, "to_outbox", watcher.on_output))
        stack.enter_context(patch.object(run_module, "ordered_events", watcher.on_reading))
        stack.enter_context(patch.object(run_module, "drain", watcher.on_drain))
        yield


def _as_method(function: Callable[..., Any]) -> Callable[..., Any]:
    """A bound method that can stand in a class and gets that class's instance as its first argument."""

    def method(*arguments: Any, **named: Any) -> Any:
        return function(*arguments, **named)

    return method
