"""Which rows of the log are due, which of them something still needs, and what goes: tables in a bulk engine's memory.

The statements are `store/sql/retention.sql`. The rules and the reasons of the definitions come in from `runtime/`; the
rows are taken out by `letting_go.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, NamedTuple

from innkeeper.events.retention import CARRIED
from innkeeper.events.types import ENGINE_SOURCE
from innkeeper.identity.namespaces import BUILT_IN, DEFAULT_RULES, IdentityRules
from innkeeper.kernel.time import Instant
from innkeeper.store.bulk import Bulk
from innkeeper.store.columns import text_sql

#: As many places are looked up at once.
_PAGE = 50_000


class DueRule(NamedTuple):
    """Events of one name, of our own source or of any other, are due up to an instant."""

    ours: bool
    name: str
    until: Instant


class Count(NamedTuple):
    """How many events of a name are due and go (no reason), or stay for a reason."""

    ours: bool
    name: str
    reason: str | None
    events: int


class Kept(NamedTuple):
    """What stays of a name: the oldest, and how many."""

    ours: bool
    name: str
    oldest: Instant
    events: int


class Words(NamedTuple):
    """How many words on a trait with a retention go, and when the oldest that stays was told."""

    trait: str
    goes: int
    oldest: Instant | None


class Thinned(NamedTuple):
    """An event that stays without its words on some traits."""

    seq: int
    traits: str
    context: str
    extra: str
    ended: list[str]


class Going(NamedTuple):
    """One input that goes, or an earlier carried total that is written anew; in the order of identifier and stretch."""

    identifier: str
    span: Instant
    timestamp: Instant
    source: str
    message_id: str
    name: str
    properties: str


def names(bulk: Bulk) -> list[tuple[bool, str]]:
    """Every name of the log, and whether it is one of our own events."""
    return bulk.rows("SELECT DISTINCT source = $engine, name FROM events ORDER BY ALL", {"engine": ENGINE_SOURCE})


class Due:
    """The survey of a log, from rules: made once, asked several times.

    Args:
        bulk: The picture of the log; everything is sealed.
        rules: What is due until when.
        wanted: Names of inputs that stay, with the reason.
        taken: The last place of the log that the engine has looked at; what it has not taken stays.
        identity: The rules of who is who: what they may read stays.
        oldest: Traits of which every word stays.
        ends: Up to when words on a trait have ended, where it has a retention.
    """

    def __init__(
        self, bulk: Bulk, rules: Iterable[DueRule], wanted: Iterable[tuple[str, str]], taken: int,
        identity: IdentityRules = DEFAULT_RULES, *, oldest: Iterable[str] = (),
        ends: Iterable[tuple[str, Instant]] = (),
    ) -> None:  # fmt: skip
        self.bulk = bulk
        # The newest row stays, so that the end of the sealed log does not move back.
        last = bulk.rows("SELECT coalesce(max(seq), 0) FROM events")[0][0]
        self._values = {"engine": ENGINE_SOURCE, "taken": taken, "last": last, "carried": CARRIED}
        bulk.rows("CREATE TABLE rules (ours BOOLEAN, name VARCHAR, until BIGINT)")
        bulk.rows("CREATE TABLE wanted (name VARCHAR, reason VARCHAR)")
        bulk.rows("CREATE TABLE paths (namespace VARCHAR, spans BOOLEAN, root VARCHAR, pointer VARCHAR)")
        for path in _paths(identity):
            bulk.rows("INSERT INTO paths VALUES (?, ?, ?, ?)", path)
        for rule in rules:
            bulk.rows("INSERT INTO rules VALUES (?, ?, ?)", rule)
        for pair in wanted:
            bulk.rows("INSERT INTO wanted VALUES (?, ?)", pair)
        bulk.rows("CREATE TABLE oldest_traits (trait VARCHAR)")
        for trait in oldest:
            bulk.rows("INSERT INTO oldest_traits VALUES (?)", [trait])
        bulk.rows("CREATE TABLE ends (trait VARCHAR, until BIGINT)")
        for end in ends:
            bulk.rows("INSERT INTO ends VALUES (?, ?)", end)
        for table in ("valued", "telling", "starts", "evident", "due", "told", "needed", "going", "ending", "merged"):
            self._ask(table)

    def counts(self) -> list[Count]:
        """What is due, by name and what becomes of it."""
        return [Count(*row) for row in self._ask("counts")]

    def kept(self) -> list[Kept]:
        """What stays, by name."""
        return [Kept(*row) for row in self._ask("oldest")]

    def words(self) -> list[Words]:
        """What becomes of the words on traits with a retention, by trait."""
        return [Words(*row) for row in self._ask("words")]

    def any(self) -> bool:
        """Whether anything goes."""
        return bool(self.bulk.rows("SELECT 1 FROM going UNION ALL SELECT 1 FROM ending LIMIT 1"))

    def thinned(self) -> Iterator[Thinned]:
        """The events that stay without some of their words."""
        for page in self.bulk.stream(_statement("thinned"), {}):
            for row in page:
                yield Thinned(*row)

    def ended_since(self, instants: Mapping[str, Instant]) -> bool:
        """Whether a word on one of some traits goes that was told after an instant."""
        after = "SELECT 1 FROM ending WHERE trait = ? AND ts > ? LIMIT 1"
        return any(self.bulk.rows(after, pair) for pair in instants.items())

    def folded(self, read: Sequence[str]) -> Iterator[Going]:
        """What goes and was an input, to be added up; properties only of the events that something reads."""
        for page in self.bulk.stream(_statement("folded"), {"names": list(read)}):
            for row in page:
                yield Going(*row)

    def export(self, path: Path) -> None:
        """Write the places of what goes, and the hashes of its messages, as Parquet."""
        target = text_sql(str(path.resolve()))
        self.bulk.rows(f"COPY ({_statement('leaving')}) TO {target} (FORMAT parquet)")

    def touches(self, seqs: Sequence[int], *, ours_after: int) -> bool:
        """Whether any of the places, or any of our own rows behind a place, goes."""
        if self.bulk.rows("SELECT 1 FROM going WHERE ours AND seq > ? LIMIT 1", [ours_after]):
            return True
        wanted = "SELECT 1 FROM going WHERE seq IN (SELECT unnest(?::BIGINT[])) LIMIT 1"
        return any(self.bulk.rows(wanted, [seqs[at : at + _PAGE]]) for at in range(0, len(seqs), _PAGE))

    def _ask(self, name: str) -> list[tuple[Any, ...]]:
        text = _statement(name)
        return self.bulk.rows(text, {key: value for key, value in self._values.items() if f"${key}" in text})


def _paths(identity: IdentityRules) -> Iterator[tuple[str, bool, str, str]]:
    """Where events carry values of a namespace: the name, whether it is owned in spans, the column and the pointer."""
    for namespace in identity.namespaces.values():
        for root, *parts in namespace.paths:
            pointer = "".join("/" + part.replace("~", "~0").replace("/", "~1") for part in parts)
            yield namespace.name, namespace.owner == "spans", root, pointer
    if identity.namespaces.keys() - BUILT_IN.keys():
        yield "externalIds", True, "context", "/externalIds"


def _statement(name: str) -> str:
    return _statements()[name]


@cache
def _statements() -> dict[str, str]:
    text = resources.files("innkeeper.store").joinpath("sql", "retention.sql").read_text(encoding="utf-8")
    parts = (part.partition("\n") for part in text.split("-- name: ")[1:])
    return {name.strip(): statement.strip().removesuffix(";") for name, _, statement in parts}
