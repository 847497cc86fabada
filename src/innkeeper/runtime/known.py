"""The names that a workspace's log has seen: events with their properties, traits, memories.

`check` and `apply` join them with what `strategy.yaml` declares, the questions of `audience` with what was applied.
Whoever may send can send a new name with each event; so no more than `MOST` of a kind are known, those that came most
often. The rest stay in the log as they came, and become known by being declared; `doctor` says so.
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Final

from innkeeper.events import lookalikes
from innkeeper.events.lookalikes import Alike, looks_like
from innkeeper.store.doctor import Finding
from innkeeper.strategy.known import KnownNames

#: Event names that are known at most; properties of one event, traits, traits of accounts, memories.
MOST: Final = {"names": 2_000, "properties": 500, "traits": 500, "account traits": 500, "memories": 500}
_NAMES = "SELECT name FROM events WHERE is_input GROUP BY name ORDER BY count(*) DESC, name LIMIT $names"
# Property names are counted once per event name, on the texts: no value is decoded.
_PROPERTIES = f"""
SELECT name, property FROM (
  SELECT name, unnest(json_keys(properties)) AS property FROM events
  WHERE is_input AND properties != '{{}}' AND name IN ({_NAMES})
) GROUP BY name, property
QUALIFY row_number() OVER (PARTITION BY name ORDER BY count(*) DESC, property) <= $properties
"""  # noqa: S608 - a constant of ours
_OF_ACCOUNTS = """
SELECT unnest(json_keys(json_extract(extra, '$.traits'))) AS trait FROM events
WHERE type = 'group' AND json_type(extra, '$.traits') = 'OBJECT'
UNION ALL
SELECT unnest(json_keys(json_extract(properties, '$.set'))) FROM events
WHERE name = 'Account Updated' AND json_type(properties, '$.set') = 'OBJECT'
"""
_ACCOUNT_TRAITS = f"""
SELECT trait FROM ({_OF_ACCOUNTS}) GROUP BY trait ORDER BY count(*) DESC, trait LIMIT $traits
"""  # noqa: S608 - a constant of ours
_ABOUT = """
SELECT json_extract_string(properties, '$.about') AS about FROM events
WHERE is_input AND name = 'Memory Noted' AND json_type(properties, '$.about') = 'VARCHAR'
"""
_MEMORIES = f"""
SELECT about FROM ({_ABOUT}) GROUP BY about ORDER BY count(*) DESC, about LIMIT $memories
"""  # noqa: S608 - a constant of ours
_TRAITS = """
SELECT trait FROM (SELECT unnest(json_keys(traits)) AS trait FROM events WHERE traits != '{}')
GROUP BY trait ORDER BY count(*) DESC, trait LIMIT $traits
"""
# How many there are of each kind; of properties the event that has most.
_NUMBERS = f"""
SELECT 'event names', NULL, count(DISTINCT name) FROM events WHERE is_input
UNION ALL
SELECT 'traits', NULL, count(DISTINCT trait)
FROM (SELECT unnest(json_keys(traits)) AS trait FROM events WHERE traits != '{{}}')
UNION ALL
SELECT 'account traits', NULL, count(DISTINCT trait) FROM ({_OF_ACCOUNTS})
UNION ALL
SELECT 'memories', NULL, count(DISTINCT about) FROM ({_ABOUT})
UNION ALL
(SELECT 'properties', name, count(DISTINCT property) FROM (
  SELECT name, unnest(json_keys(properties)) AS property FROM events WHERE is_input AND properties != '{{}}'
) GROUP BY name ORDER BY count(DISTINCT property) DESC, name LIMIT 1)
"""  # noqa: S608 - constants of ours


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
        for (name,) in bulk.rows(_NAMES, {"names": MOST["names"]}):
            events[name] = set()
        for name, key in bulk.rows(_PROPERTIES, {each: MOST[each] for each in ("names", "properties")}):
            if name in events:
                events[name].add(key)
        traits = frozenset(trait for (trait,) in bulk.rows(_TRAITS, {"traits": MOST["traits"]}))
        memories = frozenset(about for (about,) in bulk.rows(_MEMORIES, {"memories": MOST["memories"]}))
        of_accounts = frozenset(trait for (trait,) in bulk.rows(_ACCOUNT_TRAITS, {"traits": MOST["account traits"]}))
    return KnownNames(
        events={name: frozenset(keys) for name, keys in events.items()}, traits=traits, memories=memories,
        account_traits=of_accounts,
    )  # fmt: skip


def too_many_names(home: Path) -> list[Finding]:
    """Where more names arrive than are known, as findings of `doctor`; nothing is lost by it."""
    if not (home / "log.db").exists():
        return []
    from innkeeper.store.bulk import Bulk

    with Bulk.open(home) as bulk:
        numbers = bulk.rows(_NUMBERS, ())
    return [
        Finding(
            code="too-many-names",
            message=f"{number:,} {kind} have arrived{'' if event is None else f' with {event!r}'}; the {most:,} that "
            "came most often are known",
            fix="see: innkeeper catalog events; stop who makes names of values, or declare those that are meant",
            state="note", where=str(home / "log.db"),
        )
        for kind, event, number in numbers
        if number > (most := MOST[kind.removeprefix("event ")])
    ]  # fmt: skip


def names_alike(home: Path) -> list[Finding]:
    """Events whose name only looks like one that the engine understands, by source, as findings of `doctor`."""
    if not (home / "log.db").exists():
        return []
    from innkeeper.store.bulk import Bulk

    with Bulk.open(home) as bulk:
        names = bulk.rows("SELECT source, name, count(*) FROM events WHERE is_input GROUP BY ALL ORDER BY ALL", ())
    return [
        Finding(
            code=lookalikes.CODE, state="note", where=str(home / "log.db"), fix=alike.fix,
            message=f"{number:,} events of '{source}': {alike.told}",
        )
        for source, name, number in names
        if (meant := looks_like(name)) is not None and (alike := Alike(name, meant))
    ]  # fmt: skip
