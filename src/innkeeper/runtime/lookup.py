"""Finding the profile that a person means by an id."""

from __future__ import annotations

from innkeeper.kernel.ids import ANONYMOUS, parse_id
from innkeeper.store.state import State


def subject_of(state: State, text: str) -> str:
    """The subject of the profile that an id belongs to; an unknown id is its own subject."""
    identifier = parse_id(text)
    if not identifier.startswith(ANONYMOUS):
        return identifier
    users = state.users_of([identifier])[identifier]
    return next(iter(users)) if len(users) == 1 else identifier
