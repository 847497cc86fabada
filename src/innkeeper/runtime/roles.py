"""What a role may do in the API. Each route names one permission; a role is a set of them.

Reading is told apart by what is read: counts and definitions tell of nobody, customers are people. Publishing, privacy
and access are never an editor's; nor are files of events, which make the engine act as a new strategy does.
"""

from __future__ import annotations

from typing import Final

#: Every permission, and what it opens.
PERMISSIONS: Final[dict[str, str]] = {
    "workspace:read": "counts, stages, journeys, audiences' sizes, definitions, reports",
    "customers:read": "profiles with all that is known of them, who is in an audience, decisions, deliveries",
    "customers:write": "links, notes and memories",
    "things:read": "objects, accounts, items",
    "things:write": "changes of objects and items",
    "tasks:read": "the list of work for people",
    "tasks:write": "who has a task, and how it ended",
    "events:read": "the log, and what became of a source's events",
    "events:import": "files of events, to be imported",
    "sources:manage": "sources, their keys, their webhooks and user tokens",
    "subscriptions:manage": "who is told of what happens, and the secrets by which they know us",
    "definitions:draft": "drafts of the strategy, and checking them",
    "definitions:publish": "making a strategy the workspace's own",
    "privacy:manage": "retraction of events, and retention",
    "access:manage": "users, their passwords and tokens",
    "audit:read": "who did what",
    "session:own": "who one is, one's own sessions and password",
}

_OWN: Final = frozenset({"session:own"})
_READS: Final = _OWN | {"workspace:read", "customers:read", "things:read", "tasks:read"}
_EDITS: Final = _READS | {"events:read", "customers:write", "things:write", "tasks:write", "definitions:draft"}

#: Each role with its permissions.
ROLES: Final[dict[str, frozenset[str]]] = {
    "owner": frozenset(PERMISSIONS),
    "editor": _EDITS,
    "approver": _EDITS | {"definitions:publish", "events:import"},
    "viewer": _READS,
    "front-line": _OWN
    | {"customers:read", "customers:write", "things:read", "things:write", "tasks:read", "tasks:write"},
    "privacy-officer": _OWN | {"workspace:read", "customers:read", "events:read", "privacy:manage", "audit:read"},
}
