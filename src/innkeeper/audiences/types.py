"""What crosses the border of this slice: a compiled condition, its accumulators, and what it reads of a profile.

`compile_live` (live.py) makes a `Condition` from an expression; `lifecycle.py` feeds the accumulators and evaluates it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, Protocol

from innkeeper.events.types import Event
from innkeeper.kernel.time import Instant


class _Missing:
    __slots__ = ()

    def __repr__(self) -> str:
        return "MISSING"

    def __bool__(self) -> bool:
        return False


#: The value of a trait, property or aggregate that is not there. JSON null counts as missing too.
MISSING: Final = _Missing()


class Accumulator(Protocol):
    """A summary of one event's occurrences that does not depend on their order.

    States are plain msgpack values (None, bool, int, float, str, list, dict). Laws, tested for every family:
    `merge(fold(A), fold(B)) == fold(A + B)` and `fold` gives the same state for every order of its events.
    """

    @property
    def key(self) -> str:
        """Hash of the canonical form; equal keys, equal summaries."""

    @property
    def event(self) -> str:
        """Name of the event that it summarises."""

    @property
    def windowed(self) -> bool:
        """Whether it counts within a window (`within`); inside a journey the others count from the enrollment on."""

    def add(self, state: Any, event: Event) -> Any:
        """The state with one more event of the right name (state None: nothing yet). The very same object is returned
        when nothing has changed (`where` is false, an older occurrence than the one kept): the fold looks again only
        at what has. Never changes *state* itself."""

    def merge(self, a: Any, b: Any) -> Any:
        """The state of both histories together; None is the empty one. Never changes *a* or *b*."""

    def carry(self, state: Any) -> Any:
        """What stands in for the events of a state once they go; None: nothing, because a window leaves them behind."""

    def resume(self, total: Any) -> Any:
        """The state that carried facts are, to be merged with that of the events which are left."""


class Held(NamedTuple):
    """One object or account of a profile: what a condition may read of it, the profile's roles in it, its audiences."""

    values: Mapping[str, Any]
    roles: tuple[str, ...]
    audiences: Collection[str] = ()


class FactsReader(Protocol):
    """What a condition reads of one profile (or of one enrollment of it)."""

    def accumulated(self, accumulator: Accumulator) -> Any:
        """The accumulator's state merged over the profile's identifiers; None when nothing was counted."""

    def trait(self, path: tuple[str, ...]) -> Any:
        """The value of a trait (`traits.address.city` has two parts); MISSING when absent or null."""

    def memory(self, path: tuple[str, ...]) -> Any:
        """What is remembered about a thing (`memory.pillow`); MISSING when nothing is."""

    def identifier(self, namespace: str) -> str | None:
        """The profile's identifier in a namespace (`id.user_id`); the smallest when there are several."""

    def account(self, path: tuple[str, ...]) -> Any:
        """A trait of the profile's account, its `id`, or the profile's `role` in it; MISSING when there is none."""

    def stage(self) -> str | None:
        """The stage the profile is in."""

    def in_audience(self, name: str) -> bool:
        """Whether the profile is a member of another audience."""

    def zone(self) -> str:
        """The profile's zone: its own, else its country's, else the workspace's."""

    def entry(self, path: tuple[str, ...]) -> Any:
        """A property of the event that began the enrollment (`event.total`); journeys only."""

    def about(self, parts: tuple[str, ...]) -> Any:
        """A value of the object that the enrollment is about (`booking.status`: type, then path); journeys only."""

    def objects(self, of: str) -> Iterable[Held]:
        """The profile's objects of a type."""


class Evaluate(Protocol):
    """The compiled answer."""

    def __call__(self, facts: FactsReader, now: Instant, /) -> tuple[bool, Instant]:
        """Whether the condition holds at *now*, and the first later instant at which it could change by time alone
        (`FOREVER`: never). The instant may be early (the answer is then the same), never late."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """A compiled expression: what it needs and how to ask it.

    Attributes:
        canonical: The expression as the printer writes it.
        accumulators: All summaries it reads.
        traits: First parts of the trait paths it reads; calendar words add `timezone` and `country`.
        audiences: Names it reads through `in_audience`.
        reads_stage: Whether it reads the stage.
        reads_entry: Whether it reads the entry event (`event.x`).
        account: First parts of the `account.x` paths that it reads.
        evaluate: The answer.
        memories: What it reads of memories, by what they are about.
        things: (kind, type) of the things that it reads copies of: ("object", "booking"), ("account", "account").
        reads_id: Whether it reads an identifier (`id.x`).
    """

    canonical: str
    accumulators: tuple[Accumulator, ...]
    traits: frozenset[str]
    audiences: frozenset[str]
    reads_stage: bool
    reads_entry: bool
    evaluate: Evaluate
    memories: frozenset[str] = frozenset()
    account: frozenset[str] = frozenset()
    things: frozenset[tuple[str, str]] = frozenset()
    reads_id: bool = False
