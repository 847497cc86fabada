"""Which definitions a strategy's files hold, and what differs between two strategies: what `plan` shows.

Contents are compared, not texts: a comment or another indentation is no change. The files must have passed `load`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import unified_diff
from pathlib import PurePosixPath

from innkeeper.kernel.json import canonical
from innkeeper.kernel.located import Findings, Located
from innkeeper.strategy.message_files import split_message
from innkeeper.strategy.yaml import read_yaml

# folder -> the key that names a definition other than its file does
_NAME_KEYS = {"audiences": "name", "journeys": "journey", "catalogs": "catalog"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One definition: what it says, and the texts of its files by path."""

    content: str
    texts: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """Names of definitions such as `audiences/loyal`, sorted; `diffs` has lines for each of them."""

    added: tuple[str, ...]
    changed: tuple[str, ...]
    removed: tuple[str, ...]
    diffs: Mapping[str, tuple[str, ...]]

    def __bool__(self) -> bool:
        return bool(self.added or self.changed or self.removed)

    def as_dict(self) -> dict[str, list[str]]:
        """The JSON form that `plan` and `apply` print."""
        return {"added": list(self.added), "changed": list(self.changed), "removed": list(self.removed)}


def inventory(files: Mapping[str, str]) -> dict[str, Item]:
    """Every definition of a strategy by name: `strategy`, `stages`, `audiences/loyal`, `messages/welcome`, ..."""
    items: dict[str, Item] = {}
    for path in sorted(files):
        for name, content in _definitions(path, files[path]):
            before = items.get(name)
            contents = f"{before.content}\n{content}" if before else content
            texts = {**before.texts, path: files[path]} if before else {path: files[path]}
            items[name] = Item(content=contents, texts=texts)
    return items


def _definitions(path: str, text: str) -> Iterator[tuple[str, str]]:
    parts = PurePosixPath(path)
    if parts.parts[0] == "messages":
        message = split_message(path, text, Findings())
        if message is not None:
            front = _plain(message.front)
            name = str(front.get("message", message.stem))
            yield f"messages/{name}", canonical([message.locale, front, message.format, message.body])
        return
    if path.endswith(".csv"):
        yield f"{parts.parts[0]}/{parts.stem}", canonical(text)
        return
    node = read_yaml(text, path, Findings())
    plain = _plain(node) if node is not None else {}
    if len(parts.parts) == 1:
        yield parts.stem, canonical(node.plain() if node is not None else None)
    else:
        name = str(plain.get(_NAME_KEYS[parts.parts[0]], parts.stem))
        yield f"{parts.parts[0]}/{name}", canonical(plain)


def _plain(node: Located) -> dict[str, object]:
    plain = node.plain()
    return plain if isinstance(plain, dict) else {}


def compare(before: Mapping[str, str], after: Mapping[str, str]) -> Changes:
    """What changes from one strategy's files to another's."""
    old, new = inventory(before), inventory(after)
    added = tuple(sorted(new.keys() - old.keys()))
    removed = tuple(sorted(old.keys() - new.keys()))
    changed = tuple(sorted(name for name in new.keys() & old.keys() if new[name].content != old[name].content))
    diffs = {name: tuple(_diff(old.get(name), new.get(name))) for name in (*added, *changed, *removed)}
    return Changes(added=added, changed=changed, removed=removed, diffs=diffs)


def _diff(old: Item | None, new: Item | None) -> Iterator[str]:
    before, after = (item.texts if item is not None else {} for item in (old, new))
    for path in sorted({*before, *after}):
        lines = unified_diff(
            before.get(path, "").splitlines(),
            after.get(path, "").splitlines(),
            fromfile=path if path in before else "(nothing)",
            tofile=path if path in after else "(nothing)",
            n=2,
            lineterm="",
        )
        yield from lines
