"""What outputs write besides the outbox: the ledger's planned rows, decisions, tasks, consents, suppressions.

All of it goes into the tick's transaction. The rows can be made again from the log by `replay`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

import msgspec

from innkeeper.events import outputs as o
from innkeeper.events.accounts import ACCOUNT
from innkeeper.events.reserved import reserved_in
from innkeeper.events.types import Event
from innkeeper.identity.spans import Span
from innkeeper.kernel.ids import ANONYMOUS, USER, output_id
from innkeeper.kernel.json import dumps
from innkeeper.kernel.time import BEGINNING, Instant, format_instant
from innkeeper.profiles.home import DECEASED
from innkeeper.profiles.state import Facts
from innkeeper.store.state import OutboxRow

#: The channel of a suppression that no other word lifts: a death.
EVERYWHERE = "*"
#: Ends of a delivery that reached a provider; every other one is a refusal.
REACHED = frozenset({"accepted", "delivered", "bounced", "complained", "in_doubt"})
_INSTANTS = ("until", "expires_at", "at", "from", "to")
# Why an enrollment leaves whose object is no longer there for it; its deliveries go with it.
_OBJECT_GONE = ("role_lost", "removed", "ended: ", "no date: ")
# What stays in the tables and is not repeated in the log: it may hold personal data, or is read here only.
_TABLE_ONLY = ("context", "quiet", "address", "owned_at")


def to_outbox(taken_at: Instant, subject: str, number: int, index: int, output: o.Output, identifier: str) -> OutboxRow:
    """The event of an output, in its place in the order of the log, stored under *identifier*."""
    fields: dict[str, Any] = msgspec.structs.asdict(output)
    del fields["identifier"]
    traits = fields.pop("traits") if isinstance(output, o.TraitsUpdated) else {}
    if isinstance(output, o.DeliveryPlanned | o.JourneyEntered):
        fields = {name: value for name, value in fields.items() if name not in _TABLE_ONLY}
    if identifier.startswith(ACCOUNT):
        fields["account_id"] = identifier[len(ACCOUNT) :]
    if isinstance(output, o.StepReplanned):
        fields["from"], fields["to"] = fields.pop("planned_for"), fields.pop("moved_to")
    for name in _INSTANTS:
        if isinstance(fields.get(name), int):
            fields[name] = format_instant(fields[name])
    return OutboxRow(
        taken_at,
        subject,
        number,
        index,
        output_id(subject, number, index),
        output.event_name,
        *sender(identifier),
        dumps(fields),
        dumps(traits),
    )


def sender(identifier: str) -> tuple[str | None, str | None]:
    """The user id and anonymous id columns of an identifier; an account has neither."""
    if identifier.startswith(USER):
        return identifier[len(USER) :], None
    if identifier.startswith(ACCOUNT):
        return None, None
    return None, identifier[len(ANONYMOUS) :]


class Projections:
    """Collects what the outputs of one commit write, then writes it."""

    def __init__(self) -> None:
        self._deliveries: list[tuple[object, ...]] = []
        self._decisions: list[tuple[object, ...]] = []
        self._tasks: list[tuple[object, ...]] = []
        self._consents: list[tuple[object, ...]] = []
        self._suppressions: list[tuple[object, ...]] = []
        self._optins: list[tuple[object, ...]] = []
        self._reserved: list[tuple[object, ...]] = []
        self._cancelled: list[tuple[object, ...]] = []
        self._parked: list[tuple[object, ...]] = []
        self._refused: list[tuple[object, ...]] = []
        self._entered: list[tuple[object, ...]] = []
        self._stepped: dict[str, str] = {}
        self._exited: list[tuple[object, ...]] = []
        self._households: list[tuple[object, ...]] = []
        self._deaths: list[tuple[object, ...]] = []
        self._answers: list[tuple[object, ...]] = []
        self._released: list[tuple[object, ...]] = []
        self._done: list[tuple[object, ...]] = []
        self._cancelled_homes: list[tuple[object, ...]] = []

    def add(self, at: Instant, subject: str, output: o.Output, *, virtual: bool) -> None:
        """Take in one output made at an instant; *virtual*: planned deliveries are never claimed."""
        match output:
            case o.DeliveryPlanned():
                self._deliveries.append(_delivery(at, subject, output, virtual=virtual))
            case o.DecisionMade():
                self._decisions.append(_decision(at, subject, output))
            case o.TaskCreated():
                self._tasks.append(
                    (output.task_id, subject, output.identifier, output.queue, output.title, output.body,
                     output.journey, output.enrollment, output.key, dumps(output.context), at)
                )  # fmt: skip
            case o.ConsentRecorded():
                self._consents.append(
                    (subject, output.identifier, output.purpose or "", output.channel or "", output.topic or "",
                     int(output.given), output.at)
                )  # fmt: skip
            case o.SuppressionRecorded():
                self._suppressions.append(
                    (subject, output.identifier, output.channel or "", int(output.suppressed), output.reason, output.at)
                )
            case o.OptInRecorded():
                self._optins.append(
                    (subject, output.identifier, output.purpose or "", output.channel or "", output.topic or "",
                     output.confirmed_at, output.withdrawn_at)
                )  # fmt: skip
            case o.HouseholdRecorded():
                self._households.append(
                    (subject, output.identifier, output.household, int(output.joined), output.at, at)
                )
            case o.DeathRecorded():
                self._deaths.append((subject, output.identifier, int(output.dead), output.at, at))
                self._suppressions.append(
                    (subject, output.identifier, EVERYWHERE, int(output.dead), DECEASED, output.at)
                )
            case o.BereavementAnswered():
                self._answers.append((output.household, int(output.allowed), output.at, at))
                (self._released if output.allowed else self._cancelled_homes).append((at, at, output.household))
                self._done.append((at, output.household))
            case o.ProfileParked():
                self._parked.append((subject, output.error, at))
            case o.JourneyEntered():
                self._entered.append(
                    (output.enrollment, subject, output.identifier, output.journey, output.version, output.key, at,
                     output.owned_at)
                )  # fmt: skip
            case o.StepReached():
                self._stepped[output.enrollment] = output.step
            case o.StepReplanned(enrollment=str(enrollment)):
                # What is planned from this instant on is of the new plan.
                self._cancelled.append((f"replanned: {output.reason}", at, enrollment, at))
            case o.JourneyExited():
                self._exited.append((at, output.outcome, output.reason, output.enrollment))
                gone = output.outcome == "left" and output.reason.startswith(_OBJECT_GONE)
                if gone or output.outcome in ("exit", "goal"):
                    self._cancelled.append((f"{output.outcome}: {output.reason}", at, output.enrollment, at + 1))
            case _:
                pass

    def refuse(self, delivery: str, at: Instant) -> None:
        """Record that the ledger refused what the gates had allowed: no value for the template, no consent any more."""
        self._refused.append((at, at, delivery))

    def count_reserved(self, event: Event, at: Instant) -> None:
        """Count the reserved names that an event told."""
        self._reserved += [(event.source, name, at) for name in reserved_in(event.traits)]

    def write(self, connection: sqlite3.Connection) -> None:
        """Write everything collected, and forget it."""
        steps: list[tuple[object, ...]] = [(step, enrollment) for enrollment, step in self._stepped.items()]
        self._stepped.clear()
        for sql, rows in (
            (_PARK, self._parked),
            (_INSERT_ENROLLMENT, self._entered),
            (_MOVE_ENROLLMENT, steps),
            (_END_ENROLLMENT, self._exited),
            (_INSERT_DELIVERY, self._deliveries),
            (_UPSERT_DECISION, self._decisions),
            (_INSERT_TASK, self._tasks),
            (_UPSERT_CONSENT, self._consents),
            (_UPSERT_SUPPRESSION, self._suppressions),
            (_UPSERT_OPTIN, self._optins),
            (_COUNT_RESERVED, self._reserved),
            (_REFUSE, self._refused),
            (_CANCEL, self._cancelled),
            (_INSERT_HOUSEHOLD, self._households),
            (_INSERT_DEATH, self._deaths),
            (_INSERT_ANSWER, self._answers),
            (_RELEASE, self._released),
            (_CANCEL_HELD, self._cancelled_homes),
            (_CLOSE_QUESTION, self._done),
        ):
            if rows:
                connection.executemany(sql, rows)
                rows.clear()


class Move(NamedTuple):
    """Rows of one profile belong to another from now on.

    Attributes:
        identifier: Only those made under it; None: all.
        since, until: Only those made in [since, until); None: whenever.
    """

    before: str
    after: str
    identifier: str | None = None
    since: Instant | None = None
    until: Instant | None = None


_WITH_ENROLLMENT = "coalesce((SELECT owned_at FROM enrollments AS run WHERE run.id = enrollment), {})"
#: The tables whose rows belong to a profile, and the instant that says to whom, under an identifier that changes hands:
#: what an enrollment has brought about is of whoever the enrollment is of. A question about a home has no enrollment.
OWNED: Final = {
    "enrollments": "owned_at", "deliveries": _WITH_ENROLLMENT.format("planned_at"),
    "decisions": _WITH_ENROLLMENT.format("first_at"), "tasks": _WITH_ENROLLMENT.format("created_at"),
}  # fmt: skip
#: Words that replace each other have no one time.
_WORDS_AT: Final = {"household_words": "at", "deaths": "at", "consents": "", "suppressions": "", "optins": ""}
#: What was said about a profile.
WORDS: Final = tuple(_WORDS_AT)


def move_subject(connection: sqlite3.Connection, move: Move) -> None:
    """Hand rows over to another profile."""
    for table, at in (OWNED | _WORDS_AT).items():
        where = " WHERE subject = :before AND (:identifier IS NULL OR identifier = :identifier)"
        if move.since is not None:
            if not at:
                continue  # They are written anew: `restate`.
            where += " AND " + at + " >= :since AND " + at + " < :until"
        bound = move._asdict()
        # A word that was said after the move, in the same tick, is there already and is the newer one.
        connection.execute("UPDATE OR IGNORE " + table + " SET subject = :after" + where, bound)  # noqa: S608
        if table in _WORDS_AT:
            connection.execute("DELETE FROM " + table + where, bound)  # noqa: S608


def restate(
    connection: sqlite3.Connection,
    identifier: str,
    holders: Mapping[str, Facts],
    stretches: Sequence[Span],
    at: Instant,
) -> None:
    """Give the words of an identifier to the profiles that have it: those that replace each other are written anew.

    Args:
        holders: By subject, the facts of the identifier.
        stretches: Whose the identifier is when, by subject.
        at: From when on a word counts that was no news when it was taken, because a newer one was somebody else's.
    """
    for table in ("consents", "suppressions", "optins"):
        connection.execute("DELETE FROM " + table + " WHERE identifier = ?", (identifier,))  # noqa: S608
    for subject, facts in holders.items():
        _write_words(connection, subject, identifier, facts)
    for table in ("household_words", "deaths"):
        sql = "UPDATE OR REPLACE " + table + " SET subject = ? WHERE identifier = ? AND at >= ? AND at < ?"  # noqa: S608
        for span in stretches:
            connection.execute(sql, (span.claimant, identifier, span.since, span.until))
    for subject, facts in holders.items():
        homes = [(subject, identifier, one.household, int(one.joined), one.at, at) for one in facts.households]
        connection.executemany(_INSERT_HOUSEHOLD, homes)
        if facts.death is not None:
            connection.execute(_INSERT_DEATH, (subject, identifier, int(facts.death.dead), facts.death.at, at))


def _write_words(connection: sqlite3.Connection, subject: str, identifier: str, facts: Facts) -> None:
    said = [((word.purpose or "", word.channel or "", word.topic or ""), word) for word in facts.consents]
    connection.executemany(
        _UPSERT_CONSENT,
        [(subject, identifier, *about, int(word.given), word.at) for about, word in said if word.given is not None],
    )
    suppressions = [(word.channel or "", int(word.suppressed), word.reason, word.at) for word in facts.suppressions]
    if facts.death is not None:
        suppressions.append((EVERYWHERE, int(facts.death.dead), DECEASED, facts.death.at))
    connection.executemany(_UPSERT_SUPPRESSION, [(subject, identifier, *row) for row in suppressions])
    if any(word.confirmed_at > BEGINNING for word in facts.consents):
        # As the fold tells them: from the first confirmation on, every mark there is.
        marks = [(about, _known(word.confirmed_at), _known(word.withdrawn_at)) for about, word in said]
        connection.executemany(
            _UPSERT_OPTIN, [(subject, identifier, *about, *mark) for about, *mark in marks if any(mark)]
        )


def _known(at: Instant) -> Instant | None:
    return None if at == BEGINNING else at


def _delivery(at: Instant, subject: str, output: o.DeliveryPlanned, *, virtual: bool) -> tuple[object, ...]:
    return (
        output.delivery_id, subject, output.identifier, output.message, output.channel, output.purpose, output.kind,
        output.topic, output.journey, output.version, output.enrollment, output.key, output.step, output.address,
        at, at, output.expires_at, None if output.quiet is None else dumps(output.quiet), dumps(output.context),
        "virtual" if virtual else "", at,
    )  # fmt: skip


def _decision(at: Instant, subject: str, output: o.DecisionMade) -> tuple[object, ...]:
    return (
        output.enrollment, output.step, output.occurrence, output.gate, output.reason, output.outcome, subject,
        output.identifier, output.message, output.channel, output.purpose, output.journey, output.version, output.key,
        dumps(output.facts), output.until, output.refusing, at, at,
    )  # fmt: skip


_PARK = "INSERT OR REPLACE INTO parked (subject, error, at) VALUES (?, ?, ?)"
_INSERT_ENROLLMENT = (
    "INSERT INTO enrollments (id, subject, identifier, journey, version, key, entered_at, owned_at)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING"
)
_MOVE_ENROLLMENT = "UPDATE enrollments SET step = ? WHERE id = ?"
_END_ENROLLMENT = "UPDATE enrollments SET ended_at = ?, outcome = ?, reason = ? WHERE id = ?"
_INSERT_DELIVERY = (
    "INSERT INTO deliveries (id, subject, identifier, message, channel, purpose, kind, topic, journey, version,"
    " enrollment, key, step, address, planned_at, not_before, expires_at, quiet, context, state, reason, state_at)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'planned', ?, ?)"
    # What a revision cancelled may be planned again by the enrollment that it put back.
    " ON CONFLICT (id) DO UPDATE SET subject = excluded.subject, address = excluded.address,"
    " version = excluded.version, planned_at = excluded.planned_at, not_before = excluded.not_before,"
    " expires_at = excluded.expires_at, quiet = excluded.quiet, context = excluded.context, state = excluded.state,"
    " reason = excluded.reason, state_at = excluded.state_at, hold = NULL, released_at = NULL, home = NULL"
    " WHERE deliveries.state = 'cancelled' AND deliveries.reason = 'retracted'"
)
_UPSERT_DECISION = (
    "INSERT INTO decisions (enrollment, step, occurrence, gate, reason, outcome, subject, identifier, message, channel,"
    " purpose, journey, version, key, facts, until, refusing, first_at, last_at, count)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 1)"
    " ON CONFLICT (enrollment, step, occurrence, gate, reason) DO UPDATE SET"
    " facts = excluded.facts, until = excluded.until, refusing = excluded.refusing, last_at = excluded.last_at,"
    " count = count + 1"
)
_REFUSE = (
    "INSERT INTO decisions (enrollment, step, occurrence, gate, reason, outcome, subject, identifier, message, channel,"
    " purpose, journey, version, key, facts, until, refusing, first_at, last_at, count)"
    " SELECT enrollment, step, 0, 'delivery', CASE WHEN reason = '' THEN state ELSE reason END,"
    " CASE WHEN hold IS NULL THEN 'deny' ELSE 'defer' END, subject,"
    " identifier, message, channel, purpose, journey, version, key,"
    " json_patch(json_object('state', iif(hold IS NULL, state, 'held'), 'address', address, 'delivery_id', id),"
    " coalesce(home, '{}')), NULL, 0, ?, ?, 1 FROM deliveries WHERE id = ?"
    " ON CONFLICT (enrollment, step, occurrence, gate, reason) DO UPDATE SET"
    " last_at = excluded.last_at, count = count + 1"
)
_INSERT_HOUSEHOLD = (
    "INSERT INTO household_words (subject, identifier, household, joined, at, taken_at) VALUES (?, ?, ?, ?, ?, ?)"
    " ON CONFLICT DO NOTHING"
)
_INSERT_DEATH = (
    "INSERT INTO deaths (subject, identifier, dead, at, taken_at) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
)
_INSERT_ANSWER = (
    "INSERT INTO bereavement_answers (household, allowed, at, taken_at) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING"
)
# What a person let go is claimed at the instant of the answer; a receipt that nobody has heard yet is overtaken.
_RELEASE = (
    "UPDATE deliveries SET hold = NULL, reason = '', released_at = ?, not_before = max(not_before, ?), receipt = 'none'"
    " WHERE hold = ? AND state = 'planned'"
)
_CANCEL_HELD = (
    "UPDATE deliveries SET hold = NULL, state = 'cancelled', reason = 'bereavement', state_at = ?, released_at = ?,"
    " receipt = 'pending' WHERE hold = ? AND state = 'planned'"
)
_CLOSE_QUESTION = (
    "UPDATE tasks SET state = 'done' WHERE state = 'open' AND enrollment = '' AND created_at <= ?"
    " AND context ->> '$.household_id' = ?"
)
# A question that a revision has closed may be asked anew.
_INSERT_TASK = (
    "INSERT INTO tasks (id, subject, identifier, queue, title, body, journey, enrollment, key, context, created_at)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET state = 'open', reason = ''"
    " WHERE tasks.state = 'closed' AND tasks.reason = 'retracted'"
)
_UPSERT_CONSENT = (
    "INSERT INTO consents (subject, identifier, purpose, channel, topic, given, at) VALUES (?, ?, ?, ?, ?, ?, ?)"
    " ON CONFLICT (subject, identifier, purpose, channel, topic) DO UPDATE SET given = excluded.given, at = excluded.at"
)
_UPSERT_SUPPRESSION = (
    "INSERT INTO suppressions (subject, identifier, channel, suppressed, reason, at) VALUES (?, ?, ?, ?, ?, ?)"
    " ON CONFLICT (subject, identifier, channel) DO UPDATE SET"
    " suppressed = excluded.suppressed, reason = excluded.reason, at = excluded.at"
)
_UPSERT_OPTIN = (
    "INSERT INTO optins (subject, identifier, purpose, channel, topic, confirmed_at, withdrawn_at)"
    " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (subject, identifier, purpose, channel, topic) DO UPDATE SET"
    " confirmed_at = excluded.confirmed_at, withdrawn_at = excluded.withdrawn_at"
)
_COUNT_RESERVED = (
    "INSERT INTO reserved (source, name, count, last_at) VALUES (?, ?, 1, ?) ON CONFLICT (source, name) DO UPDATE SET"
    " count = count + 1, last_at = max(last_at, excluded.last_at)"
)
_CANCEL = (
    "UPDATE deliveries SET state = 'cancelled', reason = ?, state_at = ?, receipt = 'pending', hold = NULL"
    " WHERE enrollment = ? AND planned_at < ? AND state = 'planned' AND reason <> 'virtual'"
)
