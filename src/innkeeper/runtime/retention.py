"""The retention job: says what is due and what something still needs, and lets the rest go, with what it added up to
carried. Words on traits end by themselves, in the fold; here they go from the log.

Beside a served home the door goes on appending, but for the one step that changes the log; what comes meanwhile stays,
for only what was taken goes.

The order, so that a kill anywhere leaves a workspace that is whole: outputs into the log and the tail into segments;
checkpoints behind which something goes are dropped, and one is made if none is left; the log changes in one step; the
ledger and the decisions follow; the files are written anew, so that nothing stays in their free pages. Done again, it
does what is left to do. What is due in the log is asked in `store/due.py`, what is carried made in `carrying.py`.
"""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import msgspec

from innkeeper.events.types import ENGINE_SOURCE, RECEIPTS
from innkeeper.identity.retraction import LIFTED, RETRACTED
from innkeeper.kernel.errors import OperationFailed, UsageError
from innkeeper.kernel.failpoints import failpoint
from innkeeper.kernel.time import BEGINNING, Clock, Instant, SystemClock
from innkeeper.runtime import checkpoint as checks
from innkeeper.runtime import definitions as applied
from innkeeper.runtime.carrying import Carrying, carried_summaries, let_go
from innkeeper.runtime.checkpoints import make_checkpoint
from innkeeper.runtime.outlet import drain
from innkeeper.runtime.retention_needs import oldest_traits, still_read
from innkeeper.runtime.retention_report import Case, Report, bytes_of, report_of, rules_of
from innkeeper.runtime.thinning import ended_now, lives, write_thinned
from innkeeper.runtime.writing import writing
from innkeeper.store import duck, manifest, retired, sqlite
from innkeeper.store.bulk import Bulk
from innkeeper.store.due import Due
from innkeeper.store.letting_go import Leaving
from innkeeper.store.log import Log
from innkeeper.store.segments import leftovers
from innkeeper.store.state import REVISION, State

#: A checkpoint that is older than this share of the shortest retention is not the only one any more.
_SPACING = 2
#: Set while old pages and old segments may still hold what went.
_UNCLEAN = "retention_unclean"


def survey(home: Path, *, clock: Clock | None = None) -> Report:
    """What `retain` would do. Changes nothing.

    Raises:
        UsageError: Nothing is applied, or the workspace has not run yet.
    """
    with State.open(home, readonly=True) as state, Bulk.open(home) as bulk:
        case = _case(home, state, clock)
        return report_of(case, _due(case, bulk), dry_run=True)


def retain(home: Path, *, clock: Clock | None = None) -> Report:
    """Let go what is due and what nothing needs any more.

    Raises:
        UsageError: Nothing is applied, or the workspace has not run yet.
        OperationFailed: The home is in use, or what goes cannot be carried exactly; nothing was changed.
    """
    with writing(home) as (log, state):
        checks.sweep(home)
        drain(state, log)
        log.seal(force=True)
        case = _case(home, state, clock)
        before = bytes_of(home)
        with Bulk.open(home) as bulk:
            _check_words(case, bulk)
            due = _due(case, bulk)
            report = report_of(case, due, dry_run=False)
            if report.goes:
                _checkpoints(case, due, log)
            leaving = _leaving(case, due) if due.any() else None
        if leaving is not None:
            with ExitStack() as stack:
                for path in (leaving.rows, leaving.carried, leaving.thinned):
                    stack.callback(path.unlink, missing_ok=True)
                log.let_go(leaving)
        _rows(case)
        for path in report.log_files:
            path.unlink(missing_ok=True)
        if report.goes:
            _record(case, report)
            _clean(case)
    report.bytes_before, report.bytes_after = before, bytes_of(home)
    return report


def _case(home: Path, state: State, clock: Clock | None) -> Case:
    definitions, cursor = applied.applied(state), state.cursor()
    if definitions is None:
        raise UsageError(
            "no strategy is applied, so nothing says how long anything is kept",
            code="no-strategy", fix="declare retention in policies.yaml, then: innkeeper apply DIR",
        )  # fmt: skip
    if cursor is None:
        raise UsageError(
            "the workspace has not run yet, and what was not taken does not go",
            code="not-run", fix="innkeeper run --until now",
        )  # fmt: skip
    kept = definitions.workspace.merges.kept
    return Case(home, state, definitions.policies.retention, kept, cursor, (clock or SystemClock()).now())


