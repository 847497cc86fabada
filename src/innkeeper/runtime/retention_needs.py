"""Which raw events stay though they are due, because what was made of them cannot be carried: by name, with the reason.

What links identifiers and what a trait stands on is told apart event by event in `store/sql/retention.sql`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from innkeeper.audiences.nodes import Aggregate, walk
from innkeeper.events.retention import STANDING, Retention
from innkeeper.events.types import ENGINE_SOURCE
from innkeeper.kernel.time import Duration, format_duration
from innkeeper.runtime import definitions as applied
from innkeeper.store.state import State
from innkeeper.strategy.retention_check import reaches
from innkeeper.strategy.types import Definitions

#: Besides the events that always stay: what accounts, items, objects and retractions are made of.
_WORDS: Final = {
    "an account is made of it": ("Grouped", "Left Account", "Account Updated"),
    "an item or a wish is made of it": ("Item Updated", "Item Requested", "Item Request Withdrawn"),
    "an object is made of it": ("Object Updated", "Object Removed"),
    "two people were said to be two by it": ("Match Rejected",),
}


def still_read(state: State, retention: Retention) -> list[tuple[str, str]]:
    """Names of events that stay, each with its reason."""
    reasons = STANDING | {name: reason for reason, names in _WORDS.items() for name in names}
    definitions = applied.applied(state)
    if definitions is not None:
        reasons |= dict(_made_of(definitions))
    reasons |= dict(_read_by_earlier(state, retention))
    return sorted(reasons.items())


def oldest_traits(state: State) -> list[str]:
    """Traits whose first word counts: every word on them stays."""
    definitions = applied.applied(state)
    rules = {} if definitions is None else definitions.workspace.merges.rules
    return sorted(name for name, rule in rules.items() if rule.merge == "oldest")


def _made_of(definitions: Definitions) -> Iterator[tuple[str, str]]:
    for each in definitions.workspace.objects.values():
        for name in each.events:
            yield name, f"the object '{each.name}' is made of it"
    for catalog in definitions.catalogs.values():
        if catalog.wished_by is not None:
            yield catalog.wished_by[0], f"it asks for an item of '{catalog.name}'"
    for audience in definitions.account_audiences.values():
        for node in walk(audience.when):
            if isinstance(node, Aggregate):
                yield node.event, f"the audience of accounts '{audience.name}' counts it"


def _read_by_earlier(state: State, retention: Retention) -> Iterator[tuple[str, str]]:
    """Events that an earlier version of a journey, with customers inside, reads further back than they are kept."""
    for journey, version, needed in _earlier_reaches(state):
        for name, reach in needed.items():
            for source in ("", ENGINE_SOURCE):
                length = retention.rule_of(source, name).length
                if length is not None and length < reach:
                    yield (
                        name,
                        f"the journey '{journey}' reads it over {format_duration(reach)} in its earlier version "
                        f"{version[:8]}, and customers are still in it",
                    )


def _earlier_reaches(state: State) -> Iterator[tuple[str, str, dict[str, Duration]]]:
    inside = set(
        state.connection.execute("SELECT DISTINCT journey, version FROM enrollments WHERE ended_at IS NULL").fetchall()
    )
    for definitions in applied.earlier(state) if inside else ():
        for journey in definitions.journeys.values():
            if (journey.name, journey.version) in inside:
                for clause in journey.clauses:
                    yield journey.name, journey.version, reaches(clause.expression)
