"""Memories: what a house remembers about a guest (her pillow, her coffee), and which of several words stands.

What someone said themselves goes before what was only noticed; then the newest. `Memory Forgotten` undoes what was
noted up to its own time. In SQL: `sql_memories.py`; in plain Python: tests/oracle.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from innkeeper.audiences.merges import Word, newer
from innkeeper.kernel.time import BEGINNING, Instant

NOTED: Final = "Memory Noted"
FORGOTTEN: Final = "Memory Forgotten"
MEMORY_EVENTS: Final = frozenset({NOTED, FORGOTTEN})


class Note(NamedTuple):
    """What a `Memory Noted` says."""

    about: str
    value: Any
    explicit: bool


class Kept(NamedTuple):
    """What is kept of one identifier about one thing: the newest word of each kind, and when it was last forgotten."""

    explicit: Word | None = None
    inferred: Word | None = None
    forgotten_at: Instant = BEGINNING


def about_of(properties: Mapping[str, Any]) -> str | None:
    """What an event about a memory is about; None: nothing."""
    about = properties.get("about")
    return about if isinstance(about, str) and about else None


def note_of(properties: Mapping[str, Any]) -> Note | None:
    """What the properties of a `Memory Noted` say; None when they name nothing or no value.

    >>> note_of({"about": "pillow", "value": "soft"})
    Note(about='pillow', value='soft', explicit=False)
    """
    about, value = about_of(properties), properties.get("value")
    return None if about is None or value is None else Note(about, value, properties.get("explicit") is True)


def standing_memory(kept: Iterable[Kept]) -> tuple[Word, bool] | None:
    """The word that stands, and whether it was said explicitly; None: nothing is remembered."""
    explicit, inferred, forgotten = None, None, BEGINNING
    for each in kept:
        explicit, inferred = _later(explicit, each.explicit), _later(inferred, each.inferred)
        forgotten = max(forgotten, each.forgotten_at)
    if explicit is not None and explicit.at > forgotten:
        return explicit, True
    return (inferred, False) if inferred is not None and inferred.at > forgotten else None


def _later(a: Word | None, b: Word | None) -> Word | None:
    if a is None or b is None:
        return b if a is None else a
    return b if newer(b, a) else a
