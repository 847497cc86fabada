"""A profile of which nothing is known, as conditions read one."""

from __future__ import annotations

from typing import Any

from innkeeper.audiences.types import MISSING, Held


class Nobody:
    """See `FactsReader`: nothing has happened, and nothing was said."""

    __slots__ = ()

    def accumulated(self, accumulator: object) -> Any:
        """No event."""
        return None

    def trait(self, path: tuple[str, ...]) -> Any:
        """No trait."""
        return MISSING

    def memory(self, path: tuple[str, ...]) -> Any:
        """No memory."""
        return MISSING

    def identifier(self, namespace: str) -> None:
        """No identifier."""
        return

    def account(self, path: tuple[str, ...]) -> Any:
        """No account."""
        return MISSING

    def stage(self) -> None:
        """No stage."""
        return

    def in_audience(self, name: str) -> bool:
        """No member of any."""
        return False

    def zone(self) -> str:
        """The zone of nobody in particular."""
        return "UTC"

    def entry(self, path: tuple[str, ...]) -> Any:
        """No entry event."""
        return MISSING

    def about(self, parts: tuple[str, ...]) -> Any:
        """No enrollment."""
        return MISSING

    def objects(self, of: str) -> list[Held]:
        """No role in any object."""
        return []
