"""The names that a workspace's log has seen: events with their properties, traits, memories.

`check` and `apply` join them with what `strategy.yaml` declares, the questions of `audience` with what was applied.
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

from innkeeper.strategy.known import KnownNames

# Property names are counted once per event name, on the texts: no value is decoded.
_PROPERTIES = """
SELECT DISTINCT name, unnest(json_keys(properties)) AS property FROM events WHERE is_input AND properties != '{}'
"""
_NAMES = "SELECT DISTINCT name FROM events WHERE is_input"
_ACCOUNT_TRAITS = """
SELECT DISTINCT unnest(json_keys(json_extract(extra, '$.traits'))) FROM events
WHERE type = 'group' AND json_type(extra, '$.traits') = 'OBJECT'
UNION
SELECT DISTINCT unnest(json_keys(json_extract(properties, '$.set'))) FROM events
WHERE name = 'Account Updated' AND json_type(properties, '$.set') = 'OBJECT'
"""
_TRAITS = "SELECT DISTINCT unnest(json_keys(traits)) AS trait FROM events WHERE traits != '{}'"

_MEMORIES = """
SELECT DISTINCT json_extract_string(properties, '$.about') FROM events
WHERE is_input AND name = 'Memory Noted' AND json_type(properties, '$.about') = 'VARCHAR'
"""


def known_names(home: Path) -> KnownNames | None:
    """What the log of a workspace has seen; None when there is no log yet."""
    if not (home / "log.db").exists():
        return None
    from innkeeper.runtime.gaps import Gaps
    from innkeeper.store.bulk import Bulk

    events: defaultdict[str, set[str]] = defaultdict(set)
    for name in Gaps(home).names:
        events[name] = set()
    with Bulk.open(home) as bulk:
        for (name,) in bulk.rows(_NAMES, ()):
            events[name] = set()
        for name, key in bulk.rows(_PROPERTIES, ()):
            events[name].add(key)
        traits = frozenset(trait for (trait,) in bulk.rows(_TRAITS, ()))
        memories = frozenset(about for (about,) in bulk.rows(_MEMORIES, ()))
        of_accounts = frozenset(trait for (trait,) in bulk.rows(_ACCOUNT_TRAITS, ()))
    return KnownNames(
        events={name: frozenset(keys) for name, keys in events.items()}, traits=traits, memories=memories,
        account_traits=of_accounts,
    )  # fmt: skip
