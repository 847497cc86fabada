"""What a question can no longer know, because raw events went by retention: told with the answer, never left unsaid."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path as File

from innkeeper.audiences.catalog import Catalog
from innkeeper.audiences.expand import expand
from innkeeper.audiences.nodes import Aggregate, Expression, Path, walk
from innkeeper.audiences.printer import print_expression
from innkeeper.kernel.errors import Problem
from innkeeper.kernel.ids import digest
from innkeeper.kernel.time import BEGINNING, Instant, format_instant
from innkeeper.store import manifest
from innkeeper.store.manifest import LetGo
from innkeeper.strategy.types import Definitions

_CODE = "events-gone"
_TRAITS = "traits-gone"


class Gaps:
    """What has gone of one workspace."""

    def __init__(self, home: File) -> None:
        listed = manifest.load(home)
        self._let_go = {each.name: each for each in listed.let_go}
        self._ended = {each.trait: each.at for each in listed.ended}
        self._until = max((each.until for each in self._let_go.values()), default=BEGINNING)

    @property
    def carried(self) -> bool:
        """Whether anything went, so that the view `carried` is there and counts."""
        return bool(self._let_go)

    @property
    def names(self) -> dict[str, frozenset[str]]:
        """Names of events that the log has seen, whatever is left of them."""
        return {name: frozenset() for name in self._let_go}

    @property
    def traits(self) -> Mapping[str, Instant]:
        """By trait, when words on it went by its retention last."""
        return self._ended

    def problems(self, expression: Expression, at: Instant) -> tuple[Problem, ...]:
        """Why the answer to an expanded expression, as of an instant, may count too little; empty: it is exact."""
        ended = tuple(dict.fromkeys(self._of_traits(expression, at)))
        if not self._let_go:
            return ended
        if at < self._until:
            text = f"raw events up to {format_instant(self._until)} went by retention; as of {format_instant(at)}"
            return (
                Problem(
                    code=_CODE, message=f"{text}, what is left of them is counted",
                    fix=f"ask as of {format_instant(self._until)} or later",
                ),
                *ended,
            )  # fmt: skip
        return (*dict.fromkeys(self._of_functions(expression, at)), *ended)

    def of_definitions(self, definitions: Definitions, at: Instant) -> tuple[Problem, ...]:
        """What audiences, stages and journeys can no longer know of the past; of each journey what it asks of it."""
        catalog = Catalog(
            audiences={name: audience.when for name, audience in definitions.audiences.items()},
            stages=tuple((rule.stage, rule.when) for rule in definitions.stages),
        )
        conditions = [*catalog.audiences.values(), *(when for _, when in catalog.stages)]
        conditions += [journey.when for journey in definitions.journeys.values() if journey.when is not None]
        found = [problem for when in conditions for problem in self.problems(expand(when, catalog), at)]
        return tuple(dict.fromkeys(found))

    def _of_traits(self, expression: Expression, at: Instant) -> Iterator[Problem]:
        for node in walk(expression):
            name = node.parts[0] if isinstance(node, Path) and node.root == "traits" else None
            gone = BEGINNING if name is None else self._ended.get(name, BEGINNING)
            if at < gone:
                yield Problem(
                    code=_TRAITS,
                    message=f"words on the trait '{name}' went by its retention until {format_instant(gone)}; as of "
                    f"{format_instant(at)} some of them counted",
                    fix=f"ask as of {format_instant(gone)} or later",
                )

    def _of_functions(self, expression: Expression, at: Instant) -> Iterator[Problem]:
        for node in walk(expression):
            let_go = self._let_go.get(node.event) if isinstance(node, Aggregate) else None
            if let_go is None or not isinstance(node, Aggregate):
                continue
            missing = self._missing(node, let_go, at)
            if missing is not None:
                yield Problem(
                    code=_CODE,
                    message=f"{print_expression(node)} does not count '{node.event}' of up to "
                    f"{format_instant(missing)}: those events went by retention, and no definition of that time had "
                    "asked for it",
                    fix="ask about a shorter time; for the future, declare it in an audience",
                )

    def _missing(self, node: Aggregate, let_go: LetGo, at: Instant) -> Instant | None:
        """Up to when a function lacks events; None: it lacks none."""
        if node.within is not None:
            return None if at - node.within.horizon >= let_go.until else let_go.until
        missing = let_go.keys.get(digest(print_expression(node)), let_go.until)
        if missing is None and node.before is not None and at - node.before.horizon < let_go.until:
            # All that went counts as in, which it is not yet at so early an instant.
            return let_go.until
        return missing
