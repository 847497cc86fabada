"""What is wrong with a store, and what to do about it.

Whatever can be derived (a hash index, the manifest, the trim of sealed rows) is made again unattended; a segment cannot
be. It may run beside a working engine. Next in the flow: `cli/doctor.py` prints the findings.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from shutil import disk_usage
from typing import Final, Literal

import msgspec

from innkeeper.events.retention import CARRIED
from innkeeper.events.types import ENGINE_SOURCE
from innkeeper.kernel.errors import InnkeeperError
from innkeeper.kernel.time import format_instant
from innkeeper.store import duck, files, gone, manifest, sqlite, subscriptions
from innkeeper.store.columns import text_sql
from innkeeper.store.hashes import HashIndex
from innkeeper.store.identity import IdentityTables
from innkeeper.store.manifest import FOLDER, LetGo, Manifest, Segment
from innkeeper.store.retractions import count_left_out, refusals
from innkeeper.store.sealed import rebuild_index
from innkeeper.store.segments import NAME, Sealer, Sizes
from innkeeper.store.verify import RECOVERY, damage

_ROOM: Final = 64 * 1024 * 1024
_BACKUP: Final = (
    "put the home back from a backup; what was imported since can be imported again, duplicates are ignored"
)


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is not as it should be.

    Attributes:
        code: Stable slug.
        message: What is wrong.
        fix: What to do; for something repaired, nothing.
        state: `wrong` (needs a person), `repaired` (was put right now), `note` (worth knowing).
        where: The file.
    """

    code: str
    message: str
    fix: str
    state: Literal["wrong", "repaired", "note"]
    where: str


def examine(home: Path, *, progress: Callable[[str], None] = lambda _: None) -> list[Finding]:
    """Everything that is not as it should be, worst first.

    Args:
        home: The workspace's folder.
        progress: Told what is being looked at.
    """
    findings: list[Finding] = []
    for look in (_disk, _state, _small, _log, _retracted, _subscriptions):
        progress(look.__name__.strip("_"))
        try:
            findings += look(home, progress)
        except InnkeeperError as error:
            findings.append(_from_error(error))
    return sorted(findings, key=lambda finding: ("wrong", "repaired", "note").index(finding.state))


def _from_error(error: InnkeeperError) -> Finding:
    return Finding(code=error.code, message=error.message, fix=error.fix or _BACKUP, state="wrong", where=error.where)


def _disk(home: Path, progress: Callable[[str], None]) -> Iterator[Finding]:
    free = disk_usage(home).free
    if free < _ROOM:
        yield Finding(
            code="disk-nearly-full", message=f"{free // 1024:,} KiB are free where the home lies", state="wrong",
            fix="make room: the engine stops when the disk is full", where=str(home),
        )  # fmt: skip


def _state(home: Path, progress: Callable[[str], None]) -> Iterator[Finding]:
    path = home / "state.db"
    if not path.is_file():
        return
    with closing(sqlite.connect(path, read_only=True)) as database:
        yield from _sound(database, "state", path)
        with sqlite.translated(path):
            tables = {name for (name,) in database.execute("SELECT name FROM sqlite_master")}
            parked = database.execute("SELECT subject, error FROM parked").fetchall() if "parked" in tables else []
            refused = IdentityTables(database).refused() if "turns" in tables else {}
            passed_over = refusals(database)
        for word, reason in passed_over:
            yield Finding(
                code="retraction-refused", message=f"'{word}' was not done: {reason}", state="note",
                fix="ask again for less: innkeeper retract", where=str(path),
            )  # fmt: skip
        for reason, number in refused.items():
            yield Finding(
                code="links-refused", message=f"{number:,} links are refused: {reason}", state="note",
                fix="look at one: innkeeper profile links ID; then block the value, or raise the limit",
                where=str(path),
            )  # fmt: skip
        for subject, error in parked:
            yield Finding(
                code="profile-parked", message=f"{subject} takes no more inputs: {error}", state="wrong",
                fix="break the loop in the strategy, then: innkeeper apply", where=str(path),
            )  # fmt: skip


def _small(home: Path, progress: Callable[[str], None]) -> Iterator[Finding]:
    for store in ("sources", "access", "imports", "drafts", "work"):
        path = home / f"{store}.db"
        if path.is_file():
            with closing(sqlite.connect(path, read_only=True)) as database:
                yield from _sound(database, store, path)


def _retracted(home: Path, progress: Callable[[str], None]) -> Iterator[Finding]:
    number, events = count_left_out(home)
    if number:
        yield Finding(
            code="retracted", message=f"{events:,} events are passed over because of {number:,} retractions",
            state="note", fix="see: innkeeper retract list", where=str(home / "state.db"),
        )  # fmt: skip


