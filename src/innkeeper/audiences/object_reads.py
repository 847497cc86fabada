"""Functions over objects and accounts for the fold: `any`, `count`, `sum` of those that meet a condition, and when that
changes.

The condition is compiled as any other; what it reads is one object in place of a profile. Its SQL is `object_sql.py`,
that of accounts `sql_accounts.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from innkeeper.audiences.nobody import Nobody
from innkeeper.audiences.nodes import OfObjects
from innkeeper.audiences.types import Held
from innkeeper.audiences.values import reader
from innkeeper.kernel.errors import InternalError
from innkeeper.kernel.numbers import MICRO, to_micro
from innkeeper.kernel.time import FOREVER, Instant

if TYPE_CHECKING:
    from innkeeper.audiences.compare import Answer, Part, Read, Reads
    from innkeeper.audiences.types import FactsReader


class _One(Nobody):
    """One object or account in one role, read as a profile is: its properties stand for the entry event's."""

    __slots__ = ("audiences", "values")

    def __init__(self, held: Held, role: str) -> None:
        self.values, self.audiences = {**held.values, "role": role}, held.audiences

    def entry(self, path: tuple[str, ...]) -> Any:
        return reader(path)(self.values)

    def accumulated(self, accumulator: object) -> Any:
        raise InternalError("an object has no events of its own", code="bad-expression")

    def in_audience(self, name: str) -> bool:
        return name in self.audiences


def any_part(node: OfObjects, reads: Reads) -> Part:
    """The condition that at least one object meets the condition."""
    choose = _chosen(node, reads)

    def some(facts: FactsReader, now: Instant) -> Answer:
        found, recheck = choose(facts, now)
        return bool(found), recheck

    return some


def number_read(node: OfObjects, reads: Reads) -> Read:
    """Reads how many objects meet the condition, or the sum of one of their properties, in millionths."""
    choose = _chosen(node, reads)
    if node.path is None:

        def count(facts: FactsReader, now: Instant) -> tuple[int, Instant]:
            found, recheck = choose(facts, now)
            return len(found) * MICRO, recheck

        return count
    read = reader(node.path)

    def total(facts: FactsReader, now: Instant) -> tuple[int, Instant]:
        found, recheck = choose(facts, now)
        return sum(to_micro(read(held.values)) or 0 for held in found), recheck

    return total


def _chosen(node: OfObjects, reads: Reads) -> Callable[[FactsReader, Instant], tuple[list[Held], Instant]]:
    """The objects that meet the condition in at least one of the profile's roles, and when that could change."""
    from innkeeper.audiences.live import compile_part

    of = node.object
    reads.thing(node)
    if node.where is None:
        return lambda facts, now: (list(facts.objects(of)), FOREVER)
    part = compile_part(node.where, reads)

    def chosen(facts: FactsReader, now: Instant) -> tuple[list[Held], Instant]:
        found, recheck = [], FOREVER
        for held in facts.objects(of):
            holds = False
            for role in held.roles:
                answer, at = part(_One(held, role), now)
                holds = holds or answer
                recheck = min(recheck, at)
            if holds:
                found.append(held)
        return found, recheck

    return chosen
