"""Accounts as slowly and plainly as docs/accounts.md says it: who is a member when, which events count."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from typing import Any

from innkeeper.audiences import nodes as n
from innkeeper.audiences.catalog import Catalog
from innkeeper.events.reserved import without_reserved
from innkeeper.events.types import Event
from oracle.audience_oracle import NOTHING, Person, holds, look, people


def text_of(value: Any) -> Any:
    """The id of an account: a text, or a whole number as it is written."""
    if isinstance(value, str) and value:
        return value
    if isinstance(value, int) and not isinstance(value, bool) and -(2**63) <= value < 2**64:
        return str(value)
    return None


def stamp(event: Event) -> tuple[int, str, str]:
    """What makes one event newer than another."""
    return event.timestamp, event.source, event.message_id


def named(event: Event) -> Any:
    """The account that an event names."""
    if event.type == "group":
        return text_of(event.extra.get("groupId"))
    if event.type == "track" and event.name in ("Left Account", "Account Updated"):
        return text_of(event.properties.get("account_id"))
    return text_of(event.context.get("groupId"))


def is_word(event: Event) -> bool:
    """Whether an event says something on an account by itself."""
    own = event.type == "group" or (event.type == "track" and event.name in ("Left Account", "Account Updated"))
    return event.is_input and event.source != "innkeeper" and own and named(event) is not None


def is_member(events: Iterable[Event], identifier: str, account: str, at: int) -> bool:
    """Whether an identifier is a member at an instant."""
    words = [
        event
        for event in events
        if is_word(event)
        and event.name != "Account Updated"
        and event.identifier == identifier
        and named(event) == account
        and event.timestamp <= at
    ]
    return bool(words) and max(words, key=stamp).type == "group"


class Account(Person):
    """An account as of an instant: the events that count for it, each with its sender, and its traits."""

    def __init__(self, name: str, events: list[Event], at: int, catalog: Catalog, zone: str) -> None:
        super().__init__(name, [], set(), at, catalog, zone)
        past = [event for event in events if event.timestamp <= at]
        for event in past:
            if not event.is_input or event.source == "innkeeper":
                continue
            counts = (
                named(event) == name
                if named(event) is not None
                else is_member(past, event.identifier, name, event.timestamp)
            )
            if counts:
                properties = {**event.properties, "member": event.identifier}
                changed = {field: getattr(event, field) for field in event.__struct_fields__}
                self.events.append(Event(**{**changed, "properties": properties}))
        for event in sorted(filter(is_word, past), key=stamp):
            said = event.extra.get("traits") if event.type == "group" else event.properties.get("set")
            if named(event) == name and event.name != "Left Account" and isinstance(said, dict):
                self.traits.update(without_reserved(said))


def accounts(events: list[Event], at: int, catalog: Catalog, zone: str = "UTC") -> list[Account]:
    """All accounts that any event has named."""
    names = {
        named(event)
        for event in events
        if event.is_input and event.source != "innkeeper" and event.timestamp <= at and named(event) is not None
    }
    return [Account(name, events, at, catalog, zone) for name in sorted(names)]


def account_members(
    expression: n.Expression, events: list[Event], at: int, catalog: Catalog, zone: str = "UTC"
) -> list[str]:
    """The accounts for which a condition holds."""
    return [each.subject for each in accounts(events, at, catalog, zone) if holds(of_account(expression), each)]


def profile_members(
    expression: n.Expression, events: list[Event], at: int, catalog: Catalog, zone: str = "UTC"
) -> list[str]:
    """The profiles for which a condition holds that reads accounts."""
    past = [event for event in events if event.timestamp <= at]
    found = []
    for person in people(events, at, catalog, zone):
        person.account, person.accounts = _accounts_of(person, past, catalog, zone)
        if holds(expression, person):
            found.append(person.subject)
    return sorted(found)


def _accounts_of(person: Person, past: list[Event], catalog: Catalog, zone: str) -> Any:
    """The account of a person, and all that it is a member of, each with what is its own."""
    words = [event for event in person.events if is_word(event)]
    ties: dict[tuple[str, str], list[Event]] = {}
    for event in words:
        ties.setdefault((event.identifier, named(event)), []).append(event)
    held = {
        place: max((event for event in said if event.name != "Account Updated"), key=stamp)
        for place, said in ties.items()
        if is_member(words, *place, person.at)
    }
    found = {}
    for account in {place[1] for place in held}:
        own = [event for place in held if place[1] == account for event in ties[place] if _states(event)]
        role = max((stamp(event), _role(event)) for event in own)[1] if own else ""
        whole = Account(account, past, person.at, catalog, zone)
        found[account] = whole, {"id": account, "role": role or "member"}
    newest = max(((stamp(newest), place[1]) for place, newest in held.items()), default=None)
    return (None if newest is None else found[newest[1]]), list(found.values())


def _states(event: Event) -> bool:
    if event.type == "group":
        return bool(_role(event))
    return event.name == "Left Account" or "role" in event.properties


def _role(event: Event) -> str:
    if event.name == "Left Account":
        return ""
    places = (
        [event.extra.get("traits"), event.properties, event.context] if event.type == "group" else [event.properties]
    )
    for place in places:
        role = place.get("role") if isinstance(place, dict) else None
        if isinstance(role, str) and role:
            return role
    return ""


def of_accounts(node: n.OfObjects, person: Person) -> Any:
    """A function over the accounts that a person is a member of."""
    from oracle.audience_oracle import number_of

    chosen = [
        {**whole.traits, **own}
        for whole, own in person.accounts
        if node.where is None or holds(node.where, whole, {**whole.traits, **own})
    ]
    if node.path is None:
        return len(chosen)
    numbers = [number_of(look(each, node.path)) for each in chosen]
    return sum((each for each in numbers if each is not NOTHING), Fraction(0))


def account_value(person: Person, parts: tuple[str, ...]) -> Any:
    """What account.x reads."""
    if person.account is None:
        return NOTHING
    whole, own = person.account
    if parts in (("id",), ("role",)):
        return own[parts[0]]
    return look(whole.traits, parts)


def of_account(node: n.Expression) -> n.Expression:
    """An expression on an account with account.x as its own trait."""
    from innkeeper.audiences.expand import of_account

    return of_account(node)
