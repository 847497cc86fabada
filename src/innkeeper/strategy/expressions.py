"""The expressions of a strategy: read where they stand, and checked when all names are known.

The language itself is the audiences slice.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from innkeeper.audiences import Catalog, Expression, check, cycle_problem, find_cycle, parse
from innkeeper.audiences.check import Subject, references
from innkeeper.audiences.nodes import Boolean, walk
from innkeeper.kernel.errors import Invalid, Problem
from innkeeper.kernel.located import Findings, Located, Place
from innkeeper.strategy.known import KnownNames
from innkeeper.strategy.types import Definitions


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """An expression and where it stands.

    Attributes:
        where: The value it was read from, or its place.
        event: The event whose properties it may read, if any.
        owner: Whose condition it is, in the words of `audiences.find_cycle`; empty for a journey's.
        of: What it asks about.
    """

    expression: Expression
    where: Located | Place
    event: str | None = None
    owner: str = ""
    of: Subject = "profile"


# code of a finding -> the key of strategy.yaml that declares such names
_SECTIONS = {
    "unknown-event": "events",
    "unknown-property": "events",
    "unknown-trait": "traits",
    "unknown-memory": "memories",
    "unknown-account-trait": "accounts: traits",
}
_HOW_TO_DECLARE = "declare it in strategy.yaml under {}, or import the events first"


def read_expression(node: Located, owner: str, findings: Findings, of: Subject = "profile") -> Written | None:
    """The expression that a value holds; None when it is none, with the reason among the findings."""
    if isinstance(node.value, bool):
        text = "true" if node.value else "false"
    elif isinstance(node.value, str):
        text = node.value
    else:
        findings.add(
            node, "not-an-expression", f"an expression is needed, not '{node.plain()}'",
            "write it like did('Order Completed')",
        )  # fmt: skip
        return None
    try:
        return Written(expression=parse(text, of), where=node, owner=owner, of=of)
    except Invalid as error:
        findings.add_from(node, error)
        return None


def catalog_of(definitions: Definitions, known: KnownNames, broken: Mapping[str, Iterable[str]]) -> Catalog:
    """The names that expressions of these definitions may use; *broken* ones stand there, but could not be read."""
    unread = Boolean(True)
    return Catalog(
        events={name: frozenset(map(_top, properties)) for name, properties in known.events.items()},
        traits=frozenset(map(_top, known.traits)),
        trait_types=definitions.workspace.trait_types,
        audiences={
            **dict.fromkeys(broken["audience"], unread),
            **{name: audience.when for name, audience in definitions.audiences.items()},
        },
        stages=(
            *((stage.stage, stage.when) for stage in definitions.stages),
            *((name, unread) for name in broken["stage"]),
        ),
        merges=definitions.workspace.merges,
        memories=known.memories,
        **account_names(definitions, known),
        objects=definitions.workspace.objects,
    )


def account_names(definitions: Definitions, known: KnownNames) -> dict[str, Any]:
    """What a catalog has about accounts: traits with types, audiences, roles; nothing when none are declared."""
    declared = definitions.workspace.accounts
    if declared is None:
        return {}
    seen = dict.fromkeys(map(_top, known.account_traits), "any")
    return {
        "account_traits": seen | {_top(name): kind for name, kind in declared.traits.items()},
        "account_audiences": {name: each.when for name, each in definitions.account_audiences.items()},
        "roles": declared.roles,
    }


def _top(path: str) -> str:
    return path.partition(".")[0]


def check_expressions(written: Iterable[Written], catalog: Catalog, findings: Findings) -> None:
    """Add what is wrong with names, types and circles of definitions."""
    everything = list(written)
    for each in everything:
        checked = check(each.expression, catalog, event=each.event, of=each.of)
        if checked.errors:
            findings.add_from(each.where, Invalid([_with_declaration(problem) for problem in checked.errors]))
    while (cycle := find_cycle(catalog)) is not None:
        catalog = _without(catalog, cycle[-2])
        for where, line, column in _closing(everything, cycle[-2], cycle[-1]):
            place = where.inside(line, column) if isinstance(where, Located) else where
            problem = cycle_problem(cycle)
            findings.add(place, problem.code, problem.message, problem.fix)
            break


def _without(catalog: Catalog, owner: str) -> Catalog:
    """The catalog with one definition that reads nothing, to look for further circles."""
    if owner == "the stages":
        return replace(catalog, stages=())
    kept, accounts = (
        {name: Boolean(True) if f"audience '{name}'" == owner else when for name, when in audiences.items()}
        for audiences in (catalog.audiences, catalog.account_audiences)
    )
    return replace(catalog, audiences=kept, account_audiences=accounts)


def _with_declaration(problem: Problem) -> Problem:
    """The finding, telling how to declare a name that is not near to any known one."""
    section = _SECTIONS.get(problem.code)
    if section is None or problem.fix.startswith("did you mean"):
        return problem
    return replace(problem, fix=f"{_HOW_TO_DECLARE.format(section)}; {problem.fix}")


def _closing(written: list[Written], owner: str, target: str) -> Iterator[tuple[Located | Place, int, int]]:
    """Where the definition *owner* refers to *target*, which closes the circle."""
    for each in written:
        if each.owner == owner:
            for node in walk(each.expression):
                if target in references(node) and not any(target in references(part) for part in _below(node)):
                    yield each.where, node.at[0], node.at[1]


def _below(node: Expression) -> Iterator[Expression]:
    parts = walk(node)
    next(parts)
    return parts
