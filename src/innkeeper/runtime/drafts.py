"""Drafts of the strategy: what would be different, kept until somebody publishes it.

A draft holds the files that differ from the strategy it was made over, so that two people who work on different files
do not stand in each other's way. What it makes of the strategy in force is looked at anew each time; a file that was
applied meanwhile and is in the draft too is a conflict, which a person settles. Kept in `store/drafts.py`.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from innkeeper.kernel.errors import Invalid, UsageError, did_you_mean
from innkeeper.kernel.time import Instant, format_instant
from innkeeper.runtime import definitions
from innkeeper.runtime.known import known_names
from innkeeper.runtime.writing import writing
from innkeeper.store.drafts import FILE, Draft, Drafts, Heading, Published
from innkeeper.store.state import State
from innkeeper.strategy.inventory import Changes, compare
from innkeeper.strategy.load import Examination, examine

#: How much a draft may hold, how many may be open, and how long a title or a path may be.
MOST_CHARACTERS: Final = 4_000_000
MOST_OPEN: Final = 500
LONGEST_NAME: Final = 200
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")

#: Paths with their whole texts; None: the file goes.
Files = Mapping[str, str | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A draft beside the strategy in force.

    Attributes:
        draft: As it is kept.
        number: Of the strategy in force.
        current: The files in force.
        conflicts: Paths that the draft changes and that were applied otherwise since it was made.
    """

    draft: Draft
    number: int
    current: Mapping[str, str]
    conflicts: tuple[str, ...]

    @property
    def tag(self) -> str:
        """Names this version of the draft over this strategy; another of either has another."""
        return f'"{self.draft.version}.{self.number}"'

    @property
    def files(self) -> dict[str, str]:
        """The whole strategy that publishing the draft would put in force."""
        merged = {**self.current, **self.draft.files}
        return {path: text for path, text in merged.items() if text is not None}

    def as_dict(self) -> dict[str, Any]:
        """The JSON form."""
        return summary(self.draft, self.draft.files, self.number) | {
            "files": dict(self.draft.files), "conflicts": list(self.conflicts), "etag": self.tag,
        }  # fmt: skip


def summary(draft: Heading, paths: Iterable[str], number: int) -> dict[str, Any]:
    """A draft in a list: the paths that it changes, without their texts; *number*: of the strategy in force."""
    done = draft.published
    return {
        "draft": draft.id, "title": draft.title, "author": draft.author,
        "created_at": format_instant(draft.created_at), "changed_by": draft.changed_by,
        "changed_at": format_instant(draft.changed_at), "base": draft.base, "in_force": number,
        "paths": sorted(paths), "state": "open" if done is None else "published",
        "published": None if done is None else {"number": done.number, "by": done.by, "at": format_instant(done.at)},
    }  # fmt: skip


def listing(home: Path) -> list[dict[str, Any]]:
    """Every draft, oldest first."""
    if not (home / FILE).exists():
        return []
    with Drafts.open(home) as drafts, State.open(home, readonly=True) as state:
        number = definitions.number(state)
        return [summary(draft, paths, number) for draft, paths in drafts.all()]


def look(home: Path, id: str) -> Seen:
    """A draft as it stands now.

    Raises:
        UsageError: There is none of this id.
    """
    known: list[str] = []
    if (home / FILE).exists():
        with Drafts.open(home) as drafts:
            draft = drafts.find(id)
            if draft is not None:
                return _seen(home, draft)
            known = drafts.ids()
    fix = did_you_mean(id, known) or "list them: innkeeper draft list"
    raise UsageError(f"there is no draft '{id}'", code="unknown-draft", fix=fix)


def create(home: Path, who: str, title: str, files: Files, now: Instant, *, whole: bool = False) -> Seen:
    """A new draft over the strategy in force.

    Args:
        home: Folder of the workspace.
        who: Its author.
        title: What it is about.
        files: What is different; a file as it is in force is not.
        now: The time.
        whole: The files are the whole strategy: what is in force and not among them goes.

    Raises:
        UsageError: It changes nothing, it is too large, or too many are open.
    """
    with State.open(home, readonly=True) as state:
        number, current = definitions.number(state), definitions.applied_files(state)
    gone: Files = dict.fromkeys(current.keys() - files.keys()) if whole else {}
    draft = Draft(
        id=f"draft-{secrets.token_hex(5)}", title=_named(title), author=who, created_at=now, version=1,
        changed_by=who, changed_at=now, base=number, files=_different({**gone, **files}, current),
    )  # fmt: skip
    if not draft.files:
        raise _empty("the draft")
    with Drafts.open(home) as drafts:
        if drafts.count_open() >= MOST_OPEN:
            raise UsageError(
                f"{MOST_OPEN} drafts are open, and no more are kept", code="too-many-drafts",
                fix="publish or discard some: innkeeper draft discard ID",
            )  # fmt: skip
        drafts.add(draft)
    return _seen(home, draft)


def change(home: Path, id: str, who: str, files: Files, tag: str, now: Instant) -> Seen:
    """Change files of a draft; one that is sent as its strategy had it is no longer part of the draft.

    Raises:
        UsageError: There is no such draft, it was changed or published meanwhile, or would be too large.
    """
    draft = _unchanged(home, id, tag).draft
    with State.open(home, readonly=True) as state:
        base = definitions.files_of(state, draft.base)
    return _put(home, replace(draft, files=_different({**draft.files, **files}, base)), who, now)


