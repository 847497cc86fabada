"""The work that journeys ask people to do: listed, taken by somebody, and how it ended.

What a task is about is the engine's (`store/tasks.py`), who has it and how it ended is the colleagues'
(`store/work.py`). The end is an event of the customer too, `Task Done` of the source `cli`, so that journeys and
audiences can go by it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from innkeeper.events.types import LogRow
from innkeeper.kernel.errors import UsageError
from innkeeper.kernel.ids import ANONYMOUS, USER, digest
from innkeeper.kernel.json import dumps
from innkeeper.kernel.time import Clock, Instant, format_instant
from innkeeper.runtime.lookup import subject_of
from innkeeper.runtime.notes import SOURCE
from innkeeper.runtime.writing import writing
from innkeeper.store import tasks
from innkeeper.store.state import State
from innkeeper.store.work import FILE, Handling, Work

DONE: Final = "Task Done"
#: How long the name of a colleague or of an outcome may be.
LONGEST: Final = 100
#: How long a note may be.
LONGEST_NOTE: Final = 2_000
#: What a task may be: open and nobody's, somebody's, done, or closed because nothing asks for it any more.
STANDINGS: Final = ("open", "claimed", "done", "closed")


def listing(
    home: Path,
    *,
    queue: str | None = None,
    standing: str | None = None,
    assignee: str | None = None,
    profile: str | None = None,
) -> list[dict[str, Any]]:
    """The tasks, oldest first, of a queue, a state, a colleague, a customer, or all."""
    with State.open(home, readonly=True) as state:
        subject = None if profile is None else subject_of(state, profile)
        found = list(tasks.listing(state.connection, queue, subject=subject))
    told = handled(home, found)
    return [
        each
        for each in told
        if standing in (None, each["state"]) and (assignee is None or assignee == each["assignee"])
    ]


def show(home: Path, id: str) -> dict[str, Any]:
    """One task.

    Raises:
        UsageError: There is none of this id.
    """
    with State.open(home, readonly=True) as state:
        found = list(tasks.listing(state.connection, id=id))
    if not found:
        raise UsageError(f"there is no task '{id}'", code="unknown-task", fix="list them: innkeeper task list")
    return handled(home, found)[0]


def handled(home: Path, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Tasks, each with what people did with it."""
    work: dict[str, Handling] = {}
    if (home / FILE).exists():
        with Work.open(home) as opened:
            work = opened.of(row["id"] for row in rows)
    return [_with(row, work.get(row["id"], Handling(row["id"]))) for row in rows]


def claim(home: Path, id: str, who: str, clock: Clock) -> dict[str, Any]:
    """Take a task; who has it already keeps it.

    Raises:
        UsageError: There is no such task, somebody else has it, or it is no longer to be done.
    """
    task, who = _to_do(home, id), _named(who)
    with Work.open(home) as work:
        if not work.claim(id, who, clock.now()):
            holder = show(home, id)["assignee"] or task["assignee"]
            raise UsageError(
                f"'{holder}' has the task '{id}'", code="task-in-use",
                fix=f"give it to somebody else: innkeeper task assign {id} NAME",
            )  # fmt: skip
    return show(home, id)


def assign(home: Path, id: str, who: str | None, clock: Clock) -> dict[str, Any]:
    """Give a task to somebody, or (None) back to nobody, whoever has it.

    Raises:
        UsageError: There is no such task, or it is no longer to be done.
    """
    _to_do(home, id)
    with Work.open(home) as work:
        if not work.assign(id, None if who is None else _named(who), clock.now()):
            raise _ended(id, "done")
    return show(home, id)


def finish(home: Path, id: str, who: str, *, outcome: str, note: str, clock: Clock) -> dict[str, Any]:
    """Write down that a task is done and how it ended; the customer's `Task Done` is taken with the next tick.

    Raises:
        UsageError: There is no such task, it is no longer to be done, or the note is too long.
        OperationFailed: Another process holds the home.
    """
    if len(note) > LONGEST_NOTE:
        raise UsageError(
            f"the note has {len(note):,} characters; at most {LONGEST_NOTE:,} are kept", code="too-large",
            fix="write what is worth knowing in fewer words",
        )  # fmt: skip
    with writing(home, readonly_state=True) as (log, state):
        task, who = _to_do(home, id), _named(who)
        if "household_id" in task["context"]:
            raise UsageError(
                f"'{id}' asks a question that holds messages back", code="task-needs-answer",
                fix=f"answer it: innkeeper household release {task['context']['household_id']}",
            )  # fmt: skip
        now = max(clock.now(), state.clock() or 0)
        outcome, note = _named(outcome) if outcome else "", note.strip()
        said = {"task": id, "queue": task["queue"], "outcome": outcome, "note": note, "by": who}
        row = _row(subject_of(state, task["user_id"]), {name: each for name, each in said.items() if each}, now)
        with Work.open(home) as work:
            # The event comes first: a task that is done without its event could not be ended again.
            if not work.end(id, who, outcome, note, now, first=lambda: log.append([row])):
                raise _ended(id, "done")
    return show(home, id)


def _row(subject: str, properties: dict[str, str], at: Instant) -> LogRow:
    return LogRow(
        # A task ends once: the same word again is a duplicate.
        source=SOURCE, message_id=digest(DONE, properties["task"]), type="track", name=DONE,
        user_id=subject[len(USER) :] if subject.startswith(USER) else None,
        anonymous_id=subject[len(ANONYMOUS) :] if subject.startswith(ANONYMOUS) else None,
        timestamp=at, received_at=at, properties=dumps(properties),
    )  # fmt: skip


def _with(row: dict[str, Any], work: Handling) -> dict[str, Any]:
    standing = row["state"]
    if work.done_at is not None:
        standing = "done"
    elif standing == "open" and work.assignee is not None:
        standing = "claimed"
    return row | {
        "state": standing, "assignee": work.assignee, "outcome": work.outcome, "note": work.note,
        "done_by": work.done_by, "done_at": None if work.done_at is None else format_instant(work.done_at),
    }  # fmt: skip


def _to_do(home: Path, id: str) -> dict[str, Any]:
    task = show(home, id)
    if task["state"] not in ("open", "claimed"):
        raise _ended(id, task["state"])
    return task


def _ended(id: str, how: str) -> UsageError:
    return UsageError(
        f"the task '{id}' is {how}", code="task-ended", fix="list what is to be done: innkeeper task list"
    )


def _named(text: str) -> str:
    if not text.strip() or len(text) > LONGEST or not text.isprintable():
        raise UsageError(
            f"{text[:LONGEST]!r} cannot be the name of a colleague or of an outcome", code="bad-name",
            fix=f"1 to {LONGEST} characters, none of them invisible",
        )  # fmt: skip
    return text.strip()
