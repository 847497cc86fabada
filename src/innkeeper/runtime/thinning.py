"""Events that stay without the words that they told on some traits, because those have ended.

What is left of such an event says so, and nobody takes its customer's past for whole (`gone_past.py`). Next:
`retention.py` puts it into the log in the same change in which other events go.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from innkeeper.events.retention import ENDED
from innkeeper.kernel.json import dumps, dumps_bytes, loads
from innkeeper.kernel.time import Duration, Instant
from innkeeper.store import files
from innkeeper.store.due import Thinned
from innkeeper.store.manifest import Ended


def write_thinned(thinned: Iterable[Thinned], path: Path) -> None:
    """Write what is left of each event, as JSON lines."""
    with files.translated(path), path.open("wb") as file:
        for row in thinned:
            extra = dumps({**loads(row.extra), ENDED: True})
            left = {"traits": dumps(_without(loads(row.traits), row.ended)), "context": _context(row), "extra": extra}
            file.write(dumps_bytes({"seq": row.seq, **left}) + b"\n")


def _context(row: Thinned) -> str:
    # What the context says of the customer is in `traits` as well; both lose it.
    context = loads(row.context)
    traits = context.get("traits")
    return dumps({**context, "traits": _without(traits, row.ended)}) if isinstance(traits, dict) else row.context


def _without(traits: dict[str, Any], ended: Collection[str]) -> dict[str, Any]:
    return {name: value for name, value in traits.items() if name not in ended}


def ended_now(before: tuple[Ended, ...], going: Iterable[str], now: Instant) -> tuple[Ended, ...]:
    """What a manifest says after words on some traits went."""
    known = {each.trait: each for each in before} | {name: Ended(trait=name, at=now) for name in going}
    return tuple(known[name] for name in sorted(known))


def lives(kept: Mapping[str, Duration], instant: Instant) -> dict[str, Instant]:
    """Per trait, after when a word had to be told so that it still counted at an instant."""
    return {name: instant - length for name, length in kept.items()}
