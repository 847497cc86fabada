"""What the claim reads before it lets a delivery go: suppressions, consents, the quiet window. Nothing else.

The tables hold the latest word per identifier and scope, '' meaning all; they were written in the tick's transaction.
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Sequence
from datetime import time
from typing import NamedTuple

from innkeeper.decisions.gates import quiet_hours
from innkeeper.decisions.policy import QuietHours
from innkeeper.kernel.json import dumps, loads
from innkeeper.kernel.time import BEGINNING, Instant
from innkeeper.store.projections import EVERYWHERE

_CONSENTS = (
    "SELECT subject, identifier, purpose, channel, topic, given, at FROM consents"
    " WHERE subject IN (SELECT value FROM json_each(?))"
)
_SUPPRESSIONS = (
    "SELECT subject, identifier, channel, suppressed, at FROM suppressions"
    " WHERE subject IN (SELECT value FROM json_each(?))"
)


_OPTINS = (
    "SELECT subject, identifier, purpose, channel, topic, confirmed_at, withdrawn_at FROM optins"
    " WHERE subject IN (SELECT value FROM json_each(?))"
)


class OptIn(NamedTuple):
    """When one scope was last confirmed and last withdrawn; BEGINNING: never."""

    identifier: str
    purpose: str
    channel: str
    topic: str
    confirmed_at: Instant
    withdrawn_at: Instant


class Word(NamedTuple):
    """One word on consent or suppression; *allows* is false for a withdrawal or a suppression."""

    identifier: str
    purpose: str
    channel: str
    topic: str
    allows: bool
    at: Instant


class Permissions:
    """The words of some profiles, read in one go."""

    def __init__(self, connection: sqlite3.Connection, subjects: Sequence[str]) -> None:
        self._consents: dict[str, list[Word]] = defaultdict(list)
        self._suppressions: dict[str, list[Word]] = defaultdict(list)
        self._optins: dict[str, list[OptIn]] = defaultdict(list)
        bound = (dumps(list(subjects)),)
        for subject, identifier, purpose, channel, topic, given, at in connection.execute(_CONSENTS, bound):
            self._consents[subject].append(Word(identifier, purpose, channel, topic, bool(given), at))
        for subject, identifier, channel, suppressed, at in connection.execute(_SUPPRESSIONS, bound):
            self._suppressions[subject].append(Word(identifier, "", channel, "", not suppressed, at))

        for subject, *scope, confirmed, withdrawn in connection.execute(_OPTINS, bound):
            marks = (BEGINNING if at is None else at for at in (confirmed, withdrawn))
            self._optins[subject].append(OptIn(*scope, *marks))

    def suppressed(self, subject: str, channel: str) -> bool:
        """Whether a death, or the latest word of any identifier, closes the channel."""
        if any(word.channel == EVERYWHERE and not word.allows for word in self._suppressions[subject]):
            return True
        return _strictest(self._suppressions[subject], "", channel, "") is False

    def consent(self, subject: str, purpose: str, channel: str, topic: str | None) -> bool | None:
        """The latest word of each identifier, the stricter across them; None when nobody has said one."""
        return _strictest(self._consents[subject], purpose, channel, topic or "")

    def confirmed(self, subject: str, purpose: str, channel: str, topic: str | None) -> bool:
        """Whether consent was confirmed (double opt-in) after the last withdrawal."""
        marks = [each for each in self._optins[subject] if _applies(each, purpose, channel, topic or "")]
        said_no = [
            word.at
            for word in self._consents[subject]
            if not word.allows and _applies(word, purpose, channel, topic or "")
        ]
        withdrawn = max([BEGINNING, *said_no, *(each.withdrawn_at for each in marks)])
        return any(each.confirmed_at > withdrawn for each in marks)


def _applies(word: Word | OptIn, purpose: str, channel: str, topic: str) -> bool:
    return word.purpose in ("", purpose) and word.channel in ("", channel) and word.topic in ("", topic)


def _strictest(words: Sequence[Word], purpose: str, channel: str, topic: str) -> bool | None:
    latest: dict[str, Word] = {}
    for word in words:
        if _applies(word, purpose, channel, topic):
            old = latest.get(word.identifier)
            # Of two words of one instant the one that forbids counts.
            if old is None or (word.at, not word.allows) > (old.at, not old.allows):
                latest[word.identifier] = word
    return all(word.allows for word in latest.values()) if latest else None


def quiet_until(at: Instant, quiet: str | None) -> Instant | None:
    """The end of the quiet window of a row that holds *at*; None outside of it.

    Args:
        at: When the delivery would go.
        quiet: The row's JSON: `zone`, `from`, `to`.
    """
    if quiet is None:
        return None
    window = loads(quiet)
    hours = QuietHours(start=time.fromisoformat(window["from"]), end=time.fromisoformat(window["to"]))
    return None if hours.start == hours.end else quiet_hours.quiet_until(at, hours, window["zone"])
