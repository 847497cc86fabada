"""A table of plugins of one kind, by name; filled by the package that owns the kind, never at run time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Generic, TypeVar

from innkeeper.kernel.errors import InternalError, UsageError, did_you_mean

T = TypeVar("T")


class Registry(Mapping[str, T], Generic[T]):
    """Plugins of one *kind* by name; an unknown name answers with the nearest known ones."""

    def __init__(self, kind: str, entries: Mapping[str, T]) -> None:
        self.kind = kind
        self._entries = dict(entries)
        if not self._entries:
            raise InternalError(f"the table of {kind}s is empty", code="empty-registry")

    def __getitem__(self, name: str) -> T:
        if name not in self._entries:
            raise UsageError(
                f"there is no {self.kind} '{name}'",
                code=f"unknown-{self.kind}",
                fix=did_you_mean(name, self._entries) or f"known: {', '.join(sorted(self._entries))}",
            )
        return self._entries[name]

    def __contains__(self, name: object) -> bool:
        return name in self._entries

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)
