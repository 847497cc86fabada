"""Named places at which a test can kill the process, as a power cut would.

`INNKEEPER_FAILPOINT="seal.renamed"` (or `seal.renamed:3` for the third pass) makes the process kill itself there with
SIGKILL: no clean-up, no flush. Without the variable a pass costs one comparison. Whoever adds a step that must
survive a kill adds its name here; the kill tests enumerate them.
"""

from __future__ import annotations

import os
import signal
from typing import Final

from innkeeper.kernel.errors import InternalError, UsageError

#: Every failpoint: its name, and what is already on disk there.
FAILPOINTS: Final[dict[str, str]] = {
    "append.begun": "rows of a batch are in an open transaction",
    "append.committed": "the batch is on disk, not yet acknowledged",
    "seal.exported": "the tail's oldest rows are in a temporary file",
    "seal.written": "the segment has its temporary name",
    "seal.renamed": "the segment has its name, the manifest does not know it",
    "seal.indexed": "the hash index too has its name",
    "seal.listed": "the manifest knows the segment, the tail still holds its rows",
    "seal.trimming": "some of the rows are gone from the tail",
    "seal.trimmed": "the tail is trimmed, temporary files are not yet swept",
    "compact.written": "the merged segment has its temporary name",
    "compact.renamed": "the merged segment has its name, the manifest does not know it",
    "compact.listed": "the manifest knows the merged segment, the replaced ones are still there",
    "compact.recorded": "log.db knows the new manifest, the replaced segments are still there",
    "compact.swept": "the replaced segments are gone",
    "retain.written": "a segment without what goes has its temporary name",
    "retain.renamed": "a segment without what goes has its name, the manifest does not know it",
    "retain.carried": "all new segments have their names, the hashes of what goes are not written",
    "retain.hashed": "the hashes of what goes have their name, the manifest does not know anything of it",
    "retain.listed": "the manifest knows the new segments, log.db does not",
    "retain.trimmed": "log.db knows too, the old segments are still there",
    "retain.swept": "the old segments are gone, the ledger is as it was",
    "retain.checkpoint": "the checkpoint of the states has its name, nothing has gone",
    "retain.ledger": "rows of the ledger and of decisions are gone, the files are not yet cleaned",
    "forget.listed": "the manifest no longer names a damaged segment",
    "tick.computed": "a tick's results are in memory",
    "tick.written": "a tick's results are in an open transaction",
    "tick.committed": "a tick, or a part of it, is on disk",
    "fanout.computed": "a page of members has been told, in memory",
    "fanout.told": "a page of members is told and on disk, the next one is not",
    "revise.said": "a word about the log is in the log, not yet taken",
    "revise.played": "the world as if is in memory, for a part of the profiles",
    "revise.written": "a revision is in an open transaction",
    "revise.committed": "a revision is on disk",
    "outlet.appended": "outputs are in the log and still in the outbox",
    "outlet.trimmed": "outputs are in the log alone",
    "deliver.claimed": "a group of deliveries is claimed, nothing is sent",
    "deliver.committing": "the ledger says committing, the provider has not acted",
    "deliver.sent": "the provider has answered, the ledger does not know it",
    "deliver.recorded": "the ledger has the results of a group",
    "relay.queued": "a page of the log is queued for the subscriptions that want it",
    "relay.told": "receivers have answered, the queue does not know it",
    "relay.settled": "the queue has the results",
    "file.written": "the mail has its temporary name",
    "file.renamed": "the mail is in the Maildir, its folder and the record are not yet on disk",
    "file.recorded": "the mail is in the Maildir and in the provider's record",
    "smtp.offered": "the server has the mail but for its final dot, the ledger says claimed",
}

VARIABLE: Final = "INNKEEPER_FAILPOINT"


def _read(text: str) -> tuple[str, int] | None:
    if not text:
        return None
    name, _, count = text.partition(":")
    if name not in FAILPOINTS or (count and not count.isdigit()):
        raise UsageError(
            f"{VARIABLE}={text} names no failpoint", code="unknown-failpoint", fix=f"known: {', '.join(FAILPOINTS)}"
        )
    return name, int(count or 1)


_armed: str | None = None
_left = 0


def arm(text: str) -> None:
    """Arm a failpoint (`name` or `name:n`); an empty text disarms."""
    global _armed, _left
    found = _read(text)
    _armed, _left = found if found is not None else (None, 0)


def failpoint(name: str) -> None:
    """Kill the process here if this failpoint is armed and this is its n-th pass."""
    if _armed is None:
        return
    _pass(name)


def _pass(name: str) -> None:
    global _left
    if name not in FAILPOINTS:
        raise InternalError(f"the failpoint '{name}' is not registered", code="unknown-failpoint")
    if name != _armed:
        return
    _left -= 1
    if _left == 0:
        os.kill(os.getpid(), signal.SIGKILL)


arm(os.environ.get(VARIABLE, ""))
