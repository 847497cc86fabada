"""What the retention job says, class by class: the rule, what is due, what goes, what stays and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from innkeeper.events.retention import CARRIED, Class, Retention, class_of
from innkeeper.events.types import ENGINE_SOURCE
from innkeeper.kernel.time import Duration, Instant, format_duration, format_instant
from innkeeper.store import retired
from innkeeper.store.bulk import Bulk
from innkeeper.store.due import Due, DueRule, names
from innkeeper.store.state import Cursor, State

_CLASSES: Final[tuple[Class, ...]] = ("events", "traits", "ledger", "decisions", "consent", "logs")
_PROOF: Final = "proof of consent"
_IN_PLACE: Final = "stands for what went"


@dataclass(frozen=True, slots=True)
class Case:
    """A workspace at one instant, with its rules.

    Attributes:
        kept: Of traits with a retention, how long a word on them counts.
        wall: The machine's time, by which files are old.
    """

    home: Path
    state: State
    retention: Retention
    kept: Mapping[str, Duration]
    cursor: Cursor
    wall: Instant

    @property
    def lengths(self) -> list[Duration]:
        """How long what goes is kept."""
        classes = (self.retention.default, self.retention.ledger, self.retention.decisions)
        rules = (*classes, *self.retention.events.values())
        return [*(rule.length for rule in rules if rule.length is not None), *self.kept.values()]

    def until(self, length: Duration | None) -> Instant | None:
        """Up to when something with this retention is due; None: never."""
        return None if length is None else self.cursor.clock - length


@dataclass(slots=True)
class Line:
    """One line of the report: a class, or events of one name.

    Attributes:
        what: `deliveries`, `decision records`, `files`; of events and traits the name.
        until: Up to when it is due; None: never.
        kept: How many stay though they are due, by reason.
        oldest_kept: When the oldest that stays happened; None: nothing stays.
    """

    klass: Class
    what: str
    rule: str
    until: Instant | None
    due: int = 0
    goes: int = 0
    kept: Counter[str] = field(default_factory=Counter)
    oldest_kept: Instant | None = None

    def as_dict(self) -> dict[str, Any]:
        """The JSON form."""
        return {
            "class": self.klass,
            "what": self.what,
            "rule": self.rule,
            "until": _instant(self.until),
            "due": self.due,
            "goes": self.goes,
            "kept": dict(sorted(self.kept.items())),
            "oldest_kept": _instant(self.oldest_kept),
        }


@dataclass(slots=True)
class Report:
    """What a retention did, or would do. `bytes_after` is None in a dry run: nobody knows before."""

    at: Instant
    dry_run: bool
    declared: bool
    lines: list[Line]
    bytes_before: int
    log_files: list[Path] = field(default_factory=list)
    bytes_after: int | None = None

    @property
    def goes(self) -> int:
        """How much goes altogether."""
        return sum(line.goes for line in self.lines)

    def as_dict(self) -> dict[str, Any]:
        """The JSON form."""
        return {
            "at": format_instant(self.at),
            "dry_run": self.dry_run,
            "declared": self.declared,
            "goes": self.goes,
            "lines": [line.as_dict() for line in self.lines],
            "bytes_before": self.bytes_before,
            "bytes_after": self.bytes_after,
        }


def rules_of(case: Case, bulk: Bulk) -> list[DueRule]:
    """What of the log is due until when, for the names that it holds."""
    found = []
    for ours, name in names(bulk):
        until = case.until(case.retention.rule_of(ENGINE_SOURCE if ours else "", name).length)
        if until is not None:
            found.append(DueRule(ours, name, until))
    return found


def report_of(case: Case, due: Due, *, dry_run: bool) -> Report:
    """The report, before anything has gone."""
    lines = _log_lines(case, due)
    lines += _trait_lines(case, due)
    lines += _table_lines(case)
    files = _old_files(case)
    until = None if case.retention.logs.length is None else case.wall - case.retention.logs.length
    stays = [path.stat().st_mtime_ns // 1_000 for path in _rejects(case.home) if path not in files]
    lines.append(
        Line(
            klass="logs", what="files of refused lines", rule=str(case.retention.logs), until=until, due=len(files),
            goes=len(files), oldest_kept=min(stays, default=None),
        )
    )  # fmt: skip
    order = {klass: number for number, klass in enumerate(_CLASSES)}
    lines.sort(key=lambda line: order[line.klass])
    return Report(
        at=case.cursor.clock, dry_run=dry_run, declared=case.retention.declared or bool(case.kept), lines=lines,
        bytes_before=bytes_of(case.home), log_files=files,
    )  # fmt: skip


def _log_lines(case: Case, due: Due) -> list[Line]:
    lines: dict[tuple[bool, str], Line] = {}
    for kept in due.kept():
        lines[kept.ours, kept.name] = line = _line(case, kept.ours, kept.name)
        line.oldest_kept = kept.oldest
        if line.klass == "consent":
            line.kept[_IN_PLACE if kept.ours and kept.name == CARRIED else _PROOF] = kept.events
    for count in due.counts():
        line = lines.setdefault((count.ours, count.name), _line(case, count.ours, count.name))
        line.due += count.events
        if count.reason is None:
            line.goes += count.events
        else:
            line.kept[count.reason] += count.events
    return [line for _, line in sorted(lines.items())]


def _line(case: Case, ours: bool, name: str) -> Line:
    source = ENGINE_SOURCE if ours else ""
    rule = case.retention.rule_of(source, name)
    return Line(klass=class_of(source, name), what=name, rule=str(rule), until=case.until(rule.length))


def _trait_lines(case: Case, due: Due) -> list[Line]:
    return [
        Line(
            klass="traits", what=words.trait, rule=format_duration(case.kept[words.trait]),
            until=case.until(case.kept[words.trait]), due=words.goes, goes=words.goes, oldest_kept=words.oldest,
        )
        for words in due.words()
    ]  # fmt: skip


def _table_lines(case: Case) -> list[Line]:
    made = []
    for klass, what, rule, ask in (
        ("ledger", "deliveries", case.retention.ledger, retired.deliveries_due),
        ("decisions", "decision records", case.retention.decisions, retired.decisions_due),
    ):
        until = case.until(rule.length)
        rows = ask(case.state.connection, until)
        line = Line(klass=klass, what=what, rule=str(rule), until=until, due=rows.due, goes=rows.goes)  # type: ignore[arg-type]
        line.oldest_kept = rows.oldest_kept
        if rows.due > rows.goes:
            line.kept["its journey goes on, or its fate is not told yet"] = rows.due - rows.goes
        made.append(line)
    return made


def _rejects(home: Path) -> list[Path]:
    return sorted((home / "rejects").glob("*.jsonl"))


def _old_files(case: Case) -> list[Path]:
    length = case.retention.logs.length
    if length is None:
        return []
    return [path for path in _rejects(case.home) if path.stat().st_mtime_ns // 1_000 <= case.wall - length]


def bytes_of(home: Path) -> int:
    """How much the store takes on disk: segments, databases, refused lines, checkpoints."""
    places = ("log.db*", "state.db*", "segments/*", "rejects/*", "checkpoints/*/*")
    return sum(path.stat().st_size for place in places for path in home.glob(place) if path.is_file())


def _instant(value: Instant | None) -> str | None:
    return None if value is None else format_instant(value)
