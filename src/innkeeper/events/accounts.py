"""What an event says about accounts: who joins or leaves which one, in what role, and the account's traits.

Which account an event counts for begins here too: the one that it names. Folded by `profiles/account_fold.py` (the
account) and `profiles/ties.py` (the member); the same in SQL: `audiences/sql_accounts.py`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from innkeeper.events.reserved import without_reserved
from innkeeper.events.types import ENGINE_SOURCE, Event

#: Before the id of an account, where it stands among the names of subjects.
ACCOUNT = "account:"
#: Ends the sender's membership of the account that its property `account_id` names.
LEFT = "Left Account"
#: Sets traits of the account that `account_id` names, and the sender's role in it.
UPDATED = "Account Updated"


class AccountWord(NamedTuple):
    """One event's word on one account.

    Attributes:
        joined: Whether its sender is a member from then on; None: it says nothing about that.
        states_role: Whether it says what role the sender has.
        role: That role; None: none.
        traits: Values of the account's traits; None removes one.
    """

    account: str
    joined: bool | None
    states_role: bool
    role: str | None
    traits: dict[str, Any]


def account_word(event: Event) -> AccountWord | None:
    """The word of an event on an account; None for an event that has none."""
    if event.type == "group":
        account = account_id(event.extra.get("groupId"))
        if account is None:
            return None
        traits = event.extra.get("traits")
        role = _role(traits, event.properties, event.context)
        return AccountWord(account, True, role is not None, role, _without_role(traits))
    if event.name not in (LEFT, UPDATED) or event.type != "track":
        return None
    account = account_id(event.properties.get("account_id"))
    if account is None:
        return None
    if event.name == LEFT:
        return AccountWord(account, False, True, None, {})
    states_role = "role" in event.properties
    role = _role(event.properties)
    return AccountWord(account, None, states_role, role, _without_role(event.properties.get("set")))


def named_account(event: Event) -> str | None:
    """The account that an event names: a group's own, `account_id` of our two events, else `context.groupId`."""
    if event.type == "group":
        return account_id(event.extra.get("groupId"))
    if event.name in (LEFT, UPDATED) and event.type == "track":
        return account_id(event.properties.get("account_id"))
    return account_id(event.context.get("groupId")) if event.context else None


def may_count(event: Event) -> bool:
    """Whether an event can count for an account: what the engine itself says does not."""
    return event.source != ENGINE_SOURCE


def account_id(value: object) -> str | None:
    """The text of an account's id: a text as it is, a whole number as it is written; None for anything else.

    >>> account_id("acme"), account_id(7), account_id(""), account_id(7.0)
    ('acme', '7', None, None)
    """
    if type(value) is str:
        return value or None
    return str(value) if type(value) is int and -(2**63) <= value < 2**64 else None


def _role(*places: Any) -> str | None:
    for place in places:
        role = place.get("role") if isinstance(place, dict) else None
        if isinstance(role, str) and role:
            return role
    return None


def _without_role(traits: Any) -> dict[str, Any]:
    if not isinstance(traits, dict):
        return {}
    own = {name: value for name, value in traits.items() if name != "role"} if "role" in traits else traits
    return without_reserved(own)
