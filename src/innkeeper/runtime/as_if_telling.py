"""Telling many in the world as if: what accounts and items have to say there, to the customers who are looked at.

A change is told at its instant, as `run` does. Whom the recorded order told of it later (`up` tells page by page) hears
of it then: an enrollment that both worlds have begins at the same instant in both. Next in the flow: `as_if.py`.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from msgspec import structs

from innkeeper import lifecycle
from innkeeper.identity.retraction import LeftOut
from innkeeper.kernel.time import Instant
from innkeeper.runtime.engine import Engine
from innkeeper.runtime.fanout import Page, Targets
from innkeeper.runtime.recall import Memory
from innkeeper.runtime.work import Item
from innkeeper.store.accounts import FanOutRow
from innkeeper.store.state import Cursor, Receipt, State
from innkeeper.store.things import ThingKey
from innkeeper.strategy.types import Definitions

#: Pages of the recorded order by what they are about, each with the instant when it was told.
ToldPages = dict[ThingKey, list[tuple[Page, Instant]]]


class TellingAsIf(Engine):
    """An engine that tells some customers what accounts and items would have told them.

    Args:
        scratch: Where the states go.
        left_out: Which events are as if they had never come.
        memory: Finds again what has been taken.
        identifiers: Who is told; who is none of them is played in part, and nobody looks at what comes of it.
        pages: What was told in the recorded order.
    """

    def __init__(
        self, scratch: State, left_out: LeftOut, memory: Memory, identifiers: Collection[str], pages: ToldPages
    ) -> None:
        self.identifiers = identifiers
        #: Pages that are still to come, in their order.
        self._coming = {thing: list(told) for thing, told in pages.items()}
        #: By what has changed in this world, each kind of change and when it was last.
        self._changed: dict[ThingKey, dict[str, Instant]] = {}
        super().__init__(scratch, lifecycle.World.build(Definitions(version="none")), delivery="replay", memory=memory)
        self.left_out = left_out

    @property
    def _told_by_record(self) -> bool:
        return False

    def _accounts_until(self, items: Sequence[Item], horizon: Instant) -> Instant:
        return max((item.taken_at for item in items), default=horizon)

    def _begin(self, changes: Sequence[tuple[str, str, str, str, Instant]]) -> None:
        for kind, type_, id_, change, at in sorted(changes):
            page = Page(kind, type_, id_, change, at, "", "")
            self._changed.setdefault(page.thing, {})[change] = at
            self._commit(None)
            targets = self._targets(page, at, "", None, -1)
            self._tell(page, self._but_later(page, targets), at)
            self._commit(None)

    def _but_later(self, change: Page, targets: Targets) -> Targets:
        """Those of the targets whom no page that is still to come tells of the change."""
        coming = self._coming.get(change.thing, ())
        later = [page for page, told_at in coming if page.begun_at <= change.at < told_at]
        return {each: said for each, said in targets.items() if not any(page.has(each) for page in later)}

    def tell_again(self, page: Page, at: Instant) -> None:
        """Tell those of a page of the recorded order who were to hear then what this world has to tell."""
        self.wake_all(at)
        self._coming[page.thing].remove((page, at))
        for change, changed_at in sorted(self._changed.get(page.thing, {}).items()):
            if changed_at >= page.begun_at:
                told = structs.replace(page, change=change, at=changed_at)
                targets = self._targets(told, changed_at, page.after, page.upto, -1)
                if change != page.change:
                    targets = self._but_later(told, targets)
                self._tell(told, targets, at)
                self._commit(None)

    def _targets(self, row: FanOutRow | Page, at: Instant, after: str, upto: str | None, size: int) -> Targets:
        found = super()._targets(row, at, after, upto, size)
        return {each: said for each, said in found.items() if each in self.identifiers}

    def wake_all(self, until: Instant) -> None:
        """Let the timers of all accounts come up to an instant, each with what it has to tell."""
        self._forget()
        self._desk.load((), self.world.accounts, until)
        self._wake_accounts(until)
        self._commit(None)

    def take_receipts(self, receipts: Sequence[Receipt], clock: Instant | None, cursor: Cursor | None) -> None:
        """Tell profiles the fate of deliveries, after what accounts had to tell before."""
        self.wake_all(max(receipt.planned_at for receipt in receipts))
        super().take_receipts(receipts, clock, cursor)
