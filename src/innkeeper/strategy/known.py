"""Names that a log has seen; `load` joins them with those that `strategy.yaml` declares.

The names that are always known are `audiences/catalog.py`'s. Who reads the log's names: `runtime/known.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownNames:
    """Property names (top level) by event, names of traits and of accounts' traits (top level), and of memories."""

    events: Mapping[str, frozenset[str]] = field(default_factory=dict)
    traits: frozenset[str] = frozenset()
    memories: frozenset[str] = frozenset()
    account_traits: frozenset[str] = frozenset()


def join(*names: KnownNames) -> KnownNames:
    """All names together."""
    events: dict[str, frozenset[str]] = {}
    for each in names:
        for name, properties in each.events.items():
            events[name] = events.get(name, frozenset()) | properties
    return KnownNames(
        events=events,
        traits=frozenset().union(*(each.traits for each in names)),
        memories=frozenset().union(*(each.memories for each in names)),
        account_traits=frozenset().union(*(each.account_traits for each in names)),
    )
