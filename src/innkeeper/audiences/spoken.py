"""What one identifier says, word by word: the working memory of `flips.py`. The rules: `merges.py`, `memories.py`."""

from __future__ import annotations

from typing import Any, NamedTuple

from innkeeper.audiences.memories import NOTED, Kept, about_of, note_of
from innkeeper.audiences.merges import Merges, Said, newer, newest_of
from innkeeper.events.types import Event
from innkeeper.kernel.time import Instant


class Told(NamedTuple):
    """One word."""

    value: Any
    at: Instant
    source: str
    message_id: str


class Spoken:
    """The words of one identifier on one trait that can still count."""

    __slots__ = ("_first", "_newest")

    def __init__(self) -> None:
        self._newest: dict[str, Told] = {}
        self._first: Told | None = None

    def take(self, value: Any, event: Event) -> None:
        """One more word, in any order."""
        word = Told(value, event.timestamp, event.source, event.message_id)
        old = self._newest.get(word.source)
        if old is None or newer(word, old):
            self._newest[word.source] = word
        if value is not None and (self._first is None or newer(self._first, word)):
            self._first = word

    def said(self, name: str, now: Instant, merges: Merges) -> Said | None:
        """What counts of it at an instant; None: nothing."""
        words = [word for word in self._newest.values() if not merges.has_ended(name, word.at, now)]
        newest = newest_of(words)
        return None if newest is None else Said(newest, [word for word in words if word is not newest], self._first)


def remember(kept: dict[str, Kept], event: Event) -> None:
    """Take one event about a memory."""
    about = about_of(event.properties)
    if about is None:
        return
    old = kept.get(about, Kept())
    if event.name != NOTED:
        kept[about] = old._replace(forgotten_at=max(old.forgotten_at, event.timestamp))
        return
    note = note_of(event.properties)
    if note is None:
        return
    word = Told(note.value, event.timestamp, event.source, event.message_id)
    before = old.explicit if note.explicit else old.inferred
    if before is None or newer(word, before):
        kept[about] = old._replace(explicit=word) if note.explicit else old._replace(inferred=word)
