"""Accounts made real as another world has them, with what they announce by it: a part of `revise.py`."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from innkeeper.events import outputs as o
from innkeeper.kernel.time import Instant
from innkeeper.profiles.account_fold import new_account
from innkeeper.profiles.difference import same_account
from innkeeper.profiles.state import ProfileState, decode
from innkeeper.profiles.ties import VERSION
from innkeeper.runtime.about_many import account_ids, account_key
from innkeeper.runtime.account_desk import thing_row
from innkeeper.runtime.revising import Revising
from innkeeper.store import revision as tables
from innkeeper.store import things
from innkeeper.store.state import State
from innkeeper.store.things import ThingKey


def put_accounts(revising: Revising, real: State, scratch: State, keys: Collection[ThingKey], at: Instant) -> None:
    """Put the accounts among some things, and say which audiences they have entered and left by it."""
    accounts = account_ids(keys)
    before, after = accounts_of(real, accounts), accounts_of(scratch, accounts)
    for account in sorted(before.keys() | after.keys()):
        old, new = before.get(account), after.get(account)
        if old is not None and new is not None and same_account(old, new):
            continue
        _put(revising, real, account, old, new, at)


def _put(
    revising: Revising, real: State, account: str, old: ProfileState | None, new: ProfileState | None, at: Instant
) -> None:
    state = new_account(account) if new is None else new
    were = {} if old is None else old.memberships
    numbers = tables.numbers_of(revising.connection, {state.subject})
    used = numbers.get(state.subject, (0, {}))[0] if old is None else old.inputs
    state.inputs = used + 1
    state.last_at = max(at, state.last_at, state.last_at if old is None else old.last_at)
    entered, left = sorted(state.memberships.keys() - were.keys()), sorted(were.keys() - state.memberships.keys())
    outputs: list[o.Output] = [o.AudienceEntered(identifier=state.subject, audience=name) for name in entered]
    outputs += [o.AudienceLeft(identifier=state.subject, audience=name) for name in left]
    revising.say(account, state, outputs)
    tables.put_numbers(
        revising.connection, {state.subject}, {} if new is not None else {state.subject: (state.inputs, {})}
    )
    if new is None:
        things.drop(real, [account_key(account)])
    else:
        things.put(real, [thing_row(state)])


def number_copies(real: State, states: Iterable[ProfileState]) -> None:
    """Let the copies that profiles have of accounts bear the accounts' own numbers: of two copies the higher counts."""
    profiles = list(states)
    numbers = {
        account: state.inputs
        for account, state in accounts_of(real, {each for one in profiles for each in one.accounts}).items()
    }
    for one in profiles:
        for account, copy in one.accounts.items():
            copy.view[VERSION] = numbers.get(account, copy.view.get(VERSION, 0))


def accounts_of(state: State, accounts: Iterable[str]) -> dict[str, ProfileState]:
    """The accounts that there are."""
    bodies = things.bodies(state, [account_key(account) for account in accounts])
    return {key.id: decode(body) for key, body in bodies.items()}
