"""The audit chain: every write through the API, each entry sealed by a hash over itself and the hash before it.

SHA-256 over the JSON of the fields and the hash of the entry before. Whoever changes, removes or inserts an entry
breaks the chain from there on; whoever can write the whole file can seal it anew, so the last hash is worth keeping
elsewhere: `audit verify` prints it.
"""

from __future__ import annotations

import hashlib
import hmac
from pathlib import Path
from typing import Any

from innkeeper.kernel.json import dumps
from innkeeper.kernel.time import Instant, format_instant
from innkeeper.store.access import Access, Entry


def record(
    access: Access, *, at: Instant, actor: str, action: str, noun: str, about: str, body: bytes, status: int
) -> Entry:
    """Write an entry; of the request's *body* its SHA-256 is kept, because it may be about a person."""
    digest = hashlib.sha256(body).hexdigest() if body else ""

    def seal(seq: int, before: str) -> Entry:
        open_ = Entry(seq, at, actor, action, noun, about, digest, status, "")
        return open_._replace(hash=_hash(open_, before))

    return access.add_entry(seal)


def verify(home: Path) -> dict[str, Any]:
    """Whether the chain holds: `{"entries","holds","broken_at","last_hash"}`."""
    with Access.open(home) as access:
        entries = access.entries()
    before, broken = "", None
    for number, entry in enumerate(entries, 1):
        if entry.seq != number or not hmac.compare_digest(entry.hash, _hash(entry, before)):
            broken = number
            break
        before = entry.hash
    return {"entries": len(entries), "holds": broken is None, "broken_at": broken, "last_hash": before}


def told(entry: Entry) -> dict[str, Any]:
    """The JSON form."""
    return {**entry._asdict(), "at": format_instant(entry.at)}


def _hash(entry: Entry, before: str) -> str:
    return hashlib.sha256(dumps([before, *entry[:-1]]).encode()).hexdigest()
