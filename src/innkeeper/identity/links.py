"""Links: which user an anonymous id belongs to, and what a new link does. Pure; the tick keeps the table of links.

An anonymous id that was seen with exactly one user belongs to that user's profile; with none or with several it is a
profile of its own. Whom it belongs to in the end does not depend on the order of the links.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

from innkeeper.events.types import Event
from innkeeper.kernel.ids import Identifier, Subject, anonymous, user


@dataclass(frozen=True, slots=True)
class Link:
    """An anonymous identifier that was seen with a user."""

    anonymous: Identifier
    user: Identifier


@dataclass(frozen=True, slots=True)
class Change:
    """What a new link does to the profiles: *anonymous* joins *user*, or comes apart from it."""

    kind: Literal["absorb", "release"]
    anonymous: Identifier
    user: Identifier


def links_of(event: Event) -> tuple[Link, ...]:
    """The links that an event states: both ids on one event, and an alias from its `previousId` to its user id."""
    if event.user_id is None:
        return ()
    found: list[Link] = []
    if event.anonymous_id is not None:
        found.append(Link(anonymous(event.anonymous_id), user(event.user_id)))
    previous = event.extra.get("previousId") if event.type == "alias" else None
    if isinstance(previous, str) and previous and previous not in (event.user_id, event.anonymous_id):
        found.append(Link(anonymous(previous), user(event.user_id)))
    return tuple(found)


def owner(identifier: str, users: Collection[str]) -> Subject:
    """The subject of an anonymous identifier that was seen with *users*."""
    return Subject(next(iter(users))) if len(users) == 1 else Subject(identifier)


def changes(link: Link, users: Collection[str]) -> tuple[Change, ...]:
    """What a link does to the profiles, given the users that its anonymous id was seen with before."""
    if link.user in users or len(users) > 1:
        return ()
    if not users:
        return (Change("absorb", link.anonymous, link.user),)
    return (Change("release", link.anonymous, Identifier(next(iter(users)))),)
