"""Other subjects than profiles, as the engine sees them: a fold per kind, and the news that it has for profiles.

An object, an account or an item is folded before the profiles that it concerns; what has changed in it reaches them as
`News`, in the same instant and at the same place of the recorded order. Next in the flow: `turn.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Literal, NamedTuple, Protocol, TypeVar

import msgspec

from innkeeper.events.types import Event
from innkeeper.kernel.time import BEGINNING, FOREVER, Instant

Kind = Literal["object", "account", "item"]
Whom = TypeVar("Whom")


class News(msgspec.Struct, frozen=True, gc=False):
    """What another subject tells a profile after its own fold.

    Attributes:
        type: The declared type (`booking`); for an account `account`, for an item its catalog.
        view: What the profile may read of it from now on (its copy); empty when it is gone or the role has ended.
        roles: The roles that the identifier has in it; empty when it has none any more.
        identifier: Under which the profile holds them.
        change: created, changed, cancelled, removed, role_lost, ...
        changed: Names of the properties that changed.
        said_at: When the word was said that the profile is told for: what gives the roles, a wish. A member of an
            account is the identifier, whoever has it.
    """

    kind: Kind
    type: str
    id: str
    view: dict[str, Any]
    roles: tuple[str, ...]
    identifier: str
    change: str
    changed: tuple[str, ...] = ()
    said_at: Instant = BEGINNING


class Tell(Protocol):
    """What there is to tell of a thing, and whom."""

    def __call__(self, owner: Callable[[str, Instant], Whom]) -> Iterable[tuple[Whom, News]]:
        """The news of everybody with a role before or after, one per identifier.

        *owner*: whose what was said of an identifier at an instant is.
        """


class Folded(NamedTuple):
    """A thing after an event: what is stored, who has a role in it before or after, and what they hear."""

    body: bytes
    holders: frozenset[str]
    tell: Tell
    next_due_at: Instant = FOREVER


class OtherFold(Protocol):
    """The fold of one kind of things. Pure: a function of the stored body and the event."""

    @property
    def kind(self) -> Kind:
        """The kind that it folds."""

    @property
    def event_names(self) -> frozenset[str]:
        """Names of the events that can be about such a thing."""

    def concerns(self, event: Event) -> tuple[tuple[str, str], ...]:
        """The things that an event is about: (type, id)."""

    def take(self, type_: str, id_: str, body: bytes | None, event: Event, at: Instant) -> Folded | None:
        """The thing after the event; None when nothing of it has changed."""
