"""Ad-hoc questions: `in_audience` and `stage` replaced by their definitions, so that the rest knows only facts.

The engine does not do this: it reads memberships and stages as announced.
"""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

from innkeeper.audiences.catalog import Catalog
from innkeeper.audiences.check import Subject, cycle_problem, find_cycle
from innkeeper.audiences.nodes import (
    MAX_NODES,
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
    OfAccount,
    Or,
    Path,
    Stage,
)
from innkeeper.audiences.printer import quote
from innkeeper.audiences.resolve import LITERALS
from innkeeper.audiences.values import FLIPPED, like_test, literal_test, membership_test
from innkeeper.kernel.errors import Invalid, Problem


def expand(expression: Expression, catalog: Catalog, of: Subject = "profile") -> Expression:
    """The expression without `in_audience` and `stage`; *of* says whose condition it is.

    What is asked of an account reads its traits as `traits.x` from here on: see `of_account`.

    Raises:
        Invalid: An audience is unknown, the definitions go round in a circle, or they grow beyond all measure.
    """
    cycle = find_cycle(catalog, expression)
    if cycle is not None:
        raise Invalid([cycle_problem(cycle)])
    expanded = _Expander(catalog, of).expand(expression)
    return of_account(expanded) if of == "account" else expanded


def of_account(node: Expression) -> Expression:
    """The condition on an account with `account.x` as `traits.x`: from here on it is a subject like any other."""
    if isinstance(node, Path):
        return replace(node, root="traits") if node.root == "account" else node
    changed: dict[str, Any] = {}
    for each in fields(node):
        value = getattr(node, each.name)
        if isinstance(value, Expression):
            changed[each.name] = of_account(value)
        elif isinstance(value, tuple) and value and isinstance(value[0], Expression):
            changed[each.name] = tuple(of_account(item) for item in value)
    return replace(node, **changed) if changed else node


class _Expander:
    def __init__(self, catalog: Catalog, of: Subject) -> None:
        self.catalog, self.of = catalog, of
        self.left = MAX_NODES

    def expand(self, node: Expression) -> Expression:
        """The node with everything below it expanded."""
        self.left -= 1
        if self.left < 0:
            raise Invalid(
                [
                    Problem(
                        code="too-large", message=f"with its audiences and stages it has more than {MAX_NODES} parts",
                        fix="let fewer audiences build on each other",
                    )
                ]
            )  # fmt: skip
        if isinstance(node, InAudience):
            return self._audience(node)
        test = _stage_test(node)
        if test is not None:
            return self._stages(test)
        changed: dict[str, Any] = {}
        for each in fields(node):
            value = getattr(node, each.name)
            if isinstance(value, Expression):
                changed[each.name] = self.expand(value)
            elif isinstance(value, tuple) and value and isinstance(value[0], Expression):
                changed[each.name] = tuple(self.expand(item) for item in value)
        return replace(node, **changed) if changed else node

    def _audience(self, node: InAudience) -> Expression:
        accounts = self.catalog.account_audiences
        if node.name in accounts:
            when = self._within_account(accounts[node.name])
            return when if self.of == "account" else OfAccount(node.name, of_account(when), at=node.at)
        if node.name not in self.catalog.audiences:
            raise Invalid([Problem(code="unknown-audience", message=f"there is no audience {quote(node.name)}")])
        return self.expand(self.catalog.audiences[node.name])

    def _within_account(self, node: Expression) -> Expression:
        outer, self.of = self.of, "account"
        try:
            return self.expand(node)
        finally:
            self.of = outer

    def _stages(self, test: Any) -> Expression:
        """The first true rule wins: `stage = b` is `not a's rule and b's rule`."""
        cases: list[Expression] = []
        earlier: list[Expression] = []
        for name, rule in self.catalog.stages:
            if test(name):
                here = self.expand(rule)
                cases.append(And((*(Not(self.expand(before)) for before in earlier), here)) if earlier else here)
            earlier.append(rule)
        if test(None):
            none = [Not(self.expand(before)) for before in earlier]
            cases.append(And(tuple(none)) if none else Boolean(True))
        if not cases:
            return Boolean(False)
        return cases[0] if len(cases) == 1 else Or(tuple(cases))


def _stage_test(node: Expression) -> Any:
    """The test of a stage's name that a condition on `stage` is; None for other conditions."""
    match node:
        case Compare(op=op, left=Stage(), right=right) if isinstance(right, LITERALS):
            return literal_test(op, right)
        case Compare(op=op, left=left, right=Stage()) if isinstance(left, LITERALS):
            return literal_test(FLIPPED[op], left)
        case Between(value=Stage(), low=low, high=high) if isinstance(low, LITERALS) and isinstance(high, LITERALS):
            first, second = literal_test(">=", low), literal_test("<=", high)
            return lambda stage: first(stage) and second(stage)
        case In(value=Stage(), items=items):
            return membership_test(items)
        case Like(value=Stage(), pattern=pattern, ignore_case=ignore_case):
            return like_test(pattern, ignore_case)
        case Missing(value=Stage()):
            return lambda stage: stage is None
        case _:
            if any(isinstance(getattr(node, each.name), Stage) for each in fields(node)):
                raise Invalid([Problem(code="type", message="stage compares with texts only")])
            return None
