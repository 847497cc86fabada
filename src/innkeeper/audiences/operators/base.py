"""What a family of functions provides, and the example that is at once its truth table, documentation and test."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from innkeeper.audiences.nodes import Aggregate
from innkeeper.events.types import Event
from innkeeper.kernel.time import Instant

#: Integers outside are kept as texts: MessagePack has 64 bits.
_MOST = 2**63 - 1


def pack(number: int) -> int | str:
    """An integer of any size as a MessagePack value."""
    return number if -_MOST <= number <= _MOST else str(number)


def unpack(value: int | str) -> int:
    """The integer of a packed value."""
    return value if type(value) is int else int(value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """How a function summarises occurrences. An *entry* is a timestamp, or [timestamp, value] when *valued*.

    Attributes:
        value_of: The value of one event's property; None: the event does not count. None for functions without one.
        one: The total of one entry.
        combine: The total of two totals.
        total: The total of a list of entries in the order of time, at least one.
        newest_only: Whether the newest entry alone decides a window that reaches to now.
    """

    value_of: Callable[[Any], Any] | None = None
    one: Callable[[Any], Any]
    combine: Callable[[Any, Any], Any]
    total: Callable[[Sequence[Any]], Any]
    newest_only: bool = False

    @property
    def valued(self) -> bool:
        """Whether entries carry a value."""
        return self.value_of is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """One row of an operator's truth table.

    Attributes:
        expression: The condition.
        events: (days before the question, event name, properties) of one profile.
        holds: The answer.
        says: What the row shows, for the documentation.
        traits: The profile's traits.
    """

    expression: str
    events: tuple[tuple[float, str, dict[str, Any]], ...]
    holds: bool
    says: str
    traits: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Carried:
    """How a function goes on in SQL after raw events went, from the totals that were carried.

    Each makes as many columns as the operator's `sql`: one, or a tuple.

    Attributes:
        total: The totals of a profile as one, from JSON texts that are NULL where nothing counted.
        together: The events that are left and what was carried; either may be NULL.
        left: The aggregate over the events that are left, where it is not the operator's `sql`.
    """

    total: Callable[[Any], Any]
    together: Callable[[Sequence[Any], Sequence[Any]], Any]
    left: Callable[[SqlEvent], Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Operator:
    """One function over events.

    Attributes:
        name: As it is written.
        summary: One sentence for the documentation.
        kind: Its summary of occurrences.
        sql: The aggregate as SQL over the columns of one event and a filter; see `audiences/sql_values.py`.
        words: The function in plain words: (node, words of the event with its windows and `where`) -> text.
        carried: How it goes on from carried totals.
        examples: Its truth table.
    """

    name: str
    summary: str
    kind: Kind
    sql: Callable[[SqlEvent], Any]
    carried: Carried
    words: Callable[[Aggregate, str], str]
    examples: tuple[Example, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SqlEvent:
    """What an operator's SQL is made of: sqlglot expressions.

    Attributes:
        timestamp: The event's instant.
        number, text, raw: Make the property, as millionths, as text, as JSON text.
        total: Makes the sum of the number.
        aggregate: Puts the filter (name, windows, `where`) on an aggregate.
    """

    timestamp: Any
    number: Callable[[], Any]
    text: Callable[[], Any]
    raw: Callable[[], Any]
    total: Callable[[], Any]
    aggregate: Callable[[Any], Any]


Where = Callable[[dict[str, Any]], bool]


def entry_maker(kind: Kind, read: Callable[[Any], Any] | None, where: Where | None) -> Callable[[Event], Any]:
    """The function that gives an event's entry; None when the event does not count."""
    if kind.value_of is None or read is None:
        if where is None:
            return _timestamp
        accept = where
        return lambda event: event.timestamp if accept(event.properties) else None
    value_of, get = kind.value_of, read

    def valued(event: Event) -> list[Any] | None:
        properties = event.properties
        if where is not None and not where(properties):
            return None
        value = value_of(get(properties))
        return None if value is None else [event.timestamp, value]

    return valued


def _timestamp(event: Event) -> Instant:
    return event.timestamp


def in_json(state: Any, path: str, kind: str) -> Any:
    """A number or text of a carried total, by its JSON path; packed numbers are texts."""
    from sqlglot import exp

    found = exp.Anonymous(this="json_extract_string", expressions=[state.copy(), exp.Literal.string(path)])
    return exp.cast(found, kind)


def added(a: Sequence[Any], b: Sequence[Any]) -> Any:
    """Column by column the sum, nothing counting as 0."""
    from sqlglot import exp

    def filled(value: Any) -> Any:
        return exp.Coalesce(this=value.copy(), expressions=[exp.Literal.number(0)])

    sums = [exp.Add(this=filled(x), expression=filled(y)) for x, y in zip(a, b, strict=True)]
    return sums[0] if len(sums) == 1 else exp.Tuple(expressions=sums)


def extreme(name: str, kind: str) -> Carried:
    """`least` or `greatest`, which pass over NULL, of whatever total is a single number."""

    def total(state: Any) -> Any:
        from sqlglot import exp

        made: Callable[..., Any] = {"least": exp.Min, "greatest": exp.Max}[name]
        return made(this=in_json(state, "$", kind))

    def together(a: Sequence[Any], b: Sequence[Any]) -> Any:
        from sqlglot import exp

        return exp.Anonymous(this=name, expressions=[a[0].copy(), b[0].copy()])

    return Carried(total=total, together=together)