def rebase(home: Path, id: str, who: str, tag: str, now: Instant) -> Seen:
    """Settle the conflicts of a draft in its favour: its files hold over the strategy that is now in force.

    Raises:
        UsageError: There is no such draft, or it was changed or published meanwhile.
    """
    seen = _unchanged(home, id, tag)
    rebased = replace(seen.draft, base=seen.number, files=_different(seen.draft.files, seen.current))
    return _put(home, rebased, who, now)


def discard(home: Path, id: str, tag: str) -> None:
    """Throw a draft away.

    Raises:
        UsageError: There is no such draft, or it was changed or published meanwhile.
    """
    seen = _unchanged(home, id, tag)
    with Drafts.open(home) as drafts:
        if not drafts.drop(seen.draft):
            raise _stale(id)


def check(home: Path, seen: Seen, *, allow_unknown: bool = False) -> Examination:
    """Every error of the strategy that a draft would make."""
    if not seen.draft.files:
        raise _empty(f"'{seen.draft.id}'")
    return examine(seen.files, known=known_names(home), allow_unknown=allow_unknown)


def plan(home: Path, seen: Seen, *, allow_unknown: bool = False) -> Changes:
    """What publishing a draft would change.

    Raises:
        Invalid: The strategy that it would make has errors.
        UsageError: It conflicts with what was applied meanwhile, or changes nothing.
    """
    if seen.conflicts:
        paths = ", ".join(seen.conflicts)
        raise UsageError(
            f"'{seen.draft.id}' was made over strategy {seen.draft.base}; since then {paths} changed as well, and"
            f" strategy {seen.number} is in force", code="draft-conflict",
            fix="take what was applied into the draft's own files, then settle it: innkeeper draft rebase"
            f" {seen.draft.id}",
        )  # fmt: skip
    found = check(home, seen, allow_unknown=allow_unknown)
    if found.errors:
        raise Invalid(found.errors)
    return compare(seen.current, seen.files)


def publish(
    home: Path, id: str, who: str, tag: str, now: Instant, *, allow_unknown: bool = False
) -> tuple[dict[str, Any], Seen]:
    """Put in force what a draft makes of the strategy; what changed, with warnings, and the draft after it.

    Raises:
        Invalid: The strategy that it would make has errors.
        UsageError: There is no such draft, or it or the strategy changed meanwhile.
    """
    seen = _unchanged(home, id, tag)
    changes = plan(home, seen, allow_unknown=allow_unknown)
    with writing(home) as (_, state):
        if definitions.number(state) != seen.number:
            raise _stale(id)
        warnings = definitions.put_in_force(home, state, seen.files, now)
        number = definitions.number(state)
    done = replace(seen.draft, published=Published(number, who, now))
    with Drafts.open(home) as drafts:
        # Somebody who changed it in this moment goes on with a draft that is open.
        drafts.put(done)
    return changes.as_dict() | {"number": number} | warnings, look(home, id)


def _unchanged(home: Path, id: str, tag: str) -> Seen:
    """The draft, if it is open and *tag* is what it has now."""
    seen = look(home, id)
    if seen.draft.published is not None:
        number = seen.draft.published.number
        raise UsageError(
            f"'{id}' was published as strategy {number}",
            code="draft-published",
            fix="make another draft for what is new",
        )
    if tag != seen.tag:
        raise _stale(id)
    return seen


def _empty(which: str) -> UsageError:
    return UsageError(
        f"{which} changes nothing", code="empty-draft", fix="send it files that differ from those in force"
    )


def _stale(id: str) -> UsageError:
    return UsageError(
        f"'{id}', or the strategy below it, was changed meanwhile", code="stale-draft",
        fix="read the draft, and do it again with its ETag",
    )  # fmt: skip


def _put(home: Path, draft: Draft, who: str, now: Instant) -> Seen:
    with Drafts.open(home) as drafts:
        changed = drafts.put(replace(draft, changed_by=who, changed_at=now))
    if changed is None:
        raise _stale(draft.id)
    return _seen(home, changed)


def _seen(home: Path, draft: Draft) -> Seen:
    with State.open(home, readonly=True) as state:
        number, current = definitions.number(state), definitions.applied_files(state)
        base = current if draft.base == number else definitions.files_of(state, draft.base)
    conflicts = [
        path
        for path, text in draft.files.items()
        if draft.published is None and current.get(path) not in (base.get(path), text)
    ]
    return Seen(draft=draft, number=number, current=current, conflicts=tuple(sorted(conflicts)))


def _different(files: Files, base: Mapping[str, str]) -> dict[str, str | None]:
    """The files that are not as they are in *base*.

    Raises:
        UsageError: They are too many, or a path or a text cannot be one.
    """
    found = {path: text for path, text in files.items() if base.get(path) != text}
    size = sum(len(path) + len(text or "") for path, text in found.items())
    if size > MOST_CHARACTERS:
        raise UsageError(
            f"the draft would have {size:,} characters; at most {MOST_CHARACTERS:,} are kept", code="too-large",
            fix="divide it into two drafts",
        )  # fmt: skip
    for path, text in found.items():
        _named(path)
        if text is not None and (control := _CONTROL.search(text)) is not None:
            raise UsageError(
                f"{path} holds {control[0]!r} at character {control.start() + 1}", code="bad-draft",
                fix="take it out: what controls a terminal belongs into no strategy",
            )  # fmt: skip
    return found


def _named(text: str) -> str:
    if len(text) > LONGEST_NAME or not text.isprintable():
        raise UsageError(
            f"{text[:LONGEST_NAME]!r} cannot be a title or a path", code="bad-draft",
            fix=f"at most {LONGEST_NAME} characters, none of them invisible",
        )  # fmt: skip
    return text
