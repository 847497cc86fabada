"""Accounts made anew from the log: under new definitions, and where history ends; `adopt.py` does it for profiles.

Facts (traits, words, members, summaries) are functions of the events taken; what was announced stays. Profiles get new
ties and new copies, and hear nothing of it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from innkeeper.audiences.merges import NEWEST
from innkeeper.events.accounts import LEFT, UPDATED, account_word, may_count, named_account
from innkeeper.events.types import Event
from innkeeper.kernel.time import Instant
from innkeeper.profiles import account_fold as fold
from innkeeper.profiles.account_fold import AccountRules
from innkeeper.profiles.state import Copy, Facts, ProfileState, Tie, decode
from innkeeper.profiles.ties import PLAIN_ROLE, role_of, take_tie
from innkeeper.profiles.traits import set_trait
from innkeeper.runtime.account_desk import new_account, thing_row
from innkeeper.runtime.record import taken_events
from innkeeper.store import accounts as rows
from innkeeper.store import things
from innkeeper.store.accounts import MemberRow, WordRow
from innkeeper.store.state import Cursor, State

if TYPE_CHECKING:
    from innkeeper.runtime.engine import Engine
    from innkeeper.store.bulk import Bulk


@dataclass(slots=True)
class Remade:
    """What the log says of accounts.

    Attributes:
        store: Where it is kept.
        ties: By identifier and account.
        words: By identifier, in the order of time.
    """

    store: State
    states: dict[str, ProfileState] = field(default_factory=dict)
    ties: dict[str, dict[str, Tie]] = field(default_factory=dict)
    words: dict[str, list[WordRow]] = field(default_factory=dict)
    views: dict[str, dict[str, Any]] = field(default_factory=dict)

    def give(self, profile: ProfileState) -> None:
        """Let a profile have the ties and copies that follow."""
        profile.accounts = {}
        for identifier, facts in profile.facts.items():
            facts.accounts = self.ties.get(identifier, {})
            for account, tie in facts.accounts.items():
                if tie.joined:
                    copy = profile.accounts.setdefault(account, Copy(self.views[account], {}))
                    copy.holders[identifier] = [PLAIN_ROLE]


def remake(engine: Engine, bulk: Bulk, cursor: Cursor) -> Remade:
    """Make everything that is kept of accounts anew; where none are declared there is nothing left."""
    state, rules, made = engine.state, engine.world.accounts, Remade(engine.state)
    before = _states(state)
    if rules is not None:
        _say(made, engine.counted(taken_events(bulk, cursor, ["Grouped", LEFT, UPDATED])))
        counting = taken_events(bulk, cursor, rules.names) if rules.counts else iter(())
        _count(made, engine.counted(counting), rules)
        for account, known in before.items():
            one = made.states.get(account)
            # An event that only names an account makes it too: it stays, with its number and what it has announced.
            known.facts = {known.subject: Facts(known.facts[known.subject].since)} if one is None else one.facts
            made.states[account] = known
        for account, one in made.states.items():
            fold.record(one, max(cursor.clock, one.last_at), rules)
            made.views[account] = fold.view_of(one, rules)
    if rules is not None or before:
        _write(state, made)
    return made


def record_all(state: State, rules: AccountRules, at: Instant) -> dict[str, dict[str, Any]]:
    """Evaluate all accounts without announcing anything, where history ends; their views."""
    states = _states(state)
    for one in states.values():
        fold.record(one, at, rules)
    with state.transaction():
        things.put(state, [thing_row(one) for one in states.values()])
    return {account: fold.view_of(one, rules) for account, one in states.items()}


def _states(state: State) -> dict[str, ProfileState]:
    return {row.id: decode(row.body) for page in things.pages(state, "account") for row in page}


def _say(made: Remade, events: Iterable[Event]) -> None:
    for event in events:
        word = account_word(event)
        if word is None or not may_count(event):
            continue
        facts = _facts(made, word.account, event)
        for name, value in word.traits.items():
            set_trait(facts, name, value, event.timestamp, event.source, event.message_id, NEWEST)
        ties = made.ties.setdefault(event.identifier, {})
        holder = Facts(event.timestamp, accounts=ties)
        take_tie(holder, event, word)
        if word.joined is not None:
            row = WordRow(event.identifier, word.account, event.timestamp, event.source, event.message_id, word.joined)
            made.words.setdefault(event.identifier, []).append(row)
    for said in made.words.values():
        said.sort(key=lambda each: (each.at, each.source, each.message_id))


def _facts(made: Remade, account: str, event: Event) -> Facts:
    state = made.states.get(account)
    if state is None:
        state = made.states[account] = new_account(made.store, account)
        state.facts[state.subject] = Facts(event.timestamp)
    return state.facts[state.subject]


def _count(made: Remade, events: Iterable[Event], rules: AccountRules) -> None:
    for event in events:
        if not may_count(event):
            continue
        named = named_account(event)
        for account in [named] if named is not None else _joined(made.words.get(event.identifier, []), event.timestamp):
            facts = _facts(made, account, event)
            fold.count(facts, event, rules)


def _joined(words: list[WordRow], at: Instant) -> list[str]:
    joined = {word.account: word.joined for word in words if word.at <= at}
    return [account for account, is_member in joined.items() if is_member]


def _write(state: State, made: Remade) -> None:
    with state.transaction():
        rows.index_taken(state)
        rows.forget_accounts(state)
        things.drop_all(state, "account")
        things.put(state, [thing_row(one) for one in made.states.values()])
        rows.add_words(state, [row for words in made.words.values() for row in words])
        members = [
            MemberRow(account, identifier, role_of(tie), tie.at)
            for identifier, ties in made.ties.items()
            for account, tie in ties.items()
            if tie.joined
        ]
        rows.put_members(state, members)
