"""Journeys as declared. Steps live in `steps/`, one file each: fields, reading, running, words.

Next in the flow: `read.py` makes a `Journey` from YAML; `compiled.py` makes it ready to run.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Final, Literal

from innkeeper.audiences.nodes import Expression
from innkeeper.events.types import PUBLIC_WORD, USER_WORD
from innkeeper.kernel.located import NOWHERE, Located, Place
from innkeeper.kernel.time import DAY, Duration

if TYPE_CHECKING:
    from innkeeper.journeys.instants import Anchor
    from innkeeper.journeys.moves import Move
    from innkeeper.journeys.running import Here


@dataclass(frozen=True, slots=True, kw_only=True)
class Step(ABC):
    """Base of all steps.

    Attributes:
        kind: The key that names it in YAML.
        own_scope: Whether its conditions count from the enrollment on (a wait), or over all history (a branch).
    """

    kind: ClassVar[str] = ""
    own_scope: ClassVar[bool] = False
    place: Place = field(default=NOWHERE, compare=False, repr=False)

    @property
    def follows_object(self) -> bool:
        """Whether it holds until a date of the enrollment's object, which may move."""
        return False

    def conditions(self) -> tuple[Expression, ...]:
        """What it asks, in the order in which `Here.holds` counts."""
        return ()

    def arms(self) -> tuple[tuple[str, tuple[Step, ...]], ...]:
        """The lists of steps inside it, each with the label that stands in their paths."""
        return ()

    def messages(self) -> tuple[str, ...]:
        """The messages it may send."""
        return ()

    @abstractmethod
    def words(self) -> str:
        """What it does, in plain words."""

    @abstractmethod
    def run(self, here: Here) -> Move:
        """What it does when an enrollment reaches it."""

    def resume(self, here: Here) -> Move:
        """What it does when an enrollment that it holds looks again."""
        return self.run(here)


_DISTRUSTED: Final[dict[str, tuple[str, ...]]] = {
    "anyone": (), "user": (PUBLIC_WORD,), "server": (PUBLIC_WORD, USER_WORD),
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class EventEntry:
    """Entry by an event of the profile; `where` sees the event's properties, `when` the profile after the event.

    `trust`: whose word begins it: anyone's; not a public key's without a user's token; not a public key's at all.
    """

    event: str
    where: Expression | None = None
    trust: Literal["anyone", "user", "server"] = "anyone"

    def trusts(self, word: object) -> bool:
        """Whether an event of such a word (`Event.extra`, under `trust`) may begin it."""
        return word not in _DISTRUSTED[self.trust]


@dataclass(frozen=True, slots=True, kw_only=True)
class AudienceEntry:
    """Entry when the profile enters or leaves an audience."""

    audience: str
    change: Literal["entered", "left"] = "entered"


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemEntry:
    """Entry when an item of a catalog changes that the profile has asked for; the key is the item's id."""

    catalog: str
    change: Literal["back_in_stock", "price_drop", "changed"] = "back_in_stock"


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectEntry:
    """Entry by an object that the profile has a role in: at one of its dates (*at*), or when it changes (*on*)."""

    object: str
    at: Anchor | None = None
    on: Literal["created", "changed", "cancelled", "ended"] | None = None


Entry = EventEntry | AudienceEntry | ItemEntry | ObjectEntry


@dataclass(frozen=True, slots=True, kw_only=True)
class Reentry:
    """When someone who has been here may come again.

    `never`; `after_exit`; `always` (several at once); `after`: no earlier than a period after the last exit.
    """

    mode: Literal["never", "after_exit", "always", "after"] = "after_exit"
    period: Duration = 0


AFTER_EXIT = Reentry()


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """What counts as success, at most *within* after entry."""

    when: Expression
    within: Duration | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Clause:
    """An expression of a journey and where it stands; *scope* is what it may read, as `audiences.parse` has it."""

    expression: Expression
    scope: Literal["journey", "event"]
    place: Place
    event: str | None = None
    node: Located | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Mention:
    """A name of something else that a journey uses, and where it stands."""

    kind: Literal["message", "audience", "event", "purpose", "template", "catalog", "object"]
    name: str
    place: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Journey:
    """One version of a journey.

    Attributes:
        key: Name of the event property (dotted path) that tells enrollments apart, or of an object type: one enrollment
            per object; None: one per profile.
        when: A condition on the profile that entry needs besides.
        shelf_life: A trigger or candidate older than this has no effect any more.
        priority: Overrides the purpose's priority.
        late: What an entry does whose first instant is already past: `enter` (if its date is still ahead) or `skip`.
        version: Hash of the definition.
        clauses: Every expression in it, for the checker.
        mentions: Every name in it, for the checker.
    """

    name: str
    enter: Entry
    steps: tuple[Step, ...]
    description: str = ""
    key: str | None = None
    when: Expression | None = None
    exits: tuple[Expression, ...] = ()
    goal: Goal | None = None
    purpose: str | None = None
    priority: int | None = None
    reentry: Reentry = AFTER_EXIT
    shelf_life: Duration = DAY
    late: Literal["enter", "skip"] = "enter"
    version: str
    place: Place = NOWHERE
    clauses: tuple[Clause, ...] = field(default=(), compare=False, repr=False)
    mentions: tuple[Mention, ...] = field(default=(), compare=False, repr=False)
