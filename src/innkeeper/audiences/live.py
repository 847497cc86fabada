"""Conditions over one profile as closures: the hot path of the engine.

Everything that can be decided from the expression is decided here, once; a closure only reads, compares and says when
the answer could next change by time alone. Comparisons are in `compare.py`, summaries in `accumulators.py`.
"""

from __future__ import annotations

from collections.abc import Callable

from innkeeper.audiences.accumulators import Total
from innkeeper.audiences.compare import Part, Reads, compile_compare, compile_in, compile_like, compile_missing
from innkeeper.audiences.nodes import (
    Aggregate,
    And,
    Between,
    Boolean,
    Compare,
    Expression,
    In,
    InAudience,
    Like,
    Missing,
    Not,
    Or,
    Path,
    walk,
)
from innkeeper.audiences.printer import print_expression
from innkeeper.audiences.types import Condition, FactsReader
from innkeeper.kernel.errors import InternalError
from innkeeper.kernel.time import FOREVER, Instant

Answer = tuple[bool, Instant]
_YES: Answer = (True, FOREVER)
_NO: Answer = (False, FOREVER)


def compile_live(expression: Expression) -> Condition:
    """The condition that an expression of scope `profile` or `journey` means."""
    reads = Reads()
    evaluate = _compile(expression, reads)
    return Condition(
        canonical=print_expression(expression),
        accumulators=tuple(reads.summaries.values()),
        traits=frozenset(reads.traits),
        audiences=frozenset(reads.audiences),
        reads_stage=reads.stage,
        reads_entry=reads.entry,
        evaluate=evaluate,
        reads_id=any(isinstance(node, Path) and node.root == "id" for node in walk(expression)),
    )


def _compile(node: Expression, reads: Reads) -> Part:
    match node:
        case And(items=items):
            return _join([_compile(item, reads) for item in items], decided_by=False)
        case Or(items=items):
            return _join([_compile(item, reads) for item in items], decided_by=True)
        case Not(item=item):
            return _negate(_compile(item, reads))
        case Boolean(value=value):
            return _constant(value)
        case Path():
            read = reads.path(node)
            return lambda facts, now: _YES if read(facts) is True else _NO
        case Aggregate():
            return _did(node, reads)
        case InAudience(name=name):
            reads.audiences.add(name)
            return lambda facts, now: _YES if facts.in_audience(name) else _NO
        case Compare(op=op, left=left, right=right):
            return compile_compare(op, left, right, reads)
        case Between(value=value, low=low, high=high):
            parts = [compile_compare(">=", value, low, reads), compile_compare("<=", value, high, reads)]
            return _join(parts, decided_by=False)
        case In(value=value, items=items):
            parts_or_test = compile_in(value, items, reads)
            return _join(parts_or_test, decided_by=True) if isinstance(parts_or_test, list) else parts_or_test
        case Like(value=value, pattern=pattern, ignore_case=ignore_case):
            return compile_like(value, pattern, ignore_case, reads)
        case Missing(value=value):
            return compile_missing(value, reads)
        case _:
            raise InternalError(f"{type(node).__name__} is no condition", code="bad-expression")


def _constant(value: bool) -> Part:
    answer = _YES if value else _NO
    return lambda facts, now: answer


def _negate(part: Part) -> Part:
    def negated(facts: FactsReader, now: Instant) -> Answer:
        holds, recheck = part(facts, now)
        return not holds, recheck

    return negated


def _did(node: Aggregate, reads: Reads) -> Part:
    summary = reads.summary(node)
    if isinstance(summary, Total):
        return lambda facts, now: _NO if facts.accumulated(summary) is None else _YES
    read: Callable[[FactsReader, Instant], tuple[object, Instant]] = summary.read

    def did(facts: FactsReader, now: Instant) -> Answer:
        total, recheck = read(facts, now)
        return total is not None, recheck

    return did


def _join(parts: list[Part], *, decided_by: bool) -> Part:
    """`or` (decided by a true part) or `and` (decided by a false part).

    Once decided, the answer stands until the last of the deciding parts could change; undecided, until the first of
    all parts could.
    """
    if len(parts) == 1:
        return parts[0]

    def joined(facts: FactsReader, now: Instant) -> Answer:
        first, last = FOREVER, -1
        for part in parts:
            holds, recheck = part(facts, now)
            if holds is decided_by:
                if recheck == FOREVER:
                    return holds, FOREVER
                if last < recheck:
                    last = recheck
            elif recheck < first:
                first = recheck
        return (decided_by, last) if last >= 0 else (not decided_by, first)

    return joined
