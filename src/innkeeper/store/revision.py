"""The tables of `state.db` brought to what a revision says, inside its transaction: who is who, owners of rows,
enrollments, tasks, consents and suppressions, the ledger's open rows.

What was really decided and sent stays as it is. Next in the flow: `runtime/revise.py` calls this.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from itertools import groupby
from typing import Any

import msgspec

from innkeeper.kernel.json import dumps
from innkeeper.kernel.time import Instant
from innkeeper.profiles.difference import Numbers
from innkeeper.profiles.home import question_id
from innkeeper.profiles.state import ProfileState
from innkeeper.store import things
from innkeeper.store.projections import OWNED, WORDS
from innkeeper.store.state import Connection, State
from innkeeper.store.things import ThingKey, ThingRow

#: Whose what was made under an identifier at an instant is.
Owner = Callable[[str, Instant], str]
_IDENTITY = {"turns": ("identifier", "claimant"), "bonds": ("a", "b"), "words": ("a", "b")}


def put_identity(connection: Connection, scratch: Connection, identifiers: set[str]) -> None:
    """Let identifiers be who they are in the other world; which evidence goes is remembered, by its pair."""
    bound = {"names": dumps(sorted(identifiers))}
    for table, (a, b) in _IDENTITY.items():
        mine = f" WHERE {a} IN (SELECT value FROM json_each(:names))"  # noqa: S608 – names of ours
        connection.execute(
            f"INSERT INTO former_links (a, b) SELECT DISTINCT {a}, {b} FROM {table}{mine} ON CONFLICT DO NOTHING",  # noqa: S608
            bound,
        )
        _put_rows(connection, scratch, table, bound, mine)
    _put_rows(connection, scratch, "persons", bound, " WHERE identifier IN (SELECT value FROM json_each(:names))")
    for table, (a, b) in _IDENTITY.items():
        connection.execute(
            f"DELETE FROM former_links WHERE (a, b) IN (SELECT {a}, {b} FROM {table}"  # noqa: S608 – names of ours
            f" WHERE {a} IN (SELECT value FROM json_each(:names)))",
            bound,
        )


def put_owners(connection: Connection, identifiers: set[str], owner: Owner) -> None:
    """Hand what was really done to the profiles that it belongs to now."""
    bound = (dumps(sorted(identifiers)),)
    for table, owned_at in OWNED.items():
        mine = " WHERE subject IN (SELECT value FROM json_each(?))"
        rows = connection.execute(
            f"SELECT DISTINCT subject, identifier, {owned_at} FROM {table}{mine} ORDER BY 1, 2, 3",  # noqa: S608 – ours
            bound,
        ).fetchall()
        # An owner has an identifier for a stretch of time: all rows of a stretch change hands at once.
        stretches = groupby(rows, key=lambda row: (row[0], row[1], owner(row[1], row[2])))
        moved = [
            (after, subject, name, first[2], last[2])
            for (subject, name, after), (first, *_, last) in ((key, [*part] * 2) for key, part in stretches)
            if after != subject
        ]
        connection.executemany(
            f"UPDATE {table} SET subject = ? WHERE subject = ? AND identifier = ? AND {owned_at} BETWEEN ? AND ?",  # noqa: S608
            moved,
        )


def put_words(
    connection: Connection, scratch: Connection, identifiers: set[str], states: Iterable[ProfileState], at: Instant
) -> None:
    """Let the claim read the words that hold now (consents, deaths, homes, ...), and `status` who is parked."""
    bound = {"names": dumps(sorted(identifiers))}
    parked = connection.execute(
        "SELECT subject, at FROM parked WHERE subject IN (SELECT value FROM json_each(:names))", bound
    )
    since = dict(parked.fetchall())
    connection.execute("DELETE FROM parked WHERE subject IN (SELECT value FROM json_each(:names))", bound)
    died = _dead(connection, bound)
    for table in WORDS:
        _put_rows(connection, scratch, table, bound, " WHERE identifier IN (SELECT value FROM json_each(:names))")
    _let_go_of_homes(connection, died - _dead(connection, bound), at)
    connection.executemany(
        "INSERT INTO parked (subject, error, at) VALUES (?, ?, ?)",
        [
            (state.subject, state.parked, since.get(state.subject, state.last_at))
            for state in states
            if state.parked is not None
        ],
    )


def _put_rows(connection: Connection, scratch: Connection, table: str, bound: dict[str, str], mine: str) -> None:
    rows = scratch.execute("SELECT * FROM " + table + mine, bound)  # noqa: S608 – names of ours
    columns = [column[0] for column in rows.description]
    connection.execute("DELETE FROM " + table + mine, bound)  # noqa: S608
    marks = ", ".join("?" * len(columns))
    connection.executemany(
        f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})",  # noqa: S608
        rows.fetchall(),
    )


def _dead(connection: Connection, bound: dict[str, str]) -> set[str]:
    sql = "SELECT DISTINCT subject FROM deaths WHERE dead AND identifier IN (SELECT value FROM json_each(:names))"
    return {subject for (subject,) in connection.execute(sql, bound)}


def _let_go_of_homes(connection: Connection, alive: set[str], at: Instant) -> None:
    """What waits for an answer about somebody who has not died after all goes to the claim again, which may hold it.

    The question is asked no more: its task is closed. Should they have died after all, it is asked anew.
    """
    bound = {"at": at, "names": dumps(sorted(alive))}
    connection.execute(
        "UPDATE deliveries SET hold = NULL, reason = '', released_at = :at, not_before = max(not_before, :at),"
        " receipt = 'none' WHERE state = 'planned' AND hold IN (SELECT household FROM bereavement_questions"
        " WHERE deceased IN (SELECT value FROM json_each(:names)))",
        bound,
    )
    questions = connection.execute(
        "DELETE FROM bereavement_questions WHERE deceased IN (SELECT value FROM json_each(:names))"
        " RETURNING household, deceased",
        bound,
    ).fetchall()
    connection.executemany(
        "UPDATE tasks SET state = 'closed', reason = 'retracted' WHERE id = ? AND state = 'open'",
        [(question_id(household, deceased),) for household, deceased in questions],
    )


def put_answers(connection: Connection, scratch: Connection, taken_back: Iterable[tuple[str, bool, Instant]]) -> None:
    """Let the answers about homes be those of the other world; *taken_back*: household, answer, when it was given."""
    connection.executemany(
        "DELETE FROM bereavement_answers WHERE household = ? AND allowed = ? AND at = ?", list(taken_back)
    )
    connection.executemany(
        "INSERT INTO bereavement_answers (household, allowed, at, taken_at) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
        scratch.execute("SELECT household, allowed, at, taken_at FROM bereavement_answers").fetchall(),
    )


def put_things(real: State, scratch: State, keys: Collection[ThingKey]) -> None:
    """Let objects and items be as in the other world, and remember who was told of them there."""
    things.drop(real, keys)
    bodies = "SELECT kind, type, id, next_due_at, body FROM things WHERE kind = ? AND type = ? AND id = ?"
    told = "SELECT identifier, kind, type, id FROM told WHERE kind = ? AND type = ? AND id = ?"
    for key in sorted(keys):
        things.put(real, [ThingRow(*row) for row in scratch.connection.execute(bodies, key)])
        things.add_told(real, scratch.connection.execute(told, key).fetchall())


def put_many(real: State, scratch: State, identifiers: set[str]) -> None:
    """Let words on accounts, memberships and wishes be those of the other world."""
    bound = {"names": dumps(sorted(identifiers))}
    mine = " WHERE identifier IN (SELECT value FROM json_each(:names))"
    for table in ("account_words", "members", "wishes"):
        _put_rows(real.connection, scratch.connection, table, bound, mine)


def put_enrollments(connection: Connection, scratch: Connection, identifiers: set[str], at: Instant, why: str) -> None:
    """Let the enrollments be those of the other world; what only this one had is `retracted`."""
    there = scratch.execute(
        "SELECT id, subject, identifier, journey, version, key, step, entered_at, owned_at, ended_at, outcome, reason"
        " FROM enrollments"
    ).fetchall()
    mine = [row for row in there if row[1] in identifiers]
    connection.execute(
        "UPDATE enrollments SET ended_at = coalesce(ended_at, :at), outcome = 'retracted', reason = :why"
        " WHERE subject IN (SELECT value FROM json_each(:names)) AND id NOT IN (SELECT value FROM json_each(:ids))"
        " AND outcome IS NOT 'retracted'",
        {"at": at, "why": why, "names": dumps(sorted(identifiers)), "ids": dumps([row[0] for row in mine])},
    )
    connection.executemany(
        "INSERT INTO enrollments (id, subject, identifier, journey, version, key, step, entered_at, owned_at, ended_at,"
        " outcome, reason) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET"
        " subject = excluded.subject, version = excluded.version, step = excluded.step,"
        " entered_at = excluded.entered_at, owned_at = excluded.owned_at, ended_at = excluded.ended_at,"
        " outcome = excluded.outcome, reason = excluded.reason",
        mine,
    )


def different_enrollments(
    connection: Connection, scratch: Connection, identifiers: set[str]
) -> set[tuple[str, Instant]]:
    """The enrollments that are not the same in both worlds, open or over: identifiers, and what says whose they are."""
    everything = "SELECT identifier, owned_at, id, journey, key, step, entered_at, ended_at, outcome FROM enrollments"
    real = connection.execute(
        everything  # noqa: S608 – ours
        + " WHERE subject IN (SELECT value FROM json_each(?)) AND outcome IS NOT 'retracted'",
        (dumps(sorted(identifiers)),),
    )
    return {(row[0], row[1]) for row in set(real) ^ set(scratch.execute(everything))}


def put_tasks(connection: Connection, scratch: Connection, identifiers: set[str]) -> list[str]:
    """Close the open tasks that the other world does not have, and open again those that a revision had closed."""
    there = {id for (id,) in scratch.execute("SELECT id FROM tasks")}
    rows = connection.execute(
        "SELECT id, state, reason FROM tasks WHERE subject IN (SELECT value FROM json_each(?)) ORDER BY id",
        (dumps(sorted(identifiers)),),
    ).fetchall()
    closed = [id for id, state, _ in rows if state == "open" and id not in there]
    opened = [id for id, state, reason in rows if state == "closed" and reason == "retracted" and id in there]
    connection.executemany(
        "UPDATE tasks SET state = 'closed', reason = 'retracted' WHERE id = ?", [(id,) for id in closed]
    )
    connection.executemany("UPDATE tasks SET state = 'open', reason = '' WHERE id = ?", [(id,) for id in opened])
    return closed


def tasks_to_close(
    connection: Connection, scratch: Connection, identifiers: set[str], owner: Owner
) -> dict[str, list[str]]:
    """By the profiles that they belong to there, the open tasks that the other world does not have."""
    there = {id for (id,) in scratch.execute("SELECT id FROM tasks")}
    rows = connection.execute(
        f"SELECT id, identifier, {OWNED['tasks']} FROM tasks WHERE state = 'open'"  # noqa: S608 – names of ours
        " AND subject IN (SELECT value FROM json_each(?)) ORDER BY id",
        (dumps(sorted(identifiers)),),
    )
    found: dict[str, list[str]] = {}
    for id, identifier, at in rows:
        if id not in there:
            found.setdefault(owner(identifier, at), []).append(id)
    return found


def questions_to_close(connection: Connection, scratch: Connection, identifiers: set[str]) -> list[tuple[str, str]]:
    """The open questions about homes in which nobody has died there: whose task it is, and its id."""
    bound = {"names": dumps(sorted(identifiers))}
    alive = _dead(connection, bound) - _dead(scratch, bound)
    questions = connection.execute(
        "SELECT household, deceased FROM bereavement_questions WHERE deceased IN (SELECT value FROM json_each(?))",
        (dumps(sorted(alive)),),
    )
    ids = dumps(sorted(question_id(household, deceased) for household, deceased in questions))
    return connection.execute(
        "SELECT subject, id FROM tasks WHERE state = 'open' AND id IN (SELECT value FROM json_each(?)) ORDER BY id",
        (ids,),
    ).fetchall()


def cancel_deliveries(connection: Connection, ids: Iterable[str], at: Instant) -> None:
    """Cancel what is planned and unclaimed; one that may have gone out in an earlier attempt is in doubt."""
    connection.executemany(
        "UPDATE deliveries SET state = CASE WHEN doubts > 0 THEN 'in_doubt' ELSE 'cancelled' END, reason = 'retracted',"
        " state_at = ?, hold = NULL WHERE id = ? AND state = 'planned' AND reason <> 'virtual'",
        [(at, id) for id in ids],
    )


def forget_ends(connection: Connection, ids: Iterable[str], position: int) -> None:
    """Make room for deliveries that ended unsent and are planned again: a row counts once, under its latest state."""
    for id in ids:
        if connection.execute("DELETE FROM deliveries WHERE id = ?", (id,)).rowcount:
            connection.execute("INSERT INTO replanned (delivery, position) VALUES (?, ?)", (id, position))


def put_said(connection: Connection, unsaid: Iterable[str], said: Iterable[str]) -> None:
    """Let bulk questions pass over what the engine has said and what holds no more, and read again what holds again."""
    connection.executemany(
        "INSERT INTO unsaid (message_id) VALUES (?) ON CONFLICT DO NOTHING", [(each,) for each in sorted(unsaid)]
    )
    connection.executemany("DELETE FROM unsaid WHERE message_id = ?", [(each,) for each in sorted(said)])


def put_numbers(connection: Connection, identifiers: set[str], numbers: Numbers) -> None:
    """Remember the numbers of those who have no row any more; those who have one know theirs."""
    connection.execute(
        "DELETE FROM numbered WHERE subject IN (SELECT value FROM json_each(?))", (dumps(sorted(identifiers)),)
    )
    connection.executemany(
        "INSERT INTO numbered (subject, inputs, used) VALUES (?, ?, ?)",
        [(name, inputs, msgspec.json.encode(used).decode()) for name, (inputs, used) in sorted(numbers.items())],
    )


def numbers_of(connection: Connection, identifiers: set[str]) -> Numbers:
    """The remembered numbers."""
    rows = connection.execute(
        "SELECT subject, inputs, used FROM numbered WHERE subject IN (SELECT value FROM json_each(?))",
        (dumps(sorted(identifiers)),),
    )
    decode: Any = msgspec.json.decode
    return {subject: (inputs, decode(used, type=dict[str, int])) for subject, inputs, used in rows}