def _subscriptions(home: Path, progress: Callable[[str], None]) -> Iterator[Finding]:
    path = home / subscriptions.FILE
    if not path.is_file():
        return
    with closing(sqlite.connect(path, read_only=True)) as database:
        found = list(_sound(database, "subscriptions", path))
    yield from found
    if found:
        return
    with subscriptions.Subscriptions.open(home) as store:
        for one in store.all():
            if one.state != "active" and one.error:
                yield Finding(
                    code="subscription-stopped", message=f"'{one.name}' is {one.state} {one.reason}", state="wrong",
                    fix=f"when its receiver is well: innkeeper subscription resume {one.name}", where=str(path),
                )  # fmt: skip
            elif one.failing_since is not None:
                yield Finding(
                    code="subscription-failing", where=str(path), state="note",
                    message=f"'{one.name}' fails since {format_instant(one.failing_since)}: {one.error}",
                    fix=f"look at its receiver, then: innkeeper subscription test {one.name}",
                )  # fmt: skip
            if given_up := store.given_up(one.id):
                yield Finding(
                    code="subscription-gave-up", message=f"'{one.name}' gave {given_up:,} events up", state="note",
                    fix=f"see: innkeeper subscription failures {one.name}", where=str(path),
                )  # fmt: skip


def _sound(database: sqlite3.Connection, family: str, path: Path) -> Iterator[Finding]:
    with sqlite.translated(path):
        version = database.execute("PRAGMA user_version").fetchone()[0]
        problems = [text for (text,) in database.execute("PRAGMA integrity_check(20)") if text != "ok"]
        problems += [f"row {row[1]} of {row[0]} points nowhere" for row in database.execute("PRAGMA foreign_key_check")]
    if version > sqlite.newest_version(family):
        yield Finding(
            code="store-newer", message=f"{path.name} has version {version}, newer than this Innkeeper", state="wrong",
            fix="use the newer Innkeeper that wrote it", where=str(path),
        )  # fmt: skip
    if problems:
        yield Finding(
            code="store-damaged", message=f"{path.name} is damaged: {'; '.join(problems)}", state="wrong", fix=_BACKUP,
            where=str(path),
        )  # fmt: skip


def _log(home: Path, progress: Callable[[str], None]) -> Iterator[Finding]:
    path = home / "log.db"
    if not path.is_file():
        if any((home / FOLDER).glob("*.parquet")):
            yield Finding(
                code="log-missing", message="log.db is gone, and with it the newest events; the sealed ones are here",
                fix=f"{_BACKUP}; or go on without them: the next import makes a new log.db", state="wrong",
                where=str(path),
            )  # fmt: skip
            if not manifest.path_of(home).is_file():
                yield _rebuild_manifest(home, "is missing")
        return
    with closing(sqlite.connect(path)) as database:
        found = list(_sound(database, "log", path))
        yield from found
        if found:
            return
        yield from _manifest(home, database)
        sealer = Sealer(home, database, Sizes())
        listed = sealer.recover()
        yield from _segments(home, listed, progress)
        yield from _gone(home, listed)
        for stranded in sealer.stranded(listed):
            yield Finding(
                code="segment-unlisted", state="wrong", where=str(stranded),
                message=f"the manifest does not name {stranded.name}, and its events are nowhere else",
                fix="put manifest.json, log.db and the segments back from one and the same backup",
            )  # fmt: skip
        yield from _tail(home, database)


def _manifest(home: Path, database: sqlite3.Connection) -> Iterator[Finding]:
    """The manifest's file against its copy; where both are lost, a new one from the segments themselves."""
    copy = database.execute("SELECT generation FROM manifest").fetchone()
    try:
        listed = manifest.load(home)
        if listed.generation > 0 or (copy is None and not Sealer(home, database, Sizes()).stranded(listed)):
            return
        why = "is missing"
    except InnkeeperError as error:
        if error.code != "manifest-damaged":
            raise
        why = "is damaged"
    if copy is None:
        yield _rebuild_manifest(home, why)
        return
    Sealer(home, database, Sizes()).recover()
    yield Finding(
        code="manifest-restored", message=f"the manifest {why}; it was put back from its copy in log.db", fix="",
        state="repaired", where=str(manifest.path_of(home)),
    )  # fmt: skip


def _rebuild_manifest(home: Path, why: str) -> Finding:
    rebuilt = rebuild_manifest(home)
    manifest.save(home, rebuilt)
    return Finding(
        code="manifest-restored", fix="", state="repaired", where=str(manifest.path_of(home)),
        message=f"the manifest {why}; it was made again from {len(rebuilt.segments)} segments",
    )  # fmt: skip


def _segments(home: Path, listed: Manifest, progress: Callable[[str], None]) -> Iterator[Finding]:
    for number, segment in enumerate(listed.segments, 1):
        progress(f"segment {number} of {len(listed.segments)}")
        path = home / FOLDER / segment.file
        why = damage(home, segment, deep=True)
        if why is not None:
            yield Finding(
                code="segment-damaged", state="wrong", where=str(path),
                message=f"the segment {segment.file} (seq {segment.first_seq} to {segment.last_seq}, {segment.rows} "
                f"events) is damaged: {why}",
                fix=f"{RECOVERY.removeprefix('run: innkeeper doctor; ')}; before the import, give the rest of it up: "
                f"innkeeper doctor --forget {segment.file}",
            )  # fmt: skip
            continue
        try:
            HashIndex(home / FOLDER / segment.index, rows=segment.rows).close()
        except InnkeeperError as error:
            rebuild_index(home, segment)
            yield Finding(
                code="index-rebuilt", message=f"{error.message}; it was made again from its segment", fix="",
                state="repaired", where=error.where,
            )  # fmt: skip


