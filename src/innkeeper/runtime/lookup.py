"""Finding the profile that a person means by an id."""

from __future__ import annotations

from innkeeper.identity.evidence import identifier_of
from innkeeper.identity.namespaces import IdentityRules
from innkeeper.kernel.ids import parse_id
from innkeeper.kernel.time import FOREVER, Instant
from innkeeper.runtime.definitions import applied
from innkeeper.runtime.identity_reading import IdentityReader
from innkeeper.store.identity import IdentityTables
from innkeeper.store.state import State


def rules_of(state: State) -> IdentityRules:
    """The rules of who is who that are in force."""
    found = applied(state)
    return IdentityRules() if found is None else found.workspace.identity


def identifier_meant(text: str, rules: IdentityRules) -> str:
    """The identifier that a person typed, in its exact form; one that has none is taken as it stands."""
    return identifier_of(text, rules) or parse_id(text, rules.namespaces)


def subject_of(state: State, text: str, rules: IdentityRules | None = None, at: Instant = FOREVER) -> str:
    """The subject of the profile that an id belongs to, a browser's at an instant; an unknown id is its own subject."""
    rules = rules or rules_of(state)
    return IdentityReader(IdentityTables(state.connection), rules).owner(identifier_meant(text, rules), at)
