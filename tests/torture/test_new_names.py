"""Names that were never there, a hundred thousand of each of ten kinds (A27): all are kept, few are known."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.door import NOW, Served, opened

from innkeeper.kernel.time import FixedClock, parse_instant
from innkeeper.runtime import known
from innkeeper.runtime.catalog import MOST_NAMES, event_names
from innkeeper.runtime.definitions import workspace_of
from innkeeper.store.bulk import Bulk

EACH = int(os.environ.get("INNKEEPER_EACH", "100000"))
BATCH = 1_000
#: What the door may hold more at the end than after the second kind, when the first seal was made.
MORE_MIB = 64
#: What an event is in which the *n*-th name of a kind is new.
KINDS: dict[str, Callable[[int], dict[str, Any]]] = {
    "event": lambda n: {"type": "track", "event": f"E{n}"},
    "property": lambda n: {"type": "track", "event": "E", "properties": {f"p{n}": n}},
    "nested property": lambda n: {"type": "track", "event": "E", "properties": {"a": {f"p{n}": n}}},
    "trait": lambda n: {"type": "identify", "traits": {f"t{n}": n}},
    "account trait": lambda n: {"type": "group", "groupId": "g", "traits": {f"a{n}": n}},
    "account": lambda n: {"type": "group", "groupId": f"g{n}"},
    "context": lambda n: {"type": "track", "event": "E", "context": {f"c{n}": n}},
    "page": lambda n: {"type": "page", "name": f"P{n}"},
    "field": lambda n: {"type": "track", "event": "E", f"f{n}": n},
    "user": lambda n: {"type": "track", "event": "E", "userId": f"u{n}"},
}


@pytest.mark.torture
def test_a27_a_hundred_thousand_new_names_of_each_kind(tmp_path: Path) -> None:
    held: list[int] = []
    with opened(tmp_path, clock=FixedClock(parse_instant(NOW))) as served:
        for kind, make in KINDS.items():
            for first in range(0, EACH, BATCH):
                _send(served, kind, make, range(first, min(first + BATCH, EACH)))
            # What a seal takes goes with it.
            served.log._background.join()
            held.append(_resident_mib())
        served.log.seal(force=True)
    total = EACH * len(KINDS)
    with Bulk.open(tmp_path) as bulk:
        assert bulk.rows("SELECT count(*), count(DISTINCT message_id) FROM events", ())[0] == (total, total)
        assert len(event_names(bulk, workspace_of(tmp_path))) == min(MOST_NAMES, EACH)
    found = known.known_names(tmp_path)
    assert found is not None
    assert len(found.events) == min(known.MOST["names"], EACH)
    assert max(map(len, found.events.values())) == min(known.MOST["properties"], EACH)
    assert len(found.traits) == min(known.MOST["traits"], EACH)
    assert len(found.account_traits) == min(known.MOST["account traits"], EACH)
    print(f"seed none: {EACH} new names of {len(KINDS)} kinds, all {total} events kept; memory after each {held} MiB")
    assert max(held) <= held[1] + MORE_MIB


def _send(served: Served, kind: str, make: Callable[[int], dict[str, Any]], numbers: range) -> None:
    batch = [{"anonymousId": "a", "messageId": f"{kind}{n}"} | make(n) for n in numbers]
    assert served.send("/v1/batch", {"batch": batch}).json["accepted"] == len(numbers)


def _resident_mib() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return round(pages * os.sysconf("SC_PAGE_SIZE") / 2**20)