def _gone(home: Path, listed: Manifest) -> Iterator[Finding]:
    """The hashes of what went by retention."""
    for each in listed.gone:
        path = home / FOLDER / each.file
        try:
            HashIndex(path, rows=each.rows).close()
        except InnkeeperError as error:
            yield Finding(
                code="gone-damaged", state="wrong", where=str(path),
                message=f"{error.message}; it says which {each.rows:,} messages went by retention",
                fix=f"{_BACKUP}; without it imports are refused, because they could bring back what went",
            )  # fmt: skip


def _tail(home: Path, database: sqlite3.Connection) -> Iterator[Finding]:
    path = home / "log.db"
    with sqlite.translated(path):
        waiting = database.execute("SELECT count(*) FROM tail").fetchone()[0]
        broken = database.execute(
            "SELECT count(*), min(seq) FROM tail WHERE NOT (json_valid(properties) AND json_valid(traits) "
            "AND json_valid(context) AND json_valid(extra))"
        ).fetchone()
    if waiting > 10 * Sizes().seal_rows:
        yield Finding(
            code="tail-long", message=f"{waiting:,} events wait for the seal", state="note", where=str(path),
            fix="see the log of the engine for why the seal fails; the next import tries again",
        )  # fmt: skip
    if broken[0]:
        yield Finding(
            code="event-damaged", message=f"{broken[0]} events of the tail hold no JSON, the first at seq {broken[1]}",
            fix=_BACKUP, state="wrong", where=str(path),
        )  # fmt: skip


def rebuild_manifest(home: Path) -> Manifest:
    """A manifest from the segment files alone: of those that overlap, the youngest."""
    chosen: list[tuple[int, int, int, Path]] = []
    for path in (home / FOLDER).glob("*.parquet"):
        found = NAME.fullmatch(path.name)
        if found is not None:
            chosen.append((int(found[3]), int(found[1]), int(found[2]), path))
    segments: list[Segment] = []
    with closing(duck.connect(home)) as engine, duck.translated(home / FOLDER):
        for _, first, last, path in sorted(chosen, reverse=True):
            if not any(first <= segment.last_seq and segment.first_seq <= last for segment in segments):
                source = f"read_parquet({text_sql(str(path.resolve()))})"
                names = [row[0] for row in duck.run(engine, f"DESCRIBE SELECT * FROM {source}")]  # noqa: S608
                rows = duck.run(engine, f"SELECT count(*), min(seq), max(seq), min(ts), max(ts) FROM {source}")[0]  # noqa: S608
                segments.append(
                    Segment(
                        file=path.name, rows=rows[0], bytes=path.stat().st_size, sha256=files.checksum(path),
                        first_seq=rows[1], last_seq=rows[2], first_at=rows[3], last_at=rows[4],
                        numbers=tuple(name[2:] for name in names if name.startswith("n:")),
                        texts=tuple(name[2:] for name in names if name.startswith("s:")),
                    )
                )  # fmt: skip
    newest = max((generation for generation, *_ in chosen), default=0)
    return Manifest(
        generation=newest,
        segments=tuple(sorted(segments, key=lambda segment: segment.first_seq)),
        let_go=_let_go(home, segments),
        gone=gone.found(home),
    )


def _let_go(home: Path, segments: list[Segment]) -> tuple[LetGo, ...]:
    """What carried facts say of events that went: for each name the latest; which summaries are whole is not known."""
    until: dict[str, int] = {}
    with closing(duck.connect(home)) as engine, duck.translated(home / FOLDER):
        for segment in segments:
            source = f"read_parquet({text_sql(str((home / FOLDER / segment.file).resolve()))})"
            rows = duck.run(
                engine,
                "SELECT key, max(ts) FROM (SELECT ts, unnest(json_keys(properties, '$.events')) AS key "  # noqa: S608
                f"FROM {source} WHERE source = $engine AND name = $carried) GROUP BY key",
                {"engine": ENGINE_SOURCE, "carried": CARRIED},
            )
            for name, at in rows:
                until[name] = max(until.get(name, at), at)
    return tuple(LetGo(name=name, until=at) for name, at in sorted(until.items()))


def forget_segment(home: Path, name: str) -> Segment:
    """Give a damaged segment up, so that its events can be imported again; what it was.

    Raises:
        UsageError: There is no such segment, or it is sound.
    """
    with closing(sqlite.connect(home / "log.db")) as database:
        return Sealer(home, database, Sizes()).forget(name)
