"""How a step answers when it runs; the runner (`runner.py`) moves the enrollment."""

from __future__ import annotations

from dataclasses import dataclass

from innkeeper.kernel.time import FOREVER, Instant


@dataclass(frozen=True, slots=True)
class Next:
    """Go on to the next step."""


@dataclass(frozen=True, slots=True)
class Goto:
    """Go on inside an arm of this step."""

    label: str


@dataclass(frozen=True, slots=True)
class Hold:
    """Stay here and look again at *due_at*, or when something the step reads has changed; *until* is its deadline."""

    due_at: Instant
    until: Instant = FOREVER


@dataclass(frozen=True, slots=True)
class Past:
    """The instant waited for, *until*, is already past: go on, but pass over the steps up to the next wait.

    *date* is what the instant is reckoned from.
    """

    until: Instant
    date: str


@dataclass(frozen=True, slots=True)
class Offer:
    """Stay here and let the gates decide about a message."""

    message: str


@dataclass(frozen=True, slots=True)
class End:
    """The enrollment ends here."""

    outcome: str
    reason: str = ""


Move = Next | Goto | Hold | Past | Offer | End
NEXT = Next()
