"""The values of a table's cells: as texts, as exact numbers, as instants. Used by `mapping_bind.py`; pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, Literal

from msgspec import DecodeError

from innkeeper.events.limits import Refused
from innkeeper.events.mapping import EPOCHS
from innkeeper.events.parse import EARLIEST, LATEST, quick_instant
from innkeeper.kernel.json import dumps, loads
from innkeeper.kernel.located import Place
from innkeeper.kernel.numbers import MICRO, from_micro, to_micro
from innkeeper.kernel.time import Instant, format_instant, to_datetime
from innkeeper.kernel.zones import from_local, try_zone

ColumnKind = Literal["text", "number", "boolean", "instant", "local", "date", "json", "any"]
#: Cells in their order, as the table gives them: None, str, int, float, bool; micros for `instant` (UTC) and `local`
#: (wall clock as if it were UTC); the text of a JSON value for `json`; any decoded JSON for `any`.
Row = tuple[Any, ...]
_NAIVE = re.compile(r"\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?)?\Z", re.ASCII)
_NUMBER = re.compile(r"-?\d{1,15}(?:\.\d{1,9})?\Z", re.ASCII)
_QUICK = 1e9


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column of a table.

    Attributes:
        name: Its name.
        kind: What its cells hold.
        written: Whether the file holds texts, of which the kind was made (a CSV); then the texts can be asked for too.
        exact: Whether it stands for those texts themselves: `1.10` stays `1.10`.
        index: Its place in a row.
    """

    name: str
    kind: ColumnKind
    written: bool = False
    exact: bool = False
    index: int = -1


class Columns:
    """The columns that there are; a *table* of None: of JSON, in which every dotted path is one.

    Attributes:
        names: Their names; None: any.
    """

    def __init__(self, table: Sequence[Column] | None, declared: Mapping[str, tuple[str, Place]]) -> None:
        self._table = None if table is None else {column.name: column for column in table}
        self._declared = declared
        self.names = None if self._table is None else list(self._table)

    def find(self, name: str) -> Column | None:
        """The column of a name; None: there is none."""
        if self._table is not None:
            return self._table.get(name)
        kind: Any = self._declared[name][0] if name in self._declared else "any"
        return Column(name=name, kind=kind)


def plain_number(value: Any) -> Any:
    """A whole float as an int, so that templates print no decimal point; anything else as it is."""
    return int(value) if type(value) is float and value.is_integer() else value


def as_text(value: Any) -> str | None:
    """The text of a cell; None for an empty one. A whole number has no decimal point: 12345.0 is "12345"."""
    if type(value) is str:
        return value or None
    if value is None:
        return None
    if type(value) is bool:
        return "true" if value else "false"
    if type(value) is float:
        return str(int(value)) if value.is_integer() else repr(value)
    if type(value) is int:
        return str(value)
    return dumps(value)


def add_up(products: Iterable[tuple[Any, ...]], factors: int) -> int | float:
    """The exact sum of products of cells, rounded half away from zero to six places at the end.

    An empty cell makes its product nothing, not zero: it adds nothing.
    """
    total = 0
    for cells in products:
        product = 1
        for cell in cells:
            if cell is None:
                break
            product *= _micro(cell)
        else:
            total += product
    scale = MICRO ** (factors - 1)
    whole, rest = divmod(abs(total), scale)
    rounded = whole + (1 if rest * 2 >= scale > 1 else 0)
    return from_micro(rounded if total >= 0 else -rounded)


def _micro(value: Any) -> int:
    if type(value) is int:
        return value * MICRO
    # The nearest double of a number with at most six places is that number: no need for the slow exact way.
    quick = round(value * MICRO) if type(value) is float and -_QUICK < value < _QUICK else None
    if quick is not None and quick / MICRO == value:
        return quick
    exact = to_micro(value)
    if exact is None:
        raise Refused("not-a-number", f"{value!r} cannot be added up", "leave the line out with 'where'")
    return exact


def wall_text(micros: int) -> str:
    """A wall-clock time as a text without a zone."""
    return to_datetime(micros).replace(tzinfo=None).isoformat(sep=" ")


