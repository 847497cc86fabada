"""The accounts of a tick: read when an event concerns them, folded, kept until they are committed.

Here it is decided which accounts an event counts for: the one that it names; else those that its sender was a member of
at its timestamp, by every word that is known. A late word on membership changes that for events already taken: then the
account counts anew from the log. Whom a change is told is `fanout.py`.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from innkeeper.events.accounts import AccountWord, account_word, may_count, named_account
from innkeeper.events.outputs import Output
from innkeeper.events.types import Event
from innkeeper.kernel.time import Instant
from innkeeper.profiles import account_fold as fold
from innkeeper.profiles.account_fold import AccountRules
from innkeeper.profiles.others import News
from innkeeper.profiles.state import Facts, ProfileState, decode, encode
from innkeeper.profiles.ties import ACCOUNT_THING, PLAIN_ROLE, role_of
from innkeeper.store import accounts as rows
from innkeeper.store import things
from innkeeper.store.accounts import MemberRow, WordRow
from innkeeper.store.state import State
from innkeeper.store.things import ThingKey, ThingRow

#: Reads events that were taken: (identifiers, account, names of events).
Taken = Callable[[Sequence[str], str, Sequence[str]], Iterable[Event]]


class Change(NamedTuple):
    """What an input did to an account: its number, what it announces, and the names in its view that differ now.

    *timer*: it was no event, so its sender hears of it like everybody else.
    """

    account: str
    state: ProfileState
    at: Instant
    number: int
    outputs: list[Output]
    differs: tuple[str, ...]
    timer: bool = False


class AccountDesk:
    """The accounts of one tick."""

    def __init__(self, state: State, taken: Taken) -> None:
        self._state, self._taken = state, taken
        self._cache: dict[str, ProfileState] = {}
        self._looked_up: set[str] = set()
        self._words: dict[str, list[WordRow]] = {}
        self._dirty: set[str] = set()
        self._new_words: list[WordRow] = []
        self._members: dict[tuple[str, str], MemberRow | None] = {}
        self._due: list[tuple[Instant, str]] = []

    def forget(self) -> None:
        """Begin a tick; everything is written."""
        self._cache.clear()
        self._looked_up.clear()
        self._words.clear()
        self._due.clear()

    def load(self, events: Iterable[Event], rules: AccountRules | None, horizon: Instant | None) -> None:
        """Read what a tick's events concern, and the accounts that have a timer up to *horizon* (None: none)."""
        if rules is None:
            return
        events = list(events)
        named = {account for event in events if (account := named_account(event)) is not None}
        self._read_words({event.identifier for event in events})
        if rules.counts:
            named |= {word.account for words in self._words.values() for word in words}
        if horizon is not None:
            named.update(things.due(self._state, "account", horizon))
        self._read(named)

    def concerns(self, event: Event, rules: AccountRules) -> list[str]:
        """The accounts that an event counts for."""
        if not may_count(event):
            return []
        named = named_account(event)
        if named is not None:
            return [named]
        if event.name not in rules.rules.routes:
            return []
        self._read_words({event.identifier})
        return sorted(_joined_at(self._words[event.identifier], event.timestamp))

    def take(
        self, event: Event, facts: Facts | None, at: Instant, rules: AccountRules, *, history: bool
    ) -> list[Change]:
        """Fold an event into the accounts that it counts for; *facts*: what its sender's identifier has done before."""
        word = account_word(event)
        late = word is not None and self._is_late(event, word, facts, rules)
        if word is not None and word.joined is not None:
            self._hear(event, word)
        changes = []
        for account in self.concerns(event, rules):
            self._read({account})
            state = self._cache.get(account)
            idle = word is None and event.name not in rules.rules.routes
            if state is not None and idle:
                continue
            changes += self._fold(account, event, word, at, rules, history=history, late=late)
        return changes

    def _fold(
        self, account: str, event: Event, word: AccountWord | None, at: Instant, rules: AccountRules, *,
        history: bool, late: bool,
    ) -> list[Change]:  # fmt: skip
        changes = [] if history else self.wake(account, at, rules)
        state = self._cache.get(account)
        before = {} if state is None else fold.view_of(state, rules)
        if state is None:
            state = self._cache[account] = new_account(self._state, account)
        at = max(at, state.last_at)
        outputs = fold.take_event(state, event, word, at, rules, history=history)
        changes.append(self._changed(account, state, at, outputs, before, rules))
        if late:
            before = fold.view_of(state, rules)
            outputs = fold.count_again(state, [*self._history(account, rules), event], at, rules, history=history)
            changes.append(self._changed(account, state, at, outputs, before, rules))
        return changes

    def _changed(
        self, account: str, state: ProfileState, at: Instant, outputs: list[Output], before: dict[str, object],
        rules: AccountRules,
    ) -> Change:  # fmt: skip
        self._dirty.add(account)
        heapq.heappush(self._due, (state.next_due_at, account))
        return Change(account, state, at, state.inputs, outputs, fold.tells(before, fold.view_of(state, rules)))

    # Timers

    def next_due(self, until: Instant) -> tuple[Instant, str] | None:
        """The account with the earliest timer up to an instant."""
        while self._due:
            at, account = self._due[0]
            state = self._cache.get(account)
            if state is not None and state.next_due_at == at:
                return (at, account) if at <= until else None
            heapq.heappop(self._due)
        return None

    def wake(self, account: str, until: Instant, rules: AccountRules) -> list[Change]:
        """Let the timers of an account come, up to an instant."""
        self._read({account})
        state = self._cache.get(account)
        changes: list[Change] = []
        while state is not None and state.next_due_at <= until:
            before, at = fold.view_of(state, rules), max(state.next_due_at, state.last_at)
            made = self._changed(account, state, at, fold.wake(state, at, rules), before, rules)
            changes.append(made._replace(timer=True))
        return changes

    # Members

    def _hear(self, event: Event, word: AccountWord) -> None:
        row = WordRow(
            event.identifier, word.account, event.timestamp, event.source, event.message_id, bool(word.joined)
        )
        self._read_words({event.identifier})
        words = self._words[event.identifier]
        if row not in words:
            words.append(row)
            words.sort(key=lambda each: (each.at, each.source, each.message_id))
            self._new_words.append(row)

    def _is_late(self, event: Event, word: AccountWord, facts: Facts | None, rules: AccountRules) -> bool:
        """Whether a word changes who was a member at the time of an event that was taken before it."""
        if not rules.counts or word.joined is None or facts is None or facts.latest < event.timestamp:
            return False
        self._read_words({event.identifier})
        own = [each for each in self._words[event.identifier] if each.account == word.account]
        stamp = (event.timestamp, event.source, event.message_id)
        earlier = [each for each in own if (each.at, each.source, each.message_id) < stamp]
        later = [each for each in own if (each.at, each.source, each.message_id) > stamp]
        changes = word.joined is not (bool(earlier) and earlier[-1].joined)
        return changes and not (later and later[0].at == event.timestamp)

    def _history(self, account: str, rules: AccountRules) -> list[Event]:
        """The events that were taken and count for an account."""
        identifiers = {*rows.ever_members(self._state, account), *(each.identifier for each in self._new_words)}
        self._read_words(identifiers)
        found = self._taken(sorted(identifiers), account, rules.names)
        return [event for event in found if account in self.concerns(event, rules)]

    def settle_member(self, event: Event, facts: Facts | None) -> None:
        """Keep the row of a member, once its own fold has taken the event."""
        word = account_word(event)
        if word is None or facts is None:
            return
        tie = facts.accounts.get(word.account)
        place = (word.account, event.identifier)
        joined = tie is not None and tie.joined
        self._members[place] = MemberRow(*place, role_of(tie), tie.at) if tie is not None and joined else None

    def news_for(self, changes: Sequence[Change], event: Event, rules: AccountRules) -> tuple[News, ...]:
        """What the sender hears of the accounts that an event has changed, or that it joins or leaves by it."""
        word = account_word(event)
        told: dict[str, News] = {}
        for change in changes:
            own = word is not None and word.account == change.account
            if change.timer or not (change.differs or own):
                continue
            self._read_words({event.identifier})
            joined = change.account in _joined_at(self._words[event.identifier], None)
            if joined or own:
                told[change.account] = news(change.account, change.state, event.identifier, rules, joined=joined)
        return tuple(told.values())

    # Reading and writing

    def view(self, account: str) -> ProfileState | None:
        """The state of an account; None when nothing is known of it."""
        self._read({account})
        return self._cache.get(account)

    def _read(self, accounts: set[str]) -> None:
        wanted = accounts - self._looked_up
        if not wanted:
            return
        self._looked_up |= wanted
        for key, body in things.bodies(self._state, [ThingKey(*ACCOUNT_THING, each) for each in wanted]).items():
            state = self._cache[key.id] = decode(body)
            heapq.heappush(self._due, (state.next_due_at, key.id))

    def _read_words(self, identifiers: set[str]) -> None:
        wanted = identifiers - self._words.keys()
        if wanted:
            self._words.update(rows.words_of(self._state, sorted(wanted)))

    def write(self) -> None:
        """Write what has changed since the last commit; part of the tick's transaction."""
        if self._dirty:
            things.put(self._state, [thing_row(self._cache[each]) for each in sorted(self._dirty)])
            self._dirty = set()
        if self._new_words:
            rows.add_words(self._state, self._new_words)
            self._new_words = []
        if self._members:
            rows.put_members(self._state, [row for row in self._members.values() if row is not None])
            rows.drop_members(self._state, [place for place, row in self._members.items() if row is None])
            self._members = {}


def news(account: str, state: ProfileState, identifier: str, rules: AccountRules, *, joined: bool = True) -> News:
    """What a member hears of its account; a former one hears that it is none any more."""
    view = fold.view_of(state, rules) if joined else {}
    roles = (PLAIN_ROLE,) if joined else ()
    return News("account", ACCOUNT_THING[1], account, view, roles, identifier, "changed" if joined else "role_lost")


def new_account(state: State, account: str) -> ProfileState:
    """An account that nothing is known of; numbers that it had before a revision took it away are not used again."""
    made = fold.new_account(account)
    number = state.numbered(made.subject)
    made.inputs = 0 if number is None else number[0]
    return made


def thing_row(state: ProfileState) -> ThingRow:
    """What the store keeps of an account."""
    return ThingRow(*ACCOUNT_THING, state.subject.partition(":")[2], state.next_due_at, encode(state))


def _joined_at(words: Sequence[WordRow], at: Instant | None) -> set[str]:
    """The accounts that somebody with these words is a member of at an instant; None: by the newest words."""
    joined: dict[str, bool] = {}
    for word in words:
        if at is None or word.at <= at:
            joined[word.account] = word.joined
    return {account for account, is_member in joined.items() if is_member}
