"""Finding a customer by what somebody remembers: an identifier, the beginning of one, a name, a mail address.

An identifier is looked up in indexes. Names and addresses are looked for in the newest words of the log, at most
`MOST_EVENTS` of them, and what was found is compared with what the profile says now, so that a name that somebody no
longer has finds nobody. The text is nowhere kept, and in no log.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from innkeeper.identity.evidence import identifier_of
from innkeeper.identity.namespaces import IdentityRules
from innkeeper.kernel.errors import UsageError
from innkeeper.kernel.ids import display_id, parse_id
from innkeeper.kernel.json import dumps
from innkeeper.kernel.time import FOREVER
from innkeeper.lifecycle import World, decode
from innkeeper.profiles.traits import all_traits
from innkeeper.runtime import definitions
from innkeeper.runtime.identity_reading import IdentityReader
from innkeeper.store.bulk import Bulk
from innkeeper.store.finding import Found, beginning, profiles
from innkeeper.store.identity import IdentityTables
from innkeeper.store.state import State

#: Traits in which names and addresses are looked for.
TRAITS: Final = ("name", "first_name", "last_name", "firstName", "lastName", "email", "phone", "company")
#: How long a text must and may be, how many are told, how many events and how many who may be meant are looked at.
SHORTEST: Final = 2
LONGEST: Final = 200
MOST: Final = 100
MOST_EVENTS: Final = 20_000_000
MOST_CANDIDATES: Final = 1_000

_SAID: Final = """
SELECT identifier FROM events
WHERE is_input AND traits != '{}' AND seq > (SELECT coalesce(max(seq), 0) FROM events) - $most
  AND list_bool_and(list_transform($words, lambda word: contains(lower(traits), word)))
GROUP BY identifier ORDER BY max(ts) DESC, identifier LIMIT $candidates
"""


def search(home: Path, text: str, limit: int) -> dict[str, Any]:
    """Customers that a text may mean: `{"profiles", "more"}`, the surest first; *more*: there may be more than these.

    Raises:
        UsageError: The text is too short or too long.
    """
    text = text.strip()
    if not SHORTEST <= len(text) <= LONGEST:
        raise UsageError(
            f"a search has {SHORTEST} to {LONGEST} characters, not {len(text)}", code="bad-search",
            fix="give an identifier, or the beginning of a name or an address",
        )  # fmt: skip
    with State.open(home, readonly=True) as state:
        world = definitions.world(state)
        reader = IdentityReader(IdentityTables(state.connection), world.identity)
        told: dict[str, dict[str, Any]] = {}
        said: list[str] = []
        exact = set(_exact(text, world.identity))
        by_id = list(_beginning(state, text, world.identity, limit))
        for found, identifiers in (("identifier", exact), ("beginning of an identifier", by_id)):
            owners = {reader.owner(each, FOREVER): each for each in sorted(identifiers, reverse=True)}
            for each in _in_order(profiles(state.connection, owners), sorted(owners)):
                told.setdefault(each.subject, _told(each, found, display_id(owners[each.subject])))
        if len(told) <= limit:
            said = _said(home, text)
            named = list(dict.fromkeys(reader.owner(each, FOREVER) for each in said))
            for each in _in_order(profiles(state.connection, named), named):
                if (name := _matching(each, text, world)) is not None:
                    told.setdefault(each.subject, _told(each, *name))
                    if len(told) > limit:
                        break
    return {"profiles": list(told.values())[:limit], "more": len(told) > limit or len(said) == MOST_CANDIDATES}


def _told(found: Found, by: str, value: str) -> dict[str, Any]:
    return {"id": display_id(found.subject), "stage": found.stage, "found_by": by, "value": value}


def _exact(text: str, rules: IdentityRules) -> Iterator[str]:
    """The identifiers that a text can be as it stands."""
    yield identifier_of(text, rules) or parse_id(text, rules.namespaces)
    for namespace in rules.namespaces:
        yield f"{namespace}:{text}"
        yield identifier_of(f"{namespace}:{text}", rules) or f"{namespace}:{text}"


def _beginning(state: State, text: str, rules: IdentityRules, limit: int) -> Iterator[str]:
    starts = {parse_id(text, rules.namespaces)} | {
        f"{namespace}:{each}" for namespace in rules.namespaces for each in (text, text.lower())
    }
    for start in sorted(starts):
        yield from beginning(state.connection, start, limit + 1)


def _said(home: Path, text: str) -> list[str]:
    """Identifiers under which every word of a text was said of somebody, newest first."""
    # As it stands in JSON, without the quotes.
    words = [dumps(word)[1:-1] for word in text.lower().split()]
    with Bulk.open(home) as bulk:
        rows = bulk.rows(_SAID, {"words": words, "most": MOST_EVENTS, "candidates": MOST_CANDIDATES})
    return [identifier for (identifier,) in rows]


def _in_order(found: Mapping[str, Found], subjects: Iterable[str]) -> Iterator[Found]:
    yield from (found[each] for each in subjects if each in found)


def _matching(found: Found, text: str, world: World) -> tuple[str, str] | None:
    """The trait that a text stands for, and its value; every word of the text must begin a word of some trait."""
    traits = all_traits(decode(found.body), world.profiles.merges)
    values = {name: traits[name] for name in TRAITS if isinstance(traits.get(name), str)}
    first: str | None = None
    for word in text.casefold().split():
        name = next((name for name, value in values.items() if _begins(word, value.casefold())), None)
        if name is None:
            return None
        first = first or name
    return None if first is None else (first, values[first])


def _begins(word: str, value: str) -> bool:
    return value.startswith(word) or any(part.startswith(word) for part in value.split())
