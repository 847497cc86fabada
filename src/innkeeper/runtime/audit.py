"""The audit chain: every write through the API and of a command, each entry sealed by a hash over itself and the hash
before it.

SHA-256 over the JSON of the fields and the hash of the entry before. Whoever changes, removes or inserts an entry
breaks the chain from there on; whoever can write the whole file can seal it anew, so the last hash is worth keeping
elsewhere: `audit verify` prints it.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import pwd
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from innkeeper.kernel.errors import InnkeeperError
from innkeeper.kernel.json import dumps
from innkeeper.kernel.time import Instant, SystemClock, format_instant
from innkeeper.store.access import Access, Entry

#: The status of an entry that was written before its work was done.
BEGUN: Final = 0


def record(
    access: Access, *, at: Instant, actor: str, action: str, noun: str, about: str, body: bytes, status: int
) -> Entry:
    """Write an entry.

    Args:
        access: Where the chain is.
        at: When.
        actor: Who.
        action, noun: What was done, and to what kind of thing.
        about: To which one; it may name a person, so the seal covers a digest of it.
        body: What was sent; a digest of it is kept.
        status: What was answered, `BEGUN` before it was.
    """
    nonce = secrets.token_hex(16)
    sent = _digest(nonce, body) if body else ""

    def seal(seq: int, before: str) -> Entry:
        sealed = _digest(nonce, about.encode())
        open_ = Entry(seq, at, actor, action, noun, about, nonce, sealed, sent, status, "")
        return open_._replace(hash=_hash(open_, before))

    return access.add_entry(seal)


@contextmanager
def by_command(home: Path, action: str, noun: str, about: str = "") -> Iterator[None]:
    """What a command does within, on the files of a home: an entry before, and one with the outcome.

    The outcome is 200, or 422 where it failed. A command that makes the home has the second entry alone.
    """
    clock, actor = SystemClock(), f"{_user()} (command line)"

    def write(status: int) -> None:
        if _is_home(home):
            with Access.open(home) as access:
                record(
                    access, at=clock.now(), actor=actor, action=action, noun=noun, about=about, body=b"", status=status
                )

    write(BEGUN)
    try:
        yield
    except InnkeeperError:
        write(422)
        raise
    write(200)


def _user() -> str:
    """Who runs this process, as the system knows them: variables of the environment can say anything."""
    number = os.getuid()
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return f"uid {number}"


def _is_home(home: Path) -> bool:
    # A folder that was named by mistake gets no file of ours.
    return home.is_dir() and any(home.glob("*.db"))


def verify(home: Path) -> dict[str, Any]:
    """Whether the chain holds: `{"entries","holds","broken_at","last_hash"}`."""
    with Access.open(home) as access:
        entries = access.entries()
    before, broken = "", None
    for number, entry in enumerate(entries, 1):
        if not _stands(entry, number, before):
            broken = number
            break
        before = entry.hash
    return {"entries": len(entries), "holds": broken is None, "broken_at": broken, "last_hash": before}


def _stands(entry: Entry, number: int, before: str) -> bool:
    # What was erased is empty, with its nonce.
    told = not (entry.nonce or entry.about) or hmac.compare_digest(
        entry.sealed, _digest(entry.nonce, entry.about.encode())
    )
    return entry.seq == number and told and hmac.compare_digest(entry.hash, _hash(entry, before))


def told(entry: Entry) -> dict[str, Any]:
    """The JSON form."""
    return {
        "seq": entry.seq, "at": format_instant(entry.at), "actor": entry.actor, "action": entry.action,
        "noun": entry.noun, "about": entry.about, "status": entry.status, "hash": entry.hash,
    }  # fmt: skip


def _digest(nonce: str, data: bytes) -> str:
    return hashlib.sha256(nonce.encode() + data).hexdigest()


def _hash(entry: Entry, before: str) -> str:
    covered = [before, *entry[:5], entry.sealed, entry.body, entry.status]
    return hashlib.sha256(dumps(covered).encode()).hexdigest()
