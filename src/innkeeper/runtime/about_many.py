"""Which events are about accounts and items, whose past is that of many: what a revision plays besides its customers'.

An account is what the events say that name it or that its members sent; an item is what events set of it. Who is told
of either is told by `fanout.py`; objects are `about.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from innkeeper.events.accounts import account_word, may_count, named_account
from innkeeper.events.items import ITEM_UPDATED, WishedBy, item_set, wishes
from innkeeper.events.types import Event
from innkeeper.lifecycle import World
from innkeeper.profiles.ties import ACCOUNT_THING
from innkeeper.runtime import definitions as applied
from innkeeper.runtime.about import EVERYTHING
from innkeeper.runtime.record import events_naming, events_of, taken_events
from innkeeper.store.accounts import ever_members, words_of
from innkeeper.store.items import ever_wished
from innkeeper.store.state import State
from innkeeper.store.things import ThingKey

if TYPE_CHECKING:
    from innkeeper.store.bulk import Bulk


@dataclass(frozen=True, slots=True, kw_only=True)
class ManyRules:
    """What any strategy that was ever in force says of accounts and items.

    Attributes:
        accounts: Whether there are any.
        counted: Names of the events that an audience of accounts counts.
        told: Whether members are told anything of their account.
        wished_by: What asks for an item, per strategy.
        heard: The catalogs of which those who ask are told.
    """

    accounts: bool = False
    counted: frozenset[str] = frozenset()
    told: bool = False
    wished_by: tuple[WishedBy, ...] = ()
    heard: frozenset[str] = frozenset()


def rules_of_many(state: State) -> ManyRules:
    """The rules of every strategy that was ever in force, together."""
    declared = [each for each in applied.earlier(state) if each.workspace.accounts is not None or each.catalogs]
    worlds = [World.build(each) for each in declared]
    accounts = [world.accounts for world in worlds if world.accounts is not None]
    return ManyRules(
        accounts=bool(accounts),
        counted=frozenset(name for each in accounts for name in each.names),
        told=any(each.traits or each.audiences for each in accounts),
        wished_by=tuple(world.items.wished_by for world in worlds if world.items.catalogs),
        heard=frozenset(catalog for world in worlds for catalog, _ in world.items.heard),
    )


def account_key(account: str) -> ThingKey:
    """What names an account among things."""
    return ThingKey(*ACCOUNT_THING, account)


def account_ids(keys: Iterable[ThingKey]) -> set[str]:
    """The accounts among things."""
    return {key.id for key in keys if key.kind == "account"}


@dataclass(slots=True)
class Touched:
    """The accounts and items that some events are about, taken one by one.

    Attributes:
        senders: Whose events count for whatever account they are a member of.
        keys: What the events themselves name.
    """

    rules: ManyRules
    senders: set[str] = field(default_factory=set)
    keys: set[ThingKey] = field(default_factory=set)

    def take(self, event: Event) -> None:
        """Note what an event is about."""
        if self.rules.accounts and may_count(event):
            account = named_account(event)
            if account is not None:
                self.keys.add(account_key(account))
            elif event.name in self.rules.counted:
                self.senders.add(event.identifier)
        said = item_set(event)
        if said is not None:
            self.keys.add(ThingKey("item", said.catalog, said.id))

    def things(self, ledger: State) -> set[ThingKey]:
        """The accounts and items; who was a member of what says the ledger, and the events themselves."""
        words = words_of(ledger, sorted(self.senders))
        return self.keys | {account_key(word.account) for said in words.values() for word in said}


def whom_they_tell(ledger: State, rules: ManyRules, keys: Iterable[ThingKey]) -> set[str]:
    """Everybody who could ever have heard of one of the accounts and items, by a word of their own."""
    found: set[str] = set()
    for key in keys:
        if key.kind == "account" and rules.told:
            found.update(ever_members(ledger, key.id))
        elif key.kind == "item" and key.type in rules.heard:
            found.update(ever_wished(ledger, key.type, key.id))
    return found


def many_of(events: Iterable[Event], rules: ManyRules) -> set[ThingKey]:
    """The accounts that customers have a word on, and the items that they ask for, by their events."""
    found: set[ThingKey] = set()
    for event in events:
        word = account_word(event) if rules.accounts and may_count(event) else None
        if word is not None:
            found.add(account_key(word.account))
        for wished_by in rules.wished_by:
            found.update(ThingKey("item", wish.catalog, wish.id) for wish in wishes(event, wished_by))
    return found


def events_about_many(bulk: Bulk, rules: ManyRules, keys: Iterable[ThingKey]) -> Iterator[Event]:
    """Every event of the log that makes one of the accounts and items what it is, whoever sent it; retracted ones too.

    An event of a member is among them when some audience of accounts counts it.
    """
    wanted = set(keys)
    accounts = account_ids(wanted)
    if accounts:
        members: set[str] = set()
        for event in events_naming(bulk, accounts):
            word = account_word(event)
            if word is not None and word.joined is not None:
                members.add(event.identifier)
            yield event
        if members and rules.counted:
            yield from events_of(bulk, members, rules.counted)
    if any(key.kind == "item" for key in wanted):
        for event in taken_events(bulk, EVERYTHING, [ITEM_UPDATED]):
            said = item_set(event)
            if said is not None and ThingKey("item", said.catalog, said.id) in wanted:
                yield event
