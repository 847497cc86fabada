"""The states of a delivery: which there are, which follow which, and what a doubt turns into. Pure rules.

`planned -> claimed -> committing -> accepted | rejected | in_doubt -> delivered | bounced | ...`, with the side exits
suppressed, capped, expired and cancelled. Who applies them is `ledger.py`.
"""

from __future__ import annotations

from typing import Final

from innkeeper.kernel.errors import InternalError
from innkeeper.kernel.time import MINUTE, Duration, Instant

OPEN: Final = ("planned", "claimed", "committing")
ENDS: Final = (
    "accepted", "rejected", "in_doubt", "delivered", "bounced", "complained", "suppressed", "capped", "expired",
    "cancelled",
)  # fmt: skip

#: What may follow a state. A planned row becomes in_doubt when an earlier attempt left it in doubt.
FOLLOWS: Final[dict[str, frozenset[str]]] = {
    "planned": frozenset({"planned", "claimed", "suppressed", "capped", "expired", "cancelled", "in_doubt"}),
    "claimed": frozenset({"planned", "committing", "rejected", "cancelled", "in_doubt"}),
    "committing": frozenset({"planned", "accepted", "rejected", "in_doubt"}),
    "in_doubt": frozenset({"accepted", "rejected", "delivered", "bounced", "complained"}),
    "accepted": frozenset({"delivered", "bounced", "complained"}),
    "delivered": frozenset({"bounced", "complained"}),
    "bounced": frozenset({"delivered", "complained"}),
}

#: How long a transactional delivery in doubt waits before it is sent once more.
SEND_AGAIN_AFTER: Final[Duration] = 15 * MINUTE
#: How often a provider is asked before its "not now" counts as "no".
MOST_ATTEMPTS: Final = 8
_FIRST_BACKOFF: Final[Duration] = MINUTE
_LONGEST_BACKOFF: Final[Duration] = 60 * MINUTE


def check(before: str, after: str) -> None:
    """Refuse a step that the ledger does not have.

    Raises:
        InternalError: The step is not legal.
    """
    if after not in FOLLOWS.get(before, frozenset()):
        raise InternalError(f"a delivery cannot go from {before} to {after}", code="illegal-delivery-state")


def backoff(attempt: int) -> Duration:
    """How long to wait after the n-th attempt that the provider put off.

    >>> [backoff(n) // MINUTE for n in (1, 2, 3, 8)]
    [1, 2, 4, 60]
    """
    return min(_FIRST_BACKOFF << min(attempt - 1, 16), _LONGEST_BACKOFF)


def after_doubt(kind: str, doubts: int, at: Instant) -> tuple[str, Instant | None]:
    """What becomes of a delivery that its provider may have: (state, when it is tried again).

    Marketing and service are never sent twice; transactional is sent once more.

    >>> after_doubt("marketing", 0, 0), after_doubt("transactional", 1, 0)
    (('in_doubt', None), ('in_doubt', None))
    """
    if kind == "transactional" and doubts == 0:
        return "planned", at + SEND_AGAIN_AFTER
    return "in_doubt", None


def honest_end(state: str, doubts: int) -> str:
    """The end that a row may claim: one that was in doubt may have been sent, whatever became of the second try."""
    return "in_doubt" if doubts and state != "accepted" else state