def _check_words(case: Case, bulk: Bulk) -> None:
    """What a retraction that waits to be taken needs must not go before it."""
    waiting = (
        "SELECT 1 FROM every_event WHERE user_id IS NULL AND anonymous_id IS NULL AND source <> $engine"
        " AND name IN ($retracted, $lifted) AND seq > $seq LIMIT 1"
    )
    values = {"engine": ENGINE_SOURCE, "retracted": RETRACTED, "lifted": LIFTED, "seq": case.cursor.seq}
    if bulk.rows(waiting, values):
        raise OperationFailed(
            "a retraction waits to be taken, and it needs what would go", code="retraction-waits",
            where=str(case.home), fix="innkeeper run --until now, then call again",
        )  # fmt: skip


def _due(case: Case, bulk: Bulk) -> Due:
    rules, wanted = applied.world(case.state).identity, still_read(case.state, case.retention)
    ends = lives(case.kept, case.cursor.clock).items()
    return Due(bulk, rules_of(case, bulk), wanted, case.cursor.seq, rules, oldest=oldest_traits(case.state), ends=ends)


def _leaving(case: Case, due: Due) -> Leaving:
    listed = manifest.load(case.home)
    summaries = carried_summaries(applied.world(case.state))
    carrying = Carrying(summaries, listed.generation + 1, case.cursor.clock)
    going: dict[str, Instant] = {}
    for count in due.counts():
        if count.reason is None and (not count.ours or count.name in RECEIPTS):
            length = case.retention.rule_of(ENGINE_SOURCE if count.ours else "", count.name).length or 0
            going[count.name] = max(case.cursor.clock - length, going.get(count.name, BEGINNING))
    rows, carried, thinned = (duck.scratch_file(case.home, name) for name in ("leaving", "outbox", "thinned"))
    carrying.write(due.folded(carrying.read), carried)
    write_thinned(due.thinned(), thinned)
    due.export(rows)
    ended = ended_now(listed.ended, (words.trait for words in due.words() if words.goes), case.cursor.clock)
    return Leaving(
        rows=rows, carried=carried, thinned=thinned, let_go=let_go(listed.let_go, going, summaries), ended=ended
    )  # fmt: skip


def _checkpoints(case: Case, due: Due, log: Log) -> None:
    """Drop the checkpoints behind which something goes; make one where none is left, or all are old."""
    known = checks.checkpoints(case.home)
    good = [each for each in known if not _is_touched(case, due, each)]
    for each in known:
        if each not in good:
            checks.drop(case.home, each)
    if good and case.cursor.clock - good[-1].clock < min(case.lengths) // _SPACING:
        return
    make_checkpoint(case.home, case.state, log, case.cursor.clock)


def _is_touched(case: Case, due: Due, checkpoint: checks.Checkpoint) -> bool:
    """Whether something that a replay from the checkpoint needs goes."""
    seqs: list[int] = []
    after = checkpoint.position
    while rows := case.state.taken(after, 50_000):
        after = rows[-1].position
        if any(row.mode == "definitions" for row in rows):
            # New definitions learn the past from all events, with summaries that nothing may have carried.
            return True
        if any(row.mode == REVISION for row in rows):
            # A revision plays everything that came before it, too.
            return True
        seqs += [row.seq for row in rows if row.mode in ("live", "late", "history")]
    if due.touches(seqs, ours_after=checkpoint.seq):
        return True
    if due.ended_since(lives(case.kept, checkpoint.clock)):
        # It counted then, so the states hold it.
        return True
    until = case.until(case.retention.ledger.length)
    return until is not None and retired.touched_after(
        case.state.connection, until, checkpoint.position, checkpoint.clock
    )


def _rows(case: Case) -> None:
    ledger, decisions = (case.until(rule.length) for rule in (case.retention.ledger, case.retention.decisions))
    with case.state.transaction() as connection:
        if ledger is not None:
            retired.retire_deliveries(connection, ledger)
        if decisions is not None:
            retired.retire_decisions(connection, decisions)
    failpoint("retain.ledger")


def _record(case: Case, report: Report) -> None:
    with case.state.transaction() as connection:
        connection.execute(
            "INSERT INTO retentions (at, report) VALUES (?, ?)",
            (case.cursor.clock, msgspec.json.encode(report.as_dict()).decode()),
        )


def _clean(case: Case) -> None:
    """Write both databases anew: what was deleted is nowhere in them."""
    path = case.home / "log.db"
    database = sqlite.connect(path)
    try:
        free = [sqlite.wipe(database, path), sqlite.wipe(case.state.connection, case.state.path)]
    finally:
        database.close()
    if not all(free) or leftovers(case.home / manifest.FOLDER, manifest.load(case.home)):
        raise OperationFailed(
            "what was due is gone, but another process reads the store, so that its old pages are still on disk",
            code="not-cleaned", where=str(case.home), fix="call innkeeper retention --yes again when it has ended",
        )  # fmt: skip
    case.state.set_meta(_UNCLEAN, "no")
