"""A profile's ties to accounts: kept per identifier, made of its own events alone, whatever their order.

A profile may be a member of several accounts. *Its account*, which `account.x` reads, is the one that the newest word
joined it to. What it knows of the account itself is a copy (`copies.py`) that the account's fold has told it.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from innkeeper.audiences.types import MISSING
from innkeeper.audiences.types import Held as HeldThing
from innkeeper.events.accounts import AccountWord
from innkeeper.events.types import Event
from innkeeper.profiles.state import Facts, ProfileState, Tie

#: Under this (kind, type) rules look up what reads accounts.
ACCOUNT_THING = ("account", "account")
#: The role of a member of whom none was said.
PLAIN_ROLE = "member"
#: Names in an account's copy that are no traits of it: the version that the copy is of, and the account's audiences.
VERSION, AUDIENCES = "$version", "$audiences"


class Held(NamedTuple):
    """A membership of a profile as a whole: how new its newest word is, the account, the role."""

    stamp: tuple[int, str, str]
    account: str
    role: str


def take_tie(facts: Facts, event: Event, word: AccountWord) -> bool:
    """Take an event's word into the ties of its sender; whether a tie has changed."""
    if word.joined is None and not word.states_role:
        return False
    tie = facts.accounts.get(word.account)
    if tie is None:
        tie = facts.accounts[word.account] = Tie()
    stamp = (event.timestamp, event.source, event.message_id)
    before = (tie.joined, tie.at, tie.role)
    if word.joined is not None and stamp > (tie.at, tie.source, tie.message_id):
        tie.joined = word.joined
        tie.at, tie.source, tie.message_id = stamp
    if word.states_role and stamp > (tie.role_at, tie.role_source, tie.role_message_id):
        tie.role = word.role
        tie.role_at, tie.role_source, tie.role_message_id = stamp
    return before != (tie.joined, tie.at, tie.role)


def role_of(tie: Tie) -> str:
    """The role of a member."""
    return tie.role or PLAIN_ROLE


def held_accounts(state: ProfileState) -> list[Held]:
    """The accounts that a profile is a member of, the newest first."""
    newest: dict[str, tuple[int, str, str]] = {}
    roles: dict[str, tuple[int, str, str, str]] = {}
    for facts in state.facts.values():
        for account, tie in facts.accounts.items():
            if not tie.joined:
                continue
            newest[account] = max(newest.get(account, (-(2**63), "", "")), (tie.at, tie.source, tie.message_id))
            role = (tie.role_at, tie.role_source, tie.role_message_id, tie.role or "")
            roles[account] = max(roles.get(account, role), role)
    found = [Held(stamp, account, roles[account][3] or PLAIN_ROLE) for account, stamp in newest.items()]
    return sorted(found, reverse=True)


def own_account(state: ProfileState) -> Held | None:
    """The account that a profile's conditions and content read."""
    if not state.accounts and not any(facts.accounts for facts in state.facts.values()):
        return None
    return next(iter(held_accounts(state)), None)


def account_value(state: ProfileState, path: tuple[str, ...]) -> Any:
    """What `account.x` reads; MISSING when absent or null."""
    held = own_account(state)
    if held is None:
        return MISSING
    if path == ("id",):
        return held.account
    if path == ("role",):
        return held.role
    copy = state.accounts.get(held.account)
    value: Any = None if copy is None else copy.view
    for part in path:
        value = value.get(part) if isinstance(value, dict) else None
    return MISSING if value is None else value


def accounts_held(state: ProfileState) -> list[HeldThing]:
    """The accounts that a profile is a member of, each with its role, as functions over accounts read them."""
    found = []
    for held in held_accounts(state):
        copy = state.accounts.get(held.account)
        view = {} if copy is None else copy.view
        values = {name: value for name, value in view.items() if name not in (VERSION, AUDIENCES)}
        found.append(HeldThing({**values, "id": held.account}, (held.role,), view.get(AUDIENCES, ())))
    return found


def account_view(state: ProfileState) -> dict[str, Any]:
    """What content reads as `account`: its traits that are read anywhere, its id, the role; {} without one."""
    held = own_account(state)
    if held is None:
        return {}
    copy = state.accounts.get(held.account)
    traits = {} if copy is None else {name: value for name, value in copy.view.items() if name[:1] != "$"}
    return {**traits, "id": held.account, "role": held.role}


def in_account_audience(state: ProfileState, name: str) -> bool:
    """Whether the profile's account is a member of an audience of accounts, as announced and told."""
    held = own_account(state)
    copy = None if held is None else state.accounts.get(held.account)
    return copy is not None and name in copy.view.get(AUDIENCES, ())
