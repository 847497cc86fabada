"""Telling many profiles of one change: page by page, with the place where the telling stands in the same transaction.

A change of an account or an item is written into `fanouts` together with the input that made it. `run` tells every page
at the instant of the change, before anything else happens; `up` one page a tick, so that others are not kept waiting.
Each page is recorded among the inputs, and `replay` tells the same ones again. Nobody is told what they know already.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec

from innkeeper import lifecycle
from innkeeper.events import outputs as o
from innkeeper.events.types import ENGINE_SOURCE, Event
from innkeeper.identity.spans import ALWAYS
from innkeeper.kernel.failpoints import failpoint
from innkeeper.kernel.time import Instant
from innkeeper.profiles.account_fold import tells, view_of
from innkeeper.profiles.item_fold import in_stock, wish_of
from innkeeper.profiles.others import News
from innkeeper.profiles.state import ProfileState
from innkeeper.runtime import definitions
from innkeeper.runtime.account_desk import AccountDesk, Change, news
from innkeeper.runtime.item_desk import ItemDesk, item_news
from innkeeper.store import accounts as rows
from innkeeper.store import things
from innkeeper.store.accounts import FanOutRow
from innkeeper.store.items import wish_page, wishes_of
from innkeeper.store.projections import to_outbox
from innkeeper.store.state import State, TakenRow
from innkeeper.store.things import ThingKey

if TYPE_CHECKING:
    from innkeeper.runtime.home_order import HomeOrder
    from innkeeper.runtime.identifying import Identification
    from innkeeper.runtime.work import Counts, Delivery, Item, Pending

#: What a profile hears for one of its identifiers, told at an instant.
Maker = Callable[[ProfileState, str, Instant], News | None]
#: By identifier, in order, when it said what it is told for: who had it then hears it.
Targets = Mapping[str, Sequence[Instant]]
#: How many members are told in one transaction.
PAGE = 250


class Page(msgspec.Struct, frozen=True):
    """One page of a telling, as `taken` records it.

    Attributes:
        after, upto: Who was told lies between, the second one included; None: up to the end.
        since: When the oldest change happened that it tells of; None: at the same instant.
    """

    kind: str
    type: str
    id: str
    change: str
    at: Instant
    after: str
    upto: str | None
    since: Instant | None = None

    @property
    def thing(self) -> ThingKey:
        """What has changed."""
        return ThingKey(self.kind, self.type, self.id)

    @property
    def begun_at(self) -> Instant:
        """When the oldest change happened that it tells of."""
        return self.at if self.since is None else self.since

    def has(self, identifier: str) -> bool:
        """Whether somebody is on it."""
        return self.after < identifier and (self.upto is None or identifier <= self.upto)


class Telling:
    """The part of the engine that folds accounts and tells many profiles of one change."""

    state: State
    world: lifecycle.World
    delivery: Delivery
    counts: Counts
    _desk: AccountDesk
    _items: ItemDesk
    _next: Pending
    _position: int
    _waiting: dict[str, Instant]
    _cache: dict[str, ProfileState]
    _homes: HomeOrder

    # What the engine gives.
    identification: Identification
    _fetch: Callable[[set[str]], None]
    _settle: Callable[[str, Instant], None]
    _emit: Callable[[ProfileState, Instant, Sequence[o.Output]], None]
    _advance: Callable[[ProfileState, lifecycle.Input, Instant], list[o.Output]]
    _commit: Callable[[None], None]
    _forget: Callable[[], None]
    _wait_for_deliveries: Callable[[set[str]], None]

    @property
    def _told_by_record(self) -> bool:
        """Whether it is recorded who is told of what, and when."""
        return self.delivery == "replay"

    def _must_hold(self, item: Item, held: set[str]) -> bool:
        """Whether an input has to wait until nobody waits for a delivery: it may have to be told to anybody."""
        rules = self.world.accounts
        if item.mode == "history":
            return False
        if (self.world.items.heard or self.world.items.in_content) and self._items.concerns(item.event):
            if held or self._waiting:
                return True
            # What is sent up to now shows the items as they are up to now.
            self._wake_accounts(item.taken_at)
            for subject in list(self._cache):
                self._settle(subject, item.taken_at)
            if self._waiting:
                return True
        if rules is None or not held:
            return False
        return bool(self._desk.concerns(item.event, rules)) or self._desk.next_due(item.taken_at) is not None

    def _fold_accounts(self, item: Item, state: ProfileState, at: Instant) -> tuple[tuple[News, ...], list[Change]]:
        """Take an event into the accounts that it counts for: the sender's news, and what others must hear."""
        rules = self.world.accounts
        if rules is None:
            return (), []
        facts, history = state.facts.get(item.event.identifier), item.mode == "history"
        changes = self._desk.take(item.event, facts, at, rules, history=history)
        for change in changes:
            self._emit_account(change)
        return self._desk.news_for(changes, item.event, rules), [] if history else changes

    def _wake_accounts(self, until: Instant) -> None:
        """Let the timers of accounts come up to an instant, each with what it has to tell."""
        rules = self.world.accounts
        if rules is None or self._told_by_record:
            return
        while (due := self._desk.next_due(until)) is not None:
            changes = self._desk.wake(due[1], due[0], rules)
            for change in changes:
                self._emit_account(change)
            self._tell_changes(changes)

    def _emit_account(self, change: Change) -> None:
        for index, output in enumerate(change.outputs):
            self._next.outbox.append(
                to_outbox(change.at, change.state.subject, change.number, index, output, output.identifier)
            )
            self.counts.add(output)

    def _tell_changes(self, changes: Iterable[Change]) -> None:
        """Write down what has to be told; where pages are not told tick by tick, tell all of them."""
        if self._told_by_record:
            return
        last = {change.account: change for change in changes if change.differs}
        self._begin([("account", "account", account, "changed", change.at) for account, change in last.items()])

    def _take_items(self, item: Item) -> None:
        """Take an event into the item that it is about, and its sender's wishes; tell who has asked for the item."""
        rules = self.world.items
        if not rules.catalogs:
            return
        found = self._items.take(item.event, rules)
        if item.mode != "history" and not self._told_by_record:
            self._begin([("item", *each, item.taken_at) for each in found])

    def _begin(self, changes: Sequence[tuple[str, str, str, str, Instant]]) -> None:
        for change in changes:
            row = FanOutRow(*change, self._position, "", change[4])
            earlier = self._next.fanouts.get(row[:4])
            self._next.fanouts[row[:4]] = row if earlier is None else row._replace(since=earlier.since)
        if changes and self.delivery != "later":
            self._commit(None)
            self.tell_all()

    def tell_all(self) -> None:
        """Tell every open change to its end, each at its instant."""
        for row in rows.open_fanouts(self.state):
            while self._tell_page(row, row.at):
                row = next(each for each in rows.open_fanouts(self.state) if each[:4] == row[:4])

    def finish_telling(self) -> None:
        """Tell what was left half told, by the definitions of then; before anything else is taken."""
        if rows.open_fanouts(self.state):
            world, self.world = self.world, definitions.world(self.state, int(self.state.meta("adopted") or 0))
            self._forget()
            self.tell_all()
            self.world = world

    def tell_rest(self, at: Instant) -> None:
        """Tell every open change to its end, at one instant."""
        self._forget()
        while self.tell_some(at):
            pass

    def tell_some(self, at: Instant) -> bool:
        """Tell one page of the oldest open change; whether there was one."""
        for row in rows.open_fanouts(self.state)[:1]:
            self._tell_page(row, at)
            return True
        return False

    def _tell_page(self, row: FanOutRow, at: Instant) -> bool:
        """Tell the next page and commit; whether there may be more."""
        targets = self._targets(row, row.at, row.done, None, PAGE)
        more, last = len(targets) == PAGE, max(targets, default=row.done)
        # Nobody being left is recorded as well, if it took a while: somebody may have left meanwhile.
        if targets or at > row.since:
            upto = last if more else None
            # Receipts that somebody's timers wait for were heard before the page, and are recorded before it.
            self._gather(targets, at)
            page = Page(row.kind, row.type, row.id, row.change, row.at, row.done, upto, row.since)
            self._position += 1
            self._next.taken.append(
                TakenRow(self._position, "fanout", 0, at, None, row.kind, msgspec.json.encode(page).decode())
            )
            self._tell(page, targets, at)
            failpoint("fanout.computed")
        self._next.fanouts[row[:4]] = row._replace(done=last) if more else None
        self._next.told[row[:4]] = row
        self._commit(None)
        failpoint("fanout.told")
        return more

    def _targets(self, row: FanOutRow | Page, at: Instant, after: str, upto: str | None, size: int) -> Targets:
        """Who is told, and for what was said when."""
        if row.kind == "account":
            return dict.fromkeys(rows.member_page(self.state, row.id, after, upto, size), (ALWAYS,))
        return wish_page(self.state, row.type, row.id, at, after, upto, size)

    def tell_again(self, page: Page, at: Instant) -> None:
        """Tell a page as it was told; for replay."""
        self._forget()
        if page.kind == "account" and self.world.accounts is not None:
            for change in self._desk.wake(page.id, at, self.world.accounts):
                self._emit_account(change)
        self._tell(page, self._targets(page, page.at, page.after, page.upto, -1), at)
        self._commit(None)

    def wake_all(self, until: Instant) -> None:
        """Let the timers of all accounts come up to an instant; nobody is told. For replay."""
        rules = self.world.accounts
        if rules is not None:
            self._forget()
            for account in sorted(things.due(self.state, "account", until)):
                for change in self._desk.wake(account, until, rules):
                    self._emit_account(change)
            self._commit(None)

    def has_to_tell(self, until: Instant) -> bool:
        """Whether somebody is still to be told, or an account's timer is due."""
        if self.world.accounts is None and not self.world.items.heard:
            return False
        return bool(rows.open_fanouts(self.state)) or bool(things.due(self.state, "account", until))

    def _tell(self, page: Page, targets: Targets, at: Instant) -> None:
        make = self._account_news(page) if page.kind == "account" else self._item_news(page)
        if make is None:
            return
        for identifier, subject in self._gather(targets, at):
            state = self._cache.get(subject)
            if state is None:
                continue
            told_at = max(at, state.last_at)
            heard = make(state, identifier, told_at)
            if heard is not None:
                told = lifecycle.ToldInput((heard,), _happened(page), told_at)
                self._emit(state, told_at, self._advance(state, told, told_at))

    def _gather(self, targets: Targets, at: Instant) -> list[tuple[str, str]]:
        """Whose each identifier was whenever it said what it is told for; their timers come first."""
        who = self.identification.identities
        said = ((identifier, each) for identifier, instants in targets.items() for each in instants)
        owners = list(dict.fromkeys((identifier, who.owner(identifier, each)) for identifier, each in said))
        subjects = {subject for _, subject in owners}
        self._fetch(subjects)
        self._settle_all(subjects & self._cache.keys(), at)
        return owners

    def _account_news(self, page: Page) -> Maker | None:
        """What members hear; who knows it already hears nothing."""
        rules, account = self.world.accounts, self._desk.view(page.id)
        if rules is None or account is None:
            return None
        view = view_of(account, rules)

        def make(state: ProfileState, identifier: str, at: Instant) -> News | None:
            copy = state.accounts.get(page.id)
            if copy is not None and identifier in copy.holders and not tells(copy.view, view):
                return None
            return news(page.id, account, identifier, rules)

        return make

    def _item_news(self, page: Page) -> Maker | None:
        """What those hear who asked for an item; one that is sold out again meanwhile is no news, and wishes stay."""
        view = self._items.view(page.type, page.id, self.world.items)
        if page.change == "back_in_stock" and not in_stock(view):
            return None
        heard, who = set[str](), self.identification.identities

        def make(state: ProfileState, identifier: str, at: Instant) -> News | None:
            if state.subject in heard:
                return None
            heard.add(state.subject)
            # One person is told once, under however many identifiers the wish was made.
            said = wishes_of(self.state, page.type, page.id, {identifier, state.subject, *state.facts})
            wish = wish_of(word for word in said if who.owner(word.identifier, word.at) == state.subject)
            if wish is None or wish.at > page.at:
                return None
            self._items.settle(page.type, page.id, wish, page.at)
            # Told is told: what is begun is the person's own, whoever is found to have had the browser later on.
            own = self.identification.stamp(state, who.holder(wish.identifier, wish.at), at)
            said_at = wish.at if own == wish.identifier else at
            return item_news(page.type, page.id, view, own, page.change, said_at)

        return make

    def _settle_all(self, subjects: set[str], until: Instant) -> None:
        """Let everybody's timers come first; who has planned a delivery by them waits for its receipt."""
        while True:
            for subject in sorted(subjects):
                self._settle(subject, until)
            if self._waiting.keys().isdisjoint(subjects):
                return
            self._commit(None)
            self._wait_for_deliveries(self._homes.ready(self._waiting, None) or set(self._waiting))


def _happened(page: Page) -> Event:
    """What the told react to: the change, at its own instant."""
    return Event(
        source=ENGINE_SOURCE, message_id="", type="", name=f"{page.kind.capitalize()} Changed", user_id="",
        timestamp=page.at, received_at=page.at,
    )  # fmt: skip
