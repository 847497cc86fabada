"""Summaries of one event's occurrences: fold, merge, and what they say at an instant.

Four shapes, chosen by the windows: `Total` (no window), `Newest` (only the latest occurrence matters), `Timeline` (a
sliding window, kept as its entries), `Settled` (`before` alone: a total of what is surely in, and the entries that are
still to come in). States forget relative to their own newest entry, so that they stay small and merging stays exact.
They hold nothing later than the instant of the question: the engine asks at `taken_at`, never before a timestamp.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from bisect import bisect_right, insort
from collections.abc import Callable
from operator import itemgetter
from typing import Any

from innkeeper.audiences.nodes import Aggregate
from innkeeper.audiences.operators import OPERATORS
from innkeeper.audiences.operators.base import Kind, entry_maker
from innkeeper.audiences.printer import print_expression
from innkeeper.audiences.spans import back_from, passed_at
from innkeeper.audiences.types import FactsReader
from innkeeper.audiences.values import reader
from innkeeper.audiences.where import compile_where
from innkeeper.events.types import Event
from innkeeper.kernel.ids import digest
from innkeeper.kernel.time import FOREVER, Instant

_time_of: Callable[[Any], Any] = itemgetter(0)


def _order(entry: Any) -> tuple[Any, str]:
    return (entry[0], str(entry[1]))


class Summary(ABC):
    """Base of the four shapes; see `audiences/types.py` for the laws."""

    __slots__ = ("_entry", "_kind", "_zoned", "event", "key", "windowed")

    def __init__(self, node: Aggregate) -> None:
        kind = OPERATORS[node.function].kind
        where = None if node.where is None else compile_where(node.where)
        self._kind: Kind = kind
        self._entry: Callable[[Event], Any] = entry_maker(kind, reader(node.path) if node.path else None, where)
        self.key: str = digest(print_expression(node))
        self.event: str = node.event
        self.windowed: bool = node.within is not None
        # A profile's zone is asked for only where calendar words need it: it costs more than all the rest.
        self._zoned = any(span is not None and span.calendar for span in (node.within, node.before))

    @abstractmethod
    def add(self, state: Any, event: Event) -> Any:
        """The state with one more event; the same object when the event does not count."""

    @abstractmethod
    def merge(self, a: Any, b: Any) -> Any:
        """The state of both histories together."""

    @abstractmethod
    def read(self, facts: FactsReader, now: Instant) -> tuple[Any, Instant]:
        """The total at *now*, None when nothing counts, and when it could next change by time alone."""

    def carry(self, state: Any) -> Any:
        """The total that stands in for events which go, all of them older than every window; None: nothing to carry."""
        return None

    def resume(self, total: Any) -> Any:
        """The state that a carried total is: `merge` it with that of the events which are left."""
        return None


class Total(Summary):
    """No window: the total of everything."""

    __slots__ = ()

    def add(self, state: Any, event: Event) -> Any:
        """See `Summary`."""
        entry = self._entry(event)
        if entry is None:
            return state
        one = self._kind.one(entry)
        return one if state is None else self._kind.combine(state, one)

    def merge(self, a: Any, b: Any) -> Any:
        """See `Summary`."""
        if a is None or b is None:
            return b if a is None else a
        return self._kind.combine(a, b)

    def read(self, facts: FactsReader, now: Instant) -> tuple[Any, Instant]:
        """See `Summary`."""
        return facts.accumulated(self), FOREVER

    def carry(self, state: Any) -> Any:
        """See `Summary`."""
        return state

    def resume(self, total: Any) -> Any:
        """See `Summary`."""
        return total


class Newest(Summary):
    """A window that reaches to now, of a function that the latest occurrence decides: its timestamp."""

    __slots__ = ("_passed", "_total")

    def __init__(self, node: Aggregate) -> None:
        super().__init__(node)
        if node.within is None:
            raise ValueError("a window is needed")
        self._passed = passed_at(node.within)
        self._total = self._kind.one

    def add(self, state: Any, event: Event) -> Any:
        """See `Summary`."""
        entry = self._entry(event)
        return entry if entry is not None and (state is None or entry > state) else state

    def merge(self, a: Any, b: Any) -> Any:
        """See `Summary`."""
        if a is None or b is None:
            return b if a is None else a
        return a if a >= b else b

    def read(self, facts: FactsReader, now: Instant) -> tuple[Any, Instant]:
        """See `Summary`."""
        newest = facts.accumulated(self)
        if newest is None:
            return None, FOREVER
        end = self._passed(newest, facts.zone() if self._zoned else "")
        return (self._total(newest), end) if now < end else (None, FOREVER)


class Timeline(Summary):
    """A sliding window: the entries, in order, no older than the newest minus the window."""

    __slots__ = ("_entered", "_horizon", "_left", "_lower", "_never", "_upper")

    def __init__(self, node: Aggregate) -> None:
        super().__init__(node)
        within, before = node.within, node.before
        if within is None:
            raise ValueError("a window is needed")
        self._horizon = within.horizon
        self._lower, self._left = back_from(within), passed_at(within)
        self._upper = None if before is None else back_from(before)
        self._entered = None if before is None else passed_at(before)
        self._never = (
            before is not None and within.calendar == before.calendar
            and (within.duration, within.days) <= (before.duration, before.days)
        )  # fmt: skip

    def add(self, state: Any, event: Event) -> Any:
        """See `Summary`."""
        entry = self._entry(event)
        if entry is None:
            return state
        if state is None:
            return [entry]
        if self._kind.valued:
            timestamp, newest = entry[0], state[-1][0]
        else:
            timestamp, newest = entry, state[-1]
        if timestamp > newest:
            return [*self._prune(state, timestamp), entry]
        if timestamp <= newest - self._horizon:
            return state
        grown = list(state)
        insort(grown, entry, key=_order if self._kind.valued else None)
        return grown

    def _prune(self, state: list[Any], newest: Instant) -> list[Any]:
        cut = newest - self._horizon
        oldest = state[0][0] if self._kind.valued else state[0]
        return state if oldest > cut else state[self._after(state, cut) :]

    def _after(self, state: list[Any], instant: Instant) -> int:
        return bisect_right(state, instant, key=_time_of) if self._kind.valued else bisect_right(state, instant)

    def merge(self, a: Any, b: Any) -> Any:
        """See `Summary`."""
        if a is None or b is None:
            return b if a is None else a
        valued = self._kind.valued
        both = sorted(a + b, key=_order) if valued else sorted(a + b)
        return self._prune(both, both[-1][0] if valued else both[-1])

    def span(self, facts: FactsReader, now: Instant) -> tuple[list[Any], int, int]:
        """The entries, and the slice of them that is in the window."""
        state = facts.accumulated(self)
        if state is None or self._never:
            return [], 0, 0
        zone = facts.zone() if self._zoned else ""
        low = self._after(state, self._lower(now, zone))
        return state, low, len(state) if self._upper is None else self._after(state, self._upper(now, zone))

    def leaves(self, entry: Any, facts: FactsReader) -> Instant:
        """When an entry falls out of the window."""
        return self._left(entry[0] if self._kind.valued else entry, facts.zone() if self._zoned else "")

    def enters(self, entry: Any, facts: FactsReader) -> Instant:
        """When an entry comes into the window, where `before` keeps it out at first."""
        if self._entered is None:
            return FOREVER
        return self._entered(entry[0] if self._kind.valued else entry, facts.zone() if self._zoned else "")

    def read(self, facts: FactsReader, now: Instant) -> tuple[Any, Instant]:
        """See `Summary`."""
        state, low, high = self.span(facts, now)
        following = self.enters(state[high], facts) if high < len(state) else FOREVER
        if low >= high:
            return None, following
        leaving = self.leaves(state[low], facts)
        return self._kind.total(state[low:high]), leaving if leaving < following else following


class Settled(Summary):
    """`before` alone: [total of what is in for every later instant, the newer entries in order]."""

    __slots__ = ("_entered", "_horizon", "_upper")

    def __init__(self, node: Aggregate) -> None:
        super().__init__(node)
        if node.before is None:
            raise ValueError("a window is needed")
        self._horizon = node.before.horizon
        self._upper, self._entered = back_from(node.before), passed_at(node.before)

    def add(self, state: Any, event: Event) -> Any:
        """See `Summary`."""
        entry = self._entry(event)
        if entry is None:
            return state
        return [None, [entry]] if state is None else self._settle(state[0], [*state[1], entry])

    def merge(self, a: Any, b: Any) -> Any:
        """See `Summary`."""
        if a is None or b is None:
            return b if a is None else a
        return self._settle(self._combine(a[0], b[0]), a[1] + b[1])

    def _combine(self, a: Any, b: Any) -> Any:
        if a is None or b is None:
            return b if a is None else a
        return self._kind.combine(a, b)

    def carry(self, state: Any) -> Any:
        """See `Summary`; events that go are older than `before`, so that all of them are in for every later instant."""
        return None if state is None else self._combine(state[0], self._kind.total(state[1]) if state[1] else None)

    def resume(self, total: Any) -> Any:
        """See `Summary`."""
        return None if total is None else [total, []]

    def _settle(self, base: Any, entries: list[Any]) -> list[Any]:
        if not entries:
            return [base, entries]
        valued = self._kind.valued
        entries.sort(key=_order if valued else None)
        cut = (entries[-1][0] if valued else entries[-1]) - self._horizon
        passed = self._after(entries, cut)
        for entry in entries[:passed]:
            base = self._combine(base, self._kind.one(entry))
        return [base, entries[passed:]]

    def _after(self, entries: list[Any], instant: Instant) -> int:
        return bisect_right(entries, instant, key=_time_of) if self._kind.valued else bisect_right(entries, instant)

    def read(self, facts: FactsReader, now: Instant) -> tuple[Any, Instant]:
        """See `Summary`."""
        state = facts.accumulated(self)
        if state is None:
            return None, FOREVER
        base, entries = state
        zone = facts.zone() if self._zoned else ""
        high = self._after(entries, self._upper(now, zone))
        total = self._combine(base, self._kind.total(entries[:high])) if high else base
        if high == len(entries):
            return total, FOREVER
        entry = entries[high]
        return total, self._entered(entry[0] if self._kind.valued else entry, zone)


def make_summary(node: Aggregate) -> Summary:
    """The accumulator of a function over events."""
    if node.within is None:
        return Total(node) if node.before is None else Settled(node)
    if node.before is None and OPERATORS[node.function].kind.newest_only:
        return Newest(node)
    return Timeline(node)
