"""Comparisons over one profile: which two values, of which type, and when the answer changes by itself.

Numbers are compared in millionths, days in microseconds, the mean as sum against literal x count. A moving side
(`now()`, `days_since_*`) is turned round so that `now` is compared with a standing instant: then the instant of change
is known.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from innkeeper.audiences.accumulators import Summary, Timeline, Total, make_summary
from innkeeper.audiences.nodes import (
    ACCOUNT,
    Aggregate,
    Boolean,
    Expression,
    Now,
    Number,
    Offset,
    OfObjects,
    Path,
    Stage,
    Text,
    walk,
)
from innkeeper.audiences.object_reads import number_read
from innkeeper.audiences.operators.base import unpack
from innkeeper.audiences.printer import print_expression
from innkeeper.audiences.types import MISSING, FactsReader
from innkeeper.audiences.values import (
    COMPARE,
    FLIPPED,
    as_instant,
    like_test,
    literal_instant,
    literal_test,
    membership_test,
    pair_test,
)
from innkeeper.events.reserved import readable
from innkeeper.kernel.errors import InternalError, UsageError
from innkeeper.kernel.numbers import MICRO, to_micro
from innkeeper.kernel.time import FOREVER, Instant

Answer = tuple[bool, Instant]
Part = Callable[[FactsReader, Instant], Answer]
#: Reads a value that time alone does not move, and when a window could change it.
Read = Callable[[FactsReader, Instant], tuple[Any, Instant]]
Type = Literal["number", "days", "mean", "instant", "moving", "text", "boolean", "any"]

_YES: Answer = (True, FOREVER)
_NO: Answer = (False, FOREVER)
#: Microseconds of a millionth of a day.
MICRO_DAY = 86_400
_LITERALS = (Text, Number, Boolean)


class Reads:
    """What an expression reads of a profile, collected while it is compiled."""

    def __init__(self) -> None:
        self.summaries: dict[str, Summary] = {}
        self.traits: set[str] = set()
        self.memories: set[str] = set()
        self.audiences: set[str] = set()
        self.stage = False
        self.entry = False
        self.account: set[str] = set()
        self.things: set[tuple[str, str]] = set()

    def thing(self, node: OfObjects) -> None:
        """Note what a function over objects or accounts reads."""
        if node.object != ACCOUNT:
            self.things.add(("object", node.object))
            return
        self.things.add((ACCOUNT, ACCOUNT))
        below = () if node.where is None else walk(node.where)
        self.account |= {each.parts[0] for each in below if isinstance(each, Path) and each.root == "property"}
        if node.path is not None:
            self.account.add(node.path[0])

    def summary(self, node: Aggregate) -> Summary:
        """The accumulator of a function, one per canonical text."""
        canonical = print_expression(node)
        if canonical not in self.summaries:
            self.summaries[canonical] = make_summary(node)
        if any(span is not None and span.calendar for span in (node.within, node.before)):
            self.traits |= {"timezone", "country"}
        return self.summaries[canonical]

    def path(self, node: Path) -> Callable[[FactsReader], Any]:
        """The function that looks a path up."""
        parts = node.parts
        if node.root == "traits" and not readable(parts):
            return lambda facts: MISSING
        if node.root == "traits":
            self.traits.add(parts[0])
            return lambda facts: facts.trait(parts)
        if node.root == "memory":
            self.memories.add(parts[0])
            return lambda facts: facts.memory(parts)
        if node.root == "account":
            self.account.add(parts[0])
            return lambda facts: facts.account(parts)
        if node.root == "event":
            self.entry = True
            return lambda facts: facts.entry(parts)
        if node.root == "id":
            namespace = parts[0]
            return lambda facts: facts.identifier(namespace)
        if node.root == "object":
            self.things.add(("object", parts[0]))
            return lambda facts: facts.about(parts)
        # Inside a condition on objects, what is asked is one object: its properties stand where the entry event's do.
        return lambda facts: facts.entry(parts)

    def raw(self, node: Expression) -> Callable[[FactsReader], Any]:
        """The function that looks up a path, an identifier or the stage."""
        if isinstance(node, Stage):
            self.stage = True
            return lambda facts: facts.stage()
        if isinstance(node, Path):
            return self.path(node)
        raise InternalError(f"{type(node).__name__} is not looked up", code="bad-expression")


def type_of(node: Expression) -> Type:
    """The type of a value that is no literal."""
    match node:
        case Path(root=root):
            return "text" if root == "id" else "any"
        case Stage():
            return "text"
        case Now():
            return "moving"
        case Offset(base=base):
            return "moving" if isinstance(base, Now) else "instant"
        case Aggregate(function="first" | "last"):
            return "instant"
        case Aggregate(function="days_since_first" | "days_since_last"):
            return "days"
        case Aggregate(function="avg"):
            return "mean"
        case OfObjects():
            return "number"
        case Aggregate():
            return "number"
        case _:
            raise InternalError(f"{type(node).__name__} has no type", code="bad-expression")


def compile_compare(op: str, left: Expression, right: Expression, reads: Reads) -> Part:
    """The condition `left op right`."""
    if isinstance(left, _LITERALS):
        op, left, right = FLIPPED[op], right, left
    kind = type_of(left)
    if isinstance(right, _LITERALS):
        return _against_literal(op, left, kind, right, reads)
    other = type_of(right)
    if "mean" in (kind, other):
        raise UsageError("avg(…) compares with a number only", code="bad-comparison", fix="avg('Event', total) > 50")
    if {kind, other} <= {"any", "text"}:
        return _looked_up(op, left, right, reads)
    if {kind, other} <= {"any", "number"}:
        return _standing(op, _numbers(left, reads), _numbers(right, reads))
    if kind == "days" or other == "days":
        return _days(op, left, kind, right, other, reads)
    if {kind, other} <= {"any", "instant", "moving"}:
        return _instants(op, left, right, reads)
    return _never(left, right, reads)


def _never(left: Expression, right: Expression, reads: Reads) -> Part:
    """Sides of different types: both are read, so that the condition knows what it depends on; never true."""
    for node in (left, right):
        if isinstance(node, Aggregate):
            reads.summary(node)
        elif isinstance(node, OfObjects):
            reads.thing(node)
    return lambda facts, now: _NO


def _against_literal(op: str, node: Expression, kind: Type, literal: Expression, reads: Reads) -> Part:
    if kind in ("any", "text"):
        read, test = reads.raw(node), literal_test(op, literal)
        return lambda facts, now: _YES if test(read(facts)) else _NO
    if isinstance(literal, Number):
        micro = literal.micro
        if kind == "number" and isinstance(node, Aggregate):
            return _number_literal(op, node, micro, reads)
        if kind == "number":
            return _standing(op, _numbers(node, reads), _fixed(micro))
        if kind == "mean" and isinstance(node, Aggregate):
            return _mean(op, reads.summary(node).read, micro)
        if kind == "days" and isinstance(node, Aggregate):
            return _since(op, reads.summary(node).read, micro * MICRO_DAY)
    instant = literal_instant(literal)
    if instant is not None and kind == "moving":
        cross, target = crossing(op), instant - _offset(node)
        return lambda facts, now: cross(now, target)
    if instant is not None and kind == "instant":
        return _standing(op, _moments(node, reads), _fixed(instant))
    return _never(node, literal, reads)


def _number_literal(op: str, node: Aggregate, micro: int, reads: Reads) -> Part:
    summary = reads.summary(node)
    if node.function == "count" and isinstance(summary, Timeline) and node.before is None and op not in ("=", "!="):
        least = -(-micro // MICRO) if op in (">=", "<") else micro // MICRO + 1
        return _at_least(summary, least, holds=op in (">=", ">"))
    if isinstance(summary, Total):
        return _whole_history(op, summary, _CONVERT.get(node.function, unpack), node.function in _CONVERT, micro)
    return _standing(op, _numbers(node, reads), _fixed(micro))


def _whole_history(op: str, summary: Total, convert: Callable[[Any], int], zero_of_nothing: bool, micro: int) -> Part:
    """A number without a window against a literal: time alone never changes it."""
    compare = COMPARE[op]

    def compared(facts: FactsReader, now: Instant) -> Answer:
        total = facts.accumulated(summary)
        if total is None and not zero_of_nothing:
            return _NO
        return _YES if compare(convert(total), micro) else _NO

    return compared


def _at_least(summary: Timeline, least: int, *, holds: bool) -> Part:
    """`count(E, within => D) >= k` ends when the k-th latest leaves the window; time alone never begins it."""
    enough, short = (holds, FOREVER), (not holds, FOREVER)

    def at_least(facts: FactsReader, now: Instant) -> Answer:
        state, low, high = summary.span(facts, now)
        if high - low < least:
            return short
        return enough if least <= 0 else (holds, summary.leaves(state[high - least], facts))

    return at_least


def _fixed(value: int) -> Read:
    answer = (value, FOREVER)
    return lambda facts, now: answer


def _standing(op: str, left: Read, right: Read) -> Part:
    compare = COMPARE[op]

    def compared(facts: FactsReader, now: Instant) -> Answer:
        a, first = left(facts, now)
        b, second = right(facts, now)
        return a is not None and b is not None and compare(a, b), first if first < second else second

    return compared


def _looked_up(op: str, left: Expression, right: Expression, reads: Reads) -> Part:
    first, second, test = reads.raw(left), reads.raw(right), pair_test(op)
    return lambda facts, now: _YES if test(first(facts), second(facts)) else _NO


def _numbers(node: Expression, reads: Reads) -> Read:
    """Reads millionths."""
    if isinstance(node, OfObjects):
        return number_read(node, reads)
    if not isinstance(node, Aggregate):
        look = reads.raw(node)
        return lambda facts, now: (to_micro(look(facts)), FOREVER)
    read = reads.summary(node).read
    if node.function not in _CONVERT:
        return _unpacked(read)
    convert = _CONVERT[node.function]

    def number(facts: FactsReader, now: Instant) -> tuple[Any, Instant]:
        total, recheck = read(facts, now)
        return convert(total), recheck

    return number


def _count(total: int | None) -> int:
    return 0 if total is None else total * MICRO


def _distinct(total: list[str] | None) -> int:
    return 0 if total is None else len(total) * MICRO


def _sum(total: int | str | None) -> int:
    return 0 if total is None else unpack(total)


#: Functions that are 0 when nothing counts, and their millionths.
_CONVERT: dict[str, Callable[[Any], int]] = {"count": _count, "distinct": _distinct, "sum": _sum}


def _unpacked(read: Read) -> Read:
    def number(facts: FactsReader, now: Instant) -> tuple[Any, Instant]:
        total, recheck = read(facts, now)
        return None if total is None else unpack(total), recheck

    return number


def _mean(op: str, read: Read, micro: int) -> Part:
    compare = COMPARE[op]

    def compared(facts: FactsReader, now: Instant) -> Answer:
        total, recheck = read(facts, now)
        return total is not None and compare(unpack(total[0]), micro * total[1]), recheck

    return compared


def crossing(op: str) -> Callable[[Instant, Instant], Answer]:
    """The function (now, target) -> `now op target` and when that changes."""
    compare = COMPARE[op]
    if op in ("<", ">="):
        return lambda now, target: (compare(now, target), target if now < target else FOREVER)
    if op in ("<=", ">"):
        return lambda now, target: (compare(now, target), target + 1 if now <= target else FOREVER)

    def equal(now: Instant, target: Instant) -> Answer:
        return compare(now, target), target if now < target else (target + 1 if now == target else FOREVER)

    return equal


def _since(op: str, read: Read, length: int) -> Part:
    """`now - moment op length`, asked as `now op moment + length`."""
    cross = crossing(op)

    def since(facts: FactsReader, now: Instant) -> Answer:
        moment, recheck = read(facts, now)
        if moment is None:
            return False, recheck
        holds, change = cross(now, moment + length)
        return holds, change if change < recheck else recheck

    return since


def _days(op: str, left: Expression, kind: Type, right: Expression, other: Type, reads: Reads) -> Part:
    if kind != "days":
        op, left, kind, right, other = FLIPPED[op], right, other, left, kind
    if not isinstance(left, Aggregate):
        raise InternalError("days are counted by a function", code="bad-expression")
    moment = reads.summary(left).read
    if other == "days" and isinstance(right, Aggregate):
        # now - a op now - b is b op a: both sides move together.
        return _standing(op, reads.summary(right).read, moment)
    if other not in ("any", "number"):
        return _never(left, right, reads)
    length, cross = _numbers(right, reads), crossing(op)

    def since(facts: FactsReader, now: Instant) -> Answer:
        began, first = moment(facts, now)
        days, second = length(facts, now)
        recheck = first if first < second else second
        if began is None or days is None:
            return False, recheck
        holds, change = cross(now, began + days * MICRO_DAY)
        return holds, change if change < recheck else recheck

    return since


def _offset(node: Expression) -> int:
    return node.duration if isinstance(node, Offset) else 0


def _moments(node: Expression, reads: Reads) -> Read:
    """Reads an instant that stands still."""
    if isinstance(node, Path):
        look = reads.path(node)
        return lambda facts, now: (as_instant(look(facts)), FOREVER)
    base, duration = (node.base, node.duration) if isinstance(node, Offset) else (node, 0)
    if not isinstance(base, Aggregate):
        raise InternalError(f"{type(base).__name__} is no standing instant", code="bad-expression")
    read = reads.summary(base).read
    if not duration:
        return read

    def moved(facts: FactsReader, now: Instant) -> tuple[Any, Instant]:
        moment, recheck = read(facts, now)
        return None if moment is None else moment + duration, recheck

    return moved


def _instants(op: str, left: Expression, right: Expression, reads: Reads) -> Part:
    moving, other = type_of(left) == "moving", type_of(right) == "moving"
    if moving and other:
        holds = COMPARE[op](_offset(left), _offset(right))
        return lambda facts, now: _YES if holds else _NO
    if not moving and not other:
        return _standing(op, _moments(left, reads), _moments(right, reads))
    if other:
        op, left, right = FLIPPED[op], right, left
    ahead, read, cross = _offset(left), _moments(right, reads), crossing(op)

    def compared(facts: FactsReader, now: Instant) -> Answer:
        moment, recheck = read(facts, now)
        if moment is None:
            return False, recheck
        holds, change = cross(now, moment - ahead)
        return holds, change if change < recheck else recheck

    return compared


def compile_in(value: Expression, items: tuple[Expression, ...], reads: Reads) -> Part | list[Part]:
    """The condition `value in (items)`; for a function, one comparison per item."""
    if isinstance(value, Path | Stage):
        read, test = reads.raw(value), membership_test(items)
        return lambda facts, now: _YES if test(read(facts)) else _NO
    return [compile_compare("=", value, item, reads) for item in items]


def compile_like(value: Expression, pattern: str, ignore_case: bool, reads: Reads) -> Part:
    """The condition `value like pattern`; numbers and instants match nothing."""
    if not isinstance(value, Path | Stage):
        return _never(value, value, reads)
    read, test = reads.raw(value), like_test(pattern, ignore_case)
    return lambda facts, now: _YES if test(read(facts)) else _NO


def compile_missing(value: Expression, reads: Reads) -> Part:
    """The condition `value is missing`."""
    if isinstance(value, Path | Stage):
        look = reads.raw(value)
        return lambda facts, now: _YES if (found := look(facts)) is None or found is MISSING else _NO
    base = value.base if isinstance(value, Offset) else value
    if not isinstance(base, Aggregate) or base.function in ("count", "sum", "distinct"):
        return _never(base, base, reads)
    read = reads.summary(base).read

    def missing(facts: FactsReader, now: Instant) -> Answer:
        total, recheck = read(facts, now)
        return total is None, recheck

    return missing