@lru_cache(maxsize=65_536)
def wall_instant(micros: int, zone_name: str) -> Instant | None:
    """The instant at which a zone's clock shows a time; None where there is no such zone."""
    if try_zone(zone_name) is None:
        return None
    wall = to_datetime(micros).replace(tzinfo=None)
    return from_local(wall.date(), wall.time(), zone_name)


def text_instant(text: str, zone_name: str | None) -> Instant | None:
    """The instant of an ISO 8601 text; without a zone of its own it is read in *zone_name*. None if it is neither."""
    # Texts in UTC are read faster than they are found in a cache.
    return quick_instant(text) if text.endswith("Z") else _slow_instant(text, zone_name)


@lru_cache(maxsize=65_536)
def _slow_instant(text: str, zone_name: str | None) -> Instant | None:
    if text and (instant := quick_instant(text)) is not None:
        return instant
    if zone_name is None or try_zone(zone_name) is None or not _NAIVE.match(text):
        return None
    head, dot, fraction = text.partition(".")
    try:
        wall = datetime.fromisoformat(head + dot + (fraction[:6].ljust(6, "0") if dot else ""))
    except ValueError:
        return None
    return from_local(wall.date(), wall.time(), zone_name)


def epoch_text(value: Any, unit: str) -> str | None:
    """The time that a number of seconds or milliseconds since 1970 stands for, in ISO 8601; a text of digits counts."""
    if value is None or value == "":
        return None
    number = value
    if type(value) is str and _NUMBER.match(value):
        number = float(value) if "." in value else int(value)
    micros = to_micro(number)
    instant = None if micros is None else micros * EPOCHS[unit] // MICRO
    if instant is None or not EARLIEST <= instant < LATEST:
        raise Refused("bad-timestamp", f"{str(value)[:80]!r} is no number of {unit} since 1970", "take 'epoch' away")
    return format_instant(instant)


def divided(value: Any, divisor: int) -> int | float | None:
    """A number in small units as one of large units, exact to six places; a text of digits counts."""
    if value is None or value == "":
        return None
    number = value
    if type(value) is str and _NUMBER.match(value):
        number = float(value) if "." in value else int(value)
    micro = to_micro(number)
    if micro is None:
        raise Refused("not-a-number", f"{str(value)[:80]!r} cannot be divided", "take 'divide' away")
    whole, rest = divmod(abs(micro), divisor)
    rounded = whole + (rest * 2 >= divisor)
    return from_micro(rounded if micro >= 0 else -rounded)


def refuse_time(value: Any, zone_name: str | None) -> Refused:
    """Why a cell is no time."""
    if value is None or value == "":
        return Refused("no-timestamp", "the line has no timestamp", "leave the line out with 'where', or fill it in")
    text = str(value)
    if zone_name is None and _NAIVE.match(text):
        return Refused("naive-time", f"the time '{text}' has no zone", "say which in the mapping: zone: Europe/Lisbon")
    if zone_name is not None and try_zone(zone_name) is None:
        return Refused("unknown-zone", f"there is no time zone '{zone_name[:80]}'", "use IANA names: Europe/Lisbon")
    return Refused("bad-timestamp", f"'{text[:80]}' is not a time in ISO 8601", "write it like 2026-11-22 09:30:00")


def cell_reader(column: Column, zone: str | None) -> Callable[[Row], Any]:
    """What a column gives as a property or trait: JSON; times as ISO 8601, in UTC where their zone is known."""
    index = column.index
    if column.kind == "instant":
        return lambda row: None if row[index] is None else format_instant(row[index])
    if column.kind == "local":
        return lambda row: None if row[index] is None else _local(row[index], zone)
    if column.kind == "json":
        return lambda row: None if row[index] is None else _json(row[index])
    return lambda row: row[index]


def _json(text: str) -> Any:
    try:
        return loads(text)
    except (DecodeError, RecursionError) as error:
        raise Refused("not-json", f"a cell is no JSON: {str(error)[:120]}") from error


def _local(micros: int, zone: str | None) -> str:
    instant = wall_instant(micros, zone) if zone is not None else None
    return wall_text(micros) if instant is None else format_instant(instant)
