"""How the words that identifiers and sources say on one trait become its value: the rule that a strategy declares.

The same rule in three places: here for the fold and for flips, in SQL (`sql_traits.py`), in plain Python
(tests/oracle). A *word* is one value that one event told. Nothing here depends on the order of arrival.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, NamedTuple, Protocol, get_args

from innkeeper.audiences.values import as_instant
from innkeeper.kernel.json import canonical
from innkeeper.kernel.numbers import MICRO, from_micro, to_micro
from innkeeper.kernel.time import Duration, Instant

Merge = Literal["newest", "oldest", "trusted", "add", "max", "min"]
TraitType = Literal["any", "text", "number", "boolean", "instant", "list", "object"]
MERGES: Final[tuple[str, ...]] = get_args(Merge)
TRAIT_TYPES: Final[tuple[str, ...]] = get_args(TraitType)
#: The trust of a source that is not declared.
ORDINARY_TRUST: Final = 1
#: Numbers at or beyond this size (in millionths) are not added up: no sum of them may leave the numbers of SQL.
ADD_LIMIT: Final = 10**18 * MICRO


class Word(Protocol):
    """One value that one event told; None: taken back."""

    @property
    def value(self) -> Any:
        """The value, JSON."""

    @property
    def at(self) -> Instant:
        """The event's timestamp."""

    @property
    def source(self) -> str:
        """Who said it."""

    @property
    def message_id(self) -> str:
        """By which event."""


class Said(NamedTuple):
    """What one identifier's events have said on one trait.

    `newest` of all, `others`: the newest of every other source, `first`: the earliest that is no removal (None: not
    kept, or there is none).
    """

    newest: Word
    others: Sequence[Word] = ()
    first: Word | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TraitRule:
    """How a trait's words are merged; `type` says how `max` and `min` compare."""

    merge: Merge = "newest"
    type: TraitType = "any"


@dataclass(frozen=True, slots=True, kw_only=True)
class Merges:
    """The rules of the traits that are not merged by `newest`, and how far each declared source is trusted.

    `kept`: of traits with a retention, how long a word on them counts.
    """

    rules: Mapping[str, TraitRule] = field(default_factory=dict)
    trust: Mapping[str, int] = field(default_factory=dict)
    kept: Mapping[str, Duration] = field(default_factory=dict)

    def trust_of(self, source: str) -> int:
        """How far a source is trusted."""
        return self.trust.get(source, ORDINARY_TRUST)

    def has_ended(self, name: str, at: Instant, now: Instant) -> bool:
        """Whether a word that was told at an instant counts no more."""
        length = self.kept.get(name)
        return length is not None and at + length <= now

    @property
    def remembered(self) -> Collection[str]:
        """The traits whose value is not known from the newest words alone."""
        return [name for name, rule in self.rules.items() if rule.merge in ("oldest", "trusted")]


#: Every trait has its newest value.
NEWEST: Final = Merges()


class Outcome(NamedTuple):
    """The value of a trait (None: it has none) and the words that made it; several only for `add`."""

    value: Any
    words: tuple[Word, ...]


def newer(a: Word, b: Word) -> bool:
    """Whether *a* stands against *b*: the later, then by source and message id, so that the order is total."""
    if a.at != b.at:
        return a.at > b.at
    if (a.source, a.message_id) != (b.source, b.message_id):
        return (a.source, a.message_id) > (b.source, b.message_id)
    return canonical(a.value) > canonical(b.value)


def newest_of(words: Iterable[Word]) -> Word | None:
    """The newest word."""
    best: Word | None = None
    for word in words:
        if best is None or newer(word, best):
            best = word
    return best


def settle(name: str, said: Sequence[Said], merges: Merges) -> Outcome:
    """The value of a trait from what a profile's identifiers have said on it."""
    rule = merges.rules.get(name)
    if rule is None or rule.merge == "newest":
        return _one(newest_of(each.newest for each in said))
    match rule.merge:
        case "oldest":
            return _one(_oldest(each.first for each in said))
        case "trusted":
            return _one(_trusted(said, merges))
        case "add":
            return _added(said)
        case _:
            return _one(_furthest(said, rule))


def _one(word: Word | None) -> Outcome:
    return Outcome(None, ()) if word is None else Outcome(word.value, (word,))


def _oldest(words: Iterable[Word | None]) -> Word | None:
    best: Word | None = None
    for word in words:
        if word is not None and (best is None or newer(best, word)):
            best = word
    return best


def _trusted(said: Iterable[Said], merges: Merges) -> Word | None:
    best: Word | None = None
    most = -1
    for each in said:
        for word in (each.newest, *each.others):
            trust = merges.trust_of(word.source)
            if best is None or trust > most or (trust == most and newer(word, best)):
                best, most = word, trust
    return best


def added(value: Any) -> int | None:
    """The millionths that a value adds to a sum; None: nothing."""
    micro = to_micro(value)
    return micro if micro is not None and -ADD_LIMIT < micro < ADD_LIMIT else None


def _added(said: Iterable[Said]) -> Outcome:
    counted = [(micro, each.newest) for each in said if (micro := added(each.newest.value)) is not None]
    if not counted:
        return Outcome(None, ())
    return Outcome(from_micro(sum(micro for micro, _ in counted)), tuple(word for _, word in counted))


def size(value: Any, rule: TraitRule) -> int | None:
    """What `max` and `min` compare: microseconds of an instant, else millionths of a number."""
    return as_instant(value) if rule.type == "instant" else to_micro(value)


def _furthest(said: Iterable[Said], rule: TraitRule) -> Word | None:
    best: Word | None = None
    most = 0
    for each in said:
        found = size(each.newest.value, rule)
        if found is None:
            continue
        found = -found if rule.merge == "min" else found
        if best is None or found > most or (found == most and newer(each.newest, best)):
            best, most = each.newest, found
    return best


def matches(value: Any, declared: TraitType) -> bool:
    """Whether a value (not null) has the declared type; one that has not is a conflict, and is kept as it is."""
    match declared:
        case "text":
            return isinstance(value, str)
        case "number":
            return isinstance(value, int | float) and not isinstance(value, bool)
        case "boolean":
            return isinstance(value, bool)
        case "instant":
            return as_instant(value) is not None
        case "list":
            return isinstance(value, list)
        case "object":
            return isinstance(value, dict)
        case _:
            return True
