"""Memories in the fold: the few words that are kept of each identifier, and what a profile is remembered by.

Which word stands: `audiences/memories.py`. Staff see them in `profile show`, content as `profile.memories`.
"""

from __future__ import annotations

from typing import Any

from innkeeper.audiences.memories import NOTED, Kept, about_of, note_of, standing_memory
from innkeeper.audiences.merges import newer
from innkeeper.audiences.types import MISSING
from innkeeper.events.types import Event
from innkeeper.profiles.state import Facts, Memory, MemoryWord, ProfileState


def take_memory(facts: Facts, event: Event) -> str | None:
    """Fold a `Memory Noted` or `Memory Forgotten`; the thing that is remembered otherwise now, else None."""
    about = about_of(event.properties)
    if about is None:
        return None
    memory = facts.memories.get(about) or Memory()
    if event.name != NOTED:
        if event.timestamp <= memory.forgotten_at:
            return None
        memory.forgotten_at = event.timestamp
        facts.memories[about] = memory
        return about
    note = note_of(event.properties)
    if note is None:
        return None
    by, remark = event.properties.get("by"), event.properties.get("note")
    word = MemoryWord(
        note.value, event.timestamp, event.source, event.message_id,
        by if isinstance(by, str) else None, remark if isinstance(remark, str) else None,
    )  # fmt: skip
    old = memory.explicit if note.explicit else memory.inferred
    if old is not None and not newer(word, old):
        return None
    if note.explicit:
        memory.explicit = word
    else:
        memory.inferred = word
    facts.memories[about] = memory
    return about


def memory_of(state: ProfileState, about: str) -> tuple[MemoryWord, bool, str] | None:
    """The word that stands, whether it is the person's own, and its identifier; None: nothing is remembered."""
    kept = [(identifier, facts.memories[about]) for identifier, facts in state.facts.items() if about in facts.memories]
    found = standing_memory(Kept(each.explicit, each.inferred, each.forgotten_at) for _, each in kept)
    if found is None:
        return None
    for identifier, each in kept:
        for word in (each.explicit, each.inferred):
            if word is found[0]:
                return word, found[1], identifier
    return None


def memory_at(state: ProfileState, path: tuple[str, ...]) -> Any:
    """The value at a dotted path of a memory; MISSING when nothing is remembered there."""
    found = memory_of(state, path[0])
    value: Any = None if found is None else found[0].value
    for part in path[1:]:
        if not isinstance(value, dict):
            return MISSING
        value = value.get(part)
    return MISSING if value is None else value


def all_memories(state: ProfileState) -> dict[str, Any]:
    """What a profile is remembered by: the value about each thing."""
    names = sorted({name for facts in state.facts.values() for name in facts.memories})
    found = {name: memory_of(state, name) for name in names}
    return {name: each[0].value for name, each in found.items() if each is not None}
