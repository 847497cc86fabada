"""What a revision would change, told exactly: who entered, left or received something because of some events.

Both worlds are played, the one as it is and the one as it would be, and what they said is compared; nothing is stored.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from innkeeper.events.accounts import ACCOUNT
from innkeeper.identity.retraction import LeftOut, Retraction
from innkeeper.kernel.ids import ANONYMOUS, USER, display_id
from innkeeper.kernel.json import loads
from innkeeper.kernel.time import Instant, format_instant
from innkeeper.runtime.about_many import account_ids
from innkeeper.runtime.as_if import AsIf, Plan, play
from innkeeper.runtime.revision import Batch, Group, Recorded, batches, concerned
from innkeeper.store import revision as tables
from innkeeper.store.state import State

#: By name of an output: the list that tells of it, and the properties that it tells.
_SAID = {
    "Audience Entered": ("entered", ("audience",)),
    "Audience Left": ("left", ("audience",)),
    "Stage Changed": ("stages", ("before", "stage")),
    "Journey Entered": ("journeys", ("journey", "key")),
    "Task Created": ("tasks", ("queue", "title", "journey", "key")),
}
LISTS = ("entered", "left", "stages", "journeys", "tasks")
_SQL = (
    "SELECT name, user_id, anonymous_id, taken_at, properties FROM outbox"
    " WHERE name IN ('Audience Entered', 'Audience Left', 'Stage Changed', 'Journey Entered', 'Task Created')"
)
Line = tuple[str, Instant, str, tuple[Any, ...]]


def tell(
    recorded: Recorded, ledger: State, retraction: Retraction, before: LeftOut, after: LeftOut, at: Instant
) -> dict[str, Any]:
    """What happened because of the events, what would have happened without them, and what making it so would do.

    Args:
        recorded: The record up to now.
        ledger: The state as it is.
        retraction: Whose events.
        before, after: What is left out now and would be left out.
        at: The clock.
    """
    told = _Told()
    whom = concerned(recorded, ledger, retraction, after)
    for batch in batches(recorded, ledger, whom, after, at):
        with State.in_memory() as scratch:
            real = play(recorded, ledger, scratch, batch.identifiers, before, at, things=whom.things)
            told.add(batch, real, account_ids(whom.things) if batch.number == 0 else set())
    return {"groups": len(whom.groups), **told.as_dict()}


class _Told:
    def __init__(self) -> None:
        self.because: Counter[Line] = Counter()
        self.otherwise: Counter[Line] = Counter()
        self.lists: dict[str, list[dict[str, Any]]] = {
            name: [] for name in ("received", "cancelled", "planned", "missed", "readmitted", "ended", "closed")
        }
        self.different = 0

    def add(self, batch: Batch, real: AsIf, accounts: set[str]) -> None:
        was, would = Counter(_lines(real, accounts)), Counter(_lines(batch.played, accounts))
        self.because += was - would
        self.otherwise += would - was
        names = {name for group in batch.groups if group.different for name in group.identifiers}
        stores = real.real.connection, batch.scratch.connection
        closed = {
            (subject, task)
            for subject, tasks in tables.tasks_to_close(*stores, names, batch.owner).items() for task in tasks
        }  # fmt: skip
        closed.update(tables.questions_to_close(*stores, batch.identifiers))
        self.lists["closed"] += [{"id": display_id(subject), "task": task} for subject, task in sorted(closed)]
        for group in batch.groups:
            if group.different:
                self.different += len(group.different)
                self._group(group, real)

    def _group(self, group: Group, real: AsIf) -> None:
        lists = self.lists
        for one in group.sent:
            # What an earlier retraction has made superfluous was told then.
            if one.id in real.engine.plans:
                lists["received"].append(_delivery(one) | {"state": "virtual" if one.virtual else one.fate})
        lists["cancelled"] += [_delivery(one) for one in group.cancelled]
        lists["planned"] += [_plan(each) for each in group.due]
        lists["missed"] += [_plan(each) for each in group.missed]
        for subject, different in group.different.items():
            who = {"id": display_id(subject)}
            for name, enrollments in (("readmitted", different.began), ("ended", different.ended)):
                for each in enrollments:
                    lists[name].append(who | {"journey": each.journey, "key": each.key, "step": each.step})

    def as_dict(self) -> dict[str, Any]:
        lists = _by_list(self.because) | self.lists
        return {
            "different": self.different,
            **lists,
            "otherwise": _by_list(self.otherwise),
            "counts": {name: len(lines) for name, lines in lists.items()},
        }


def _lines(played: AsIf, accounts: set[str]) -> Iterator[Line]:
    # Who only spoke of the same things is played in part, and so is an account that nothing happened to.
    told_of = played.identifiers | {ACCOUNT + account for account in accounts}
    for name, user, anonymous, at, properties in played.scratch.connection.execute(_SQL):
        says = loads(properties)
        if user is None and anonymous is None:
            identifier = ACCOUNT + says["account_id"]
        else:
            identifier = USER + user if user is not None else ANONYMOUS + anonymous
        if identifier in told_of:
            yield name, at, identifier, tuple(says.get(each) for each in _SAID[name][1])


def _by_list(lines: Counter[Line]) -> dict[str, list[dict[str, Any]]]:
    told: dict[str, list[dict[str, Any]]] = {name: [] for name in LISTS}
    for name, at, identifier, values in sorted(
        lines.elements(), key=lambda line: (line[1], line[2], line[0], str(line))
    ):
        where, names = _SAID[name]
        told[where].append(
            {"id": display_id(identifier), "at": format_instant(at), **dict(zip(names, values, strict=True))}
        )
    return told


def _delivery(one: Any) -> dict[str, Any]:
    return {
        "id": display_id(one.identifier), "address": one.address, "message": one.message, "journey": one.journey,
        "key": one.key, "at": format_instant(one.planned_at), "delivery_id": one.id,
    }  # fmt: skip


def _plan(plan: Plan) -> dict[str, Any]:
    output = plan.output
    return {
        "id": display_id(output.identifier), "message": output.message, "journey": output.journey, "key": output.key,
        "at": format_instant(plan.at), "expires_at": format_instant(output.expires_at),
    }  # fmt: skip
