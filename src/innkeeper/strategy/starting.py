"""Strategy folders to begin with: the starter that is part of this package, and the examples.

The files are packaged; in a checkout the examples lie in its `examples/` folder. Who writes them:
`cli/strategy_init.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

from innkeeper.kernel.errors import UsageError, did_you_mean


def starter_files() -> dict[str, bytes]:
    """The smallest strategy that does something, by path."""
    return dict(_files(resources.files("innkeeper.strategy").joinpath("starter"), ""))


def example_names() -> list[str]:
    """The examples that come with Innkeeper."""
    return sorted(entry.name for root in _roots() for entry in root.iterdir() if _is_example(entry))


def example_files(name: str) -> dict[str, bytes]:
    """The files of an example by path.

    Raises:
        UsageError: There is no such example.
    """
    for root in _roots():
        if name in example_names() and root.joinpath(name).is_dir():
            return dict(_files(root.joinpath(name), ""))
    known = example_names()
    near = did_you_mean(name, known) or (f"known: {', '.join(known)}" if known else "leave --example out")
    raise UsageError(f"there is no example '{name}'", code="unknown-example", fix=near)


def _roots() -> list[Traversable]:
    package = resources.files("innkeeper")
    candidates: list[Traversable] = [package.joinpath("_examples")]
    if isinstance(package, Path):
        candidates.append(package.parents[1] / "examples")
    return [root for root in candidates if root.is_dir()][:1]


def _is_example(entry: Traversable) -> bool:
    return entry.is_dir() and entry.joinpath("strategy.yaml").is_file()


def _files(folder: Traversable, prefix: str) -> Iterator[tuple[str, bytes]]:
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if entry.name.startswith((".", "__")):
            continue
        if entry.is_dir():
            yield from _files(entry, f"{prefix}{entry.name}/")
        else:
            yield f"{prefix}{entry.name}", entry.read_bytes()
